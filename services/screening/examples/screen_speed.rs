//! Times the index alone, without a server: `cargo run --release -p screening --example screen_speed`.
#![expect(clippy::print_stdout, reason = "an example prints its measurement")]

mod population;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::ports::Screener;
use screening::{Index, Settings};

const PARTIES: usize = 100_000;
const QUESTIONS: usize = 20_000;

fn main() {
    let input = population::input(PARTIES);
    let began = Instant::now();
    let index = Index::build(input, Settings::default());
    println!(
        "{} parties, {} names, built in {:?}",
        index.parties(),
        index.names(),
        began.elapsed()
    );
    let mut took: Vec<Duration> = Vec::with_capacity(QUESTIONS);
    let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut identities: BTreeMap<&str, usize> = BTreeMap::new();
    for n in 0..QUESTIONS {
        let question = population::question(n, PARTIES);
        let began = Instant::now();
        let screening = index.screen(&question);
        took.push(began.elapsed());
        *answers.entry(screening.verdict.as_str()).or_default() += 1;
        if let Some(reason) = screening.checks.first().and_then(|c| c.reasons.first()) {
            *identities.entry(reason.code).or_default() += 1;
        }
    }
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let total: Duration = took.iter().sum();
    println!("{answers:?}");
    println!("{identities:?}");
    println!(
        "{QUESTIONS} questions: mean {:?}, p50 {:?}, p99 {:?}, p99.9 {:?}, max {:?}",
        total / QUESTIONS as u32,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
