//! Sync reports and quarantined rows.

use domain::ports::{DatasetCounts, Notice, QuarantineEntry, SyncReport};
use proto::v1 as pb;

use super::value::{bilingual_from_proto, bilingual_to_proto};

pub fn report_to_proto(report: &SyncReport) -> pb::SyncReport {
    pb::SyncReport {
        source: report.source.clone(),
        snapshot: report.snapshot,
        datasets: report
            .datasets
            .iter()
            .map(|c| pb::DatasetCounts {
                dataset: c.dataset.clone(),
                read: c.read,
                inserted: c.inserted,
                updated: c.updated,
                unchanged: c.unchanged,
                quarantined: c.quarantined,
            })
            .collect(),
        notices: report
            .notices
            .iter()
            .map(|n| pb::Notice {
                code: n.code.clone(),
                place: n.place.clone(),
                message: Some(bilingual_to_proto(&n.message)),
                count: n.count,
            })
            .collect(),
        quarantine_sample: report.quarantine_sample.iter().map(quarantine_to_proto).collect(),
        elapsed_ms: report.elapsed_ms,
        bytes: report.bytes,
    }
}

pub fn report_from_proto(report: pb::SyncReport) -> SyncReport {
    SyncReport {
        source: report.source,
        snapshot: report.snapshot,
        datasets: report
            .datasets
            .into_iter()
            .map(|c| DatasetCounts {
                dataset: c.dataset,
                read: c.read,
                inserted: c.inserted,
                updated: c.updated,
                unchanged: c.unchanged,
                quarantined: c.quarantined,
            })
            .collect(),
        notices: report
            .notices
            .into_iter()
            .map(|n| Notice {
                code: n.code,
                place: n.place,
                message: bilingual_from_proto(n.message),
                count: n.count,
            })
            .collect(),
        quarantine_sample: report
            .quarantine_sample
            .into_iter()
            .map(quarantine_from_proto)
            .collect(),
        elapsed_ms: report.elapsed_ms,
        bytes: report.bytes,
    }
}

pub fn quarantine_to_proto(entry: &QuarantineEntry) -> pb::QuarantineEntry {
    pb::QuarantineEntry {
        dataset: entry.dataset.clone(),
        file: entry.file.clone(),
        row: entry.row,
        field: entry.field.clone().unwrap_or_default(),
        reason: entry.reason.clone(),
        detail: entry.detail.clone(),
        raw: entry.raw.clone(),
    }
}

pub fn quarantine_from_proto(entry: pb::QuarantineEntry) -> QuarantineEntry {
    QuarantineEntry {
        dataset: entry.dataset,
        file: entry.file,
        row: entry.row,
        field: Some(entry.field).filter(|f| !f.is_empty()),
        reason: entry.reason,
        detail: entry.detail,
        raw: entry.raw,
    }
}
