//! The narrow waist between the engine and what stores the data. The engine sees nothing else of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::TableProvider;

use super::parties::PartyLookup;
use crate::error::Result;

/// The rows of a dataset that one of two snapshots has and the other has not, as stored tables. A row that was
/// written anew is in both: as it was and as it is.
#[derive(Debug, Clone)]
pub struct RowChanges {
    pub gone: Arc<dyn TableProvider>,
    pub gone_rows: u64,
    pub new: Arc<dyn TableProvider>,
    pub new_rows: u64,
}

/// The state of all tables at one moment. Never changes.
#[async_trait]
pub trait Snapshot: Send + Sync + std::fmt::Debug {
    fn id(&self) -> i64;

    /// A dataset's table with its bookkeeping columns (see [`super::tables::stored_schema`]).
    /// `None`: it was never synced.
    async fn dataset(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>>;

    /// What of a dataset differs from an earlier snapshot of the same source. `None`: that is not known.
    async fn changes(&self, _name: &str, _since: i64) -> Result<Option<RowChanges>> {
        Ok(None)
    }

    /// Tables that are no datasets: `parties`, and bookkeeping such as `_syncs`, by name.
    async fn other_tables(&self) -> Result<BTreeMap<String, Arc<dyn TableProvider>>>;

    /// Which party each mention is.
    async fn parties(&self) -> Result<Arc<PartyLookup>>;

    /// Branches told by their names: (branch, parent), party ids.
    async fn branches(&self) -> Result<Vec<(String, String)>>;

    /// The civil date in China when it was taken: `$as_of` of questions that do not say.
    fn taken_on(&self) -> NaiveDate;

    /// Table -> the snapshot that last changed it.
    async fn table_versions(&self) -> Result<BTreeMap<String, i64>>;

    /// When the dataset was last synced, changed or not. `None`: never.
    async fn last_synced(&self, dataset: &str) -> Result<Option<DateTime<Utc>>>;
}

/// Hands out snapshots.
#[async_trait]
pub trait SnapshotSource: Send + Sync + std::fmt::Debug {
    /// That snapshot, or the newest.
    async fn snapshot(&self, id: Option<i64>) -> Result<Arc<dyn Snapshot>>;

    /// Newest first: (snapshot, RFC 3339 time, what it did).
    async fn snapshots(&self, limit: usize) -> Result<Vec<(i64, String, String)>>;
}
