//! Measures parsing and comparing of names on a labelled set, and what the levels say about its truth.
//!
//! `cargo run --release -p matching --example compare_speed -- SET.csv` (written by the example chinese_set).
#![expect(clippy::print_stdout, reason = "an example prints what it finds")]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Instant;

use matching::{OrgLevel, OrgName, compare_orgs};

/// Pairs taken at random; few in a build without optimisation.
const PAIRS: u64 = if cfg!(debug_assertions) {
    200_000
} else {
    20_000_000
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("give a CSV written by the example chinese_set")?;
    let mut texts = Vec::new();
    let mut truth = Vec::new();
    for row in csv::Reader::from_path(path)?.records() {
        let row = row?;
        texts.push(row[1].to_owned());
        truth.push(row[7].to_owned());
    }
    let start = Instant::now();
    let names: Vec<OrgName> = texts.iter().map(|text| OrgName::parse(text)).collect();
    let spent = start.elapsed().as_secs_f64();
    println!(
        "parsed {} names in {spent:.3} s: {:.0}/s",
        names.len(),
        names.len() as f64 / spent
    );

    let start = Instant::now();
    let keys: usize = names.iter().map(|name| name.blocking_keys().count()).sum();
    println!("{keys} blocking keys in {:.3} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let mut pairs = 0u64;
    let mut high = 0u64;
    'all: for step in 1.. {
        for at in 0..names.len() - step {
            high +=
                u64::from(compare_orgs(black_box(&names[at]), &names[at + step]).level > OrgLevel::Missing);
            pairs += 1;
        }
        if pairs > PAIRS || step + 1 >= names.len() {
            break 'all;
        }
    }
    let spent = start.elapsed().as_secs_f64();
    println!(
        "{pairs} pairs at random in {spent:.2} s: {:.2} M/s ({high} above missing)",
        pairs as f64 / spent / 1e6
    );

    // Pairs that meet in a block, as a scorer gets them.
    let mut blocks: HashMap<_, Vec<u32>> = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        for key in name.blocking_keys() {
            blocks.entry(key).or_default().push(at as u32);
        }
    }
    let mut candidates: Vec<(u32, u32)> = Vec::new();
    for members in blocks.values().filter(|m| m.len() <= 60) {
        for (i, a) in members.iter().enumerate() {
            candidates.extend(members[i + 1..].iter().map(|b| (*a.min(b), *a.max(b))));
        }
    }
    candidates.sort_unstable();
    candidates.dedup();
    let start = Instant::now();
    let mut found: BTreeMap<OrgLevel, (u64, u64)> = BTreeMap::new();
    for (a, b) in &candidates {
        let level = compare_orgs(&names[*a as usize], &names[*b as usize]).level;
        let slot = found.entry(level).or_default();
        if truth[*a as usize] == truth[*b as usize] {
            slot.0 += 1;
        } else {
            slot.1 += 1;
        }
    }
    let spent = start.elapsed().as_secs_f64();
    println!(
        "{} candidate pairs in {spent:.2} s: {:.2} M/s",
        candidates.len(),
        candidates.len() as f64 / spent / 1e6
    );
    let mut all: HashMap<&str, u64> = HashMap::new();
    truth.iter().for_each(|t| *all.entry(t).or_default() += 1);
    let true_pairs: u64 = all.values().map(|n| n * (n - 1) / 2).sum();
    let met: u64 = found.values().map(|(same, _)| same).sum();
    println!("{met} of {true_pairs} true pairs meet in a block of at most 60");
    println!("{:24} {:>10} {:>10}", "level", "same", "other");
    for (level, (same, other)) in found.iter().rev() {
        println!("{:24} {same:>10} {other:>10}", level.as_str());
    }
    if let Some(wanted) = std::env::args().nth(2) {
        let same = std::env::args().nth(3).as_deref() != Some("other");
        let shown = candidates.iter().filter(|(a, b)| {
            compare_orgs(&names[*a as usize], &names[*b as usize])
                .level
                .as_str()
                == wanted
                && (truth[*a as usize] == truth[*b as usize]) == same
        });
        for (a, b) in shown.take(40) {
            println!("{} | {}", texts[*a as usize], texts[*b as usize]);
        }
    }
    Ok(())
}
