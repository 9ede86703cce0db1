//! The scheduler: what is due, who runs it, and what becomes of a failure.
//!
//! [`Scheduler::tick`] claims what is due at the clock's present time, [`Scheduler::execute`] runs one claim, and
//! [`Scheduler::run`] does both until it is told to stop. Time comes from the clock alone, so tests move it by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Failure;
use domain::clock::Clock;
use domain::sources::{CatchUp, FailureClass, JobAction, JobRun, JobRunner, SourceInfo, SourcePort};
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendar;
use crate::error::{Result, ScheduleError};
use crate::store::{Claim, Store, StoredJob};

pub(crate) const SECOND: i64 = 1_000_000;
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";

/// What may be set; [`Default`] is right outside tests.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often to look for what is due.
    pub poll_every: Duration,
    /// How long a server that died keeps a job from being run by another.
    pub lease_seconds: i64,
    /// A scheduled time that is no older counts as met in time.
    pub grace_seconds: i64,
    /// Runs of one scheduled time, the first included.
    pub attempts_max: u32,
    /// Wait before the second attempt; doubled for each further one.
    pub retry_seconds: i64,
    pub retry_seconds_max: i64,
    /// How often to look whether sources are silent and their schedules changed.
    pub look_after_seconds: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll_every: Duration::from_secs(1),
            lease_seconds: 60,
            grace_seconds: 300,
            attempts_max: 4,
            retry_seconds: 60,
            retry_seconds_max: 900,
            look_after_seconds: 60,
        }
    }
}

/// The service behind [`domain::sources::SchedulePort`]. Share it in an `Arc`.
pub struct Scheduler {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sources: Arc<dyn SourcePort>,
    pub(crate) settings: Settings,
    /// Names this server in leases.
    pub(crate) owner: String,
    runner: Mutex<Option<Arc<dyn JobRunner>>>,
    looked_after: Mutex<i64>,
}

impl Scheduler {
    /// `store` as [`Store::open`] takes it.
    pub async fn open(store: &str, clock: Arc<dyn Clock>, sources: Arc<dyn SourcePort>) -> Result<Self> {
        Self::open_with(store, clock, sources, Settings::default()).await
    }

    pub async fn open_with(
        store: &str,
        clock: Arc<dyn Clock>,
        sources: Arc<dyn SourcePort>,
        settings: Settings,
    ) -> Result<Self> {
        Ok(Self {
            store: Store::open(store).await?,
            clock,
            sources,
            settings,
            owner: format!("server-{}", uuid::Uuid::new_v4().simple()),
            runner: Mutex::default(),
            looked_after: Mutex::new(i64::MIN),
        })
    }

    /// Who does what jobs ask for; `None` lets go of it.
    pub fn set_runner(&self, runner: Option<Arc<dyn JobRunner>>) {
        *self.runner.lock().unwrap_or_else(PoisonError::into_inner) = runner;
    }

    pub(crate) fn runner(&self) -> Result<Arc<dyn JobRunner>> {
        self.runner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(ScheduleError::NoRunner)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.set_runner(None);
        self.store.close().await;
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().timestamp_micros()
    }

