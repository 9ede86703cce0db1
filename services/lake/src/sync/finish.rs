//! The end of a sync, before its commit: files are sealed, replaced rows listed, mentions brought up to date.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use domain::ports::{DatasetCounts, Notice};
use domain::sources::ReconciledDataset;
use tokio::sync::OwnedMutexGuard;

use super::dataset::{DatasetSync, FileSlot, Provenance};
use super::lanes::{Lanes, Unkept};
use super::mentions::Mention;
use super::worker::Start;
use crate::catalogue::{DeleteTarget, NewDelete, NewFile, TableChange, TableInfo};
use crate::error::{Result, at};
use crate::kept;
use crate::parquet_file::{new_name, read_columns, read_deletes, write_deletes};
use crate::shape::{MENTIONS, QUARANTINE, Shape};

/// A sync whose rows are written and that waits for its commit.
pub struct Finished {
    pub sync_id: String,
    pub provenance: Provenance,
    pub counts: Vec<DatasetCounts>,
    pub notices: Vec<Notice>,
    pub changes: Vec<TableChange>,
    /// All mentions as they are after the sync, sorted; `None` when they are as before.
    pub mentions: Option<Vec<Mention>>,
    pub tables: BTreeMap<String, Arc<TableInfo>>,
    pub unkept: Unkept,
    pub turn: OwnedMutexGuard<()>,
    pub reconciled: Vec<ReconciledDataset>,
    /// New rows of `_withdrawn`.
    pub withdrawn: Option<(Shape, RecordBatch)>,
}

/// What a sync does to the quarantine.
pub struct QuarantineChange {
    /// Its own rejected rows, by the number of their file.
    pub added: Option<(Arc<Shape>, u32)>,
    /// Rows of earlier syncs that it settles.
    pub settled: Vec<NewDelete>,
    /// The files of `settled`.
    pub files: Unkept,
}

pub fn finish(
    start: Start,
    lanes: Lanes,
    datasets: Vec<DatasetSync>,
    quarantine: QuarantineChange,
    counts: Vec<DatasetCounts>,
    notices: Vec<Notice>,
) -> Result<Finished> {
    let (mut files, mut unkept) = lanes.finish()?;
    let mut changes = Vec::new();
    let mut seen = Vec::new();
    for dataset in datasets {
        let folder = start.tables_folder.join(&dataset.dataset.name);
        if !dataset.changed() {
            // Rows that replaced each other until all was as before: their files are not needed.
            for slot in &dataset.files {
                if let FileSlot::New(number) = slot
                    && let Some(file) = files.remove(number)
                {
                    let path = folder.join(&file.name);
                    std::fs::remove_file(&path).map_err(at("remove the unneeded file", &path))?;
                }
            }
            changes.extend(made_table(&dataset));
            continue;
        }
        let (change, live) = seal(&dataset, &folder, &mut files, &mut unkept)?;
        changes.push(change);
        seen.push((dataset, live));
    }
    unkept.join(quarantine.files);
    let rejected = quarantine.added.and_then(|(_, file)| files.remove(&file));
    if (rejected.is_some() || !quarantine.settled.is_empty())
        && let Some(shape) = Shape::of(QUARANTINE)
    {
        let table = start.tables.get(QUARANTINE).cloned();
        changes.push(TableChange {
            shape,
            table,
            add: rejected.into_iter().collect(),
            delete: quarantine.settled,
            end: Vec::new(),
        });
    }
    let mentions = update_mentions(&start, seen)?;
    Ok(Finished {
        sync_id: start.sync_id,
        provenance: start.provenance,
        counts,
        notices,
        changes,
        mentions,
        tables: start.tables,
        unkept,
        turn: start.turn,
        reconciled: Vec::new(),
        withdrawn: None,
    })
}

/// The table of a dataset that was read for the first time but holds no row, or that lacks new columns.
fn made_table(dataset: &DatasetSync) -> Option<TableChange> {
    let (_, missing) = crate::catalogue::column_ids(&dataset.shape, dataset.table.as_deref());
    (!missing.is_empty()).then(|| TableChange {
        shape: (*dataset.shape).clone(),
        table: dataset.table.clone(),
        add: Vec::new(),
        delete: Vec::new(),
        end: Vec::new(),
    })
}

/// A slot's references that rows still hold, by the slot's number. `None`: no row was replaced.
type Live = Option<Vec<HashSet<i64>>>;

