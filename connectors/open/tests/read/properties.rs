//! Whatever the input: nothing panics, and every record is accounted for.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Dir, Outcome};

const KINDS: [&str; 4] = ["ocds", "bods", "ftm", "debarment"];

/// JSON whose members have the names that the standards use, with values of any kind.
fn anything() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "ocid",
        "id",
        "date",
        "tag",
        "buyer",
        "parties",
        "tender",
        "bids",
        "details",
        "awards",
        "contracts",
        "releases",
        "records",
        "compiledRelease",
        "value",
        "amount",
        "currency",
        "tenderers",
        "suppliers",
        "identifier",
        "scheme",
        "status",
        "period",
        "startDate",
        "statementId",
        "statementID",
        "recordId",
        "recordType",
        "statementType",
        "recordDetails",
        "interests",
        "share",
        "exact",
        "subject",
        "interestedParty",
        "names",
        "identifiers",
        "schema",
        "properties",
        "owner",
        "asset",
        "entity",
        "name",
        "percentage",
        "procurementMethod",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\u{4e00}-\u{4e10}]{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "compiled",
            "2024-03-05",
            "2024-03-05T01:02:03Z",
            "open",
            "CNY",
            "USD",
            "entity",
            "relationship",
            "person",
            "shareholding",
            "Company",
            "Ownership",
            "Sanction",
            "Person",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()
            )),
        ]
    })
}

fn read(kind: &str, name: &str, bytes: &[u8]) -> Outcome {
    Dir::new(&format!("kind = \"{kind}\"\n")).file(name, bytes).read()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_json_makes_it_panic(values in prop::collection::vec(anything(), 0..6)) {
        let lines: String = values.iter().map(|v| format!("{v}\n")).collect();
        for kind in KINDS {
            read(kind, "a.jsonl", lines.as_bytes());
            read(kind, "a.json", Value::from(values.clone()).to_string().as_bytes());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in any::<prop::sample::Index>()) {
        let mut text = json!([{"ocid": "P", "tag": ["compiled"], "tender": {"title": "公开招标"}}]).to_string().into_bytes();
        text.truncate(cut.index(text.len() + 1));
        text.extend(&bytes);
        for kind in KINDS {
            for name in ["a.json", "a.jsonl", "a.csv"] {
                read(kind, name, &bytes);
                read(kind, name, &text);
            }
        }
    }

    /// Tenders and rejected ones are the releases; bids and rejected ones are the bids; whatever the threads.
    #[test]
    fn rows_and_rejected_are_the_records(
        releases in prop::collection::vec((any::<bool>(), "[0-9x.]{0,4}", 0..4usize, any::<bool>()), 1..30),
        threads in 1..4usize,
    ) {
        let mut lines = String::new();
        let mut bids = 0;
        for (n, (whole, amount, count, dated)) in releases.iter().enumerate() {
            let details: Vec<Value> = (0..*count).map(|k| json!({"id": k, "value": {"amount": amount}})).collect();
            let date = if *dated { "2024-03-05" } else { "never" };
            let release = json!({
                "ocid": if *whole { json!(format!("P{n}")) } else { Value::Null }, "tag": ["compiled"],
                "tender": {"tenderPeriod": {"endDate": date}, "value": {"amount": amount}}, "bids": {"details": details},
            });
            bids += if *whole { *count } else { 0 };
            lines += &format!("{release}\n");
        }
        let mut dir = Dir::new("kind = \"ocds\"\n").file("a.jsonl", &lines);
        dir.threads = threads;
        dir.batch_rows = 3;
        let outcome = dir.read();
        prop_assert_eq!(outcome.accounted("tenders"), releases.len());
        prop_assert_eq!(outcome.accounted("bids"), bids);
        let positions: Vec<u64> = outcome.column("tenders", "#").iter().map(|p| p.parse().unwrap()).collect();
        prop_assert!(positions.is_sorted());
    }

    /// Every interest of a current relationship is a row or rejected.
    #[test]
    fn interests_are_accounted_for(kinds in prop::collection::vec(prop::sample::select(vec!["shareholding", "boardMember", "odd"]), 1..8)) {
        let interests: Vec<Value> = kinds.iter().map(|k| json!({"type": k, "share": {"exact": 5}})).collect();
        let statement = json!({"statementId": "s", "recordId": "r", "recordType": "relationship",
            "recordDetails": {"subject": "a", "interestedParty": "b", "interests": interests}});
        let outcome = read("bods", "a.json", statement.to_string().as_bytes());
        prop_assert_eq!(outcome.accounted("relations"), kinds.len());
    }
}
