//! What stops a whole sync of open-standard files. What is wrong with one record or one file is quarantined.

use std::path::PathBuf;

use domain::{Failure, FailureKind};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the configuration of the source is wrong: {0}")]
    Config(String),
    #[error("{path} cannot be read; give an existing file or directory as `path`")]
    Path {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{name} cannot be read; check that it exists and who may read it")]
    Read {
        name: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the raw copy of {name} could not be kept: {source}")]
    Keep {
        name: String,
        #[source]
        source: Failure,
    },
    #[error("the rows of {name} could not be put together")]
    Assemble {
        name: String,
        #[source]
        source: arrow::error::ArrowError,
    },
    #[error(
        "the source holds more than {limit_bytes} bytes of {what}, which are held in memory; split it over \
         several sources, or compile the releases first"
    )]
    TooMuch { what: &'static str, limit_bytes: u64 },
    #[error("the reading of {name} stopped unexpectedly")]
    Stopped { name: String },
    #[error("the sync was cancelled")]
    Cancelled,
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (kind, reason) = match &error {
            OpenError::Config(_) => (FailureKind::Invalid, "CONFIG_INVALID"),
            OpenError::Path { .. } => (FailureKind::NotFound, "PATH_UNREADABLE"),
            OpenError::Read { .. } => (FailureKind::Unavailable, "FILE_UNREADABLE"),
            OpenError::Keep { source, .. } => (source.kind, source.reason),
            OpenError::TooMuch { .. } => (FailureKind::Precondition, "SOURCE_TOO_LARGE"),
            OpenError::Assemble { .. } | OpenError::Stopped { .. } => (FailureKind::Internal, "INTERNAL"),
            OpenError::Cancelled => (FailureKind::Cancelled, "CANCELLED"),
        };
        Failure::new(kind, reason, Failure::internal(&error).message)
    }
}
