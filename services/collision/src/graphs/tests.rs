//! The graph that is made from the one before is the one that all rows give.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use connector::{KeyBatch, RowBatch};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::compute::cast;
use graph::{Graph, GraphInput};
use lake::{Lake, PartyBranchRow, PartyRefRow, PartyRow, PartyTables, Prepared, SyncStart};
use proptest::prelude::*;

use super::kept::{Graphs, Made};
use crate::data::{LakeSource, Snapshot, SnapshotSource};
use crate::session::{self, Limits, SessionOptions};

/// Rows of one dataset: column and text of each cell.
type Rows = Vec<Vec<(&'static str, String)>>;

/// What one sync does.
#[derive(Debug, Clone, Default)]
struct Sync {
    rows: BTreeMap<&'static str, Rows>,
    /// Dataset and the keys that its source still has.
    keeps: Option<(&'static str, Vec<String>)>,
}

impl Sync {
    fn of(rows: &[(&'static str, &[(&'static str, &str)])]) -> Self {
        let mut sync = Self::default();
        for (dataset, cells) in rows {
            let row = cells.iter().map(|(c, text)| (*c, (*text).to_owned())).collect();
            sync.rows.entry(dataset).or_default().push(row);
        }
        sync
    }
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000 + seconds)
}

fn batch(dataset: &str, rows: &Rows) -> RowBatch {
    let dataset = domain::dataset(dataset).unwrap();
    // An empty text is a cell without a value.
    let column = |name: &str| -> Vec<Option<&str>> {
        let cell =
            |row: &Vec<(&str, String)>| row.iter().position(|(c, text)| *c == name && !text.is_empty());
        rows.iter()
            .map(|row| cell(row).map(|at| row[at].1.as_str()))
            .collect()
    };
    let arrays = dataset.columns.iter().map(|c| {
        let texts: ArrayRef = Arc::new(StringArray::from(column(&c.name)));
        cast(&texts, &c.ty.arrow()).unwrap()
    });
    RowBatch {
        columns: RecordBatch::try_new(dataset.schema(), arrays.collect()).unwrap(),
        batch: "b".into(),
        positions: UInt64Array::from_iter_values(1..=rows.len() as u64),
        dataset,
    }
}

/// A lake, and the graphs that are kept of it.
struct Bench {
    _dir: tempfile::TempDir,
    lake: Arc<Lake>,
    source: LakeSource,
    graphs: Graphs,
    syncs: i64,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = Arc::new(Lake::open(dir.path(), time(0)).await.unwrap().with_threads(1));
        Self {
            _dir: dir,
            source: LakeSource::new(lake.clone()),
            lake,
            graphs: Graphs::default(),
            syncs: 0,
        }
    }

    async fn sync(&mut self, what: &Sync) {
        self.syncs += 1;
        let start = SyncStart {
            source: "test".into(),
            started_at: time(self.syncs),
        };
        let mut sync = self.lake.begin(start).await.unwrap();
        for (dataset, rows) in &what.rows {
            sync.write(batch(dataset, rows)).await.unwrap();
        }
        if let Some((dataset, keys)) = &what.keeps {
            let dataset = domain::dataset(dataset).unwrap();
            let field = dataset.schema().field_with_name(&dataset.key[0]).unwrap().clone();
            let keys: ArrayRef = Arc::new(StringArray::from_iter_values(keys));
            let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(vec![field]));
            let keys = RecordBatch::try_new(schema, vec![keys]).unwrap();
            sync.keys(KeyBatch {
                dataset: dataset.clone(),
                keys,
            })
            .await
            .unwrap();
            sync.withdraw(dataset).await.unwrap();
        }
        let mut prepared = sync.finish().await.unwrap();
        let parties = resolved(&prepared).await;
        prepared.set_parties(parties);
        prepared.commit("test").await.unwrap();
    }

    /// The kept graph of the newest snapshot is that of all its rows. Tells how it was made.
    async fn check(&self) -> (Arc<Graph>, Made) {
        let snapshot: Arc<dyn Snapshot> = self.source.snapshot(None).await.unwrap();
        let runtime = Limits::default().runtime().unwrap();
        let context = session::open(runtime, &snapshot, SessionOptions::default(), None)
            .await
            .unwrap();
        let (graph, made) = self.graphs.made(&context, &snapshot).await.unwrap();
        let (anew, _) = super::build::build(&context, &snapshot).await.unwrap();
        assert_eq!(sorted(&graph), sorted(&anew), "{made:?}");
        assert_eq!(
            graph.related_parties(4).unwrap(),
            anew.related_parties(4).unwrap()
        );
        assert_eq!(graph.shared_attributes(), anew.shared_attributes());
        assert_eq!(graph.components(), anew.components());
        (graph, made)
    }

    async fn then(&mut self, what: &Sync) -> Made {
        self.sync(what).await;
        self.check().await.1
    }
}

