//! Writing the catalogue: everything a sync did becomes one snapshot in one SQLite transaction.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::judgements::PartyEvent;
use sqlx::{Row, Sqlite, Transaction};
use uuid::Uuid;

use super::ledger::LedgerUpdate;
use super::read::TableInfo;
use super::{Catalogue, JudgementChange, judgements, ledger, snapshot_time};
use crate::error::{LakeError, Result, doing};
use crate::shape::{LakeType, Shape, ShapeColumn};
use crate::stats::{Bound, ColumnStats};

/// What becomes visible together.
#[derive(Debug)]
pub struct CommitPlan {
    /// The snapshot that the plan was made on.
    pub parent: i64,
    pub time: DateTime<Utc>,
    pub author: String,
    pub message: String,
    pub tables: Vec<TableChange>,
    /// Cursors and the record of the sync.
    pub ledger: Option<LedgerUpdate>,
    /// A verdict on parties that is obeyed from here on, or no longer.
    pub judgement: Option<JudgementChange>,
    /// What became of party ids.
    pub party_events: Vec<PartyEvent>,
}

/// What changes in one table.
#[derive(Debug)]
pub struct TableChange {
    pub shape: Shape,
    /// `None`: the table is made by this commit.
    pub table: Option<Arc<TableInfo>>,
    pub add: Vec<NewFile>,
    pub delete: Vec<NewDelete>,
    /// Data files that are no longer part of the table.
    pub end: Vec<i64>,
}

/// A data file, written and synced to disk.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// File name in the table's folder.
    pub name: String,
    pub record_count: u64,
    pub size_bytes: u64,
    pub footer_size: u64,
    /// In the order of the shape's columns.
    pub stats: Vec<ColumnStats>,
}

/// A delete file, written and synced to disk. It replaces the one the data file had.
#[derive(Debug, Clone)]
pub struct NewDelete {
    pub target: DeleteTarget,
    pub name: String,
    pub delete_count: u64,
    pub size_bytes: u64,
    pub footer_size: u64,
}

/// The data file that a delete file speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteTarget {
    /// By its id.
    Existing(i64),
    /// By its place in `TableChange::add`.
    Added(usize),
}

/// Ids that the next object and the next file get.
struct Next {
    catalog_id: i64,
    file_id: i64,
    schema_version: i64,
}

impl Next {
    fn file(&mut self) -> i64 {
        self.file_id += 1;
        self.file_id - 1
    }
}

/// The column ids a table gets when it is made: 1, 2, ... in order.
pub fn first_column_ids(columns: usize) -> impl Iterator<Item = i64> {
    (1..).take(columns)
}

/// The column id of each of the shape's columns, and which of them the table does not have yet. New columns
/// get the ids after the largest that the table has.
pub fn column_ids(shape: &Shape, table: Option<&TableInfo>) -> (Vec<i64>, Vec<usize>) {
    let Some(table) = table else {
        return (
            first_column_ids(shape.columns.len()).collect(),
            (0..shape.columns.len()).collect(),
        );
    };
    let known: HashMap<&str, i64> = table
        .columns
        .iter()
        .map(|(id, c)| (c.name.as_str(), *id))
        .collect();
    let mut next = table.columns.iter().map(|(id, _)| *id).max().unwrap_or(0);
    let mut added = Vec::new();
    let ids = shape
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            known.get(column.name.as_str()).copied().unwrap_or_else(|| {
                next += 1;
                added.push(place);
                next
            })
        })
        .collect();
    (ids, added)
}

