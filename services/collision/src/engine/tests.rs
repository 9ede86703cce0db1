//! The ports as their callers use them, over given rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::ports::{
    Around, CollisionPort, EvidenceRef, GraphFormat, GraphPort, QueryItem, QueryPort, QueryRequest,
};
use domain::{FailureKind, Value};
use futures::StreamExt;

use super::Engine;
use crate::data::memory::{DatasetRows, TextRow, parse_timestamp};
use crate::data::{MemorySnapshot, MemorySource};
use crate::rules::Bundle;
use crate::session::Limits;

fn rows(dataset: &str, rows: &[&[(&str, &str)]]) -> DatasetRows {
    let row = |cells: &&[(&str, &str)]| -> TextRow {
        cells
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
            .collect()
    };
    DatasetRows {
        dataset: domain::dataset(dataset).unwrap(),
        rows: rows.iter().map(row).collect(),
        synced_at: parse_timestamp("2025-06-30 12:00").unwrap(),
    }
}

fn engine_of(files: Vec<(String, Arc<str>)>, datasets: &[DatasetRows]) -> Engine {
    let snapshot = MemorySnapshot::new("test", datasets).unwrap();
    let bundle = Bundle::from_files(files).unwrap();
    Engine::new(
        Arc::new(MemorySource(Arc::new(snapshot))),
        bundle,
        Limits::default(),
    )
    .unwrap()
}

fn engine() -> Engine {
    let tenders = rows(
        "tenders",
        &[
            &[
                ("tender_id", "T1"),
                ("budget", "10.50"),
                ("published_at", "2025-01-01"),
            ],
            &[("tender_id", "T2"), ("budget", "1")],
            &[("tender_id", "T3")],
        ],
    );
    let suppliers = rows(
        "suppliers",
        &[
            &[
                ("supplier_id", "S1"),
                ("name", "甲医疗器械有限公司"),
                ("phone", "13800138000"),
            ],
            &[
                ("supplier_id", "S2"),
                ("name", "乙医疗器械有限公司"),
                ("phone", "138-0013-8000"),
            ],
        ],
    );
    let relations = rows(
        "relations",
        &[&[
            ("relation_id", "R1"),
            ("from_type", "company"),
            ("from_name", "甲医疗器械有限公司"),
            ("to_type", "company"),
            ("to_name", "乙医疗器械有限公司"),
            ("relation", "shareholder"),
            ("share_percent", "60"),
        ]],
    );
    engine_of(Vec::new(), &[tenders, suppliers, relations])
}

async fn ask(engine: &Engine, sql: &str, max_rows: u64) -> Result<Vec<QueryItem>, domain::Failure> {
    let request = QueryRequest {
        sql: sql.into(),
        at_snapshot: None,
        max_rows,
    };
    let items: Vec<_> = engine.query(request).await?.collect().await;
    items.into_iter().collect()
}