async fn resolved(prepared: &Prepared) -> PartyTables {
    let mentions = prepared.all_mentions().await.unwrap();
    let mentions: Vec<matching::Mention> = mentions
        .into_iter()
        .map(|m| matching::Mention {
            reference: m.reference,
            kind: match m.dataset.as_str() {
                "hospitals" => matching::PartyKind::Hospital,
                _ => matching::PartyKind::parse(&m.kind).unwrap(),
            },
            id: m.id,
            name: m.name,
            code: m.code,
            dataset: m.dataset,
            slot: m.slot,
            context: m.context,
        })
        .collect();
    let found = matching::resolve(&mentions);
    let parties = found.parties.into_iter().map(|p| PartyRow {
        party_id: p.party_id,
        kind: p.kind.as_str().to_owned(),
        name: p.name,
        uscc: p.uscc,
        id_number: p.id_number,
        aliases: p.aliases,
    });
    let refs = found.refs.into_iter().map(|r| PartyRefRow {
        reference: r.reference,
        party_id: r.party_id,
        party_key: r.party_key,
        certainty_bp: r.certainty_bp,
    });
    let branches = found.branches.into_iter().map(|b| PartyBranchRow {
        branch_party_id: b.branch_party_id,
        parent_party_id: b.parent_party_id,
    });
    PartyTables {
        parties: parties.collect(),
        refs: refs.collect(),
        branches: branches.collect(),
    }
}

/// All that a graph is made of, in an order of its own.
fn sorted(graph: &Graph) -> String {
    let GraphInput {
        parties,
        edges,
        attributes,
    } = graph.to_input();
    let mut lines: Vec<String> = parties.iter().map(|p| format!("{p:?}")).collect();
    lines.extend(edges.iter().map(|e| format!("{e:?}")));
    lines.extend(attributes.iter().map(|a| format!("{a:?}")));
    lines.sort();
    lines.join("\n")
}

const FIRMS: [(&str, &str); 4] = [
    ("杭州康瑞医药有限公司", "91330100MA2W1X2Y3X"),
    ("宁波恒泰医疗器械有限公司", "91330100MA2N4P5Q6E"),
    ("温州博安生物科技有限公司", "91330000MA27XF6Q0D"),
    ("绍兴明德商贸有限公司", "91330600MA288888XE"),
];

fn supplier(n: usize, phone: &str) -> (&'static str, Vec<(&'static str, String)>) {
    let cells = vec![
        ("supplier_id", format!("S{n}")),
        ("name", FIRMS[n].0.to_owned()),
        ("uscc", FIRMS[n].1.to_owned()),
        ("phone", phone.to_owned()),
        ("legal_representative", format!("法人{n}")),
    ];
    ("suppliers", cells)
}

fn first() -> Sync {
    let mut sync = Sync::of(&[
        (
            "staff",
            &[("staff_id", "E1"), ("name", "张三"), ("phone", "13800138000")],
        ),
        (
            "relations",
            &[
                ("relation_id", "R1"),
                ("from_type", "company"),
                ("from_name", "杭州康瑞医药有限公司"),
                ("to_type", "company"),
                ("to_name", "宁波恒泰医疗器械有限公司"),
                ("relation", "shareholder"),
                ("share_percent", "60"),
            ],
        ),
        (
            "declarations",
            &[
                ("declaration_id", "D1"),
                ("staff_id", "E1"),
                ("relation", "self"),
                ("company_name", "宁波恒泰医疗器械有限公司"),
                ("role", "股东"),
            ],
        ),
        // Of a staff member who is not in the register yet.
        (
            "declarations",
            &[
                ("declaration_id", "D2"),
                ("staff_id", "E2"),
                ("relation", "self"),
                ("company_name", "杭州康瑞医药有限公司"),
            ],
        ),
    ]);
    for n in 0..FIRMS.len() {
        let (dataset, row) = supplier(n, "0571-88001234");
        sync.rows.entry(dataset).or_default().push(row);
    }
    sync
}