impl Catalogue {
    /// Commits the plan; returns the new snapshot. Fails with [`LakeError::Overtaken`] when the newest
    /// snapshot is not the plan's parent.
    pub async fn commit(&self, plan: &CommitPlan) -> Result<i64> {
        let mut tx = self
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(doing("begin a commit"))?;
        let row = sqlx::query("select * from ducklake_snapshot order by snapshot_id desc limit 1")
            .fetch_one(&mut *tx)
            .await
            .map_err(doing("find the newest snapshot"))?;
        let read = |name: &str| {
            row.try_get::<i64, _>(name)
                .map_err(doing("find the newest snapshot"))
        };
        let found = read("snapshot_id")?;
        if found != plan.parent {
            return Err(LakeError::Overtaken {
                expected: plan.parent,
                found,
            });
        }
        let snapshot = found + 1;
        let mut next = Next {
            catalog_id: read("next_catalog_id")?,
            file_id: read("next_file_id")?,
            schema_version: read("schema_version")?,
        };
        let mut changes = Vec::new();
        let reshaped = plan
            .tables
            .iter()
            .any(|t| !column_ids(&t.shape, t.table.as_deref()).1.is_empty());
        if reshaped {
            next.schema_version += 1;
        }
        for change in &plan.tables {
            write_table(&mut tx, change, snapshot, &mut next, &mut changes).await?;
        }
        sqlx::query("insert into ducklake_snapshot values (?, ?, ?, ?, ?)")
            .bind(snapshot)
            .bind(snapshot_time(plan.time))
            .bind(next.schema_version)
            .bind(next.catalog_id)
            .bind(next.file_id)
            .execute(&mut *tx)
            .await
            .map_err(doing("write the snapshot"))?;
        sqlx::query("insert into ducklake_snapshot_changes values (?, ?, ?, ?, null)")
            .bind(snapshot)
            .bind(changes.join(","))
            .bind(&plan.author)
            .bind(&plan.message)
            .execute(&mut *tx)
            .await
            .map_err(doing("write the snapshot"))?;
        if let Some(update) = &plan.ledger {
            ledger::write(&mut tx, update, snapshot).await?;
        }
        if let Some(change) = &plan.judgement {
            judgements::write_change(&mut tx, change, snapshot).await?;
        }
        judgements::write_events(&mut tx, &plan.party_events, snapshot).await?;
        tx.commit().await.map_err(doing("commit"))?;
        Ok(snapshot)
    }
}

type Tx = Transaction<'static, Sqlite>;

async fn write_table(
    tx: &mut Tx,
    change: &TableChange,
    snapshot: i64,
    next: &mut Next,
    changes: &mut Vec<String>,
) -> Result<()> {
    let (ids, added_columns) = column_ids(&change.shape, change.table.as_deref());
    let table_id = match &change.table {
        Some(table) => table.table_id,
        None => {
            let table_id = next.catalog_id;
            next.catalog_id += 1;
            make_table(tx, &change.shape.table, table_id, snapshot).await?;
            changes.push(format!("created_table:\"main\".\"{}\"", change.shape.table));
            table_id
        }
    };
    if !added_columns.is_empty() {
        if change.table.is_some() {
            changes.push(format!("altered_table:{table_id}"));
        }
        sqlx::query("insert into ducklake_schema_versions values (?, ?, ?)")
            .bind(snapshot)
            .bind(next.schema_version)
            .bind(table_id)
            .execute(&mut **tx)
            .await
            .map_err(doing("write a table's columns"))?;
        for &place in &added_columns {
            // Ids are given in order, so they also serve as the order of the columns.
            add_column(
                tx,
                table_id,
                ids[place],
                ids[place],
                &change.shape.columns[place],
                snapshot,
            )
            .await?;
        }
    }
    for &data_file_id in &change.end {
        for sql in [
            "update ducklake_data_file set end_snapshot = ? where data_file_id = ? and end_snapshot is null",
            "update ducklake_delete_file set end_snapshot = ? where data_file_id = ? and end_snapshot is null",
        ] {
            sqlx::query(sql)
                .bind(snapshot)
                .bind(data_file_id)
                .execute(&mut **tx)
                .await
                .map_err(doing("end a file"))?;
        }
    }
    let file_ids = add_files(tx, change, table_id, &ids, snapshot, next).await?;
    for delete in &change.delete {
        let data_file_id = match delete.target {
            DeleteTarget::Existing(id) => id,
            DeleteTarget::Added(place) => file_ids[place],
        };
        add_delete(tx, delete, table_id, data_file_id, snapshot, next).await?;
    }
    if !change.add.is_empty() {
        changes.push(format!("inserted_into_table:{table_id}"));
    }
    if !change.delete.is_empty() || !change.end.is_empty() {
        changes.push(format!("deleted_from_table:{table_id}"));
    }
    Ok(())
}

