//! Scheduled jobs.

use domain::Failure;
use domain::sources::{CatchUp, Job, JobAction, JobRun};
use proto::v1 as pb;

pub fn action_to_proto(action: &JobAction) -> pb::JobAction {
    use pb::job_action::Action;
    let action = match action {
        JobAction::Sync { source } => Action::SyncSource(source.clone()),
        JobAction::Reconcile { source } => Action::ReconcileSource(source.clone()),
        JobAction::RunRules { rules, only_changed } => Action::RunRules(pb::RunRulesAction {
            rule_ids: rules.clone(),
            only_changed: *only_changed,
        }),
    };
    pb::JobAction { action: Some(action) }
}

/// Fails when it says nothing.
pub fn action_from_proto(action: Option<pb::JobAction>) -> Result<JobAction, Failure> {
    use pb::job_action::Action;
    match action.and_then(|a| a.action) {
        Some(Action::SyncSource(source)) if !source.is_empty() => Ok(JobAction::Sync { source }),
        Some(Action::ReconcileSource(source)) if !source.is_empty() => Ok(JobAction::Reconcile { source }),
        Some(Action::RunRules(run)) => Ok(JobAction::RunRules {
            rules: run.rule_ids,
            only_changed: run.only_changed,
        }),
        _ => Err(Failure::invalid(
            "INVALID_FIELD",
            "a job says what it does: sync_source, run_rules or reconcile_source",
        )
        .with("field", "action")),
    }
}

pub fn catch_up_to_proto(catch_up: CatchUp) -> pb::CatchUp {
    match catch_up {
        CatchUp::Latest => pb::CatchUp::Latest,
        CatchUp::Skip => pb::CatchUp::Skip,
        CatchUp::All => pb::CatchUp::All,
    }
}

pub fn catch_up_from_proto(catch_up: pb::CatchUp) -> CatchUp {
    match catch_up {
        pb::CatchUp::Latest | pb::CatchUp::Unspecified => CatchUp::Latest,
        pb::CatchUp::Skip => CatchUp::Skip,
        pb::CatchUp::All => CatchUp::All,
    }
}

pub fn job_run_to_proto(run: &JobRun) -> pb::JobRun {
    pb::JobRun {
        job_id: run.job_id.clone(),
        scheduled_at: run.scheduled_at,
        state: run.state.clone(),
        owner: run.owner.clone(),
        attempts: run.attempts,
        started_at: run.started_at,
        ended_at: run.ended_at,
        message: run.message.clone(),
    }
}

pub fn job_run_from_proto(run: pb::JobRun) -> JobRun {
    JobRun {
        job_id: run.job_id,
        scheduled_at: run.scheduled_at,
        state: run.state,
        owner: run.owner,
        attempts: run.attempts,
        started_at: run.started_at,
        ended_at: run.ended_at,
        message: run.message,
    }
}

pub fn job_to_proto(job: &Job) -> pb::Job {
    pb::Job {
        job_id: job.job_id.clone(),
        action: Some(action_to_proto(&job.action)),
        cron: job.cron.clone(),
        zone: job.zone.clone(),
        catch_up: catch_up_to_proto(job.catch_up).into(),
        paused: job.paused,
        next_at: job.next_at,
        last_runs: job.last_runs.iter().map(job_run_to_proto).collect(),
    }
}

/// Fails when its action says nothing.
pub fn job_from_proto(job: pb::Job) -> Result<Job, Failure> {
    Ok(Job {
        catch_up: catch_up_from_proto(job.catch_up()),
        action: action_from_proto(job.action)?,
        job_id: job.job_id,
        cron: job.cron,
        zone: job.zone,
        paused: job.paused,
        next_at: job.next_at,
        last_runs: job.last_runs.into_iter().map(job_run_from_proto).collect(),
    })
}
