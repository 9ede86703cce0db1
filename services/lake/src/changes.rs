//! What of a table differs between two snapshots, told by the catalogue: files that came or went, and rows of files
//! that were deleted. Rows that stayed are never read.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use parquet::arrow::arrow_reader::RowSelection;

use crate::Lake;
use crate::catalogue::{DataFile, TableInfo};
use crate::error::{LakeError, Result};
use crate::parquet_file::read_deletes;
use crate::scan::{DeleteCache, FileStats, LakeTable};
use crate::shape::Shape;
use crate::sync::blocking;

/// The rows of a table that one of two snapshots has and the other has not. A row that was written anew is in both
/// tables: as it was and as it is.
#[derive(Debug, Clone)]
pub struct RowChanges {
    pub gone: Arc<dyn TableProvider>,
    pub gone_rows: u64,
    pub new: Arc<dyn TableProvider>,
    pub new_rows: u64,
}

/// A table at one of the two snapshots.
struct Side {
    table: TableInfo,
    stats: FileStats,
}

/// Rows of some files; of a file those that are selected, or all.
type Rows<'t> = Vec<(&'t DataFile, Option<RowSelection>)>;

impl Lake {
    /// What of a table differs at `snapshot` from `since`. The tables have the columns of [`Self::table`] at `since`
    /// and at `snapshot`. One that was never written is without rows. Fails when there is no such snapshot, or the
    /// name is of no table.
    pub async fn changes(&self, name: &str, since: i64, snapshot: i64) -> Result<RowChanges> {
        let (before, after) = (self.side(name, since).await?, self.side(name, snapshot).await?);
        let name = name.to_owned();
        let deletes = self.deletes.clone();
        blocking("compares two snapshots", move || {
            let (before, after) = (before.as_ref(), after.as_ref());
            let (old, new) = (files(before), files(after));
            let (gone, gone_rows) = shown(&name, before, only_in(old, new, &deletes)?)?;
            let (new, new_rows) = shown(&name, after, only_in(new, old, &deletes)?)?;
            Ok(RowChanges {
                gone,
                gone_rows,
                new,
                new_rows,
            })
        })
        .await
    }

    async fn side(&self, name: &str, snapshot: i64) -> Result<Option<Side>> {
        self.catalogue.expect_snapshot(snapshot).await?;
        let Some(table) = self.with_new_columns(name, snapshot).await? else {
            return Ok(None);
        };
        let stats = self.catalogue.file_stats(&table, snapshot).await?;
        Ok(Some(Side { table, stats }))
    }
}

fn files(side: Option<&Side>) -> &[DataFile] {
    side.map_or(&[], |side| &side.table.files)
}

/// The rows that these files have and those have not.
fn only_in<'f>(these: &'f [DataFile], those: &[DataFile], deletes: &DeleteCache) -> Result<Rows<'f>> {
    let those: HashMap<i64, &DataFile> = those.iter().map(|f| (f.data_file_id, f)).collect();
    let mut rows = Vec::new();
    for file in these {
        let Some(other) = those.get(&file.data_file_id) else {
            rows.push((file, deletes.selection(file)?));
            continue;
        };
        let delete_of = |f: &DataFile| f.delete.as_ref().map(|d| d.delete_file_id);
        if delete_of(file) == delete_of(other) {
            continue;
        }
        let (here, there) = (deleted(file)?, deleted(other)?);
        let only = there
            .iter()
            .filter(|position| here.binary_search(position).is_err());
        let ranges = only.map(|&position| position as usize..position as usize + 1);
        let all = usize::try_from(file.record_count).map_err(|_| LakeError::Unreadable {
            what: format!("{} has {} rows", file.path.display(), file.record_count),
        })?;
        rows.push((file, Some(RowSelection::from_consecutive_ranges(ranges, all))));
    }
    Ok(rows)
}

/// Positions that are gone, sorted.
fn deleted(file: &DataFile) -> Result<Vec<u32>> {
    match &file.delete {
        Some(delete) => read_deletes(&delete.path),
        None => Ok(Vec::new()),
    }
}

/// The rows as a table, and how many they are.
fn shown(name: &str, side: Option<&Side>, rows: Rows<'_>) -> Result<(Arc<dyn TableProvider>, u64)> {
    let Some(side) = side else {
        let shape = Shape::of(name).ok_or_else(|| LakeError::NoTable {
            table: name.to_owned(),
        })?;
        return Ok((Arc::new(LakeTable::empty(&shape)), 0));
    };
    let count = |(file, rows): &(&DataFile, Option<RowSelection>)| {
        rows.as_ref()
            .map_or(file.record_count, |rows| rows.row_count() as u64)
    };
    let sum = rows.iter().map(count).sum();
    Ok((Arc::new(LakeTable::of_rows(&side.table, &side.stats, rows)?), sum))
}
