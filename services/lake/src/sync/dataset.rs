//! One dataset during a sync: which rows are new, changed or as they were, and where each one lies.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use connector::RowBatch;
use domain::Dataset;
use domain::ports::DatasetCounts;

use super::lanes::Lanes;
use super::mentions::Mentions;
use crate::catalogue::{TableInfo, column_ids};
use crate::error::{LakeError, Result, arrow_doing};
use crate::hash::{column_seed, content_hashes, key_hashes};
use crate::index::{FILES_MAX, KeyIndex, Place};
use crate::parquet_file::{new_name, read_columns, read_deletes};
use crate::shape::{HASH, Shape};

/// Rows in a data file, about.
const FILE_ROWS: u32 = 1 << 20;
/// Rows of one dataset in one sync after which its batches are spread over all lanes.
const SPREAD_ROWS: u64 = 200_000;

/// What every row of a sync carries beside its own columns.
#[derive(Debug, Clone)]
pub struct Provenance {
    pub source: String,
    /// UTC microseconds.
    pub synced_at: i64,
}

/// A file that holds rows of the dataset.
#[derive(Debug, Clone, Copy)]
pub enum FileSlot {
    /// By its place in the table's files.
    Old(usize),
    /// By its number in the lanes.
    New(u32),
    /// Nothing was written to it.
    Unused,
}

struct OpenFile {
    slot: u32,
    /// Its number in the lanes, once its first rows came.
    number: Option<u32>,
    rows: u32,
}

/// The row of an earlier sync that this one replaced.
struct Original {
    place: Place,
    content: u64,
    /// How often this sync replaced the row.
    updates: u64,
}

/// A repeated text column that is cut to length instead of built anew for each batch.
#[derive(Default)]
struct Constant {
    text: String,
    array: Option<StringArray>,
}

impl Constant {
    fn column(&mut self, text: &str, rows: usize) -> ArrayRef {
        match &self.array {
            Some(array) if self.text == text && array.len() >= rows => Arc::new(array.slice(0, rows)),
            _ => {
                let array = StringArray::from_iter_values(std::iter::repeat_n(text, rows));
                self.text = text.to_owned();
                self.array = Some(array.clone());
                Arc::new(array)
            }
        }
    }
}

/// A dataset that a sync touches.
pub struct DatasetSync {
    pub dataset: Arc<Dataset>,
    pub shape: Arc<Shape>,
    pub table: Option<Arc<TableInfo>>,
    pub counts: DatasetCounts,
    /// Rows whose key came before in this sync with other content.
    pub duplicates: u64,
    /// Rows that a reconciliation took out.
    pub withdrawn: u64,
    /// Rows that are known stay as they are, whatever comes.
    insert_only: bool,
    pub files: Vec<FileSlot>,
    /// Rows that are no longer part of the table: of earlier syncs, and of this one.
    pub gone: HashSet<Place>,
    pub mentions: Mentions,
    column_ids: Arc<[i64]>,
    folder: PathBuf,
    seeds: Vec<u64>,
    key: Vec<usize>,
    index: KeyIndex,
    old_files: usize,
    originals: HashMap<u128, Original>,
    open: Vec<Option<OpenFile>>,
    lane_offset: usize,
    batches: usize,
    source: Constant,
    batch: Constant,
}

