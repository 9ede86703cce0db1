//! What a commit writes: the sync's changes, and the tables kept beside the datasets.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};

use super::finish::{Finished, table_folder};
use super::{events, lanes};
use crate::catalogue::{CommitPlan, NewFile, TableChange, TableInfo, column_ids};
use crate::directory::sync_folder;
use crate::error::{Result, arrow_doing};
use crate::kept::{self, PartyTables};
use crate::parquet_file::{FileWriter, new_name};
use crate::raw::{KeptBatch, SyncRawStore};
use crate::shape::{PARTIES, PARTY_BRANCHES, PARTY_REFS, Shape};

/// Live files of a bookkeeping table beyond which they are merged into one.
const FILES_MERGED_AT: usize = 16;

type Planned = (
    CommitPlan,
    Vec<KeptBatch>,
    lanes::Unkept,
    tokio::sync::OwnedMutexGuard<()>,
);

pub fn plan(
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
    let mut party_events = Vec::new();
    if let Some(mut new) = parties {
        new.parties.sort_unstable();
        new.refs.sort_unstable();
        new.branches.sort_unstable();
        let old = read_party_tables(|name| tables.get(name).cloned())?;
        party_events = events::events(&old, &new, provenance.synced_at);
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
        judgement: None,
        party_events,
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
