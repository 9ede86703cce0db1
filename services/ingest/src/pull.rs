//! One sync, from its first message to its last commit.
//!
//! A source that keeps cursors is committed at its checkpoints, so that a sync that dies goes on from the last one; any
//! other is one commit. Rows and the cursor after them are committed together; what came after the last checkpoint of
//! a failed sync is not committed.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, BooleanArray, UInt64Array};
use arrow::compute::{filter, filter_record_batch};
use chrono::{DateTime, Utc};
use connector::{Connector, Message, ReadRequest, RowBatch};
use domain::Bilingual;
use domain::ports::{DatasetCounts, Progress, ProgressUpdate, SyncReport};
use domain::sources::{SyncRun, SyncState};
use lake::{LedgerUpdate, RawBatches, RunningSync, Settles, SyncOptions, SyncStart};
use tokio::sync::mpsc;

use crate::drift::Columns;
use crate::error::{IngestError, Result};
use crate::host::Host;
use crate::tally::Tally;

/// Messages that wait between connector and lake, at most.
const QUEUE_MESSAGES: usize = 4;

/// When an incremental sync commits: at the first checkpoint after any of these was reached since the last commit.
/// A commit reads the keys of the datasets it touches, so it is not for every page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLimits {
    pub rows_max: u64,
    pub bytes_max: u64,
    pub seconds_max: i64,
}

impl Default for CommitLimits {
    fn default() -> Self {
        Self {
            rows_max: 500_000,
            bytes_max: 512 << 20,
            seconds_max: 60,
        }
    }
}

/// Settings of one sync.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub source: String,
    pub quarantine_limit_bp: u32,
    /// Rejected rows that pass whatever their share.
    pub rejected_always: u64,
    pub commit: CommitLimits,
    /// Reads everything, whatever the cursors say.
    pub from_start: bool,
    /// When it succeeds, all quarantined rows of earlier syncs of the source are settled.
    pub settles_source: bool,
    /// The source sends records again that it sent before.
    pub overlaps: bool,
    /// Rows whose key is there stay as they are.
    pub insert_only: bool,
    /// Only rows at these places count: (batch, row); row 0: all of the batch.
    pub only: Option<HashSet<(String, u64)>>,
}

pub(crate) fn stage(zh: &str, en: &str) -> ProgressUpdate {
    ProgressUpdate {
        stage: Bilingual::new(zh, en),
        ..Default::default()
    }
}

/// Reads all of a connector and commits it; leaves a record of the sync, however it ends.
pub(crate) async fn pull(
    host: &Host,
    connector: &dyn Connector,
    plan: Plan,
    progress: &dyn Progress,
) -> Result<SyncReport> {
    let started_at = host.clock.now();
    let spec = connector.spec();
    let cursors = match spec.incremental {
        true if !plan.from_start => host
            .lake
            .cursors(&plan.source)
            .await
            .map_err(Host::in_lake(&plan.source))?,
        _ => BTreeMap::new(),
    };
    let run = SyncRun {
        run_id: format!("sync-{}", uuid::Uuid::new_v4().simple()),
        source: plan.source.clone(),
        state: SyncState::Running,
        started_at: started_at.timestamp_micros(),
        cursors_after: cursors.clone(),
        cursors_before: cursors,
        ..SyncRun::default()
    };
    let run_id = run.run_id.clone();
    let _active = host.begin_run(&run).await?;
    let columns = Columns::default();
    let source = plan.source.clone();
    let work = Work {
        host,
        connector,
        incremental: spec.incremental,
        started_at,
        progress,
        columns: &columns,
    };
    let pulled = read_all(work, plan, run).await;
    let told = pulled.as_ref().err().map(IngestError::told);
    told.iter().for_each(|failure| columns.failed(failure));
    host.record_columns(&source, &run_id, &columns).await;
    host.end_run(&run_id, told.as_ref()).await;
    pulled
}

/// What a sync works with.
#[derive(Clone, Copy)]
struct Work<'a> {
    host: &'a Host,
    connector: &'a dyn Connector,
    incremental: bool,
    started_at: DateTime<Utc>,
    progress: &'a dyn Progress,
    columns: &'a Columns,
}

async fn read_all(work: Work<'_>, plan: Plan, run: SyncRun) -> Result<SyncReport> {
    let Work {
        connector,
        incremental,
        started_at,
        ..
    } = work;
    let in_source = Host::in_source(&plan.source);
    connector.reach().await.map_err(&in_source)?;
    let mut taking = Taking::begin(work, plan, run).await?;
    let request = ReadRequest {
        cursors: taking.run.cursors_before.clone(),
        ..ReadRequest::new(taking.raw.store(), started_at)
    };
    let (sender, messages) = mpsc::channel(QUEUE_MESSAGES);
    let reading = connector.read(request, sender);
    // Both end together: a lake that fails drops the receiver, and the connector stops.
    let (read, taken) = tokio::join!(reading, taking.take(messages));
    taken?;
    if let Err(failure) = read {
        // What came up to the last checkpoints is as good as if the sync had ended there.
        if !taking.pending.is_empty()
            && let Err(error) = taking.commit().await
        {
            tracing::warn!(error = %error, "what came before the source failed was not kept");
        }
        return Err(in_source(failure));
    }
    // A source that has nothing new is still as fresh as its answer.
    let seen: Vec<String> = match incremental {
        true => {
            let found = connector.discover().await.unwrap_or_default();
            found.into_iter().filter_map(|d| d.dataset).collect()
        }
        false => Vec::new(),
    };
    taking.end(&seen).await
}

