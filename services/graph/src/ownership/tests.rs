//! Against the plain inverse of one dense matrix, and the cases that matter one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::input::{Certainty, EdgeInput, GraphInput, GraphOptions, PartyNode, Relation, SourceRow};

const DAY: i32 = 100;

fn party(id: &str) -> PartyNode {
    PartyNode {
        party_id: id.to_owned(),
        kind: if id.starts_with('p') {
            PartyKind::Person
        } else {
            PartyKind::Company
        },
        name: id.to_owned(),
        staff_ids: Vec::new(),
        is_supplier: false,
    }
}

fn row(from: &str, relation: Relation, share: i64, to: &str, key: usize) -> EdgeInput {
    EdgeInput {
        from: from.to_owned(),
        to: to.to_owned(),
        relation,
        share: Some(share),
        valid_from: Some(0),
        valid_to: None,
        certainty: Certainty::SURE,
        source: SourceRow {
            dataset: "relations".into(),
            key: key.to_string().into(),
            source: "files".into(),
            batch: "b".into(),
            row: 1,
        },
    }
}

/// "P 60 A" holdings in percent.
fn graph(text: &[&str]) -> Graph {
    let edges = text.iter().enumerate().map(|(n, line)| {
        let words: Vec<&str> = line.split(' ').collect();
        let share: f64 = words[1].parse().unwrap();
        row(
            words[0],
            Relation::Shareholder,
            (share * 10_000.0).round() as i64,
            words[2],
            n,
        )
    });
    of(edges.collect())
}

fn of(edges: Vec<EdgeInput>) -> Graph {
    let mut ids: Vec<&str> = edges
        .iter()
        .flat_map(|e| [e.from.as_str(), e.to.as_str()])
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let parties = ids.into_iter().map(party).collect();
    Graph::build(GraphInput {
        parties,
        edges,
        attributes: Vec::new(),
    })
    .unwrap()
}

/// "owner company share[ controls]" of every row.
fn shown(ownership: &Ownership<'_>) -> Vec<String> {
    let row = |r: &Owned<'_>| {
        let controls = if r.controls { " controls" } else { "" };
        format!(
            "{} {} {:.6}{controls}",
            r.owner_id, r.company_id, r.integrated_share
        )
    };
    ownership.rows.iter().map(row).collect()
}

#[track_caller]
fn check(text: &[&str], min_share: f64, want: &[&str]) {
    let graph = graph(text);
    let ownership = graph.ownership(DAY, min_share).unwrap();
    assert_eq!(shown(&ownership), want);
    assert!(!ownership.truncated && ownership.over_whole.is_empty() && ownership.unowned.is_empty());
}

#[test]
fn what_circulates_in_a_cross_holding_is_not_lost() {
    let text = ["pP 60 A", "B 40 A", "A 50 B", "pQ 50 B"];
    check(
        &text,
        0.0,
        &[
            "pP A 0.750000 controls",
            "pQ A 0.250000",
            "pQ B 0.625000",
            "pP B 0.375000",
        ],
    );
    // 60 % of A and with A 50 % of B: not over half.
    let graph = graph(&text);
    assert_eq!(
        shown(&graph.owners_of("A", DAY, 0.0).unwrap()),
        // B by itself: 40 %, since what comes back through A is not counted twice.
        ["pP A 0.750000 controls", "B A 0.400000", "pQ A 0.250000"]
    );
}

#[test]
fn control_is_over_half_alone_or_together_with_the_controlled() {
    check(&["pP 50 A", "pQ 50 A"], 0.9, &[]);
    check(&["pP 50.0001 A"], 0.9, &["pP A 0.500001 controls"]);
    // 30 % of its own and 30 % through A, which it controls.
    check(
        &["pP 60 A", "pP 30 B", "A 30 B"],
        0.45,
        &["pP A 0.600000 controls", "pP B 0.480000 controls"],
    );
    // Control without a quarter of the money: 51 % of 51 % of 51 %.
    check(
        &["pP 51 A", "A 51 B", "B 51 C"],
        0.25,
        &[
            "pP A 0.510000 controls",
            "pP B 0.260100 controls",
            "pP C 0.132651 controls",
        ],
    );
}

