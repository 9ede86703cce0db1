//! The service: opens a store and serves [`AlertsPort`] on it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::alert::Alert;
use domain::clock::Clock;
use domain::hit::RunOutput;
use domain::ports::{
    AlertExplanation, AlertPage, AlertsPort, EvidenceCheck, ListAlertsRequest, RunPreview, RunRecord,
    WatchRequest, WatchStream,
};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::store::postgres::PostgresDatabase;
use crate::store::records::{self, AlertRow};
use crate::store::sqlite::SqliteDatabase;
use crate::store::{Database, Transaction, content, log, runs};
use crate::watch::Wake;
use crate::{list, record, watch};

/// Least time the watch history is kept.
const HISTORY_DAYS_MIN: u32 = 7;

/// What may be set; [`Default`] is right outside tests.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest silence on a watch stream before a bookmark.
    pub bookmark_every: Duration,
    /// How often to look for commits of other processes where nothing tells of them.
    pub poll_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bookmark_every: Duration::from_secs(15),
            poll_every: Duration::from_millis(250),
        }
    }
}

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// Events deleted.
    pub removed: u64,
    /// Oldest revision still kept.
    pub min_revision: i64,
}

/// The alert service. Cheap to clone; clones share the store.
#[derive(Debug, Clone)]
pub struct Alerts {
    database: Arc<dyn Database>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// Authenticates tokens.
    key: Arc<[u8]>,
    wake: Arc<Wake>,
}

// === impl Alerts ===

impl Alerts {
    /// Opens the store at `url` (`postgres://...`, `sqlite:PATH` or a path), creating it when missing.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(url, clock, Settings::default()).await
    }

    /// As [`Alerts::open`], with other settings.
    pub async fn open_with(url: &str, clock: Arc<dyn Clock>, settings: Settings) -> Result<Self> {
        let database: Arc<dyn Database> =
            if url.starts_with("postgres://") || url.starts_with("postgresql://") {
                Arc::new(PostgresDatabase::open(url, settings.poll_every).await?)
            } else {
                Arc::new(SqliteDatabase::open(sqlite_path(url)?, settings.poll_every).await?)
            };
        let mut tx = database.write().await?;
        log::initialise(&mut *tx, &new_epoch_name(), &new_key()).await?;
        let state = log::state(&mut *tx).await?;
        tx.commit().await?;
        let wake = Wake::start(database.clone());
        Ok(Self {
            database,
            clock,
            settings,
            key: state.token_key.into(),
            wake,
        })
    }

    /// Deletes watch history before `before_revision`: whole commits only, and none younger than 7 days.
    /// Alerts, occurrences and evidence stay.
    pub async fn compact(&self, before_revision: i64) -> Result<Compaction> {
        self.compact_until(before_revision, HISTORY_DAYS_MIN).await
    }

    /// Deletes watch history older than `days`, 7 at least.
    pub async fn compact_history(&self, days: u32) -> Result<Compaction> {
        if days < HISTORY_DAYS_MIN {
            return Err(Error::Retention {
                asked_days: days,
                floor_days: HISTORY_DAYS_MIN,
            });
        }
        self.compact_until(i64::MAX, days).await
    }

    async fn compact_until(&self, before_revision: i64, days: u32) -> Result<Compaction> {
        let now = self.clock.now();
        let limit = now
            .checked_sub_days(chrono::Days::new(days.into()))
            .ok_or(Error::DateRange {
                from: now.date_naive(),
                days,
            })?;
        let mut tx = self.database.write().await?;
        let (removed, min_revision) = log::compact(&mut *tx, before_revision, &stamp(limit)).await?;
        tx.commit().await?;
        Ok(Compaction {
            removed,
            min_revision,
        })
    }

    /// To be called after the store was restored from a backup: every resume token given before is refused
    /// with LOG_EPOCH_CHANGED. Returns the new epoch.
    pub async fn new_epoch(&self) -> Result<String> {
        let epoch = new_epoch_name();
        let mut tx = self.database.write().await?;
        log::set_epoch(&mut *tx, &epoch).await?;
        tx.commit().await?;
        self.wake.now();
        Ok(epoch)
    }

    /// Ends all connections, for a graceful stop. Open watch streams end with an error.
    pub async fn shut_down(&self) {
        self.wake.stop();
        self.database.close().await;
    }

    async fn load(&self, alert_id: &str) -> Result<Alert> {
        let mut tx = self.database.read().await?;
        let alert = complete(&mut *tx, alert_id).await?.1;
        tx.rollback().await?;
        Ok(alert)
    }

    async fn explanation(&self, alert_id: &str) -> Result<AlertExplanation> {
        let mut tx = self.database.read().await?;
        let (row, alert) = complete(&mut *tx, alert_id).await?;
        let run = runs::by_id(&mut *tx, &row.seen_run).await?;
        let form = runs::rule_form(&mut *tx, &row.seen_run, &row.rule_id).await?;
        let occurrences = runs::occurrences(&mut *tx, row.alert_no).await?;
        let closures = records::closures(&mut *tx, row.alert_no).await?;
        tx.rollback().await?;
        Ok(AlertExplanation {
            alert,
            rule_text: form.rule_text,
            rule_hash: form.rule_hash,
            params: form.params,
            snapshot: run.snapshot,
            as_of: run.as_of,
            bundle_hash: run.bundle_hash,
            table_versions: run.table_versions,
            evidence_digest: row.evidence_digest,
            occurrences,
            closures,
        })
    }
}

