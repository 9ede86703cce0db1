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
    /// For each member of each block, in how many blocks before it is; `u16::MAX` stands for that many or more.
    earlier_counts: Vec<u16>,
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
        let (record_starts, record_blocks, earlier_counts) = invert(&starts, &members, records.len());
        Self {
            starts,
            members,
            record_starts,
            record_blocks,
            earlier_counts,
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

    /// For each member of a block, its blocks before this one.
    fn blocks_below(&self, block: usize) -> impl Iterator<Item = &[u32]> {
        let places = self.starts[block] as usize..self.starts[block + 1] as usize;
        let counts = &self.earlier_counts[places.clone()];
        self.members[places]
            .iter()
            .zip(counts)
            .map(move |(record, count)| {
                let start = self.record_starts[*record as usize] as usize;
                if *count < u16::MAX {
                    return &self.record_blocks[start..][..usize::from(*count)];
                }
                let end = self.record_starts[*record as usize + 1] as usize;
                let blocks = &self.record_blocks[start..end];
                &blocks[..blocks.partition_point(|b| (*b as usize) < block)]
            })
    }

    /// Calls `each` with every pair once, and collects what it gives, in an order that does not depend on threads. Before
    /// the pairs of a block `enter` may load what `each` needs of its members. Pairs come by their first record: `each`
    /// gets its place in the block and the places of the others, all behind it. The second result is the number of
    /// pairs.
    pub fn for_each_pair<S: Default, T: Send>(
        &self,
        records: &Records,
        enter: impl Fn(&[u32], &mut S) + Sync,
        each: impl Fn(&mut S, &[u32], usize, &mut Vec<usize>, &mut Vec<T>) + Sync,
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
                let mut others = Vec::new();
                for number in task * BLOCKS_A_TASK..((task + 1) * BLOCKS_A_TASK).min(self.len()) {
                    let block = self.block(number);
                    earlier.load(self, number);
                    let mut entered = false;
                    for (at, a) in block.iter().enumerate() {
                        others.clear();
                        earlier.not_brought_together(at, &mut others);
                        if self.across_sources {
                            others.retain(|place| records.source(*a) != records.source(block[*place]));
                        }
                        if others.is_empty() {
                            continue;
                        }
                        if !entered {
                            enter(block, &mut loaded);
                            entered = true;
                        }
                        pairs += others.len() as u64;
                        each(&mut loaded, block, at, &mut others, &mut out);
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
        let entries = sorted_with_shared_keys(entries);
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

/// The entries whose key another has too, and a few more, sorted: keys that stand alone, most of all, need no sorting.
/// Two bits for each class of keys tell whether it was seen, and seen again. Keys are hashes, so that their first bits
/// divide the entries evenly into parts that are sorted in the nearest cache.
fn sorted_with_shared_keys(entries: Vec<Vec<(u64, u32)>>) -> Vec<(u64, u32)> {
    const PART_BITS: u32 = 9;
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
    drop(seen);
    let shared = |entry: &&(u64, u32)| {
        let (word, bit) = place(entry.0);
        again[word] & bit != 0
    };
    let part = |key: u64| (key >> (u64::BITS - PART_BITS)) as usize;
    let mut sizes = [0; 1 << PART_BITS];
    for (key, _) in entries.iter().flatten().filter(shared) {
        sizes[part(*key)] += 1;
    }
    let mut next = [0; 1 << PART_BITS];
    let mut before = 0;
    for (next, size) in next.iter_mut().zip(sizes) {
        *next = before;
        before += size;
    }
    let mut sorted = vec![(0, 0); before];
    for entry in entries.iter().flatten().filter(shared) {
        let next = &mut next[part(entry.0)];
        sorted[*next] = *entry;
        *next += 1;
    }
    drop(entries);
    let mut parts = Vec::with_capacity(sizes.len());
    let mut rest = sorted.as_mut_slice();
    for size in sizes {
        let (part, behind) = rest.split_at_mut(size);
        parts.push(part);
        rest = behind;
    }
    parts
        .into_par_iter()
        .with_min_len(16)
        .for_each(<[(u64, u32)]>::sort_unstable);
    sorted
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
        self.lists.extend(blocks.blocks_below(number));
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

    /// Adds the places behind one that no earlier block brought together with it.
    fn not_brought_together(&self, at: usize, others: &mut Vec<usize>) {
        let members = self.lists.len();
        if let Some(places) = self.shared.get(at) {
            let behind = u64::MAX.checked_shl(at as u32 + 1).unwrap_or(0) & u64::MAX >> (64 - members);
            let mut left = behind & !places;
            while left != 0 {
                others.push(left.trailing_zeros() as usize);
                left &= left - 1;
            }
            return;
        }
        let own = self.lists[at];
        others.extend((at + 1..members).filter(|place| !meet(own, self.lists[*place])));
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

/// For each record, where its blocks begin, and the blocks, ascending; and for each member of each block, in how many
/// blocks before it is.
fn invert(starts: &[u32], members: &[u32], records: usize) -> (Vec<u32>, Vec<u32>, Vec<u16>) {
    let mut record_starts = vec![0u32; records + 1];
    for m in members {
        record_starts[*m as usize + 1] += 1;
    }
    for at in 0..records {
        record_starts[at + 1] += record_starts[at];
    }
    let mut done = vec![0u32; records];
    let mut record_blocks = vec![0u32; members.len()];
    let mut earlier_counts = Vec::with_capacity(members.len());
    for block in 0..starts.len() - 1 {
        for m in &members[starts[block] as usize..starts[block + 1] as usize] {
            let done = &mut done[*m as usize];
            record_blocks[(record_starts[*m as usize] + *done) as usize] = block as u32;
            earlier_counts.push(u16::try_from(*done).unwrap_or(u16::MAX));
            *done += 1;
        }
    }
    (record_starts, record_blocks, earlier_counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_share_a_key_are_all_there_and_sorted() {
        let key = |n: u64| mix(7, n);
        // Every third key stands alone.
        let entries: Vec<(u64, u32)> = (0..3000u32)
            .map(|n| {
                let of = if n.is_multiple_of(3) { n } else { n / 9 * 9 + 1 };
                (key(u64::from(of)), n)
            })
            .collect();
        let mut want: Vec<(u64, u32)> = entries
            .iter()
            .copied()
            .filter(|e| !e.1.is_multiple_of(3))
            .collect();
        want.sort_unstable();
        let found = sorted_with_shared_keys(entries.chunks(700).map(<[(u64, u32)]>::to_vec).collect());
        assert!(found.is_sorted());
        assert!(found.len() < entries.len());
        let shared = |e: &&(u64, u32)| !e.1.is_multiple_of(3);
        assert_eq!(found.iter().filter(shared).copied().collect::<Vec<_>>(), want);
        assert!(sorted_with_shared_keys(Vec::new()).is_empty());
    }

    #[test]
    fn blocks_before_are_those_of_the_record() {
        let (starts, members) = ([0, 2, 5, 7], [0, 1, 0, 1, 2, 1, 2]);
        let (record_starts, record_blocks, earlier_counts) = invert(&starts, &members, 3);
        assert_eq!(record_starts, [0, 2, 5, 7]);
        assert_eq!(record_blocks, [0, 1, 0, 1, 2, 1, 2]);
        assert_eq!(earlier_counts, [0, 0, 1, 1, 0, 2, 1]);
        let mut blocks = Blocks {
            starts: starts.to_vec(),
            members: members.to_vec(),
            record_starts,
            record_blocks,
            earlier_counts,
            across_sources: false,
            report: Vec::new(),
        };
        let below = |blocks: &Blocks| -> Vec<Vec<u32>> {
            (0..3)
                .flat_map(|block| {
                    blocks
                        .blocks_below(block)
                        .map(<[u32]>::to_vec)
                        .collect::<Vec<_>>()
                })
                .collect()
        };
        let want = below(&blocks);
        assert_eq!(want[5], [0, 1]);
        // Counts that are too large to be kept are found.
        blocks.earlier_counts.fill(u16::MAX);
        assert_eq!(below(&blocks), want);
    }
}
