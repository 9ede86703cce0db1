//! Where jobs, their runs and alarms are kept: tables of their own in the state store, SQLite or PostgreSQL. Every
//! statement is written once, in the SQL that both speak; the pools are typed.
//!
//! A run is claimed in one transaction: the job's lease is taken if nobody holds it, and the row (job, scheduled time),
//! which is unique, is made. So of several servers exactly one runs a job, and a scheduled time is never run twice.

use std::path::Path;

use domain::sources::{CatchUp, JobAction, JobRun};
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;

use crate::error::{Result, ScheduleError, doing};
use tables::{open_postgres, open_sqlite};

/// The two kinds of pools.
#[derive(Debug, Clone)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The same statements on either pool.
macro_rules! on {
    ($pool:expr, $p:ident => $body:expr) => {
        match $pool {
            Pool::Sqlite($p) => $body,
            Pool::Postgres($p) => $body,
        }
    };
}

mod alarms;
mod claims;
mod tables;

/// An open store.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    pub job_id: String,
    pub action: JobAction,
    pub cron: String,
    pub zone: String,
    pub catch_up: CatchUp,
    /// The source whose configuration asks for it.
    pub of_source: Option<String>,
    pub paused: bool,
    /// Scheduled times up to here are run or accounted for.
    pub scheduled_until: i64,
    pub lease_owner: Option<String>,
    pub lease_until: Option<i64>,
    pub lease_run: Option<i64>,
}

impl StoredJob {
    /// Whether some server runs it now.
    pub fn is_leased(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until >= now)
    }
}

type JobTuple = (
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    i64,
    i64,
    Option<String>,
    Option<i64>,
    Option<i64>,
);
type RunTuple = (String, i64, String, String, i64, Option<i64>, Option<i64>, String);
type AlarmTuple = (String, String, String, String, i64, Option<i64>);

const JOB_COLUMNS: &str = "select job_id, action, cron, zone, catch_up, of_source, paused, scheduled_until,
    lease_owner, lease_until, lease_run from schedule_jobs order by job_id";

fn job_of(row: JobTuple) -> Result<StoredJob> {
    let corrupt = |what: String| ScheduleError::Corrupt { what };
    Ok(StoredJob {
        action: serde_json::from_str(&row.1).map_err(|e| corrupt(format!("action of {}: {e}", row.0)))?,
        catch_up: CatchUp::parse(&row.4)
            .ok_or_else(|| corrupt(format!("catch_up of {}: {}", row.0, row.4)))?,
        job_id: row.0,
        cron: row.2,
        zone: row.3,
        of_source: row.5,
        paused: row.6 != 0,
        scheduled_until: row.7,
        lease_owner: row.8,
        lease_until: row.9,
        lease_run: row.10,
    })
}

fn run_of(row: RunTuple) -> JobRun {
    JobRun {
        job_id: row.0,
        scheduled_at: row.1,
        state: row.2,
        owner: row.3,
        attempts: u32::try_from(row.4).unwrap_or_default(),
        started_at: row.5,
        ended_at: row.6,
        message: row.7,
    }
}

/// A run that this server holds the lease for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub job_id: String,
    pub action: JobAction,
    pub scheduled_at: i64,
    pub attempts: u32,
}

