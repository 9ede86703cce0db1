//! What others ask of the lake: tables, parties and history at a snapshot.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use domain::judgements::{PartyEvent, PartyJudgement};
use domain::ports::QuarantineFilter;
use domain::sources::{SyncFailure, SyncRun, SyncState};

use crate::Lake;
use crate::catalogue::{SeenColumn, SnapshotRow, TableInfo};
use crate::error::{LakeError, Result};
use crate::kept::{self, PartyTables, QuarantinedPlace, QuarantinedRow};
use crate::scan::LakeTable;
use crate::shape::{BATCHES, PARTIES, PARTY_BRANCHES, PARTY_REFS, QUARANTINE, SYNCS, Shape};
use crate::sync::{blocking, read_party_tables};

impl Lake {
    /// The newest snapshot. 0 when nothing was ever synced.
    pub async fn head(&self) -> Result<i64> {
        self.catalogue.head().await
    }

    /// Newest first, at most `limit`.
    pub async fn snapshots(&self, limit: usize) -> Result<Vec<SnapshotRow>> {
        self.catalogue.snapshots(limit).await
    }

    /// Names of the tables at a snapshot: datasets that were synced, `parties`, and bookkeeping (`_...`).
    pub async fn table_names(&self, snapshot: i64) -> Result<Vec<String>> {
        self.catalogue.expect_snapshot(snapshot).await?;
        self.catalogue.table_names(snapshot).await
    }

    /// A table at a snapshot: a dataset, `parties` or bookkeeping. One that was never written is empty, with
    /// the right columns. Text columns are `Utf8View`.
    pub async fn table(&self, name: &str, snapshot: i64) -> Result<Arc<dyn TableProvider>> {
        self.catalogue.expect_snapshot(snapshot).await?;
        let Some(table) = self.with_new_columns(name, snapshot).await? else {
            let shape = Shape::of(name).ok_or_else(|| LakeError::NoTable {
                table: name.to_owned(),
            })?;
            return Ok(Arc::new(LakeTable::empty(&shape)));
        };
        let stats = self.catalogue.file_stats(&table, snapshot).await?;
        let deletes = self.deletes.clone();
        let table = blocking("reads delete files", move || {
            LakeTable::new(&table, &stats, &deletes)
        })
        .await?;
        Ok(Arc::new(table))
    }

    /// A table as [`Self::table`] shows it: columns that the data model has gained since are there too, all null.
    pub(crate) async fn with_new_columns(&self, name: &str, snapshot: i64) -> Result<Option<TableInfo>> {
        let Some(mut table) = self.catalogue.table(name, snapshot).await? else {
            return Ok(None);
        };
        for column in Shape::of(name).iter().flat_map(|s| &s.columns) {
            if !table.columns.iter().any(|(_, c)| c.name == column.name) {
                let mut column = column.clone();
                column.nullable = true;
                table.columns.push((-1, column));
            }
        }
        Ok(Some(table))
    }

    /// The snapshot that last changed a table, up to `snapshot`; `None` when there is no such table yet.
    pub async fn table_version(&self, name: &str, snapshot: i64) -> Result<Option<i64>> {
        self.catalogue.expect_snapshot(snapshot).await?;
        self.catalogue.table_version(name, snapshot).await
    }

    /// When a dataset was last synced, up to `snapshot`; `None`: never.
    pub async fn last_synced(&self, dataset: &str, snapshot: i64) -> Result<Option<DateTime<Utc>>> {
        Ok(self.all_last_synced(snapshot).await?.get(dataset).copied())
    }

    /// When each dataset was last synced, up to `snapshot`.
    pub async fn all_last_synced(&self, snapshot: i64) -> Result<HashMap<String, DateTime<Utc>>> {
        let Some(table) = self.info(SYNCS, snapshot).await? else {
            return Ok(HashMap::new());
        };
        let micros = blocking("reads the syncs", move || kept::read_last_synced(&table)).await?;
        Ok(micros
            .into_iter()
            .filter_map(|(dataset, m)| Some((dataset, DateTime::from_timestamp_micros(m)?)))
            .collect())
    }

