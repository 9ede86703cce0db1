//! Stand-ins for sources and jobs: one source, `his`, whose sync counts as a push; jobs in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::ports::{DatasetCounts, Progress, Result, SyncReport};
use domain::sources::*;
use domain::{Bilingual, Failure};

use crate::fakes::World;

fn his() -> SourceInfo {
    SourceInfo {
        name: "his".into(),
        kind: "files".into(),
        schedule: "0 2 * * *".into(),
        zone: "Asia/Shanghai".into(),
        quarantine_limit_bp: Some(50),
        silence_seconds: Some(86_400),
        place: "sources.toml, [sources.his]".into(),
        problem: None,
    }
}

fn known(name: &str) -> Result<()> {
    match name {
        "his" => Ok(()),
        _ => Err(Failure::not_found(
            "SOURCE_NOT_FOUND",
            format!("no source {name}"),
        )),
    }
}

fn counts() -> DatasetCounts {
    DatasetCounts {
        dataset: "purchase_orders".into(),
        read: 4,
        inserted: 1,
        updated: 1,
        unchanged: 1,
        quarantined: 1,
    }
}

#[async_trait]
impl SourcePort for World {
    fn kinds(&self) -> Vec<KindInfo> {
        vec![KindInfo {
            kind: "files".into(),
            title: domain::Bilingual::new("文件", "files"),
            config_schema: serde_json::json!({"type": "object"}),
            incremental: false,
            lists_keys: true,
        }]
    }

    async fn list(&self) -> Result<Vec<SourceInfo>> {
        Ok(vec![his()])
    }

    async fn add(&self, source: NewSource) -> Result<SourceInfo> {
        Ok(SourceInfo {
            name: source.name,
            place: source.toml,
            ..SourceInfo::default()
        })
    }

    async fn remove(&self, name: &str, _: bool) -> Result<()> {
        known(name)
    }

    async fn reset(&self, name: &str, stream: Option<&str>) -> Result<Vec<String>> {
        known(name)?;
        Ok(vec![stream.unwrap_or("orders").to_owned()])
    }

    async fn check(&self, name: &str) -> Result<()> {
        known(name)
    }

    async fn discover(&self, name: &str) -> Result<Vec<StreamInfo>> {
        known(name)?;
        Ok(vec![StreamInfo {
            place: "orders".into(),
            dataset: Some("purchase_orders".into()),
            columns: vec![("id".into(), "int".into())],
            ..StreamInfo::default()
        }])
    }

    async fn sync(&self, name: &str, _: Arc<dyn Progress>) -> Result<SyncReport> {
        known(name)?;
        Ok(SyncReport {
            source: name.into(),
            snapshot: 7,
            datasets: vec![counts()],
            ..SyncReport::default()
        })
    }

    async fn reconcile(&self, name: &str, any_share: bool, _: Arc<dyn Progress>) -> Result<ReconcileReport> {
        known(name)?;
        Ok(ReconcileReport {
            source: name.into(),
            snapshot: 8,
            datasets: vec![ReconciledDataset {
                dataset: "purchase_orders".into(),
                at_source: 3,
                in_lake: 4,
                withdrawn: u64::from(any_share),
            }],
            elapsed_ms: 1,
        })
    }

    async fn redrive(&self, name: &str, progress: Arc<dyn Progress>) -> Result<SyncReport> {
        SourcePort::sync(self, name, progress).await
    }

    async fn accept(
        &self,
        name: &str,
        _: AcceptanceTrial,
        _: Arc<dyn Progress>,
    ) -> Result<Vec<AcceptanceCheck>> {
        known(name)?;
        let check = |name: &str, outcome| AcceptanceCheck {
            name: name.into(),
            outcome,
            detail: "d".into(),
        };
        Ok(vec![
            check("check_ok", AcceptanceOutcome::Passed),
            check("keys_unique", AcceptanceOutcome::Failed),
            check("keys_listed", AcceptanceOutcome::Skipped),
        ])
    }

    async fn runs(&self, source: Option<String>, limit: usize) -> Result<Vec<SyncRun>> {
        let run = |n: usize| SyncRun {
            run_id: format!("sync-{n}"),
            source: source.clone().unwrap_or_else(|| "his".into()),
            state: SyncState::Failed,
            started_at: 1_000,
            ended_at: Some(2_000),
            commits: 2,
            snapshot: Some(7),
            datasets: vec![counts()],
            bytes: 9,
            cursors_before: BTreeMap::from([("orders".into(), "1".into())]),
            cursors_after: BTreeMap::from([("orders".into(), "2".into())]),
            failure: Some(SyncFailure {
                class: FailureClass::Transient,
                reason: "SOURCE_DOWN".into(),
                message: "it is down".into(),
            }),
            drift: vec![DriftEvent {
                change: DriftChange::ColumnNew,
                place: "orders: mood".into(),
                message: Bilingual::new("新列", "a new column"),
            }],
        };
        Ok((0..120).map(run).take(limit).collect())
    }

    async fn status(&self, source: Option<String>) -> Result<Vec<SourceStatus>> {
        source.as_deref().map(known).transpose()?;
        Ok(vec![SourceStatus {
            source: his(),
            last_run: self.runs(None, 1).await?.pop(),
            last_success_at: Some(5),
            failures: 1,
            read: 4,
            quarantined: 1,
            conserved: true,
            ..SourceStatus::default()
        }])
    }

    async fn versions(&self, datasets: &[String]) -> Result<BTreeMap<String, i64>> {
        Ok(datasets.iter().map(|d| (d.clone(), 7)).collect())
    }
}

fn job(job_id: &str) -> Job {
    Job {
        job_id: job_id.into(),
        action: JobAction::RunRules {
            rules: vec!["OFF-01".into()],
            only_changed: true,
        },
        cron: "0 3 * * *".into(),
        zone: "Asia/Shanghai".into(),
        catch_up: CatchUp::Skip,
        paused: false,
        next_at: Some(9),
        last_runs: vec![job_run(job_id)],
    }
}

fn job_run(job_id: &str) -> JobRun {
    JobRun {
        job_id: job_id.into(),
        scheduled_at: 3,
        state: "SUCCEEDED".into(),
        owner: "server-1".into(),
        attempts: 2,
        started_at: Some(4),
        ended_at: Some(5),
        message: "done".into(),
    }
}

#[async_trait]
impl SchedulePort for World {
    async fn jobs(&self) -> Result<Vec<Job>> {
        Ok(vec![job("run-rules")])
    }

    async fn add(&self, new: NewJob) -> Result<Job> {
        Ok(Job {
            action: new.action,
            cron: new.cron,
            zone: new.zone,
            catch_up: new.catch_up,
            ..job(&new.job_id)
        })
    }

    async fn pause(&self, job_id: &str) -> Result<Job> {
        Ok(Job {
            paused: true,
            next_at: None,
            ..job(job_id)
        })
    }

    async fn resume(&self, job_id: &str) -> Result<Job> {
        Ok(job(job_id))
    }

    async fn remove(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn run_now(&self, job_id: &str) -> Result<JobRun> {
        Ok(job_run(job_id))
    }

    async fn alarms(&self, _: bool) -> Result<Vec<Alarm>> {
        Ok(vec![Alarm {
            code: "SOURCE_SILENT".into(),
            subject: "his".into(),
            message: domain::Bilingual::new("静默", "silent"),
            raised_at: 6,
            cleared_at: None,
        }])
    }
}
