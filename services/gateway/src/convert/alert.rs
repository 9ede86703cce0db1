//! Alerts, their events and explanations.

use domain::alert::{Alert, AlertEvent, AlertEventKind, AlertState};
use domain::hit::{EvidenceRow, UncertainMention};
use domain::ports::AlertExplanation;
use domain::rule::Severity;
use proto::v1 as pb;

use super::value::{
    bilingual_from_proto, bilingual_to_proto, map_from_proto, map_to_proto, value_from_proto, value_to_proto,
};
use super::{WireError, date};

pub fn alert_to_proto(alert: &Alert) -> pb::Alert {
    pb::Alert {
        alert_id: alert.alert_id.clone(),
        fingerprint: alert.fingerprint.clone(),
        rule_id: alert.rule_id.clone(),
        rule_version: alert.rule_version,
        severity: super::rule::severity(alert.severity).into(),
        state: state(alert.state).into(),
        episode: alert.episode,
        first_seen: alert.first_seen.to_string(),
        last_seen: alert.last_seen.to_string(),
        as_of: alert.as_of.to_string(),
        hospital_id: alert.hospital_id.clone(),
        identity: map_to_proto(&alert.identity),
        subject: map_to_proto(&alert.subject),
        amount_at_risk: alert.amount_at_risk.clone(),
        message: Some(bilingual_to_proto(&alert.message)),
        path: alert.path.iter().map(value_to_proto).collect(),
        evidence: alert.evidence.iter().map(evidence_to_proto).collect(),
    }
}

pub fn alert_from_proto(alert: pb::Alert) -> Result<Alert, WireError> {
    let severity = match alert.severity() {
        pb::Severity::Low => Severity::Low,
        pb::Severity::Medium => Severity::Medium,
        pb::Severity::High => Severity::High,
        pb::Severity::Unspecified => return Err(WireError::new("alert.severity", alert.severity)),
    };
    let state = match alert.state() {
        pb::AlertState::Open => AlertState::Open,
        pb::AlertState::Cleared => AlertState::Cleared,
        pb::AlertState::Stale => AlertState::Stale,
        pb::AlertState::Withdrawn => AlertState::Withdrawn,
        pb::AlertState::Closed => AlertState::Closed,
        pb::AlertState::Unspecified => return Err(WireError::new("alert.state", alert.state)),
    };
    Ok(Alert {
        first_seen: date("alert.first_seen", &alert.first_seen)?,
        last_seen: date("alert.last_seen", &alert.last_seen)?,
        as_of: date("alert.as_of", &alert.as_of)?,
        alert_id: alert.alert_id,
        fingerprint: alert.fingerprint,
        rule_id: alert.rule_id,
        rule_version: alert.rule_version,
        severity,
        state,
        episode: alert.episode,
        hospital_id: alert.hospital_id,
        identity: map_from_proto(alert.identity),
        subject: map_from_proto(alert.subject),
        amount_at_risk: alert.amount_at_risk,
        message: bilingual_from_proto(alert.message),
        path: alert.path.into_iter().map(value_from_proto).collect(),
        evidence: alert.evidence.into_iter().map(evidence_from_proto).collect(),
    })
}

fn evidence_to_proto(row: &EvidenceRow) -> pb::EvidenceRow {
    pb::EvidenceRow {
        dataset: row.dataset.clone(),
        key: map_to_proto(&row.key),
        source: row.source.clone(),
        batch: row.batch.clone(),
        row: row.row,
        hash: row.hash.clone(),
        values: map_to_proto(&row.values),
        uncertain: row.uncertain.iter().map(uncertain_to_proto).collect(),
    }
}

fn uncertain_to_proto(mention: &UncertainMention) -> pb::UncertainMention {
    pb::UncertainMention {
        slot: mention.slot.clone(),
        party_key: mention.party_key.clone(),
        certainty_bp: mention.certainty_bp.into(),
    }
}

