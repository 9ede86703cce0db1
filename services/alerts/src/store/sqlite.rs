//! The store in a SQLite file: one writer, several readers, write-ahead log.
//!
//! Commits are few (one a run, one a closure) and are evidence, so each waits for the disk
//! (`synchronous = full`).

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, TypeInfo, ValueRef};

use super::{BoxTransaction, Cell, Database, Row, Sql, Transaction};
use crate::error::{Error, Result};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// How long to wait for a writer of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const READERS_MAX: u32 = 4;

#[derive(Debug)]
pub struct SqliteDatabase {
    writer: SqlitePool,
    readers: SqlitePool,
    /// How often to look for commits of other processes.
    poll_every: Duration,
}

impl SqliteDatabase {
    /// Opens or creates the file and brings its tables up to date.
    pub async fn open(path: &Path, poll_every: Duration) -> Result<Self> {
        let place = path.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = || {
            SqlitePoolOptions::new()
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(300))
            .connect_with(options.clone())
            .await
            .map_err(|source| Error::Open {
                place: place.clone(),
                source,
            })?;
        MIGRATIONS.run(&writer).await.map_err(|source| Error::Migrate {
            place: place.clone(),
            source,
        })?;
        let readers = pool()
            .max_connections(READERS_MAX)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(|source| Error::Open { place, source })?;
        Ok(Self {
            writer,
            readers,
            poll_every,
        })
    }
}

#[async_trait]
impl Database for SqliteDatabase {
    async fn read(&self) -> Result<BoxTransaction> {
        let inner = self.readers.begin().await.map_err(|source| Error::Store {
            doing: "beginning to read",
            source,
        })?;
        Ok(Box::new(SqliteTransaction { inner }))
    }

    async fn write(&self) -> Result<BoxTransaction> {
        let inner = self
            .writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|source| Error::Store {
                doing: "waiting for its turn to write",
                source,
            })?;
        Ok(Box::new(SqliteTransaction { inner }))
    }

    async fn foreign_commit(&self) {
        tokio::time::sleep(self.poll_every).await;
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

struct SqliteTransaction {
    inner: sqlx::Transaction<'static, Sqlite>,
}

#[async_trait]
impl Transaction for SqliteTransaction {
    fn numbers_places(&self) -> bool {
        false
    }

    async fn fetch(&mut self, doing: &'static str, sql: Sql, args: Vec<Cell>) -> Result<Vec<Row>> {
        let rows = bind(sql, args)
            .fetch_all(&mut *self.inner)
            .await
            .map_err(|source| Error::Store { doing, source })?;
        rows.iter()
            .map(|row| decode(row, doing).map(|cells| Row::new(cells, doing)))
            .collect()
    }

    async fn execute(&mut self, doing: &'static str, sql: Sql, args: Vec<Cell>) -> Result<u64> {
        let done = bind(sql, args)
            .execute(&mut *self.inner)
            .await
            .map_err(|source| Error::Store { doing, source })?;
        Ok(done.rows_affected())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.inner.commit().await.map_err(|source| Error::Store {
            doing: "committing",
            source,
        })
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.inner.rollback().await.map_err(|source| Error::Store {
            doing: "rolling back",
            source,
        })
    }
}

fn bind(sql: Sql, args: Vec<Cell>) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for arg in args {
        query = match arg {
            Cell::Int(v) => query.bind(v),
            Cell::Text(v) => query.bind(v),
            Cell::Bytes(v) => query.bind(v),
        };
    }
    query
}

fn decode(row: &SqliteRow, doing: &'static str) -> Result<Vec<Cell>> {
    let failed = |source| Error::Store { doing, source };
    (0..row.len())
        .map(|n| {
            let raw = row.try_get_raw(n).map_err(failed)?;
            if raw.is_null() {
                return Ok(Cell::Text(None));
            }
            let kind = raw.type_info().name().to_owned();
            Ok(match kind.as_str() {
                "INTEGER" => Cell::Int(row.try_get(n).map_err(failed)?),
                "BLOB" => Cell::Bytes(row.try_get(n).map_err(failed)?),
                _ => Cell::Text(row.try_get(n).map_err(failed)?),
            })
        })
        .collect()
}
