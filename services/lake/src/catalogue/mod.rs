//! The DuckLake 1.0 catalogue in SQLite: which tables, columns and files a snapshot has.
//!
//! Written by hand, column for column as DuckDB's own extension does, because a sync must become visible
//! as one snapshot over many tables without holding its rows in memory.

mod commit;
mod drift;
mod judgements;
mod ledger;
mod read;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use commit::{CommitPlan, DeleteTarget, NewDelete, NewFile, TableChange, column_ids};
pub use drift::SeenColumn;
pub use judgements::JudgementChange;
pub use ledger::LedgerUpdate;
pub use read::{DataFile, SnapshotRow, TableInfo};

use crate::error::{LakeError, Result, doing};

const SCHEMA: &str = include_str!("schema.sql");

/// How long one connection waits for another's lock before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// An open catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pool: SqlitePool,
    /// Folder that relative paths start from, with the trailing slash that DuckLake wants.
    data_path: PathBuf,
}

/// A time as DuckLake writes it.
fn snapshot_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

impl Catalogue {
    /// Opens the catalogue, making an empty one where there is none. `now` is the time of its snapshot 0.
    /// The data path in it is set to `data_path`, so that a data directory can be moved.
    pub async fn open(path: &Path, data_path: &Path, now: DateTime<Utc>) -> Result<Self> {
        // A rollback journal, not a write-ahead log: between commits the catalogue is one file, which
        // DuckDB opens read-only, also from a folder it may not write to.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(false)
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await
            .map_err(doing("open the file"))?;
        let catalogue = Self {
            pool,
            data_path: data_path.to_owned(),
        };
        catalogue.prepare(path, now).await?;
        Ok(catalogue)
    }

    async fn prepare(&self, path: &Path, now: DateTime<Utc>) -> Result<()> {
        let data_path = format!("{}/", self.data_path.display());
        let mut tx = self
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(doing("begin"))?;
        let made: i64 =
            sqlx::query_scalar("select count(*) from sqlite_master where name = 'ducklake_metadata'")
                .fetch_one(&mut *tx)
                .await
                .map_err(doing("look for the tables"))?;
        if made == 0 {
            sqlx::raw_sql(SCHEMA)
                .execute(&mut *tx)
                .await
                .map_err(doing("make the tables"))?;
            for (key, value) in [
                ("version", "1.0"),
                ("created_by", concat!("lianjing ", env!("CARGO_PKG_VERSION"))),
                ("data_path", data_path.as_str()),
                ("encrypted", "false"),
                ("data_inlining_row_limit", "0"),
            ] {
                sqlx::query("insert into ducklake_metadata (key, value) values (?, ?)")
                    .bind(key)
                    .bind(value)
                    .execute(&mut *tx)
                    .await
                    .map_err(doing("describe it"))?;
            }
            sqlx::query("insert into ducklake_snapshot values (0, ?, 0, 1, 0)")
                .bind(snapshot_time(now))
                .execute(&mut *tx)
                .await
                .map_err(doing("make the first snapshot"))?;
            sqlx::query(
                "insert into ducklake_snapshot_changes (snapshot_id, changes_made) values (0, 'created_schema:\"main\"')",
            )
            .execute(&mut *tx)
            .await
            .map_err(doing("make the first snapshot"))?;
            sqlx::query("insert into ducklake_schema values (0, ?, 0, null, 'main', 'main/', 1)")
                .bind(uuid::Uuid::new_v4().to_string())
                .execute(&mut *tx)
                .await
                .map_err(doing("make the schema"))?;
        }
        let version: Option<String> =
            sqlx::query_scalar("select value from ducklake_metadata where key = 'version' and scope is null")
                .fetch_optional(&mut *tx)
                .await
                .map_err(doing("read the format"))?;
        if version.as_deref() != Some("1.0") {
            return Err(LakeError::Format {
                path: path.to_owned(),
                found: version.unwrap_or_default(),
            });
        }
        sqlx::query("update ducklake_metadata set value = ?1 where key = 'data_path' and scope is null and value <> ?1")
            .bind(&data_path)
            .execute(&mut *tx)
            .await
            .map_err(doing("set the data path"))?;
        sqlx::raw_sql(ledger::SCHEMA)
            .execute(&mut *tx)
            .await
            .map_err(doing("make the tables of syncs"))?;
        sqlx::raw_sql(judgements::SCHEMA)
            .execute(&mut *tx)
            .await
            .map_err(doing("make the tables of judgements"))?;
        sqlx::raw_sql(drift::SCHEMA)
            .execute(&mut *tx)
            .await
            .map_err(doing("make the tables of columns"))?;
        tx.commit().await.map_err(doing("commit"))?;
        self.interrupt_runs().await
    }

    /// Closes its connections, so that the file may be moved.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
