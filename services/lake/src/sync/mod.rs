//! A sync in the lake: rows of many datasets come in as a stream and become visible as one snapshot, or not
//! at all.
//!
//! `Lake::begin` gives a [`RunningSync`]; rows and rejects are written to it; [`RunningSync::finish`] seals the files and
//! tells what changed; [`Prepared::commit`] makes all of it visible. Dropping either before the commit
//! removes what was written.

mod dataset;
mod finish;
mod lanes;
mod mentions;
mod settle;
mod withdraw;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use connector::{KeyBatch, RawStore, Rejected, RowBatch};
use domain::Dataset;
use domain::ports::{DatasetCounts, Notice};
use domain::sources::ReconciledDataset;
use tokio::sync::{mpsc, oneshot};

use self::dataset::Provenance;
use self::finish::{Finished, table_folder};
use self::worker::{Command, Start};
use crate::catalogue::{Catalogue, CommitPlan, NewFile, TableChange, TableInfo, column_ids};
use crate::directory::{DataDirectory, sync_folder};
use crate::error::{LakeError, Result, arrow_doing};
use crate::kept::{self, PartyTables};
use crate::parquet_file::{FileWriter, new_name};
use crate::raw::{KeptBatch, SyncRawStore};
use crate::shape::{PARTIES, PARTY_BRANCHES, PARTY_REFS, Shape};
use crate::{Lake, shape};

pub use self::mentions::Mention;
pub use self::settle::Settles;
pub use crate::catalogue::LedgerUpdate;

/// Row batches that wait for the worker, at most.
const QUEUE_BATCHES: usize = 4;
/// Live files of a bookkeeping table beyond which they are merged into one.
const FILES_MERGED_AT: usize = 16;

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

type Planned = (
    CommitPlan,
    Vec<KeptBatch>,
    lanes::Unkept,
    tokio::sync::OwnedMutexGuard<()>,
);

fn plan(
    finished: Finished,
    raw: &SyncRawStore,
    parties: Option<PartyTables>,
    tables_folder: &std::path::Path,
    parent: i64,
    started_at: DateTime<Utc>,
    message: String,
) -> Result<Planned> {
    let Finished {
        sync_id,
        provenance,
        counts,
        changes,
        mentions,
        tables,
        mut unkept,
        turn,
        withdrawn,
        ..
    } = finished;
    let mut beside = Beside {
        tables_folder,
        tables: &tables,
        changes,
        unkept: &mut unkept,
    };
    let batches = raw.finish()?;
    if !batches.is_empty() {
        beside.append(kept::batches_batch(
            &batches,
            &provenance.source,
            provenance.synced_at,
        )?)?;
    }
    if !counts.is_empty() {
        beside.append(kept::syncs_batch(
            &counts,
            &sync_id,
            &provenance.source,
            provenance.synced_at,
        )?)?;
    }
    if let Some(rows) = withdrawn {
        beside.append(rows)?;
    }
    if let Some(mentions) = mentions {
        beside.replace(kept::mentions_batch(&mentions)?)?;
    }
    if let Some(mut new) = parties {
        new.parties.sort_unstable();
        new.refs.sort_unstable();
        new.branches.sort_unstable();
        let old = read_party_tables(|name| tables.get(name).cloned())?;
        if new.parties != old.parties || !tables.contains_key(PARTIES) {
            beside.replace(kept::parties_batch(&new.parties)?)?;
        }
        if new.refs != old.refs || !tables.contains_key(PARTY_REFS) {
            beside.replace(kept::refs_batch(&new.refs)?)?;
        }
        if new.branches != old.branches || !tables.contains_key(PARTY_BRANCHES) {
            beside.replace(kept::branches_batch(&new.branches)?)?;
        }
    }
    let changes = beside.changes;
    let plan = CommitPlan {
        parent,
        time: started_at,
        author: provenance.source,
        message,
        tables: changes,
        ledger: None,
    };
    Ok((plan, batches, unkept, turn))
}

/// The parties at the tables that `table` finds.
pub(crate) fn read_party_tables(table: impl Fn(&str) -> Option<Arc<TableInfo>>) -> Result<PartyTables> {
    Ok(PartyTables {
        parties: table(PARTIES)
            .map(|t| kept::read_parties(&t))
            .transpose()?
            .unwrap_or_default(),
        refs: table(PARTY_REFS)
            .map(|t| kept::read_refs(&t))
            .transpose()?
            .unwrap_or_default(),
        branches: table(PARTY_BRANCHES)
            .map(|t| kept::read_branches(&t))
            .transpose()?
            .unwrap_or_default(),
    })
}

/// Writes the tables that are kept beside the datasets.
struct Beside<'a> {
    tables_folder: &'a std::path::Path,
    tables: &'a std::collections::BTreeMap<String, Arc<TableInfo>>,
    changes: Vec<TableChange>,
    unkept: &'a mut lanes::Unkept,
}

impl Beside<'_> {
    /// Adds rows; merges the table's files when they have become many.
    fn append(&mut self, (shape, batch): (Shape, RecordBatch)) -> Result<()> {
        let many = self
            .tables
            .get(&shape.table)
            .filter(|t| t.files.len() >= FILES_MERGED_AT);
        match many {
            None => self.write(shape, batch, false),
            Some(table) => {
                let mut batches = kept::read_rows(table)?;
                batches.push(batch);
                let schema = shape.stored_schema();
                let merged = arrow::compute::concat_batches(&schema, &batches)
                    .map_err(arrow_doing("merge bookkeeping files"))?;
                self.write(shape, merged, true)
            }
        }
    }

    /// Puts rows in place of all that the table holds.
    fn replace(&mut self, (shape, batch): (Shape, RecordBatch)) -> Result<()> {
        self.write(shape, batch, true)
    }

    fn write(&mut self, shape: Shape, batch: RecordBatch, replace: bool) -> Result<()> {
        let table = self.tables.get(&shape.table).cloned();
        let end = match &table {
            Some(table) if replace => table.files.iter().map(|f| f.data_file_id).collect(),
            _ => Vec::new(),
        };
        let add = match batch.num_rows() {
            0 => Vec::new(),
            _ => vec![self.write_file(&shape, table.as_deref(), &batch)?],
        };
        self.changes.push(TableChange {
            shape,
            table,
            add,
            delete: Vec::new(),
            end,
        });
        Ok(())
    }

    fn write_file(
        &mut self,
        shape: &Shape,
        table: Option<&TableInfo>,
        batch: &RecordBatch,
    ) -> Result<NewFile> {
        let folder = table_folder(self.tables_folder, &shape.table)?;
        let path = folder.join(new_name("data"));
        self.unkept.add(path.clone());
        let mut writer = FileWriter::create(path, Arc::new(shape.clone()), &column_ids(shape, table).0)?;
        writer.write(batch)?;
        let file = writer.finish()?;
        sync_folder(&folder)?;
        Ok(file)
    }
}
