//! The store in a PostgreSQL database, in a schema of its own, for several servers.
//!
//! The commit section is one advisory lock, held from before the first read until the commit is visible;
//! every commit notifies the other servers' watchers.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgListener, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Executor, Postgres, Row as _, TypeInfo, ValueRef};
use tokio::sync::Mutex;

use super::{BoxTransaction, Cell, Database, Row, Sql, Transaction};
use crate::error::{Error, Result};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// Everything of the store lives in this schema, so that the database can be shared with the lake.
const SCHEMA: &str = "lianjing_alerts";
/// Any number that nothing else in the database uses: "alerts" in ASCII.
const COMMIT_LOCK: i64 = 0x61_6c_65_72_74_73;
const CHANNEL: &str = "lianjing_alerts_commit";
const CONNECTIONS_MAX: u32 = 8;

#[derive(Debug)]
pub struct PostgresDatabase {
    pool: PgPool,
    /// None while it must be connected (again).
    listener: Mutex<Option<PgListener>>,
    poll_every: Duration,
}

impl PostgresDatabase {
    /// Connects, creates the schema when missing and brings its tables up to date. Needs the right to create
    /// a schema the first time.
    pub async fn open(url: &str, poll_every: Duration) -> Result<Self> {
        let options = PgConnectOptions::from_str(url).map_err(|source| Error::Open {
            place: "of the URL given".into(),
            source,
        })?;
        let place = format!(
            "{}/{}",
            options.get_host(),
            options.get_database().unwrap_or_default()
        );
        let options = options
            .options([("search_path", SCHEMA)])
            .application_name("lianjing");
        let opened = |source| Error::Open {
            place: place.clone(),
            source,
        };
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(60))
            .connect_with(options)
            .await
            .map_err(opened)?;
        {
            // Two servers may start at once; `create schema if not exists` alone may then fail.
            let mut tx = pool.begin().await.map_err(opened)?;
            sqlx::query("select pg_advisory_xact_lock($1)")
                .bind(COMMIT_LOCK)
                .execute(&mut *tx)
                .await
                .map_err(opened)?;
            tx.execute("create schema if not exists lianjing_alerts")
                .await
                .map_err(opened)?;
            tx.commit().await.map_err(opened)?;
        }
        MIGRATIONS.run(&pool).await.map_err(|source| Error::Migrate {
            place: place.clone(),
            source,
        })?;
        let database = Self {
            pool,
            listener: Mutex::new(None),
            poll_every,
        };
        *database.listener.lock().await = Some(database.listen().await.map_err(opened)?);
        Ok(database)
    }

    async fn listen(&self) -> std::result::Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn read(&self) -> Result<BoxTransaction> {
        let inner = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await
            .map_err(|source| Error::Store {
                doing: "beginning to read",
                source,
            })?;
        Ok(Box::new(PostgresTransaction { inner, writes: false }))
    }

    async fn write(&self) -> Result<BoxTransaction> {
        let doing = "waiting for its turn to write";
        let mut inner = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await
            .map_err(|source| Error::Store { doing, source })?;
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(COMMIT_LOCK)
            .execute(&mut *inner)
            .await
            .map_err(|source| Error::Store { doing, source })?;
        Ok(Box::new(PostgresTransaction { inner, writes: true }))
    }

    async fn foreign_commit(&self) {
        let mut slot = self.listener.lock().await;
        match slot.as_mut() {
            // `try_recv` yields None after a lost connection, when notifications may have been missed.
            Some(listener) => match listener.try_recv().await {
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "alerts.listen.lost");
                    *slot = None;
                }
            },
            None => {
                tokio::time::sleep(self.poll_every).await;
                match self.listen().await {
                    Ok(listener) => *slot = Some(listener),
                    Err(error) => tracing::warn!(error = %error, "alerts.listen.failed"),
                }
            }
        }
    }

    async fn close(&self) {
        self.listener.lock().await.take();
        self.pool.close().await;
    }
}

struct PostgresTransaction {
    inner: sqlx::Transaction<'static, Postgres>,
    writes: bool,
}

#[async_trait]
impl Transaction for PostgresTransaction {
    fn numbers_places(&self) -> bool {
        true
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

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let failed = |source| Error::Store {
            doing: "committing",
            source,
        };
        if self.writes {
            // Delivered by the server when, and only when, the transaction commits.
            sqlx::query("select pg_notify($1, '')")
                .bind(CHANNEL)
                .execute(&mut *self.inner)
                .await
                .map_err(failed)?;
        }
        self.inner.commit().await.map_err(failed)
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.inner.rollback().await.map_err(|source| Error::Store {
            doing: "rolling back",
            source,
        })
    }
}

fn bind(sql: Sql, args: Vec<Cell>) -> sqlx::query::Query<'static, Postgres, PgArguments> {
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

fn decode(row: &PgRow, doing: &'static str) -> Result<Vec<Cell>> {
    let failed = |source| Error::Store { doing, source };
    (0..row.len())
        .map(|n| {
            let raw = row.try_get_raw(n).map_err(failed)?;
            let kind = raw.type_info().name().to_owned();
            Ok(match kind.as_str() {
                "INT8" => Cell::Int(row.try_get(n).map_err(failed)?),
                "BYTEA" => Cell::Bytes(row.try_get(n).map_err(failed)?),
                _ => Cell::Text(row.try_get(n).map_err(failed)?),
            })
        })
        .collect()
}
