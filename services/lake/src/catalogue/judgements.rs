//! Two more tables of our own in the catalogue: reviewers' verdicts on parties, and what became of party ids. Rows
//! are added and verdicts marked as withdrawn; nothing is removed. They change in the transaction that makes the
//! parties visible which obey them.

use domain::judgements::{PartyEvent, PartyEventKind, PartyJudgement, Withdrawal};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::Catalogue;
use crate::error::{LakeError, Result, doing};

pub(super) const SCHEMA: &str = "
create table if not exists lianjing_judgements (
    judgement_id text primary key,
    verdict text not null,
    a text not null,
    b text not null,
    a_told text not null,
    b_told text not null,
    judged_by text not null,
    reason text not null,
    judged_at integer not null,
    snapshot integer not null,
    withdrawn_by text,
    withdrawn_reason text,
    withdrawn_at integer,
    withdrawn_snapshot integer
);
create table if not exists lianjing_party_events (
    event_no integer primary key autoincrement,
    snapshot integer not null,
    at integer not null,
    kind text not null,
    from_party text not null,
    from_name text not null,
    into_party text not null,
    into_name text not null,
    mentions integer not null
);
create index if not exists lianjing_party_events_by_from on lianjing_party_events (from_party);
create index if not exists lianjing_party_events_by_into on lianjing_party_events (into_party);
";

/// What a commit does to the verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JudgementChange {
    Add(PartyJudgement),
    Withdraw {
        judgement_id: String,
        withdrawal: Withdrawal,
    },
}

type Tx = Transaction<'static, Sqlite>;

pub(super) async fn write_change(tx: &mut Tx, change: &JudgementChange, snapshot: i64) -> Result<()> {
    let what = doing("write a judgement");
    let written = match change {
        JudgementChange::Add(j) => {
            sqlx::query(
                "insert into lianjing_judgements
                 values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, null, null, null)",
            )
            .bind(&j.judgement_id)
            .bind(&j.verdict)
            .bind(&j.a)
            .bind(&j.b)
            .bind(&j.a_told)
            .bind(&j.b_told)
            .bind(&j.by)
            .bind(&j.reason)
            .bind(j.at)
            .bind(snapshot)
            .execute(&mut **tx)
            .await
        }
        JudgementChange::Withdraw {
            judgement_id,
            withdrawal,
        } => {
            sqlx::query(
                "update lianjing_judgements
                 set withdrawn_by = ?, withdrawn_reason = ?, withdrawn_at = ?, withdrawn_snapshot = ?
                 where judgement_id = ? and withdrawn_at is null",
            )
            .bind(&withdrawal.by)
            .bind(&withdrawal.reason)
            .bind(withdrawal.at)
            .bind(snapshot)
            .bind(judgement_id)
            .execute(&mut **tx)
            .await
        }
    };
    match written.map_err(what)?.rows_affected() {
        1 => Ok(()),
        _ => Err(LakeError::Unreadable {
            what: "a judgement that was there is gone".to_owned(),
        }),
    }
}

pub(super) async fn write_events(tx: &mut Tx, events: &[PartyEvent], snapshot: i64) -> Result<()> {
    for event in events {
        sqlx::query(
            "insert into lianjing_party_events
             (snapshot, at, kind, from_party, from_name, into_party, into_name, mentions)
             values (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(snapshot)
        .bind(event.at)
        .bind(event.kind.as_str())
        .bind(&event.from)
        .bind(&event.from_name)
        .bind(&event.into)
        .bind(&event.into_name)
        .bind(i64::try_from(event.mentions).unwrap_or(i64::MAX))
        .execute(&mut **tx)
        .await
        .map_err(doing("write what became of a party"))?;
    }
    Ok(())
}

impl Catalogue {
    /// Verdicts in order of their ids.
    pub async fn judgements(&self, with_withdrawn: bool, limit: usize) -> Result<Vec<PartyJudgement>> {
        let rows = sqlx::query(
            "select * from lianjing_judgements where (? or withdrawn_at is null)
             order by judgement_id limit ?",
        )
        .bind(with_withdrawn)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read the judgements"))?;
        rows.iter().map(judgement).collect()
    }

    /// The verdict of that id, withdrawn or not.
    pub async fn judgement(&self, judgement_id: &str) -> Result<Option<PartyJudgement>> {
        let row = sqlx::query("select * from lianjing_judgements where judgement_id = ?")
            .bind(judgement_id)
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a judgement"))?;
        row.as_ref().map(judgement).transpose()
    }

    /// The id that the next verdict gets.
    pub async fn next_judgement_id(&self) -> Result<String> {
        let count: i64 = sqlx::query_scalar("select count(*) from lianjing_judgements")
            .fetch_one(&self.pool)
            .await
            .map_err(doing("count the judgements"))?;
        Ok(format!("J{:06}", count + 1))
    }

    /// What became of party ids, newest first.
    pub async fn party_events(&self, party: Option<&str>, limit: usize) -> Result<Vec<PartyEvent>> {
        let rows = sqlx::query(
            "select * from lianjing_party_events where (?1 is null or from_party = ?1 or into_party = ?1)
             order by event_no desc limit ?2",
        )
        .bind(party)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read what became of parties"))?;
        rows.iter().map(event).collect()
    }
}

fn judgement(row: &SqliteRow) -> Result<PartyJudgement> {
    let read = |name: &str| row.try_get::<String, _>(name).map_err(doing("read a judgement"));
    let withdrawn_at: Option<i64> = row.try_get("withdrawn_at").map_err(doing("read a judgement"))?;
    let withdrawn = match withdrawn_at {
        None => None,
        Some(at) => Some(Withdrawal {
            by: read("withdrawn_by")?,
            reason: read("withdrawn_reason")?,
            at,
        }),
    };
    Ok(PartyJudgement {
        judgement_id: read("judgement_id")?,
        verdict: read("verdict")?,
        a: read("a")?,
        b: read("b")?,
        a_told: read("a_told")?,
        b_told: read("b_told")?,
        by: read("judged_by")?,
        reason: read("reason")?,
        at: row.try_get("judged_at").map_err(doing("read a judgement"))?,
        withdrawn,
    })
}

fn event(row: &SqliteRow) -> Result<PartyEvent> {
    let what = || doing("read what became of a party");
    let text = |name: &str| row.try_get::<String, _>(name).map_err(what());
    let number = |name: &str| row.try_get::<i64, _>(name).map_err(what());
    let kind = text("kind")?;
    Ok(PartyEvent {
        snapshot: number("snapshot")?,
        at: number("at")?,
        kind: PartyEventKind::parse(&kind).ok_or_else(|| LakeError::Unreadable {
            what: format!("kind {kind:?} in lianjing_party_events"),
        })?,
        from: text("from_party")?,
        from_name: text("from_name")?,
        into: text("into_party")?,
        into_name: text("into_name")?,
        mentions: u64::try_from(number("mentions")?).unwrap_or_default(),
    })
}
