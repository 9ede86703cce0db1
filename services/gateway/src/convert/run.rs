//! Recorded runs.

use domain::alert::RuleCounts;
use domain::hit::RuleState;
use domain::ports::{RuleRunRecord, RunRecord};
use proto::v1 as pb;

use super::value::{bilingual_from_proto, bilingual_to_proto};
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

fn rule_run_to_proto(rule: &RuleRunRecord) -> pb::RuleRun {
    let state = match rule.state {
        RuleState::Evaluated => pb::RuleState::Evaluated,
        RuleState::NotEvaluable => pb::RuleState::NotEvaluable,
        RuleState::Capped => pb::RuleState::Capped,
        RuleState::Failed => pb::RuleState::Failed,
    };
    let counts = &rule.counts;
    pb::RuleRun {
        rule_id: rule.rule_id.clone(),
        rule_version: rule.rule_version,
        rule_hash: rule.rule_hash.clone(),
        state: state.into(),
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
    let state = match rule.state() {
        pb::RuleState::Evaluated => RuleState::Evaluated,
        pb::RuleState::NotEvaluable => RuleState::NotEvaluable,
        pb::RuleState::Capped => RuleState::Capped,
        pb::RuleState::Failed => RuleState::Failed,
        pb::RuleState::Unspecified => return Err(WireError::new("run.rules.state", rule.state)),
    };
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
