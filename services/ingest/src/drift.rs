//! What a sync sees of a source's columns: picked from the notices and rejected rows that connectors send anyway, so that
//! it works for every kind, and kept whether the sync succeeds or fails.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use connector::{Reason, Rejected};
use domain::ports::Notice;
use domain::sources::{DriftChange, DriftEvent};
use domain::{Bilingual, Failure};
use lake::SeenColumn;

/// Places told of one sync, at most; a file of a thousand unknown columns is no list that anybody reads.
const PLACES_MAX: usize = 500;

/// Gathers while a sync runs.
#[derive(Debug, Default)]
pub struct Columns(Mutex<BTreeMap<(DriftChange, String), SeenColumn>>);

impl Columns {
    pub fn notice(&self, notice: &Notice) {
        let (change, is_change) = match notice.code.as_str() {
            "COLUMN_NEW" => (DriftChange::ColumnNew, true),
            "COLUMN_TYPE_CHANGED" => (DriftChange::TypeChanged, true),
            "COLUMN_GONE" => (DriftChange::ColumnGone, true),
            "COLUMN_IGNORED" => (DriftChange::ColumnNew, false),
            "COLUMN_MISSING" => (DriftChange::ColumnGone, false),
            "STREAM_LOST" => (DriftChange::StreamGone, false),
            _ => return,
        };
        self.add(change, is_change, notice.place.clone(), notice.message.clone());
    }

    /// A row, or a file as a whole, that lacks a column.
    pub fn rejected(&self, rejected: &Rejected) {
        if !matches!(rejected.reason, Reason::MissingColumn | Reason::MissingKeyColumn) {
            return;
        }
        let place = match &rejected.field {
            Some(field) => format!("{}: {field}", rejected.file),
            None => rejected.file.to_string(),
        };
        let message = Bilingual::new(
            "必需的列缺失，相关行已隔离；可能已被改名",
            format!(
                "a column that is needed is missing, its rows are quarantined; it may have been renamed: {}",
                rejected.detail
            ),
        );
        self.add(DriftChange::ColumnGone, false, place, message);
    }

    /// A sync that failed because of its columns.
    pub fn failed(&self, failure: &Failure) {
        if failure.reason == "SCHEMA_DRIFT" {
            let message = Bilingual::new(format!("同步失败：{}", failure.message), failure.message.clone());
            self.add(DriftChange::ColumnGone, false, failure.message.clone(), message);
        }
    }

    fn add(&self, change: DriftChange, is_change: bool, place: String, message: Bilingual) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < PLACES_MAX {
            let event = DriftEvent {
                change,
                place: place.clone(),
                message,
            };
            seen.entry((change, place))
                .or_insert(SeenColumn { event, is_change });
        }
    }

    pub fn take(&self) -> Vec<SeenColumn> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen).into_values().collect()
    }
}
