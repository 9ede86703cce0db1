//! Best paths against the list of all paths, and the cases that matter one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::input::{AttributeInput, Certainty, EdgeInput, GraphInput, GraphOptions, PartyKind, PartyNode};

fn source(key: impl ToString) -> SourceRow {
    SourceRow {
        dataset: "relations".into(),
        key: key.to_string().into(),
        source: "files".into(),
        batch: "b".into(),
        row: 1,
    }
}

fn party(id: &str) -> PartyNode {
    PartyNode {
        party_id: id.to_owned(),
        kind: if id.starts_with('p') {
            PartyKind::Person
        } else {
            PartyKind::Company
        },
        name: if id == "gov" {
            "某省人民政府".to_owned()
        } else {
            id.to_owned()
        },
        staff_ids: Vec::new(),
        is_supplier: false,
    }
}

fn attribute(party: &str, kind: AttributeKind, value: &str) -> AttributeInput {
    AttributeInput {
        party: party.to_owned(),
        kind,
        value: value.to_owned(),
        source: source(party),
    }
}

/// Lines "from relation[ share[%]] to[ from..to][ ?certainty]" and "a phone 1390000" for a value.
fn graph(lines: &[&str]) -> Graph {
    with_options(lines, GraphOptions::default())
}

fn with_options(lines: &[&str], options: GraphOptions) -> Graph {
    let mut input = GraphInput::default();
    let mut ids = std::collections::BTreeSet::new();
    for (key, line) in lines.iter().enumerate() {
        let mut words: Vec<&str> = line.split(' ').collect();
        ids.insert(words[0].to_owned());
        let kinds = [
            AttributeKind::Phone,
            AttributeKind::Address,
            AttributeKind::Account,
            AttributeKind::Email,
        ];
        if let Some(kind) = kinds.into_iter().find(|k| k.as_str() == words[1]) {
            input.attributes.push(attribute(words[0], kind, words[2]));
            continue;
        }
        let share = words[2]
            .strip_suffix('%')
            .map(|s| s.parse::<i64>().unwrap() * 10_000);
        if share.is_some() {
            words.remove(2);
        }
        ids.insert(words[2].to_owned());
        let mut edge = EdgeInput {
            from: words[0].to_owned(),
            to: words[2].to_owned(),
            relation: Relation::parse(words[1]).unwrap(),
            share,
            valid_from: None,
            valid_to: None,
            certainty: Certainty::SURE,
            source: source(key),
        };
        for word in &words[3..] {
            if let Some(certainty) = word.strip_prefix('?') {
                edge.certainty = Certainty::from_probability(certainty.parse().unwrap());
            } else {
                let (from, to) = word.split_once("..").unwrap();
                (edge.valid_from, edge.valid_to) = (from.parse().ok(), to.parse().ok());
            }
        }
        input.edges.push(edge);
    }
    input.parties = ids.iter().map(|id| party(id)).collect();
    Graph::with_options(input, options).unwrap()
}

const QUESTION: RouteQuestion = RouteQuestion {
    max_hops: 4,
    day: None,
    limit: 10,
    per_pair_max: 10,
    over_attributes: true,
};

fn shown(route: &Route<'_>) -> String {
    let mut text = route.hops[0].from.to_owned();
    for hop in &route.hops {
        text += &format!(" {} {}", hop.tie.as_str(), hop.to);
    }
    text
}

#[track_caller]
fn check(graph: &Graph, from: &[&str], to: &[&str], question: RouteQuestion, want: &[&str]) {
    let answer = graph.best_paths(from, to, question).unwrap();
    assert_eq!(answer.rows.iter().map(shown).collect::<Vec<_>>(), want);
    assert!(!answer.truncated);
}

