//! What stops a whole sync of a drop folder or bucket.

use std::path::PathBuf;

use connector::factory::secret::SecretError;
use domain::{Failure, FailureKind};

#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("the configuration of the source is wrong: {0}")]
    Config(String),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Files(#[from] files::FilesError),
    #[error("{path} cannot be read; check that it exists and who may read it")]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} could not be moved to the folder of files that are done; check who may write there")]
    Move {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the bucket {bucket}: {what} failed")]
    Bucket {
        bucket: String,
        what: String,
        #[source]
        source: object_store::Error,
    },
    #[error("{name} could not be written to a temporary file; check the disk")]
    Spool {
        name: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the state of {name} could not be written as JSON")]
    State {
        name: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the sync was cancelled")]
    Cancelled,
    #[error("{0}")]
    Other(#[source] Failure),
}

impl From<WatchError> for Failure {
    fn from(error: WatchError) -> Self {
        use object_store::Error as Store;
        let (kind, reason) = match error {
            WatchError::Other(failure) => return failure,
            WatchError::Files(error) => return error.into(),
            WatchError::Config(_) => (FailureKind::Invalid, "CONFIG_INVALID"),
            WatchError::Secret(_) => (FailureKind::Precondition, "SECRET_UNREADABLE"),
            WatchError::Folder { .. } => (FailureKind::NotFound, "DIRECTORY_UNREADABLE"),
            WatchError::Move { .. } => (FailureKind::Precondition, "FILE_NOT_MOVED"),
            WatchError::Bucket {
                source: Store::Unauthenticated { .. } | Store::PermissionDenied { .. },
                ..
            } => (FailureKind::Precondition, "BUCKET_DENIED"),
            WatchError::Bucket {
                source: Store::NotFound { .. },
                ..
            } => (FailureKind::NotFound, "BUCKET_NOT_FOUND"),
            // Listing tells these only in the server's own words, which S3 fixes.
            WatchError::Bucket { ref source, .. } if says(source, "<Code>NoSuchBucket</Code>") => {
                (FailureKind::NotFound, "BUCKET_NOT_FOUND")
            }
            WatchError::Bucket { ref source, .. } if says(source, "<Code>AccessDenied</Code>") => {
                (FailureKind::Precondition, "BUCKET_DENIED")
            }
            WatchError::Bucket { .. } => (FailureKind::Unavailable, "BUCKET_UNAVAILABLE"),
            WatchError::Spool { .. } => (FailureKind::Unavailable, "DISK_UNWRITABLE"),
            WatchError::State { .. } => (FailureKind::Internal, "INTERNAL"),
            WatchError::Cancelled => (FailureKind::Cancelled, "CANCELLED"),
        };
        Failure::new(kind, reason, Failure::internal(&error).message)
    }
}

/// Whether a store's answer has this code of S3.
fn says(error: &object_store::Error, code: &str) -> bool {
    matches!(error, object_store::Error::Generic { .. }) && error.to_string().contains(code)
}