#[tokio::test]
async fn a_few_new_changed_and_withdrawn_rows_are_laid_over_the_graph_before() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.then(&first()).await, Made::Anew);
    let (before, made) = bench.check().await;
    assert_eq!(made, Made::Kept);
    let was = sorted(&before);
    let edges = before.report().edges;

    // A new row of a known firm; a row that changed; a new firm that sells; a branch; a shared account.
    let more = Sync::of(&[
        (
            "relations",
            &[
                ("relation_id", "R2"),
                ("from_type", "company"),
                ("from_name", "宁波恒泰医疗器械有限公司"),
                ("to_type", "company"),
                ("to_name", "温州博安生物科技有限公司"),
                ("relation", "shareholder"),
                ("share_percent", "51"),
                ("valid_from", "2024-01-01"),
            ],
        ),
        (
            "relations",
            &[
                ("relation_id", "R1"),
                ("from_type", "company"),
                ("from_name", "杭州康瑞医药有限公司"),
                ("to_type", "company"),
                ("to_name", "宁波恒泰医疗器械有限公司"),
                ("relation", "shareholder"),
                ("share_percent", "40"),
            ],
        ),
        (
            "purchase_orders",
            &[
                ("order_id", "O1"),
                ("line_no", "1"),
                ("supplier_name", "湖州嘉禾医疗器械有限公司"),
            ],
        ),
        (
            "bids",
            &[
                ("bid_id", "B1"),
                ("tender_id", "T1"),
                ("supplier_name", "宁波恒泰医疗器械有限公司温州分公司"),
                ("contact_phone", "0571-88001234"),
            ],
        ),
    ]);
    assert_eq!(bench.then(&more).await, Made::Changed);
    let (after, _) = bench.check().await;
    assert_eq!(after.report().edges, edges + 2, "R2 and the branch; R1 stays one");
    assert_eq!(
        sorted(&before),
        was,
        "who asks of the version before is not disturbed"
    );

    // The register of staff gains whom an old declaration speaks of.
    let hired = Sync::of(&[("staff", &[("staff_id", "E2"), ("name", "李四")])]);
    assert_eq!(bench.then(&hired).await, Made::Changed);
    assert_eq!(bench.check().await.0.report().edges, edges + 3);

    // What is gone at its source, where no party goes with it.
    let gone = Sync {
        keeps: Some(("relations", vec!["R1".to_owned()])),
        ..Sync::default()
    };
    assert_eq!(bench.then(&gone).await, Made::Changed);
    assert_eq!(bench.check().await.0.report().edges, edges + 2);

    // A sync that changes nothing.
    assert_eq!(bench.then(&Sync::default()).await, Made::Changed);
}

#[tokio::test]
async fn where_parties_merge_or_go_or_much_changes_it_is_built_anew() {
    let mut bench = Bench::new().await;
    bench.then(&first()).await;
    let bid = |id: &str, name: &str, code: &str| {
        Sync::of(&[(
            "bids",
            &[
                ("bid_id", id),
                ("supplier_name", name),
                ("supplier_uscc", code),
                ("contact_phone", "13900001111"),
            ],
        )])
    };
    // A firm by its name; then a row brings its code, and so all its rows are another party's.
    let named = bid("B1", "湖州嘉禾医疗器械有限公司", "");
    assert_eq!(bench.then(&named).await, Made::Changed);
    let coded = bid("B2", "湖州嘉禾医疗器械有限公司", "91330500MA28C5X00P");
    let merged = bench.then(&coded).await;
    assert_eq!(merged, Made::Anew);
    // The only row that spoke of a party goes.
    let gone = Sync {
        keeps: Some(("bids", vec!["B1".to_owned()])),
        ..Sync::default()
    };
    assert_eq!(bench.then(&gone).await, Made::Anew);
    // More rows than a tenth of a small graph.
    let mut many = Sync::default();
    for n in 0..150 {
        let cells = vec![
            ("bid_id", format!("M{n}")),
            ("supplier_name", FIRMS[n % 4].0.to_owned()),
            ("contact_phone", format!("1380013{n:04}")),
        ];
        many.rows.entry("bids").or_default().push(cells);
    }
    assert_eq!(bench.then(&many).await, Made::Anew);
}

