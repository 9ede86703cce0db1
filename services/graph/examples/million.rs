//! Times a graph of a million parties and three million edges: `cargo run --release -p graph --example million`.
#![expect(clippy::print_stdout, reason = "an example prints its measurement")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use graph::{EdgeInput, Graph, GraphError, GraphInput, PartyKind, PartyNode, Relation, SourceRow};

const PARTIES: u64 = 1_000_000;
const EDGES: u64 = 3_000_000;
const QUESTIONS: u64 = 2_000;

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

/// Four in ten parties are persons.
fn is_person(n: u64) -> bool {
    n % 10 < 4
}

fn id(n: u64) -> String {
    format!("{}{n:011}", if is_person(n) { 'p' } else { 'c' })
}

fn input() -> GraphInput {
    let mut numbers = Numbers(7);
    let parties = (0..PARTIES)
        .map(|n| PartyNode {
            party_id: id(n),
            kind: if is_person(n) {
                PartyKind::Person
            } else {
                PartyKind::Company
            },
            name: format!("party {n}"),
            staff_ids: if is_person(n) && n % 100 == 0 {
                vec![format!("E{n}")]
            } else {
                Vec::new()
            },
            is_supplier: !is_person(n) && n % 20 == 5,
        })
        .collect();
    let text = |text: &str| -> Arc<str> { text.into() };
    let (dataset, source, batch) = (text("relations"), text("files"), text("0123456789abcdef"));
    let relations = [
        Relation::Shareholder,
        Relation::Director,
        Relation::Manager,
        Relation::LegalRepresentative,
    ];
    let edges = (0..EDGES)
        .map(|n| {
            let (from, to) = (numbers.below(PARTIES), numbers.below(PARTIES));
            // A few holders stand behind thousands of firms.
            let from = if n % 50 == 0 { from % 100 } else { from };
            let relation = match (is_person(from), is_person(to)) {
                (true, true) => Relation::Sibling,
                (_, false) => relations[numbers.below(4) as usize],
                (false, true) => Relation::Employee,
            };
            let (from, to) = if relation == Relation::Employee {
                (to, from)
            } else {
                (from, to)
            };
            let share = (relation == Relation::Shareholder).then(|| numbers.below(1_000_000) as i64);
            let from_day = numbers.below(8_000) as i32;
            EdgeInput {
                from: id(from),
                to: id(to),
                relation,
                share,
                valid_from: Some(from_day),
                valid_to: (n % 3 == 0).then_some(from_day + 4_000),
                source: SourceRow {
                    dataset: dataset.clone(),
                    key: format!("R{n}").into(),
                    source: source.clone(),
                    batch: batch.clone(),
                    row: n + 1,
                },
            }
        })
        .collect();
    GraphInput {
        parties,
        edges,
        attributes: Vec::new(),
    }
}

fn main() -> Result<(), GraphError> {
    let input = input();
    let start = Instant::now();
    let graph = Graph::build(input)?;
    println!("build: {:?}, {:?}", start.elapsed(), graph.report());

    let mut numbers = Numbers(11);
    let mut times: Vec<Duration> = Vec::new();
    let mut found = 0;
    for _ in 0..QUESTIONS {
        let (a, b) = (id(numbers.below(PARTIES)), id(numbers.below(PARTIES)));
        let start = Instant::now();
        found += graph.paths(&a, &b, 4, Some(9_000), 10)?.rows.len();
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |share: u64| times[(QUESTIONS * share / 100) as usize];
    println!(
        "paths of 4 hops: p50 {:?}, p99 {:?}, most {:?}; {found} paths",
        at(50),
        at(99),
        times.last()
    );

    let start = Instant::now();
    let components = graph.components();
    println!(
        "components: {:?} for {} parties",
        start.elapsed(),
        components.len()
    );
    let start = Instant::now();
    let related = graph.related_parties(4)?;
    println!(
        "related_parties(4): {:?}, {} rows, truncated {}",
        start.elapsed(),
        related.rows.len(),
        related.truncated
    );
    let start = Instant::now();
    let suppliers = graph.related_suppliers();
    println!(
        "related_suppliers: {:?}, {} rows, truncated {}",
        start.elapsed(),
        suppliers.rows.len(),
        suppliers.truncated
    );
    Ok(())
}
