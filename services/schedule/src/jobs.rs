//! Jobs as people see and change them: [`SchedulePort`] on a [`Scheduler`].

use async_trait::async_trait;
use domain::sources::{Alarm, Job, JobAction, JobRun, NewJob, SchedulePort};
use domain::{Failure, ports};

use crate::calendar::Calendar;
use crate::error::{Result, ScheduleError};
use crate::scheduler::{DEFAULT_ZONE, SECOND, Scheduler};
use crate::store::StoredJob;

const JOB_ID_CHARS_MAX: usize = 64;
/// Runs that a job is shown with.
const LAST_RUNS: i64 = 5;

#[async_trait]
impl SchedulePort for Scheduler {
    async fn jobs(&self) -> ports::Result<Vec<Job>> {
        self.adopt_sources(self.now()).await?;
        let mut jobs = Vec::new();
        for job in self.store.jobs().await? {
            jobs.push(self.shown(job).await?);
        }
        Ok(jobs)
    }

    async fn add(&self, job: NewJob) -> ports::Result<Job> {
        Ok(self.make(job).await?)
    }

    async fn pause(&self, job_id: &str) -> ports::Result<Job> {
        self.adopt_sources(self.now()).await?;
        Ok(self.set_paused(job_id, true).await?)
    }

    async fn resume(&self, job_id: &str) -> ports::Result<Job> {
        Ok(self.set_paused(job_id, false).await?)
    }

    async fn remove(&self, job_id: &str) -> ports::Result<()> {
        let job = self.store.job(job_id).await?;
        if job.of_source.is_some() {
            return Err(ScheduleError::OfSource {
                job_id: job_id.to_owned(),
            }
            .into());
        }
        self.store.remove(job_id).await?;
        Ok(())
    }

    async fn run_now(&self, job_id: &str) -> ports::Result<JobRun> {
        self.adopt_sources(self.now()).await?;
        Ok(self.run_at_once(job_id).await?)
    }

    async fn alarms(&self, cleared: bool) -> ports::Result<Vec<Alarm>> {
        let mut alarms = self.store.alarms().await?;
        alarms.retain(|a| cleared || a.cleared_at.is_none());
        Ok(alarms)
    }
}

impl Scheduler {
    async fn shown(&self, job: StoredJob) -> Result<Job> {
        let next_at = match job.paused {
            true => None,
            false => Calendar::parse(&job.cron, &job.zone)?.next(job.scheduled_until),
        };
        Ok(Job {
            last_runs: self.store.runs(&job.job_id, LAST_RUNS).await?,
            job_id: job.job_id,
            action: job.action,
            cron: job.cron,
            zone: job.zone,
            catch_up: job.catch_up,
            paused: job.paused,
            next_at,
        })
    }

    async fn make(&self, job: NewJob) -> Result<Job> {
        let zone = match job.zone.is_empty() {
            true => DEFAULT_ZONE.to_owned(),
            false => job.zone,
        };
        if Calendar::parse(&job.cron, &zone)?.next(self.now()).is_none() {
            return Err(ScheduleError::Cron {
                cron: job.cron,
                problem: "there is no such day".to_owned(),
            });
        }
        self.expect_source(&job.action).await?;
        let job_id = match job.job_id.is_empty() {
            false => job.job_id,
            true => match &job.action {
                JobAction::Sync { source } => format!("sync-{source}"),
                JobAction::Reconcile { source } => format!("reconcile-{source}"),
                JobAction::RunRules { .. } => "run-rules".to_owned(),
            },
        };
        let chars = job_id.chars().count();
        let fits = job_id
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if chars == 0 || chars > JOB_ID_CHARS_MAX || !fits {
            return Err(ScheduleError::Name { job_id });
        }
        let stored = StoredJob {
            job_id: job_id.clone(),
            action: job.action,
            cron: job.cron,
            zone,
            catch_up: job.catch_up,
            of_source: None,
            paused: false,
            scheduled_until: self.now(),
            lease_owner: None,
            lease_until: None,
            lease_run: None,
        };
        if !self.store.insert(&stored).await? {
            return Err(ScheduleError::Exists { job_id });
        }
        self.shown(stored).await
    }

    /// Fails when the job's source is not there, or cannot do what the job asks for.
    async fn expect_source(&self, action: &JobAction) -> Result<()> {
        let (JobAction::Sync { source } | JobAction::Reconcile { source }) = action else {
            return Ok(());
        };
        let sources = self.sources.list().await.map_err(ScheduleError::Source)?;
        let Some(found) = sources.iter().find(|s| s.name == *source) else {
            let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
            let text = format!("there is no source {source:?}; there are: {}", known.join(", "));
            return Err(ScheduleError::Source(Failure::not_found(
                "SOURCE_NOT_FOUND",
                text,
            )));
        };
        let kinds = self.sources.kinds();
        let lists_keys = kinds
            .iter()
            .find(|k| k.kind == found.kind)
            .is_none_or(|k| k.lists_keys);
        if matches!(action, JobAction::Reconcile { .. }) && !lists_keys {
            let text = format!(
                "source {source} is of kind {}, which cannot list its keys",
                found.kind
            );
            return Err(ScheduleError::Source(Failure::new(
                domain::FailureKind::Precondition,
                "KEYS_UNSUPPORTED",
                text,
            )));
        }
        Ok(())
    }

    async fn set_paused(&self, job_id: &str, paused: bool) -> Result<Job> {
        if !self.store.set_paused(job_id, paused, self.now()).await? {
            return Err(ScheduleError::NotFound {
                job_id: job_id.to_owned(),
            });
        }
        self.shown(self.store.job(job_id).await?).await
    }

    async fn run_at_once(&self, job_id: &str) -> Result<JobRun> {
        self.runner()?;
        let job = self.store.job(job_id).await?;
        let now = self.now();
        let lease_until = now + self.settings.lease_seconds * SECOND;
        let until = job.scheduled_until;
        let claim = self
            .store
            .claim(&job, Some(now), &[], until, &self.owner, now, lease_until, true)
            .await?
            .ok_or_else(|| ScheduleError::Running {
                job_id: job_id.to_owned(),
            })?;
        self.execute(&claim).await
    }
}
