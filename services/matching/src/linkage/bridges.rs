//! Short names between sister firms: which pairs may not join although their score would do.
//!
//! 康瑞医药 resembles 杭州康瑞医药有限公司 and 宁波康瑞医药有限公司 alike, and the two are for certain not one. A pair's
//! score knows nothing of that, so it is looked at here, with the clusters:
//!
//! 1. For each *bridge* (a record whose name leaves region or legal form out, or is missing) the records it resembles
//!    are scored with each other. Where two of them are [apart](Bridges::apart), the bridge stays with the one that
//!    resembles it more by [`MARGIN`], and with none when neither does.
//! 2. Clusters that hold a bridge are looked through pair by pair; pairs that are apart are forbidden, and the
//!    components they lie in clustered again, which cuts at their weakest edges. Until no pair is found.
//!
//! Both work on sets of edges, so that the order of records decides nothing. Work is bounded by blocks and clusters:
//! names are compared first, and scores stop as soon as they cannot reach the bound.

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::cluster::{Clusters, Edge, Forbidden, SAME_WEIGHT, Union, cluster};
use super::records::{RecordNo, Records};
use super::schema::FieldKind;
use super::score::{Scorer, weight_of};
use super::values::MISSING;
use crate::org::{OrgForm, are_sisters};

/// Two records whose names are those of sister firms, and that score below this probability, are two parties.
pub const APART_PROBABILITY_MAX: f64 = 0.1;

/// By how much (log2 odds: sixteen times the odds) a short form must resemble one of several firms more than the others.
pub const MARGIN: f64 = 4.0;

/// Looks for bridges. Edges and clusters may be of some of the records only, under numbers of their own.
pub(crate) struct Bridges<'r> {
    records: &'r Records,
    scorer: &'r Scorer<'r>,
    /// The field with organisations' names.
    name: Option<usize>,
    threshold: f64,
}

impl<'r> Bridges<'r> {
    pub fn new(records: &'r Records, scorer: &'r Scorer<'r>, threshold: f64) -> Self {
        let name = records.schema().of_kind(FieldKind::OrgName);
        Self {
            records,
            scorer,
            name,
            threshold,
        }
    }

    /// Clusters as [`cluster`] does, over no pair that is apart. Edges that a bridge refuses are added to
    /// `forbidden.barred`. `record_of` gives the record of a number in edges.
    pub fn cluster(
        &self,
        numbers: usize,
        edges: &mut [Edge],
        forbidden: &mut Forbidden,
        record_of: impl Fn(u32) -> RecordNo + Sync,
    ) -> Clusters {
        let Some(name) = self.name else {
            return cluster(numbers, edges, self.threshold, forbidden);
        };
        let refused = self.refused(name, edges, forbidden, &record_of);
        forbidden.barred.extend(refused);
        let mut clusters = cluster(numbers, edges, self.threshold, forbidden);
        // Records that a reviewer holds together are left as they are.
        let judged: HashSet<u32> = edges
            .iter()
            .take_while(|e| e.weight >= SAME_WEIGHT)
            .map(|e| clusters.cluster_of[e.a as usize])
            .collect();
        let mut components = None;
        loop {
            let found = self.pairs_apart(name, &clusters, &judged, &record_of);
            if found.is_empty() {
                if components.is_some() {
                    let parted =
                        |e: &&Edge| clusters.cluster_of[e.a as usize] != clusters.cluster_of[e.b as usize];
                    let over = edges.iter().take_while(|e| f64::from(e.weight) >= self.threshold);
                    clusters.refused = over.filter(parted).count() as u64;
                }
                return clusters;
            }
            let components = components.get_or_insert_with(|| self.components(numbers, edges));
            let again: HashSet<u32> = found.iter().map(|(a, _)| components[*a as usize]).collect();
            let touched = |number: u32| again.contains(&components[number as usize]);
            let mut some: Vec<Edge> = edges
                .iter()
                .copied()
                .filter(|e| touched(e.a) || touched(e.b))
                .collect();
            forbidden.pairs.extend(found);
            let formed = cluster(numbers, &mut some, self.threshold, forbidden);
            for number in (0..numbers as u32).filter(|n| touched(*n)) {
                clusters.cluster_of[number as usize] = formed.cluster_of[number as usize];
                clusters.confidence[number as usize] = formed.confidence[number as usize];
            }
        }
    }

