//! Who runs what: leases, attempts and how they end.

use super::{Claim, Pool, Store, StoredJob};
use crate::error::{Result, doing};

impl Store {
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
}