    /// Parties, what each mention's reference resolves to, and branches, sorted.
    pub async fn parties(&self, snapshot: i64) -> Result<PartyTables> {
        let mut tables = HashMap::new();
        for name in [PARTIES, PARTY_REFS, PARTY_BRANCHES] {
            if let Some(table) = self.info(name, snapshot).await? {
                tables.insert(name, Arc::new(table));
            }
        }
        blocking("reads the parties", move || {
            read_party_tables(|name| tables.get(name).cloned())
        })
        .await
    }

    /// Reviewers' verdicts by id.
    pub async fn judgements(&self, with_withdrawn: bool, limit: usize) -> Result<Vec<PartyJudgement>> {
        self.catalogue.judgements(with_withdrawn, limit).await
    }

    /// The verdict of that id.
    pub async fn judgement(&self, judgement_id: &str) -> Result<Option<PartyJudgement>> {
        self.catalogue.judgement(judgement_id).await
    }

    /// The id that the next verdict gets; ask while no sync runs.
    pub async fn next_judgement_id(&self) -> Result<String> {
        self.catalogue.next_judgement_id().await
    }

    /// What became of party ids, newest first.
    pub async fn party_events(&self, party: Option<&str>, limit: usize) -> Result<Vec<PartyEvent>> {
        self.catalogue.party_events(party, limit).await
    }

    /// Open quarantined rows at a snapshot, newest sync first.
    pub async fn quarantine(
        &self,
        filter: QuarantineFilter,
        limit: usize,
        snapshot: i64,
    ) -> Result<Vec<QuarantinedRow>> {
        let Some(table) = self.info(QUARANTINE, snapshot).await? else {
            return Ok(Vec::new());
        };
        blocking("reads the quarantine", move || {
            kept::read_quarantine(&table, &filter, limit)
        })
        .await
    }

    /// The open quarantined rows of one source, with their raw batch: (batch, file, row).
    pub async fn quarantined_batches(&self, source: String, snapshot: i64) -> Result<Vec<QuarantinedPlace>> {
        let Some(table) = self.info(QUARANTINE, snapshot).await? else {
            return Ok(Vec::new());
        };
        blocking("reads the quarantine", move || {
            kept::read_quarantined_places(&table, &source)
        })
        .await
    }

    /// Where the raw batch with this digest is kept.
    pub fn raw_path(&self, digest: &str) -> Option<PathBuf> {
        let path = self.directory.raw().join(digest.get(..2)?).join(digest);
        path.is_file().then_some(path)
    }

    /// Digest -> name of the raw batches of a source.
    pub async fn batch_names(&self, source: String, snapshot: i64) -> Result<HashMap<String, String>> {
        let Some(table) = self.info(BATCHES, snapshot).await? else {
            return Ok(HashMap::new());
        };
        blocking("reads raw batches", move || {
            kept::read_batch_names(&table, &source)
        })
        .await
    }

    /// Where the streams of a source stand: stream -> cursor.
    pub async fn cursors(&self, source: &str) -> Result<BTreeMap<String, String>> {
        self.catalogue.cursors(source).await
    }

    /// The next sync of the source reads from the start.
    pub async fn forget_cursors(&self, source: &str, stream: Option<&str>) -> Result<Vec<String>> {
        self.catalogue.forget_cursors(source, stream).await
    }

    /// Records that a sync begins; its commits keep the record up to date.
    pub async fn begin_run(&self, run: &SyncRun) -> Result<()> {
        self.catalogue.begin_run(run).await
    }

    /// Records how a sync ended. `ended_at` is UTC microseconds.
    pub async fn end_run(
        &self,
        run_id: &str,
        state: SyncState,
        ended_at: i64,
        failure: Option<&SyncFailure>,
    ) -> Result<()> {
        self.catalogue.end_run(run_id, state, ended_at, failure).await
    }

    /// Records what a sync saw of a source's columns; what is a change is told with the sync's record.
    pub async fn record_columns(&self, source: &str, run_id: &str, seen: &[SeenColumn]) -> Result<()> {
        self.catalogue.record_columns(source, run_id, seen).await
    }

    /// Records of syncs, newest first; of one source or all.
    pub async fn runs(&self, source: Option<&str>, limit: usize) -> Result<Vec<SyncRun>> {
        self.catalogue.runs(source, limit).await
    }

    async fn info(&self, name: &str, snapshot: i64) -> Result<Option<TableInfo>> {
        self.catalogue.expect_snapshot(snapshot).await?;
        self.catalogue.table(name, snapshot).await
    }
}
