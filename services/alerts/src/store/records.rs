//! Alerts as rows: loading, saving, and putting them together with their content.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use domain::alert::{Alert, AlertEventKind, AlertState};
use domain::ports::Closure;
use domain::rule::Severity;

use super::content::{Detail, Facts};
use super::{Cell, Row, Sql, Transaction, fetch_in, insert_many};
use crate::error::{Error, Result};
use crate::fingerprint::alert_id;

/// One row of `alerts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    pub alert_no: i64,
    pub alert_id: String,
    pub fingerprint: String,
    pub episode: u32,
    pub rule_id: String,
    pub severity: Severity,
    pub state: AlertState,
    pub first_seen: NaiveDate,
    pub last_seen: NaiveDate,
    /// (`as_of`, snapshot) of the run that last judged it.
    pub as_of: NaiveDate,
    pub snapshot: i64,
    pub content: String,
    pub evidence_digest: String,
    /// Of its newest event.
    pub revision: i64,
    pub kind: AlertEventKind,
    /// The last run that saw this content.
    pub seen_run: String,
    pub previous_alert_id: Option<String>,
    /// While closed: the date in China.
    pub closed_on: Option<NaiveDate>,
}

const COLUMNS: &[&str] = &[
    "alert_no",
    "alert_id",
    "fingerprint",
    "episode",
    "rule_id",
    "severity",
    "state",
    "first_seen",
    "last_seen",
    "as_of",
    "snapshot",
    "content",
    "evidence_digest",
    "revision",
    "kind",
    "seen_run",
    "previous_alert_id",
    "closed_on",
];

/// `COLUMNS` as a select list, of the alias `a`.
macro_rules! alert_columns {
    () => {
        "a.alert_no, a.alert_id, a.fingerprint, a.episode, a.rule_id, a.severity, a.state, a.first_seen, \
         a.last_seen, a.as_of, a.snapshot, a.content, a.evidence_digest, a.revision, a.kind, a.seen_run, \
         a.previous_alert_id, a.closed_on"
    };
}

const UPSERT: &str = "on conflict (alert_no) do update set severity = excluded.severity, state = excluded.state, \
    last_seen = excluded.last_seen, as_of = excluded.as_of, snapshot = excluded.snapshot, \
    content = excluded.content, evidence_digest = excluded.evidence_digest, revision = excluded.revision, \
    kind = excluded.kind, seen_run = excluded.seen_run, closed_on = excluded.closed_on";

// === impl AlertRow ===

impl AlertRow {
    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            alert_no: row.int()?,
            alert_id: row.text()?,
            fingerprint: row.text()?,
            episode: u32::try_from(row.int()?).map_err(|_| row.corrupt("an episode"))?,
            rule_id: row.text()?,
            severity: severity(row)?,
            state: state(row)?,
            first_seen: row.date()?,
            last_seen: row.date()?,
            as_of: row.date()?,
            snapshot: row.int()?,
            content: row.text()?,
            evidence_digest: row.text()?,
            revision: row.int()?,
            kind: kind(row)?,
            seen_run: row.text()?,
            previous_alert_id: row.optional_text()?,
            closed_on: row.optional_date()?,
        })
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.alert_no.into(),
            self.alert_id.as_str().into(),
            self.fingerprint.as_str().into(),
            i64::from(self.episode).into(),
            self.rule_id.as_str().into(),
            severity_number(self.severity).into(),
            self.state.as_str().into(),
            self.first_seen.into(),
            self.last_seen.into(),
            self.as_of.into(),
            self.snapshot.into(),
            self.content.as_str().into(),
            self.evidence_digest.as_str().into(),
            self.revision.into(),
            self.kind.as_str().into(),
            self.seen_run.as_str().into(),
            self.previous_alert_id.clone().into(),
            Cell::Text(self.closed_on.map(|d| d.to_string())),
        ]
    }

    /// Whether a run at this point may judge the alert: never one before the run that last did.
    pub fn may_be_judged_at(&self, as_of: NaiveDate, snapshot: i64) -> bool {
        (as_of, snapshot) >= (self.as_of, self.snapshot)
    }

    /// The alert as others see it.
    pub fn alert(self, facts: Facts, detail: Detail) -> Alert {
        Alert {
            alert_id: self.alert_id,
            fingerprint: self.fingerprint,
            rule_id: self.rule_id,
            rule_version: facts.rule_version,
            severity: facts.severity,
            state: self.state,
            episode: self.episode,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            as_of: self.as_of,
            hospital_id: facts.hospital_id,
            identity: facts.identity,
            subject: facts.subject,
            amount_at_risk: facts.amount_at_risk,
            message: facts.message,
            path: detail.path,
            evidence: detail.evidence,
        }
    }
}

