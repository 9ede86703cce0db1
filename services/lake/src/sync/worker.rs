//! The thread that takes a sync's rows in: compares, numbers and hands them to the encoding lanes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder};
use connector::{KeyBatch, Rejected, RowBatch};
use domain::ports::{DatasetCounts, Notice};
use domain::sources::ReconciledDataset;
use domain::{Bilingual, Dataset};
use tokio::sync::{OwnedMutexGuard, mpsc};

use super::dataset::{DatasetSync, Provenance};
use super::finish::{Finished, finish};
use super::lanes::Lanes;
use super::settle::{Read, Settles, record_hash, settle};
use super::withdraw::{Withdrawn, withdraw};
use crate::catalogue::TableInfo;
use crate::directory::DataDirectory;
use crate::error::{LakeError, Result, arrow_doing, at};
use crate::parquet_file::new_name;
use crate::shape::{QUARANTINE, Shape};

/// Quarantined rows that are held before they are written.
const QUARANTINE_ROWS: usize = 4096;
/// Raw bytes of quarantined rows that are held before they are written.
const QUARANTINE_BYTES: usize = 8 << 20;

/// What the host asks of the worker.
pub enum Command {
    Rows(RowBatch),
    /// The dataset was read, though perhaps without a row.
    Seen(Arc<Dataset>),
    Rejected(Rejected),
    /// All of the source was read.
    SettleSource,
    /// Keys that the source holds.
    Keys(KeyBatch),
    /// All keys of the dataset have come: what the source no longer holds is withdrawn.
    Withdraw(Arc<Dataset>),
    Finish,
}

/// What a sync starts from.
pub struct Start {
    pub sync_id: String,
    pub provenance: Provenance,
    /// Folder of the tables.
    pub tables_folder: PathBuf,
    pub tables: BTreeMap<String, Arc<TableInfo>>,
    pub threads: usize,
    pub insert_only: bool,
    pub settles: Settles,
    /// A rejected record takes the place of an equal one that was rejected before.
    pub records_once: bool,
    /// Number of the first commit of this sync; quarantined rows from there on are its own.
    pub first_commit: i64,
    /// Owned as long as the sync writes.
    pub _directory: Arc<DataDirectory>,
    /// One sync at a time; let go when this one is over.
    pub turn: OwnedMutexGuard<()>,
}

/// Runs until told to finish. When the commands end without that, everything written is removed.
pub fn run(start: Start, mut commands: mpsc::Receiver<Command>) -> Option<Result<Finished>> {
    let mut worker = match Worker::new(start) {
        Ok(worker) => worker,
        Err(error) => return Some(Err(error)),
    };
    while let Some(command) = commands.blocking_recv() {
        let outcome = match command {
            Command::Rows(batch) => worker.rows(batch),
            Command::Seen(dataset) => worker.seen(&dataset),
            Command::Rejected(rejected) => worker.reject(&rejected),
            Command::SettleSource => {
                worker.start.settles = Settles::Source;
                Ok(())
            }
            Command::Keys(keys) => worker.keys(&keys),
            Command::Withdraw(dataset) => worker.withdraw(&dataset),
            Command::Finish => return Some(worker.finish()),
        };
        if let Err(error) = outcome {
            return Some(Err(error));
        }
    }
    None
}

struct Worker {
    lanes: Lanes,
    datasets: BTreeMap<String, DatasetSync>,
    /// Rejected rows by dataset.
    quarantined: BTreeMap<String, u64>,
    quarantine: Quarantine,
    /// Rejected records, where each is to be in quarantine once.
    records: HashSet<u128>,
    /// Datasets that were read but hold no new row: their rows need not be looked at.
    seen: BTreeSet<String>,
    /// Raw batches that rows came from.
    batches: HashSet<Arc<str>>,
    /// Dataset -> hashes of the keys its source holds.
    keys: HashMap<String, HashSet<u128>>,
    withdrawn: Withdrawn,
    reconciled: Vec<ReconciledDataset>,
    /// Last, so that its turn ends when all is cleared away.
    start: Start,
}

impl Worker {
    fn new(start: Start) -> Result<Self> {
        Ok(Self {
            lanes: Lanes::start(start.threads)?,
            datasets: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            quarantine: Quarantine::new(),
            records: HashSet::new(),
            seen: BTreeSet::new(),
            batches: HashSet::new(),
            keys: HashMap::new(),
            withdrawn: Withdrawn::default(),
            reconciled: Vec::new(),
            start,
        })
    }