#[test]
fn the_surer_path_comes_first_and_carries_its_figures() {
    let graph = graph(&[
        "p1 shareholder 60% c1",
        "c1 shareholder 50% v1 0..10",
        "p1 spouse p2",
        "p2 legal_representative v1 ?0.4",
    ]);
    let want = [
        "p1 shareholder c1 shareholder v1",
        "p1 spouse p2 legal_representative v1",
    ];
    check(&graph, &["p1"], &["v1"], QUESTION, &want);
    check(
        &graph,
        &["p1"],
        &["v1"],
        RouteQuestion {
            day: Some(10),
            ..QUESTION
        },
        &want[1..],
    );
    check(
        &graph,
        &["p1"],
        &["v1"],
        RouteQuestion { limit: 1, ..QUESTION },
        &want[..1],
    );
    check(
        &graph,
        &["p1"],
        &["v1"],
        RouteQuestion {
            max_hops: 1,
            ..QUESTION
        },
        &[],
    );
    let rows = graph.best_paths(&["p1"], &["v1"], QUESTION).unwrap().rows;
    assert_eq!(
        (rows[0].share.as_deref(), rows[0].valid_to),
        (Some("30.0000"), Some(10))
    );
    assert!((rows[0].probability - 1.0).abs() < 1e-12 && (rows[0].score - 0.95 * 0.95).abs() < 1e-5);
    assert!((rows[1].probability - 0.4).abs() < 1e-12 && rows[1].share.is_none());
    let Tie::Relation {
        downwards, source, ..
    } = rows[0].hops[1].tie
    else {
        panic!()
    };
    assert_eq!((downwards, &*source.key), (true, "1"));
}

#[test]
fn a_share_is_told_only_of_a_chain_in_one_direction() {
    let graph = graph(&[
        "p1 shareholder 60% v1",
        "p1 shareholder 50% v2",
        "v2 shareholder 50% v3",
    ]);
    let share = |from, to| {
        let rows = graph.best_paths(&[from], &[to], QUESTION).unwrap().rows;
        rows[0].share.clone()
    };
    assert_eq!(share("p1", "v3").as_deref(), Some("25.0000"));
    assert_eq!(share("v3", "p1").as_deref(), Some("25.0000"));
    assert_eq!(share("v1", "v2"), None);
}

#[test]
fn a_small_holding_says_less_than_a_post_and_is_kept() {
    let graph = graph(&[
        "p1 shareholder 4% c1",
        "c1 shareholder 60% v1",
        "p1 director c2",
        "c2 shareholder 60% v1",
        "p2 shareholder 5% c1",
    ]);
    let want = [
        "p1 director c2 shareholder v1",
        "p1 shareholder c1 shareholder v1",
    ];
    check(&graph, &["p1"], &["v1"], QUESTION, &want);
    let score = |from: &str, place: usize| {
        let rows = graph.best_paths(&[from], &["v1"], QUESTION).unwrap().rows;
        rows[place].score
    };
    assert!((score("p1", 1) - 0.3 * 0.95).abs() < 1e-5);
    // At the line itself a holding counts as any other.
    assert!((score("p2", 0) - 0.95 * 0.95).abs() < 1e-5);
}

