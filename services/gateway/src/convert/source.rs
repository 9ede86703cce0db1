//! Sources, their syncs and reports.

use domain::ports::DatasetCounts;
use domain::sources::{
    AcceptanceCheck, AcceptanceOutcome, AcceptanceTrial, Alarm, DriftChange, DriftEvent, FailureClass,
    KindInfo, ReconcileReport, ReconciledDataset, SourceInfo, SourceStatus, StreamInfo, SyncFailure, SyncRun,
    SyncState,
};
use proto::v1 as pb;

use super::value::{bilingual_from_proto, bilingual_to_proto};

pub fn kind_to_proto(kind: &KindInfo) -> pb::SourceKind {
    let schema = match &kind.config_schema {
        serde_json::Value::Null => String::new(),
        schema => schema.to_string(),
    };
    pb::SourceKind {
        kind: kind.kind.clone(),
        title: Some(bilingual_to_proto(&kind.title)),
        config_schema_json: schema,
        incremental: kind.incremental,
        lists_keys: kind.lists_keys,
    }
}

pub fn kind_from_proto(kind: pb::SourceKind) -> KindInfo {
    KindInfo {
        kind: kind.kind,
        title: bilingual_from_proto(kind.title),
        config_schema: serde_json::from_str(&kind.config_schema_json).unwrap_or_default(),
        incremental: kind.incremental,
        lists_keys: kind.lists_keys,
    }
}

pub fn source_to_proto(source: &SourceInfo) -> pb::Source {
    pb::Source {
        name: source.name.clone(),
        kind: source.kind.clone(),
        schedule: source.schedule.clone(),
        zone: source.zone.clone(),
        quarantine_limit_bp: source.quarantine_limit_bp,
        silence_seconds: source.silence_seconds,
        place: source.place.clone(),
        problem: source.problem.clone().unwrap_or_default(),
    }
}

pub fn source_from_proto(source: pb::Source) -> SourceInfo {
    SourceInfo {
        name: source.name,
        kind: source.kind,
        schedule: source.schedule,
        zone: source.zone,
        quarantine_limit_bp: source.quarantine_limit_bp,
        silence_seconds: source.silence_seconds,
        place: source.place,
        problem: Some(source.problem).filter(|p| !p.is_empty()),
    }
}

pub fn stream_to_proto(stream: &StreamInfo) -> pb::SourceStream {
    pb::SourceStream {
        place: stream.place.clone(),
        dataset: stream.dataset.clone().unwrap_or_default(),
        bytes: stream.bytes,
        columns: stream
            .columns
            .iter()
            .map(|(name, r#type)| pb::SourceColumn {
                name: name.clone(),
                r#type: r#type.clone(),
            })
            .collect(),
        cursor: stream.cursor.clone().unwrap_or_default(),
    }
}

