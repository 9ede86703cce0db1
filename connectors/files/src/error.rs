//! What stops a whole sync of files. What is wrong with one row or one file is quarantined instead.

use std::path::PathBuf;

use domain::{Failure, FailureKind};

#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("the directory {path} cannot be read; give an existing directory with --files")]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} cannot be read; check that it exists and who may read it")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the mapping file {path} cannot be read; give an existing file with --mapping")]
    MappingFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the mapping file {path} is wrong: {message}")]
    Mapping { path: PathBuf, message: String },
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
    #[error("the reading of {name} stopped unexpectedly")]
    Stopped { name: String },
    #[error("the sync was cancelled")]
    Cancelled,
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Self {
        let (kind, reason) = match &error {
            FilesError::Directory { .. } => (FailureKind::NotFound, "DIRECTORY_UNREADABLE"),
            FilesError::Read { .. } => (FailureKind::Unavailable, "FILE_UNREADABLE"),
            FilesError::MappingFile { .. } => (FailureKind::NotFound, "MAPPING_UNREADABLE"),
            FilesError::Mapping { .. } => (FailureKind::Invalid, "MAPPING_INVALID"),
            FilesError::Keep { source, .. } => (source.kind, source.reason),
            FilesError::Assemble { .. } | FilesError::Stopped { .. } => (FailureKind::Internal, "INTERNAL"),
            FilesError::Cancelled => (FailureKind::Cancelled, "CANCELLED"),
        };
        let message = Failure::internal(&error).message;
        Failure::new(kind, reason, message)
    }
}