    /// Whether two records are clearly of two parties: their names are those of sister firms, and nothing else brings
    /// them near.
    fn apart(&self, name: usize, a: RecordNo, b: RecordNo) -> bool {
        let values = self.records.values(name);
        let (x, y) = (self.records.row(a)[name], self.records.row(b)[name]);
        if x == y || x == MISSING || y == MISSING {
            return false;
        }
        let (x, y) = (values.org(x), values.org(y));
        x.loose_hash() != y.loose_hash()
            && are_sisters(x, y)
            && self
                .scorer
                .score(a, b, weight_of(APART_PROBABILITY_MAX))
                .is_none_or(|score| score.conflict)
    }

    /// Whether the record's name leaves out what tells sister firms apart.
    fn is_bridge(&self, name: usize, record: RecordNo) -> bool {
        let number = self.records.row(record)[name];
        if number == MISSING {
            return true;
        }
        let name = self.records.values(name).org(number);
        name.region.is_none() || name.form == OrgForm::Unsaid
    }

    /// Whether an edge leads to another name than the bridge's own.
    fn leads_away(&self, name: usize, bridge: RecordNo, other: RecordNo) -> bool {
        let (x, y) = (self.records.row(bridge)[name], self.records.row(other)[name]);
        let values = self.records.values(name);
        y != MISSING && x != y && (x == MISSING || values.org(x).loose_hash() != values.org(y).loose_hash())
    }

    /// The edges that bridges refuse, the lower number first.
    fn refused(
        &self,
        name: usize,
        edges: &[Edge],
        forbidden: &Forbidden,
        record_of: &(impl Fn(u32) -> RecordNo + Sync),
    ) -> Vec<(u32, u32)> {
        let over =
            |e: &&Edge| f64::from(e.weight) >= self.threshold && !forbidden.barred.contains(&(e.a, e.b));
        // What a reviewer holds to be one.
        let judged: HashSet<(u32, u32)> = edges
            .iter()
            .filter(|e| e.weight >= SAME_WEIGHT)
            .map(|e| ordered(e.a, e.b))
            .collect();
        // (bridge, other, weight)
        let mut ways: Vec<(u32, u32, f32)> = edges
            .par_iter()
            .with_min_len(1024)
            .filter(over)
            .flat_map_iter(|e| [(e.a, e.b, e.weight), (e.b, e.a, e.weight)])
            .filter(|(bridge, other, _)| {
                let (bridge, other) = (record_of(*bridge), record_of(*other));
                self.is_bridge(name, bridge) && self.leads_away(name, bridge, other)
            })
            .collect();
        ways.par_sort_unstable_by_key(|(bridge, other, _)| (*bridge, *other));
        let groups: Vec<&[(u32, u32, f32)]> = ways
            .chunk_by(|x, y| x.0 == y.0)
            .filter(|group| group.len() > 1)
            .collect();
        let mut refused: Vec<(u32, u32)> = groups
            .par_iter()
            .flat_map_iter(|group| {
                let others = self.refused_of(name, group, &judged, record_of);
                others.into_iter().map(|other| (group[0].0, other))
            })
            .collect();
        drop(ways);
        if refused.is_empty() {
            return refused;
        }
        // A bridge must not come by way of its neighbour to what it refuses.
        let mut of: HashMap<u32, HashSet<u32>> = HashMap::new();
        for (bridge, other) in &refused {
            of.entry(*bridge).or_default().insert(*other);
        }
        let direct: HashSet<(u32, u32)> = refused.iter().map(|(a, b)| ordered(*a, *b)).collect();
        let mut holds: HashMap<u32, Vec<u32>> = HashMap::new();
        for e in edges.iter().filter(over) {
            if !direct.contains(&ordered(e.a, e.b)) {
                for (own, other) in [(e.a, e.b), (e.b, e.a)] {
                    holds.entry(own).or_default().push(other);
                }
            }
        }
        for (bridge, others) in &of {
            for near in holds.get(bridge).into_iter().flatten() {
                let held = holds.get(near).into_iter().flatten();
                if held.into_iter().any(|far| others.contains(far)) {
                    refused.push((*bridge, *near));
                }
            }
        }
        let mut refused: Vec<(u32, u32)> = refused.into_iter().map(|(a, b)| ordered(a, b)).collect();
        refused.retain(|pair| !judged.contains(pair));
        refused.sort_unstable();
        refused.dedup();
        refused
    }

