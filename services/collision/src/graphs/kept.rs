//! The graph of the newest snapshot that was asked about is kept. Another question of that snapshot gets the same one;
//! the next snapshot's is made from it where few rows differ ([`super::delta`]), and else built anew.

use std::sync::Arc;
use std::time::Instant;

use datafusion::prelude::SessionContext;
use graph::Graph;
use tokio::sync::Mutex;

use super::build::{self, Roles};
use super::delta;
use crate::data::Snapshot;
use crate::error::Result;

/// Hands out graphs of snapshots of one source. A graph never changes once it was handed out.
#[derive(Debug, Default)]
pub struct Graphs {
    /// Held while a graph is made, so that two who ask at once make it once.
    newest: Mutex<Option<Known>>,
}

/// A snapshot's graph, with what the next one's is made from.
#[derive(Debug)]
pub(super) struct Known {
    pub snapshot: Arc<dyn Snapshot>,
    pub graph: Arc<Graph>,
    pub roles: Roles,
}

/// How a graph came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It was at hand.
    Kept,
    /// From that of an earlier snapshot.
    Changed,
    /// From all rows.
    Anew,
}

impl Graphs {
    /// The graph of a snapshot, which `context` shows with at least the datasets of [`super::DATASETS`] and `parties`.
    pub async fn of(&self, context: &SessionContext, snapshot: &Arc<dyn Snapshot>) -> Result<Arc<Graph>> {
        Ok(self.made(context, snapshot).await?.0)
    }

    pub(super) async fn made(
        &self,
        context: &SessionContext,
        snapshot: &Arc<dyn Snapshot>,
    ) -> Result<(Arc<Graph>, Made)> {
        let mut newest = self.newest.lock().await;
        if let Some(known) = newest.as_ref().filter(|k| k.snapshot.id() == snapshot.id()) {
            return Ok((known.graph.clone(), Made::Kept));
        }
        let began = Instant::now();
        let earlier = newest.as_ref().filter(|k| k.snapshot.id() < snapshot.id());
        let changed = match earlier {
            Some(known) => delta::next(known, context, snapshot)
                .await
                .unwrap_or_else(|error| {
                    tracing::warn!(error = %error, "graph.delta.failed: it is built from all rows");
                    None
                }),
            None => None,
        };
        let (made, (graph, roles)) = match changed {
            Some(next) => (Made::Changed, next),
            None => (Made::Anew, build::build(context, snapshot).await?),
        };
        let graph = Arc::new(graph);
        tracing::debug!(
            graph.snapshot = snapshot.id(),
            graph.made = ?made,
            graph.edges = graph.report().edges,
            graph.made_ms = began.elapsed().as_millis() as u64,
            "graph.made"
        );
        // Questions of an older snapshot (a run that is replayed) do not push out the newest one's graph.
        if newest.as_ref().is_none_or(|k| k.snapshot.id() < snapshot.id()) {
            *newest = Some(Known {
                snapshot: snapshot.clone(),
                graph: graph.clone(),
                roles,
            });
        }
        Ok((graph, made))
    }
}
