//! The cases that matter, one by one; against brute force in `brute_force`.

mod brute_force;
mod deltas;

use std::collections::BTreeSet;

use super::*;
use crate::input::{AttributeInput, AttributeKind, PartyKind};
use crate::paths::RelatedParty;

fn source(dataset: &str, key: impl ToString) -> SourceRow {
    let key = key.to_string().into();
    SourceRow {
        dataset: dataset.into(),
        key,
        source: "files".into(),
        batch: "b".into(),
        row: 1,
    }
}

/// `p…` is a person, `s…` a person on the staff, `v…` a supplier, anything else a company.
fn party(id: &str) -> PartyNode {
    let kind = if id.starts_with(['p', 's']) {
        PartyKind::Person
    } else {
        PartyKind::Company
    };
    let staff_ids = if id.starts_with('s') {
        vec![format!("E{id}")]
    } else {
        Vec::new()
    };
    let (party_id, name) = (id.to_owned(), format!("name of {id}"));
    PartyNode {
        party_id,
        kind,
        name,
        staff_ids,
        is_supplier: id.starts_with('v'),
    }
}

/// "from relation[ share] to[ from..to]", e.g. "s1 shareholder 40 v1 0..10", shares in percent.
fn edge(number: usize, text: &str) -> EdgeInput {
    let mut words = text.split_whitespace().peekable();
    let from = words.next().unwrap().to_owned();
    let relation = Relation::parse(words.next().unwrap()).unwrap();
    let percent: Option<i64> = words.peek().and_then(|w| w.parse().ok());
    if percent.is_some() {
        words.next();
    }
    let to = words.next().unwrap().to_owned();
    let day = |text: &str| text.parse().ok();
    let (valid_from, valid_to) = words
        .next()
        .and_then(|w| w.split_once(".."))
        .map_or((None, None), |(a, b)| (day(a), day(b)));
    let share = percent.map(|p| p * 10_000);
    EdgeInput {
        from,
        to,
        relation,
        share,
        valid_from,
        valid_to,
        certainty: Certainty::SURE,
        source: source("relations", number),
    }
}

fn input(edges: &[&str]) -> GraphInput {
    let edges: Vec<EdgeInput> = edges.iter().enumerate().map(|(n, text)| edge(n, text)).collect();
    let ids: BTreeSet<&str> = edges
        .iter()
        .flat_map(|e| [e.from.as_str(), e.to.as_str()])
        .collect();
    GraphInput {
        parties: ids.into_iter().map(party).collect(),
        edges,
        attributes: Vec::new(),
    }
}

fn graph(edges: &[&str]) -> Graph {
    Graph::build(input(edges)).unwrap()
}

/// "s1 spouse p1 shareholder v1 | 40.0000 | controls | 0..10".
fn shown(row: &RelatedParty<'_>) -> String {
    let mut text = row.staff_party_id.to_owned();
    for hop in &row.path.hops {
        text += &format!(" {} {}", hop.relation.as_str(), hop.to);
    }
    let share = row.path.share.as_deref().unwrap_or("-");
    let controls = if row.path.controls { "controls" } else { "-" };
    let day = |d: Option<i32>| d.map_or(String::new(), |d| d.to_string());
    text + &format!(
        " | {share} | {controls} | {}..{}",
        day(row.path.valid_from),
        day(row.path.valid_to)
    )
}

#[track_caller]
fn check(edges: &[&str], max_hops: usize, want: &[&str]) {
    let graph = graph(edges);
    let answer = graph.related_parties(max_hops).unwrap();
    assert!(!answer.truncated);
    assert_eq!(answer.rows.iter().map(shown).collect::<Vec<_>>(), want);
}

#[test]
fn a_chain_over_a_relative_has_its_share_and_the_time_it_held() {
    let edges = [
        "s1 spouse p1",
        "p1 shareholder 60 c1 100..",
        "c1 shareholder 51 v1 ..200",
        "v1 shareholder 100 v2 150..300",
    ];
    check(
        &edges,
        4,
        &[
            "s1 spouse p1 shareholder c1 shareholder v1 | 30.6000 | controls | 100..200",
            "s1 spouse p1 shareholder c1 shareholder v1 shareholder v2 | 30.6000 | controls | 150..200",
        ],
    );
    check(
        &edges,
        3,
        &["s1 spouse p1 shareholder c1 shareholder v1 | 30.6000 | controls | 100..200"],
    );
    check(&edges, 2, &[]);
}

