//! Fitting a model's probabilities to records without labels.
//!
//! u is estimated from pairs drawn at random, each counted by the probability that it is no match. m and the prior
//! come from expectation maximisation over counts of patterns (Winkler, "Using the EM algorithm for weight
//! computation in the Fellegi-Sunter model of record linkage", 1988), with u held fixed and the model's own m as
//! a Dirichlet prior, so that a small file moves the model a little and a large one a lot. The pairs come from
//! blocking; a comparison is not trained on pairs that its own field brought together.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::batch::Options;
use super::blocking::Blocks;
use super::level::{LEVELS, Level, Pattern};
use super::model::{Model, ModelError};
use super::records::Records;
use super::rules;
use super::score::{Scorer, prior_weight, probability};

/// Random pairs drawn for u.
const RANDOM_PAIRS: u64 = 1_000_000;
/// Pairs' worth of trust in the model's u, per comparison.
const U_PRIOR_PAIRS: f64 = 1000.0;
/// Matches' worth of trust in the model's m.
const M_PRIOR_MATCHES: f64 = 200.0;
/// Most rounds of expectation maximisation.
const ROUNDS_MAX: usize = 25;
/// Change of any probability below which it stops.
const SETTLED: f64 = 1e-4;

/// The model with m, u and prior fitted to the records.
///
/// # Errors
/// When the model does not fit the records' schema.
pub fn train(records: &Records, model: &Model, options: &Options) -> Result<Model, ModelError> {
    model.check(records.schema())?;
    let mut fitted = model.clone();
    fit_u(records, &mut fitted);
    fit_m(records, &mut fitted, options)?;
    Ok(fitted)
}

/// Counts of patterns among random pairs: the same pairs for the same number of records.
fn random_patterns(records: &Records, scorer: &Scorer<'_>) -> BTreeMap<Pattern, f64> {
    let n = records.len() as u64;
    let all = n * n.saturating_sub(1) / 2;
    let draws = RANDOM_PAIRS.min(all);
    let patterns: Vec<Pattern> = (0..draws as u32)
        .into_par_iter()
        .with_min_len(1 << 14)
        .map(u64::from)
        .filter_map(|draw| {
            let (a, b) = if draws == all {
                nth_pair(draw)
            } else {
                drawn_pair(draw, n)
            };
            (a != b).then(|| scorer.pattern(a, b))
        })
        .collect();
    let mut counts = BTreeMap::new();
    for pattern in patterns {
        *counts.entry(pattern).or_insert(0.0) += 1.0;
    }
    counts
}

/// The pairs (0,1), (0,2), (1,2), (0,3), ... by number.
fn nth_pair(number: u64) -> (u32, u32) {
    let mut b = ((1.0 + (1.0 + 8.0 * number as f64).sqrt()) / 2.0) as u64;
    while b * (b - 1) / 2 > number {
        b -= 1;
    }
    while b * (b + 1) / 2 <= number {
        b += 1;
    }
    ((number - b * (b - 1) / 2) as u32, b as u32)
}

fn drawn_pair(draw: u64, n: u64) -> (u32, u32) {
    let a = splitmix(2 * draw) % n;
    let b = splitmix(2 * draw + 1) % n;
    (a.min(b) as u32, a.max(b) as u32)
}

/// Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014.
fn splitmix(seed: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn fit_u(records: &Records, model: &mut Model) {
    let scorer = Scorer::new(model, records);
    let counts = random_patterns(records, &scorer);
    let unmatched: Vec<(Pattern, f64)> = counts
        .iter()
        .map(|(pattern, n)| (*pattern, n * (1.0 - match_probability(model, records, *pattern))))
        .collect();
    for (at, comparison) in model.comparisons.iter_mut().enumerate() {
        let tally = tally(&unmatched, at);
        let stated: Vec<f64> = comparison
            .comparison_levels
            .iter()
            .map(|l| l.u_probability)
            .collect();
        let labels: Vec<Level> = comparison.comparison_levels.iter().map(|l| l.label).collect();
        let fitted = smoothed(&labels, &stated, &tally, U_PRIOR_PAIRS);
        for (level, u) in comparison.comparison_levels.iter_mut().zip(fitted) {
            level.u_probability = u;
        }
    }
}

fn fit_m(records: &Records, model: &mut Model, options: &Options) -> Result<(), ModelError> {
    let rules = rules::compile(&model.blocking_rules_to_generate_predictions, records.schema())?;
    let first = model.clone();
    // For each rule, the patterns of its pairs, and the comparisons its fields take no part in.
    let mut sessions = Vec::with_capacity(rules.len());
    for rule in &rules {
        let scorer = Scorer::new(model, records);
        let blocks = Blocks::build(
            records,
            std::slice::from_ref(rule),
            model.block_records_max,
            options.across_sources,
        );
        let (patterns, _) = blocks.for_each_pair(
            records,
            |_, ()| {},
            |(), block, at, others, out| {
                out.extend(
                    others
                        .iter()
                        .map(|other| scorer.pattern(block[at], block[*other])),
                );
            },
        );
        let mut counts: BTreeMap<Pattern, f64> = BTreeMap::new();
        for pattern in patterns {
            *counts.entry(pattern).or_insert(0.0) += 1.0;
        }
        let used = rule.fields();
        let free: Vec<usize> = (0..model.comparisons.len())
            .filter(|at| {
                let c = &model.comparisons[*at];
                let touches = |name: &String| records.schema().index(name).is_some_and(|f| used.contains(&f));
                !touches(&c.output_column_name) && !c.swapped_with.as_ref().is_some_and(touches)
            })
            .collect();
        sessions.push((counts, free));
    }
    for _ in 0..ROUNDS_MAX {
        let mut matched = vec![[0.0; LEVELS]; model.comparisons.len()];
        for (counts, free) in &sessions {
            let weighted: Vec<(Pattern, f64)> = counts
                .iter()
                .map(|(pattern, n)| (*pattern, n * match_probability(model, records, *pattern)))
                .collect();
            for at in free {
                for (sum, more) in matched[*at].iter_mut().zip(tally(&weighted, *at)) {
                    *sum += more;
                }
            }
        }
        let mut change: f64 = 0.0;
        for (at, comparison) in model.comparisons.iter_mut().enumerate() {
            let stated: Vec<f64> = first.comparisons[at]
                .comparison_levels
                .iter()
                .map(|l| l.m_probability)
                .collect();
            let labels: Vec<Level> = comparison.comparison_levels.iter().map(|l| l.label).collect();
            let fitted = smoothed(&labels, &stated, &matched[at], M_PRIOR_MATCHES);
            for (level, m) in comparison.comparison_levels.iter_mut().zip(fitted) {
                change = change.max((level.m_probability - m).abs());
                level.m_probability = m;
            }
        }
        if change < SETTLED {
            break;
        }
    }
    Ok(())
}

/// The probability of a match of a pattern, without frequencies of values.
fn match_probability(model: &Model, records: &Records, pattern: Pattern) -> f64 {
    let mut weight = prior_weight(model, records.len() as u64);
    for (at, comparison) in model.comparisons.iter().enumerate() {
        let level = pattern.get(at);
        if level == Level::Conflict {
            return 0.0;
        }
        if let Some(l) = comparison.comparison_levels.iter().find(|l| l.label == level) {
            weight += (l.m_probability / l.u_probability).log2();
        }
    }
    probability(weight)
}

/// Weights by level of one comparison.
fn tally(patterns: &[(Pattern, f64)], comparison: usize) -> [f64; LEVELS] {
    let mut out = [0.0; LEVELS];
    for (pattern, n) in patterns {
        out[pattern.get(comparison) as usize] += n;
    }
    out
}

/// Probabilities out of counts, with the stated ones as `trust` further observations. Levels that the model
/// leaves out are not counted.
fn smoothed(labels: &[Level], stated: &[f64], counts: &[f64; LEVELS], trust: f64) -> Vec<f64> {
    let all: f64 = stated.iter().sum();
    let seen: f64 = labels.iter().map(|l| counts[*l as usize]).sum();
    labels
        .iter()
        .zip(stated)
        .map(|(label, p)| ((counts[*label as usize] + trust * p / all) / (seen + trust)).clamp(1e-12, 1.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_numbered_without_gaps() {
        let pairs: Vec<(u32, u32)> = (0..6).map(nth_pair).collect();
        assert_eq!(pairs, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]);
        let (a, b) = nth_pair(499_999_499_999);
        assert!(a < b && b == 1_000_000 - 1, "{a} {b}");
    }

    #[test]
    fn counts_pull_the_stated_probabilities_as_far_as_they_weigh() {
        let mut counts = [0.0; LEVELS];
        counts[Level::Exact as usize] = 100.0;
        let fitted = smoothed(&[Level::Exact, Level::Different], &[0.5, 0.5], &counts, 100.0);
        assert!((fitted[0] - 0.75).abs() < 1e-12 && (fitted[1] - 0.25).abs() < 1e-12);
    }
}
