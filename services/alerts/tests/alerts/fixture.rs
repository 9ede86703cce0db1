//! Stores, clocks, outputs and lakes for the tests.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alerts::{Alerts, Settings};
use chrono::{DateTime, NaiveDate, Utc};
use domain::alert::{Alert, RuleCounts};
use domain::clock::Clock;
use domain::hit::{EvidenceRow, Hit, RuleOutcome, RuleState, RunOutput};
use domain::ports::{
    AlertsPort, EvidenceCheck, EvidenceRef, ListAlertsRequest, RunRecord, WatchItem, WatchRequest,
    WatchStream,
};
use domain::rule::{Certainty, EvidenceSpec, Limits, RuleSpec, RuleStatus, Severity, Target};
use domain::{Bilingual, Failure, Value};
use futures::StreamExt;
use test_servers::database::new_postgres_database;

pub fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

// === Stores ===

/// A clock that tests move.
#[derive(Debug)]
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    pub fn set(&self, day: &str) {
        *self.0.lock().unwrap() = date(day).and_hms_opt(4, 0, 0).unwrap().and_utc();
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// A store of its own for one test.
pub struct Store {
    pub url: String,
    pub clock: Arc<TestClock>,
    _dir: Option<tempfile::TempDir>,
}

impl Store {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}", dir.path().join("state.sqlite").display());
        Self {
            url,
            clock: clock(),
            _dir: Some(dir),
        }
    }

    pub async fn postgres() -> Option<Self> {
        Some(Self {
            url: new_postgres_database()?,
            clock: clock(),
            _dir: None,
        })
    }

    /// A server of its own on the store, as another process would be.
    pub async fn open(&self) -> Alerts {
        self.open_with(Settings {
            poll_every: Duration::from_millis(20),
            ..Settings::default()
        })
        .await
    }

    pub async fn open_with(&self, settings: Settings) -> Alerts {
        Alerts::open_with(&self.url, self.clock.clone(), settings)
            .await
            .expect("the store opens")
    }
}

fn clock() -> Arc<TestClock> {
    let clock = TestClock(Mutex::default());
    clock.set("2024-03-01");
    Arc::new(clock)
}

// === Lakes ===

/// A lake in which all evidence stands, but for what was withdrawn: (dataset, id) of rows.
#[derive(Debug, Default)]
pub struct Lake {
    pub withdrawn: HashSet<String>,
    pub asked: Mutex<Vec<usize>>,
}

impl Lake {
    pub fn without(ids: &[&str]) -> Self {
        Self {
            withdrawn: ids.iter().map(|id| (*id).to_owned()).collect(),
            asked: Mutex::default(),
        }
    }
}

#[async_trait::async_trait]
impl EvidenceCheck for Lake {
    async fn unchanged(&self, rows: Vec<EvidenceRef>) -> domain::ports::Result<Vec<bool>> {
        self.asked.lock().unwrap().push(rows.len());
        Ok(rows
            .iter()
            .map(|row| !self.withdrawn.contains(&row.key["order_id"].to_string()))
            .collect())
    }
}

// === Outputs ===

pub fn rule(id: &str, version: u32, severity: Severity) -> Arc<RuleSpec> {
    Arc::new(RuleSpec {
        id: id.into(),
        version,
        title: Bilingual::new("标题", "Title"),
        target: Target::Manipulation,
        status: RuleStatus::Stable,
        severity,
        certainty: Certainty::Indicator,
        legal_basis: vec![],
        why: Bilingual::default(),
        lawful_explanations: vec![],
        known_gaps: vec![],
        inputs: vec![],
        params: BTreeMap::new(),
        min_history: None,
        identity: vec!["hospital_id".into(), "tender_id".into()],
        subject: BTreeMap::new(),
        evidence: vec![EvidenceSpec {
            dataset: "purchase_orders".into(),
            key: vec!["order_id".into()],
            column: "order_ids".into(),
        }],
        amount_at_risk: None,
        path: None,
        message: Bilingual::default(),
        limits: Limits::default(),
    })
}

/// A hit named `id` that rests on rows, each "order" or "order#content".
pub fn hit(id: &str, rows: &[&str]) -> Hit {
    let hospital = Value::text(format!("H{}", id.len() % 3));
    Hit {
        identity: vec![
            ("hospital_id".into(), hospital.clone()),
            ("tender_id".into(), Value::text(id)),
        ],
        subject: BTreeMap::from([
            ("hospital".into(), hospital),
            ("supplier".into(), Value::text(format!("9131{id}"))),
            ("supplier_name".into(), Value::text(format!("供应商 {id} & Co"))),
        ]),
        amount_at_risk: Some("1234.50".into()),
        message: Bilingual::new(format!("疑似拆分 {id}"), format!("Looks split: {id}")),
        path: vec![],
        evidence: rows.iter().map(|row| evidence(row)).collect(),
        evidence_missing: vec![],
    }
}

