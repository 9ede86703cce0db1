//! Reading the catalogue: snapshots, tables, and the files that make up a table at a snapshot.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Catalogue;
use crate::error::{LakeError, Result, doing};
use crate::shape::{LakeType, ShapeColumn};
use crate::stats::{Bound, ColumnStats};

/// A table at a snapshot.
#[derive(Debug, Clone)]
pub struct TableInfo {
    pub table_id: i64,
    pub name: String,
    /// With their DuckLake column ids, which are the Parquet field ids.
    pub columns: Vec<(i64, ShapeColumn)>,
    /// In the order they were written.
    pub files: Vec<DataFile>,
}

/// One live data file.
#[derive(Debug, Clone)]
pub struct DataFile {
    pub data_file_id: i64,
    pub path: PathBuf,
    /// Rows in the file, deleted ones included.
    pub record_count: u64,
    pub size_bytes: u64,
    /// Positions that are gone at this snapshot.
    pub delete: Option<DeleteFile>,
}

/// Which rows of a data file are gone.
#[derive(Debug, Clone)]
pub struct DeleteFile {
    pub delete_file_id: i64,
    pub path: PathBuf,
    pub delete_count: u64,
}

impl DataFile {
    /// Rows that are there at the snapshot.
    pub fn live_count(&self) -> u64 {
        self.record_count
            - self
                .delete
                .as_ref()
                .map_or(0, |d| d.delete_count.min(self.record_count))
    }
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    pub snapshot: i64,
    /// As the catalogue writes it: `2024-03-05 01:02:03.000000+00`.
    pub time: String,
    pub message: String,
}

fn unsigned(row: &SqliteRow, column: &str) -> std::result::Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|e| sqlx::Error::Decode(Box::new(e)))
}

impl Catalogue {
    /// The newest snapshot.
    pub async fn head(&self) -> Result<i64> {
        sqlx::query_scalar("select max(snapshot_id) from ducklake_snapshot")
            .fetch_one(&self.pool)
            .await
            .map_err(doing("find the newest snapshot"))
    }

    /// Fails when there is no such snapshot.
    pub async fn expect_snapshot(&self, snapshot: i64) -> Result<()> {
        let found: Option<i64> =
            sqlx::query_scalar("select snapshot_id from ducklake_snapshot where snapshot_id = ?")
                .bind(snapshot)
                .fetch_optional(&self.pool)
                .await
                .map_err(doing("look for a snapshot"))?;
        match found {
            Some(_) => Ok(()),
            None => Err(LakeError::NoSnapshot {
                snapshot,
                newest: self.head().await?,
            }),
        }
    }

    /// Newest first.
    pub async fn snapshots(&self, limit: usize) -> Result<Vec<SnapshotRow>> {
        let rows = sqlx::query(
            "select s.snapshot_id, s.snapshot_time, coalesce(c.commit_message, c.changes_made, '') as message
             from ducklake_snapshot s left join ducklake_snapshot_changes c using (snapshot_id)
             order by s.snapshot_id desc limit ?",
        )
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list the snapshots"))?;
        rows.iter()
            .map(|row| {
                Ok(SnapshotRow {
                    snapshot: row.try_get("snapshot_id")?,
                    time: row.try_get("snapshot_time")?,
                    message: row.try_get("message")?,
                })
            })
            .collect::<std::result::Result<_, _>>()
            .map_err(doing("list the snapshots"))
    }

    /// Names of the tables at a snapshot, in order.
    pub async fn table_names(&self, snapshot: i64) -> Result<Vec<String>> {
        sqlx::query_scalar(
            "select table_name from ducklake_table
             where begin_snapshot <= ?1 and (end_snapshot is null or end_snapshot > ?1) order by table_name",
        )
        .bind(snapshot)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list the tables"))
    }

    /// The table at a snapshot; `None` when there was none of that name.
    pub async fn table(&self, name: &str, snapshot: i64) -> Result<Option<TableInfo>> {
        let Some(row) = sqlx::query(
            "select t.table_id, s.path || t.path as folder from ducklake_table t join ducklake_schema s using (schema_id)
             where t.table_name = ?1 and t.begin_snapshot <= ?2 and (t.end_snapshot is null or t.end_snapshot > ?2)",
        )
        .bind(name)
        .bind(snapshot)
        .fetch_optional(&self.pool)
        .await
        .map_err(doing("look for a table"))?
        else {
            return Ok(None);
        };
        let table_id: i64 = row.try_get("table_id").map_err(doing("look for a table"))?;
        let folder: String = row.try_get("folder").map_err(doing("look for a table"))?;
        Ok(Some(TableInfo {
            table_id,
            name: name.to_owned(),
            columns: self.columns(table_id, snapshot).await?,
            files: self
                .files(table_id, snapshot, &self.data_path.join(folder))
                .await?,
        }))
    }

    async fn columns(&self, table_id: i64, snapshot: i64) -> Result<Vec<(i64, ShapeColumn)>> {
        let rows = sqlx::query(
            "select column_id, column_name, column_type, nulls_allowed from ducklake_column
             where table_id = ?1 and begin_snapshot <= ?2 and (end_snapshot is null or end_snapshot > ?2)
             and parent_column is null order by column_order",
        )
        .bind(table_id)
        .bind(snapshot)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list a table's columns"))?;
        rows.iter()
            .map(|row| {
                let read = |e| doing("list a table's columns")(e);
                let name: String = row.try_get("column_name").map_err(read)?;
                let word: String = row.try_get("column_type").map_err(read)?;
                let ty = LakeType::parse_duck(&word).ok_or_else(|| LakeError::Unreadable {
                    what: format!("column {name} has type {word}"),
                })?;
                let nullable = row.try_get::<i64, _>("nulls_allowed").map_err(read)? != 0;
                Ok((
                    row.try_get("column_id").map_err(read)?,
                    ShapeColumn { name, ty, nullable },
                ))
            })
            .collect()
    }

