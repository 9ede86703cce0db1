//! The scheduler: what is due, who runs it, what becomes of a failure, and what an operator must be told.
//!
//! [`Scheduler::tick`] claims what is due at the clock's present time, [`Scheduler::execute`] runs one claim, and
//! [`Scheduler::run`] does both until it is told to stop. Time comes from the clock alone, so tests move it by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::clock::Clock;
use domain::ports;
use domain::sources::{
    Alarm, CatchUp, FailureClass, Job, JobAction, JobRun, JobRunner, NewJob, SchedulePort, SourceInfo,
    SourcePort,
};
use domain::{Bilingual, Failure};
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendar;
use crate::error::{Result, ScheduleError};
use crate::store::{Claim, Store, StoredJob};

const SECOND: i64 = 1_000_000;
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";
const JOB_ID_CHARS_MAX: usize = 64;
/// Runs that a job is shown with.
const LAST_RUNS: i64 = 5;

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

/// The service behind [`SchedulePort`]. Share it in an `Arc`.
pub struct Scheduler {
    store: Store,
    clock: Arc<dyn Clock>,
    sources: Arc<dyn SourcePort>,
    settings: Settings,
    /// Names this server in leases.
    owner: String,
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

    fn runner(&self) -> Result<Arc<dyn JobRunner>> {
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

    fn now(&self) -> i64 {
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
    async fn adopt_sources(&self, now: i64) -> Result<()> {
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

    /// Raises and clears alarms.
    async fn look_after(&self, now: i64) -> Result<()> {
        for job in self.store.jobs().await? {
            let calendar = Calendar::parse(&job.cron, &job.zone)?;
            let waiting = match job.paused {
                true => 0,
                false => calendar.between(job.scheduled_until, now).len(),
            };
            let runs = self.store.runs(&job.job_id, 3).await?;
            let missed = runs
                .iter()
                .filter(|r| !matches!(r.state.as_str(), "RUNNING" | "RETRYING"))
                .take_while(|r| matches!(r.state.as_str(), "MISSED" | "LOST"))
                .count();
            if missed + waiting >= 2 {
                let message = Bilingual::new(
                    format!("任务 {} 连续两次未按时运行", job.job_id),
                    format!("job {} was not run at its last two scheduled times", job.job_id),
                );
                self.store.raise("JOB_MISSED", &job.job_id, &message, now).await?;
            } else if missed + waiting == 0 {
                self.store.clear("JOB_MISSED", &job.job_id, now).await?;
            }
        }
        let statuses = match self.sources.status(None).await {
            Ok(statuses) => statuses,
            Err(failure) => {
                tracing::error!(error.reason = failure.reason, error.message = %failure.message, "the sources' state cannot be read");
                return Ok(());
            }
        };
        let jobs = self.store.jobs().await?;
        for status in statuses {
            let name = &status.source.name;
            match &status.source.problem {
                Some(problem) => {
                    let message = Bilingual::new(
                        format!("来源 {name} 的配置有误，未同步：{problem}"),
                        format!("the configuration of source {name} is wrong, it is not synced: {problem}"),
                    );
                    self.store
                        .raise("SOURCE_MISCONFIGURED", name, &message, now)
                        .await?;
                }
                None => self.store.clear("SOURCE_MISCONFIGURED", name, now).await?,
            }
            let job = jobs
                .iter()
                .find(|j| j.action == JobAction::Sync { source: name.clone() } && !j.paused);
            let since = status.last_success_at.or(status.first_run_at);
            let two_periods = job
                .and_then(|j| Calendar::parse(&j.cron, &j.zone).ok()?.period(now))
                .map(|period| period.saturating_mul(2));
            let late = two_periods
                .zip(since)
                .filter(|(allowed, since)| now - since > *allowed)
                .map(|(_, since)| (since, "synced"));
            let quiet = status
                .source
                .silence_seconds
                .map(|s| i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(SECOND))
                .zip(status.last_rows_at)
                .filter(|(allowed, since)| now - since > *allowed)
                .map(|(_, since)| (since, "rows"));
            match late.or(quiet) {
                Some((since, what)) => {
                    let (zh, en) = lapse(now - since);
                    let message = match what {
                        "synced" => Bilingual::new(
                            format!("来源 {name} 已有两个周期（{zh}）没有成功同步"),
                            format!("source {name} has not synced for two periods ({en})"),
                        ),
                        _ => Bilingual::new(
                            format!("来源 {name} 已有 {zh}没有新数据"),
                            format!("source {name} has sent no new row for {en}"),
                        ),
                    };
                    self.store.raise("SOURCE_SILENT", name, &message, now).await?;
                }
                None => self.store.clear("SOURCE_SILENT", name, now).await?,
            }
        }
        Ok(())
    }

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

    /// (job, state, runs) since the store was made, for metrics.
    pub async fn totals(&self) -> Result<Vec<(String, String, i64)>> {
        self.store.totals().await
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

/// How long that is, in Chinese and English: in minutes below two hours, in hours below two days, else in days.
fn lapse(micros: i64) -> (String, String) {
    let minutes = micros / (60 * SECOND);
    match minutes {
        ..120 => (format!("{minutes} 分钟"), format!("{minutes} min")),
        120..2_880 => (format!("{} 小时", minutes / 60), format!("{} h", minutes / 60)),
        _ => (
            format!("{} 天", minutes / 1_440),
            format!("{} days", minutes / 1_440),
        ),
    }
}

/// What is to be done about a job's scheduled times.
struct Due {
    run: Option<i64>,
    missed: Vec<i64>,
    /// All up to here are accounted for.
    until: i64,
}

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