// === Codes ===

pub fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Low => 0,
        Severity::Medium => 1,
        Severity::High => 2,
    }
}

fn severity(row: &mut Row) -> Result<Severity> {
    match row.int()? {
        0 => Ok(Severity::Low),
        1 => Ok(Severity::Medium),
        2 => Ok(Severity::High),
        _ => Err(row.corrupt("a severity")),
    }
}

pub fn state(row: &mut Row) -> Result<AlertState> {
    AlertState::parse(&row.text()?).ok_or_else(|| row.corrupt("an alert state"))
}

const KINDS: [AlertEventKind; 7] = [
    AlertEventKind::Opened,
    AlertEventKind::Updated,
    AlertEventKind::Reopened,
    AlertEventKind::Cleared,
    AlertEventKind::Stale,
    AlertEventKind::Withdrawn,
    AlertEventKind::Closed,
];

pub fn kind(row: &mut Row) -> Result<AlertEventKind> {
    let name = row.text()?;
    KINDS
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| row.corrupt("an event kind"))
}

// === Loading ===

/// The newest episode of every alert of these rules, by (rule, fingerprint).
pub async fn latest_episodes(
    tx: &mut dyn Transaction,
    rules: &[String],
) -> Result<HashMap<String, HashMap<String, AlertRow>>> {
    let rows = fetch_in(
        tx,
        "reading the alerts of the run's rules",
        concat!("select ", alert_columns!(), " from alerts a where a.rule_id in"),
        rules,
    )
    .await?;
    let mut found: HashMap<String, HashMap<String, AlertRow>> = HashMap::new();
    for mut row in rows {
        let row = AlertRow::read(&mut row)?;
        let of_rule = found.entry(row.rule_id.clone()).or_default();
        match of_rule.get(&row.fingerprint) {
            Some(other) if other.episode > row.episode => {}
            _ => {
                of_rule.insert(row.fingerprint.clone(), row);
            }
        }
    }
    Ok(found)
}

/// One alert by its id.
pub async fn by_id(tx: &mut dyn Transaction, id: &str) -> Result<(AlertRow, Facts)> {
    let mut rows = tx
        .fetch(
            "reading an alert",
            Sql::Borrowed(concat!(
                "select ",
                alert_columns!(),
                ", c.facts from alerts a join contents c on c.digest = a.content where a.alert_id = $1"
            )),
            vec![id.into()],
        )
        .await?;
    match rows.pop() {
        Some(mut row) => Ok((AlertRow::read(&mut row)?, super::content::facts(&mut row)?)),
        None => Err(Error::NoAlert {
            alert_id: id.to_owned(),
        }),
    }
}

/// Place of an alert in list order: severity (highest first), rule id, alert id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPlace {
    pub severity: i64,
    pub rule_id: String,
    pub alert_id: String,
}

impl ListPlace {
    pub fn of(row: &AlertRow) -> Self {
        Self {
            severity: severity_number(row.severity),
            rule_id: row.rule_id.clone(),
            alert_id: row.alert_id.clone(),
        }
    }
}

/// Alerts with their facts in list order, after a place, at most `limit`.
pub async fn in_list_order(
    tx: &mut dyn Transaction,
    after: Option<&ListPlace>,
    limit: i64,
) -> Result<Vec<(AlertRow, Facts)>> {
    const FROM: &str = concat!(
        "select ",
        alert_columns!(),
        ", c.facts from alerts a join contents c on c.digest = a.content"
    );
    let (sql, args): (Sql, Vec<Cell>) = match after {
        None => (
            format!("{FROM} order by a.severity desc, a.rule_id, a.alert_id limit $1").into(),
            vec![limit.into()],
        ),
        Some(place) => (
            format!(
                "{FROM} where a.severity < $1 or (a.severity = $1 and (a.rule_id, a.alert_id) > ($2, $3)) \
                 order by a.severity desc, a.rule_id, a.alert_id limit $4"
            )
            .into(),
            vec![
                place.severity.into(),
                place.rule_id.as_str().into(),
                place.alert_id.as_str().into(),
                limit.into(),
            ],
        ),
    };
    let rows = tx.fetch("listing alerts", sql, args).await?;
    rows.into_iter()
        .map(|mut row| Ok((AlertRow::read(&mut row)?, super::content::facts(&mut row)?)))
        .collect()
}

