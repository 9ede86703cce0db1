//! What can go wrong in the alert store, and how each case reaches a caller.

use chrono::NaiveDate;
use domain::{Failure, FailureKind};

/// One variant per failed operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the store URL {url:?} is not understood; use sqlite:PATH or postgres://USER@HOST/DATABASE")]
    BadUrl { url: String },
    #[error(
        "the alert store {place} could not be opened; check that it exists, may be written and is a store of this program"
    )]
    Open { place: String, source: sqlx::Error },
    #[error("the tables of the alert store {place} could not be created or brought up to date")]
    Migrate {
        place: String,
        source: sqlx::migrate::MigrateError,
    },
    #[error("the alert store did not answer while {doing}; nothing was changed, try again")]
    Store {
        doing: &'static str,
        source: sqlx::Error,
    },
    #[error(
        "the alert store holds a value that is not {expected} in {place}; restore the store from a backup"
    )]
    Corrupt {
        place: &'static str,
        expected: &'static str,
    },
    #[error("{what} could not be written as JSON")]
    Encode {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error("{what} in the alert store is not the JSON it should be; restore the store from a backup")]
    Decode {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error(
        "rule {rule_id}: hits = opened + updated + reopened + suppressed + capped does not hold ({counts}); nothing was recorded, report this as a defect"
    )]
    Conservation { rule_id: String, counts: String },
    #[error(
        "rule {rule_id} yields two hits with the identity {identity}; nothing was recorded, merge them before recording"
    )]
    DuplicateIdentity { rule_id: String, identity: String },
    #[error("the run names rule {rule_id} twice; nothing was recorded")]
    DuplicateRule { rule_id: String },
    #[error(
        "the evidence check answered {got} rows of {asked}; nothing was recorded, report this as a defect"
    )]
    EvidenceAnswers { asked: usize, got: usize },
    #[error("whether evidence rows still stand could not be found out: {0}")]
    EvidenceCheck(Failure),
    #[error("there is no alert {alert_id:?}; `lianjing alerts list` names those there are")]
    NoAlert { alert_id: String },
    #[error("alert {alert_id} is closed already; it reopens by itself on new evidence")]
    AlreadyClosed { alert_id: String },
    #[error("closing an alert needs {missing}; give it and try again")]
    CloseIncomplete { missing: &'static str },
    #[error("page_size is {size}; give 0 for the default of 50, or 1 to 1000")]
    PageSize { size: i32 },
    #[error("the page token is not one of this store; start again without a token")]
    PageToken,
    #[error(
        "the page token belongs to a list with another filter; keep the filter or start again without a token"
    )]
    PageTokenMismatch,
    #[error("filter, character {position}: {message}")]
    Filter { position: usize, message: String },
    #[error(
        "the resume token is not one of this store; watch again without a token and with the initial list"
    )]
    ResumeToken,
    #[error(
        "the resume token belongs to a watch with another filter; keep the filter or watch again without a token"
    )]
    ResumeFilterMismatch,
    #[error(
        "the watch log was restored or replaced since the token was given; watch again without a token and with the initial list"
    )]
    EpochChanged { epoch: String },
    #[error(
        "the token is older than the history kept (oldest revision {min_revision}); watch again without a token and with the initial list"
    )]
    Compacted { min_revision: i64 },
    #[error(
        "the reader is too slow: {outstanding} events wait and at most {limit} may (oldest kept revision {min_revision}); resume with the last token, read faster or raise max_outstanding"
    )]
    SlowConsumer {
        outstanding: i64,
        limit: i64,
        min_revision: i64,
    },
    #[error("the watch history is kept for {floor_days} days at least, {asked_days} were asked for")]
    Retention { asked_days: u32, floor_days: u32 },
    #[error("the date {days} days before {from} does not exist")]
    DateRange { from: NaiveDate, days: u32 },
}

pub type Result<T> = std::result::Result<T, Error>;

/// The one place where an error of this crate becomes what leaves it.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = |kind, reason: &'static str| Failure::new(kind, reason, error.to_string());
        match &error {
            Error::BadUrl { .. } => failure(FailureKind::Invalid, "STORE_URL_INVALID"),
            Error::NoAlert { alert_id } => {
                failure(FailureKind::NotFound, "ALERT_NOT_FOUND").with("alert_id", alert_id)
            }
            Error::AlreadyClosed { alert_id } => {
                failure(FailureKind::Precondition, "ALERT_ALREADY_CLOSED").with("alert_id", alert_id)
            }
            Error::CloseIncomplete { missing } => {
                failure(FailureKind::Invalid, "CLOSE_INCOMPLETE").with("field", *missing)
            }
            Error::PageSize { .. } => failure(FailureKind::Invalid, "INVALID_PAGE_SIZE"),
            Error::PageToken => failure(FailureKind::Invalid, "INVALID_PAGE_TOKEN"),
            Error::PageTokenMismatch => failure(FailureKind::Invalid, "PAGE_TOKEN_MISMATCH"),
            Error::Filter { position, .. } => {
                failure(FailureKind::Invalid, "INVALID_FILTER").with("position", position.to_string())
            }
            Error::ResumeToken => failure(FailureKind::Invalid, "INVALID_RESUME_TOKEN"),
            Error::ResumeFilterMismatch => failure(FailureKind::Invalid, "RESUME_FILTER_MISMATCH"),
            Error::EpochChanged { epoch } => {
                failure(FailureKind::Precondition, "LOG_EPOCH_CHANGED").with("log_epoch", epoch)
            }
            Error::Compacted { min_revision } => failure(FailureKind::OutOfRange, "REVISION_COMPACTED")
                .with("min_revision", min_revision.to_string()),
            Error::SlowConsumer {
                limit, min_revision, ..
            } => failure(FailureKind::Exhausted, "SLOW_CONSUMER")
                .with("max_outstanding", limit.to_string())
                .with("min_revision", min_revision.to_string()),
            Error::Retention { .. } | Error::DateRange { .. } => {
                failure(FailureKind::Invalid, "RETENTION_TOO_SHORT")
            }
            Error::EvidenceCheck(cause) => Failure {
                message: error.to_string(),
                ..cause.clone()
            },
            Error::Store { .. } => Failure {
                kind: FailureKind::Unavailable,
                reason: "STORE_UNAVAILABLE",
                ..Failure::internal(&error)
            },
            Error::Open { .. } | Error::Migrate { .. } => Failure {
                kind: FailureKind::Precondition,
                reason: "STORE_NOT_OPENED",
                ..Failure::internal(&error)
            },
            Error::Corrupt { .. }
            | Error::Encode { .. }
            | Error::Decode { .. }
            | Error::Conservation { .. }
            | Error::DuplicateIdentity { .. }
            | Error::DuplicateRule { .. }
            | Error::EvidenceAnswers { .. } => Failure::internal(&error),
        }
    }
}