fn evidence_from_proto(row: pb::EvidenceRow) -> EvidenceRow {
    EvidenceRow {
        dataset: row.dataset,
        key: map_from_proto(row.key),
        source: row.source,
        batch: row.batch,
        row: row.row,
        hash: row.hash,
        values: map_from_proto(row.values),
        uncertain: row.uncertain.into_iter().map(uncertain_from_proto).collect(),
    }
}

fn uncertain_from_proto(mention: pb::UncertainMention) -> UncertainMention {
    UncertainMention {
        slot: mention.slot,
        party_key: mention.party_key,
        certainty_bp: u16::try_from(mention.certainty_bp).unwrap_or(u16::MAX),
    }
}

fn state(state: AlertState) -> pb::AlertState {
    match state {
        AlertState::Open => pb::AlertState::Open,
        AlertState::Cleared => pb::AlertState::Cleared,
        AlertState::Stale => pb::AlertState::Stale,
        AlertState::Withdrawn => pb::AlertState::Withdrawn,
        AlertState::Closed => pb::AlertState::Closed,
    }
}

pub fn alert_event_to_proto(event: &AlertEvent) -> pb::AlertEvent {
    let kind = match event.kind {
        AlertEventKind::Opened => pb::AlertEventKind::Opened,
        AlertEventKind::Updated => pb::AlertEventKind::Updated,
        AlertEventKind::Reopened => pb::AlertEventKind::Reopened,
        AlertEventKind::Cleared => pb::AlertEventKind::Cleared,
        AlertEventKind::Stale => pb::AlertEventKind::Stale,
        AlertEventKind::Withdrawn => pb::AlertEventKind::Withdrawn,
        AlertEventKind::Closed => pb::AlertEventKind::Closed,
    };
    pb::AlertEvent {
        revision: event.revision,
        kind: kind.into(),
        alert: Some(alert_to_proto(&event.alert)),
    }
}

pub fn alert_event_from_proto(event: pb::AlertEvent) -> Result<AlertEvent, WireError> {
    let kind = match event.kind() {
        pb::AlertEventKind::Opened => AlertEventKind::Opened,
        pb::AlertEventKind::Updated => AlertEventKind::Updated,
        pb::AlertEventKind::Reopened => AlertEventKind::Reopened,
        pb::AlertEventKind::Cleared => AlertEventKind::Cleared,
        pb::AlertEventKind::Stale => AlertEventKind::Stale,
        pb::AlertEventKind::Withdrawn => AlertEventKind::Withdrawn,
        pb::AlertEventKind::Closed => AlertEventKind::Closed,
        pb::AlertEventKind::Unspecified => return Err(WireError::new("event.kind", event.kind)),
    };
    let alert = event
        .alert
        .ok_or_else(|| WireError::new("event.alert", "absent"))?;
    Ok(AlertEvent {
        revision: event.revision,
        kind,
        alert: alert_from_proto(alert)?,
    })
}

pub fn explanation_to_proto(explanation: &AlertExplanation) -> pb::ExplainAlertResponse {
    pb::ExplainAlertResponse {
        alert: Some(alert_to_proto(&explanation.alert)),
        rule_text: explanation.rule_text.clone(),
        rule_hash: explanation.rule_hash.clone(),
        params: map_to_proto(&explanation.params),
        snapshot: explanation.snapshot,
        as_of: explanation.as_of.to_string(),
        bundle_hash: explanation.bundle_hash.clone(),
        table_versions: explanation.table_versions.clone(),
        evidence_digest: explanation.evidence_digest.clone(),
        occurrences: explanation
            .occurrences
            .iter()
            .map(|(run_id, as_of, rule_version, digest)| pb::Occurrence {
                run_id: run_id.clone(),
                as_of: as_of.to_string(),
                rule_version: *rule_version,
                evidence_digest: digest.clone(),
            })
            .collect(),
        closures: explanation
            .closures
            .iter()
            .map(|closure| pb::Closure {
                actor: closure.actor.clone(),
                reason: closure.reason.clone(),
                closed_at: closure.closed_at.clone(),
            })
            .collect(),
    }
}