/// Alerts with their facts in the order of their newest events, after a revision, at most `limit`.
pub async fn in_revision_order(
    tx: &mut dyn Transaction,
    after: i64,
    limit: i64,
) -> Result<Vec<(AlertRow, Facts)>> {
    let rows = tx
        .fetch(
            "listing alerts for a watcher",
            Sql::Borrowed(concat!(
                "select ",
                alert_columns!(),
                ", c.facts from alerts a join contents c on c.digest = a.content \
                 where a.revision > $1 order by a.revision limit $2"
            )),
            vec![after.into(), limit.into()],
        )
        .await?;
    rows.into_iter()
        .map(|mut row| Ok((AlertRow::read(&mut row)?, super::content::facts(&mut row)?)))
        .collect()
}

pub async fn count(tx: &mut dyn Transaction) -> Result<u64> {
    let rows = tx
        .fetch("counting alerts", "select count(*) from alerts".into(), vec![])
        .await?;
    first(rows)?.count()
}

fn first(rows: Vec<Row>) -> Result<Row> {
    rows.into_iter().next().ok_or(Error::Corrupt {
        place: "an aggregate",
        expected: "one row",
    })
}

// === Saving ===

/// Gives new alerts (those with number 0) their numbers and ids, in order.
pub async fn name_new(tx: &mut dyn Transaction, rows: Vec<&mut AlertRow>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let top = tx
        .fetch(
            "numbering alerts",
            "select coalesce(max(alert_no), 0) from alerts".into(),
            vec![],
        )
        .await?;
    let mut next = first(top)?.int()?;
    let wanted: Vec<String> = rows
        .iter()
        .map(|row| alert_id(&row.fingerprint, row.episode, |_| false))
        .collect();
    let mut taken: HashSet<String> = fetch_in(
        tx,
        "looking for alert ids in use",
        "select alert_id from alerts where alert_id in",
        &wanted,
    )
    .await?
    .into_iter()
    .map(|mut row| row.text())
    .collect::<Result<_>>()?;
    for row in rows {
        next += 1;
        row.alert_no = next;
        row.alert_id = alert_id(&row.fingerprint, row.episode, |id| taken.contains(id));
        if taken.contains(&alert_id(&row.fingerprint, row.episode, |_| false)) {
            // A longer name may be in use as well: ask until one is free.
            while exists(tx, &row.alert_id).await? {
                taken.insert(row.alert_id.clone());
                row.alert_id = alert_id(&row.fingerprint, row.episode, |id| taken.contains(id));
            }
        }
        taken.insert(row.alert_id.clone());
    }
    Ok(())
}

async fn exists(tx: &mut dyn Transaction, id: &str) -> Result<bool> {
    let rows = tx
        .fetch(
            "looking for an alert id in use",
            "select alert_id from alerts where alert_id = $1".into(),
            vec![id.into()],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Inserts new alerts and updates known ones, by number.
pub async fn save(tx: &mut dyn Transaction, rows: &[&AlertRow]) -> Result<()> {
    let cells = rows.iter().map(|row| row.cells()).collect();
    insert_many(tx, "storing alerts", "alerts", COLUMNS, UPSERT, cells).await
}

/// Who closed an alert and why, newest first.
pub async fn closures(tx: &mut dyn Transaction, alert_no: i64) -> Result<Vec<Closure>> {
    let sql = "select actor, reason, closed_at from closures where alert_no = $1 order by revision desc";
    let rows = tx
        .fetch("reading closures", sql.into(), vec![alert_no.into()])
        .await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(Closure {
                actor: row.text()?,
                reason: row.text()?,
                closed_at: row.text()?,
            })
        })
        .collect()
}

/// Records that a person closed an alert.
pub async fn insert_closure(
    tx: &mut dyn Transaction,
    row: &AlertRow,
    actor: &str,
    reason: &str,
    closed_at: String,
) -> Result<()> {
    tx.execute(
        "storing a closure",
        "insert into closures (revision, alert_no, actor, reason, closed_at) values ($1, $2, $3, $4, $5)"
            .into(),
        vec![
            row.revision.into(),
            row.alert_no.into(),
            actor.into(),
            reason.into(),
            closed_at.into(),
        ],
    )
    .await?;
    Ok(())
}
