//! What can go wrong in the lake, and how each case leaves it.

use std::path::{Path, PathBuf};

use domain::Failure;

/// One variant per failed operation.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error(
        "the data directory {} is in use by process {pid}; stop that process, reach it with --server, or use another --data directory",
        dir.display()
    )]
    Locked { dir: PathBuf, pid: String },

    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },

    #[error("cannot {action} in the lake's catalogue; see that catalog.sqlite is writable and undamaged")]
    Catalogue {
        action: &'static str,
        #[source]
        source: sqlx::Error,
    },

    #[error("the catalogue {} has format {found:?}; this program reads DuckLake 1.0", path.display())]
    Format { path: PathBuf, found: String },

    #[error("the catalogue says something this program does not understand: {what}")]
    Unreadable { what: String },

    #[error("cannot {action} the Parquet file {}", path.display())]
    Parquet {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: parquet::errors::ParquetError,
    },

    #[error("cannot {action}")]
    Arrow {
        action: &'static str,
        #[source]
        source: arrow::error::ArrowError,
    },

    #[error("a batch of rows does not fit dataset {dataset}: {problem}")]
    Batch { dataset: String, problem: String },

    #[error("there is no snapshot {snapshot}; the newest is {newest}")]
    NoSnapshot { snapshot: i64, newest: i64 },

    #[error("there is no table {table}; tables are named as in the data model")]
    NoTable { table: String },

    #[error(
        "another program changed the lake during this sync (snapshot {expected} expected, {found} found); sync again"
    )]
    Overtaken { expected: i64, found: i64 },

    #[error("a file of dataset {dataset} holds too many rows to address; sync it in smaller parts")]
    FileTooLong { dataset: String },

    #[error("the thread that {work} stopped before its work was done")]
    ThreadLost { work: &'static str },
}

pub type Result<T> = std::result::Result<T, LakeError>;

/// Names the file in an I/O error.
pub(crate) fn at<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> LakeError + use<'a> {
    move |source| LakeError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Names the action in a catalogue error.
pub(crate) fn doing(action: &'static str) -> impl FnOnce(sqlx::Error) -> LakeError {
    move |source| LakeError::Catalogue { action, source }
}

/// Names the file in a Parquet error.
pub(crate) fn parquet_at<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(parquet::errors::ParquetError) -> LakeError + use<'a> {
    move |source| LakeError::Parquet {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Names the action in an Arrow error.
pub(crate) fn arrow_doing(action: &'static str) -> impl FnOnce(arrow::error::ArrowError) -> LakeError {
    move |source| LakeError::Arrow { action, source }
}

impl LakeError {
    /// What its caller may do about it.
    pub fn kind(&self) -> domain::FailureKind {
        use domain::FailureKind::{Conflict, Exhausted, Internal, Invalid, NotFound, Precondition};
        match self {
            Self::Locked { .. } | Self::Format { .. } => Precondition,
            Self::NoSnapshot { .. } | Self::NoTable { .. } => NotFound,
            Self::Overtaken { .. } => Conflict,
            Self::FileTooLong { .. } => Exhausted,
            Self::Batch { .. } => Invalid,
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Exhausted,
            _ => Internal,
        }
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        use domain::FailureKind::{Conflict, Exhausted, Invalid, NotFound, Precondition};
        let inner = Failure::internal(&error);
        let (kind, reason) = match &error {
            LakeError::Locked { .. } => (Precondition, "DATA_DIRECTORY_IN_USE"),
            LakeError::Format { .. } => (Precondition, "CATALOGUE_FORMAT"),
            LakeError::NoSnapshot { .. } => (NotFound, "SNAPSHOT_NOT_FOUND"),
            LakeError::NoTable { .. } => (NotFound, "TABLE_NOT_FOUND"),
            LakeError::Overtaken { .. } => (Conflict, "LAKE_OVERTAKEN"),
            LakeError::FileTooLong { .. } => (Exhausted, "FILE_TOO_LONG"),
            LakeError::Batch { .. } => (Invalid, "BATCH_SHAPE"),
            LakeError::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                (Exhausted, "DISK_FULL")
            }
            _ => return inner,
        };
        Failure {
            kind,
            reason,
            ..inner
        }
    }
}
