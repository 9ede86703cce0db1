//! Two tables of our own beside DuckLake's in the catalogue: where each stream of a source stands, and the record of
//! each sync. They change in the transaction that makes rows visible, so that a cursor never runs ahead of its rows.

use std::collections::BTreeMap;

use domain::ports::DatasetCounts;
use domain::sources::{FailureClass, SyncFailure, SyncRun, SyncState};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::Catalogue;
use crate::error::{LakeError, Result, doing};

pub(super) const SCHEMA: &str = "
create table if not exists lianjing_cursors (
    source text not null,
    stream text not null,
    cursor text not null,
    snapshot integer not null,
    primary key (source, stream)
);
create table if not exists lianjing_sync_runs (
    run_id text primary key,
    source text not null,
    state text not null,
    started_at integer not null,
    ended_at integer,
    commits integer not null,
    snapshot integer,
    datasets text not null,
    bytes integer not null,
    cursors_before text not null,
    cursors_after text not null,
    failure_class text,
    failure_reason text,
    failure_message text
);
create index if not exists lianjing_sync_runs_by_source on lianjing_sync_runs (source, started_at);
";

/// What a commit writes beside the rows.
#[derive(Debug, Clone, Default)]
pub struct LedgerUpdate {
    pub source: String,
    /// Stream -> cursor: every row up to there is part of this commit or an earlier one.
    pub cursors: BTreeMap<String, String>,
    /// The record of the sync as it stands after this commit, but for the snapshot.
    pub run: Option<SyncRun>,
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| LakeError::Unreadable {
        what: format!("a sync's record: {e}"),
    })
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| LakeError::Unreadable {
        what: format!("the record of a sync in lianjing_sync_runs: {e}"),
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Writes cursors and the sync's record in the commit's transaction.
pub(super) async fn write(
    tx: &mut Transaction<'static, Sqlite>,
    update: &LedgerUpdate,
    snapshot: i64,
) -> Result<()> {
    for (stream, cursor) in &update.cursors {
        sqlx::query(
            "insert into lianjing_cursors values (?1, ?2, ?3, ?4)
             on conflict (source, stream) do update set cursor = ?3, snapshot = ?4",
        )
        .bind(&update.source)
        .bind(stream)
        .bind(cursor)
        .bind(snapshot)
        .execute(&mut **tx)
        .await
        .map_err(doing("write a cursor"))?;
    }
    if let Some(run) = &update.run {
        sqlx::query(
            "update lianjing_sync_runs
             set commits = ?2, snapshot = ?3, datasets = ?4, bytes = ?5, cursors_after = ?6 where run_id = ?1",
        )
        .bind(&run.run_id)
        .bind(signed(run.commits))
        .bind(snapshot)
        .bind(json(&run.datasets)?)
        .bind(signed(run.bytes))
        .bind(json(&run.cursors_after)?)
        .execute(&mut **tx)
        .await
        .map_err(doing("write a sync's record"))?;
    }
    Ok(())
}

impl Catalogue {
    /// A process that dies leaves its syncs running in the records: none of them does when the catalogue is opened.
    pub(super) async fn interrupt_runs(&self) -> Result<()> {
        sqlx::query("update lianjing_sync_runs set state = 'INTERRUPTED' where state = 'RUNNING'")
            .execute(&self.pool)
            .await
            .map_err(doing("close the records of interrupted syncs"))?;
        Ok(())
    }

    /// Stream -> cursor, as last committed.
    pub async fn cursors(&self, source: &str) -> Result<BTreeMap<String, String>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("select stream, cursor from lianjing_cursors where source = ?")
                .bind(source)
                .fetch_all(&self.pool)
                .await
                .map_err(doing("read the cursors"))?;
        Ok(rows.into_iter().collect())
    }

    /// The streams that had one, of one stream or all.
    pub async fn forget_cursors(&self, source: &str, stream: Option<&str>) -> Result<Vec<String>> {
        sqlx::query_scalar(
            "delete from lianjing_cursors where source = ?1 and (?2 is null or stream = ?2) returning stream",
        )
        .bind(source)
        .bind(stream)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("forget the cursors"))
    }

    /// Records that a sync has begun.
    pub async fn begin_run(&self, run: &SyncRun) -> Result<()> {
        sqlx::query(
            "insert into lianjing_sync_runs values (?, ?, ?, ?, null, 0, null, '[]', 0, ?, '{}', null, null, null)",
        )
        .bind(&run.run_id)
        .bind(&run.source)
        .bind(run.state.name())
        .bind(run.started_at)
        .bind(json(&run.cursors_before)?)
        .execute(&self.pool)
        .await
        .map_err(doing("record that a sync begins"))?;
        Ok(())
    }

    /// Records how a sync ended; what its commits wrote stays.
    pub async fn end_run(
        &self,
        run_id: &str,
        state: SyncState,
        ended_at: i64,
        failure: Option<&SyncFailure>,
    ) -> Result<()> {
        sqlx::query(
            "update lianjing_sync_runs
             set state = ?2, ended_at = ?3, failure_class = ?4, failure_reason = ?5, failure_message = ?6
             where run_id = ?1",
        )
        .bind(run_id)
        .bind(state.name())
        .bind(ended_at)
        .bind(failure.map(|f| f.class.name()))
        .bind(failure.map(|f| f.reason.as_str()))
        .bind(failure.map(|f| f.message.as_str()))
        .execute(&self.pool)
        .await
        .map_err(doing("record how a sync ended"))?;
        Ok(())
    }

    /// Newest first.
    pub async fn runs(&self, source: Option<&str>, limit: usize) -> Result<Vec<SyncRun>> {
        let rows = sqlx::query(
            "select * from lianjing_sync_runs where ?1 is null or source = ?1
             order by started_at desc, rowid desc limit ?2",
        )
        .bind(source)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list the syncs"))?;
        let mut drift = self.drift(source).await?;
        rows.iter()
            .map(|row| {
                let mut run = run_of(row)?;
                run.drift = drift.remove(&run.run_id).unwrap_or_default();
                Ok(run)
            })
            .collect()
    }
}