#[tokio::test]
async fn a_question_is_answered_with_columns_and_rows() {
    let items = ask(
        &engine(),
        "select tender_id, budget, published_at from tenders order by tender_id",
        0,
    )
    .await
    .unwrap();
    let [QueryItem::Columns(columns), QueryItem::Rows(rows)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(columns[0].0, "tender_id");
    assert_eq!(
        rows[0],
        [
            Value::text("T1"),
            Value::text("10.50"),
            Value::text("2024-12-31T16:00:00.000000Z")
        ]
    );
    assert_eq!(rows[2], [Value::text("T3"), Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_stops() {
    let names: Vec<String> = (0..3_000).map(|n| format!("T{n}")).collect();
    let tenders: Vec<[(&str, &str); 2]> = names
        .iter()
        .map(|n| [("tender_id", n.as_str()), ("budget", "1")])
        .collect();
    let tenders: Vec<&[(&str, &str)]> = tenders.iter().map(|row| row.as_slice()).collect();
    // This test's runtime has one thread, and so has the engine's.
    let engine = engine_of(Vec::new(), &[rows("tenders", &tenders)]);
    let request = QueryRequest {
        sql: "select count(*) from tenders as a, tenders as b, tenders as c where a.budget + b.budget > c.budget".into(),
        at_snapshot: None,
        max_rows: 0,
    };
    let mut endless = engine.query(request).await.unwrap();
    assert!(matches!(endless.next().await, Some(Ok(QueryItem::Columns(_)))));
    drop(endless);
    let items = ask(&engine, "select count(*) as n from tenders", 0)
        .await
        .unwrap();
    let [QueryItem::Columns(_), QueryItem::Rows(rows)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(rows[0], [Value::Int(3_000)]);
}

#[tokio::test]
async fn a_view_and_a_table_function_of_one_name_are_both_read() {
    let view =
        "/*---\nname: bidders\ntitle: {zh: 视图, en: View}\n---*/\nselect * from bids where bid_id <> 'B3'\n";
    let bids = rows(
        "bids",
        &[
            &[
                ("bid_id", "B1"),
                ("tender_id", "T1"),
                ("supplier_name", "甲医疗器械有限公司"),
            ],
            &[
                ("bid_id", "B2"),
                ("tender_id", "T2"),
                ("supplier_name", "甲医疗器械有限公司"),
            ],
            &[
                ("bid_id", "B3"),
                ("tender_id", "T1"),
                ("supplier_name", "乙医疗器械有限公司"),
            ],
        ],
    );
    let engine = engine_of(vec![("views/bidders.sql".into(), view.into())], &[bids]);
    let sql = "select b.bid_id, f.tenders from bidders as b \
               inner join bidders() as f on b.supplier_party_id = f.party_id order by b.bid_id";
    let items = ask(&engine, sql, 0).await.unwrap();
    let [QueryItem::Columns(_), QueryItem::Rows(rows)] = &items[..] else {
        panic!("{items:?}")
    };
    let wanted = [("B1", 2), ("B2", 2)].map(|(bid, tenders)| vec![Value::text(bid), Value::Int(tenders)]);
    assert_eq!(rows[..], wanted);
}

#[tokio::test]
async fn the_row_limit_cuts_and_says_so() {
    let items = ask(&engine(), "select tender_id from tenders order by tender_id", 2)
        .await
        .unwrap();
    assert_eq!(
        items[1],
        QueryItem::Rows(vec![vec![Value::text("T1")], vec![Value::text("T2")]])
    );
    assert_eq!(items.last(), Some(&QueryItem::Truncated { limit: 2 }));
    let whole = ask(&engine(), "select tender_id from tenders", 3).await.unwrap();
    assert!(
        matches!(whole.last(), Some(QueryItem::Rows(rows)) if rows.len() == 3),
        "{whole:?}"
    );
}

#[tokio::test]
async fn questions_can_only_read_what_is_shown() {
    for sql in [
        "delete from tenders",
        "create view x as select 1",
        "copy tenders to '/tmp/stolen.csv'",
        "set datafusion.execution.batch_size = 1",
        "select 1; select 2",
        "select * from '/etc/passwd'",
        "select * from tenders where tender_id = $1",
        "select * from nowhere",
        "select * from generate_series(1, 1000000000000)",
    ] {
        let failure = ask(&engine(), sql, 0).await.expect_err(sql);
        assert_eq!(failure.kind, FailureKind::Invalid, "{sql}: {failure}");
    }
    // Nothing that a name of a bookkeeping column hides.
    let failure = ask(&engine(), "select _supplier_ref from suppliers", 0)
        .await
        .unwrap_err();
    assert!(failure.message.contains("_supplier_ref"), "{failure}");
}

#[tokio::test]
async fn the_functions_of_the_architecture_are_there() {
    let sql = "select local_date(timestamp '2024-12-31T16:00:00'), norm_mac('00-1A-2B-3C-4D-5E'), norm_phone('138 0013 8000'), \
               is_uscc('x'), is_id_number('x'), name_key('甲 有限责任公司') = name_key('甲有限公司')";
    let items = ask(&engine(), sql, 0).await.unwrap();
    let QueryItem::Rows(rows) = &items[1] else {
        panic!("{items:?}")
    };
    assert_eq!(
        rows[0],
        [
            Value::text("2025-01-01"),
            Value::text("001a2b3c4d5e"),
            Value::text("13800138000"),
            Value::Bool(false),
            Value::Bool(false),
            Value::Bool(true),
        ]
    );
}

#[tokio::test]
async fn the_graph_answers_in_sql_and_by_its_port() {
    let engine = engine();
    let sql = "select r.kind, p.name as a, hop_count, hops[1]['key'] as key, hops[1]['share'] as share \
               from related_suppliers() r join parties p on p.party_id = r.via_party_id";
    let items = ask(&engine, sql, 0).await.unwrap();
    let QueryItem::Rows(rows) = &items[1] else {
        panic!("{items:?}")
    };
    let cells: Vec<String> = rows[0].iter().map(ToString::to_string).collect();
    assert_eq!(cells, ["control", "甲医疗器械有限公司", "1", "R1", "60.0000"]);

    let shared = ask(&engine, "select kind, value, degree from shared_attributes()", 0)
        .await
        .unwrap();
    assert_eq!(
        shared[1],
        QueryItem::Rows(vec![vec![
            Value::text("phone"),
            Value::text("13800138000"),
            Value::Int(2)
        ]])
    );
    let error = ask(&engine, "select * from related_parties('far')", 0)
        .await
        .unwrap_err();
    assert!(error.message.contains("whole number"), "{error}");

    let found = engine.find_party("乙医疗器械有限责任公司").await.unwrap();
    assert_eq!((found.len(), found[0].name.as_str()), (1, "乙医疗器械有限公司"));
    assert!(
        found[0].mentions.contains(&"suppliers S2".to_owned()),
        "{found:?}"
    );
    let paths = engine.paths("S1", "S2", 3, None, 10).await.unwrap();
    assert_eq!((paths.len(), paths[0].share.as_deref()), (1, Some("60.0000")));
    assert!(engine.paths("S1", "nobody", 3, None, 10).await.is_err());
}

#[tokio::test]
async fn ownership_and_the_networks_of_bidders_answer_in_sql_and_by_the_port() {
    let supplier = |id, name| [("supplier_id", id), ("name", name)];
    let relation = |id, from, share| {
        [
            ("relation_id", id),
            ("from_type", "company"),
            ("from_name", from),
            ("to_type", "company"),
            ("to_name", "乙医疗器械有限公司"),
            ("relation", "shareholder"),
            ("share_percent", share),
            ("valid_from", "2024-01-01"),
        ]
    };
    let bid = |id, tender, supplier, winner| {
        [
            ("bid_id", id),
            ("tender_id", tender),
            ("supplier_id", supplier),
            ("is_winner", winner),
        ]
    };
    let datasets = [
        rows(
            "suppliers",
            &[
                &supplier("S1", "甲医疗器械有限公司"),
                &supplier("S2", "乙医疗器械有限公司"),
            ],
        ),
        rows(
            "relations",
            &[
                &relation("R1", "甲医疗器械有限公司", "60"),
                &relation("R2", "丙投资有限公司", "20"),
            ],
        ),
        rows(
            "bids",
            &[
                &bid("B1", "T1", "S1", "true"),
                &bid("B2", "T1", "S2", "false"),
                &bid("B3", "T2", "S1", "true"),
                &bid("B4", "T2", "S2", "false"),
            ],
        ),
    ];
    let engine = engine_of(Vec::new(), &datasets);
    let cells = async |sql: &str| -> Vec<Vec<String>> {
        let items = ask(&engine, sql, 0).await.unwrap();
        let QueryItem::Rows(rows) = &items[1] else {
            panic!("{items:?}")
        };
        rows.iter()
            .map(|row| row.iter().map(ToString::to_string).collect())
            .collect()
    };
    let owned = "select p.name, cast(integrated_share * 100 as int), controls from ownership(date '2024-01-01', 0.5) \
                 join parties p on p.party_id = owner_id";
    assert_eq!(cells(owned).await, [["甲医疗器械有限公司", "60", "true"]]);
    let met = "select tenders, overlap, a_wins + b_wins from co_bidding()";
    assert_eq!(cells(met).await[0][0], "2");
    let lost = "select b.losses, p.name from bidders() b join parties p on p.party_id = b.main_winner_id";
    assert_eq!(cells(lost).await, [["2", "甲医疗器械有限公司"]]);
    let ring = "select distinct size, tenders, community_wins from bidding_communities()";
    assert_eq!(cells(ring).await, [["2", "2", "2"]]);
    assert_eq!(
        cells("select count(distinct community_id) from communities()").await,
        [["1"]]
    );
    for (sql, why) in [
        ("select * from ownership(date '2024-01-01', 25)", "fraction"),
        ("select * from ownership('no day', 0.25)", "fraction"),
        ("select * from co_bidding(1)", "no argument"),
    ] {
        let error = ask(&engine, sql, 0).await.unwrap_err();
        assert!(error.message.contains(why), "{error}");
    }

    let day = "2024-01-01".parse().unwrap();
    let companies = engine.ownership("S2", day, 0.2).await.unwrap();
    let owners: Vec<(&str, bool)> = companies[0]
        .owners
        .iter()
        .map(|o| (o.owner.name.as_str(), o.controls))
        .collect();
    assert_eq!(owners, [("甲医疗器械有限公司", true), ("丙投资有限公司", false)]);
    let before = engine
        .ownership("S2", "2023-12-31".parse().unwrap(), 0.2)
        .await
        .unwrap();
    assert!(before[0].owners.is_empty(), "the holdings came later");
    let around = Around {
        max_hops: 1,
        as_of: None,
        parties_max: 500,
        edges_max: 2_000,
    };
    let part = engine.neighbourhood("S2", around).await.unwrap();
    assert_eq!(
        (part.parties.len(), part.edges.len(), part.truncated),
        (3, 2, false)
    );
    let components = engine.components(2, 10, 20).await.unwrap();
    assert_eq!((components.len(), components[0].size), (1, 3));
    let text = engine
        .export(GraphFormat::FollowTheMoney, Some(("S2", around)))
        .await
        .unwrap();
    assert_eq!(text.lines().count(), 5);
    assert_eq!(
        engine.party(&part.parties[0].0.party_id).await.unwrap().name,
        "乙医疗器械有限公司"
    );
    assert_eq!(
        engine.party("nobody").await.unwrap_err().kind,
        FailureKind::NotFound
    );
}

#[tokio::test]
async fn rows_that_still_stand_are_told_from_changed_and_vanished_ones() {
    let engine = engine();
    let items = ask(&engine, "select _hash from tenders where tender_id = 'T1'", 0)
        .await
        .unwrap();
    let QueryItem::Rows(rows) = &items[1] else {
        panic!("{items:?}")
    };
    let hash = rows[0][0].to_string();
    let row = |id: &str, hash: &str| EvidenceRef {
        dataset: "tenders".into(),
        key: BTreeMap::from([("tender_id".to_owned(), Value::text(id))]),
        hash: hash.into(),
    };
    let asked = vec![row("T1", &hash), row("T1", "7"), row("T9", &hash)];
    assert_eq!(engine.rows_unchanged(asked).await.unwrap(), [true, false, false]);
}

#[tokio::test]
async fn an_unknown_snapshot_is_not_found() {
    let request = QueryRequest {
        sql: "select 1".into(),
        at_snapshot: Some(99),
        max_rows: 0,
    };
    let failure = engine().query(request).await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

/// The rules that the project ships, as they are on the disk.
fn shipped() -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries");
    let snapshot = MemorySnapshot::new("test", &[]).unwrap();
    let bundle = Bundle::from_folder(&folder).unwrap();
    Engine::new(
        Arc::new(MemorySource(Arc::new(snapshot))),
        bundle,
        Limits::default(),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_every_shipped_rule_passes() {
    let results = shipped().test_rules(None).await.unwrap();
    let failed: Vec<_> = results
        .iter()
        .filter(|r| !r.passed)
        .map(|r| format!("{} - {}: {}", r.rule_id, r.case, r.detail))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn the_shipped_rules_are_free_of_lint() {
    let problems = shipped().lint_rules().await.unwrap();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_binary_carries_the_rules_that_are_on_the_disk() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries");
    assert_eq!(
        Bundle::load(None).unwrap().hash(),
        Bundle::from_folder(&folder).unwrap().hash()
    );
}