    /// Of the ways that lead away from one bridge, the ends that it refuses.
    fn refused_of(
        &self,
        name: usize,
        ways: &[(u32, u32, f32)],
        judged: &HashSet<(u32, u32)>,
        record_of: &(impl Fn(u32) -> RecordNo + Sync),
    ) -> Vec<u32> {
        let mut rivals: Vec<Vec<usize>> = vec![Vec::new(); ways.len()];
        for (i, (_, a, _)) in ways.iter().enumerate() {
            for (j, (_, b, _)) in ways.iter().enumerate().skip(i + 1) {
                if !judged.contains(&ordered(*a, *b)) && self.apart(name, record_of(*a), record_of(*b)) {
                    rivals[i].push(j);
                    rivals[j].push(i);
                }
            }
        }
        let strongest = |i: &usize| {
            let behind = |j: &usize| f64::from(ways[*j].2) + MARGIN <= f64::from(ways[*i].2);
            !rivals[*i].is_empty() && rivals[*i].iter().all(behind)
        };
        let chosen: Vec<usize> = (0..ways.len()).filter(strongest).collect();
        (0..ways.len())
            .filter(|i| {
                let loses = || rivals[*i].iter().any(|j| chosen.contains(j));
                !rivals[*i].is_empty() && !chosen.contains(i) && (chosen.is_empty() || loses())
            })
            .map(|i| ways[i].1)
            .collect()
    }

    /// Pairs inside clusters that are apart, of clusters that hold a bridge.
    fn pairs_apart(
        &self,
        name: usize,
        clusters: &Clusters,
        judged: &HashSet<u32>,
        record_of: &(impl Fn(u32) -> RecordNo + Sync),
    ) -> Vec<(u32, u32)> {
        let cluster_of = &clusters.cluster_of;
        let mut sizes = vec![0u8; cluster_of.len()];
        for lowest in cluster_of {
            let size = &mut sizes[*lowest as usize];
            *size = size.saturating_add(1);
        }
        let mut members: Vec<(u32, u32)> = (0..cluster_of.len() as u32)
            .into_par_iter()
            .with_min_len(1024)
            .map(|number| (cluster_of[number as usize], number))
            .filter(|(lowest, _)| sizes[*lowest as usize] > 2 && !judged.contains(lowest))
            .collect();
        drop(sizes);
        members.par_sort_unstable();
        let groups: Vec<&[(u32, u32)]> = members.chunk_by(|x, y| x.0 == y.0).collect();
        groups
            .par_iter()
            .with_min_len(64)
            .filter(|group| group.iter().any(|(_, n)| self.is_bridge(name, record_of(*n))))
            .flat_map_iter(|group| {
                let mut found = Vec::new();
                for (i, (_, a)) in group.iter().enumerate() {
                    for (_, b) in &group[i + 1..] {
                        if self.apart(name, record_of(*a), record_of(*b)) {
                            found.push((*a, *b));
                        }
                    }
                }
                found
            })
            .collect()
    }

    /// For each number, one that stands for all that hang together with it by edges over the threshold.
    fn components(&self, numbers: usize, edges: &[Edge]) -> Vec<u32> {
        let mut union = Union::new(numbers);
        for edge in edges.iter().filter(|e| f64::from(e.weight) >= self.threshold) {
            union.join(edge.a, edge.b);
        }
        (0..numbers as u32).map(|number| union.find(number)).collect()
    }
}

fn ordered(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}
