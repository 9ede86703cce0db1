//! Recorded runs.

use domain::alert::RuleCounts;
use domain::hit::RuleState;
use domain::ports::{BacktestHit, BacktestPoint, BacktestReport, RuleRunRecord, RunPreview, RunRecord};
use proto::v1 as pb;

use super::alert::{alert_event_from_proto, alert_event_to_proto};
use super::value::{bilingual_from_proto, bilingual_to_proto, map_from_proto, map_to_proto};
use super::{WireError, date};

pub fn run_to_proto(run: &RunRecord) -> pb::RunRecord {
    pb::RunRecord {
        run_id: run.run_id.clone(),
        snapshot: run.snapshot,
        as_of: run.as_of.to_string(),
        bundle_hash: run.bundle_hash.clone(),
        rules: run.rules.iter().map(rule_run_to_proto).collect(),
    }
}

pub fn run_preview_to_proto(preview: &RunPreview) -> pb::RunPreview {
    pb::RunPreview {
        run: Some(run_to_proto(&preview.run)),
        events: preview.events.iter().map(alert_event_to_proto).collect(),
        events_total: preview.events_total,
    }
}

pub fn run_preview_from_proto(preview: pb::RunPreview) -> Result<RunPreview, WireError> {
    Ok(RunPreview {
        run: run_from_proto(preview.run.unwrap_or_default())?,
        events: preview
            .events
            .into_iter()
            .map(alert_event_from_proto)
            .collect::<Result<_, _>>()?,
        events_total: preview.events_total,
    })
}

pub fn run_from_proto(run: pb::RunRecord) -> Result<RunRecord, WireError> {
    Ok(RunRecord {
        as_of: date("run.as_of", &run.as_of)?,
        run_id: run.run_id,
        snapshot: run.snapshot,
        bundle_hash: run.bundle_hash,
        rules: run
            .rules
            .into_iter()
            .map(rule_run_from_proto)
            .collect::<Result<_, _>>()?,
    })
}

pub fn backtest_to_proto(report: &BacktestReport) -> pb::BacktestReport {
    let point = |point: &BacktestPoint| pb::BacktestPoint {
        as_of: point.as_of.to_string(),
        state: state_to_proto(point.state).into(),
        reason_code: point
            .reason
            .as_ref()
            .map(|(code, _)| code.clone())
            .unwrap_or_default(),
        reason: point.reason.as_ref().map(|(_, text)| bilingual_to_proto(text)),
        hits: point.hits,
        begun: point.begun,
        ended: point.ended,
        elapsed_ms: point.elapsed_ms,
    };
    let hit = |hit: &BacktestHit| pb::BacktestHit {
        identity: map_to_proto(&hit.identity),
        message: Some(bilingual_to_proto(&hit.message)),
        amount_at_risk: hit.amount_at_risk.clone(),
        first_day: hit.first_day.to_string(),
        last_day: hit.last_day.to_string(),
    };
    pb::BacktestReport {
        rule_id: report.rule_id.clone(),
        rule_version: report.rule_version,
        snapshot: report.snapshot,
        points: report.points.iter().map(point).collect(),
        hits: report.hits.iter().map(hit).collect(),
        hits_total: report.hits_total,
    }
}

pub fn backtest_from_proto(report: pb::BacktestReport) -> Result<BacktestReport, WireError> {
    let point = |point: pb::BacktestPoint| {
        Ok(BacktestPoint {
            as_of: date("backtest.as_of", &point.as_of)?,
            state: state_from_proto(point.state())?,
            reason: point
                .reason
                .map(|text| (point.reason_code, bilingual_from_proto(Some(text)))),
            hits: point.hits,
            begun: point.begun,
            ended: point.ended,
            elapsed_ms: point.elapsed_ms,
        })
    };
    let hit = |hit: pb::BacktestHit| {
        Ok(BacktestHit {
            identity: map_from_proto(hit.identity),
            message: bilingual_from_proto(hit.message),
            amount_at_risk: hit.amount_at_risk,
            first_day: date("backtest.first_day", &hit.first_day)?,
            last_day: date("backtest.last_day", &hit.last_day)?,
        })
    };
    Ok(BacktestReport {
        points: report
            .points
            .into_iter()
            .map(point)
            .collect::<Result<_, WireError>>()?,
        hits: report
            .hits
            .into_iter()
            .map(hit)
            .collect::<Result<_, WireError>>()?,
        rule_id: report.rule_id,
        rule_version: report.rule_version,
        snapshot: report.snapshot,
        hits_total: report.hits_total,
    })
}

fn state_to_proto(state: RuleState) -> pb::RuleState {
    match state {
        RuleState::Evaluated => pb::RuleState::Evaluated,
        RuleState::NotEvaluable => pb::RuleState::NotEvaluable,
        RuleState::Capped => pb::RuleState::Capped,
        RuleState::Failed => pb::RuleState::Failed,
    }
}

fn state_from_proto(state: pb::RuleState) -> Result<RuleState, WireError> {
    match state {
        pb::RuleState::Evaluated => Ok(RuleState::Evaluated),
        pb::RuleState::NotEvaluable => Ok(RuleState::NotEvaluable),
        pb::RuleState::Capped => Ok(RuleState::Capped),
        pb::RuleState::Failed => Ok(RuleState::Failed),
        pb::RuleState::Unspecified => Err(WireError::new("state of a rule", i32::from(state))),
    }
}

fn rule_run_to_proto(rule: &RuleRunRecord) -> pb::RuleRun {
    let counts = &rule.counts;
    pb::RuleRun {
        rule_id: rule.rule_id.clone(),
        rule_version: rule.rule_version,
        rule_hash: rule.rule_hash.clone(),
        state: state_to_proto(rule.state).into(),
        reason_code: rule.reason_code.clone().unwrap_or_default(),
        reason: rule.reason.as_ref().map(bilingual_to_proto),
        hits: counts.hits,
        opened: counts.opened,
        updated: counts.updated,
        changed: counts.changed,
        reopened: counts.reopened,
        suppressed: counts.suppressed,
        capped: counts.capped,
        cleared: counts.cleared,
        stale: counts.stale,
        withdrawn: counts.withdrawn,
        elapsed_ms: rule.elapsed_ms,
    }
}

fn rule_run_from_proto(rule: pb::RuleRun) -> Result<RuleRunRecord, WireError> {
    let state = state_from_proto(rule.state())?;
    Ok(RuleRunRecord {
        rule_id: rule.rule_id,
        rule_version: rule.rule_version,
        rule_hash: rule.rule_hash,
        state,
        reason_code: Some(rule.reason_code).filter(|c| !c.is_empty()),
        reason: rule.reason.map(|r| bilingual_from_proto(Some(r))),
        counts: RuleCounts {
            hits: rule.hits,
            opened: rule.opened,
            updated: rule.updated,
            changed: rule.changed,
            reopened: rule.reopened,
            suppressed: rule.suppressed,
            capped: rule.capped,
            cleared: rule.cleared,
            stale: rule.stale,
            withdrawn: rule.withdrawn,
        },
        elapsed_ms: rule.elapsed_ms,
    })
}