#[tokio::test]
async fn an_older_snapshot_gets_its_own_graph_and_the_newest_stays_kept() {
    let mut bench = Bench::new().await;
    bench.then(&first()).await;
    let old = bench.source.snapshot(None).await.unwrap();
    let bid = Sync::of(&[(
        "bids",
        &[("bid_id", "B1"), ("supplier_name", "杭州康瑞医药有限公司")],
    )]);
    assert_eq!(bench.then(&bid).await, Made::Changed);
    let runtime = Limits::default().runtime().unwrap();
    let context = session::open(runtime, &old, SessionOptions::default(), None)
        .await
        .unwrap();
    assert_eq!(bench.graphs.made(&context, &old).await.unwrap().1, Made::Anew);
    assert_eq!(bench.check().await.1, Made::Kept);
}

/// Names under which rows speak of firms: two that resemble a firm's name, a branch, and one that is nobody's yet.
const SPELLINGS: [&str; 8] = [
    "杭州康瑞医药有限公司",
    "宁波恒泰医疗器械有限公司",
    "温州博安生物科技有限公司",
    "绍兴明德商贸有限公司",
    "杭州康瑞医药",
    "寧波恆泰醫療器械有限公司",
    "温州博安生物科技有限公司瑞安分公司",
    "湖州嘉禾医疗器械有限公司",
];

fn row(kind: usize, key: usize, a: usize, b: usize) -> (&'static str, Vec<(&'static str, String)>) {
    let phone = format!("0571-8800123{}", a % 3);
    let cells = |cells: &[(&'static str, &str)]| cells.iter().map(|(c, t)| (*c, (*t).to_owned())).collect();
    let (id, staff) = (format!("{key}"), format!("E{}", b % 3));
    match kind {
        0 => supplier(key % 4, &phone),
        1 => (
            "relations",
            cells(&[
                ("relation_id", &id),
                ("from_type", "company"),
                ("from_name", SPELLINGS[a]),
                ("to_type", "company"),
                ("to_name", SPELLINGS[b]),
                ("relation", ["shareholder", "director", "branch"][a % 3]),
                ("share_percent", ["30", "60"][b % 2]),
            ]),
        ),
        2 => (
            "staff",
            cells(&[("staff_id", &staff), ("name", "张三"), ("phone", &phone)]),
        ),
        3 => (
            "declarations",
            cells(&[
                ("declaration_id", &id),
                ("staff_id", &staff),
                ("relation", ["self", "spouse"][a % 2]),
                ("relative_name", ["", "王五"][a % 2]),
                ("company_name", SPELLINGS[a]),
            ]),
        ),
        4 => (
            "bids",
            cells(&[
                ("bid_id", &id),
                ("supplier_name", SPELLINGS[a]),
                ("contact_phone", &phone),
                ("deposit_account", "1202020209900012345"),
            ]),
        ),
        5 => (
            "rep_registrations",
            cells(&[
                ("registration_id", &id),
                ("rep_name", "赵六"),
                ("rep_phone", &phone),
                ("supplier_name", SPELLINGS[b]),
            ]),
        ),
        _ => (
            "purchase_orders",
            cells(&[
                ("order_id", &id),
                ("line_no", "1"),
                ("supplier_name", SPELLINGS[a]),
            ]),
        ),
    }
}

fn any_sync() -> impl Strategy<Value = Sync> {
    let rows = proptest::collection::vec((0..7usize, 0..4usize, 0..8usize, 0..8usize), 0..4);
    let keeps = proptest::option::weighted(0.3, (0..3usize, proptest::collection::vec(0..4usize, 0..4)));
    (rows, keeps).prop_map(|(rows, keeps)| {
        let mut sync = Sync::default();
        for (kind, key, a, b) in rows {
            let (dataset, cells) = row(kind, key, a, b);
            sync.rows.entry(dataset).or_default().push(cells);
        }
        sync.keeps = keeps.map(|(dataset, keys)| {
            let dataset = ["relations", "declarations", "bids"][dataset];
            // What this sync writes is there, too.
            let key = domain::dataset(dataset).unwrap().key[0].clone();
            let written = sync.rows.get(dataset).into_iter().flatten().flatten();
            let written = written.filter(|(c, _)| *c == key).map(|(_, text)| text.clone());
            (
                dataset,
                keys.iter().map(ToString::to_string).chain(written).collect(),
            )
        });
        sync
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_sync_the_graph_is_that_of_all_rows(syncs in proptest::collection::vec(any_sync(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new().await;
            bench.then(&first()).await;
            for sync in &syncs {
                bench.then(sync).await;
            }
        });
    }
}
