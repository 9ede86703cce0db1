//! Recorded runs, each rule's line in them, rule texts and parameters (each kept once), and occurrences.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::Bilingual;
use domain::Value;
use domain::alert::RuleCounts;
use domain::hit::{RuleOutcome, RuleState, RunOutput};
use domain::ports::{RuleRunRecord, RunRecord};

use super::content::{decode, encode};
use super::{Cell, Row, Sql, Transaction, insert_many};
use crate::error::{Error, Result};
use crate::fingerprint::params_digest;

/// A run's own row.
#[derive(Debug, Clone)]
pub struct RunRow {
    pub run_id: String,
    pub snapshot: i64,
    pub as_of: NaiveDate,
    pub bundle_hash: String,
    pub table_versions: BTreeMap<String, i64>,
}

/// A hit seen by a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    pub alert_no: i64,
    pub rule_version: u32,
    pub evidence_digest: String,
    pub content: String,
}

/// The rule text and parameters of one rule run.
#[derive(Debug, Clone)]
pub struct RuleForm {
    pub rule_hash: String,
    pub rule_text: String,
    pub params: BTreeMap<String, Value>,
}

const RULE_STATES: [(RuleState, &str); 4] = [
    (RuleState::Evaluated, "EVALUATED"),
    (RuleState::NotEvaluable, "NOT_EVALUABLE"),
    (RuleState::Capped, "CAPPED"),
    (RuleState::Failed, "FAILED"),
];

pub fn rule_state_name(state: RuleState) -> &'static str {
    RULE_STATES
        .iter()
        .find(|(s, _)| *s == state)
        .map_or("FAILED", |(_, name)| name)
}

