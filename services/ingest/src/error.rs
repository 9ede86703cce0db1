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
            IngestError::Conservation { .. } => {
                Failure::new(FailureKind::Internal, "CONSERVATION_BROKEN", error.to_string())
            }
            IngestError::Resolution => Failure::internal(&error),
        }
    }
}