#[test]
fn kin_is_walked_both_ways_and_holdings_only_downwards() {
    check(
        &["p1 parent s1", "p1 director v1"],
        4,
        &["s1 parent p1 director v1 | - | - | .."],
    );
    // The supplier holds part of the firm where the staff member works; that gives no interest in the supplier.
    check(&["s1 employee c1", "v1 shareholder 60 c1"], 4, &[]);
}

#[test]
fn hops_that_never_held_together_are_no_path() {
    check(&["s1 spouse p1 ..100", "p1 shareholder 60 v1 100.."], 4, &[]);
    check(
        &["s1 spouse p1 ..101", "p1 shareholder 60 v1 100.."],
        4,
        &["s1 spouse p1 shareholder v1 | 60.0000 | controls | 100..101"],
    );
}

#[test]
fn half_is_no_control_and_posts_have_no_share() {
    check(
        &["s1 shareholder 50 v1"],
        1,
        &["s1 shareholder v1 | 50.0000 | - | .."],
    );
    check(
        &["s1 manager c1", "c1 shareholder 80 v1"],
        2,
        &["s1 manager c1 shareholder v1 | - | - | .."],
    );
}

#[test]
fn branches_are_seen_through_in_both_directions() {
    check(
        &[
            "s1 shareholder 60 c1",
            "c1 branch v1",
            "c1 branch c2",
            "c2 shareholder 20 v2",
        ],
        4,
        &[
            "s1 shareholder c1 branch v1 | 60.0000 | controls | ..",
            "s1 shareholder c1 branch c2 shareholder v2 | 12.0000 | - | ..",
        ],
    );
    // Who holds a branch's shares, whatever that may mean, does not control the organisation above it.
    check(
        &["s1 shareholder 60 c1", "v1 branch c1"],
        4,
        &["s1 shareholder c1 branch v1 | 60.0000 | - | .."],
    );
    check(
        &["s1 manager c1", "v1 branch c1"],
        4,
        &["s1 manager c1 branch v1 | - | - | .."],
    );
}

#[test]
fn a_hop_names_the_row_that_states_it() {
    let graph = graph(&["s1 shareholder 40 v1 1..5"]);
    let answer = graph.related_parties(4).unwrap();
    let [row] = &answer.rows[..] else { panic!() };
    let hop = &row.path.hops[0];
    assert_eq!((row.staff_id, row.supplier_party_id), ("Es1", "v1"));
    assert_eq!(
        (hop.from_name, hop.to_name, hop.share.as_deref()),
        ("name of s1", "name of v1", Some("40.0000"))
    );
    assert_eq!((hop.valid_from, hop.valid_to), (Some(1), Some(5)));
    assert_eq!(
        (&*hop.row.dataset, &*hop.row.key, hop.row.row),
        ("relations", "0", 1)
    );
}

#[test]
fn the_best_path_of_each_interval_comes_first_and_a_pair_has_a_cap() {
    let edges = [
        "s1 shareholder 10 v1 0..10",
        "s1 employee v1 0..10",
        "s1 director v1 0..10",
        "s1 shareholder 10 c1 20..30",
        "c1 shareholder 10 v1 20..30",
    ];
    let options = GraphOptions {
        paths_per_pair_max: 3,
        ..GraphOptions::default()
    };
    let graph = Graph::with_options(input(&edges), options).unwrap();
    let rows = graph.related_parties(4).unwrap().rows;
    assert_eq!(
        rows.iter().map(shown).collect::<Vec<_>>(),
        [
            "s1 shareholder v1 | 10.0000 | - | 0..10",
            "s1 shareholder c1 shareholder v1 | 1.0000 | - | 20..30",
            "s1 director v1 | - | - | 0..10",
        ]
    );
}

