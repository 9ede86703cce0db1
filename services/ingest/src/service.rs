//! [`Ingest`]: a sync from its first row to its snapshot.

use std::sync::Arc;

use async_trait::async_trait;
use connector::{Connector, Message, ReadRequest};
use domain::clock::Clock;
use domain::ports::{
    self, Progress, ProgressUpdate, PushedRows, QuarantineEntry, SyncFilesRequest, SyncPort, SyncReport,
};
use domain::{Bilingual, Failure};
use lake::{Lake, SyncStart};
use matching::{Resolver, StrictResolver};
use tokio::sync::mpsc;

use crate::error::{IngestError, Result};
use crate::parties;
use crate::tally::{Tally, readable};

/// Messages that wait between connector and lake, at most.
const QUEUE_MESSAGES: usize = 4;
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
    lake: Arc<Lake>,
    clock: Arc<dyn Clock>,
    open_files: Box<OpenFiles>,
    open_push: Box<OpenPush>,
    resolver: Arc<dyn Resolver>,
}

/// Settings of one sync.
struct Source {
    name: String,
    quarantine_limit_bp: u32,
}

impl Ingest {
    /// With the strict resolver of parties.
    pub fn new(
        lake: Arc<Lake>,
        clock: Arc<dyn Clock>,
        open_files: Box<OpenFiles>,
        open_push: Box<OpenPush>,
    ) -> Self {
        Self {
            lake,
            clock,
            open_files,
            open_push,
            resolver: Arc::new(StrictResolver),
        }
    }

    /// With another way to tell who is who.
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Reads all of a connector and commits it.
    async fn pull(
        &self,
        connector: &dyn Connector,
        source: Source,
        progress: &dyn Progress,
    ) -> Result<SyncReport> {
        let name = source.name.as_str();
        let in_source = |e| IngestError::Source {
            source_name: name.to_owned(),
            source: e,
        };
        let in_lake = |e| IngestError::Lake {
            source_name: name.to_owned(),
            source: e,
        };

        let started_at = self.clock.now();
        connector.check().await.map_err(in_source)?;
        let sync = self
            .lake
            .begin(SyncStart {
                source: name.to_owned(),
                started_at,
            })
            .await
            .map_err(in_lake)?;
        let (sender, messages) = mpsc::channel(QUEUE_MESSAGES);
        let reading = connector.read(ReadRequest::new(sync.raw_store(), started_at), sender);
        // Both end together: a lake that fails drops the receiver, and the connector stops.
        let (read, taken) = tokio::join!(reading, take(sync, messages, progress));
        let (sync, mut tally) = taken.map_err(in_lake)?;
        read.map_err(in_source)?;
        tally.check_limit(name, source.quarantine_limit_bp)?;

        progress.report(stage("写入数据湖", "writing to the lake"));
        let mut prepared = sync.finish().await.map_err(in_lake)?;
        tally.check_conservation(prepared.counts())?;
        prepared.notices().iter().for_each(|n| tally.notice(n.clone()));
        if let Some(mentions) = prepared.mentions() {
            progress.report(stage("识别主体", "resolving parties"));
            let (mentions, resolver) = (mentions.to_vec(), self.resolver.clone());
            let work = move || parties::resolve(resolver.as_ref(), &mentions);
            let (tables, notices) = tokio::task::spawn_blocking(work)
                .await
                .map_err(|_| IngestError::Resolution)?;
            notices.into_iter().for_each(|n| tally.notice(n));
            prepared.set_parties(tables);
        }
        let datasets = prepared.counts().to_vec();
        let snapshot = prepared
            .commit(&summary(name, &datasets))
            .await
            .map_err(in_lake)?;

        let elapsed = self.clock.now() - started_at;
        let bytes = tally.bytes;
        let (notices, quarantine_sample) = tally.into_told();
        Ok(SyncReport {
            source: source.name,
            snapshot,
            datasets,
            notices,
            quarantine_sample,
            elapsed_ms: u64::try_from(elapsed.num_milliseconds()).unwrap_or_default(),
            bytes,
        })
    }
}

/// Takes every message of a connector into the lake.
async fn take(
    mut sync: lake::RunningSync,
    mut messages: mpsc::Receiver<Message>,
    progress: &dyn Progress,
) -> lake::Result<(lake::RunningSync, Tally)> {
    let mut tally = Tally::default();
    while let Some(message) = messages.recv().await {
        match message {
            Message::Rows(batch) => {
                tally.rows(&batch.dataset.name, batch.columns.num_rows() as u64);
                sync.write(batch).await?;
            }
            Message::Rejected(rejected) => {
                tally.rejected(&rejected);
                sync.reject(rejected).await?;
            }
            Message::Notice(notice) => tally.notice(notice),
            // Not kept yet: an incremental source is read from the start each time, which is slow but loses nothing.
            Message::Checkpoint(_) => {}
            Message::Progress(p) => {
                tally.bytes = p.done_bytes;
                progress.report(ProgressUpdate {
                    stage: p.stage,
                    done: p.done_bytes,
                    total: p.total_bytes,
                    unit: "bytes".into(),
                });
            }
        }
    }
    Ok((sync, tally))
}

fn stage(zh: &str, en: &str) -> ProgressUpdate {
    ProgressUpdate {
        stage: Bilingual::new(zh, en),
        ..Default::default()
    }
}

fn summary(source: &str, datasets: &[ports::DatasetCounts]) -> String {
    let sum = |of: fn(&ports::DatasetCounts) -> u64| datasets.iter().map(of).sum::<u64>();
    format!(
        "sync {source}: {} datasets, read {} = inserted {} + updated {} + unchanged {} + quarantined {}",
        datasets.len(),
        sum(|c| c.read),
        sum(|c| c.inserted),
        sum(|c| c.updated),
        sum(|c| c.unchanged),
        sum(|c| c.quarantined),
    )
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
        let source = Source {
            name: match spec.source.filter(|_| !named) {
                Some(source) => source,
                None if request.source.is_empty() => DEFAULT_SOURCE.to_owned(),
                None => request.source,
            },
            quarantine_limit_bp: spec
                .quarantine_limit_bp
                .filter(|_| !limited)
                .unwrap_or(request.quarantine_limit_bp),
        };
        Ok(self.pull(connector.as_ref(), source, progress.as_ref()).await?)
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
        let source = Source {
            name: source,
            quarantine_limit_bp,
        };
        Ok(self.pull(connector.as_ref(), source, progress.as_ref()).await?)
    }

    async fn quarantine(&self, dataset: Option<String>, limit: usize) -> ports::Result<Vec<QuarantineEntry>> {
        let head = self.lake.head().await?;
        let rows = self.lake.quarantine(dataset, limit, head).await?;
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
