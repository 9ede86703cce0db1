//! The lake: every dataset as a DuckLake table (Parquet files and a SQLite catalogue), written by syncs and
//! read by DataFusion at any snapshot.
//!
//! The only crate that knows the catalogue. Rules, alerts and kinds of connectors are unknown to it.

mod catalogue;
mod changes;
mod directory;
mod error;
pub mod hash;
mod index;
mod kept;
mod parquet_file;
mod raw;
mod read;
mod scan;
pub mod shape;
mod stats;
mod sync;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use catalogue::{JudgementChange, SeenColumn, SnapshotRow};
pub use changes::RowChanges;
pub use error::{LakeError, Result};
pub use kept::{PartyBranchRow, PartyRefRow, PartyRow, PartyTables, QuarantinedPlace, QuarantinedRow};
pub use sync::{LedgerUpdate, Mention, Prepared, RawBatches, RunningSync, Settles, SyncOptions, SyncStart};

use catalogue::Catalogue;
use directory::DataDirectory;

/// An open lake. Owns its data directory until dropped; share it in an `Arc`.
#[derive(Debug)]
pub struct Lake {
    directory: Arc<DataDirectory>,
    catalogue: Catalogue,
    /// One sync at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Threads that encode.
    threads: usize,
    deletes: Arc<scan::DeleteCache>,
}

impl Lake {
    /// Opens the lake of a data directory, making it where there is none, and removes what a sync left that
    /// never committed. Fails with [`LakeError::Locked`] when another process has it. `now` is the time of a
    /// new lake's snapshot 0.
    pub async fn open(dir: &Path, now: DateTime<Utc>) -> Result<Self> {
        let directory = Arc::new(DataDirectory::own(dir)?);
        let catalogue = Catalogue::open(&directory.catalogue(), &directory.lake(), now).await?;
        let known = catalogue.all_paths().await?;
        let removed = directory.remove_orphans(&known)?;
        if removed > 0 {
            tracing::info!(
                lake.files_removed = removed,
                "removed what an interrupted sync left"
            );
        }
        Ok(Self {
            directory,
            catalogue,
            turn: Arc::default(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            deletes: Arc::default(),
        })
    }

    /// Encodes on that many threads instead of one per core.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The data directory, absolute.
    pub fn root(&self) -> &Path {
        self.directory.root()
    }

    /// Closes the catalogue and lets go of the data directory.
    pub async fn close(self) {
        self.catalogue.close().await;
    }
}
