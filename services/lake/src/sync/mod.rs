//! A sync in the lake: rows of many datasets come in as a stream and become visible as one snapshot, or not
//! at all.
//!
//! `Lake::begin` gives a [`RunningSync`]; rows and rejects are written to it; [`RunningSync::finish`] seals the files and
//! tells what changed; [`Prepared::commit`] makes all of it visible. Dropping either before the commit
//! removes what was written.

mod after;
mod dataset;
mod events;
mod finish;
mod lanes;
mod mentions;
mod plan;
mod settle;
mod withdraw;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use connector::{KeyBatch, RawStore, Rejected, RowBatch};
use domain::Dataset;
use domain::ports::{DatasetCounts, Notice};
use domain::sources::ReconciledDataset;
use tokio::sync::{mpsc, oneshot};

use self::dataset::Provenance;
use self::finish::Finished;
use self::plan::plan;
pub(crate) use self::plan::read_party_tables;
use self::worker::{Command, Start};
use crate::catalogue::{Catalogue, JudgementChange};
use crate::directory::DataDirectory;
use crate::error::{LakeError, Result};
use crate::kept::{self, PartyTables};
use crate::raw::SyncRawStore;
use crate::{Lake, shape};

pub use self::mentions::Mention;
pub use self::settle::Settles;
pub use crate::catalogue::LedgerUpdate;

/// Row batches that wait for the worker, at most.
const QUEUE_BATCHES: usize = 4;

/// What can be said of a sync before it reads anything.
#[derive(Debug, Clone)]
pub struct SyncStart {
    /// What rows carry as `_source`.
    pub source: String,
    /// What rows carry as `_synced_at`.
    pub started_at: DateTime<Utc>,
}

/// The raw batches of one sync, over all of its commits. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct RawBatches(Arc<SyncRawStore>);

impl RawBatches {
    /// What connectors keep raw batches with.
    pub fn store(&self) -> Arc<dyn RawStore> {
        self.0.clone()
    }
}

/// How a sync treats what is there.
#[derive(Debug, Clone, Default)]
pub struct SyncOptions {
    /// The raw batches of the commits before, for a sync of several.
    pub raw: Option<RawBatches>,
    /// Number of the snapshot that the first of them made.
    pub first_commit: Option<i64>,
    /// Rows whose key is there stay as they are and count as unchanged.
    pub insert_only: bool,
    pub settles: Settles,
    /// A rejected record takes the place of an equal one of its source that was rejected before: for sources that are
    /// read with overlap, so that one record comes in several raw batches.
    pub records_once: bool,
}

/// A sync that is taking rows.
pub struct RunningSync {
    commands: mpsc::Sender<Command>,
    outcome: oneshot::Receiver<Result<Finished>>,
    raw: Arc<SyncRawStore>,
    rest: Rest,
}

/// What the commit needs from the start.
struct Rest {
    directory: Arc<DataDirectory>,
    catalogue: Catalogue,
    tables_folder: PathBuf,
    parent: i64,
    started_at: DateTime<Utc>,
}

impl Lake {
    /// Begins a sync; waits until the one before is over.
    pub async fn begin(&self, start: SyncStart) -> Result<RunningSync> {
        self.begin_with(start, SyncOptions::default()).await
    }