fn run_of(row: &SqliteRow) -> Result<SyncRun> {
    let read = |e| doing("list the syncs")(e);
    let text = |name: &str| row.try_get::<String, _>(name).map_err(read);
    let optional = |name: &str| row.try_get::<Option<String>, _>(name).map_err(read);
    let count = |name: &str| -> Result<u64> {
        let value: i64 = row.try_get(name).map_err(read)?;
        Ok(u64::try_from(value).unwrap_or_default())
    };
    let unknown = |what: &str, word: &str| LakeError::Unreadable {
        what: format!("a sync's {what} is {word:?}"),
    };
    let state = text("state")?;
    let failure = match optional("failure_class")? {
        None => None,
        Some(class) => Some(SyncFailure {
            class: FailureClass::parse(&class).ok_or_else(|| unknown("failure", &class))?,
            reason: optional("failure_reason")?.unwrap_or_default(),
            message: optional("failure_message")?.unwrap_or_default(),
        }),
    };
    let datasets: Vec<DatasetCounts> = parsed(&text("datasets")?)?;
    Ok(SyncRun {
        run_id: text("run_id")?,
        source: text("source")?,
        state: SyncState::parse(&state).ok_or_else(|| unknown("state", &state))?,
        started_at: row.try_get("started_at").map_err(read)?,
        ended_at: row.try_get("ended_at").map_err(read)?,
        commits: count("commits")?,
        snapshot: row.try_get("snapshot").map_err(read)?,
        datasets,
        bytes: count("bytes")?,
        cursors_before: parsed(&text("cursors_before")?)?,
        cursors_after: parsed(&text("cursors_after")?)?,
        failure,
        drift: Vec::new(),
    })
}