    fn dataset(&mut self, dataset: &Arc<Dataset>) -> Result<(&mut DatasetSync, &mut Lanes, &Provenance)> {
        if !self.datasets.contains_key(&dataset.name) {
            let begun = DatasetSync::begin(
                dataset.clone(),
                self.start.tables.get(&dataset.name).cloned(),
                self.start.tables_folder.join(&dataset.name),
                self.lanes.count(),
                self.datasets.len(),
                self.start.insert_only,
            )?;
            self.datasets.insert(dataset.name.clone(), begun);
        }
        let state = self
            .datasets
            .get_mut(&dataset.name)
            .ok_or_else(|| LakeError::NoTable {
                table: dataset.name.clone(),
            })?;
        Ok((state, &mut self.lanes, &self.start.provenance))
    }

    /// A dataset that has a table is only counted as synced; its keys are not read.
    fn seen(&mut self, dataset: &Arc<Dataset>) -> Result<()> {
        if self.start.tables.contains_key(&dataset.name) {
            self.seen.insert(dataset.name.clone());
            return Ok(());
        }
        self.dataset(dataset).map(|_| ())
    }

    fn note_batch(&mut self, batch: &Arc<str>) {
        if !self.batches.contains(batch) {
            self.batches.insert(batch.clone());
        }
    }

    fn keys(&mut self, batch: &KeyBatch) -> Result<()> {
        let columns: Vec<&ArrayRef> = batch.keys.columns().iter().collect();
        let expected: Vec<_> = batch
            .dataset
            .key
            .iter()
            .filter_map(|k| batch.dataset.column(k).map(|c| c.ty.arrow()))
            .collect();
        let found: Vec<_> = columns.iter().map(|c| c.data_type().clone()).collect();
        if expected != found {
            return Err(LakeError::Batch {
                dataset: batch.dataset.name.clone(),
                problem: format!("keys came as {found:?}, they are {expected:?}"),
            });
        }
        let hashes = crate::hash::key_hashes(&batch.dataset.name, &columns, batch.keys.num_rows())?;
        self.keys
            .entry(batch.dataset.name.clone())
            .or_default()
            .extend(hashes);
        Ok(())
    }

    fn withdraw(&mut self, dataset: &Arc<Dataset>) -> Result<()> {
        let keep = self.keys.remove(&dataset.name).unwrap_or_default();
        let source = self.start.provenance.source.clone();
        let mut withdrawn = std::mem::take(&mut self.withdrawn);
        let (state, _, _) = self.dataset(dataset)?;
        let report = withdraw(state, &source, &keep, &mut withdrawn)?;
        self.withdrawn = withdrawn;
        self.reconciled.push(report);
        Ok(())
    }

    fn rows(&mut self, batch: RowBatch) -> Result<()> {
        self.note_batch(&batch.batch);
        let dataset = batch.dataset.clone();
        let (state, lanes, provenance) = self.dataset(&dataset)?;
        state.apply(batch, provenance, lanes)
    }

    fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        self.note_batch(&rejected.batch);
        *self.quarantined.entry(rejected.dataset.to_string()).or_default() += 1;
        if self.start.records_once
            && let Some(record) = record_hash(&rejected.dataset, &rejected.raw)
            && !self.records.insert(record)
        {
            return Ok(());
        }
        self.quarantine.add(&self.start, rejected);
        if self.quarantine.rows >= QUARANTINE_ROWS || self.quarantine.bytes >= QUARANTINE_BYTES {
            self.flush_quarantine()?;
        }
        Ok(())
    }

    fn flush_quarantine(&mut self) -> Result<()> {
        if self.quarantine.rows == 0 {
            return Ok(());
        }
        let batch = self.quarantine.take()?;
        let file = match self.quarantine.file {
            Some(file) => file,
            None => {
                let folder = self.start.tables_folder.join(QUARANTINE);
                std::fs::create_dir_all(&folder).map_err(at("make the folder", &folder))?;
                let ids = crate::catalogue::column_ids(
                    &self.quarantine.shape,
                    self.start.tables.get(QUARANTINE).map(|t| &**t),
                );
                let path = folder.join(new_name("data"));
                let file = self.lanes.open(0, path, &self.quarantine.shape, &ids.0.into())?;
                self.quarantine.file = Some(file);
                file
            }
        };
        self.lanes.write(file, batch)
    }

    fn finish(mut self) -> Result<Finished> {
        self.flush_quarantine()?;
        // Reconciling compares keys, not rows: it does not make a dataset fresh.
        let reconciled = |name: &String| self.reconciled.iter().any(|r| r.dataset == *name);
        let mut counts: BTreeMap<String, DatasetCounts> = self
            .datasets
            .iter()
            .filter(|(name, d)| d.counts.read > 0 || !reconciled(name))
            .map(|(name, d)| (name.clone(), d.counts.clone()))
            .collect();
        for dataset in &self.seen {
            counts.entry(dataset.clone()).or_insert_with(|| DatasetCounts {
                dataset: dataset.clone(),
                ..Default::default()
            });
        }
        for (dataset, &rows) in &self.quarantined {
            let entry = counts.entry(dataset.clone()).or_insert_with(|| DatasetCounts {
                dataset: dataset.clone(),
                ..Default::default()
            });
            entry.quarantined += rows;
            entry.read += rows;
        }
        let notices = self
            .datasets
            .values()
            .filter(|d| d.duplicates > 0)
            .map(duplicate_notice)
            .collect();
        let Self {
            start,
            lanes,
            datasets,
            quarantine,
            records,
            batches,
            withdrawn,
            reconciled,
            ..
        } = self;
        let mut settled = Vec::new();
        let mut settle_files = super::lanes::Unkept::default();
        if let Some(table) = start.tables.get(QUARANTINE) {
            settled = settle(
                table,
                &start.tables_folder.join(QUARANTINE),
                &Read {
                    source: &start.provenance.source,
                    settles: start.settles,
                    batches: &batches,
                    records: &records,
                    before: start.first_commit,
                },
                &mut settle_files,
            )?;
        }
        let mut finished = finish(
            start,
            lanes,
            datasets.into_values().collect(),
            super::finish::QuarantineChange {
                added: quarantine.file.map(|file| (quarantine.shape, file)),
                settled,
                files: settle_files,
            },
            counts.into_values().collect(),
            notices,
        )?;
        finished.reconciled = reconciled;
        if !withdrawn.is_empty() {
            finished.withdrawn = Some(withdrawn.take(&finished.sync_id, &finished.provenance)?);
        }
        Ok(finished)
    }
}

fn duplicate_notice(dataset: &DatasetSync) -> Notice {
    let (n, key) = (dataset.duplicates, dataset.dataset.key.join(", "));
    Notice {
        code: "DUPLICATE_KEY".into(),
        place: dataset.dataset.name.clone(),
        message: Bilingual::new(
            format!("同一次同步中有 {n} 行与前面的行主键（{key}）相同而内容不同，以后读到的为准"),
            format!(
                "{n} rows have the key ({key}) of an earlier row of the same sync but other content; the later row counts"
            ),
        ),
        count: n,
    }
}

/// Quarantined rows on their way to a file.
struct Quarantine {
    shape: Arc<Shape>,
    file: Option<u32>,
    rows: usize,
    bytes: usize,
    texts: [StringBuilder; 8],
    row: Int64Builder,
    raw: BinaryBuilder,
}

impl Quarantine {
    fn new() -> Self {
        Self {
            shape: Arc::new(Shape::of(QUARANTINE).expect("the quarantine has a shape")),
            file: None,
            rows: 0,
            bytes: 0,
            texts: std::array::from_fn(|_| StringBuilder::new()),
            row: Int64Builder::new(),
            raw: BinaryBuilder::new(),
        }
    }

    fn add(&mut self, start: &Start, rejected: &Rejected) {
        let reason = rejected.reason.code();
        let texts: [Option<&str>; 8] = [
            Some(&start.sync_id),
            Some(&start.provenance.source),
            Some(&rejected.dataset),
            Some(&rejected.batch),
            Some(&rejected.file),
            rejected.field.as_deref(),
            Some(reason),
            Some(&rejected.detail),
        ];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        self.row
            .append_value(i64::try_from(rejected.position).unwrap_or(i64::MAX));
        self.raw.append_value(&rejected.raw);
        self.rows += 1;
        self.bytes += rejected.raw.len() + rejected.detail.len();
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let mut texts = self.texts.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        let mut columns: Vec<ArrayRef> = texts.by_ref().take(5).collect();
        columns.push(Arc::new(self.row.finish()));
        columns.extend(texts);
        columns.push(Arc::new(self.raw.finish()));
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(self.shape.stored_schema(), columns)
            .map_err(arrow_doing("list quarantined rows"))
    }
}