/// An alert with its row.
async fn complete(tx: &mut dyn Transaction, alert_id: &str) -> Result<(AlertRow, Alert)> {
    let (row, _) = records::by_id(tx, alert_id).await?;
    let mut contents = content::load(tx, std::slice::from_ref(&row.content)).await?;
    let (facts, detail) = contents.remove(&row.content).ok_or(Error::Corrupt {
        place: "contents",
        expected: "the content of an alert",
    })?;
    Ok((row.clone(), row.alert(facts, detail)))
}

fn sqlite_path(url: &str) -> Result<&Path> {
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if url.contains("://") => "",
        None => url,
    };
    if path.is_empty() {
        return Err(Error::BadUrl { url: url.to_owned() });
    }
    Ok(Path::new(path))
}

fn new_epoch_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// 32 bytes from the system's random source.
fn new_key() -> [u8; 32] {
    let mut hash = Sha256::new();
    for _ in 0..4 {
        hash.update(uuid::Uuid::new_v4().as_bytes());
    }
    hash.finalize().into()
}

/// RFC 3339 with a fixed width, so that texts sort as times do.
fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[async_trait::async_trait]
impl AlertsPort for Alerts {
    async fn record(&self, output: &RunOutput, rows: &dyn EvidenceCheck) -> domain::ports::Result<RunRecord> {
        let now = stamp(self.clock.now());
        let (record, committed) = record::record(&*self.database, output, rows, &now).await?;
        if committed {
            self.wake.now();
        }
        Ok(record)
    }

    async fn preview(
        &self,
        output: &RunOutput,
        rows: &dyn EvidenceCheck,
    ) -> domain::ports::Result<RunPreview> {
        Ok(record::preview(&*self.database, output, rows).await?)
    }

    async fn list(&self, request: ListAlertsRequest) -> domain::ports::Result<AlertPage> {
        Ok(list::list(&*self.database, &self.key, &request).await?)
    }

    async fn get(&self, alert_id: &str) -> domain::ports::Result<Alert> {
        Ok(self.load(alert_id).await?)
    }

    async fn explain(&self, alert_id: &str) -> domain::ports::Result<AlertExplanation> {
        Ok(self.explanation(alert_id).await?)
    }

    async fn close(&self, alert_id: &str, actor: &str, reason: &str) -> domain::ports::Result<Alert> {
        let (now, today) = (stamp(self.clock.now()), self.clock.today());
        record::close(&*self.database, alert_id, actor, reason, today, &now).await?;
        self.wake.now();
        Ok(self.load(alert_id).await?)
    }

    async fn watch(&self, request: WatchRequest) -> domain::ports::Result<WatchStream> {
        let bookmark_every = self.settings.bookmark_every;
        Ok(watch::open(
            self.database.clone(),
            self.key.clone(),
            &self.wake,
            bookmark_every,
            request,
        )
        .await?)
    }

    async fn runs(&self, limit: usize) -> domain::ports::Result<Vec<RunRecord>> {
        let mut tx = self.database.read().await.map_err(domain::Failure::from)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let records = runs::newest(&mut *tx, limit).await?;
        tx.rollback().await?;
        Ok(records)
    }
}
