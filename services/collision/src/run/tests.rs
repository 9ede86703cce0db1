//! What a run promises, tried on small rules over given rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use domain::Value;
use domain::hit::{RuleOutcome, RuleState, RunOutput};
use domain::ports::{NoProgress, RunRequest};

use super::runner::{IDENTITY_REPEATED, Runner};
use crate::data::memory::{DatasetRows, MemorySnapshot, TextRow, start_of_day};
use crate::rules::Bundle;
use crate::session::{self, Limits, SessionOptions};

fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 6, 30).unwrap()
}

/// A rule file; `head` lines replace those with the same key.
fn rule(id: &str, head: &[&str], sql: &str) -> (String, Arc<str>) {
    let defaults = [
        "version: 1",
        "title: {zh: 测试, en: Test}",
        "target: OFF",
        "status: stable",
        "severity: high",
        "certainty: strong",
        "legal_basis: [{law: 政府采购法, article: \"28\", effective_from: 2003-01-01}]",
        "why: {zh: 因, en: because}",
        "lawful_explanations: [{zh: 有, en: some}]",
        "inputs: [{dataset: tenders}]",
        "identity: [tender_id]",
        "subject: {hospital_id: hospital_id}",
        "evidence: [{dataset: tenders, key: [tender_id], column: tender_id}]",
        "message: {zh: \"{tender_id} 号\", en: \"tender {tender_id}\"}",
    ];
    let key = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let kept = defaults
        .into_iter()
        .filter(|line| !head.iter().any(|h| key(h) == key(line)));
    let yaml: Vec<&str> = kept.chain(head.iter().copied()).collect();
    let text = format!("/*---\nid: {id}\n{}\n---*/\n{sql}\n", yaml.join("\n"));
    (format!("rules/test/{id}_test.sql"), text.into())
}

fn view(name: &str, sql: &str) -> (String, Arc<str>) {
    let text = format!("/*---\nname: {name}\ntitle: {{zh: 视图, en: View}}\n---*/\n{sql}\n");
    (format!("views/{name}.sql"), text.into())
}

fn row(cells: &[(&str, &str)]) -> TextRow {
    cells
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
        .collect()
}

fn rows(dataset: &str, rows: Vec<TextRow>) -> DatasetRows {
    let synced_at = start_of_day(as_of().succ_opt().unwrap());
    DatasetRows {
        dataset: domain::dataset(dataset).unwrap(),
        rows,
        synced_at,
    }
}

fn tenders(n: usize) -> Vec<TextRow> {
    (0..n)
        .map(|n| {
            let (id, hospital, budget) = (
                format!("T{n:04}"),
                format!("H{}", n % 7),
                format!("{}.50", n * 10),
            );
            row(&[
                ("tender_id", &id),
                ("hospital_id", &hospital),
                ("budget", &budget),
            ])
        })
        .collect()
}

struct Bench {
    runner: Runner,
}

impl Bench {
    fn new(files: Vec<(String, Arc<str>)>, snapshot: MemorySnapshot) -> Self {
        let limits = Limits {
            memory_bytes_max: 256 << 20,
            ..Limits::default()
        };
        let runner = Runner {
            runtime: limits.runtime().unwrap(),
            limits,
            bundle: Arc::new(Bundle::from_files(files).unwrap()),
            snapshot: Arc::new(snapshot),
            graphs: Arc::default(),
        };
        Self { runner }
    }

    async fn run(&self, threads: usize) -> RunOutput {
        let request = RunRequest {
            rules: vec![],
            as_of: as_of(),
            snapshot: None,
            threads,
            params: BTreeMap::new(),
        };
        self.runner.run(&request, &NoProgress).await.unwrap()
    }

    async fn only(&self) -> RuleOutcome {
        self.run(1).await.outcomes.into_iter().next().unwrap()
    }
}

fn memory(datasets: Vec<DatasetRows>) -> MemorySnapshot {
    MemorySnapshot::new("test", &datasets).unwrap()
}