    /// As [`Lake::begin`], with options.
    pub async fn begin_with(&self, start: SyncStart, options: SyncOptions) -> Result<RunningSync> {
        let turn = self.turn.clone().lock_owned().await;
        let parent = self.catalogue.head().await?;
        let tables = self.catalogue.tables(parent).await?;
        let raw = match (options.raw, tables.get(shape::BATCHES).cloned()) {
            (Some(raw), _) => raw.0,
            (None, table) => {
                let committed = match table {
                    None => Default::default(),
                    Some(table) => blocking("reads raw batches", move || kept::read_batches(&table)).await?,
                };
                Arc::new(SyncRawStore::new(self.directory.raw(), committed))
            }
        };
        let (commands, receiver) = mpsc::channel(QUEUE_BATCHES);
        let (send_outcome, outcome) = oneshot::channel();
        let tables_folder = self.directory.tables();
        let worker_start = Start {
            sync_id: format!("S{:06}", parent + 1),
            provenance: Provenance {
                source: start.source,
                synced_at: start.started_at.timestamp_micros(),
            },
            tables_folder: tables_folder.clone(),
            tables: tables.into_iter().collect(),
            threads: self.threads,
            insert_only: options.insert_only,
            settles: options.settles,
            records_once: options.records_once,
            first_commit: options.first_commit.unwrap_or(parent + 1),
            _directory: self.directory.clone(),
            turn,
        };
        let work = move || {
            if let Some(result) = worker::run(worker_start, receiver) {
                // A receiver that is gone has given the sync up: dropping the result removes its files.
                let _ = send_outcome.send(result);
            }
        };
        std::thread::Builder::new()
            .name("lake-sync".into())
            .spawn(work)
            .map_err(|_| LakeError::ThreadLost {
                work: "takes rows in",
            })?;
        Ok(RunningSync {
            commands,
            outcome,
            raw,
            rest: Rest {
                directory: self.directory.clone(),
                catalogue: self.catalogue.clone(),
                tables_folder,
                parent,
                started_at: start.started_at,
            },
        })
    }
}

impl RunningSync {
    /// Where connectors keep the raw batches of this sync.
    pub fn raw_store(&self) -> Arc<dyn RawStore> {
        self.raw.clone()
    }

    /// The raw batches, to be handed to the sync of the next commit.
    pub fn raw_batches(&self) -> RawBatches {
        RawBatches(self.raw.clone())
    }

    /// Takes rows in, in reading order. Waits while the lake is behind. After an error the sync is over.
    pub async fn write(&mut self, batch: RowBatch) -> Result<()> {
        self.command(Command::Rows(batch)).await
    }

    /// Tells that a dataset was read, so that it counts as synced though it may hold no row.
    pub async fn seen(&mut self, dataset: Arc<Dataset>) -> Result<()> {
        self.command(Command::Seen(dataset)).await
    }

    /// Quarantines a row.
    pub async fn reject(&mut self, rejected: Rejected) -> Result<()> {
        self.command(Command::Rejected(rejected)).await
    }

    /// All that the source holds was read: every quarantined row of its earlier syncs is settled.
    pub async fn settle_source(&mut self) -> Result<()> {
        self.command(Command::SettleSource).await
    }

    /// Takes keys that the source holds; 16 bytes each are held.
    pub async fn keys(&mut self, keys: KeyBatch) -> Result<()> {
        self.command(Command::Keys(keys)).await
    }

    /// All keys of the dataset have come: rows of this source with other keys leave the table and are listed in
    /// `_withdrawn`.
    pub async fn withdraw(&mut self, dataset: Arc<Dataset>) -> Result<()> {
        self.command(Command::Withdraw(dataset)).await
    }

    async fn command(&mut self, command: Command) -> Result<()> {
        match self.commands.send(command).await {
            Ok(()) => Ok(()),
            Err(_) => match (&mut self.outcome).await {
                Ok(Err(error)) => Err(error),
                _ => Err(LakeError::ThreadLost {
                    work: "takes rows in",
                }),
            },
        }
    }

    /// Seals everything that was written. Nothing is visible yet.
    pub async fn finish(mut self) -> Result<Prepared> {
        self.command(Command::Finish).await?;
        let finished = self.outcome.await.map_err(|_| LakeError::ThreadLost {
            work: "takes rows in",
        })??;
        Ok(Prepared {
            finished,
            raw: self.raw,
            rest: self.rest,
            parties: None,
            ledger: None,
            judgement: None,
        })
    }
}

/// A sync that waits for its commit.
pub struct Prepared {
    finished: Finished,
    raw: Arc<SyncRawStore>,
    rest: Rest,
    parties: Option<PartyTables>,
    ledger: Option<LedgerUpdate>,
    judgement: Option<JudgementChange>,
}

