//! [`Ingest`]: folders of files and pushed rows, into the lake.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use connector::Connector;
use domain::Failure;
use domain::clock::Clock;
use domain::ports::{
    self, Progress, PushedRows, QuarantineEntry, QuarantineFilter, SyncFilesRequest, SyncPort, SyncReport,
};
use lake::Lake;
use matching::{Resolver, StrictResolver};
use tokio::sync::mpsc;

use crate::host::Host;
use crate::pull::{Plan, pull};
use crate::registry::Registry;
use crate::source_file::SourceFile;
use crate::sources::Sources;
use crate::tally::readable;

/// What a request says when nobody said anything: then the connector's own configuration counts.
const DEFAULT_SOURCE: &str = "files";
const DEFAULT_QUARANTINE_LIMIT_BP: u32 = 100;

/// Makes the connector for a folder of files.
pub type OpenFiles = dyn Fn(&SyncFilesRequest) -> ports::Result<Box<dyn Connector>> + Send + Sync;

/// Makes the connector for rows that are pushed.
pub type OpenPush = dyn Fn(PushedBatch) -> ports::Result<Box<dyn Connector>> + Send + Sync;

/// Rows that come by themselves.
#[derive(Debug)]
pub struct PushedBatch {
    pub source: String,
    /// What people call the raw batch.
    pub batch_id: String,
    pub rows: mpsc::Receiver<PushedRows>,
}

/// The service behind [`SyncPort`].
pub struct Ingest {
    host: Arc<Host>,
    open_files: Box<OpenFiles>,
    open_push: Box<OpenPush>,
}

impl Ingest {
    /// With the strict resolver of parties.
    pub fn new(
        lake: Arc<Lake>,
        clock: Arc<dyn Clock>,
        open_files: Box<OpenFiles>,
        open_push: Box<OpenPush>,
    ) -> Self {
        Self::with_resolver(lake, clock, open_files, open_push, Arc::new(StrictResolver))
    }

    /// With another way to tell who is who.
    pub fn with_resolver(
        lake: Arc<Lake>,
        clock: Arc<dyn Clock>,
        open_files: Box<OpenFiles>,
        open_push: Box<OpenPush>,
        resolver: Arc<dyn Resolver>,
    ) -> Self {
        let host = Host {
            lake,
            clock,
            resolver,
            active: Arc::default(),
        };
        Self {
            host: Arc::new(host),
            open_files,
            open_push,
        }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The configured sources, over the same lake. `file` is their `sources.toml`; it need not be there.
    pub fn sources(&self, kinds: Registry, file: PathBuf) -> Sources {
        Sources::new(self.host.clone(), kinds, SourceFile::new(file))
    }
}

#[async_trait]
impl SyncPort for Ingest {
    async fn sync_files(
        &self,
        request: SyncFilesRequest,
        progress: Arc<dyn Progress>,
    ) -> ports::Result<SyncReport> {
        let connector = (self.open_files)(&request)?;
        let spec = connector.spec();
        let named = request.source != DEFAULT_SOURCE && !request.source.is_empty();
        let limited = request.quarantine_limit_bp != DEFAULT_QUARANTINE_LIMIT_BP;
        let plan = Plan {
            source: match spec.source.filter(|_| !named) {
                Some(source) => source,
                None if request.source.is_empty() => DEFAULT_SOURCE.to_owned(),
                None => request.source,
            },
            quarantine_limit_bp: spec
                .quarantine_limit_bp
                .filter(|_| !limited)
                .unwrap_or(request.quarantine_limit_bp),
            ..Plan::default()
        };
        Ok(pull(&self.host, connector.as_ref(), plan, progress.as_ref()).await?)
    }

    async fn sync_pushed(
        &self,
        source: String,
        batch_id: String,
        rows: mpsc::Receiver<PushedRows>,
        progress: Arc<dyn Progress>,
    ) -> ports::Result<SyncReport> {
        if source.trim().is_empty() {
            return Err(Failure::invalid(
                "SOURCE_MISSING",
                "a push names its source, e.g. `his`; none was given",
            ));
        }
        let connector = (self.open_push)(PushedBatch {
            source: source.clone(),
            batch_id,
            rows,
        })?;
        let quarantine_limit_bp = connector
            .spec()
            .quarantine_limit_bp
            .unwrap_or(DEFAULT_QUARANTINE_LIMIT_BP);
        let plan = Plan {
            source,
            quarantine_limit_bp,
            ..Plan::default()
        };
        Ok(pull(&self.host, connector.as_ref(), plan, progress.as_ref()).await?)
    }

    async fn quarantine(
        &self,
        filter: QuarantineFilter,
        limit: usize,
    ) -> ports::Result<Vec<QuarantineEntry>> {
        let head = self.host.lake.head().await?;
        let rows = self.host.lake.quarantine(filter, limit, head).await?;
        Ok(rows
            .into_iter()
            .map(|row| QuarantineEntry {
                dataset: row.dataset,
                file: row.file,
                row: row.row,
                field: row.field,
                reason: row.reason,
                detail: row.detail,
                raw: readable(&row.raw),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod judgement_tests;
