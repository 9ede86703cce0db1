//! What can go wrong with jobs, and how it leaves the service.

use domain::{Failure, FailureKind};

/// One variant per failed operation.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error(
        "the store of jobs did not answer while {doing}; see that its database is reachable and writable"
    )]
    Store {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("what the store of jobs says cannot be read: {what}")]
    Corrupt { what: String },
    #[error(
        "cron expression {cron:?}: {problem}; write five fields: minute hour day month weekday, e.g. \"30 2 * * *\""
    )]
    Cron { cron: String, problem: String },
    #[error("{}", .0.message)]
    Source(Failure),
    #[error("{zone:?} is no time zone; write an IANA name, e.g. Asia/Shanghai")]
    Zone { zone: String },
    #[error("there is no job {job_id:?}; `lianjing schedule list` shows them")]
    NotFound { job_id: String },
    #[error("there is a job {job_id:?} already; remove it first, or name another")]
    Exists { job_id: String },
    #[error("job {job_id:?} comes from key `schedule` of its source; change it in the file of sources")]
    OfSource { job_id: String },
    #[error("job {job_id:?} runs already; wait until it has ended")]
    Running { job_id: String },
    #[error("no jobs are run here")]
    NoRunner,
    #[error(
        "a job's name has 1 to 64 characters: letters, digits, `-`, `_` and `.`; {job_id:?} does not fit"
    )]
    Name { job_id: String },
}

pub type Result<T> = std::result::Result<T, ScheduleError>;

pub(crate) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> ScheduleError {
    move |source| ScheduleError::Store { doing, source }
}

impl From<ScheduleError> for Failure {
    fn from(error: ScheduleError) -> Self {
        use ScheduleError as E;
        let (kind, reason) = match &error {
            E::Source(failure) => return failure.clone(),
            E::Store { .. } => (FailureKind::Unavailable, "SCHEDULE_STORE"),
            E::Corrupt { .. } => (FailureKind::Internal, "SCHEDULE_CORRUPT"),
            E::Cron { .. } => (FailureKind::Invalid, "INVALID_CRON"),
            E::Zone { .. } => (FailureKind::Invalid, "INVALID_ZONE"),
            E::Name { .. } => (FailureKind::Invalid, "INVALID_JOB_ID"),
            E::NotFound { .. } => (FailureKind::NotFound, "JOB_NOT_FOUND"),
            E::Exists { .. } => (FailureKind::Conflict, "JOB_EXISTS"),
            E::OfSource { .. } => (FailureKind::Precondition, "JOB_OF_SOURCE"),
            E::Running { .. } => (FailureKind::Precondition, "JOB_RUNNING"),
            E::NoRunner => (FailureKind::Precondition, "NO_JOB_RUNNER"),
        };
        Failure::new(kind, reason, Failure::internal(&error).message)
    }
}
