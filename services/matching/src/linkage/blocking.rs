//! Blocking: which pairs are compared at all.
//!
//! Records that share a key of a rule form a block. A block of more than the model's `block_records_max` records is
//! refined by the rule's further keys; when those are used up, it is sorted by its records' text and cut into
//! overlapping runs. What is not compared for that reason is counted and reported. Blocks are numbered by rule,
//! then key; a pair is emitted by the lowest block that both records are in, which a merge of two short sorted
//! lists tells, without a set of pairs.

use rayon::prelude::*;
use serde::Serialize;

use super::records::Records;
use super::rules::{Part, Rule, mix};

/// What one rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleReport {
    /// The rule's keys.
    pub rule: String,
    /// Records that have a key.
    pub records: u64,
    /// Blocks of two records or more, after refining.
    pub blocks: u64,
    /// Pairs of records in a block together; one pair may count under several rules.
    pub pairs: u64,
    /// Blocks that were refined by further keys.
    pub refined: u64,
    /// Blocks that stayed too large and were cut into runs of neighbours.
    pub capped: u64,
    /// Pairs that share the rule's keys and are compared under this rule no more, because of refining and cutting.
    /// Another rule may still compare them.
    pub pairs_set_aside: u64,
    /// Records of the largest block before refining.
    pub largest: u64,
}

/// Blocks over records.
#[derive(Debug)]
pub struct Blocks {
    /// Where each block's members begin; one more than there are blocks.
    starts: Vec<u32>,
    members: Vec<u32>,
    /// For each record, where its blocks begin.
    record_starts: Vec<u32>,
    record_blocks: Vec<u32>,
    /// Only pairs of two sources.
    across_sources: bool,
    pub report: Vec<RuleReport>,
}

/// Blocks under construction for one rule.
struct Building<'a> {
    records: &'a Records,
    most: usize,
    across_sources: bool,
    starts: Vec<u32>,
    members: Vec<u32>,
    report: RuleReport,
}

