//! A graph that was changed answers as one that is built from the changed input.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::brute_force::any_edge;
use super::{party, source};
use crate::input::{AttributeInput, AttributeKind, Certainty, EdgeInput, GraphInput, GraphOptions};
use crate::overlay::GraphDelta;
use crate::routes::RouteQuestion;
use crate::snapshot::Graph;

/// Ids that sort among each other, so that new parties come in between.
const IDS: [&str; 10] = ["c1", "c2", "p1", "p2", "s1", "s2", "v1", "v2", "a0", "q9"];

fn edges() -> impl Strategy<Value = Vec<EdgeInput>> {
    let pair = (any_edge(), 0..IDS.len(), 0..IDS.len());
    proptest::collection::vec(pair, 0..12).prop_map(|edges| {
        let edge = |((_, _, relation, share, valid_from, valid_to), from, to): (_, usize, usize)| EdgeInput {
            from: IDS[from].to_owned(),
            to: IDS[to].to_owned(),
            relation,
            share,
            valid_from,
            valid_to,
            certainty: Certainty::SURE,
            // Few keys, so that the same edge comes up again.
            source: source("relations", (from + to) % 3),
        };
        edges.into_iter().map(edge).collect()
    })
}

fn attributes() -> impl Strategy<Value = Vec<AttributeInput>> {
    proptest::collection::vec((0..IDS.len(), 0..3usize, 0..2usize), 0..6).prop_map(|list| {
        let attribute = |(at, value, row): (usize, usize, usize)| AttributeInput {
            party: IDS[at].to_owned(),
            kind: AttributeKind::Phone,
            value: format!("139{value}"),
            source: source("suppliers", row),
        };
        list.into_iter().map(attribute).collect()
    })
}

/// Everything that is asked of a graph, as text.
fn answers(graph: &Graph) -> String {
    let paths = RouteQuestion {
        max_hops: 4,
        day: None,
        limit: 1_000,
        per_pair_max: 1_000,
        over_attributes: true,
    };
    let known = |id: &&&str| graph.party(id).is_some();
    let ids: Vec<&str> = IDS.iter().filter(known).copied().collect();
    let (from, to) = ids.split_at(2);
    // Among equal costs the order is free.
    let routes: BTreeSet<String> = graph
        .best_paths(from, to, paths)
        .unwrap()
        .rows
        .iter()
        .map(|r| {
            format!(
                "{:.9} {:?}",
                r.score,
                r.hops.iter().map(|h| (h.from, h.to)).collect::<Vec<_>>()
            )
        })
        .collect();
    let owned: Vec<String> = graph
        .ownership(3, 0.0)
        .unwrap()
        .rows
        .iter()
        .map(|r| {
            format!(
                "{} {} {:.9} {}",
                r.company_id, r.owner_id, r.integrated_share, r.controls
            )
        })
        .collect();
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{owned:?}\n{routes:?}",
        graph.parties().collect::<Vec<_>>(),
        graph.edges().collect::<Vec<_>>(),
        graph.related_parties(4).unwrap(),
        graph.related_suppliers(),
        graph.components(),
        graph.communities(),
        graph.shared_attributes(),
        graph.report().edges,
    )
}

/// The input after a change; edges are a set.
fn changed(mut input: GraphInput, delta: &GraphDelta) -> GraphInput {
    input
        .parties
        .retain(|p| delta.parties.iter().all(|new| new.party_id != p.party_id));
    input.parties.extend(delta.parties.iter().cloned());
    input.edges.retain(|e| !delta.removed_edges.contains(e));
    input.edges.extend(delta.edges.iter().cloned());
    input.attributes.retain(|a| !delta.removed_attributes.contains(a));
    input.attributes.extend(delta.attributes.iter().cloned());
    input
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_changed_graph_answers_as_one_built_anew(
        (first, second, third) in (edges(), edges(), edges()),
        (had, more) in (attributes(), attributes()),
        rebuilds in any::<bool>(),
    ) {
        let options = GraphOptions {
            overlay_percent_max: if rebuilds { 0 } else { 100 },
            ..GraphOptions::default()
        };
        let mut input = GraphInput {
            parties: IDS[..8].iter().map(|id| party(id)).collect(),
            edges: first.clone(),
            attributes: had.clone(),
        };
        // What speaks of parties to come is left out at first and must not come in by itself.
        let early = |id: &String| IDS[..8].contains(&id.as_str());
        input.edges.retain(|e| early(&e.from) && early(&e.to));
        input.attributes.retain(|a| early(&a.party));
        let mut renamed = party("c1");
        renamed.name = "某省人民政府".to_owned();
        let deltas = [
            GraphDelta {
                parties: vec![party("q9"), party("a0")],
                removed_edges: first.iter().step_by(2).cloned().collect(),
                edges: second.clone(),
                removed_attributes: had.iter().step_by(2).cloned().collect(),
                attributes: more.clone(),
            },
            GraphDelta {
                parties: vec![renamed],
                removed_edges: second.iter().skip(1).step_by(2).cloned().collect(),
                edges: third.iter().chain(&first).cloned().collect(),
                ..GraphDelta::default()
            },
            GraphDelta { removed_attributes: more, ..GraphDelta::default() },
        ];
        let mut graph = Graph::with_options(input.clone(), options.clone()).unwrap();
        for delta in deltas {
            let before = answers(&graph);
            let next = graph.apply(delta.clone()).unwrap();
            prop_assert_eq!(answers(&graph), before, "the version before is as it was");
            input = changed(input, &delta);
            let anew = Graph::with_options(input.clone(), options.clone()).unwrap();
            prop_assert_eq!(answers(&next), answers(&anew));
            graph = next;
        }
    }
}

#[test]
fn what_a_change_leaves_out_is_counted_and_two_of_one_party_are_an_error() {
    let graph = super::graph(&["s1 director v1"]);
    let edge = |text| super::edge(0, text);
    let delta = GraphDelta {
        edges: vec![
            edge("s1 director v1"),
            edge("s1 director x"),
            edge("s1 director s1"),
        ],
        removed_edges: vec![edge("s1 supervisor v1")],
        ..GraphDelta::default()
    };
    let report = graph.apply(delta).unwrap().report();
    assert_eq!(
        (
            report.edges,
            report.repeated,
            report.unknown_party,
            report.to_itself
        ),
        (1, 1, 1, 1)
    );
    let twice = GraphDelta {
        parties: vec![party("z"), party("z")],
        ..GraphDelta::default()
    };
    assert!(graph.apply(twice).is_err());
}