#[test]
fn a_search_that_is_cut_says_so() {
    let names: Vec<String> = (0..40)
        .flat_map(|a| (0..40).map(move |b| format!("c{a} shareholder 2 c{b}")))
        .collect();
    let mut edges: Vec<&str> = names.iter().map(String::as_str).collect();
    edges.extend(["s1 shareholder 1 c0", "c39 shareholder 1 v1"]);
    let options = GraphOptions {
        visits_max: 10_000,
        ..GraphOptions::default()
    };
    let graph = Graph::with_options(input(&edges), options).unwrap();
    let answer = graph.related_parties(7).unwrap();
    assert!(answer.truncated);
    assert_eq!(
        answer.rows[0].path.hops.len(),
        3,
        "the short ones are found all the same"
    );
    assert_eq!(graph.report().to_itself, 40);
}

#[test]
fn long_chains_and_rings_cost_nothing_to_the_stack() {
    let mut edges: Vec<String> = (0..10_000)
        .map(|n| format!("c{n} shareholder 60 c{}", (n + 1) % 10_000))
        .collect();
    edges.push("s1 shareholder 60 c0".to_owned());
    edges.push("c3 shareholder 60 v1".to_owned());
    edges.push("c9000 shareholder 60 v2".to_owned());
    let graph = graph(&edges.iter().map(String::as_str).collect::<Vec<_>>());
    let related = graph.related_parties(8).unwrap();
    assert_eq!(related.rows.len(), 1);
    assert_eq!(related.rows[0].path.share.as_deref(), Some("7.7760"));
    assert!(graph.components().iter().all(|c| c.size == 10_003));
    let suppliers = graph.related_suppliers();
    assert_eq!(
        (suppliers.rows.len(), suppliers.truncated),
        (0, true),
        "ten hops of control are followed, and said so"
    );
}

#[test]
fn limits_and_unknown_parties_are_errors() {
    let g = graph(&["s1 spouse p1"]);
    assert_eq!(g.related_parties(0).unwrap_err(), GraphError::HopLimit(0));
    assert_eq!(g.related_parties(9).unwrap_err(), GraphError::HopLimit(9));
    let twice = GraphInput {
        parties: vec![party("a"), party("a")],
        ..GraphInput::default()
    };
    assert_eq!(
        Graph::build(twice).unwrap_err(),
        GraphError::DuplicateParty("a".to_owned())
    );
}

#[test]
fn what_is_left_out_is_counted() {
    let mut given = input(&[
        "s1 spouse p1",
        "p1 shareholder 60 v1 10..10",
        "p1 director p1",
        "p1 director v1",
    ]);
    given.edges.push(given.edges[0].clone());
    given.edges.push(edge(9, "s1 director nobody"));
    let report = Graph::build(given).unwrap().report();
    assert_eq!(
        (
            report.edges,
            report.repeated,
            report.unknown_party,
            report.never_valid,
            report.to_itself
        ),
        (2, 1, 1, 1, 1)
    );
}

#[track_caller]
fn check_related(edges: &[&str], want: &[&str]) {
    related(&graph(edges), want);
}

#[track_caller]
fn related(graph: &Graph, want: &[&str]) {
    let answer = graph.related_suppliers();
    assert!(!answer.truncated);
    let shown: Vec<String> = answer
        .rows
        .iter()
        .map(|r| {
            let day = |d: Option<i32>| d.map_or(String::new(), |d| d.to_string());
            let (from, to) = (day(r.valid_from), day(r.valid_to));
            format!(
                "{} {} {} {} {} {from}..{to}",
                r.a_party_id,
                r.b_party_id,
                r.kind.as_str(),
                r.via_party_id,
                r.hops.len()
            )
        })
        .collect();
    assert_eq!(shown, want);
}