impl Prepared {
    /// The snapshot that the commit will make.
    pub fn next_snapshot(&self) -> i64 {
        self.rest.parent + 1
    }

    /// What was withdrawn, by dataset.
    pub fn reconciled(&self) -> &[ReconciledDataset] {
        &self.finished.reconciled
    }

    /// Gives the cursors and the record of the sync that become true with this commit.
    pub fn set_ledger(&mut self, update: LedgerUpdate) {
        self.ledger = Some(update);
    }

    /// What became of the rows of each dataset, in name order.
    pub fn counts(&self) -> &[DatasetCounts] {
        &self.finished.counts
    }

    pub fn notices(&self) -> &[Notice] {
        &self.finished.notices
    }

    /// Every mention there is after this sync, sorted; `None` when mentions are as before, so that parties
    /// are too.
    pub fn mentions(&self) -> Option<&[Mention]> {
        self.finished.mentions.as_deref()
    }

    /// Every mention there is after this sync, sorted, changed or not.
    pub async fn all_mentions(&self) -> Result<Vec<Mention>> {
        if let Some(mentions) = &self.finished.mentions {
            return Ok(mentions.clone());
        }
        match self.finished.tables.get(shape::MENTIONS).cloned() {
            None => Ok(Vec::new()),
            Some(table) => blocking("reads the mentions", move || kept::read_mentions(&table)).await,
        }
    }

    /// Whether this sync adds or removes rows of the dataset.
    pub fn changes(&self, dataset: &str) -> bool {
        let change = self.finished.changes.iter().find(|c| c.shape.table == dataset);
        change.is_some_and(|c| !(c.add.is_empty() && c.delete.is_empty() && c.end.is_empty()))
    }

    /// Text columns of a dataset's rows as they are after this sync: `None` where a row has none. A column of 64-bit
    /// numbers (a reference) comes as decimal text.
    pub fn rows(&self, dataset: &str, columns: &[&str]) -> Result<Vec<Vec<Option<String>>>> {
        after::rows(&self.finished, &self.rest.tables_folder, dataset, columns)
    }

    /// The parties before this sync.
    pub async fn parties_before(&self) -> Result<PartyTables> {
        let tables = self.finished.tables.clone();
        blocking("reads the parties", move || {
            read_party_tables(|name| tables.get(name).cloned())
        })
        .await
    }

    /// Takes or withdraws a verdict with this commit; the parties that are set must obey it.
    pub fn set_judgement(&mut self, change: JudgementChange) {
        self.judgement = Some(change);
    }

    /// Gives the parties that all mentions resolve to. Tables that stay the same are not rewritten.
    pub fn set_parties(&mut self, parties: PartyTables) {
        self.parties = Some(parties);
    }

    /// Makes everything visible as one snapshot; returns it. `message` says in the history what was done.
    pub async fn commit(self, message: &str) -> Result<i64> {
        let Self {
            finished,
            raw,
            rest,
            parties,
            ledger,
            judgement,
        } = self;
        let message = message.to_owned();
        let Rest {
            directory,
            catalogue,
            tables_folder,
            parent,
            started_at,
        } = rest;
        let kept_raw = raw.clone();
        let (mut plan, batches, mut unkept, turn) = blocking("prepares a commit", move || {
            plan(
                finished,
                &kept_raw,
                parties,
                &tables_folder,
                parent,
                started_at,
                message,
            )
        })
        .await?;
        // Whatever the commit answers, it may have happened: files without one are removed at the next start.
        unkept.keep();
        plan.ledger = ledger;
        plan.judgement = judgement;
        let snapshot = catalogue.commit(&plan).await?;
        raw.committed(&batches);
        drop((turn, directory));
        Ok(snapshot)
    }
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: &'static str,
    job: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(job)
        .await
        .map_err(|_| LakeError::ThreadLost { work })?
}