pub fn evidence(row: &str) -> EvidenceRow {
    let (order, content) = row.split_once('#').unwrap_or((row, "0"));
    EvidenceRow {
        dataset: "purchase_orders".into(),
        key: BTreeMap::from([("order_id".into(), Value::text(order))]),
        source: "files".into(),
        batch: "b0".into(),
        row: 1,
        hash: format!("hash-{order}-{content}"),
        values: BTreeMap::from([
            ("quantity".into(), Value::Int(3)),
            ("note".into(), Value::text("备注\0\u{1F600}")),
        ]),
        uncertain: Vec::new(),
    }
}

pub fn outcome(id: &str, state: RuleState, hits: Vec<Hit>) -> RuleOutcome {
    outcome_of(rule(id, 1, Severity::Medium), state, hits)
}

pub fn outcome_of(rule: Arc<RuleSpec>, state: RuleState, hits: Vec<Hit>) -> RuleOutcome {
    RuleOutcome {
        rule_hash: format!("rule-hash-{}-{}", rule.id, rule.version),
        rule_text: format!("select '{}' as rule, {}", rule.id, rule.version).into(),
        reason: (state == RuleState::NotEvaluable).then(|| {
            (
                "INPUT_MISSING".to_owned(),
                Bilingual::new("缺少输入", "An input is missing"),
            )
        }),
        rule,
        state,
        params: BTreeMap::from([("window_days".into(), Value::Int(90))]),
        hits,
        capped: 0,
        elapsed_ms: 5,
    }
}

pub fn output(snapshot: i64, as_of: &str, outcomes: Vec<RuleOutcome>) -> RunOutput {
    RunOutput {
        snapshot,
        as_of: date(as_of),
        bundle_hash: "bundle".into(),
        table_versions: BTreeMap::from([("purchase_orders".into(), snapshot)]),
        outcomes,
        all_rules: true,
    }
}

/// One evaluated rule, R-1, with these hits.
pub fn hits(snapshot: i64, as_of: &str, hits: Vec<Hit>) -> RunOutput {
    output(snapshot, as_of, vec![outcome("R-1", RuleState::Evaluated, hits)])
}

// === Doing and looking ===

pub async fn record(alerts: &Alerts, output: &RunOutput) -> RunRecord {
    alerts
        .record(output, &Lake::default())
        .await
        .expect("the run is recorded")
}

/// Counts of the only rule of a run.
pub async fn counts(alerts: &Alerts, output: &RunOutput) -> RuleCounts {
    record(alerts, output).await.rules.remove(0).counts
}

pub async fn list(alerts: &Alerts, filter: &str) -> Vec<Alert> {
    let request = ListAlertsRequest {
        filter: filter.into(),
        page_size: 1000,
        ..Default::default()
    };
    alerts.list(request).await.expect("alerts are listed").alerts
}

/// "tender STATE last_seen" of every alert, sorted.
pub async fn states(alerts: &Alerts) -> Vec<String> {
    let mut lines: Vec<String> = list(alerts, "")
        .await
        .into_iter()
        .map(|a| {
            format!(
                "{}/{} {} {}",
                a.identity["tender_id"],
                a.episode,
                a.state.as_str(),
                a.last_seen
            )
        })
        .collect();
    lines.sort();
    lines
}

/// Id of the alert of a hit's newest episode.
pub async fn id_of(alerts: &Alerts, tender: &str) -> String {
    list(alerts, &format!("identity.tender_id = {tender}"))
        .await
        .into_iter()
        .max_by_key(|a| a.episode)
        .expect("an alert")
        .alert_id
}

pub async fn watch(alerts: &Alerts, filter: &str, resume_token: &str) -> WatchStream {
    let request = WatchRequest {
        filter: filter.into(),
        resume_token: resume_token.into(),
        ..Default::default()
    };
    alerts.watch(request).await.expect("the watch opens")
}

/// The next item; a stream that says nothing for long fails the test.
pub async fn next(stream: &mut WatchStream) -> Result<WatchItem, Failure> {
    tokio::time::timeout(Duration::from_secs(60), stream.next())
        .await
        .expect("an item in time")
        .expect("the stream goes on")
}

/// "revision KIND tender STATE" or "bookmark revision", and the token.
pub fn describe(item: &WatchItem) -> (String, String) {
    match item {
        WatchItem::Event { event, resume_token } => (
            format!(
                "{} {:?} {} {}",
                event.revision,
                event.kind,
                event.alert.identity["tender_id"],
                event.alert.state.as_str()
            ),
            resume_token.clone(),
        ),
        WatchItem::Bookmark {
            revision,
            initial_list_end,
            resume_token,
        } => {
            let end = if *initial_list_end { " end of list" } else { "" };
            (format!("bookmark {revision}{end}"), resume_token.clone())
        }
    }
}

/// The next `n` items as text.
pub async fn take(stream: &mut WatchStream, n: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..n {
        lines.push(describe(&next(stream).await.expect("an item")).0);
    }
    lines
}

/// The token from which everything is seen that is committed from now on.
pub async fn token_now(alerts: &Alerts, filter: &str) -> String {
    describe(
        &next(&mut watch(alerts, filter, "").await)
            .await
            .expect("a bookmark"),
    )
    .1
}

pub fn reason<T: std::fmt::Debug>(result: Result<T, Failure>) -> &'static str {
    result.expect_err("a failure").reason
}