/// A sync that takes messages in.
struct Taking<'a> {
    host: &'a Host,
    plan: Plan,
    incremental: bool,
    run: SyncRun,
    started_at: DateTime<Utc>,
    progress: &'a dyn Progress,
    columns: &'a Columns,
    raw: RawBatches,
    /// The commit in the making; none between a commit and the next row.
    sync: Option<RunningSync>,
    first_commit: Option<i64>,
    tally: Tally,
    /// What the commits so far say, by dataset.
    totals: BTreeMap<String, DatasetCounts>,
    /// Cursors since the last commit.
    pending: BTreeMap<String, String>,
    rows: u64,
    bytes: u64,
    committed_at: DateTime<Utc>,
}

impl<'a> Taking<'a> {
    async fn begin(work: Work<'a>, plan: Plan, run: SyncRun) -> Result<Self> {
        let Work {
            host,
            incremental,
            started_at,
            progress,
            columns,
            ..
        } = work;
        let options = options(&plan, None, None);
        let start = SyncStart {
            source: plan.source.clone(),
            started_at,
        };
        let sync = host
            .lake
            .begin_with(start, options)
            .await
            .map_err(Host::in_lake(&plan.source))?;
        Ok(Self {
            raw: sync.raw_batches(),
            host,
            plan,
            incremental,
            run,
            started_at,
            progress,
            columns,
            sync: Some(sync),
            first_commit: None,
            tally: Tally::default(),
            totals: BTreeMap::new(),
            pending: BTreeMap::new(),
            rows: 0,
            bytes: 0,
            committed_at: started_at,
        })
    }

    fn in_lake(&self) -> impl Fn(lake::LakeError) -> IngestError + use<> {
        Host::in_lake(&self.plan.source)
    }

    /// The commit in the making; begins the next one where needed.
    async fn sync(&mut self) -> Result<&mut RunningSync> {
        if self.sync.is_none() {
            let start = SyncStart {
                source: self.plan.source.clone(),
                started_at: self.started_at,
            };
            let options = options(&self.plan, Some(self.raw.clone()), self.first_commit);
            let next = self.host.lake.begin_with(start, options).await;
            self.sync = Some(next.map_err(self.in_lake())?);
        }
        self.sync.as_mut().ok_or(IngestError::Resolution)
    }