impl Store {
    /// `postgres://...`, `sqlite:PATH` or a path; tables are made where missing.
    pub async fn open(url: &str) -> Result<Self> {
        let pool = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Pool::Postgres(open_postgres(url).await?)
        } else {
            let path = url.strip_prefix("sqlite:").unwrap_or(url);
            Pool::Sqlite(open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))).await?)
        };
        Ok(Self { pool })
    }

    pub async fn close(&self) {
        on!(&self.pool, p => p.close().await);
    }

    pub async fn jobs(&self) -> Result<Vec<StoredJob>> {
        let rows: Vec<JobTuple> = on!(&self.pool, p => sqlx::query_as(JOB_COLUMNS).fetch_all(p).await)
            .map_err(doing("listing the jobs"))?;
        rows.into_iter().map(job_of).collect()
    }

    pub async fn job(&self, job_id: &str) -> Result<StoredJob> {
        let jobs = self.jobs().await?;
        jobs.into_iter()
            .find(|j| j.job_id == job_id)
            .ok_or_else(|| ScheduleError::NotFound {
                job_id: job_id.to_owned(),
            })
    }

    /// Whether it was new.
    pub async fn insert(&self, job: &StoredJob) -> Result<bool> {
        let action = action_text(&job.action)?;
        let done = on!(&self.pool, p => sqlx::query(
                "insert into schedule_jobs
                   (job_id, action, cron, zone, catch_up, of_source, paused, scheduled_until)
                 values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (job_id) do nothing")
            .bind(&job.job_id)
            .bind(&action)
            .bind(&job.cron)
            .bind(&job.zone)
            .bind(job.catch_up.name())
            .bind(&job.of_source)
            .bind(i64::from(job.paused))
            .bind(job.scheduled_until)
            .execute(p)
            .await
            .map(|d| d.rows_affected()))
        .map_err(doing("adding a job"))?;
        Ok(done == 1)
    }

    /// Gives a job of a source its new times; what is due counts from `now`.
    pub async fn reschedule(&self, job_id: &str, cron: &str, zone: &str, now: i64) -> Result<()> {
        on!(&self.pool, p => sqlx::query(
                "update schedule_jobs set cron = $2, zone = $3, scheduled_until = $4 where job_id = $1")
            .bind(job_id)
            .bind(cron)
            .bind(zone)
            .bind(now)
            .execute(p)
            .await
            .map(|_| ()))
        .map_err(doing("changing a job's times"))
    }

    /// A resumed job starts with the next scheduled time.
    pub async fn set_paused(&self, job_id: &str, paused: bool, now: i64) -> Result<bool> {
        let done = on!(&self.pool, p => sqlx::query(
                "update schedule_jobs set paused = $2,
                   scheduled_until = case when $2 = 0 and paused <> 0 then $3 else scheduled_until end
                 where job_id = $1")
            .bind(job_id)
            .bind(i64::from(paused))
            .bind(now)
            .execute(p)
            .await
            .map(|d| d.rows_affected()))
        .map_err(doing("pausing a job"))?;
        Ok(done == 1)
    }

    pub async fn remove(&self, job_id: &str) -> Result<bool> {
        let done = on!(&self.pool, p => sqlx::query("delete from schedule_jobs where job_id = $1")
            .bind(job_id)
            .execute(p)
            .await
            .map(|d| d.rows_affected()))
        .map_err(doing("removing a job"))?;
        Ok(done == 1)
    }

    /// Newest first.
    pub async fn runs(&self, job_id: &str, limit: i64) -> Result<Vec<JobRun>> {
        let rows: Vec<RunTuple> = on!(&self.pool, p => sqlx::query_as(
                "select job_id, scheduled_at, state, owner, attempts, started_at, ended_at, message
                 from schedule_runs where job_id = $1 order by scheduled_at desc limit $2")
            .bind(job_id)
            .bind(limit)
            .fetch_all(p)
            .await)
        .map_err(doing("listing runs"))?;
        Ok(rows.into_iter().map(run_of).collect())
    }

    /// (state, number) of all runs.
    pub async fn totals(&self) -> Result<Vec<(String, String, i64)>> {
        on!(&self.pool, p => sqlx::query_as(
                "select job_id, state, count(*) from schedule_runs group by job_id, state order by job_id, state")
            .fetch_all(p)
            .await)
        .map_err(doing("counting runs"))
    }
}

fn action_text(action: &JobAction) -> Result<String> {
    serde_json::to_string(action).map_err(|e| ScheduleError::Corrupt {
        what: format!("a job's action: {e}"),
    })
}
