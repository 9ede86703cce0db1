//! Opens the store on either kind of database and makes its tables.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::{Result, doing};

const SCHEMA: &str = "lianjing_schedule";
/// Serialises the making of the tables: "schedule" in ASCII, cut to 8 bytes.
const MAKE_LOCK: i64 = 0x73_63_68_65_64_75_6c;
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const TABLES: [&str; 3] = [
    "create table if not exists schedule_jobs (
        job_id text primary key,
        action text not null,
        cron text not null,
        zone text not null,
        catch_up text not null,
        of_source text,
        paused bigint not null,
        scheduled_until bigint not null,
        lease_owner text,
        lease_until bigint,
        lease_run bigint
    )",
    "create table if not exists schedule_runs (
        job_id text not null,
        scheduled_at bigint not null,
        state text not null,
        owner text not null,
        attempts bigint not null,
        started_at bigint,
        ended_at bigint,
        retry_at bigint,
        message text not null,
        primary key (job_id, scheduled_at)
    )",
    "create table if not exists schedule_alarms (
        code text not null,
        subject text not null,
        message_zh text not null,
        message_en text not null,
        raised_at bigint not null,
        cleared_at bigint,
        primary key (code, subject, raised_at)
    )",
];

pub async fn open_sqlite(path: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .map_err(doing("opening it"))?;
    for table in TABLES {
        sqlx::query(table)
            .execute(&pool)
            .await
            .map_err(doing("making its tables"))?;
    }
    Ok(pool)
}

pub async fn open_postgres(url: &str) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url)
        .map_err(doing("reading its address"))?
        .options([("search_path", SCHEMA)]);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .map_err(doing("connecting to it"))?;
    let made = async {
        let mut tx = pool.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(MAKE_LOCK)
            .execute(&mut *tx)
            .await?;
        sqlx::query("create schema if not exists lianjing_schedule")
            .execute(&mut *tx)
            .await?;
        for table in TABLES {
            sqlx::query(table).execute(&mut *tx).await?;
        }
        tx.commit().await
    };
    made.await.map_err(doing("making its tables"))?;
    Ok(pool)
}