#[test]
fn a_closed_circle_has_no_owner_and_says_so() {
    let graph = graph(&["A 100 B", "B 100 A", "A 40 C", "pP 60 C"]);
    let ownership = graph.ownership(DAY, 0.0).unwrap();
    assert_eq!(shown(&ownership), ["pP C 0.600000 controls"]);
    assert_eq!(
        ownership.unowned,
        [Unowned {
            company_ids: vec!["A", "B"],
            closed: true
        }]
    );
    let owners = graph.owners_of("A", DAY, 0.0).unwrap();
    assert!(
        owners.rows.iter().all(|r| !r.is_person && !r.ultimate),
        "{owners:?}"
    );
    assert_eq!(owners.unowned.len(), 1);
}

#[test]
fn shares_over_the_whole_are_told_and_left_as_they_are() {
    let graph = graph(&["pP 70 A", "pQ 40 A", "A 100 B", "B 60 C", "C 60 B"]);
    let ownership = graph.ownership(DAY, 0.0).unwrap();
    assert_eq!(
        ownership.over_whole,
        [
            OverWhole {
                company_id: "A",
                sum: "110.0000".to_owned()
            },
            OverWhole {
                company_id: "B",
                sum: "160.0000".to_owned()
            }
        ]
    );
    assert!(shown(&ownership).contains(&"pP A 0.700000 controls".to_owned()));
    // B and C hold 60 % of each other: 1 / (1 - 0.36).
    assert!(shown(&ownership).contains(&"pQ B 0.625000".to_owned()));
    // Circulating more than the whole has no answer.
    let graph = self::graph(&["pP 10 A", "B 100 A", "A 120 B"]);
    let ownership = graph.ownership(DAY, 0.0).unwrap();
    assert_eq!(shown(&ownership), ["pP A 0.100000"]);
    assert!(!ownership.unowned[0].closed);
}

#[test]
fn rows_of_one_holding_are_not_summed_and_dates_decide() {
    let mut edges = vec![
        row("pP", Relation::Shareholder, 300_000, "A", 0),
        row("pP", Relation::Shareholder, 400_000, "A", 1),
        row("pQ", Relation::BeneficialOwner, 900_000, "A", 2),
        row("pQ", Relation::BeneficialOwner, 900_000, "B", 3),
        row("pQ", Relation::Director, 900_000, "A", 4),
        row("A", Relation::Branch, 0, "C", 5),
        row("A", Relation::Shareholder, 500_000, "pP", 6),
    ];
    edges[1].valid_to = Some(DAY + 1);
    let graph = of(edges);
    let on = |day| shown(&graph.ownership(day, 0.0).unwrap());
    assert_eq!(
        on(DAY),
        ["pP A 0.400000", "pQ B 0.900000 controls", "pP C 0.400000"]
    );
    assert_eq!(on(DAY + 1)[0], "pP A 0.300000");
    assert!(
        on(-1).iter().all(|row| row.starts_with("A C ")),
        "only the branch, which is undated: {:?}",
        on(-1)
    );
    assert!(matches!(graph.ownership(DAY, 25.0), Err(GraphError::MinShare(_))));
}

#[test]
fn ten_thousand_long_chains_and_rings_are_solved() {
    let mut text: Vec<String> = (0..10_000).map(|n| format!("c{n} 100 c{}", n + 1)).collect();
    text.push("pP 80 c0".to_owned());
    let chain = graph(&text.iter().map(String::as_str).collect::<Vec<_>>());
    let ownership = chain.ownership(DAY, 0.5).unwrap();
    assert_eq!(ownership.rows.len(), 10_001);
    assert!(
        ownership
            .rows
            .iter()
            .all(|r| r.controls && (r.integrated_share - 0.8).abs() < 1e-9)
    );
    let owners = chain.owners_of("c10000", DAY, 0.5).unwrap();
    assert_eq!((owners.rows[0].owner_id, owners.rows.len()), ("c0", 10_001));

    // A ring in which all but a part of one share goes round: x = 0.3 + 0.7 x at c0.
    text[9_999] = "c9999 70 c0".to_owned();
    text[10_000] = "pP 30 c0".to_owned();
    let ring = graph(&text.iter().map(String::as_str).collect::<Vec<_>>());
    let ownership = ring.ownership(DAY, 0.5).unwrap();
    assert_eq!(ownership.rows.len(), 10_000);
    assert!(
        ownership
            .rows
            .iter()
            .all(|r| (r.integrated_share - 1.0).abs() < 1e-9)
    );
    let owners = ring.owners_of("c5000", DAY, 0.5).unwrap();
    assert_eq!(owners.rows[0].owner_id, "pP");
    assert!((owners.rows[0].integrated_share - 1.0).abs() < 1e-9);
    assert!(
        owners.truncated,
        "the shares of members of so large a ring by themselves are left out"
    );
}