async fn make_table(tx: &mut Tx, name: &str, table_id: i64, snapshot: i64) -> Result<()> {
    sqlx::query("insert into ducklake_table values (?, ?, ?, null, 0, ?, ?, 1)")
        .bind(table_id)
        .bind(Uuid::new_v4().to_string())
        .bind(snapshot)
        .bind(name)
        .bind(format!("{name}/"))
        .execute(&mut **tx)
        .await
        .map_err(doing("make a table"))?;
    sqlx::query("insert into ducklake_table_stats values (?, 0, 0, 0)")
        .bind(table_id)
        .execute(&mut **tx)
        .await
        .map_err(doing("make a table"))?;
    Ok(())
}

async fn add_column(
    tx: &mut Tx,
    table_id: i64,
    column_id: i64,
    order: i64,
    column: &ShapeColumn,
    snapshot: i64,
) -> Result<()> {
    sqlx::query(
        "insert into ducklake_column values (?, ?, null, ?, ?, ?, ?, null, 'NULL', ?, null, 'literal', 'duckdb')",
    )
    .bind(column_id)
    .bind(snapshot)
    .bind(table_id)
    .bind(order)
    .bind(&column.name)
    .bind(column.ty.duck())
    .bind(i64::from(column.nullable))
    .execute(&mut **tx)
    .await
    .map_err(doing("write a table's columns"))?;
    Ok(())
}

fn whole(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| LakeError::Unreadable {
        what: format!("a count of {number}"),
    })
}

/// Writes the added files with their statistics; returns their ids, in order.
async fn add_files(
    tx: &mut Tx,
    change: &TableChange,
    table_id: i64,
    column_ids: &[i64],
    snapshot: i64,
    next: &mut Next,
) -> Result<Vec<i64>> {
    let row = sqlx::query("select * from ducklake_table_stats where table_id = ?")
        .bind(table_id)
        .fetch_one(&mut **tx)
        .await
        .map_err(doing("read a table's totals"))?;
    let total = |name: &str| {
        row.try_get::<i64, _>(name)
            .map_err(doing("read a table's totals"))
    };
    let (mut records, mut row_id, mut bytes) = (
        total("record_count")?,
        total("next_row_id")?,
        total("file_size_bytes")?,
    );
    let mut file_ids = Vec::new();
    for file in &change.add {
        let file_id = next.file();
        sqlx::query(
            "insert into ducklake_data_file values (?, ?, ?, null, null, ?, 1, 'parquet', ?, ?, ?, ?, null, null, null, null)",
        )
        .bind(file_id)
        .bind(table_id)
        .bind(snapshot)
        .bind(&file.name)
        .bind(whole(file.record_count)?)
        .bind(whole(file.size_bytes)?)
        .bind(whole(file.footer_size)?)
        .bind(row_id)
        .execute(&mut **tx)
        .await
        .map_err(doing("write a file"))?;
        records += whole(file.record_count)?;
        row_id += whole(file.record_count)?;
        bytes += whole(file.size_bytes)?;
        for ((&column_id, column), stats) in column_ids.iter().zip(&change.shape.columns).zip(&file.stats) {
            let (min, max) = bounds_text(stats, column.ty);
            sqlx::query("insert into ducklake_file_column_stats values (?, ?, ?, ?, ?, ?, ?, ?, null, null)")
                .bind(file_id)
                .bind(table_id)
                .bind(column_id)
                .bind(stats.size_bytes)
                .bind(stats.value_count)
                .bind(stats.null_count)
                .bind(min)
                .bind(max)
                .execute(&mut **tx)
                .await
                .map_err(doing("write a file's statistics"))?;
        }
        file_ids.push(file_id);
    }
    let gone: u64 = change.table.as_ref().map_or(0, |table| {
        table
            .files
            .iter()
            .filter(|f| change.end.contains(&f.data_file_id))
            .map(|f| f.live_count())
            .sum()
    });
    sqlx::query("update ducklake_table_stats set record_count = ?, next_row_id = ?, file_size_bytes = ? where table_id = ?")
        .bind(records - whole(gone)?)
        .bind(row_id)
        .bind(bytes)
        .bind(table_id)
        .execute(&mut **tx)
        .await
        .map_err(doing("write a table's totals"))?;
    widen_table_stats(tx, change, table_id, column_ids).await?;
    Ok(file_ids)
}