    async fn files(&self, table_id: i64, snapshot: i64, folder: &std::path::Path) -> Result<Vec<DataFile>> {
        let rows = sqlx::query(
            "select f.data_file_id, f.path, f.record_count, f.file_size_bytes,
                    d.delete_file_id, d.path as delete_path, coalesce(d.delete_count, 0) as delete_count
             from ducklake_data_file f
             left join ducklake_delete_file d
               on d.data_file_id = f.data_file_id and d.table_id = f.table_id
               and d.begin_snapshot <= ?2 and (d.end_snapshot is null or d.end_snapshot > ?2)
             where f.table_id = ?1 and f.begin_snapshot <= ?2 and (f.end_snapshot is null or f.end_snapshot > ?2)
             order by f.data_file_id",
        )
        .bind(table_id)
        .bind(snapshot)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list a table's files"))?;
        rows.iter()
            .map(|row| {
                let delete_id: Option<i64> = row.try_get("delete_file_id")?;
                let delete = match delete_id {
                    None => None,
                    Some(delete_file_id) => Some(DeleteFile {
                        delete_file_id,
                        path: folder.join(row.try_get::<String, _>("delete_path")?),
                        delete_count: unsigned(row, "delete_count")?,
                    }),
                };
                Ok(DataFile {
                    data_file_id: row.try_get("data_file_id")?,
                    path: folder.join(row.try_get::<String, _>("path")?),
                    record_count: unsigned(row, "record_count")?,
                    size_bytes: unsigned(row, "file_size_bytes")?,
                    delete,
                })
            })
            .collect::<std::result::Result<_, _>>()
            .map_err(doing("list a table's files"))
    }

    /// Data file id -> column id -> statistics, for the live files of a table.
    pub async fn file_stats(
        &self,
        table: &TableInfo,
        snapshot: i64,
    ) -> Result<HashMap<i64, HashMap<i64, ColumnStats>>> {
        let types: HashMap<i64, LakeType> = table.columns.iter().map(|(id, c)| (*id, c.ty)).collect();
        let rows = sqlx::query(
            "select s.data_file_id, s.column_id, s.column_size_bytes, s.value_count, s.null_count, s.min_value, s.max_value
             from ducklake_data_file f join ducklake_file_column_stats s on s.data_file_id = f.data_file_id
             where f.table_id = ?1 and f.begin_snapshot <= ?2 and (f.end_snapshot is null or f.end_snapshot > ?2)",
        )
        .bind(table.table_id)
        .bind(snapshot)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read a table's statistics"))?;
        let mut stats: HashMap<i64, HashMap<i64, ColumnStats>> = HashMap::new();
        for row in &rows {
            let mut read = || -> std::result::Result<(), sqlx::Error> {
                let column_id: i64 = row.try_get("column_id")?;
                let Some(&ty) = types.get(&column_id) else {
                    return Ok(());
                };
                let bound = |name: &str| -> std::result::Result<Option<Bound>, sqlx::Error> {
                    Ok(row
                        .try_get::<Option<String>, _>(name)?
                        .and_then(|text| Bound::parse(ty, &text)))
                };
                stats.entry(row.try_get("data_file_id")?).or_default().insert(
                    column_id,
                    ColumnStats {
                        size_bytes: row.try_get("column_size_bytes")?,
                        value_count: row.try_get("value_count")?,
                        null_count: row.try_get("null_count")?,
                        bounds: bound("min_value")?.zip(bound("max_value")?),
                    },
                );
                Ok(())
            };
            read().map_err(doing("read a table's statistics"))?;
        }
        Ok(stats)
    }

    /// The newest snapshot, up to `snapshot`, in which a table's rows changed; `None` when there is no such
    /// table.
    pub async fn table_version(&self, name: &str, snapshot: i64) -> Result<Option<i64>> {
        sqlx::query_scalar(
            "with t as (
               select table_id, begin_snapshot from ducklake_table
               where table_name = ?1 and begin_snapshot <= ?2 and (end_snapshot is null or end_snapshot > ?2)),
             changes (snapshot) as (
               select begin_snapshot from t
               union all select f.begin_snapshot from ducklake_data_file f join t using (table_id)
               union all select f.end_snapshot from ducklake_data_file f join t using (table_id)
               union all select d.begin_snapshot from ducklake_delete_file d join t using (table_id))
             select max(snapshot) from changes where snapshot <= ?2",
        )
        .bind(name)
        .bind(snapshot)
        .fetch_one(&self.pool)
        .await
        .map_err(doing("find a table's version"))
    }

    /// Every file that some snapshot knows.
    pub async fn all_paths(&self) -> Result<BTreeSet<PathBuf>> {
        let rows: Vec<String> = sqlx::query_scalar(
            "select s.path || t.path || f.path from ducklake_data_file f
               join ducklake_table t using (table_id) join ducklake_schema s using (schema_id)
             union all
             select s.path || t.path || d.path from ducklake_delete_file d
               join ducklake_table t using (table_id) join ducklake_schema s using (schema_id)",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list all files"))?;
        Ok(rows.into_iter().map(|path| self.data_path.join(path)).collect())
    }

    /// All tables at a snapshot, by name.
    pub async fn tables(&self, snapshot: i64) -> Result<HashMap<String, Arc<TableInfo>>> {
        let mut tables = HashMap::new();
        for name in self.table_names(snapshot).await? {
            if let Some(table) = self.table(&name, snapshot).await? {
                tables.insert(name, Arc::new(table));
            }
        }
        Ok(tables)
    }
}