/// All pairs of a block of `n`.
pub(crate) fn pairs_of(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

impl Blocks {
    /// Blocks of all records. `across_sources`: pairs within one source are not wanted.
    pub(crate) fn build(records: &Records, rules: &[Rule], most: usize, across_sources: bool) -> Self {
        let built: Vec<Building<'_>> = rules
            .par_iter()
            .enumerate()
            .with_max_len(1)
            .map(|(number, rule)| {
                let mut building = Building {
                    records,
                    most: most.max(2),
                    across_sources,
                    starts: Vec::new(),
                    members: Vec::new(),
                    report: RuleReport {
                        rule: rule.text.clone(),
                        records: 0,
                        blocks: 0,
                        pairs: 0,
                        refined: 0,
                        capped: 0,
                        pairs_set_aside: 0,
                        largest: 0,
                    },
                };
                building.build(rule.entries(number, records), rule);
                building
            })
            .collect();
        let mut starts = vec![0u32];
        let mut members: Vec<u32> = Vec::with_capacity(built.iter().map(|b| b.members.len()).sum());
        let mut report = Vec::new();
        for building in built {
            let before = members.len() as u32;
            starts.extend(building.starts.iter().map(|s| s + before));
            members.extend_from_slice(&building.members);
            report.push(building.report);
        }
        let (record_starts, record_blocks) = invert(&starts, &members, records.len());
        Self {
            starts,
            members,
            record_starts,
            record_blocks,
            across_sources,
            report,
        }
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn block(&self, number: usize) -> &[u32] {
        &self.members[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    /// The record's blocks before one that it is in.
    fn blocks_below(&self, record: u32, block: usize) -> &[u32] {
        let at = record as usize;
        let blocks =
            &self.record_blocks[self.record_starts[at] as usize..self.record_starts[at + 1] as usize];
        let below = blocks.iter().take_while(|b| (**b as usize) < block).count();
        &blocks[..below]
    }

    /// Calls `each` with every pair (lower number first) once, and collects what it gives, in an order that does
    /// not depend on threads. Before the pairs of a block `enter` may load what `each` needs of its members; pairs
    /// come with their two places in the block. The second result is the number of pairs.
    pub fn for_each_pair<S: Default, T: Send>(
        &self,
        records: &Records,
        enter: impl Fn(&[u32], &mut S) + Sync,
        each: impl Fn(&S, [usize; 2], u32, u32) -> Option<T> + Sync,
    ) -> (Vec<T>, u64) {
        const BLOCKS_A_TASK: usize = 2048;
        let tasks = self.len().div_ceil(BLOCKS_A_TASK);
        let parts: Vec<(Vec<T>, u64)> = (0..tasks)
            .into_par_iter()
            .map(|task| {
                let mut out = Vec::new();
                let mut pairs = 0;
                let mut earlier = Earlier::default();
                let mut loaded = S::default();
                for number in task * BLOCKS_A_TASK..((task + 1) * BLOCKS_A_TASK).min(self.len()) {
                    let block = self.block(number);
                    earlier.load(self, number);
                    let mut entered = false;
                    for (at, a) in block.iter().enumerate() {
                        for (place, b) in block.iter().enumerate().skip(at + 1) {
                            if self.across_sources && records.source(*a) == records.source(*b) {
                                continue;
                            }
                            if earlier.brought_together(at, place) {
                                continue;
                            }
                            if !entered {
                                enter(block, &mut loaded);
                                entered = true;
                            }
                            pairs += 1;
                            out.extend(each(&loaded, [at, place], *a, *b));
                        }
                    }
                }
                (out, pairs)
            })
            .collect();
        let pairs = parts.iter().map(|p| p.1).sum();
        let mut all = Vec::with_capacity(parts.iter().map(|p| p.0.len()).sum());
        parts.into_iter().for_each(|p| all.extend(p.0));
        (all, pairs)
    }
}

impl Building<'_> {
    fn build(&mut self, entries: Vec<Vec<(u64, u32)>>, rule: &Rule) {
        self.report.records = entries.iter().map(|part| part.len() as u64).sum();
        self.report.largest = self.report.records.min(1);
        let mut entries = with_shared_keys(entries);
        entries.par_sort_unstable();
        for group in entries.chunk_by(|a, b| a.0 == b.0) {
            self.report.largest = self.report.largest.max(group.len() as u64);
            let before = self.report.pairs;
            self.add(group, &rule.refine);
            let kept = self.report.pairs - before;
            // Runs and exploded keys overlap, so that this may undercount what is set aside.
            if group.len() > self.most {
                self.report.pairs_set_aside += pairs_of(group.len() as u64).saturating_sub(kept);
            }
        }
    }

    fn add(&mut self, group: &[(u64, u32)], refine: &[Part]) {
        let n = group.len();
        if n < 2 || self.across_sources && self.one_source(group) {
            return;
        }
        if n <= self.most {
            self.push(group.iter().map(|e| e.1));
            self.report.pairs += pairs_of(n as u64);
            return;
        }
        match refine.split_first() {
            Some((part, rest)) => {
                self.report.refined += 1;
                let mut finer: Vec<(u64, u32)> = Vec::with_capacity(n);
                let mut keys = Vec::new();
                for (key, record) in group {
                    part.refining_keys(self.records, self.records.row(*record), &mut keys);
                    finer.extend(keys.iter().map(|k| (mix(*key, *k), *record)));
                }
                finer.sort_unstable();
                finer.dedup();
                for group in finer.chunk_by(|a, b| a.0 == b.0) {
                    self.add(group, rest);
                }
            }
            None => {
                self.report.capped += 1;
                self.cut(group);
            }
        }
    }

    /// Runs of neighbours in the order of their whole text, each overlapping the next by half.
    fn cut(&mut self, group: &[(u64, u32)]) {
        let fields = self.records.schema().fields.len();
        let mut sorted: Vec<u32> = group.iter().map(|e| e.1).collect();
        let compare = |a: &u32, b: &u32| {
            (0..fields)
                .map(|f| self.records.text(*a, f).cmp(self.records.text(*b, f)))
                .find(|o| o.is_ne())
                .unwrap_or_else(|| a.cmp(b))
        };
        sorted.sort_unstable_by(compare);
        let step = (self.most / 2).max(1);
        let mut at = 0;
        while at + step < sorted.len() || at == 0 {
            let run = &sorted[at..(at + self.most).min(sorted.len())];
            let mut run = run.to_vec();
            run.sort_unstable();
            self.report.pairs += pairs_of(run.len() as u64);
            self.push(run.into_iter());
            at += step;
        }
    }

    fn push(&mut self, records: impl Iterator<Item = u32>) {
        self.members.extend(records);
        self.starts.push(self.members.len() as u32);
        self.report.blocks += 1;
    }

    fn one_source(&self, group: &[(u64, u32)]) -> bool {
        let first = self.records.source(group[0].1);
        group.iter().all(|e| self.records.source(e.1) == first)
    }
}

/// The entries whose key another has too, and a few more: keys that stand alone, most of all, need no sorting. Two
/// bits for each class of keys tell whether it was seen, and seen again.
fn with_shared_keys(entries: Vec<Vec<(u64, u32)>>) -> Vec<(u64, u32)> {
    let count: usize = entries.iter().map(Vec::len).sum();
    let classes = (8 * count).next_power_of_two().max(64);
    let place = |key: u64| {
        let class = key as usize % classes;
        (class / 64, 1u64 << (class % 64))
    };
    let (mut seen, mut again) = (vec![0u64; classes / 64], vec![0u64; classes / 64]);
    for (key, _) in entries.iter().flatten() {
        let (word, bit) = place(*key);
        again[word] |= seen[word] & bit;
        seen[word] |= bit;
    }
    let shared = |entry: &(u64, u32)| {
        let (word, bit) = place(entry.0);
        again[word] & bit != 0
    };
    entries.into_iter().flatten().filter(shared).collect()
}

/// The blocks before a block that its members are in.
#[derive(Default)]
struct Earlier<'b> {
    /// By place in the block, ascending.
    lists: Vec<&'b [u32]>,
    /// (earlier block, place) of all members.
    entries: Vec<(u32, u32)>,
    /// By place, a bit for each place with which it shares an earlier block; empty when lists are to be compared.
    shared: Vec<u64>,
}

impl<'b> Earlier<'b> {
    fn load(&mut self, blocks: &'b Blocks, number: usize) {
        let block = blocks.block(number);
        self.lists.clear();
        self.lists
            .extend(block.iter().map(|member| blocks.blocks_below(*member, number)));
        self.shared.clear();
        // A few lists are faster compared than sorted.
        if !(6..=64).contains(&block.len()) {
            return;
        }
        self.entries.clear();
        for (place, list) in (0..).zip(&self.lists) {
            self.entries.extend(list.iter().map(|block| (*block, place)));
        }
        self.entries.sort_unstable();
        self.shared.resize(block.len(), 0);
        for group in self.entries.chunk_by(|a, b| a.0 == b.0) {
            let places = group.iter().fold(0, |places, (_, place)| places | 1 << place);
            for (_, place) in group {
                self.shared[*place as usize] |= places;
            }
        }
    }

    fn brought_together(&self, a: usize, b: usize) -> bool {
        match self.shared.get(a) {
            Some(places) => places >> b & 1 == 1,
            None => meet(self.lists[a], self.lists[b]),
        }
    }
}

/// Whether two ascending lists share a number. Which list goes on is no branch: nothing could foretell it.
#[inline]
fn meet(a: &[u32], b: &[u32]) -> bool {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x == y {
            return true;
        }
        i += usize::from(x < y);
        j += usize::from(y < x);
    }
    false
}

/// For each record its blocks, ascending.
fn invert(starts: &[u32], members: &[u32], records: usize) -> (Vec<u32>, Vec<u32>) {
    let mut record_starts = vec![0u32; records + 1];
    for m in members {
        record_starts[*m as usize + 1] += 1;
    }
    for at in 0..records {
        record_starts[at + 1] += record_starts[at];
    }
    let mut next = record_starts.clone();
    let mut record_blocks = vec![0u32; members.len()];
    for block in 0..starts.len() - 1 {
        for m in &members[starts[block] as usize..starts[block + 1] as usize] {
            let at = &mut next[*m as usize];
            record_blocks[*at as usize] = block as u32;
            *at += 1;
        }
    }
    (record_starts, record_blocks)
}
