//! What can go wrong while a source is ingested, and how it leaves the service.

use domain::{Failure, FailureKind};

/// One variant per failed operation.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("source {source_name} cannot be read")]
    Source {
        source_name: String,
        #[source]
        source: Failure,
    },

    #[error("the lake did not take the sync of source {source_name}")]
    Lake {
        source_name: String,
        #[source]
        source: lake::LakeError,
    },

    #[error(
        "{quarantined} of {read} rows of source {source_name} could not be read, over the limit of {limit}; nothing was changed. Most often: {worst}. Repair the files or the mapping, or raise the quarantine limit"
    )]
    OverLimit {
        source_name: String,
        read: u64,
        quarantined: u64,
        limit: String,
        worst: String,
        /// (dataset.REASON, rows)
        reasons: Vec<(String, u64)>,
    },

    #[error(
        "rows of dataset {dataset} went missing: {came} came, but read = {read}, inserted = {inserted}, updated = {updated}, unchanged = {unchanged}, quarantined = {quarantined}; nothing was changed. Please report this"
    )]
    Conservation {
        dataset: String,
        came: u64,
        read: u64,
        inserted: u64,
        updated: u64,
        unchanged: u64,
        quarantined: u64,
    },

    #[error("resolving parties stopped before it was done")]
    Resolution,

    #[error("rows could not be selected")]
    Select {
        #[source]
        source: arrow::error::ArrowError,
    },

    #[error(
        "{withdrawn} of {in_lake} rows of {dataset} that came from source {source_name} are gone there, over a tenth; nothing was changed. See that the source lists all of its keys (a changed filter, an empty answer, a lost permission); if the rows are really gone, reconcile with --any-share"
    )]
    WithdrawalLimit {
        source_name: String,
        dataset: String,
        withdrawn: u64,
        in_lake: u64,
    },

    #[error("raw batches of source {source_name} cannot be laid out to be read again")]
    Copies {
        source_name: String,
        #[source]
        source: std::io::Error,
    },
}

impl IngestError {
    /// The failure as its caller will see it, without giving the error away.
    pub(crate) fn told(&self) -> Failure {
        match self {
            Self::Source { source, .. } => source.clone(),
            Self::Lake { source, .. } => {
                let kind = source.kind();
                Failure::new(kind, "LAKE", Failure::internal(source).message)
            }
            Self::OverLimit { .. } => {
                Failure::new(FailureKind::Precondition, "QUARANTINE_LIMIT", self.to_string())
            }
            Self::WithdrawalLimit { .. } => {
                Failure::new(FailureKind::Precondition, "WITHDRAWAL_LIMIT", self.to_string())
            }
            Self::Conservation { .. } => {
                Failure::new(FailureKind::Internal, "CONSERVATION_BROKEN", self.to_string())
            }
            Self::Resolution | Self::Select { .. } | Self::Copies { .. } => Failure::internal(self),
        }
    }
}

pub type Result<T> = std::result::Result<T, IngestError>;

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            // What the connector and the lake say is already for a person; the source is added to it.
            IngestError::Source { source_name, source } => source.with("source", source_name),
            IngestError::Lake { source_name, source } => Failure::from(source).with("source", source_name),
            IngestError::OverLimit { ref reasons, .. } => {
                let mut failure =
                    Failure::new(FailureKind::Precondition, "QUARANTINE_LIMIT", error.to_string());
                for (reason, rows) in reasons {
                    failure = failure.with(reason, rows.to_string());
                }
                failure
            }
            other => other.told(),
        }
    }
}
