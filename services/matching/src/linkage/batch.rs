//! Matching of whole files: block, score, cluster.

use rayon::prelude::*;
use serde::Serialize;

use super::blocking::{Blocks, RuleReport};
use super::bridges::Bridges;
use super::cluster::{Clusters, Edge, Forbidden};
use super::model::{Model, ModelError};
use super::persons::{Held, Hold, Persons};
use super::records::{RecordNo, Records};
use super::rules;
use super::schema::FieldKind;
use super::score::{Scorer, Screen, weight_of};
use super::values::MISSING;

/// How records are matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Only pairs of two sources: linking of files that have no duplicates inside.
    pub across_sources: bool,
    /// Pairs of at least this probability are given back, matching or not.
    pub pairs_from: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            across_sources: false,
            pairs_from: 0.5,
        }
    }
}

/// What matching found.
#[derive(Debug)]
pub struct Linked {
    pub clusters: Clusters,
    /// Scored pairs from [`Options::pairs_from`] or the threshold on, whichever is lower; strongest first.
    pub edges: Vec<Edge>,
    /// Pairs that would match but for a conflict.
    pub conflicts: Vec<(RecordNo, RecordNo)>,
    /// Edges over the threshold that join nothing by themselves, and why.
    pub held: Held,
    pub report: Report,
}

/// Counts of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub records: u64,
    pub rules: Vec<RuleReport>,
    /// Pairs compared, each once.
    pub pairs: u64,
    /// Pairs over the threshold.
    pub matches: u64,
    /// Matches that a conflict refused.
    pub refused: u64,
    /// Of these, pairs whose short name may be that of several firms.
    pub short_names: u64,
    /// Of these, pairs of persons with no number and no second field that agrees.
    pub names_alone: u64,
    pub clusters: u64,
}

impl Report {
    /// What a reader should know of the result, in Chinese and English.
    pub fn notices(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        if self.short_names > 0 {
            out.push((
                format!(
                    "{} 对因简称可指多家企业（字号相同而地区、行业或形式不同）而未合并；--pairs 列出各对及理由。",
                    self.short_names
                ),
                format!(
                    "{} pairs not joined: their short name may be that of several sister firms; --pairs lists them.",
                    self.short_names
                ),
            ));
        }
        if self.names_alone > 0 {
            out.push((
                format!(
                    "{} 对人员记录未合并：除姓名外须有证件号或另一项（电话、出生日期、地址、邮箱、单位、工号）一致。",
                    self.names_alone
                ),
                format!(
                    "{} pairs of persons not joined: beside the name an ID number or a second field (phone, birth date, address, e-mail, employer, staff number) must agree.",
                    self.names_alone
                ),
            ));
        }
        out
    }
}

/// Matches records by a model.
///
/// # Errors
/// When the model does not fit the records.
pub fn link(records: &Records, model: &Model, options: &Options) -> Result<Linked, ModelError> {
    model.check(records.schema())?;
    let rules = rules::compile(&model.blocking_rules_to_generate_predictions, records.schema())?;
    let blocks = Blocks::build(records, &rules, model.block_records_max, options.across_sources);
    Ok(link_blocks(records, model, blocks, options))
}

/// Scores and clusters what is blocked already. The blocks are gone before the clusters are formed.
pub(crate) fn link_blocks(records: &Records, model: &Model, blocks: Blocks, options: &Options) -> Linked {
    let scorer = Scorer::new(model, records);
    let threshold = weight_of(model.match_probability_threshold);
    let least = threshold.min(weight_of(options.pairs_from));
    let persons = Persons::new(model, records.schema());
    let enter = |block: &[u32], screen: &mut Screen| scorer.screen(block, screen);
    let (found, pairs) = blocks.for_each_pair(records, enter, |screen, block, at, others, out| {
        screen.retain(&scorer, at, others, least);
        for other in others.iter() {
            let (a, b) = (block[at], block[*other]);
            if let Some(score) = screen.score(&scorer, block, [at, *other], least) {
                let weight = score.weight as f32;
                let found = if score.conflict {
                    Found::Conflict
                } else if persons.may_join(score.pattern) {
                    Found::Edge
                } else {
                    Found::Held
                };
                out.push((Edge { a, b, weight }, found));
            }
        }
    });
    let rules = blocks.report.clone();
    drop(blocks);
    let mut forbidden = Forbidden {
        attributes: single_valued(records),
        ..Forbidden::default()
    };
    let mut held = Held::default();
    let mut conflicts = Vec::new();
    let mut edges = Vec::with_capacity(found.len());
    for (edge, found) in found {
        match found {
            Found::Conflict => {
                forbidden.pairs.push((edge.a, edge.b));
                conflicts.push((edge.a, edge.b));
                continue;
            }
            Found::Held if f64::from(edge.weight) >= threshold => {
                forbidden.barred.insert((edge.a, edge.b));
                held.add(edge.a, edge.b, Hold::Person);
            }
            Found::Edge | Found::Held => {}
        }
        edges.push(edge);
    }
    let names_alone = forbidden.barred.len() as u64;
    forbidden.order = contents(records, &edges);
    let bridges = Bridges::new(records, &scorer, threshold);
    let clusters = bridges.cluster(records.len(), &mut edges, &mut forbidden, |record| record);
    for (a, b) in &forbidden.barred {
        held.add(*a, *b, Hold::ShortName);
    }
    let matches = edges
        .iter()
        .take_while(|e| f64::from(e.weight) >= threshold)
        .count() as u64;
    let count = clusters
        .cluster_of
        .iter()
        .enumerate()
        .filter(|(at, of)| *at as u32 == **of)
        .count() as u64;
    let report = Report {
        records: records.len() as u64,
        rules,
        pairs,
        matches,
        refused: clusters.refused,
        short_names: forbidden.barred.len() as u64 - names_alone,
        names_alone,
        clusters: count,
    };
    Linked {
        clusters,
        edges,
        conflicts,
        held,
        report,
    }
}

/// What comparing a pair gave.
#[derive(Debug, Clone, Copy)]
enum Found {
    Edge,
    Conflict,
    /// Over what was asked for, but a person's name alone.
    Held,
}

/// For each record that an edge has, the number of its content; zero for the others.
fn contents(records: &Records, edges: &[Edge]) -> Vec<u64> {
    let mut in_edge = vec![false; records.len()];
    for edge in edges {
        in_edge[edge.a as usize] = true;
        in_edge[edge.b as usize] = true;
    }
    in_edge
        .par_iter()
        .with_min_len(1024)
        .enumerate()
        .map(|(record, in_edge)| {
            if *in_edge {
                records.content(record as RecordNo)
            } else {
                0
            }
        })
        .collect()
}

/// The values of which a party has one: valid codes.
pub(crate) fn single_valued(records: &Records) -> Vec<Vec<u32>> {
    let schema = records.schema();
    (0..schema.fields.len())
        .filter(|f| matches!(schema.fields[*f].kind, FieldKind::Uscc | FieldKind::IdNumber))
        .map(|field| {
            let values = records.values(field);
            (0..records.len() as u32)
                .into_par_iter()
                .with_min_len(1024)
                .map(|record| {
                    let number = records.row(record)[field];
                    if values.is_valid(number) { number } else { MISSING }
                })
                .collect()
        })
        .collect()
}