const ALL_TENDERS: &str = "select tender_id, hospital_id from tenders";

async fn reason_of(head: &[&str], datasets: Vec<DatasetRows>) -> String {
    let bench = Bench::new(vec![rule("TST-01", head, ALL_TENDERS)], memory(datasets));
    let outcome = bench.only().await;
    assert_eq!(outcome.state, RuleState::NotEvaluable);
    let (code, text) = outcome.reason.unwrap();
    assert!(
        text.en.contains("tenders") && text.zh.contains("招标项目"),
        "{text:?}"
    );
    code
}

#[tokio::test]
async fn each_reason_for_not_evaluable_is_told() {
    assert_eq!(reason_of(&[], vec![]).await, "INPUT_MISSING");
    assert_eq!(reason_of(&[], vec![rows("tenders", vec![])]).await, "INPUT_EMPTY");
    let required = ["inputs: [{dataset: tenders, required: [method]}]"];
    assert_eq!(
        reason_of(&required, vec![rows("tenders", tenders(3))]).await,
        "COLUMN_EMPTY"
    );
    assert_eq!(
        reason_of(&["min_history: {rows: 4}"], vec![rows("tenders", tenders(3))]).await,
        "HISTORY_SHORT"
    );
    let mut old = rows("tenders", tenders(3));
    old.synced_at -= chrono::TimeDelta::hours(27);
    assert_eq!(
        reason_of(&["inputs: [{dataset: tenders, max_staleness: 26h}]"], vec![old]).await,
        "INPUT_STALE"
    );
}

#[tokio::test]
async fn an_input_that_is_just_fresh_and_long_enough_is_evaluated() {
    let mut given = rows("tenders", tenders(4));
    given.synced_at -= chrono::TimeDelta::hours(26);
    let head = [
        "inputs: [{dataset: tenders, max_staleness: 26h, required: [budget]}]",
        "min_history: {rows: 4}",
    ];
    let outcome = Bench::new(vec![rule("TST-01", &head, ALL_TENDERS)], memory(vec![given]))
        .only()
        .await;
    assert_eq!((outcome.state, outcome.hits.len()), (RuleState::Evaluated, 4));
    let hit = &outcome.hits[1];
    assert_eq!(hit.identity, [("tender_id".to_owned(), Value::text("T0001"))]);
    assert_eq!(
        (hit.message.zh.as_str(), hit.message.en.as_str()),
        ("T0001 号", "tender T0001")
    );
    assert_eq!(hit.evidence.len(), 1);
    assert_eq!(hit.evidence[0].values["budget"], Value::text("10.50"));
    assert_eq!(hit.evidence[0].row, 2);
    assert!(hit.evidence_missing.is_empty());
}

#[tokio::test]
async fn an_optional_input_may_be_missing_and_is_empty_then() {
    let head = ["inputs: [{dataset: tenders}, {dataset: bids, optional: true}]"];
    let sql =
        "select t.tender_id, t.hospital_id from tenders t left anti join bids b on t.tender_id = b.tender_id";
    let bench = Bench::new(
        vec![rule("TST-01", &head, sql)],
        memory(vec![rows("tenders", tenders(2))]),
    );
    assert_eq!(bench.only().await.hits.len(), 2);
}

#[tokio::test]
async fn a_million_hits_are_capped_and_counted() {
    let sql =
        "select a.tender_id || b.tender_id as tender_id, a.hospital_id from tenders a cross join tenders b";
    let head = ["limits: {max_hits: 10, timeout: 120s}", "evidence: []"];
    let bench = Bench::new(
        vec![rule("TST-01", &head, sql)],
        memory(vec![rows("tenders", tenders(1000))]),
    );
    let outcome = bench.run(2).await.outcomes.remove(0);
    assert_eq!(
        (outcome.state, outcome.hits.len(), outcome.capped),
        (RuleState::Capped, 10, 999_990)
    );
    assert_eq!(outcome.hits[9].identity[0].1, Value::text("T0000T0009"));
    assert_eq!(outcome.reason.unwrap().0, "HITS_CAPPED");
}

