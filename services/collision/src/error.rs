//! What can go wrong in the engine, and how it leaves this crate as a [`Failure`].

use datafusion::error::DataFusionError;
use domain::{Failure, FailureKind};

pub type Result<T> = std::result::Result<T, CollisionError>;

#[derive(Debug, thiserror::Error)]
pub enum CollisionError {
    /// A rule, view, test or lock file that cannot be read as what it should be. `place` is file or file:line.
    #[error("{place}: {problem}")]
    BadFile { place: String, problem: String },
    /// Several such files.
    #[error("{}", .0.join("\n"))]
    BadFiles(Vec<String>),
    #[error("cannot read {place}; check that it exists and may be read")]
    ReadFile { place: String, source: std::io::Error },
    #[error("there is no rule {0}; `lianjing rules list` shows all")]
    NoSuchRule(String),
    #[error("rule {rule} has no parameter {name}; it has: {known}")]
    NoSuchParameter {
        rule: String,
        name: String,
        known: String,
    },
    #[error("parameter {name}: {problem}")]
    BadParameter { name: String, problem: String },
    #[error(
        "parameters are given for rule {rule}, which is not among the rules of this run; leave them out, or run it too"
    )]
    IdleParameters { rule: String },
    #[error("this is not one read-only query: {0}")]
    NotAQuery(String),
    /// The engine refused or failed a query. `what` names the rule, view or question.
    #[error("{what}: {}", engine_message(.source))]
    Engine {
        what: String,
        source: Box<DataFusionError>,
    },
    #[error("{what} ran longer than {seconds} s and was stopped; narrow it or raise its limits.timeout")]
    TimedOut { what: String, seconds: u64 },
    #[error("{what} stopped unexpectedly: {detail}")]
    Panicked { what: String, detail: String },
    /// The rule's output does not fit what its front matter says of it.
    #[error("{rule}: {problem}")]
    BadOutput { rule: String, problem: String },
    #[error("there is no snapshot {0}; `lianjing sql` with the table `_syncs` shows what there is")]
    NoSuchSnapshot(i64),
    /// What holds the data failed.
    #[error("{0}")]
    Source(Failure),
}

/// The engine's words on one line, without the wrappers it adds and the back trace it may carry.
fn engine_message(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

impl CollisionError {
    /// Wraps an engine error with what was being done.
    pub fn engine(what: impl Into<String>) -> impl FnOnce(DataFusionError) -> Self {
        let what = what.into();
        move |source| Self::Engine {
            what,
            source: Box::new(source),
        }
    }

    /// Whether the engine ran out of its memory share.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Engine { source, .. }
            if matches!(source.find_root(), DataFusionError::ResourcesExhausted(_)))
    }

    /// UPPER_SNAKE, stable: the reason of a FAILED rule and of a failed call.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadFile { .. } | Self::BadFiles(_) => "RULE_FILE_INVALID",
            Self::ReadFile { .. } => "RULE_FILE_UNREADABLE",
            Self::NoSuchRule(_) => "RULE_NOT_FOUND",
            Self::NoSuchParameter { .. } | Self::BadParameter { .. } | Self::IdleParameters { .. } => {
                "PARAMETER_INVALID"
            }
            Self::NotAQuery(_) => "NOT_A_READ_ONLY_QUERY",
            Self::Engine { .. } if self.is_out_of_memory() => "MEMORY_EXHAUSTED",
            Self::Engine { .. } => "QUERY_FAILED",
            Self::TimedOut { .. } => "TIMED_OUT",
            Self::Panicked { .. } => "PANICKED",
            Self::BadOutput { .. } => "OUTPUT_INVALID",
            Self::NoSuchSnapshot(_) => "SNAPSHOT_NOT_FOUND",
            Self::Source(failure) => failure.reason,
        }
    }
}

impl From<CollisionError> for Failure {
    fn from(error: CollisionError) -> Self {
        let kind = match &error {
            CollisionError::Source(failure) => return failure.clone(),
            CollisionError::NoSuchRule(_) | CollisionError::NoSuchSnapshot(_) => FailureKind::NotFound,
            CollisionError::TimedOut { .. } => FailureKind::DeadlineExceeded,
            CollisionError::ReadFile { .. } => FailureKind::Precondition,
            CollisionError::Panicked { .. } => FailureKind::Internal,
            CollisionError::Engine { source, .. } => match source.find_root() {
                DataFusionError::ResourcesExhausted(_) => FailureKind::Exhausted,
                DataFusionError::Internal(_) | DataFusionError::IoError(_) => FailureKind::Internal,
                DataFusionError::ObjectStore(_) | DataFusionError::ParquetError(_) => FailureKind::Internal,
                _ => FailureKind::Invalid,
            },
            _ => FailureKind::Invalid,
        };
        Failure::new(kind, error.code(), error.to_string())
    }
}
