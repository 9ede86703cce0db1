//! Between wire types and domain types; parse here, then trust.
//!
//! `*_to_proto` never fails. `*_from_proto` is what clients use to read answers and fails only when the other side
//! breaks the protocol.

mod alert;
mod job;
mod operation;
mod rule;
mod run;
mod screening;
mod source;
mod sync;
mod value;

use chrono::NaiveDate;
use domain::Failure;

pub use alert::{
    alert_event_from_proto, alert_event_to_proto, alert_from_proto, alert_to_proto, explanation_to_proto,
};
pub use job::{
    action_from_proto, action_to_proto, catch_up_from_proto, catch_up_to_proto, job_from_proto,
    job_run_from_proto, job_run_to_proto, job_to_proto,
};
pub use operation::{code_of_error, error_to_proto, progress_to_proto};
pub use rule::{case_to_proto, mutant_to_proto, rule_to_proto};
pub use run::{
    backtest_from_proto, backtest_to_proto, run_from_proto, run_preview_from_proto, run_preview_to_proto,
    run_to_proto,
};
pub use screening::{check_to_proto, question_from_proto, screening_to_proto, verdict_to_proto};
pub use source::{
    acceptance_from_proto, acceptance_to_proto, alarm_from_proto, alarm_to_proto, kind_from_proto,
    kind_to_proto, reconcile_from_proto, reconcile_to_proto, source_from_proto, source_to_proto,
    status_from_proto, status_to_proto, stream_from_proto, stream_to_proto, sync_run_from_proto,
    sync_run_to_proto, trial_from_proto,
};
pub use sync::{quarantine_from_proto, quarantine_to_proto, report_from_proto, report_to_proto};
pub use value::{
    bilingual_from_proto, bilingual_to_proto, map_from_proto, map_to_proto, value_from_proto, value_to_proto,
};

/// A field of an answer that the protocol does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server's answer cannot be read: {field} is {found:?}; client and server are of different versions"
)]
pub struct WireError {
    pub field: &'static str,
    pub found: String,
}

impl WireError {
    fn new(field: &'static str, found: impl ToString) -> Self {
        Self {
            field,
            found: found.to_string(),
        }
    }
}

/// Reads a YYYY-MM-DD date of a request; empty means `None`.
pub fn date_of_request(field: &str, text: &str) -> Result<Option<NaiveDate>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_date(text).map(Some).ok_or_else(|| {
        Failure::invalid(
            "INVALID_DATE",
            format!("{field} is {text:?}; write a date as YYYY-MM-DD, e.g. 2025-01-31"),
        )
        .with("field", field)
    })
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())?
}

fn date(field: &'static str, text: &str) -> Result<NaiveDate, WireError> {
    parse_date(text).ok_or_else(|| WireError::new(field, text))
}