fn bounds_text(stats: &ColumnStats, ty: LakeType) -> (Option<String>, Option<String>) {
    stats
        .bounds
        .as_ref()
        .map_or((None, None), |(min, max)| (min.to_text(ty), max.to_text(ty)))
}

/// Keeps the table-wide statistics true for every snapshot: they only ever widen.
async fn widen_table_stats(
    tx: &mut Tx,
    change: &TableChange,
    table_id: i64,
    column_ids: &[i64],
) -> Result<()> {
    for (place, (&column_id, column)) in column_ids.iter().zip(&change.shape.columns).enumerate() {
        let files = change.add.iter().filter_map(|f| f.stats.get(place));
        let Some(mut added) = files.cloned().reduce(|mut a, b| {
            a.widen(&b);
            a
        }) else {
            continue;
        };
        let old =
            sqlx::query("select * from ducklake_table_column_stats where table_id = ? and column_id = ?")
                .bind(table_id)
                .bind(column_id)
                .fetch_optional(&mut **tx)
                .await
                .map_err(doing("read a table's statistics"))?;
        if let Some(row) = &old {
            let bound = |name: &str| -> Result<Option<Bound>> {
                let text: Option<String> = row.try_get(name).map_err(doing("read a table's statistics"))?;
                Ok(text.and_then(|t| Bound::parse(column.ty, &t)))
            };
            let nulls: Option<i64> = row
                .try_get("contains_null")
                .map_err(doing("read a table's statistics"))?;
            let bounds = bound("min_value")?.zip(bound("max_value")?);
            // One value that stands for all so far: null when only nulls were seen.
            let value_count = if nulls == Some(1) { 1 } else { 2 };
            added.widen(&ColumnStats {
                null_count: nulls,
                value_count,
                size_bytes: 0,
                bounds,
            });
        }
        let (min, max) = bounds_text(&added, column.ty);
        let sql = match old {
            Some(_) => {
                "update ducklake_table_column_stats set contains_null = ?3, min_value = ?4, max_value = ?5
                 where table_id = ?1 and column_id = ?2"
            }
            None => "insert into ducklake_table_column_stats values (?1, ?2, ?3, null, ?4, ?5, null)",
        };
        sqlx::query(sql)
            .bind(table_id)
            .bind(column_id)
            .bind(added.null_count.map(|n| i64::from(n > 0)))
            .bind(min)
            .bind(max)
            .execute(&mut **tx)
            .await
            .map_err(doing("write a table's statistics"))?;
    }
    Ok(())
}

async fn add_delete(
    tx: &mut Tx,
    delete: &NewDelete,
    table_id: i64,
    data_file_id: i64,
    snapshot: i64,
    next: &mut Next,
) -> Result<()> {
    sqlx::query(
        "update ducklake_delete_file set end_snapshot = ? where data_file_id = ? and end_snapshot is null",
    )
    .bind(snapshot)
    .bind(data_file_id)
    .execute(&mut **tx)
    .await
    .map_err(doing("end a delete file"))?;
    sqlx::query(
        "insert into ducklake_delete_file values (?, ?, ?, null, ?, ?, 1, 'parquet', ?, ?, ?, null, null)",
    )
    .bind(next.file())
    .bind(table_id)
    .bind(snapshot)
    .bind(data_file_id)
    .bind(&delete.name)
    .bind(whole(delete.delete_count)?)
    .bind(whole(delete.size_bytes)?)
    .bind(whole(delete.footer_size)?)
    .execute(&mut **tx)
    .await
    .map_err(doing("write a delete file"))?;
    Ok(())
}
