//! Every question on small random graphs against the plainest way to answer it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{party, source};
use crate::control::RelationKind;
use crate::input::{Certainty, EdgeInput, GraphInput, GraphOptions, Relation};
use crate::snapshot::Graph;

const IDS: [&str; 8] = ["c1", "c2", "p1", "p2", "s1", "s2", "v1", "v2"];

pub(super) fn any_edge()
-> impl Strategy<Value = (usize, usize, Relation, Option<i64>, Option<i32>, Option<i32>)> {
    let relations = vec![
        Relation::Shareholder,
        Relation::Shareholder,
        Relation::BeneficialOwner,
        Relation::LegalRepresentative,
        Relation::Director,
        Relation::Employee,
        Relation::Branch,
        Relation::Spouse,
    ];
    let day = || proptest::option::of(0..8i32);
    let share = proptest::option::of(prop::sample::select(vec![300_000i64, 500_000, 500_001, 700_000]));
    (
        0..IDS.len(),
        0..IDS.len(),
        prop::sample::select(relations),
        share,
        day(),
        day(),
    )
}

fn small_graph() -> impl Strategy<Value = GraphInput> {
    proptest::collection::vec(any_edge(), 0..14).prop_map(|edges| GraphInput {
        parties: IDS.iter().map(|id| party(id)).collect(),
        edges: edges
            .into_iter()
            .enumerate()
            .map(
                |(n, (from, to, relation, share, valid_from, valid_to))| EdgeInput {
                    from: IDS[from].to_owned(),
                    to: IDS[to].to_owned(),
                    relation,
                    share,
                    valid_from,
                    valid_to,
                    certainty: Certainty::SURE,
                    source: source("relations", n),
                },
            )
            .collect(),
        attributes: Vec::new(),
    })
}

/// Every simple path by plain recursion: (parties, rows, interval).
type Plain = (Vec<String>, Vec<String>, (Option<i32>, Option<i32>));

fn walk(
    input: &GraphInput,
    path: &mut Vec<String>,
    rows: &mut Vec<String>,
    hops: usize,
    out: &mut BTreeSet<Plain>,
) {
    if rows.len() == hops {
        return;
    }
    let at = path.last().unwrap().clone();
    for edge in &input.edges {
        let next = if edge.from == at {
            &edge.to
        } else if edge.to == at && (edge.relation.is_kin() || edge.relation == Relation::Branch) {
            &edge.from
        } else {
            continue;
        };
        if path.contains(next) {
            continue;
        }
        path.push(next.clone());
        rows.push(edge.source.key.to_string());
        let taken: Vec<&EdgeInput> = rows
            .iter()
            .map(|k| input.edges.iter().find(|e| *e.source.key == **k).unwrap())
            .collect();
        let from = taken.iter().filter_map(|e| e.valid_from).max();
        let to = taken.iter().filter_map(|e| e.valid_to).min();
        if from.is_none_or(|from| to.is_none_or(|to| from < to)) {
            out.insert((path.clone(), rows.clone(), (from, to)));
            walk(input, path, rows, hops, out);
        }
        path.pop();
        rows.pop();
    }
}

fn all_paths(input: &GraphInput, from: &[&str], to: &[&str], hops: usize) -> BTreeSet<Plain> {
    let mut out = BTreeSet::new();
    for start in from {
        walk(
            input,
            &mut vec![(*start).to_owned()],
            &mut Vec::new(),
            hops,
            &mut out,
        );
    }
    out.into_iter()
        .filter(|(path, ..)| to.contains(&path.last().unwrap().as_str()))
        .collect()
}

fn plain(path: &crate::paths::FoundPath<'_>) -> Plain {
    let first = path.hops[0].from.to_owned();
    let parties = std::iter::once(first)
        .chain(path.hops.iter().map(|h| h.to.to_owned()))
        .collect();
    let rows = path.hops.iter().map(|h| h.row.key.to_string()).collect();
    (parties, rows, (path.valid_from, path.valid_to))
}

