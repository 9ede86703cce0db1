//! What other tools read is what the graph says.

use super::*;
use crate::input::{AttributeInput, Certainty, EdgeInput, GraphInput, SourceRow};
use crate::neighbourhood::Extent;

fn source(key: &str) -> SourceRow {
    SourceRow {
        dataset: "relations".into(),
        key: key.into(),
        source: "files".into(),
        batch: "b".into(),
        row: 1,
    }
}

fn party(party_id: &str, kind: PartyKind, name: &str) -> PartyNode {
    PartyNode {
        party_id: party_id.to_owned(),
        kind,
        name: name.to_owned(),
        staff_ids: Vec::new(),
        is_supplier: false,
    }
}

fn graph() -> Graph {
    let edge = |from: &str, relation, to: &str, share, key| EdgeInput {
        from: from.to_owned(),
        to: to.to_owned(),
        relation,
        share,
        valid_from: Some(0),
        valid_to: Some(366),
        certainty: Certainty::from_probability(0.5),
        source: source(key),
    };
    let phone = |party: &str| AttributeInput {
        party: party.to_owned(),
        kind: AttributeKind::Phone,
        value: "139".to_owned(),
        source: source(party),
    };
    Graph::build(GraphInput {
        parties: vec![
            party("p:1", PartyKind::Person, "张伟"),
            party("p:2", PartyKind::Person, "李\u{1}<&\">"),
            party("c-1", PartyKind::Company, "甲有限公司"),
            party("c2", PartyKind::Company, "乙有限公司"),
            party("h", PartyKind::Hospital, "某医院"),
            party("far", PartyKind::Company, "远"),
        ],
        edges: vec![
            edge("p:1", Relation::Shareholder, "c-1", Some(255_000), "1"),
            edge("p:1", Relation::Spouse, "p:2", None, "2"),
            edge("p:2", Relation::Employee, "h", None, "3"),
            edge("c-1", Relation::Branch, "c2", None, "4"),
            edge("c2", Relation::Director, "far", None, "5"),
        ],
        attributes: vec![phone("c-1"), phone("h")],
    })
    .unwrap()
}

fn text(export: impl Fn(&mut dyn Write) -> fmt::Result) -> String {
    let mut out = String::new();
    export(&mut out).unwrap();
    out
}

#[test]
fn follow_the_money_has_each_party_and_edge_in_its_schema() {
    let graph = graph();
    let lines = text(|out| graph.export(Format::FollowTheMoney, out));
    let entities: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let schemas: Vec<&str> = entities.iter().map(|e| e["schema"].as_str().unwrap()).collect();
    assert_eq!(
        schemas,
        [
            "Company",
            "Company",
            "Company",
            "Organization",
            "Person",
            "Person",
            "UnknownLink",
            "Directorship",
            "Ownership",
            "Family",
            "Employment"
        ]
    );
    let owned = &entities[8];
    assert_eq!(owned["properties"]["owner"], json!(["party.p-00003a1"]));
    assert_eq!(owned["properties"]["asset"], json!(["party.c-00002d1"]));
    assert_eq!(owned["properties"]["percentage"], json!(["25.5000"]));
    assert_eq!(owned["properties"]["startDate"], json!(["1970-01-01"]));
    assert_eq!(
        owned["properties"]["endDate"],
        json!(["1971-01-01"]),
        "the last day it held"
    );
    assert_eq!(owned["properties"]["recordId"], json!(["relations 1"]));
    assert_eq!(entities[0]["properties"]["phone"], json!(["139"]));
    let mut ids: Vec<&str> = entities.iter().map(|e| e["id"].as_str().unwrap()).collect();
    let valid = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    assert!(
        ids.iter()
            .all(|id| valid(id) && id.ends_with(|c: char| c.is_ascii_alphanumeric()))
    );
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), entities.len());
}

#[test]
fn graphml_escapes_and_ties_shared_values_by_a_node() {
    let graph = graph();
    let xml = text(|out| graph.export(Format::GraphMl, out));
    let count = |what: &str| xml.matches(what).count();
    // Five edges, and two from the parties that have the phone.
    assert_eq!((count("<node "), count("<edge "), count("</graphml>")), (7, 7, 1));
    assert!(xml.contains("<data key=\"name\">李\u{fffd}&lt;&amp;&quot;&gt;</data>"));
    assert!(xml.contains(
        "source=\"p:1\" target=\"c-1\"><data key=\"relation\">shareholder</data>\
         <data key=\"share_percent\">25.5000</data><data key=\"valid_from\">1970-01-01</data>\
         <data key=\"valid_to\">1971-01-02</data><data key=\"certainty\">0.5</data>"
    ));
}

#[test]
fn a_neighbourhood_is_bounded_and_says_so() {
    let graph = graph();
    let extent = Extent {
        max_hops: 2,
        day: Some(5),
        parties_max: 500,
        edges_max: 2_000,
    };
    let part = graph.neighbourhood("p:1", extent).unwrap();
    let parties: Vec<(&str, usize)> = part
        .parties
        .iter()
        .map(|(p, d)| (p.party_id.as_str(), *d))
        .collect();
    assert_eq!(parties, [("p:1", 0), ("c-1", 1), ("p:2", 1), ("c2", 2), ("h", 2)]);
    assert_eq!(
        (part.edges.len(), part.shared.len(), part.truncated),
        (4, 1, false)
    );
    let late = graph
        .neighbourhood(
            "p:1",
            Extent {
                day: Some(366),
                ..extent
            },
        )
        .unwrap();
    assert_eq!(late.parties.len(), 1);
    let few = graph
        .neighbourhood(
            "p:1",
            Extent {
                parties_max: 3,
                ..extent
            },
        )
        .unwrap();
    assert_eq!((few.parties.len(), few.edges.len(), few.truncated), (3, 2, true));
    let bare = graph
        .neighbourhood(
            "p:1",
            Extent {
                edges_max: 1,
                ..extent
            },
        )
        .unwrap();
    assert_eq!(
        (bare.parties.len(), bare.edges.len(), bare.truncated),
        (5, 1, true)
    );

    let xml = text(|out| part.export(Format::GraphMl, out));
    assert_eq!(
        (xml.matches("<node ").count(), xml.matches("<edge ").count()),
        (6, 6)
    );
    let lines = text(|out| part.export(Format::FollowTheMoney, out));
    assert_eq!(lines.lines().count(), 9);
}