#[test]
fn limits_cut_and_say_so() {
    let mut graph = graph(&["pP 60 A", "A 60 B", "B 60 C"]);
    graph.options = GraphOptions {
        ownership_entries_max: 1,
        ..GraphOptions::default()
    };
    assert!(graph.ownership(DAY, 0.0).unwrap().truncated);
    graph.options = GraphOptions {
        control_visits_max: 1,
        ..GraphOptions::default()
    };
    assert!(graph.ownership(DAY, 0.0).unwrap().truncated);
    assert!(graph.owners_of("C", DAY, 0.0).unwrap().truncated);
}

/// Direct shares, in units, by (holder, company): persons first, then companies.
type Direct = BTreeMap<(usize, usize), i64>;

/// Up to `persons` and `companies` where each company's shares sum to at most the whole.
fn any_direct(persons: usize, companies: usize, holders: usize) -> impl Strategy<Value = Direct> {
    let one = proptest::collection::vec((0..persons + companies, 1..=1_000_000i64), 0..holders);
    proptest::collection::vec(one, companies).prop_map(move |by_company| {
        let mut direct = Direct::new();
        for (company, rows) in by_company.into_iter().enumerate() {
            let mut left = 1_000_000;
            for (holder, share) in rows {
                let share = share.min(left);
                if share > 0 && holder != persons + company && !direct.contains_key(&(holder, company)) {
                    direct.insert((holder, company), share);
                    left -= share;
                }
            }
        }
        direct
    })
}

fn id(persons: usize, number: usize) -> String {
    if number < persons {
        format!("p{number:04}")
    } else {
        format!("c{:04}", number - persons)
    }
}

fn built(direct: &Direct, persons: usize, companies: usize) -> Graph {
    let edges = direct.iter().enumerate().map(|(n, ((holder, company), share))| {
        row(
            &id(persons, *holder),
            Relation::Shareholder,
            *share,
            &id(persons, persons + company),
            n,
        )
    });
    Graph::build(GraphInput {
        parties: (0..persons + companies).map(|n| party(&id(persons, n))).collect(),
        edges: edges.collect(),
        attributes: Vec::new(),
    })
    .unwrap()
}

/// (I - A)^-1 among the companies as a whole, by Gauss-Jordan elimination with row pivots; the code under test
/// solves groups of companies one by one and never inverts.
fn inverse(direct: &Direct, persons: usize, companies: usize) -> Option<Vec<Vec<f64>>> {
    let mut rows: Vec<Vec<f64>> = (0..companies)
        .map(|at| {
            (0..2 * companies)
                .map(|c| f64::from(u8::from(c == at || c == companies + at)))
                .collect()
        })
        .collect();
    for ((holder, company), share) in direct.iter().filter(|((h, _), _)| *h >= persons) {
        rows[holder - persons][*company] -= *share as f64 / 1e6;
    }
    for column in 0..companies {
        let pivot =
            (column..companies).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let divisor = rows[column][column];
        if divisor.abs() < 1e-9 {
            return None;
        }
        rows[column].iter_mut().for_each(|x| *x /= divisor);
        let top = rows[column].clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if at != column && factor.abs() > 0.0 {
                row.iter_mut().zip(&top).for_each(|(x, t)| *x -= factor * t);
            }
        }
    }
    let inverse: Vec<Vec<f64>> = rows.iter().map(|row| row[companies..].to_vec()).collect();
    // Near-closed circles lose digits in any arithmetic.
    inverse
        .iter()
        .flatten()
        .all(|x| x.is_finite() && *x < 1e5)
        .then_some(inverse)
}