#[test]
fn shared_values_are_weak_ties_and_hubs_weaker_still() {
    let mut lines: Vec<String> = (0..30).map(|n| format!("c{n} address road")).collect();
    lines.extend([
        "c1 phone 139".to_owned(),
        "c2 phone 139".to_owned(),
        "c1 director c3".to_owned(),
    ]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let graph = graph(&lines);
    let question = RouteQuestion {
        max_hops: 1,
        ..QUESTION
    };
    check(&graph, &["c1"], &["c2"], question, &["c1 shared_phone c2"]);
    check(&graph, &["c1"], &["c3"], question, &["c1 director c3"]);
    check(&graph, &["c1"], &["c4"], question, &["c1 shared_address c4"]);
    let rows = graph.best_paths(&["c1"], &["c4"], question).unwrap().rows;
    assert!((rows[0].probability - 0.5 / 29.0).abs() < 1e-12);
    let Tie::Shared {
        degree,
        value,
        from_source,
        to_source,
        ..
    } = rows[0].hops[0].tie
    else {
        panic!()
    };
    assert_eq!(
        (degree, value, &*from_source.key, &*to_source.key),
        (30, "road", "c1", "c4")
    );
    check(
        &graph,
        &["c1"],
        &["c4"],
        RouteQuestion {
            over_attributes: false,
            ..question
        },
        &[],
    );
}

#[test]
fn the_state_ties_nobody_and_sets_end_at_the_first_target() {
    let lines = [
        "gov shareholder 100% v1",
        "gov shareholder 100% v2",
        "s1 director v1",
        "v1 shareholder 60% v3",
        "s2 director v3",
    ];
    let graph = graph(&lines);
    check(&graph, &["v1"], &["v2"], QUESTION, &[]);
    check(&graph, &["gov"], &["v2"], QUESTION, &["gov shareholder v2"]);
    check(
        &graph,
        &["s1", "s2"],
        &["v1", "v3"],
        QUESTION,
        &["s1 director v1", "s2 director v3"],
    );
    check(
        &graph,
        &["s1", "s2"],
        &["v3", "s1"],
        QUESTION,
        &["s2 director v3", "s1 director v1 shareholder v3"],
    );
    assert_eq!(
        graph.best_paths(&["s1"], &["x"], QUESTION).unwrap_err(),
        GraphError::UnknownParty("x".to_owned())
    );
    assert!(
        graph
            .best_paths(&["s1"], &["s1"], QUESTION)
            .unwrap()
            .rows
            .is_empty()
    );
}

#[test]
fn hubs_are_passed_last_and_a_cut_search_says_so() {
    let mut lines: Vec<String> = (0..50).map(|n| format!("bank shareholder 1% c{n}")).collect();
    lines.extend(["p1 director c1".to_owned(), "p1 agent c2".to_owned()]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check(
        &graph(&lines),
        &["c1"],
        &["c2"],
        RouteQuestion {
            max_hops: 2,
            ..QUESTION
        },
        &["c1 director p1 agent c2", "c1 shareholder bank shareholder c2"],
    );
    let options = GraphOptions {
        route_visits_max: 5,
        ..GraphOptions::default()
    };
    let cut = with_options(&lines, options);
    assert!(cut.best_paths(&["c1"], &["c2"], QUESTION).unwrap().truncated);
}

#[test]
fn certainty_stays_within_its_bounds() {
    for (given, want) in [
        (0.25, 0.25),
        (2.0, 1.0),
        (0.0, 1e-6),
        (-1.0, 1e-6),
        (f64::NAN, 1e-6),
    ] {
        assert!((Certainty::from_probability(given).probability() - want).abs() < 1e-12);
    }
}

const IDS: [&str; 9] = ["c1", "c2", "c3", "gov", "p1", "p2", "v1", "v2", "v3"];

fn any_lines() -> impl Strategy<Value = Vec<String>> {
    let relations = ["shareholder", "director", "employee", "spouse", "branch"];
    let edge = (
        0..IDS.len(),
        0..IDS.len(),
        prop::sample::select(relations.to_vec()),
        prop::sample::select(vec!["?1", "?0.9", "?0.5"]),
        proptest::option::of((0..5i32, 0..9i32)),
    )
        .prop_map(|(from, to, relation, certainty, days)| {
            let days = days.map_or(String::new(), |(from, to)| format!(" {from}..{to}"));
            format!("{} {relation} {}{days} {certainty}", IDS[from], IDS[to])
        });
    let value = (
        0..IDS.len(),
        0..3usize,
        prop::sample::select(vec!["phone", "address"]),
    )
        .prop_map(|(party, value, kind)| format!("{} {kind} x{value}", IDS[party]));
    (
        proptest::collection::vec(edge, 0..16),
        proptest::collection::vec(value, 0..7),
    )
        .prop_map(|(edges, values)| [edges, values].concat())
}

/// Least cost of every sequence of parties, by plain recursion over all ties.
fn all(graph: &Graph, starts: &[u32], ends: &[u32], question: RouteQuestion) -> BTreeMap<Vec<u32>, u64> {
    fn walk(
        graph: &Graph,
        (starts, ends): (&[u32], &[u32]),
        question: RouteQuestion,
        path: &mut Vec<u32>,
        // The cost so far, and the value that the last hop went over.
        (cost, came): (u64, Option<u32>),
        interval: Interval,
        out: &mut BTreeMap<Vec<u32>, u64>,
    ) {
        let at = path[path.len() - 1];
        if ends.contains(&at) {
            let best = out.entry(path.clone()).or_insert(cost);
            *best = (*best).min(cost);
            return;
        }
        let mut cost = cost;
        if path.len() > 1 {
            let ties = graph.edges.iter().filter(|e| e.from == at || e.to == at).count();
            if graph.state[at as usize] || starts.contains(&at) {
                return;
            }
            if ties > 2 {
                cost += u64::from(super::cost(2.0 / ties as f64));
            }
        }
        if path.len() > question.max_hops {
            return;
        }
        let mut ties: Vec<(u32, u64, Interval, Option<u32>)> = Vec::new();
        for edge in graph.edges.iter() {
            let step = u64::from(edge_cost(edge));
            if edge.from == at {
                ties.push((edge.to, step, edge.interval, None));
            } else if edge.to == at {
                ties.push((edge.from, step, edge.interval, None));
            }
        }
        for value in 0..graph.attributes.values() as u32 {
            let sharing = graph.attributes.sharing(value);
            if came != Some(value) && sharing.iter().any(|a| a.party == at) {
                let step = u64::from(super::cost(shared_probability(sharing[0].kind, sharing.len())));
                ties.extend(
                    sharing
                        .iter()
                        .map(|a| (a.party, step, Interval::ALWAYS, Some(value))),
                );
            }
        }
        for (next, step, held, over) in ties {
            let interval = interval.intersect(held);
            if !path.contains(&next) && !interval.is_empty() {
                path.push(next);
                walk(
                    graph,
                    (starts, ends),
                    question,
                    path,
                    (cost + step, over),
                    interval,
                    out,
                );
                path.pop();
            }
        }
    }
    let mut out = BTreeMap::new();
    let window = question.day.map_or(Interval::ALWAYS, Interval::day);
    for start in starts {
        walk(
            graph,
            (starts, ends),
            question,
            &mut vec![*start],
            (0, None),
            window,
            &mut out,
        );
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_best_paths_are_those_of_all_paths(
        lines in any_lines(),
        starts in prop::sample::subsequence(IDS.to_vec(), 1..3),
        ends in prop::sample::subsequence(IDS.to_vec(), 1..3),
        max_hops in 1..=6usize,
        day in proptest::option::of(0..8i32),
        limit in prop::sample::select(vec![1usize, 3, 1000]),
    ) {
        let mut lines = lines;
        // Every party is in, tied or not.
        lines.extend(IDS.iter().enumerate().map(|(n, id)| format!("{id} email only{n}")));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let options = GraphOptions { attribute_degree_max: 2, ..GraphOptions::default() };
        let graph = with_options(&lines, options);
        let question = RouteQuestion { max_hops, day, limit, per_pair_max: 1000, over_attributes: true };
        let answer = graph.best_paths(&starts, &ends, question).unwrap();
        prop_assert!(!answer.truncated);
        let number = |ids: &[&str]| ids.iter().map(|id| graph.number(id).unwrap()).collect::<Vec<_>>();
        let (from, mut to) = (number(&starts), number(&ends));
        to.retain(|end| !from.contains(end));
        let all = all(&graph, &from, &to, question);
        let mut costs: Vec<u64> = all.values().copied().collect();
        costs.sort_unstable();
        costs.truncate(limit);
        let (found, _) = search::best(&graph, &from, &to, question);
        prop_assert_eq!(found.iter().map(|f| f.cost).collect::<Vec<_>>(), costs);
        prop_assert_eq!(found.len(), answer.rows.len());
        for path in &found {
            let mut parties = vec![path.start];
            parties.extend(path.steps.iter().map(|s| s.party()));
            prop_assert_eq!(all.get(&parties), Some(&path.cost));
        }
        let mut distinct: Vec<String> = answer.rows.iter().map(|r| {
            r.hops.iter().map(|h| h.to).collect::<Vec<_>>().join(" ") + r.hops[0].from
        }).collect();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), answer.rows.len());
        for route in &answer.rows {
            prop_assert!(route.probability > 0.0 && route.probability <= 1.0 && route.score <= route.probability + 1e-5);
        }
    }
}
