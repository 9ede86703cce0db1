//! Times a graph of a million parties and three million edges as registers have it: `cargo run --release -p
//! graph --example speed`. Two in five edges are holdings: mostly of persons, some of firms in firms, a few of
//! those in circles; some holders stand behind thousands of firms, and agents' addresses are shared by many.
#![expect(clippy::print_stdout, reason = "an example prints its measurement")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use graph::{
    AttributeInput, AttributeKind, Certainty, EdgeInput, Graph, GraphDelta, GraphError, GraphInput,
    PartyKind, PartyNode, Relation, RouteQuestion, SourceRow,
};

const PARTIES: u64 = 1_000_000;
const EDGES: u64 = 3_000_000;
const ATTRIBUTES: u64 = 600_000;
const QUESTIONS: u64 = 2_000;
const DAY: i32 = 9_000;

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % most
    }
}

/// Two in five parties are persons.
fn is_person(n: u64) -> bool {
    n % 5 < 2
}

fn id(n: u64) -> String {
    format!("{}{n:011}", if is_person(n) { 'p' } else { 'c' })
}

struct Rows {
    dataset: Arc<str>,
    source: Arc<str>,
    batch: Arc<str>,
}

impl Rows {
    fn row(&self, n: u64) -> SourceRow {
        SourceRow {
            dataset: self.dataset.clone(),
            key: format!("R{n}").into(),
            source: self.source.clone(),
            batch: self.batch.clone(),
            row: n + 1,
        }
    }
}

fn party_of(numbers: &mut Numbers, person: bool) -> u64 {
    loop {
        let n = numbers.below(PARTIES);
        if is_person(n) == person {
            return n;
        }
    }
}

fn edge(n: u64, numbers: &mut Numbers, left: &mut [i64], rows: &Rows) -> EdgeInput {
    let company = party_of(numbers, false);
    let (from, relation, share) = match numbers.below(100) {
        0..40 => {
            // One in four holders is a firm, and one in fifty of these comes later in the order, which makes circles.
            let person = numbers.below(4) > 0;
            let mut holder = party_of(numbers, person);
            if !person && numbers.below(50) > 0 {
                while holder >= company && company > 100 {
                    holder = party_of(numbers, false);
                }
            }
            if numbers.below(50) == 0 {
                holder = 5 * numbers.below(20) + 2;
            }
            let room = &mut left[company as usize];
            let share = (numbers.below(600_000) as i64 + 1).min(*room);
            *room -= share;
            (holder, Relation::Shareholder, Some(share).filter(|s| *s > 0))
        }
        40..60 => (party_of(numbers, true), Relation::Director, None),
        60..75 => (party_of(numbers, true), Relation::LegalRepresentative, None),
        75..90 => (party_of(numbers, true), Relation::Manager, None),
        90..97 => (party_of(numbers, true), Relation::Employee, None),
        _ => (party_of(numbers, true), Relation::Sibling, None),
    };
    let to = if relation == Relation::Sibling {
        party_of(numbers, true)
    } else {
        company
    };
    let from_day = numbers.below(8_000) as i32;
    EdgeInput {
        from: id(from),
        to: id(to),
        relation,
        share,
        valid_from: Some(from_day),
        valid_to: (n.is_multiple_of(10)).then_some(from_day + 4_000),
        certainty: Certainty::from_probability(0.5 + numbers.below(51) as f64 / 100.0),
        source: rows.row(n),
    }
}

