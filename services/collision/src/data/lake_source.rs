//! Snapshots of the lake.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::TableProvider;
use domain::Failure;
use lake::{Lake, LakeError};
use tokio::sync::{Mutex, OnceCell};

use super::parties::PartyLookup;
use super::snapshot::{RowChanges, Snapshot, SnapshotSource};
use crate::error::{CollisionError, Result};

/// Hands out the lake's snapshots. The newest one used is kept, so that runs on it share what was read.
#[derive(Debug)]
pub struct LakeSource {
    lake: Arc<Lake>,
    last: Mutex<Option<Arc<LakeSnapshot>>>,
}

impl LakeSource {
    pub fn new(lake: Arc<Lake>) -> Self {
        Self {
            lake,
            last: Mutex::default(),
        }
    }
}

/// Who the references of a snapshot mean, and (branch, parent) by party_id.
type Parties = (Arc<PartyLookup>, Vec<(String, String)>);

struct LakeSnapshot {
    lake: Arc<Lake>,
    id: i64,
    taken_at: DateTime<Utc>,
    tables: HashSet<String>,
    last_synced: HashMap<String, DateTime<Utc>>,
    parties: OnceCell<Parties>,
}

impl std::fmt::Debug for LakeSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LakeSnapshot")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn source(error: LakeError) -> CollisionError {
    CollisionError::Source(Failure::from(error))
}

impl LakeSnapshot {
    async fn open(lake: Arc<Lake>, id: i64) -> Result<Self> {
        let tables = lake.table_names(id).await.map_err(source)?.into_iter().collect();
        let last_synced = lake.all_last_synced(id).await.map_err(source)?;
        let taken_at = last_synced
            .values()
            .max()
            .copied()
            .unwrap_or(DateTime::UNIX_EPOCH);
        Ok(Self {
            lake,
            id,
            taken_at,
            tables,
            last_synced,
            parties: OnceCell::new(),
        })
    }

    async fn resolved(&self) -> Result<&Parties> {
        self.parties
            .get_or_try_init(|| async {
                let tables = self.lake.parties(self.id).await.map_err(source)?;
                let refs = tables.refs.iter();
                let lookup =
                    PartyLookup::new(refs.map(|r| (r.reference, r.party_id.as_str(), r.party_key.as_str())))
                        .with_certainty(tables.refs.iter().map(|r| (r.reference, r.certainty_bp)));
                let branches = tables
                    .branches
                    .into_iter()
                    .map(|b| (b.branch_party_id, b.parent_party_id))
                    .collect();
                Ok((Arc::new(lookup), branches))
            })
            .await
    }
}

#[async_trait]
impl Snapshot for LakeSnapshot {
    fn id(&self) -> i64 {
        self.id
    }

    async fn dataset(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.tables.contains(name) && !self.last_synced.contains_key(name) {
            return Ok(None);
        }
        self.lake.table(name, self.id).await.map(Some).map_err(source)
    }

    async fn changes(&self, name: &str, since: i64) -> Result<Option<RowChanges>> {
        let changes = self.lake.changes(name, since, self.id).await.map_err(source)?;
        Ok(Some(RowChanges {
            gone: changes.gone,
            gone_rows: changes.gone_rows,
            new: changes.new,
            new_rows: changes.new_rows,
        }))
    }

    async fn other_tables(&self) -> Result<BTreeMap<String, Arc<dyn TableProvider>>> {
        let mut tables = BTreeMap::new();
        let bookkeeping = self
            .tables
            .iter()
            .map(String::as_str)
            .filter(|name| domain::dataset(name).is_none());
        let names: HashSet<&str> = bookkeeping.chain(["parties"]).collect();
        for name in names {
            tables.insert(
                name.to_owned(),
                self.lake.table(name, self.id).await.map_err(source)?,
            );
        }
        Ok(tables)
    }

    async fn parties(&self) -> Result<Arc<PartyLookup>> {
        Ok(self.resolved().await?.0.clone())
    }

    async fn branches(&self) -> Result<Vec<(String, String)>> {
        Ok(self.resolved().await?.1.clone())
    }

    fn taken_on(&self) -> NaiveDate {
        domain::clock::local_date(self.taken_at)
    }

    async fn table_versions(&self) -> Result<BTreeMap<String, i64>> {
        let mut versions = BTreeMap::new();
        for name in self.tables.iter().filter(|n| !n.starts_with('_')) {
            if let Some(version) = self.lake.table_version(name, self.id).await.map_err(source)? {
                versions.insert(name.clone(), version);
            }
        }
        Ok(versions)
    }

    async fn last_synced(&self, dataset: &str) -> Result<Option<DateTime<Utc>>> {
        Ok(self.last_synced.get(dataset).copied())
    }
}

/// The catalogue's `2024-03-05 01:02:03.000000+00` as RFC 3339; anything else as it is.
fn rfc3339(time: &str) -> String {
    DateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S%.f%#z")
        .map_or_else(|_| time.to_owned(), |t| t.to_rfc3339())
}

#[async_trait]
impl SnapshotSource for LakeSource {
    async fn snapshot(&self, id: Option<i64>) -> Result<Arc<dyn Snapshot>> {
        let id = match id {
            Some(id) => id,
            None => self.lake.head().await.map_err(source)?,
        };
        let mut last = self.last.lock().await;
        if let Some(open) = last.as_ref().filter(|s| s.id == id) {
            return Ok(open.clone());
        }
        let open = Arc::new(LakeSnapshot::open(self.lake.clone(), id).await?);
        if last.as_ref().is_none_or(|s| s.id < id) {
            *last = Some(open.clone());
        }
        Ok(open)
    }

    async fn snapshots(&self, limit: usize) -> Result<Vec<(i64, String, String)>> {
        let rows = self.lake.snapshots(limit).await.map_err(source)?;
        Ok(rows
            .into_iter()
            .map(|s| (s.snapshot, rfc3339(&s.time), s.message))
            .collect())
    }
}
