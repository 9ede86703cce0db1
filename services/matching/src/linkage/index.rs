//! The blocking keys of records already linked, so that a new record finds those it must be compared with.
//!
//! A large sorted base by rule, filled once, and a small overlay for what came later. The same refinement as in
//! [`super::blocking`]: a key whose block is too large leads to its refined keys.

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::records::{RecordNo, Records};
use super::rules::{Keys, Part, Rule, mix};

/// Postings of blocking keys.
#[derive(Debug)]
pub(crate) struct Index {
    most: usize,
    /// By rule.
    base: Vec<Postings>,
    later: HashMap<u64, Vec<RecordNo>>,
    /// Keys whose blocks are refined.
    refined: HashSet<u64>,
}

/// The keys of one rule, sorted; `holders[i]` has the key `keys[i]`.
#[derive(Debug, Default)]
struct Postings {
    keys: Vec<u64>,
    holders: Vec<RecordNo>,
}

impl Postings {
    fn holders(&self, key: u64) -> &[RecordNo] {
        let start = self.keys.partition_point(|k| *k < key);
        let count = self.keys[start..].iter().take_while(|k| **k == key).count();
        &self.holders[start..][..count]
    }
}

impl Index {
    /// Indexes all records.
    pub fn build(records: &Records, rules: &[Rule], most: usize) -> Self {
        let most = most.max(2);
        let mut refined = HashSet::new();
        // One rule after the other, and each table of its very size: postings are large.
        let base = rules
            .iter()
            .enumerate()
            .map(|(number, rule)| {
                let mut entries = rule.entries(number, records).concat();
                entries.par_sort_unstable();
                let mut postings = Vec::with_capacity(entries.len());
                refine(records, &entries, &rule.refine, most, &mut refined, &mut postings);
                drop(entries);
                postings.par_sort_unstable();
                Postings {
                    keys: postings.iter().map(|(key, _)| *key).collect(),
                    holders: postings.iter().map(|(_, holder)| *holder).collect(),
                }
            })
            .collect();
        Self {
            most,
            base,
            later: HashMap::new(),
            refined,
        }
    }

    /// Adds a record and gives the earlier ones that share a key with it, ascending. Of a block that is too large
    /// and cannot be refined, only its newest `most` records are given.
    pub fn add(&mut self, records: &Records, rules: &[Rule], record: RecordNo) -> Vec<RecordNo> {
        let mut found = Vec::new();
        let mut keys = Keys::default();
        for (number, rule) in rules.iter().enumerate() {
            for key in rule.keys_of(number, records, record, &mut keys) {
                self.add_under(records, number, *key, &rule.refine, record, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn add_under(
        &mut self,
        records: &Records,
        rule: usize,
        key: u64,
        refine: &[Part],
        record: RecordNo,
        found: &mut Vec<RecordNo>,
    ) {
        if let Some((part, rest)) = refine.split_first()
            && self.refined.contains(&key)
        {
            let mut finer = Vec::new();
            part.refining_keys(records, records.row(record), &mut finer);
            for k in finer {
                self.add_under(records, rule, mix(key, k), rest, record, found);
            }
            return;
        }
        let members = self.members(rule, key);
        let skip = members.len().saturating_sub(self.most);
        found.extend(&members[skip..]);
        self.later.entry(key).or_default().push(record);
        if members.len() >= 2 * self.most
            && let Some((part, _)) = refine.split_first()
        {
            self.refined.insert(key);
            let mut finer = Vec::new();
            for member in members.into_iter().chain([record]) {
                part.refining_keys(records, records.row(member), &mut finer);
                for k in &finer {
                    self.later.entry(mix(key, *k)).or_default().push(member);
                }
            }
            self.later.remove(&key);
        }
    }

    fn members(&self, rule: usize, key: u64) -> Vec<RecordNo> {
        let mut out = self.base[rule].holders(key).to_vec();
        if let Some(later) = self.later.get(&key) {
            out.extend(later);
        }
        out
    }
}

fn refine(
    records: &Records,
    entries: &[(u64, u32)],
    parts: &[Part],
    most: usize,
    refined: &mut HashSet<u64>,
    postings: &mut Vec<(u64, u32)>,
) {
    for group in entries.chunk_by(|a, b| a.0 == b.0) {
        match parts.split_first() {
            Some((part, rest)) if group.len() > most => {
                refined.insert(group[0].0);
                let mut finer = Vec::with_capacity(group.len());
                let mut keys = Vec::new();
                for (key, record) in group {
                    part.refining_keys(records, records.row(*record), &mut keys);
                    finer.extend(keys.iter().map(|k| (mix(*key, *k), *record)));
                }
                finer.sort_unstable();
                finer.dedup();
                refine(records, &finer, rest, most, refined, postings);
            }
            _ => postings.extend_from_slice(group),
        }
    }
}