fn input() -> GraphInput {
    let mut numbers = Numbers(7);
    let parties = (0..PARTIES).map(|n| PartyNode {
        party_id: id(n),
        kind: if is_person(n) {
            PartyKind::Person
        } else {
            PartyKind::Company
        },
        name: format!("party {n}"),
        staff_ids: if n % 500 == 0 {
            vec![format!("E{n}")]
        } else {
            Vec::new()
        },
        is_supplier: !is_person(n) && n % 20 == 3,
    });
    let rows = Rows {
        dataset: "relations".into(),
        source: "files".into(),
        batch: "0123456789abcdef".into(),
    };
    let mut left = vec![1_000_000i64; PARTIES as usize];
    let edges = (0..EDGES)
        .map(|n| edge(n, &mut numbers, &mut left, &rows))
        .collect();
    let attributes = (0..ATTRIBUTES).map(|n| {
        // One in ten has the address of one of a hundred agents.
        let value = if n % 10 == 0 {
            n / 10 % 100
        } else {
            1_000 + n * 7 % 400_000
        };
        AttributeInput {
            party: id(n * 13 % PARTIES),
            kind: if n % 2 == 0 {
                AttributeKind::Address
            } else {
                AttributeKind::Phone
            },
            value: format!("v{value}"),
            source: rows.row(n),
        }
    });
    GraphInput {
        parties: parties.collect(),
        edges,
        attributes: attributes.collect(),
    }
}

/// Resident memory in MB, and its peak, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_default();
        line.split_whitespace()
            .nth(1)
            .and_then(|kb| kb.parse::<u64>().ok())
            .unwrap_or_default()
            / 1024
    };
    format!("{} MB now, {} MB at most", of("VmRSS"), of("VmHWM"))
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:?}; {}", start.elapsed(), memory());
    result
}

fn main() -> Result<(), GraphError> {
    let input = timed("input made", input);
    let graph = timed("build", || Graph::build(input))?;
    println!("{:?}", graph.report());

    let ownership = timed("all ownership", || graph.ownership(DAY, 0.25))?;
    println!(
        "  {} rows, {} without an answer, {} over 100 %, missing at most {:e}, truncated {}",
        ownership.rows.len(),
        ownership.unowned.len(),
        ownership.over_whole.len(),
        ownership.missing_max,
        ownership.truncated
    );
    drop(ownership);

    for max_hops in [4, 6] {
        let mut numbers = Numbers(11);
        let question = RouteQuestion {
            max_hops,
            day: Some(DAY),
            limit: 10,
            per_pair_max: 10,
            over_attributes: true,
        };
        let mut times: Vec<Duration> = Vec::new();
        let (mut found, mut cut) = (0, 0);
        for _ in 0..QUESTIONS {
            let (a, b) = (id(numbers.below(PARTIES)), id(numbers.below(PARTIES)));
            let start = Instant::now();
            let answer = graph.best_paths(&[&a], &[&b], question)?;
            times.push(start.elapsed());
            found += answer.rows.len();
            cut += u64::from(answer.truncated);
        }
        times.sort_unstable();
        let at = |share: u64| times[(QUESTIONS * share / 100) as usize];
        println!(
            "best paths of {max_hops} hops: p50 {:?}, p99 {:?}, most {:?}; {found} paths, {cut} of {QUESTIONS} cut",
            at(50),
            at(99),
            times[times.len() - 1]
        );
    }

    let mut numbers = Numbers(13);
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..QUESTIONS {
        let company = id(party_of(&mut numbers, false));
        let start = Instant::now();
        graph.owners_of(&company, DAY, 0.25)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!(
        "owners of one company: p50 {:?}, p99 {:?}",
        times[1_000], times[1_980]
    );

    let rows = Rows {
        dataset: "relations".into(),
        source: "files".into(),
        batch: "later".into(),
    };
    let mut left = vec![500_000i64; PARTIES as usize];
    let changes: Vec<EdgeInput> = (0..10_000)
        .map(|n| edge(EDGES + n, &mut numbers, &mut left, &rows))
        .collect();
    let delta = GraphDelta {
        edges: changes.clone(),
        ..GraphDelta::default()
    };
    let next = timed("10,000 new edges", || graph.apply(delta))?;
    println!("  {} edges, then {}", graph.report().edges, next.report().edges);
    let delta = GraphDelta {
        parties: vec![PartyNode {
            party_id: "c00000000001b".to_owned(),
            kind: PartyKind::Company,
            name: "new".to_owned(),
            staff_ids: Vec::new(),
            is_supplier: true,
        }],
        removed_edges: changes,
        ..GraphDelta::default()
    };
    timed("a new party, and those edges gone", || next.apply(delta))?;

    timed("components", || graph.components().len());
    timed("communities", || graph.communities().len());
    Ok(())
}