impl DatasetSync {
    /// Reads the keys and hashes of the rows that are there. `lane_offset` spreads small datasets over lanes.
    pub fn begin(
        dataset: Arc<Dataset>,
        table: Option<Arc<TableInfo>>,
        folder: PathBuf,
        lanes: usize,
        lane_offset: usize,
        insert_only: bool,
    ) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(crate::error::at("make the folder", &folder))?;
        let shape = Arc::new(Shape::of_dataset(&dataset));
        let key = dataset
            .key
            .iter()
            .filter_map(|k| dataset.column_index(k))
            .collect();
        let index = match &table {
            Some(table) => load_index(&dataset, table, lanes)?,
            None => KeyIndex::new(),
        };
        let old_files = table.as_ref().map_or(0, |t| t.files.len());
        Ok(Self {
            counts: DatasetCounts {
                dataset: dataset.name.clone(),
                ..Default::default()
            },
            duplicates: 0,
            withdrawn: 0,
            insert_only,
            files: (0..old_files).map(FileSlot::Old).collect(),
            gone: HashSet::new(),
            mentions: Mentions::of(&dataset),
            column_ids: column_ids(&shape, table.as_deref()).0.into(),
            folder,
            seeds: dataset.columns.iter().map(|c| column_seed(&c.name)).collect(),
            key,
            index,
            old_files,
            originals: HashMap::new(),
            open: (0..lanes).map(|_| None).collect(),
            lane_offset,
            batches: 0,
            source: Constant::default(),
            batch: Constant::default(),
            dataset,
            shape,
            table,
        })
    }

    /// Whether the dataset's rows are other than before.
    pub fn changed(&self) -> bool {
        self.counts.inserted + self.counts.updated + self.withdrawn > 0
    }

    fn check(&self, batch: &RowBatch) -> Result<()> {
        let refuse = |problem: String| {
            Err(LakeError::Batch {
                dataset: self.dataset.name.clone(),
                problem,
            })
        };
        if batch.columns.num_columns() != self.dataset.columns.len() {
            return refuse(format!(
                "{} columns came, it has {}",
                batch.columns.num_columns(),
                self.dataset.columns.len()
            ));
        }
        for (column, array) in self.dataset.columns.iter().zip(batch.columns.columns()) {
            if *array.data_type() != column.ty.arrow() {
                return refuse(format!("column {} came as {}", column.name, array.data_type()));
            }
        }
        if batch.positions.len() != batch.columns.num_rows() || batch.positions.null_count() > 0 {
            return refuse("not every row has a position".into());
        }
        Ok(())
    }

    /// Takes rows in: those that are new or changed go to a file.
    pub fn apply(&mut self, batch: RowBatch, provenance: &Provenance, lanes: &mut Lanes) -> Result<()> {
        self.check(&batch)?;
        let rows = batch.columns.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let name = &self.dataset.name;
        let content = content_hashes(name, batch.columns.columns(), &self.seeds, rows)?;
        let key_columns: Vec<&ArrayRef> = self.key.iter().map(|&k| batch.columns.column(k)).collect();
        let keys = key_hashes(name, &key_columns, rows)?;

        let lane = self.lane();
        let (slot, first) = self.reserve(lane)?;
        let mut kept: Vec<bool> = Vec::with_capacity(rows);
        let mut next = first;
        for (&key, &hash) in keys.iter().zip(&content) {
            let keep = self.judge(
                key,
                hash,
                Place {
                    file: slot,
                    pos: next,
                },
            );
            next += u32::from(keep);
            kept.push(keep);
        }
        self.counts.read += rows as u64;
        let written = (next - first) as usize;
        if written == 0 {
            return Ok(());
        }
        let hashes = content.iter().map(|&h| h as i64);
        let positions = batch.positions.values().iter().map(|&p| p as i64);
        let (own, hashes, positions) = if written == rows {
            (
                batch.columns,
                Int64Array::from_iter_values(hashes),
                Int64Array::from_iter_values(positions),
            )
        } else {
            let pick = |values: &mut dyn Iterator<Item = i64>| {
                Int64Array::from_iter_values(values.zip(&kept).filter(|(_, k)| **k).map(|(v, _)| v))
            };
            let (hashes, positions) = (pick(&mut hashes.into_iter()), pick(&mut positions.into_iter()));
            let mask = BooleanArray::from(kept);
            let own = filter_record_batch(&batch.columns, &mask).map_err(arrow_doing("select rows"))?;
            (own, hashes, positions)
        };
        let references = self.mentions.references(&own)?;
        let mut columns: Vec<ArrayRef> = own.columns().to_vec();
        columns.push(self.source.column(&provenance.source, written));
        columns.push(self.batch.column(&batch.batch, written));
        columns.push(Arc::new(positions));
        columns.push(Arc::new(TimestampMicrosecondArray::from_value(
            provenance.synced_at,
            written,
        )));
        columns.push(Arc::new(hashes));
        columns.extend(references);
        let stored = RecordBatch::try_new(self.shape.stored_schema(), columns)
            .map_err(arrow_doing("add provenance to rows"))?;
        self.batches += 1;
        self.write(lane, next, stored, lanes)
    }

    fn lane(&self) -> usize {
        if self.counts.inserted + self.counts.updated < SPREAD_ROWS {
            0
        } else {
            self.batches % self.open.len()
        }
    }

    /// Where the lane's next row goes, as (file, position).
    fn reserve(&mut self, lane: usize) -> Result<(u32, u32)> {
        if let Some(open) = &self.open[lane] {
            return Ok((open.slot, open.rows));
        }
        if self.files.len() >= FILES_MAX {
            return Err(LakeError::FileTooLong {
                dataset: self.dataset.name.clone(),
            });
        }
        let slot = self.files.len() as u32;
        self.files.push(FileSlot::Unused);
        self.open[lane] = Some(OpenFile {
            slot,
            number: None,
            rows: 0,
        });
        Ok((slot, 0))
    }

    fn write(&mut self, lane: usize, rows: u32, batch: RecordBatch, lanes: &mut Lanes) -> Result<()> {
        let Some(open) = &mut self.open[lane] else {
            return Ok(());
        };
        let number = match open.number {
            Some(number) => number,
            None => {
                let path = self.folder.join(new_name("data"));
                let number = lanes.open(self.lane_offset + lane, path, &self.shape, &self.column_ids)?;
                self.files[open.slot as usize] = FileSlot::New(number);
                open.number = Some(number);
                number
            }
        };
        open.rows = rows;
        lanes.write(number, batch)?;
        if open.rows >= FILE_ROWS {
            lanes.close(number)?;
            self.open[lane] = None;
        }
        Ok(())
    }

    /// Counts one row; says whether it must be written, at `place`.
    fn judge(&mut self, key: u128, content: u64, place: Place) -> bool {
        if self.insert_only && self.index.contains(key) {
            self.counts.unchanged += 1;
            return false;
        }
        let Some(known) = self.index.upsert(key, content, place) else {
            self.counts.inserted += 1;
            return true;
        };
        if known.content == content {
            self.counts.unchanged += 1;
            return false;
        }
        self.duplicates += u64::from(known.seen);
        self.gone.insert(known.place);
        if let Some(original) = self.originals.get_mut(&key) {
            if original.content == content {
                // A later row says what the lake said before the sync: nothing has changed after all.
                self.counts.updated -= original.updates;
                self.counts.unchanged += original.updates + 1;
                self.index.put_back(key, content, original.place);
                self.gone.remove(&original.place);
                self.originals.remove(&key);
                return false;
            }
            original.updates += 1;
        } else if (known.place.file as usize) < self.old_files {
            self.originals.insert(
                key,
                Original {
                    place: known.place,
                    content: known.content,
                    updates: 1,
                },
            );
        }
        self.counts.updated += 1;
        true
    }
}