/// Who controls whom on a day, by repeated joining.
fn controlled(input: &GraphInput, day: i32) -> BTreeSet<(String, String)> {
    let held = |e: &&EdgeInput| e.valid_from.is_none_or(|f| f <= day) && e.valid_to.is_none_or(|t| day < t);
    let control = |e: &&EdgeInput| match e.relation {
        Relation::Branch => true,
        Relation::Shareholder | Relation::BeneficialOwner => e.share.is_some_and(|s| s > 500_000),
        _ => false,
    };
    let mut pairs: BTreeSet<(String, String)> = input
        .edges
        .iter()
        .filter(held)
        .filter(control)
        .map(|e| (e.from.clone(), e.to.clone()))
        .collect();
    loop {
        let more: Vec<(String, String)> = pairs
            .iter()
            .flat_map(|(a, b)| {
                pairs
                    .iter()
                    .filter(move |(c, _)| c == b)
                    .map(move |(_, d)| (a.clone(), d.clone()))
            })
            .filter(|pair| !pairs.contains(pair))
            .collect();
        if more.is_empty() {
            return pairs;
        }
        pairs.extend(more);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn related_parties_finds_exactly_the_paths_of_plain_recursion(input in small_graph(), hops in 1..5usize) {
        let options = GraphOptions { paths_per_pair_max: usize::MAX, ..GraphOptions::default() };
        let graph = Graph::with_options(input.clone(), options).unwrap();
        let rows = graph.related_parties(hops).unwrap().rows;
        let found: BTreeSet<Plain> = rows.iter().map(|r| plain(&r.path)).collect();
        prop_assert_eq!(found.len(), rows.len());
        prop_assert_eq!(found, all_paths(&input, &["s1", "s2"], &["v1", "v2"], hops));
    }

    #[test]
    fn the_order_of_input_changes_nothing(input in small_graph(), turn in 0..14usize) {
        let mut other = input.clone();
        let turn = turn.min(other.edges.len());
        other.edges.rotate_left(turn);
        other.parties.reverse();
        let (a, b) = (Graph::build(input).unwrap(), Graph::build(other).unwrap());
        prop_assert_eq!(a.related_parties(4).unwrap(), b.related_parties(4).unwrap());
        prop_assert_eq!(a.related_suppliers(), b.related_suppliers());
        prop_assert_eq!(a.components(), b.components());
    }

    #[test]
    fn components_are_those_of_repeated_labelling(input in small_graph()) {
        let graph = Graph::build(input.clone()).unwrap();
        let mut label: BTreeMap<&str, &str> = IDS.iter().map(|id| (*id, *id)).collect();
        for _ in 0..IDS.len() {
            for e in input.edges.iter().filter(|e| e.valid_from.is_none_or(|f| e.valid_to.is_none_or(|t| f < t))) {
                let least = label[e.from.as_str()].min(label[e.to.as_str()]);
                *label.get_mut(e.from.as_str()).unwrap() = least;
                *label.get_mut(e.to.as_str()).unwrap() = least;
            }
        }
        for c in graph.components() {
            prop_assert_eq!(c.component_id, label[c.party_id]);
            prop_assert_eq!(c.size as usize, label.values().filter(|l| **l == c.component_id).count());
        }
    }

    #[test]
    fn related_suppliers_are_those_related_on_some_day(input in small_graph()) {
        let graph = Graph::build(input.clone()).unwrap();
        let rows = graph.related_suppliers().rows;
        for day in -1..9i32 {
            let pairs = controlled(&input, day);
            let controls = |a: &str, b: &str| pairs.contains(&(a.to_owned(), b.to_owned()));
            let direct = controls("v1", "v2") || controls("v2", "v1");
            let common = IDS.iter().any(|top| controls(top, "v1") && controls(top, "v2") && !["v1", "v2"].contains(top));
            let on_day = |kinds: &[RelationKind]| rows.iter().any(|r| {
                kinds.contains(&r.kind) && r.valid_from.is_none_or(|f| f <= day) && r.valid_to.is_none_or(|t| day < t)
            });
            prop_assert_eq!(on_day(&[RelationKind::Control]), direct);
            prop_assert_eq!(on_day(&[RelationKind::Control, RelationKind::CommonControl]), direct || common);
            let represents = |supplier: &str| -> BTreeSet<&str> {
                input.edges.iter().filter(|e| {
                    e.relation == Relation::LegalRepresentative && e.to == supplier && e.from != supplier
                        && e.valid_from.is_none_or(|f| f <= day) && e.valid_to.is_none_or(|t| day < t)
                }).map(|e| e.from.as_str()).collect()
            };
            let same = !represents("v1").is_disjoint(&represents("v2"));
            prop_assert_eq!(on_day(&[RelationKind::SameLegalRepresentative]), same);
        }
        prop_assert!(rows.iter().all(|r| r.a_party_id < r.b_party_id));
    }
}