    /// Claims and runs what is due until `shutdown`; running jobs are dropped then, and another server takes them up.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut running = tokio::task::JoinSet::new();
        while !shutdown.is_cancelled() {
            match self.tick().await {
                Ok(claims) => {
                    for claim in claims {
                        let scheduler = self.clone();
                        running.spawn(async move {
                            if let Err(error) = scheduler.execute(&claim).await {
                                tracing::error!(error = %error, job.id = claim.job_id, "a job's run was not recorded");
                            }
                        });
                    }
                }
                Err(error) => tracing::error!(error = %error, "the scheduler cannot see what is due"),
            }
            while running.try_join_next().is_some() {}
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.settings.poll_every) => {}
            }
        }
        running.shutdown().await;
    }

    /// Claims everything that is due now.
    pub async fn tick(&self) -> Result<Vec<Claim>> {
        let now = self.now();
        if self.is_time_to_look_after(now) {
            self.adopt_sources(now).await?;
        }
        let mut claims = Vec::new();
        let lease_until = now + self.settings.lease_seconds * SECOND;
        for job in self.store.jobs().await? {
            if job.lease_run.is_some() && !job.is_leased(now) {
                self.store.recover(&job, now, self.settings.attempts_max).await?;
                tracing::warn!(job.id = job.job_id, "a job's server stopped before it ended");
            }
        }
        let jobs: BTreeMap<String, StoredJob> = self
            .store
            .jobs()
            .await?
            .into_iter()
            .map(|j| (j.job_id.clone(), j))
            .collect();
        for (job_id, scheduled_at) in self.store.retries(now).await? {
            let Some(job) = jobs.get(&job_id).filter(|j| !j.paused) else {
                continue;
            };
            let claim = self
                .store
                .claim_retry(job, scheduled_at, &self.owner, now, lease_until)
                .await?;
            claims.extend(claim);
        }
        for job in jobs.values().filter(|j| !j.paused && !j.is_leased(now)) {
            if claims.iter().any(|c| c.job_id == job.job_id) {
                continue;
            }
            let Some(due) = self.due(job, now)? else { continue };
            let claim = self
                .store
                .claim(
                    job,
                    due.run,
                    &due.missed,
                    due.until,
                    &self.owner,
                    now,
                    lease_until,
                    false,
                )
                .await?;
            claims.extend(claim);
        }
        if self.is_time_to_look_after(now) {
            self.look_after(now).await?;
            *self.looked_after.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
        Ok(claims)
    }

    /// Runs a claim to its end and records it.
    pub async fn execute(&self, claim: &Claim) -> Result<JobRun> {
        let runner = self.runner()?;
        let work = runner.run(&claim.action);
        tokio::pin!(work);
        let renew_every =
            Duration::from_secs(u64::try_from(self.settings.lease_seconds / 3).unwrap_or(1).max(1));
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = tokio::time::sleep(renew_every) => {
                    let until = self.now() + self.settings.lease_seconds * SECOND;
                    if !self.store.renew(claim, &self.owner, until).await? {
                        break Err(Failure::new(
                            domain::FailureKind::Conflict,
                            "LEASE_LOST",
                            "another server took the job over, because this one did not answer in time",
                        ));
                    }
                }
            }
        };
        let now = self.now();
        let (state, message, retry_at) = match done {
            Ok(message) => ("SUCCEEDED", message, None),
            Err(failure) => {
                let transient = FailureClass::of(failure.kind) == FailureClass::Transient;
                let again = transient && claim.attempts < self.settings.attempts_max;
                let message = format!("{} [{}]", failure.message, failure.reason);
                match again {
                    true => ("RETRYING", message, Some(now + self.retry_wait(claim.attempts))),
                    false => ("FAILED", message, None),
                }
            }
        };
        let recorded = self
            .store
            .finish(claim, &self.owner, state, &message, retry_at, now)
            .await?;
        tracing::info!(
            job.id = claim.job_id,
            job.state = state,
            job.attempts = claim.attempts,
            job.recorded = recorded,
            "a job's run ended"
        );
        let runs = self.store.runs(&claim.job_id, i64::MAX).await?;
        runs.into_iter()
            .find(|r| r.scheduled_at == claim.scheduled_at)
            .ok_or_else(|| ScheduleError::NotFound {
                job_id: claim.job_id.clone(),
            })
    }

    fn retry_wait(&self, attempts: u32) -> i64 {
        let doubled = self
            .settings
            .retry_seconds
            .saturating_mul(1i64.checked_shl(attempts.saturating_sub(1)).unwrap_or(i64::MAX));
        doubled.clamp(1, self.settings.retry_seconds_max) * SECOND
    }

    /// What of a job's scheduled times is to be run now, and which were missed.
    fn due(&self, job: &StoredJob, now: i64) -> Result<Option<Due>> {
        let times = Calendar::parse(&job.cron, &job.zone)?.between(job.scheduled_until, now);
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            return Ok(None);
        };
        let in_time = last >= now - self.settings.grace_seconds * SECOND;
        Ok(Some(match job.catch_up {
            CatchUp::All => Due {
                run: Some(first),
                missed: Vec::new(),
                until: first,
            },
            CatchUp::Skip if !in_time => Due {
                run: None,
                missed: times,
                until: last,
            },
            CatchUp::Latest | CatchUp::Skip => Due {
                run: Some(last),
                missed: times[..times.len() - 1].to_vec(),
                until: last,
            },
        }))
    }

    fn is_time_to_look_after(&self, now: i64) -> bool {
        let last = *self.looked_after.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was put back does not stop it.
        last > now || last.saturating_add(self.settings.look_after_seconds * SECOND) <= now
    }

    /// Makes, changes and removes the jobs that sources ask for with `schedule`. A file of sources that cannot be read
    /// leaves them as they are.
    pub(crate) async fn adopt_sources(&self, now: i64) -> Result<()> {
        let sources = match self.sources.list().await {
            Ok(sources) => sources,
            Err(failure) => {
                tracing::error!(error.reason = failure.reason, error.message = %failure.message, "the sources cannot be read");
                return Ok(());
            }
        };
        let known: BTreeMap<String, StoredJob> = self
            .store
            .jobs()
            .await?
            .into_iter()
            .filter_map(|j| Some((j.of_source.clone()?, j)))
            .collect();
        for source in sources.iter().filter(|s| !s.schedule.is_empty()) {
            if let Err(error) = Calendar::parse(&source.schedule, &source.zone) {
                tracing::error!(error = %error, source.place = source.place, "a source's schedule is wrong");
                continue;
            }
            match known.get(&source.name) {
                None => {
                    let job = StoredJob {
                        job_id: format!("sync-{}", source.name),
                        action: JobAction::Sync {
                            source: source.name.clone(),
                        },
                        cron: source.schedule.clone(),
                        zone: source.zone.clone(),
                        catch_up: CatchUp::Latest,
                        of_source: Some(source.name.clone()),
                        paused: false,
                        scheduled_until: now,
                        lease_owner: None,
                        lease_until: None,
                        lease_run: None,
                    };
                    self.store.insert(&job).await?;
                }
                Some(job) if job.cron != source.schedule || job.zone != source.zone => {
                    self.store
                        .reschedule(&job.job_id, &source.schedule, &source.zone, now)
                        .await?;
                }
                Some(_) => {}
            }
        }
        for (name, job) in &known {
            // One whose table is wrong keeps its job as it was.
            let asks = |s: &SourceInfo| s.name == *name && (!s.schedule.is_empty() || s.problem.is_some());
            if !sources.iter().any(asks) {
                self.store.remove(&job.job_id).await?;
            }
        }
        Ok(())
    }

    /// (job, state, runs) since the store was made, for metrics.
    pub async fn totals(&self) -> Result<Vec<(String, String, i64)>> {
        self.store.totals().await
    }
}

/// What is to be done about a job's scheduled times.
struct Due {
    run: Option<i64>,
    missed: Vec<i64>,
    /// All up to here are accounted for.
    until: i64,
}