#[test]
fn suppliers_are_related_by_control_above_half_and_by_their_legal_representative() {
    check_related(&["v1 shareholder 51 v2"], &["v1 v2 control v1 1 .."]);
    check_related(&["v2 shareholder 50 v1"], &[]);
    check_related(
        &[
            "c1 shareholder 60 v1",
            "c1 shareholder 60 c2",
            "c2 shareholder 60 v2 5..",
        ],
        &["v1 v2 common_control c1 3 5.."],
    );
    check_related(
        &[
            "p1 legal_representative v1 ..10",
            "p1 legal_representative v2 5..",
            "p2 legal_representative v3",
        ],
        &["v1 v2 same_legal_representative p1 2 5..10"],
    );
    check_related(
        &["p1 legal_representative v1 ..5", "p1 legal_representative v2 5.."],
        &[],
    );
    check_related(
        &[
            "p1 legal_representative v1",
            "p1 director v2",
            "p1 shareholder 40 v2",
        ],
        &[],
    );
    check_related(
        &["v1 branch v2", "v1 branch v3"],
        &[
            "v1 v2 control v1 1 ..",
            "v1 v3 control v1 1 ..",
            "v2 v3 common_control v1 2 ..",
        ],
    );
}

#[test]
fn the_higher_holder_is_not_told_where_the_lower_one_says_as_much() {
    check_related(
        &[
            "c2 shareholder 60 c1",
            "c1 shareholder 60 v1",
            "c1 shareholder 60 v2",
        ],
        &["v1 v2 common_control c1 2 .."],
    );
}

#[test]
fn one_controller_after_another_is_told_with_each_ones_time() {
    check_related(
        &[
            "c1 shareholder 60 v1 ..10",
            "c1 shareholder 60 v2",
            "c2 shareholder 60 v1 5..",
            "c2 shareholder 60 v2",
        ],
        &["v1 v2 common_control c1 2 ..10", "v1 v2 common_control c2 2 5.."],
    );
}

#[test]
fn companies_under_one_body_of_the_state_are_not_related_by_that() {
    let mut given = input(&[
        "c1 shareholder 100 v1",
        "c1 shareholder 100 v2",
        "c2 shareholder 60 v3",
        "c2 shareholder 60 v4",
        "c1 shareholder 100 c2",
    ]);
    given
        .parties
        .iter_mut()
        .find(|p| p.party_id == "c1")
        .unwrap()
        .name = "某省人民政府国有资产监督管理委员会".to_owned();
    related(&Graph::build(given).unwrap(), &["v3 v4 common_control c2 2 .."]);
}

#[test]
fn namesakes_who_are_two_parties_relate_nobody() {
    let mut given = input(&["p1 legal_representative v1", "p2 legal_representative v2"]);
    given
        .parties
        .iter_mut()
        .filter(|p| p.kind == PartyKind::Person)
        .for_each(|p| p.name = "张伟".to_owned());
    related(&Graph::build(given).unwrap(), &[]);
}

#[test]
fn shared_attributes_are_pairs_and_hubs_are_weak() {
    let attribute = |party: &str, kind, value: &str| AttributeInput {
        party: party.to_owned(),
        kind,
        value: value.to_owned(),
        source: source("suppliers", party),
    };
    let mut given = input(&["s1 director v1", "s1 director v2", "s1 director v3"]);
    given.attributes = vec![
        attribute("v2", AttributeKind::Phone, "057188000000"),
        attribute("v1", AttributeKind::Phone, "057188000000"),
        attribute("v1", AttributeKind::Phone, "057188000000"),
        attribute("v1", AttributeKind::Account, "057188000000"),
        attribute("v9", AttributeKind::Phone, "057188000000"),
    ];
    given
        .attributes
        .extend(["v1", "v2", "v3"].map(|v| attribute(v, AttributeKind::Address, "某路1号")));
    let options = GraphOptions {
        attribute_degree_max: 2,
        ..GraphOptions::default()
    };
    let graph = Graph::with_options(given, options).unwrap();
    let rows: Vec<_> = graph
        .shared_attributes()
        .iter()
        .map(|r| (r.party_a, r.party_b, r.kind, r.degree, r.weak, &*r.b_source.key))
        .collect();
    assert_eq!(
        rows,
        [
            ("v1", "v2", AttributeKind::Phone, 2, false, "v2"),
            ("v1", "v2", AttributeKind::Address, 3, true, "v2"),
            ("v1", "v3", AttributeKind::Address, 3, true, "v3"),
        ]
    );
    assert_eq!(graph.report().unknown_party_attributes, 1);
}