#[tokio::test]
async fn a_rule_that_takes_too_long_or_fails_does_not_stop_the_others() {
    let endless = "select min(a.tender_id) as tender_id, min(b.hospital_id) as hospital_id \
                   from tenders a, tenders b, tenders c where a.budget + b.budget <> c.budget";
    let broken = "select tender_id, hospital_id from tenders where cast(hospital_id as bigint) > 0";
    let files = vec![
        rule("TST-01", &["limits: {max_hits: 10, timeout: 1s}"], endless),
        rule("TST-02", &[], broken),
        rule("TST-03", &[], "select tender_id from tenders"),
        rule("TST-04", &[], ALL_TENDERS),
    ];
    let output = Bench::new(files, memory(vec![rows("tenders", tenders(2000))]))
        .run(2)
        .await;
    let states: Vec<_> = output
        .outcomes
        .iter()
        .map(|o| {
            (
                o.state,
                o.reason.as_ref().map_or("", |(code, _)| code.as_str()),
                o.hits.len(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (RuleState::Failed, "TIMED_OUT", 0),
            (RuleState::Failed, "QUERY_FAILED", 0),
            (RuleState::Failed, "OUTPUT_INVALID", 0),
            (RuleState::Evaluated, "", 2000),
        ]
    );
}

#[tokio::test]
async fn a_panic_in_a_rule_becomes_its_failure() {
    let (place, text) = rule(
        "TST-01",
        &[],
        "select tender_id, hospital_id from tenders where explode(tender_id)",
    );
    let (spec, query) = crate::rules::file::parse_rule(&place, &text).unwrap();
    let snapshot: Arc<dyn crate::data::Snapshot> = Arc::new(memory(vec![rows("tenders", tenders(2))]));
    let runtime = Limits::default().runtime().unwrap();
    let context = session::open(runtime, &snapshot, SessionOptions::default(), None)
        .await
        .unwrap();
    let explode = |_: &[ColumnarValue]| -> datafusion::error::Result<ColumnarValue> { panic!("boom") };
    context.register_udf(create_udf(
        "explode",
        vec![DataType::Utf8View],
        DataType::Boolean,
        Volatility::Volatile,
        Arc::new(explode),
    ));
    let error = super::rule::run(&context, Arc::new(spec), query, BTreeMap::new(), as_of(), 10)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("boom"), "{error}");
}

#[tokio::test]
async fn a_join_that_does_not_fit_the_memory_is_made_by_sorting() {
    let sql = "select a.tender_id, max(b.hospital_id) as hospital_id from tenders a \
               join tenders b on a.title = b.title group by a.tender_id";
    let titled = (0..4000)
        .map(|n| {
            let (id, title) = (
                format!("T{n:05}"),
                format!("{n:05} a long title that takes room in memory {n:0>200}"),
            );
            row(&[("tender_id", &id), ("title", &title), ("hospital_id", "H1")])
        })
        .collect();
    let head = ["evidence: []"];
    let mut bench = Bench::new(
        vec![rule("TST-01", &head, sql)],
        memory(vec![rows("tenders", titled)]),
    );
    bench.runner.limits.memory_bytes_max = 16 << 20;
    bench.runner.runtime = bench.runner.limits.runtime().unwrap();
    let outcome = bench.only().await;
    assert_eq!(
        (outcome.state, outcome.hits.len()),
        (RuleState::Evaluated, 4000),
        "{:?}",
        outcome.reason
    );
}

#[tokio::test]
async fn rows_of_one_identity_become_one_hit_with_a_notice() {
    let sql = "select hospital_id, tender_id from tenders";
    let head = [
        "identity: [hospital_id]",
        "message: {zh: \"{tender_id}\", en: \"{tender_id}\"}",
    ];
    let bench = Bench::new(
        vec![rule("TST-01", &head, sql)],
        memory(vec![rows("tenders", tenders(14))]),
    );
    let outcome = bench.only().await;
    assert_eq!((outcome.state, outcome.hits.len()), (RuleState::Evaluated, 7));
    assert_eq!(outcome.reason.as_ref().unwrap().0, IDENTITY_REPEATED);
    assert_eq!(outcome.hits[0].message.en, "T0000");
    assert_eq!(outcome.hits[0].evidence.len(), 2);
}

/// All that a run says, but for the time it took.
fn said(mut output: RunOutput) -> String {
    output.outcomes.iter_mut().for_each(|o| o.elapsed_ms = 0);
    for hit in output.outcomes.iter_mut().flat_map(|o| &mut o.hits) {
        // A shuffled file has its rows in other places.
        hit.evidence.iter_mut().for_each(|row| row.row = 0);
    }
    format!("{output:#?}")
}

#[tokio::test]
async fn threads_partitions_and_the_order_of_rows_change_nothing() {
    let per_hospital = "select hospital_id, hospital_id as tender_id, sum(budget) as total, \
                        array_agg(tender_id order by tender_id) as ids from big group by hospital_id";
    let files = || {
        vec![
            view("big", "select * from tenders where budget > 100"),
            rule(
                "TST-01",
                &[
                    "identity: [hospital_id]",
                    "evidence: [{dataset: tenders, key: [tender_id], column: ids}]",
                    "amount_at_risk: total",
                ],
                per_hospital,
            ),
            rule("TST-02", &["limits: {max_hits: 100, timeout: 60s}"], ALL_TENDERS),
        ]
    };
    let ordered = tenders(500);
    let mut shuffled = Vec::new();
    for n in 0..500 {
        shuffled.push(ordered[(n * 211 + 17) % 500].clone());
    }
    let first = said(
        Bench::new(files(), memory(vec![rows("tenders", ordered)]))
            .run(1)
            .await,
    );
    for partitions in [1, 4] {
        let snapshot = memory(vec![rows("tenders", shuffled.clone())]).with_partitions(partitions);
        let again = said(Bench::new(files(), snapshot).run(2).await);
        assert!(first == again, "{partitions} partitions");
    }
}

#[tokio::test]
async fn a_view_that_several_rules_read_is_computed_once_in_memory_or_in_files() {
    let files = || {
        vec![
            view("plain", "select * from tenders where budget >= 0"),
            view(
                "totals",
                "select hospital_id, sum(budget) as total from plain group by hospital_id",
            ),
            rule(
                "TST-01",
                &["identity: [hospital_id]", "evidence: []", MESSAGE],
                "select * from totals",
            ),
            rule(
                "TST-02",
                &["identity: [hospital_id]", "evidence: []", MESSAGE],
                "select * from totals where total > 5",
            ),
        ]
    };
    const MESSAGE: &str = "message: {zh: \"{total}\", en: \"{total}\"}";
    let mut said_by = Vec::new();
    for view_bytes_max in [usize::MAX, 0] {
        let mut bench = Bench::new(
            files(),
            memory(vec![rows("tenders", tenders(100))]).with_partitions(3),
        );
        bench.runner.limits.view_bytes_max = view_bytes_max;
        let request = RunRequest {
            rules: vec![],
            as_of: as_of(),
            snapshot: None,
            threads: 2,
            params: BTreeMap::new(),
        };
        let chosen = bench.runner.bundle.select(&[]).unwrap();
        let opened = bench.runner.open(&chosen, &request).await.unwrap();
        assert_eq!(opened.views.kept, ["totals".to_owned()].into());
        let output = bench
            .runner
            .run_on(&opened, &chosen, &request, &NoProgress)
            .await
            .unwrap();
        assert_eq!(
            output.outcomes.iter().map(|o| o.hits.len()).collect::<Vec<_>>(),
            [7, 7]
        );
        said_by.push(said(output));
    }
    assert!(said_by[0] == said_by[1]);
}

#[tokio::test]
async fn parties_are_joined_by_id_and_named_by_key() {
    let bids = vec![
        row(&[
            ("bid_id", "B1"),
            ("tender_id", "T1"),
            ("supplier_name", "甲医疗器械有限责任公司"),
        ]),
        row(&[
            ("bid_id", "B2"),
            ("tender_id", "T1"),
            ("supplier_name", "甲医疗器械有限公司 "),
        ]),
        row(&[
            ("bid_id", "B3"),
            ("tender_id", "T1"),
            ("supplier_name", "乙医疗器械有限公司"),
        ]),
    ];
    let sql = "select a.supplier_key, a.tender_id, 'H' as hospital_id, array_agg(b.bid_id order by b.bid_id) as bids \
               from bids a join bids b on a.supplier_party_id = b.supplier_party_id and a.bid_id < b.bid_id \
               group by a.supplier_key, a.tender_id";
    let head = [
        "inputs: [{dataset: bids}]",
        "identity: [supplier_key]",
        "evidence: [{dataset: bids, key: [bid_id], column: bids}]",
    ];
    let outcome = Bench::new(vec![rule("TST-01", &head, sql)], memory(vec![rows("bids", bids)]))
        .only()
        .await;
    assert_eq!(outcome.state, RuleState::Evaluated, "{:?}", outcome.reason);
    assert_eq!(outcome.hits.len(), 1);
    let key = outcome.hits[0].identity[0].1.to_string();
    assert!(key.starts_with("name:甲医疗器械"), "{key}");
}

#[tokio::test]
async fn an_unknown_parameter_or_rule_fails_the_run() {
    let bench = Bench::new(vec![rule("TST-01", &[], ALL_TENDERS)], memory(vec![]));
    let mut request = RunRequest {
        rules: vec![],
        as_of: as_of(),
        snapshot: None,
        threads: 1,
        params: BTreeMap::from([("TST-01".into(), BTreeMap::from([("days".into(), Value::Int(1))]))]),
    };
    let error = bench.runner.run(&request, &NoProgress).await.unwrap_err();
    assert!(error.to_string().contains("no parameter days"), "{error}");
    request.params.clear();
    request.rules = vec!["TST-09".into()];
    let error = bench.runner.run(&request, &NoProgress).await.unwrap_err();
    assert!(error.to_string().contains("no rule TST-09"), "{error}");
}

#[tokio::test]
async fn parameters_and_as_of_are_typed() {
    let sql = "select tender_id, hospital_id from tenders \
               where budget > $floor and local_date(published_at) + $days <= $as_of \
               and local_date(published_at) >= $since and method in ($methods)";
    let head = ["params: {floor: \"10.00\", days: 90, since: \"2025-01-01\", methods: [inquiry, direct]}"];
    let tender = |id: &str, budget: &str, day: &str, method: &str| {
        row(&[
            ("tender_id", id),
            ("budget", budget),
            ("published_at", day),
            ("method", method),
        ])
    };
    let given = vec![
        tender("T1", "10.01", "2025-04-01", "inquiry"),
        tender("T2", "10.00", "2025-04-01", "inquiry"),
        tender("T3", "10.01", "2025-04-02", "inquiry"),
        tender("T4", "10.01", "2024-12-31", "inquiry"),
        tender("T5", "10.01", "2025-01-01", "direct"),
        tender("T6", "10.01", "2025-01-01", "public"),
    ];
    let outcome = Bench::new(
        vec![rule("TST-01", &head, sql)],
        memory(vec![rows("tenders", given)]),
    )
    .only()
    .await;
    assert_eq!(outcome.state, RuleState::Evaluated, "{:?}", outcome.reason);
    let ids: Vec<String> = outcome.hits.iter().map(|h| h.identity[0].1.to_string()).collect();
    assert_eq!(ids, ["T1", "T5"]);
}