/// Reads key and hash of every live row, several files at a time.
fn load_index(dataset: &Dataset, table: &TableInfo, threads: usize) -> Result<KeyIndex> {
    type Chunk = (u32, u64, Vec<u128>, Vec<u64>);
    let mut columns: Vec<&str> = dataset.key.iter().map(String::as_str).collect();
    columns.push(HASH);
    let mut index = KeyIndex::new();
    std::thread::scope(|scope| {
        let (sender, chunks) = std::sync::mpsc::sync_channel::<Result<Chunk>>(threads * 2);
        for thread in 0..threads {
            let (sender, columns) = (sender.clone(), &columns);
            scope.spawn(move || {
                for (file, info) in table.files.iter().enumerate().skip(thread).step_by(threads) {
                    let outcome = read_columns(&info.path, columns, |first, batch| {
                        let column = |name: &str| {
                            batch.column_by_name(name).ok_or_else(|| LakeError::Unreadable {
                                what: format!("{} lacks column {name}", info.path.display()),
                            })
                        };
                        let key = dataset
                            .key
                            .iter()
                            .map(|k| column(k))
                            .collect::<Result<Vec<_>>>()?;
                        let keys = key_hashes(&dataset.name, &key, batch.num_rows())?;
                        let hashes = column(HASH)?;
                        let hashes =
                            arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(hashes);
                        let hashes = hashes.values().iter().map(|&h| h as u64).collect();
                        // A receiver that is gone has met an error and wants no more.
                        let _ = sender.send(Ok((file as u32, first, keys, hashes)));
                        Ok(())
                    });
                    if let Err(error) = outcome {
                        let _ = sender.send(Err(error));
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut deleted: HashMap<u32, Vec<u32>> = HashMap::new();
        for (file, info) in table.files.iter().enumerate() {
            if let Some(delete) = &info.delete {
                deleted.insert(file as u32, read_deletes(&delete.path)?);
            }
        }
        for chunk in chunks {
            let (file, first, keys, hashes) = chunk?;
            let first = u32::try_from(first).map_err(|_| LakeError::FileTooLong {
                dataset: dataset.name.clone(),
            })?;
            let gone = deleted.get(&file).map_or(&[][..], Vec::as_slice);
            let mut gone = gone[gone.partition_point(|&p| p < first)..].iter().peekable();
            for (pos, (&key, &content)) in (first..).zip(keys.iter().zip(&hashes)) {
                if gone.next_if(|&&p| p == pos).is_some() {
                    continue;
                }
                index.insert(key, content, Place { file, pos });
            }
        }
        Ok(index)
    })
}
