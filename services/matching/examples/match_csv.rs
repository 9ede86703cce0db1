//! Matches a CSV (or two) as `lianjing match` does, without the engine: for measuring accuracy and speed.
//!
//! `match_csv [--truth COLUMN] [--model FILE] [--misses N] [--json] [--add N] FILE [OTHER]` prints counts, times and, against a
//! column that names the true party, pairwise precision, recall and F1 of pairs and of clusters. Matching includes normalising,
//! and leaves out reading the file. `--add` also links all but the last N records, adds those N at once, and tells the time and
//! accuracy of that.

#![expect(clippy::print_stdout, reason = "an example prints its measurement")]

use std::collections::HashMap;
use std::time::Instant;

use matching::linkage::{Linker, Model, Options, Records, Schema, layout, link, probability, settle_names};
use rayon::prelude::*;

/// As the product uses it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

struct File {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

fn read(path: &str) -> Result<File, Failure> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
    let header = reader.headers()?.iter().map(str::to_owned).collect();
    let rows = reader.records().collect::<Result<Vec<_>, _>>()?;
    Ok(File { header, rows })
}

fn pairs(sizes: impl Iterator<Item = usize>) -> u64 {
    sizes.map(|n| (n as u64) * (n as u64 - 1) / 2).sum()
}

/// Pairs of one party, pairs of one cluster, and pairs of both.
struct Accuracy {
    true_pairs: u64,
    found: u64,
    both: u64,
}

impl Accuracy {
    fn precision(&self) -> f64 {
        self.both as f64 / self.found as f64
    }

    fn recall(&self) -> f64 {
        self.both as f64 / self.true_pairs as f64
    }

    fn f1(&self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        2.0 * p * r / (p + r)
    }
}

fn accuracy<C: std::hash::Hash + Eq>(truths: &[String], cluster_of: impl Fn(usize) -> C) -> Accuracy {
    let mut by_truth: HashMap<&str, usize> = HashMap::new();
    let mut by_cluster: HashMap<C, usize> = HashMap::new();
    let mut both: HashMap<(&str, C), usize> = HashMap::new();
    for (at, truth) in truths.iter().enumerate() {
        *by_truth.entry(truth).or_default() += 1;
        *by_cluster.entry(cluster_of(at)).or_default() += 1;
        *both.entry((truth, cluster_of(at))).or_default() += 1;
    }
    Accuracy {
        true_pairs: pairs(by_truth.into_values()),
        found: pairs(by_cluster.into_values()),
        both: pairs(both.into_values()),
    }
}

