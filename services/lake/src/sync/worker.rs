//! The thread that takes a sync's rows in: compares, numbers and hands them to the encoding lanes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder};
use connector::{Rejected, RowBatch};
use domain::ports::{DatasetCounts, Notice};
use domain::{Bilingual, Dataset};
use tokio::sync::{OwnedMutexGuard, mpsc};

use super::dataset::{DatasetSync, Provenance};
use super::finish::{Finished, finish};
use super::lanes::Lanes;
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
            Command::Seen(dataset) => worker.dataset(&dataset).map(|_| ()),
            Command::Rejected(rejected) => worker.reject(&rejected),
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

    fn rows(&mut self, batch: RowBatch) -> Result<()> {
        let dataset = batch.dataset.clone();
        let (state, lanes, provenance) = self.dataset(&dataset)?;
        state.apply(batch, provenance, lanes)
    }

    fn reject(&mut self, rejected: &Rejected) -> Result<()> {
        *self.quarantined.entry(rejected.dataset.to_string()).or_default() += 1;
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
        let mut counts: BTreeMap<String, DatasetCounts> = self
            .datasets
            .iter()
            .map(|(name, d)| (name.clone(), d.counts.clone()))
            .collect();
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
            ..
        } = self;
        finish(
            start,
            lanes,
            datasets.into_values().collect(),
            quarantine.file.map(|file| (quarantine.shape, file)),
            counts.into_values().collect(),
            notices,
        )
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