#[track_caller]
fn agrees(direct: &Direct, persons: usize, companies: usize) {
    let graph = built(direct, persons, companies);
    let ownership = graph.ownership(DAY, 0.0).unwrap();
    assert!(!ownership.truncated && ownership.over_whole.is_empty());
    let got: BTreeMap<(&str, &str), f64> = ownership
        .rows
        .iter()
        .map(|r| ((r.owner_id, r.company_id), r.integrated_share))
        .collect();
    assert_eq!(got.len(), ownership.rows.len());
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for row in ownership.rows.iter().filter(|r| r.is_person) {
        *sums.entry(row.company_id).or_default() += row.integrated_share;
    }
    assert!(sums.values().all(|sum| *sum <= 1.0 + 1e-9), "{sums:?}");
    let Some(inverse) = inverse(direct, persons, companies) else {
        return;
    };
    assert!(ownership.unowned.is_empty());
    let held: Vec<bool> = (0..companies)
        .map(|c| direct.keys().any(|(_, company)| *company == c))
        .collect();
    let mut owned = vec![vec![0.0; companies]; persons];
    for ((holder, held), share) in direct.iter().filter(|((h, _), _)| *h < persons) {
        for company in 0..companies {
            owned[*holder][company] += *share as f64 / 1e6 * inverse[*held][company];
        }
    }
    let share_of = |owner: usize, company: usize| -> f64 {
        if owner < persons {
            owned[owner][company]
        } else {
            inverse[owner - persons][company]
        }
    };
    // Of many companies a few are asked alone.
    let step = if companies > DENSE_MAX { 23 } else { 1 };
    for company in (0..companies).step_by(step) {
        let company_id = id(persons, persons + company);
        let owners = graph.owners_of(&company_id, DAY, 0.0).unwrap();
        let above: BTreeMap<&str, f64> = owners
            .rows
            .iter()
            .map(|r| (r.owner_id, r.integrated_share))
            .collect();
        for owner in (0..persons + companies).filter(|o| *o != persons + company) {
            let owner_id = id(persons, owner);
            let ultimate = owner < persons || !held[owner - persons];
            let share = share_of(owner, company);
            if ultimate {
                let got = got
                    .get(&(owner_id.as_str(), company_id.as_str()))
                    .copied()
                    .unwrap_or(0.0);
                assert!(
                    (got - share).abs() < 1e-9,
                    "{owner_id} of {company_id}: {got}, not {share}"
                );
            }
            let alone = if ultimate {
                share
            } else {
                share / inverse[owner - persons][owner - persons]
            };
            let got = above.get(owner_id.as_str()).copied().unwrap_or(0.0);
            if companies <= DENSE_MAX || ultimate {
                assert!(
                    (got - alone).abs() < 1e-9,
                    "{owner_id} above {company_id}: {got}, not {alone}"
                );
            }
        }
    }
    // Control, the slow way: add whoever the group holds over half of until nobody is added.
    for owner in (0..persons + companies).filter(|o| *o < persons || !held[*o - persons]) {
        let mut group = vec![owner];
        loop {
            let more = (0..companies).find(|c| {
                let sum: i64 = group.iter().filter_map(|g| direct.get(&(*g, *c))).sum();
                sum > 500_000 && !group.contains(&(persons + c))
            });
            let Some(company) = more else { break };
            group.push(persons + company);
        }
        let mut want: Vec<String> = group[1..].iter().map(|c| id(persons, *c)).collect();
        want.sort();
        let owner_id = id(persons, owner);
        let got: Vec<&str> = ownership
            .rows
            .iter()
            .filter(|r| r.owner_id == owner_id && r.controls)
            .map(|r| r.company_id)
            .collect();
        assert_eq!(got, want, "{owner_id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ownership_is_the_dense_inverse(direct in any_direct(4, 9, 6)) {
        agrees(&direct, 4, 9);
    }

    #[test]
    fn a_circle_of_circles_is_too(direct in any_direct(2, 30, 3)) {
        agrees(&direct, 2, 30);
    }
}

#[test]
fn circles_too_large_to_eliminate_are_iterated_to_the_same() {
    // One ring through all, with chords, and every tenth company held by a person too.
    let (persons, companies) = (3, DENSE_MAX + 30);
    let mut direct = Direct::new();
    for company in 0..companies {
        let next = (company + 1) % companies;
        direct.insert((persons + company, next), 550_000);
        direct.insert((persons + company, (company * 7 + 3) % companies), 300_000);
        if company % 10 == 0 {
            direct.insert((company % persons, company), 150_000);
        }
    }
    direct.retain(|(holder, company), _| *holder != persons + company);
    let sums = |direct: &Direct, company| -> i64 {
        direct
            .iter()
            .filter(|((_, c), _)| *c == company)
            .map(|(_, s)| s)
            .sum()
    };
    assert!((0..companies).all(|c| sums(&direct, c) <= 1_000_000));
    agrees(&direct, persons, companies);
}