fn rule_state(row: &mut Row) -> Result<RuleState> {
    let name = row.text()?;
    RULE_STATES
        .iter()
        .find(|(_, n)| *n == name)
        .map(|(s, _)| *s)
        .ok_or_else(|| row.corrupt("a rule state"))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

// === Saving ===

/// The place of the newest run, 0 when there is none.
pub async fn last_seq(tx: &mut dyn Transaction) -> Result<i64> {
    let rows = tx
        .fetch(
            "reading runs",
            "select coalesce(max(seq), 0) from runs".into(),
            vec![],
        )
        .await?;
    rows.into_iter()
        .next()
        .ok_or(Error::Corrupt {
            place: "runs",
            expected: "one row",
        })?
        .int()
}

/// Whether a run is recorded.
pub async fn is_recorded(tx: &mut dyn Transaction, run_id: &str) -> Result<bool> {
    let rows = tx
        .fetch(
            "reading runs",
            "select seq from runs where run_id = $1".into(),
            vec![run_id.into()],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Whether a run of the same snapshot and date, recorded after this one, ran any of these rules.
pub async fn overtaken(tx: &mut dyn Transaction, run_id: &str, rules: &[String]) -> Result<bool> {
    let rows = tx
        .fetch(
            "reading runs",
            "select distinct u.rule_id from runs r join runs later on later.seq > r.seq \
             and later.as_of = r.as_of and later.snapshot = r.snapshot \
             join rule_runs u on u.run_id = later.run_id where r.run_id = $1"
                .into(),
            vec![run_id.into()],
        )
        .await?;
    for mut row in rows {
        if rules.contains(&row.text()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves a recorded run to the end of the order.
pub async fn move_to(tx: &mut dyn Transaction, run_id: &str, seq: i64) -> Result<()> {
    tx.execute(
        "reordering runs",
        "update runs set seq = $1 where run_id = $2".into(),
        vec![seq.into(), run_id.into()],
    )
    .await?;
    Ok(())
}

/// Stores a run with its rule texts, parameters and counts.
pub async fn insert(
    tx: &mut dyn Transaction,
    run_id: &str,
    seq: i64,
    output: &RunOutput,
    counts: &[RuleCounts],
    recorded_at: &str,
) -> Result<()> {
    tx.execute(
        "storing a run",
        "insert into runs (run_id, seq, snapshot, as_of, bundle_hash, table_versions, recorded_at) \
         values ($1, $2, $3, $4, $5, $6, $7)"
            .into(),
        vec![
            run_id.into(),
            seq.into(),
            output.snapshot.into(),
            output.as_of.into(),
            output.bundle_hash.as_str().into(),
            encode("table versions", &output.table_versions)?.into(),
            recorded_at.into(),
        ],
    )
    .await?;
    let texts = output
        .outcomes
        .iter()
        .map(|o| vec![Cell::from(o.rule_hash.as_str()), Cell::from(&*o.rule_text)])
        .collect();
    insert_many(
        tx,
        "storing rule texts",
        "rule_texts",
        &["rule_hash", "rule_text"],
        "on conflict (rule_hash) do nothing",
        texts,
    )
    .await?;
    let params = output
        .outcomes
        .iter()
        .map(|o| {
            Ok(vec![
                Cell::from(params_digest(&o.params)),
                Cell::from(encode("parameters", &o.params)?),
            ])
        })
        .collect::<Result<Vec<_>>>()?;
    insert_many(
        tx,
        "storing rule parameters",
        "rule_params",
        &["params_digest", "params"],
        "on conflict (params_digest) do nothing",
        params,
    )
    .await?;
    let rows = output
        .outcomes
        .iter()
        .zip(counts)
        .enumerate()
        .map(|(position, (outcome, counts))| rule_run_cells(run_id, position, outcome, counts))
        .collect();
    insert_many(
        tx,
        "storing rule runs",
        "rule_runs",
        &[
            "run_id",
            "rule_id",
            "position",
            "rule_version",
            "rule_hash",
            "params_digest",
            "state",
            "reason_code",
            "reason_zh",
            "reason_en",
            "hits",
            "opened",
            "updated",
            "changed",
            "reopened",
            "suppressed",
            "capped",
            "cleared",
            "stale",
            "withdrawn",
            "elapsed_ms",
        ],
        "",
        rows,
    )
    .await
}

fn rule_run_cells(run_id: &str, position: usize, outcome: &RuleOutcome, counts: &RuleCounts) -> Vec<Cell> {
    let reason = outcome.reason.as_ref();
    vec![
        run_id.into(),
        outcome.rule.id.as_str().into(),
        signed(position as u64).into(),
        i64::from(outcome.rule.version).into(),
        outcome.rule_hash.as_str().into(),
        params_digest(&outcome.params).into(),
        rule_state_name(outcome.state).into(),
        reason.map(|(code, _)| code.clone()).into(),
        reason.map(|(_, text)| text.zh.clone()).into(),
        reason.map(|(_, text)| text.en.clone()).into(),
        signed(counts.hits).into(),
        signed(counts.opened).into(),
        signed(counts.updated).into(),
        signed(counts.changed).into(),
        signed(counts.reopened).into(),
        signed(counts.suppressed).into(),
        signed(counts.capped).into(),
        signed(counts.cleared).into(),
        signed(counts.stale).into(),
        signed(counts.withdrawn).into(),
        signed(outcome.elapsed_ms).into(),
    ]
}

/// Stores that a run saw these alerts.
pub async fn insert_occurrences(
    tx: &mut dyn Transaction,
    run_id: &str,
    seq: i64,
    as_of: NaiveDate,
    occurrences: &[Occurrence],
) -> Result<()> {
    let cells = occurrences
        .iter()
        .map(|o| {
            vec![
                Cell::from(o.alert_no),
                run_id.into(),
                seq.into(),
                as_of.into(),
                i64::from(o.rule_version).into(),
                o.evidence_digest.as_str().into(),
                o.content.as_str().into(),
            ]
        })
        .collect();
    insert_many(
        tx,
        "storing occurrences",
        "occurrences",
        &[
            "alert_no",
            "run_id",
            "seq",
            "as_of",
            "rule_version",
            "evidence_digest",
            "content",
        ],
        "",
        cells,
    )
    .await
}

// === Loading ===

fn run_row(row: &mut Row) -> Result<RunRow> {
    Ok(RunRow {
        run_id: row.text()?,
        snapshot: row.int()?,
        as_of: row.date()?,
        bundle_hash: row.text()?,
        table_versions: decode("table versions", &row.text()?)?,
    })
}

const RUN_COLUMNS: &str = "select run_id, snapshot, as_of, bundle_hash, table_versions from runs";

pub async fn by_id(tx: &mut dyn Transaction, run_id: &str) -> Result<RunRow> {
    let sql: Sql = format!("{RUN_COLUMNS} where run_id = $1").into();
    let rows = tx.fetch("reading a run", sql, vec![run_id.into()]).await?;
    let mut row = rows.into_iter().next().ok_or(Error::Corrupt {
        place: "runs",
        expected: "the run named",
    })?;
    run_row(&mut row)
}

/// The text and parameters a rule had in a run.
pub async fn rule_form(tx: &mut dyn Transaction, run_id: &str, rule_id: &str) -> Result<RuleForm> {
    let rows = tx
        .fetch(
            "reading a rule's text",
            "select u.rule_hash, t.rule_text, p.params from rule_runs u \
             join rule_texts t on t.rule_hash = u.rule_hash join rule_params p on p.params_digest = u.params_digest \
             where u.run_id = $1 and u.rule_id = $2"
                .into(),
            vec![run_id.into(), rule_id.into()],
        )
        .await?;
    let mut row = rows.into_iter().next().ok_or(Error::Corrupt {
        place: "rule_runs",
        expected: "the rule run named",
    })?;
    Ok(RuleForm {
        rule_hash: row.text()?,
        rule_text: row.text()?,
        params: decode("parameters", &row.text()?)?,
    })
}

/// Newest first: (run id, as_of, rule version, evidence digest).
pub async fn occurrences(
    tx: &mut dyn Transaction,
    alert_no: i64,
) -> Result<Vec<(String, NaiveDate, u32, String)>> {
    let rows = tx
        .fetch(
            "reading occurrences",
            "select run_id, as_of, rule_version, evidence_digest from occurrences where alert_no = $1 \
             order by seq desc"
                .into(),
            vec![alert_no.into()],
        )
        .await?;
    rows.into_iter()
        .map(|mut row| {
            Ok((
                row.text()?,
                row.date()?,
                u32::try_from(row.int()?).map_err(|_| row.corrupt("a rule version"))?,
                row.text()?,
            ))
        })
        .collect()
}

/// Newest first.
pub async fn newest(tx: &mut dyn Transaction, limit: i64) -> Result<Vec<RunRecord>> {
    let sql: Sql = format!("{RUN_COLUMNS} order by seq desc limit $1").into();
    let rows = tx.fetch("reading runs", sql, vec![limit.into()]).await?;
    let runs: Vec<RunRow> = rows
        .into_iter()
        .map(|mut row| run_row(&mut row))
        .collect::<Result<_>>()?;
    let mut records = Vec::with_capacity(runs.len());
    for run in runs {
        let rules = tx
            .fetch(
                "reading rule runs",
                "select rule_id, rule_version, rule_hash, state, reason_code, reason_zh, reason_en, hits, opened, \
                 updated, changed, reopened, suppressed, capped, cleared, stale, withdrawn, elapsed_ms \
                 from rule_runs where run_id = $1 order by position"
                    .into(),
                vec![run.run_id.as_str().into()],
            )
            .await?
            .into_iter()
            .map(|mut row| rule_run_record(&mut row))
            .collect::<Result<_>>()?;
        records.push(RunRecord {
            run_id: run.run_id,
            snapshot: run.snapshot,
            as_of: run.as_of,
            bundle_hash: run.bundle_hash,
            rules,
        });
    }
    Ok(records)
}

fn rule_run_record(row: &mut Row) -> Result<RuleRunRecord> {
    let rule_id = row.text()?;
    let rule_version = u32::try_from(row.int()?).map_err(|_| row.corrupt("a rule version"))?;
    let rule_hash = row.text()?;
    let state = rule_state(row)?;
    let reason_code = row.optional_text()?;
    let (zh, en) = (row.optional_text()?, row.optional_text()?);
    Ok(RuleRunRecord {
        rule_id,
        rule_version,
        rule_hash,
        state,
        reason_code,
        reason: zh.zip(en).map(|(zh, en)| Bilingual { zh, en }),
        counts: RuleCounts {
            hits: row.count()?,
            opened: row.count()?,
            updated: row.count()?,
            changed: row.count()?,
            reopened: row.count()?,
            suppressed: row.count()?,
            capped: row.count()?,
            cleared: row.count()?,
            stale: row.count()?,
            withdrawn: row.count()?,
        },
        elapsed_ms: row.count()?,
    })
}