pub fn stream_from_proto(stream: pb::SourceStream) -> StreamInfo {
    let some = |text: String| Some(text).filter(|t| !t.is_empty());
    StreamInfo {
        place: stream.place,
        dataset: some(stream.dataset),
        bytes: stream.bytes,
        columns: stream.columns.into_iter().map(|c| (c.name, c.r#type)).collect(),
        cursor: some(stream.cursor),
    }
}

fn counts_to_proto(counts: &DatasetCounts) -> pb::DatasetCounts {
    pb::DatasetCounts {
        dataset: counts.dataset.clone(),
        read: counts.read,
        inserted: counts.inserted,
        updated: counts.updated,
        unchanged: counts.unchanged,
        quarantined: counts.quarantined,
    }
}

fn counts_from_proto(counts: pb::DatasetCounts) -> DatasetCounts {
    DatasetCounts {
        dataset: counts.dataset,
        read: counts.read,
        inserted: counts.inserted,
        updated: counts.updated,
        unchanged: counts.unchanged,
        quarantined: counts.quarantined,
    }
}

pub fn sync_run_to_proto(run: &SyncRun) -> pb::SyncRun {
    let state = match run.state {
        SyncState::Running => pb::SyncState::Running,
        SyncState::Succeeded => pb::SyncState::Succeeded,
        SyncState::Failed => pb::SyncState::Failed,
        SyncState::Interrupted => pb::SyncState::Interrupted,
    };
    pb::SyncRun {
        run_id: run.run_id.clone(),
        source: run.source.clone(),
        state: state.into(),
        started_at: run.started_at,
        ended_at: run.ended_at,
        commits: run.commits,
        snapshot: run.snapshot,
        datasets: run.datasets.iter().map(counts_to_proto).collect(),
        bytes: run.bytes,
        cursors_before: run.cursors_before.clone(),
        cursors_after: run.cursors_after.clone(),
        failure: run.failure.as_ref().map(|f| pb::SyncFailure {
            class: f.class.name().to_owned(),
            reason: f.reason.clone(),
            message: f.message.clone(),
        }),
        drift: run.drift.iter().map(drift_to_proto).collect(),
    }
}

fn drift_to_proto(event: &DriftEvent) -> pb::DriftEvent {
    pb::DriftEvent {
        change: event.change.name().to_owned(),
        place: event.place.clone(),
        message: Some(bilingual_to_proto(&event.message)),
    }
}

/// None: a change that this program does not know.
fn drift_from_proto(event: pb::DriftEvent) -> Option<DriftEvent> {
    Some(DriftEvent {
        change: DriftChange::parse(&event.change)?,
        place: event.place,
        message: bilingual_from_proto(event.message),
    })
}

pub fn sync_run_from_proto(run: pb::SyncRun) -> SyncRun {
    let state = match run.state() {
        pb::SyncState::Succeeded => SyncState::Succeeded,
        pb::SyncState::Failed => SyncState::Failed,
        pb::SyncState::Interrupted => SyncState::Interrupted,
        pb::SyncState::Running | pb::SyncState::Unspecified => SyncState::Running,
    };
    SyncRun {
        run_id: run.run_id,
        source: run.source,
        state,
        started_at: run.started_at,
        ended_at: run.ended_at,
        commits: run.commits,
        snapshot: run.snapshot,
        datasets: run.datasets.into_iter().map(counts_from_proto).collect(),
        bytes: run.bytes,
        cursors_before: run.cursors_before,
        cursors_after: run.cursors_after,
        failure: run.failure.map(|f| SyncFailure {
            class: FailureClass::parse(&f.class).unwrap_or(FailureClass::System),
            reason: f.reason,
            message: f.message,
        }),
        drift: run.drift.into_iter().filter_map(drift_from_proto).collect(),
    }
}

pub fn alarm_to_proto(alarm: &Alarm) -> pb::Alarm {
    pb::Alarm {
        code: alarm.code.clone(),
        subject: alarm.subject.clone(),
        message: Some(bilingual_to_proto(&alarm.message)),
        raised_at: alarm.raised_at,
        cleared_at: alarm.cleared_at,
    }
}

pub fn alarm_from_proto(alarm: pb::Alarm) -> Alarm {
    Alarm {
        code: alarm.code,
        subject: alarm.subject,
        message: bilingual_from_proto(alarm.message),
        raised_at: alarm.raised_at,
        cleared_at: alarm.cleared_at,
    }
}

pub fn status_to_proto(status: &SourceStatus) -> pb::SourceStatus {
    pb::SourceStatus {
        source: Some(source_to_proto(&status.source)),
        last_run: status.last_run.as_ref().map(sync_run_to_proto),
        last_success_at: status.last_success_at,
        last_rows_at: status.last_rows_at,
        failures: status.failures,
        totals: Some(pb::DatasetCounts {
            dataset: String::new(),
            read: status.read,
            inserted: status.inserted,
            updated: status.updated,
            unchanged: status.unchanged,
            quarantined: status.quarantined,
        }),
        conserved: status.conserved,
        alarms: status.alarms.iter().map(alarm_to_proto).collect(),
        drift: status.drift.iter().map(drift_to_proto).collect(),
        drift_at: status.drift_at,
    }
}

pub fn status_from_proto(status: pb::SourceStatus) -> SourceStatus {
    let totals = status.totals.unwrap_or_default();
    SourceStatus {
        source: status.source.map(source_from_proto).unwrap_or_default(),
        last_run: status.last_run.map(sync_run_from_proto),
        last_success_at: status.last_success_at,
        // For the scheduler beside the sources alone.
        first_run_at: None,
        last_rows_at: status.last_rows_at,
        failures: status.failures,
        read: totals.read,
        inserted: totals.inserted,
        updated: totals.updated,
        unchanged: totals.unchanged,
        quarantined: totals.quarantined,
        conserved: status.conserved,
        alarms: status.alarms.into_iter().map(alarm_from_proto).collect(),
        drift: status.drift.into_iter().filter_map(drift_from_proto).collect(),
        drift_at: status.drift_at,
    }
}

pub fn reconcile_to_proto(report: &ReconcileReport) -> pb::ReconcileReport {
    pb::ReconcileReport {
        source: report.source.clone(),
        snapshot: report.snapshot,
        datasets: report
            .datasets
            .iter()
            .map(|d| pb::ReconciledDataset {
                dataset: d.dataset.clone(),
                at_source: d.at_source,
                in_lake: d.in_lake,
                withdrawn: d.withdrawn,
            })
            .collect(),
        elapsed_ms: report.elapsed_ms,
    }
}

pub fn reconcile_from_proto(report: pb::ReconcileReport) -> ReconcileReport {
    ReconcileReport {
        source: report.source,
        snapshot: report.snapshot,
        datasets: report
            .datasets
            .into_iter()
            .map(|d| ReconciledDataset {
                dataset: d.dataset,
                at_source: d.at_source,
                in_lake: d.in_lake,
                withdrawn: d.withdrawn,
            })
            .collect(),
        elapsed_ms: report.elapsed_ms,
    }
}

pub fn trial_from_proto(trial: pb::AcceptanceTrial) -> AcceptanceTrial {
    match trial {
        pb::AcceptanceTrial::Unspecified => AcceptanceTrial::Suite,
        pb::AcceptanceTrial::LateCommit => AcceptanceTrial::LateCommit,
        pb::AcceptanceTrial::Unsorted => AcceptanceTrial::Unsorted,
        pb::AcceptanceTrial::SchemaDrift => AcceptanceTrial::SchemaDrift,
    }
}

pub fn acceptance_to_proto(check: &AcceptanceCheck) -> pb::AcceptanceCheck {
    pb::AcceptanceCheck {
        name: check.name.clone(),
        outcome: check.outcome.name().to_owned(),
        detail: check.detail.clone(),
    }
}

pub fn acceptance_from_proto(check: pb::AcceptanceCheck) -> AcceptanceCheck {
    let outcomes = [AcceptanceOutcome::Passed, AcceptanceOutcome::Skipped];
    AcceptanceCheck {
        outcome: outcomes
            .into_iter()
            .find(|o| o.name() == check.outcome)
            .unwrap_or(AcceptanceOutcome::Failed),
        name: check.name,
        detail: check.detail,
    }
}
