//! A clock that is moved by hand, sources that are lists, and a runner that notes what it is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::clock::Clock;
use domain::ports::{Progress, Result, SyncReport};
use domain::sources::*;
use domain::{Failure, FailureKind};
use schedule::{Scheduler, Settings};

pub fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
}

#[derive(Debug)]
pub struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    pub fn new(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(at(text))))
    }

    pub fn set(&self, text: &str) {
        *self.0.lock().expect("a clock") = at(text);
    }

    pub fn add_seconds(&self, seconds: i64) {
        *self.0.lock().expect("a clock") += chrono::TimeDelta::seconds(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("a clock")
    }
}

/// What sources say.
#[derive(Default)]
pub struct FakeSources(pub Mutex<Vec<SourceStatus>>);

impl FakeSources {
    pub fn with(schedule: &str) -> Arc<Self> {
        let sources = Self::default();
        sources.set(schedule, None, None);
        Arc::new(sources)
    }

    pub fn set(&self, schedule: &str, last_success: Option<&str>, last_rows: Option<&str>) {
        let status = SourceStatus {
            source: SourceInfo {
                name: "his".into(),
                schedule: schedule.into(),
                zone: "UTC".into(),
                silence_seconds: Some(48 * 3_600),
                ..SourceInfo::default()
            },
            last_success_at: last_success.map(|t| at(t).timestamp_micros()),
            last_rows_at: last_rows.map(|t| at(t).timestamp_micros()),
            ..SourceStatus::default()
        };
        *self.0.lock().expect("a list") = vec![status];
    }
}

fn never<T>() -> Result<T> {
    Err(Failure::invalid("UNUSED", "the scheduler does not ask for this"))
}

#[async_trait]
impl SourcePort for FakeSources {
    fn kinds(&self) -> Vec<KindInfo> {
        Vec::new()
    }
    async fn list(&self) -> Result<Vec<SourceInfo>> {
        let statuses = self.0.lock().expect("a list");
        Ok(statuses.iter().map(|s| s.source.clone()).collect())
    }
    async fn add(&self, _: NewSource) -> Result<SourceInfo> {
        never()
    }
    async fn remove(&self, _: &str, _: bool) -> Result<()> {
        never()
    }
    async fn reset(&self, _: &str, _: Option<&str>) -> Result<Vec<String>> {
        never()
    }
    async fn check(&self, _: &str) -> Result<()> {
        never()
    }
    async fn discover(&self, _: &str) -> Result<Vec<StreamInfo>> {
        never()
    }
    async fn sync(&self, _: &str, _: Arc<dyn Progress>) -> Result<SyncReport> {
        never()
    }
    async fn reconcile(&self, _: &str, _: bool, _: Arc<dyn Progress>) -> Result<ReconcileReport> {
        never()
    }
    async fn redrive(&self, _: &str, _: Arc<dyn Progress>) -> Result<SyncReport> {
        never()
    }
    async fn accept(
        &self,
        _: &str,
        _: AcceptanceTrial,
        _: Arc<dyn Progress>,
    ) -> Result<Vec<AcceptanceCheck>> {
        never()
    }
    async fn runs(&self, _: Option<String>, _: usize) -> Result<Vec<SyncRun>> {
        never()
    }
    async fn status(&self, _: Option<String>) -> Result<Vec<SourceStatus>> {
        Ok(self.0.lock().expect("a list").clone())
    }
    async fn versions(&self, _: &[String]) -> Result<BTreeMap<String, i64>> {
        never()
    }
}

/// Notes what it is asked for; answers as told, then with success.
#[derive(Default)]
pub struct Runner {
    pub asked: Mutex<Vec<JobAction>>,
    pub answers: Mutex<VecDeque<FailureKind>>,
}

#[async_trait]
impl JobRunner for Runner {
    async fn run(&self, action: &JobAction) -> Result<String> {
        self.asked.lock().expect("a list").push(action.clone());
        match self.answers.lock().expect("a list").pop_front() {
            None => Ok("done".into()),
            Some(kind) => Err(Failure::new(kind, "TOLD_TO_FAIL", "it failed")),
        }
    }
}

/// A scheduler with all that belongs to it.
pub struct Bench {
    pub scheduler: Arc<Scheduler>,
    pub clock: Arc<HandClock>,
    pub sources: Arc<FakeSources>,
    pub runner: Arc<Runner>,
}

pub async fn bench_on(store: &str, clock: Arc<HandClock>, sources: Arc<FakeSources>) -> Bench {
    let scheduler = Scheduler::open_with(store, clock.clone(), sources.clone(), Settings::default())
        .await
        .expect("the store opens");
    let runner = Arc::new(Runner::default());
    scheduler.set_runner(Some(runner.clone()));
    Bench {
        scheduler: Arc::new(scheduler),
        clock,
        sources,
        runner,
    }
}

impl Bench {
    /// Claims what is due and runs it; gives the states it ended in.
    pub async fn tick(&self) -> Vec<String> {
        let mut states = Vec::new();
        for claim in self.scheduler.tick().await.expect("sees what is due") {
            states.push(self.scheduler.execute(&claim).await.expect("is recorded").state);
        }
        states
    }

    /// (scheduled time, state) of a job's runs, oldest first.
    pub async fn runs(&self, job_id: &str) -> Vec<(String, String)> {
        let jobs = self.scheduler.jobs().await.expect("lists");
        let job = jobs.into_iter().find(|j| j.job_id == job_id).expect("is there");
        let shown = |micros: i64| {
            DateTime::<Utc>::from_timestamp_micros(micros)
                .expect("a time")
                .format("%d %H:%M")
                .to_string()
        };
        job.last_runs
            .into_iter()
            .rev()
            .map(|r| (shown(r.scheduled_at), r.state))
            .collect()
    }

    pub async fn alarms(&self) -> Vec<(String, String)> {
        let alarms = self.scheduler.alarms(false).await.expect("lists");
        alarms.into_iter().map(|a| (a.code, a.subject)).collect()
    }

    pub fn asked(&self) -> usize {
        self.runner.asked.lock().expect("a list").len()
    }
}

pub fn job(cron: &str, catch_up: CatchUp) -> NewJob {
    NewJob {
        job_id: "job".into(),
        action: JobAction::RunRules {
            rules: Vec::new(),
            only_changed: false,
        },
        cron: cron.into(),
        zone: "UTC".into(),
        catch_up,
    }
}