fn seal(
    dataset: &DatasetSync,
    folder: &Path,
    files: &mut HashMap<u32, NewFile>,
    unkept: &mut Unkept,
) -> Result<(TableChange, Live)> {
    let mut gone: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for place in &dataset.gone {
        gone.entry(place.file).or_default().insert(place.pos);
    }
    let mut live = (!gone.is_empty()).then(|| {
        dataset
            .dataset
            .mentions
            .iter()
            .map(|_| HashSet::new())
            .collect::<Vec<_>>()
    });
    let mut add = Vec::new();
    let mut delete = Vec::new();
    for (slot, file) in (0u32..).zip(&dataset.files) {
        let mut positions: Vec<u32> = gone
            .get(&slot)
            .map(|p| p.iter().copied().collect())
            .unwrap_or_default();
        let newly_gone = !positions.is_empty();
        let (path, target) = match (*file, &dataset.table) {
            (FileSlot::Old(place), Some(table)) => {
                let info = &table.files[place];
                if let Some(old) = &info.delete {
                    positions.extend(read_deletes(&old.path)?);
                    positions.sort_unstable();
                    positions.dedup();
                }
                (info.path.clone(), DeleteTarget::Existing(info.data_file_id))
            }
            (FileSlot::New(number), _) => {
                let Some(written) = files.remove(&number) else {
                    continue;
                };
                let path = folder.join(&written.name);
                add.push(written);
                (path, DeleteTarget::Added(add.len() - 1))
            }
            _ => continue,
        };
        if newly_gone {
            let name = new_name("delete");
            let delete_path = folder.join(&name);
            unkept.add(delete_path.clone());
            let data_name = path.file_name().unwrap_or_default().to_string_lossy();
            let (size_bytes, footer_size) = write_deletes(&delete_path, &data_name, &positions)?;
            let delete_count = positions.len() as u64;
            delete.push(NewDelete {
                target,
                name,
                delete_count,
                size_bytes,
                footer_size,
            });
        }
        if let Some(live) = &mut live {
            collect_references(dataset, &path, &positions, live)?;
        }
    }
    crate::directory::sync_folder(folder)?;
    let change = TableChange {
        shape: (*dataset.shape).clone(),
        table: dataset.table.clone(),
        add,
        delete,
        end: Vec::new(),
    };
    Ok((change, live))
}

/// Adds the references that the file's rows hold, those at `gone` left out.
fn collect_references(
    dataset: &DatasetSync,
    path: &Path,
    gone: &[u32],
    live: &mut [HashSet<i64>],
) -> Result<()> {
    let names: Vec<String> = dataset.dataset.mentions.iter().map(|s| s.ref_column()).collect();
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    read_columns(path, &wanted, |first, batch| {
        for (name, live) in names.iter().zip(live.iter_mut()) {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            let column = column.as_primitive::<Int64Type>();
            let start = gone.partition_point(|&p| u64::from(p) < first);
            let mut gone = gone[start..].iter().map(|&p| u64::from(p)).peekable();
            let mut last = None;
            for (row, position) in (first..).take(column.len()).enumerate() {
                if gone.next_if_eq(&position).is_some() || !column.is_valid(row) {
                    continue;
                }
                let value = column.value(row);
                if last != Some(value) {
                    live.insert(value);
                    last = Some(value);
                }
            }
        }
        Ok(())
    })
}

fn update_mentions(start: &Start, changed: Vec<(DatasetSync, Live)>) -> Result<Option<Vec<Mention>>> {
    if changed.iter().all(|(d, _)| d.dataset.mentions.is_empty()) {
        return Ok(None);
    }
    let mut all: BTreeSet<Mention> = match start.tables.get(MENTIONS) {
        Some(table) => kept::read_mentions(table)?.into_iter().collect(),
        None => BTreeSet::new(),
    };
    let before = all.clone();
    for (dataset, live) in changed {
        let name = dataset.dataset.name.clone();
        let slots: HashMap<String, usize> = dataset
            .dataset
            .mentions
            .iter()
            .enumerate()
            .map(|(n, s)| (s.slot.clone(), n))
            .collect();
        all.extend(dataset.mentions.into_found());
        if let Some(live) = live {
            all.retain(|m| {
                m.dataset != name
                    || slots
                        .get(&m.slot)
                        .is_some_and(|&n| live[n].contains(&m.reference))
            });
        }
    }
    Ok((all != before).then(|| all.into_iter().collect()))
}

/// Makes the folder of a table and returns it.
pub fn table_folder(tables_folder: &Path, table: &str) -> Result<std::path::PathBuf> {
    let folder = tables_folder.join(table);
    std::fs::create_dir_all(&folder).map_err(at("make the folder", &folder))?;
    Ok(folder)
}
