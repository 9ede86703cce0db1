//! Screening over the newest snapshot: an index is built from it, served from memory, and swapped as a whole when a
//! newer snapshot is committed.

mod gather;
mod rows;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use screening::{Index, Settings};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::data::{Snapshot, SnapshotSource};
use crate::error::{CollisionError, Result};
use crate::graphs::Graphs;
use crate::rules::Bundle;
use crate::session::Limits;

/// After so long it is looked whether a newer snapshot was committed.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Keeps the index of the newest snapshot.
#[derive(Debug)]
pub struct Desk {
    source: Arc<dyn SnapshotSource>,
    runtime: Arc<RuntimeEnv>,
    bundle: Arc<Bundle>,
    limits: Limits,
    graphs: Arc<Graphs>,
    current: RwLock<Option<Current>>,
    /// Held while an index is built: one at a time.
    building: Mutex<()>,
    /// Somebody looks for a newer snapshot right now.
    looking: AtomicBool,
}

#[derive(Debug, Clone)]
struct Current {
    index: Arc<Index>,
    snapshot: i64,
    looked_at: Instant,
}

fn panicked(error: &tokio::task::JoinError) -> CollisionError {
    CollisionError::Panicked {
        what: "the index of screening".to_owned(),
        detail: error.to_string(),
    }
}

/// Taken back when the look ends, however it ends.
struct Looking<'a>(&'a AtomicBool);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Desk {
    pub fn new(
        source: Arc<dyn SnapshotSource>,
        runtime: Arc<RuntimeEnv>,
        bundle: Arc<Bundle>,
        limits: Limits,
        graphs: Arc<Graphs>,
    ) -> Self {
        Self {
            source,
            runtime,
            bundle,
            limits,
            graphs,
            current: RwLock::default(),
            building: Mutex::default(),
            looking: AtomicBool::new(false),
        }
    }

    /// An index over that snapshot or a newer one. One that is at hand and new enough is given at once; that a
    /// newer snapshot exists is found out, and its index built, beside the answers.
    pub async fn index(self: Arc<Self>, min_snapshot: i64) -> Result<Arc<Index>> {
        if let Some(current) = self.current().filter(|c| c.snapshot >= min_snapshot) {
            if current.looked_at.elapsed() >= LOOK_AFTER && !self.looking.swap(true, Ordering::AcqRel) {
                tokio::spawn(self.clone().look());
            }
            return Ok(current.index);
        }
        // A task of its own: a caller that leaves does not undo what the others wait for too.
        let desk = self.clone();
        tokio::spawn(async move { desk.refresh(min_snapshot).await })
            .await
            .map_err(|e| panicked(&e))?
    }

    /// Looks once, beside the answers.
    async fn look(self: Arc<Self>) {
        let _looking = Looking(&self.looking);
        if let Err(error) = self.refresh(0).await {
            tracing::warn!(error = %error, "screening.refresh.failed: answers rest on the snapshot before");
            if let Some(current) = self.current() {
                let looked_at = Instant::now();
                self.put(Current { looked_at, ..current });
            }
        }
    }

    fn current(&self) -> Option<Current> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn put(&self, current: Current) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current);
    }

    /// Looks for the newest snapshot and builds its index when it is not the one at hand.
    async fn refresh(&self, min_snapshot: i64) -> Result<Arc<Index>> {
        let _one_at_a_time = self.building.lock().await;
        let looked_at = Instant::now();
        let snapshot = self.source.snapshot(None).await?;
        if snapshot.id() < min_snapshot {
            return Err(CollisionError::Source(screening::not_committed(
                min_snapshot,
                snapshot.id(),
            )));
        }
        if let Some(current) = self.current().filter(|c| c.snapshot == snapshot.id()) {
            self.put(Current {
                looked_at,
                ..current.clone()
            });
            return Ok(current.index);
        }
        let index = self.build(&snapshot).await?;
        self.put(Current {
            index: index.clone(),
            snapshot: snapshot.id(),
            looked_at,
        });
        Ok(index)
    }

    async fn build(&self, snapshot: &Arc<dyn Snapshot>) -> Result<Arc<Index>> {
        let began = Instant::now();
        let input = gather::gather(&self.runtime, snapshot, &self.bundle, &self.limits, &self.graphs).await?;
        // Taking names apart is work for a thread that nobody waits on.
        let index = tokio::task::spawn_blocking(move || Index::build(input, Settings::default()))
            .await
            .map_err(|e| panicked(&e))?;
        tracing::info!(
            screening.snapshot = snapshot.id(),
            screening.parties = index.parties(),
            screening.names = index.names(),
            screening.build_ms = began.elapsed().as_millis() as u64,
            "screening.index.built"
        );
        Ok(Arc::new(index))
    }
}

#[cfg(test)]
mod tests;
