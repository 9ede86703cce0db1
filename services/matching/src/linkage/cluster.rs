//! Clusters: pairs over the threshold joined strongest first, never across a conflict.
//!
//! An edge joins two clusters unless something forbids that any two of their members are one: two valid codes, a
//! branch and its parent, a reviewer's "different". So a component with a conflict falls apart at its weakest
//! edges, and the result depends only on the set of edges, not on their order.

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::records::RecordNo;

/// A scored pair that may join clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The lower record number.
    pub a: RecordNo,
    pub b: RecordNo,
    /// log2 odds.
    pub weight: f32,
}

/// The weight of a reviewer's "same": over any evidence.
pub(crate) const SAME_WEIGHT: f32 = 1000.0;

/// What forbids joining.
#[derive(Debug, Default)]
pub struct Forbidden {
    /// For each attribute that a party has one of, the records' values; 0 is unknown.
    pub attributes: Vec<Vec<u32>>,
    /// Pairs that are surely of two parties.
    pub pairs: Vec<(RecordNo, RecordNo)>,
    /// Edges (the lower number first) that join nothing, although their records may come together by others.
    pub barred: HashSet<(RecordNo, RecordNo)>,
    /// For each record, a number of its content, by which edges of one weight are ordered, so that record numbers
    /// decide nothing but between records of one content. May be empty.
    pub order: Vec<u64>,
}

/// Clusters of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// For each record, the lowest record number of its cluster.
    pub cluster_of: Vec<RecordNo>,
    /// For each record, the probability that it belongs where it is: in a cluster, that of the weakest edge on
    /// the strongest path by which it hangs together with the rest; alone, that of the strongest edge that was
    /// refused, from one.
    pub confidence: Vec<f64>,
    /// Edges over the threshold that a conflict refused.
    pub refused: u64,
}

/// Joins clusters along edges of at least `least` weight. Edges below it only lower the confidence of records that
/// stay alone.
pub fn cluster(records: usize, edges: &mut [Edge], least: f64, forbidden: &Forbidden) -> Clusters {
    let content = |e: &Edge| {
        let of = |r: RecordNo| forbidden.order.get(r as usize).copied().unwrap_or_default();
        (of(e.a).min(of(e.b)), of(e.a).max(of(e.b)))
    };
    edges.par_sort_unstable_by(|x, y| {
        y.weight
            .total_cmp(&x.weight)
            .then_with(|| content(x).cmp(&content(y)))
            .then((x.a, x.b).cmp(&(y.a, y.b)))
    });
    let mut joining = Joining::new(records, forbidden);
    let mut confidence = vec![f64::NAN; records];
    let mut refused = 0;
    let certainty = |weight: f32| super::score::probability(f64::from(weight));
    for edge in edges.iter() {
        let (a, b) = (joining.find(edge.a), joining.find(edge.b));
        if f64::from(edge.weight) >= least && forbidden.barred.contains(&(edge.a, edge.b)) {
            refused += 1;
            continue;
        }
        let over = f64::from(edge.weight) >= least;
        if over && a != b {
            if joining.may_join(a, b) {
                joining.join(a, b);
            } else {
                refused += 1;
                continue;
            }
        }
        if over {
            // Strongest first: the first edge of a record is the strongest that holds it.
            for record in [edge.a, edge.b] {
                let known = &mut confidence[record as usize];
                if known.is_nan() {
                    *known = certainty(edge.weight);
                }
            }
        }
    }
    for edge in edges.iter() {
        for (own, other) in [(edge.a, edge.b), (edge.b, edge.a)] {
            if confidence[own as usize].is_nan() && joining.find(own) != joining.find(other) {
                confidence[own as usize] = 1.0 - certainty(edge.weight);
            }
        }
    }
    let cluster_of = joining.lowest_members();
    confidence
        .iter_mut()
        .filter(|c| c.is_nan())
        .for_each(|c| *c = 1.0);
    Clusters {
        cluster_of,
        confidence,
        refused,
    }
}

/// Union-find.
pub(crate) struct Union {
    parent: Vec<u32>,
    size: Vec<u32>,
}

impl Union {
    pub fn new(numbers: usize) -> Self {
        Self {
            parent: (0..numbers as u32).collect(),
            size: vec![1; numbers],
        }
    }

    pub fn find(&mut self, number: u32) -> u32 {
        let mut at = number;
        while self.parent[at as usize] != at {
            let up = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = up;
            at = up;
        }
        at
    }

    /// Joins the sets of two numbers; gives the root of both and the one that is a root no more.
    pub fn join(&mut self, a: u32, b: u32) -> (u32, u32) {
        let (a, b) = (self.find(a), self.find(b));
        let (into, from) = if self.size[a as usize] >= self.size[b as usize] {
            (a, b)
        } else {
            (b, a)
        };
        if into != from {
            self.parent[from as usize] = into;
            self.size[into as usize] += self.size[from as usize];
        }
        (into, from)
    }
}

/// Union-find that remembers what forbids joining.
struct Joining {
    union: Union,
    attributes: Vec<Vec<u32>>,
    enemies: HashMap<u32, Vec<u32>>,
}

impl Joining {
    fn new(records: usize, forbidden: &Forbidden) -> Self {
        let mut enemies: HashMap<u32, Vec<u32>> = HashMap::new();
        for (a, b) in &forbidden.pairs {
            enemies.entry(*a).or_default().push(*b);
            enemies.entry(*b).or_default().push(*a);
        }
        Self {
            union: Union::new(records),
            attributes: forbidden.attributes.clone(),
            enemies,
        }
    }

    fn find(&mut self, record: u32) -> u32 {
        self.union.find(record)
    }

    fn may_join(&mut self, a: u32, b: u32) -> bool {
        let differs = |values: &Vec<u32>| {
            let (x, y) = (values[a as usize], values[b as usize]);
            x != 0 && y != 0 && x != y
        };
        if self.attributes.iter().any(differs) {
            return false;
        }
        let count = |of: u32| self.enemies.get(&of).map_or(0, Vec::len);
        let (few, other) = if count(a) <= count(b) { (a, b) } else { (b, a) };
        let enemies = self.enemies.get(&few).cloned().unwrap_or_default();
        enemies.into_iter().all(|enemy| self.find(enemy) != other)
    }

    fn join(&mut self, a: u32, b: u32) {
        let (into, from) = self.union.join(a, b);
        for values in &mut self.attributes {
            if values[into as usize] == 0 {
                values[into as usize] = values[from as usize];
            }
        }
        if let Some(mut moved) = self.enemies.remove(&from) {
            self.enemies.entry(into).or_default().append(&mut moved);
        }
    }

    /// For each record, the lowest number in its cluster.
    fn lowest_members(&mut self) -> Vec<u32> {
        let records = self.union.parent.len() as u32;
        let mut lowest = vec![u32::MAX; records as usize];
        for record in 0..records {
            let root = self.find(record) as usize;
            lowest[root] = lowest[root].min(record);
        }
        (0..records)
            .map(|record| lowest[self.find(record) as usize])
            .collect()
    }
}
