//! Where jobs, their runs and alarms are kept: tables of their own in the state store, SQLite or PostgreSQL. Every
//! statement is written once, in the SQL that both speak; the pools are typed.
//!
//! A run is claimed in one transaction: the job's lease is taken if nobody holds it, and the row (job, scheduled time),
//! which is unique, is made. So of several servers exactly one runs a job, and a scheduled time is never run twice.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use domain::Bilingual;
use domain::sources::{Alarm, CatchUp, JobAction, JobRun};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::{Result, ScheduleError, doing};

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

    /// Takes the job's lease for the run of `scheduled_at`, and accounts for all scheduled times up to `until`: those in
    /// `missed` were missed. `None`: another server has it, or it runs, or that time was run before.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub async fn claim(
        &self,
        job: &StoredJob,
        scheduled_at: Option<i64>,
        missed: &[i64],
        until: i64,
        owner: &str,
        now: i64,
        lease_until: i64,
        even_paused: bool,
    ) -> Result<Option<Claim>> {
        let lease = scheduled_at.map(|_| lease_until);
        let claimed = on!(&self.pool, p => async {
            let mut tx = p.begin().await?;
            let taken = sqlx::query(
                    "update schedule_jobs set scheduled_until = $2, lease_owner = $3, lease_until = $4, lease_run = $5
                     where job_id = $1 and scheduled_until = $6 and (lease_until is null or lease_until < $7)
                       and (paused = 0 or $8 = 1)")
                .bind(&job.job_id)
                .bind(until)
                .bind(owner)
                .bind(lease)
                .bind(scheduled_at)
                .bind(job.scheduled_until)
                .bind(now)
                .bind(i64::from(even_paused))
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if taken != 1 {
                tx.rollback().await?;
                return Ok(false);
            }
            for &time in missed {
                sqlx::query(
                        "insert into schedule_runs (job_id, scheduled_at, state, owner, attempts, message)
                         values ($1, $2, 'MISSED', $3, 0, '') on conflict (job_id, scheduled_at) do nothing")
                    .bind(&job.job_id)
                    .bind(time)
                    .bind(owner)
                    .execute(&mut *tx)
                    .await?;
            }
            let mut made = 0;
            if let Some(time) = scheduled_at {
                made = sqlx::query(
                        "insert into schedule_runs (job_id, scheduled_at, state, owner, attempts, started_at, message)
                         values ($1, $2, 'RUNNING', $3, 1, $4, '') on conflict (job_id, scheduled_at) do nothing")
                    .bind(&job.job_id)
                    .bind(time)
                    .bind(owner)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
                if made == 0 {
                    sqlx::query(
                            "update schedule_jobs set lease_owner = null, lease_until = null, lease_run = null
                             where job_id = $1")
                        .bind(&job.job_id)
                        .execute(&mut *tx)
                        .await?;
                }
            }
            tx.commit().await?;
            Ok::<bool, sqlx::Error>(made == 1)
        }.await)
        .map_err(doing("claiming a run"))?;
        Ok(match (claimed, scheduled_at) {
            (true, Some(scheduled_at)) => Some(Claim {
                job_id: job.job_id.clone(),
                action: job.action.clone(),
                scheduled_at,
                attempts: 1,
            }),
            _ => None,
        })
    }

    /// Takes up a run that is to be tried again.
    pub async fn claim_retry(
        &self,
        job: &StoredJob,
        scheduled_at: i64,
        owner: &str,
        now: i64,
        lease_until: i64,
    ) -> Result<Option<Claim>> {
        let attempts = on!(&self.pool, p => async {
            let mut tx = p.begin().await?;
            let taken = sqlx::query(
                    "update schedule_jobs set lease_owner = $2, lease_until = $3, lease_run = $4
                     where job_id = $1 and (lease_until is null or lease_until < $5)")
                .bind(&job.job_id)
                .bind(owner)
                .bind(lease_until)
                .bind(scheduled_at)
                .bind(now)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let again = sqlx::query(
                    "update schedule_runs set state = 'RUNNING', owner = $3, attempts = attempts + 1,
                       started_at = $4, retry_at = null
                     where job_id = $1 and scheduled_at = $2 and state = 'RETRYING'")
                .bind(&job.job_id)
                .bind(scheduled_at)
                .bind(owner)
                .bind(now)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if taken != 1 || again != 1 {
                tx.rollback().await?;
                return Ok(None);
            }
            let attempts: i64 = sqlx::query_scalar(
                    "select attempts from schedule_runs where job_id = $1 and scheduled_at = $2")
                .bind(&job.job_id)
                .bind(scheduled_at)
                .fetch_one(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(Some(attempts))
        }.await)
        .map_err(doing("taking a run up again"))?;
        Ok(attempts.map(|attempts| Claim {
            job_id: job.job_id.clone(),
            action: job.action.clone(),
            scheduled_at,
            attempts: u32::try_from(attempts).unwrap_or(1),
        }))
    }

    /// Runs that wait to be tried again and may be: (job, scheduled time).
    pub async fn retries(&self, now: i64) -> Result<Vec<(String, i64)>> {
        on!(&self.pool, p => sqlx::query_as(
                "select job_id, scheduled_at from schedule_runs where state = 'RETRYING' and retry_at <= $1
                 order by scheduled_at, job_id")
            .bind(now)
            .fetch_all(p)
            .await)
        .map_err(doing("listing runs to try again"))
    }

    /// Keeps the lease; false when it is no longer ours.
    pub async fn renew(&self, claim: &Claim, owner: &str, lease_until: i64) -> Result<bool> {
        let done = on!(&self.pool, p => sqlx::query(
                "update schedule_jobs set lease_until = $4 where job_id = $1 and lease_owner = $2 and lease_run = $3")
            .bind(&claim.job_id)
            .bind(owner)
            .bind(claim.scheduled_at)
            .bind(lease_until)
            .execute(p)
            .await
            .map(|d| d.rows_affected()))
        .map_err(doing("renewing a lease"))?;
        Ok(done == 1)
    }

    /// Ends a run that is still ours, and lets its lease go. `retry_at`: it is to be tried again then.
    pub async fn finish(
        &self,
        claim: &Claim,
        owner: &str,
        state: &str,
        message: &str,
        retry_at: Option<i64>,
        now: i64,
    ) -> Result<bool> {
        on!(&self.pool, p => async {
            let mut tx = p.begin().await?;
            let freed = sqlx::query(
                    "update schedule_jobs set lease_owner = null, lease_until = null, lease_run = null
                     where job_id = $1 and lease_owner = $2 and lease_run = $3")
                .bind(&claim.job_id)
                .bind(owner)
                .bind(claim.scheduled_at)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let ended = sqlx::query(
                    "update schedule_runs set state = $4, message = $5, retry_at = $6, ended_at = $7
                     where job_id = $1 and scheduled_at = $2 and owner = $3 and state = 'RUNNING'")
                .bind(&claim.job_id)
                .bind(claim.scheduled_at)
                .bind(owner)
                .bind(state)
                .bind(message)
                .bind(retry_at)
                .bind(now)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            tx.commit().await?;
            Ok::<bool, sqlx::Error>(freed == 1 && ended == 1)
        }.await)
        .map_err(doing("recording how a run ended"))
    }

    /// Runs whose server let its lease lapse: they are tried again, or lost after `attempts_max`.
    pub async fn recover(&self, job: &StoredJob, now: i64, attempts_max: u32) -> Result<()> {
        let Some(run) = job.lease_run else { return Ok(()) };
        on!(&self.pool, p => async {
            let mut tx = p.begin().await?;
            let freed = sqlx::query(
                    "update schedule_jobs set lease_owner = null, lease_until = null, lease_run = null
                     where job_id = $1 and lease_run = $2 and lease_until < $3")
                .bind(&job.job_id)
                .bind(run)
                .bind(now)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if freed == 1 {
                sqlx::query(
                        "update schedule_runs set
                           state = case when attempts < $3 then 'RETRYING' else 'LOST' end,
                           retry_at = $4, ended_at = $4, message = 'its server stopped before it ended'
                         where job_id = $1 and scheduled_at = $2 and state = 'RUNNING'")
                    .bind(&job.job_id)
                    .bind(run)
                    .bind(i64::from(attempts_max))
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await
        }.await)
        .map_err(doing("recovering a run"))
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

    /// Raises an alarm unless it holds already.
    pub async fn raise(&self, code: &str, subject: &str, message: &Bilingual, now: i64) -> Result<()> {
        on!(&self.pool, p => sqlx::query(
                "insert into schedule_alarms (code, subject, message_zh, message_en, raised_at)
                 select $1, $2, $3, $4, $5 where not exists
                   (select 1 from schedule_alarms where code = $1 and subject = $2 and cleared_at is null)
                 on conflict (code, subject, raised_at) do nothing")
            .bind(code)
            .bind(subject)
            .bind(&message.zh)
            .bind(&message.en)
            .bind(now)
            .execute(p)
            .await
            .map(|_| ()))
        .map_err(doing("raising an alarm"))
    }

    pub async fn clear(&self, code: &str, subject: &str, now: i64) -> Result<()> {
        on!(&self.pool, p => sqlx::query(
                "update schedule_alarms set cleared_at = $3 where code = $1 and subject = $2 and cleared_at is null")
            .bind(code)
            .bind(subject)
            .bind(now)
            .execute(p)
            .await
            .map(|_| ()))
        .map_err(doing("clearing an alarm"))
    }

    /// Newest first.
    pub async fn alarms(&self) -> Result<Vec<Alarm>> {
        let rows: Vec<AlarmTuple> = on!(&self.pool, p => sqlx::query_as(
                "select code, subject, message_zh, message_en, raised_at, cleared_at from schedule_alarms
                 order by raised_at desc, code, subject limit 1000")
            .fetch_all(p)
            .await)
        .map_err(doing("listing alarms"))?;
        let alarm = |row: AlarmTuple| Alarm {
            code: row.0,
            subject: row.1,
            message: Bilingual::new(row.2, row.3),
            raised_at: row.4,
            cleared_at: row.5,
        };
        Ok(rows.into_iter().map(alarm).collect())
    }
}

fn action_text(action: &JobAction) -> Result<String> {
    serde_json::to_string(action).map_err(|e| ScheduleError::Corrupt {
        what: format!("a job's action: {e}"),
    })
}

async fn open_sqlite(path: &Path) -> Result<SqlitePool> {
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

async fn open_postgres(url: &str) -> Result<PgPool> {
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