    async fn take(&mut self, mut messages: mpsc::Receiver<Message>) -> Result<()> {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Rows(batch) => {
                    let Some(batch) = self.wanted(batch)? else {
                        continue;
                    };
                    let rows = batch.columns.num_rows() as u64;
                    self.tally.rows(&batch.dataset.name, rows);
                    self.rows += rows;
                    self.bytes += batch.columns.get_array_memory_size() as u64;
                    let in_lake = self.in_lake();
                    self.sync().await?.write(batch).await.map_err(in_lake)?;
                }
                Message::Rejected(rejected) => {
                    if let Some(only) = &self.plan.only
                        && !is_among(only, &rejected.batch, rejected.position)
                    {
                        continue;
                    }
                    self.tally.rejected(&rejected);
                    self.columns.rejected(&rejected);
                    self.rows += 1;
                    self.bytes += rejected.raw.len() as u64;
                    let in_lake = self.in_lake();
                    self.sync().await?.reject(rejected).await.map_err(in_lake)?;
                }
                Message::Notice(notice) => {
                    self.columns.notice(&notice);
                    self.tally.notice(notice);
                }
                Message::Checkpoint(checkpoint) => {
                    if self.incremental {
                        self.pending
                            .insert(checkpoint.stream.to_string(), checkpoint.cursor);
                        if self.is_due() {
                            self.commit().await?;
                        }
                    }
                }
                Message::Progress(p) => {
                    self.tally.bytes = p.done_bytes;
                    self.progress.report(ProgressUpdate {
                        stage: p.stage,
                        done: p.done_bytes,
                        total: p.total_bytes,
                        unit: "bytes".into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The rows that count.
    fn wanted(&self, batch: RowBatch) -> Result<Option<RowBatch>> {
        let Some(only) = &self.plan.only else {
            return Ok(Some(batch));
        };
        let mask: BooleanArray = batch
            .positions
            .values()
            .iter()
            .map(|&p| Some(is_among(only, &batch.batch, p)))
            .collect();
        if mask.true_count() == 0 {
            return Ok(None);
        }
        let select = |e| IngestError::Select { source: e };
        let positions = filter(&batch.positions, &mask).map_err(select)?;
        let columns = filter_record_batch(&batch.columns, &mask).map_err(select)?;
        let positions = positions
            .as_any()
            .downcast_ref::<UInt64Array>()
            .cloned()
            .ok_or(IngestError::Resolution)?;
        Ok(Some(RowBatch {
            positions,
            columns,
            ..batch
        }))
    }

    fn is_due(&self) -> bool {
        let limits = &self.plan.commit;
        let age = (self.host.clock.now() - self.committed_at).num_seconds();
        self.rows >= limits.rows_max
            || self.bytes >= limits.bytes_max
            || (age >= limits.seconds_max && self.rows > 0)
    }

    /// Commits all rows so far, and the cursors after them.
    async fn commit(&mut self) -> Result<()> {
        self.tally.check_limit(
            &self.plan.source,
            self.plan.quarantine_limit_bp,
            self.plan.rejected_always,
        )?;
        self.sync().await?;
        let Some(sync) = self.sync.take() else {
            return Ok(());
        };
        let in_lake = self.in_lake();
        self.progress.report(stage("写入数据湖", "writing to the lake"));
        let mut prepared = sync.finish().await.map_err(&in_lake)?;
        for counts in prepared.counts() {
            let total = self
                .totals
                .entry(counts.dataset.clone())
                .or_insert_with(|| DatasetCounts {
                    dataset: counts.dataset.clone(),
                    ..Default::default()
                });
            total.read += counts.read;
            total.inserted += counts.inserted;
            total.updated += counts.updated;
            total.unchanged += counts.unchanged;
            total.quarantined += counts.quarantined;
        }
        let datasets: Vec<DatasetCounts> = self.totals.values().cloned().collect();
        self.tally.check_conservation(&datasets)?;
        prepared
            .notices()
            .iter()
            .for_each(|n| self.tally.notice(n.clone()));
        self.host
            .resolve(&mut prepared, &mut self.tally, self.progress)
            .await?;
        let cursors = std::mem::take(&mut self.pending);
        self.run.cursors_after.extend(cursors.clone());
        self.run.commits += 1;
        self.run.datasets = datasets;
        self.run.bytes = self.tally.bytes;
        self.first_commit.get_or_insert(prepared.next_snapshot());
        prepared.set_ledger(LedgerUpdate {
            source: self.plan.source.clone(),
            cursors,
            run: Some(self.run.clone()),
        });
        let message = summary(&self.plan.source, prepared.counts());
        let snapshot = prepared.commit(&message).await.map_err(&in_lake)?;
        self.run.snapshot = Some(snapshot);
        (self.rows, self.bytes) = (0, 0);
        self.committed_at = self.host.clock.now();
        Ok(())
    }

    /// The last commit, and the report of all.
    async fn end(mut self, seen: &[String]) -> Result<SyncReport> {
        let in_lake = self.in_lake();
        let quiet: Vec<_> = seen
            .iter()
            .filter(|name| !self.totals.contains_key(*name) && !self.tally.has(name))
            .filter_map(|name| domain::dataset(name))
            .collect();
        let unfinished = self.run.commits == 0 || self.rows > 0 || !self.pending.is_empty();
        if unfinished || !quiet.is_empty() || self.plan.settles_source {
            let settles = self.plan.settles_source;
            let sync = self.sync().await?;
            for dataset in quiet {
                sync.seen(dataset).await.map_err(&in_lake)?;
            }
            if settles {
                sync.settle_source().await.map_err(&in_lake)?;
            }
            self.commit().await?;
        }
        let elapsed = self.host.clock.now() - self.started_at;
        let bytes = self.tally.bytes;
        let (notices, quarantine_sample) = self.tally.into_told();
        Ok(SyncReport {
            source: self.plan.source,
            snapshot: self.run.snapshot.unwrap_or_default(),
            datasets: self.run.datasets,
            notices,
            quarantine_sample,
            elapsed_ms: u64::try_from(elapsed.num_milliseconds()).unwrap_or_default(),
            bytes,
        })
    }
}

fn options(plan: &Plan, raw: Option<RawBatches>, first_commit: Option<i64>) -> SyncOptions {
    SyncOptions {
        raw,
        first_commit,
        insert_only: plan.insert_only,
        settles: Settles::Batches,
        records_once: plan.overlaps,
    }
}

fn is_among(only: &HashSet<(String, u64)>, batch: &str, row: u64) -> bool {
    only.contains(&(batch.to_owned(), row)) || only.contains(&(batch.to_owned(), 0))
}

fn summary(source: &str, datasets: &[DatasetCounts]) -> String {
    let sum = |of: fn(&DatasetCounts) -> u64| datasets.iter().map(of).sum::<u64>();
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