fn main() -> Result<(), Failure> {
    let mut truth = None;
    let mut misses = 0usize;
    let mut json = false;
    let mut add = 0usize;
    let mut paths = Vec::new();
    let mut model_path = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--truth" => truth = args.next(),
            "--json" => json = true,
            "--add" => add = args.next().unwrap_or_default().parse()?,
            "--model" => model_path = args.next(),
            "--misses" => misses = args.next().unwrap_or_default().parse()?,
            _ => paths.push(arg),
        }
    }
    let started = Instant::now();
    let files = paths.iter().map(|p| read(p)).collect::<Result<Vec<_>, _>>()?;
    let first = files.first().ok_or("name a CSV file")?;
    let header: Vec<&str> = first
        .header
        .iter()
        .map(|h| if Some(h) == truth.as_ref() { "" } else { h.as_str() })
        .collect();
    let layout = layout(&header, &[])?;
    let read_s = started.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut records = Records::new(Schema::default());
    for (source, file) in files.iter().enumerate() {
        let columns: Vec<Vec<&str>> = layout
            .bindings
            .par_iter()
            .map(|b| {
                file.rows
                    .iter()
                    .map(|r| r.get(b.column).unwrap_or_default())
                    .collect()
            })
            .collect();
        if source == 0 {
            let schema = Schema {
                fields: layout.bindings.iter().map(|b| b.field.clone()).collect(),
            };
            let columns = &columns;
            records = Records::new(settle_names(schema, |f| {
                Box::new(columns[f].iter().copied().take(1000))
            }));
        }
        records.extend(source as u8, &columns);
    }
    let model = match model_path {
        Some(path) => Model::from_json(&std::fs::read_to_string(path)?)?,
        None => Model::shipped(records.schema()),
    };
    let options = Options {
        across_sources: files.len() > 1,
        ..Options::default()
    };
    let normalised_s = began.elapsed().as_secs_f64();
    let linked = link(&records, &model, &options)?;
    let match_s = began.elapsed().as_secs_f64();
    if !json {
        println!("{:#?}", linked.report);
        println!("read {read_s:.2} s, matched {match_s:.2} s, of that normalised {normalised_s:.2} s");
    }

    // Truth: a column, or the middle of a febrl record id.
    let name_of = |file: &File, row: &csv::StringRecord| -> String {
        if let Some(truth) = &truth {
            let at = file.header.iter().position(|h| h == truth);
            return at.and_then(|at| row.get(at)).unwrap_or_default().to_owned();
        }
        let id = layout.record_id.and_then(|at| row.get(at)).unwrap_or_default();
        id.split('-').nth(1).unwrap_or(id).to_owned()
    };
    let mut truths = Vec::new();
    for file in &files {
        truths.extend(file.rows.iter().map(|r| name_of(file, r)));
    }
    let scored = accuracy(&truths, |at| linked.clusters.cluster_of[at]);
    let (t, c, b, p, r) = (
        scored.true_pairs,
        scored.found,
        scored.both,
        scored.precision(),
        scored.recall(),
    );
    if json {
        let mut line = serde_json::json!({
            "records": records.len(), "pairs": linked.report.pairs, "true_pairs": t, "found_pairs": c, "both_pairs": b,
            "precision": p, "recall": r, "f1": scored.f1(), "read_seconds": read_s, "match_seconds": match_s,
        });
        if add > 0 {
            let schema = records.schema().clone();
            drop((linked, records));
            let columns = |from: usize, to: usize| -> Vec<Vec<&str>> {
                let rows = &files[0].rows[from..to];
                let of = |b: &matching::linkage::Binding| {
                    rows.iter().map(|r| r.get(b.column).unwrap_or_default()).collect()
                };
                layout.bindings.iter().map(of).collect()
            };
            let (first, all) = (files[0].rows.len().saturating_sub(add), files[0].rows.len());
            let mut known = Records::new(schema);
            known.extend(0, &columns(0, first));
            let mut linker = Linker::new(known, model)?;
            let new = columns(first, all);
            let began = Instant::now();
            let events = linker.add(0, &new);
            line["added"] = add.into();
            line["add_seconds"] = began.elapsed().as_secs_f64().into();
            line["add_events"] = events.len().into();
            line["add_f1"] = accuracy(&truths, |at| linker.entity(at as u32).unwrap_or_default())
                .f1()
                .into();
        }
        println!("{line}");
        return Ok(());
    }
    println!(
        "clusters: true {t} found {c} both {b}: precision {p:.5} recall {r:.5} F1 {:.5}",
        scored.f1()
    );
    let show = |at: u32| {
        let row: Vec<&str> = (0..records.schema().fields.len())
            .map(|f| records.text(at, f))
            .collect();
        format!("{:>6} {}", truths[at as usize], row.join(" | "))
    };
    let scorer = matching::linkage::Scorer::new(&model, &records);
    let explain = |a: u32, b: u32| {
        let levels: Vec<String> = scorer
            .explain(a, b)
            .iter()
            .map(|e| {
                format!(
                    "{}={}({:.1})",
                    model.comparisons[e.comparison].output_column_name,
                    e.level.as_str(),
                    e.weight
                )
            })
            .collect();
        levels.join(" ")
    };
    let mut left = misses;
    let mut by_truth: HashMap<&str, Vec<u32>> = HashMap::new();
    for (at, truth) in (0..).zip(&truths) {
        by_truth.entry(truth).or_default().push(at);
    }
    let mut groups: Vec<&Vec<u32>> = by_truth.values().collect();
    groups.sort();
    for group in groups {
        for (i, a) in group.iter().enumerate() {
            for b in &group[i + 1..] {
                if linked.clusters.cluster_of[*a as usize] != linked.clusters.cluster_of[*b as usize]
                    && left > 0
                {
                    left -= 1;
                    let edge = linked.edges.iter().find(|e| e.a == *a && e.b == *b);
                    println!(
                        "MISSED {:?}\n  {}\n  {}\n  {}",
                        edge.map(|e| e.weight),
                        show(*a),
                        show(*b),
                        explain(*a, *b)
                    );
                }
            }
        }
    }
    left = misses;
    for e in &linked.edges {
        let same = linked.clusters.cluster_of[e.a as usize] == linked.clusters.cluster_of[e.b as usize];
        if same && truths[e.a as usize] != truths[e.b as usize] && left > 0 {
            left -= 1;
            println!(
                "FALSE {:.4}\n  {}\n  {}\n  {}",
                probability(f64::from(e.weight)),
                show(e.a),
                show(e.b),
                explain(e.a, e.b)
            );
        }
    }
    Ok(())
}
