//! The watch log: its state, its events in commit order, its compaction.

use chrono::NaiveDate;
use domain::alert::{Alert, AlertEventKind, AlertState};

use super::content::{self, Detail, Facts};
use super::records::{self, AlertRow};
use super::{Cell, Row, Transaction, insert_many};
use crate::error::{Error, Result};

/// The log's one row of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    pub epoch: String,
    pub token_key: Vec<u8>,
    pub last_revision: i64,
    pub min_revision: i64,
}

/// An event to append: the alert after the change, and what happened.
pub struct NewEvent<'a> {
    pub row: &'a AlertRow,
    pub run_id: Option<&'a str>,
}

/// A stored event without its evidence.
#[derive(Debug, Clone)]
pub struct Event {
    pub revision: i64,
    /// Revision of the last event of the same commit.
    pub commit_last: i64,
    pub kind: AlertEventKind,
    pub content: String,
    alert_id: String,
    fingerprint: String,
    episode: u32,
    pub rule_id: String,
    pub state: AlertState,
    pub first_seen: NaiveDate,
    pub last_seen: NaiveDate,
    as_of: NaiveDate,
    pub facts: Facts,
}

// === impl Event ===

impl Event {
    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            revision: row.int()?,
            commit_last: row.int()?,
            kind: records::kind(row)?,
            content: row.text()?,
            alert_id: row.text()?,
            fingerprint: row.text()?,
            episode: u32::try_from(row.int()?).map_err(|_| row.corrupt("an episode"))?,
            rule_id: row.text()?,
            state: records::state(row)?,
            first_seen: row.date()?,
            last_seen: row.date()?,
            as_of: row.date()?,
            facts: content::facts(row)?,
        })
    }

    /// The newest event of an alert, as far as the alert's row tells.
    pub fn newest_of(row: AlertRow, facts: Facts) -> Self {
        Self {
            revision: row.revision,
            commit_last: row.revision,
            kind: row.kind,
            content: row.content,
            alert_id: row.alert_id,
            fingerprint: row.fingerprint,
            episode: row.episode,
            rule_id: row.rule_id,
            state: row.state,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            as_of: row.as_of,
            facts,
        }
    }

    pub fn alert_id(&self) -> &str {
        &self.alert_id
    }

    /// The alert as it was after the event.
    pub fn alert(self, detail: Detail) -> Alert {
        Alert {
            alert_id: self.alert_id,
            fingerprint: self.fingerprint,
            rule_id: self.rule_id,
            rule_version: self.facts.rule_version,
            severity: self.facts.severity,
            state: self.state,
            episode: self.episode,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            as_of: self.as_of,
            hospital_id: self.facts.hospital_id,
            identity: self.facts.identity,
            subject: self.facts.subject,
            amount_at_risk: self.facts.amount_at_risk,
            message: self.facts.message,
            path: detail.path,
            evidence: detail.evidence,
        }
    }
}

// === State ===

/// Writes the state row of a new store; does nothing on one in use.
pub async fn initialise(tx: &mut dyn Transaction, epoch: &str, token_key: &[u8]) -> Result<()> {
    tx.execute(
        "starting the watch log",
        "insert into log_state (id, epoch, token_key, last_revision, min_revision) values (1, $1, $2, 0, 1) \
         on conflict (id) do nothing"
            .into(),
        vec![epoch.into(), token_key.to_vec().into()],
    )
    .await?;
    Ok(())
}

pub async fn state(tx: &mut dyn Transaction) -> Result<LogState> {
    let rows = tx
        .fetch(
            "reading the state of the watch log",
            "select epoch, token_key, last_revision, min_revision from log_state where id = 1".into(),
            vec![],
        )
        .await?;
    let mut row = rows.into_iter().next().ok_or(Error::Corrupt {
        place: "log_state",
        expected: "one row",
    })?;
    Ok(LogState {
        epoch: row.text()?,
        token_key: row.bytes()?,
        last_revision: row.int()?,
        min_revision: row.int()?,
    })
}

pub async fn set_epoch(tx: &mut dyn Transaction, epoch: &str) -> Result<()> {
    tx.execute(
        "starting a new epoch of the watch log",
        "update log_state set epoch = $1 where id = 1".into(),
        vec![epoch.into()],
    )
    .await?;
    Ok(())
}

// === Events ===

/// Appends one commit's events; each row carries the revision it was given.
pub async fn append(tx: &mut dyn Transaction, events: Vec<NewEvent<'_>>, committed_at: &str) -> Result<()> {
    let Some(last) = events.iter().map(|e| e.row.revision).max() else {
        return Ok(());
    };
    let cells = events
        .iter()
        .map(|e| {
            vec![
                Cell::from(e.row.revision),
                last.into(),
                e.row.kind.as_str().into(),
                e.row.alert_no.into(),
                e.row.state.as_str().into(),
                e.row.first_seen.into(),
                e.row.last_seen.into(),
                e.row.as_of.into(),
                e.row.content.as_str().into(),
                e.run_id.map(str::to_owned).into(),
                committed_at.into(),
            ]
        })
        .collect();
    insert_many(
        tx,
        "appending to the watch log",
        "events",
        &[
            "revision",
            "commit_last",
            "kind",
            "alert_no",
            "state",
            "first_seen",
            "last_seen",
            "as_of",
            "content",
            "run_id",
            "committed_at",
        ],
        "",
        cells,
    )
    .await?;
    tx.execute(
        "moving the watch log forward",
        "update log_state set last_revision = $1 where id = 1".into(),
        vec![last.into()],
    )
    .await?;
    Ok(())
}

/// Events after a revision, in order, at most `limit`.
pub async fn after(tx: &mut dyn Transaction, revision: i64, limit: i64) -> Result<Vec<Event>> {
    let rows = tx
        .fetch(
            "reading the watch log",
            "select e.revision, e.commit_last, e.kind, e.content, a.alert_id, a.fingerprint, a.episode, \
             a.rule_id, e.state, e.first_seen, e.last_seen, e.as_of, c.facts \
             from events e join alerts a on a.alert_no = e.alert_no join contents c on c.digest = e.content \
             where e.revision > $1 order by e.revision limit $2"
                .into(),
            vec![revision.into(), limit.into()],
        )
        .await?;
    rows.into_iter().map(|mut row| Event::read(&mut row)).collect()
}

// === Compaction ===

/// Deletes whole commits that end before `before_revision` and were committed before `committed_before`
/// (RFC 3339, UTC). Returns how many events went, and the new oldest revision.
pub async fn compact(
    tx: &mut dyn Transaction,
    before_revision: i64,
    committed_before: &str,
) -> Result<(u64, i64)> {
    let state = state(tx).await?;
    let rows = tx
        .fetch(
            "looking for the end of the history to compact",
            "select max(commit_last) from events where commit_last < $1 and committed_at < $2".into(),
            vec![before_revision.into(), committed_before.into()],
        )
        .await?;
    let mut row = rows.into_iter().next().ok_or(Error::Corrupt {
        place: "events",
        expected: "one row",
    })?;
    let Some(end) = row.optional_int()? else {
        return Ok((0, state.min_revision));
    };
    let removed = tx
        .execute(
            "compacting the watch log",
            "delete from events where revision <= $1".into(),
            vec![end.into()],
        )
        .await?;
    let min_revision = end + 1;
    tx.execute(
        "compacting the watch log",
        "update log_state set min_revision = $1 where id = 1".into(),
        vec![min_revision.into()],
    )
    .await?;
    Ok((removed, min_revision))
}
