//! Communities by the Leiden algorithm (Traag, Waltman and van Eck, Scientific Reports 9, 2019, 5233): modularity at
//! resolution 1, in time that grows with the edges of each level.
//!
//! Of equally good choices the first is taken and nodes are visited in their order, so the same graph gives the same
//! communities. The paper draws lots when it refines; here the best choice is taken.

use std::collections::VecDeque;

use petgraph::unionfind::UnionFind;

/// What a move must gain, in units of weight: less is rounding.
const GAIN_MIN: f64 = 1e-10;
/// Levels of aggregation: each at least merges two nodes, so the bound is for certainty only.
const LEVELS_MAX: usize = 64;

/// For each of `count` nodes the least node of its community; `edges` are undirected, of weight above 0, and weights
/// of parallel ones are summed.
pub(super) fn leiden(count: usize, edges: impl Iterator<Item = (u32, u32, f64)>) -> Vec<u32> {
    let mut edges: Vec<(u32, u32, f64)> = edges
        .filter(|(a, b, weight)| a != b && weight.is_finite() && *weight > 0.0)
        .map(|(a, b, weight)| (a.min(b), a.max(b), weight))
        .collect();
    // Sums depend on their order in the last digit.
    edges.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.total_cmp(&b.2)));
    let mut level = Level::of(count, &edges);
    let total: f64 = level.degree.iter().sum();
    // The node of the level that each node is in, and the community of each node of the level.
    let mut at: Vec<u32> = (0..count as u32).collect();
    let mut community: Vec<u32> = at.clone();
    for _ in 0..LEVELS_MAX {
        if !level.move_nodes(&mut community, total) {
            break;
        }
        let (refined, groups) = level.refine(&community, total);
        if groups == level.count() {
            break;
        }
        let mut next = vec![0; groups];
        for (node, group) in refined.iter().enumerate() {
            next[*group as usize] = community[node];
        }
        at.iter_mut().for_each(|node| *node = refined[*node as usize]);
        level = level.merged(&refined, groups);
        community = next;
        // Labels of communities are to be nodes of the level.
        let mut label = vec![u32::MAX; count];
        for (node, community) in community.iter_mut().enumerate() {
            let first = &mut label[*community as usize];
            if *first == u32::MAX {
                *first = node as u32;
            }
            *community = *first;
        }
    }
    // A node that left may have held two parts of its community together: each is one of its own, which adds to
    // modularity.
    let label = |node: u32| community[at[node as usize] as usize];
    let mut parts = UnionFind::<u32>::new(count);
    for (a, b, _) in &edges {
        if label(*a) == label(*b) {
            parts.union(*a, *b);
        }
    }
    let parts = parts.into_labeling();
    let mut least = vec![u32::MAX; count];
    for (node, part) in parts.iter().enumerate().rev() {
        least[*part as usize] = node as u32;
    }
    parts.iter().map(|part| least[*part as usize]).collect()
}

/// An undirected graph whose nodes stand for one or more nodes of the original.
struct Level {
    /// Where each node's neighbours start, and the end.
    start: Vec<usize>,
    near: Vec<(u32, f64)>,
    /// Weight of all edge ends at a node, those of edges within it included.
    degree: Vec<f64>,
}

/// Weights of one node's edges by community, filled and emptied for each node.
struct Weights {
    to: Vec<f64>,
    touched: Vec<u32>,
}

impl Weights {
    fn new(count: usize) -> Self {
        Self {
            to: vec![0.0; count],
            touched: Vec::new(),
        }
    }

    fn add(&mut self, label: u32, weight: f64) {
        let to = &mut self.to[label as usize];
        // Weights are above 0: a sum of 0 has not been touched.
        if *to <= 0.0 {
            self.touched.push(label);
        }
        *to += weight;
    }

    fn clear(&mut self) {
        for label in self.touched.drain(..) {
            self.to[label as usize] = 0.0;
        }
    }
}

impl Level {
    /// `edges` are sorted, each with its lesser node first.
    fn of(count: usize, edges: &[(u32, u32, f64)]) -> Self {
        let same = |a: &(u32, u32, f64), b: &(u32, u32, f64)| (a.0, a.1) == (b.0, b.1);
        let mut start = vec![0; count + 1];
        for edges in edges.chunk_by(same) {
            start[edges[0].0 as usize + 1] += 1;
            start[edges[0].1 as usize + 1] += 1;
        }
        for node in 0..count {
            start[node + 1] += start[node];
        }
        let mut next = start.clone();
        let mut near = vec![(0, 0.0); start[count]];
        let mut degree = vec![0.0; count];
        for edges in edges.chunk_by(same) {
            let (a, b, _) = edges[0];
            let weight: f64 = edges.iter().map(|e| e.2).sum();
            for (from, to) in [(a, b), (b, a)] {
                let place = &mut next[from as usize];
                near[*place] = (to, weight);
                *place += 1;
                degree[from as usize] += weight;
            }
        }
        Self { start, near, degree }
    }

    fn count(&self) -> usize {
        self.degree.len()
    }

    fn near(&self, node: u32) -> &[(u32, f64)] {
        &self.near[self.start[node as usize]..self.start[node as usize + 1]]
    }

    /// Moves nodes to the community where they add most, until none gains by moving. Communities have nodes as
    /// labels. Says whether any node moved.
    fn move_nodes(&self, community: &mut [u32], total: f64) -> bool {
        let count = self.count();
        let mut degrees = vec![0.0; count];
        let mut sizes = vec![0u32; count];
        for (node, label) in community.iter().enumerate() {
            degrees[*label as usize] += self.degree[node];
            sizes[*label as usize] += 1;
        }
        let mut free: Vec<u32> = (0..count as u32).filter(|l| sizes[*l as usize] == 0).collect();
        let mut queue: VecDeque<u32> = (0..count as u32).collect();
        let mut is_queued = vec![true; count];
        let mut weights = Weights::new(count);
        let mut any = false;
        while let Some(node) = queue.pop_front() {
            is_queued[node as usize] = false;
            let (own, degree) = (community[node as usize], self.degree[node as usize]);
            for (near, weight) in self.near(node) {
                weights.add(community[*near as usize], *weight);
            }
            degrees[own as usize] -= degree;
            let gain = |label: u32| weights.to[label as usize] - degree * degrees[label as usize] / total;
            let (mut best, mut best_gain) = (own, gain(own));
            for label in &weights.touched {
                let gain = gain(*label);
                if gain > best_gain + GAIN_MIN {
                    (best, best_gain) = (*label, gain);
                }
            }
            if best_gain < -GAIN_MIN
                && sizes[own as usize] > 1
                && let Some(label) = free.pop()
            {
                best = label;
            }
            weights.clear();
            degrees[best as usize] += degree;
            if best == own {
                continue;
            }
            any = true;
            community[node as usize] = best;
            sizes[best as usize] += 1;
            sizes[own as usize] -= 1;
            if sizes[own as usize] == 0 {
                free.push(own);
            }
            for (near, _) in self.near(node) {
                if community[*near as usize] != best && !is_queued[*near as usize] {
                    is_queued[*near as usize] = true;
                    queue.push_back(*near);
                }
            }
        }
        any
    }

    /// Splits each community into groups that hang together well: every node of a group was tied to it strongly
    /// enough when it joined, and the group to the rest of its community. Returns each node's group and their number.
    fn refine(&self, community: &[u32], total: f64) -> (Vec<u32>, usize) {
        let count = self.count();
        let mut community_degrees = vec![0.0; count];
        for (node, label) in community.iter().enumerate() {
            community_degrees[*label as usize] += self.degree[node];
        }
        let within = |node: u32| {
            let own = community[node as usize];
            let near = self.near(node).iter();
            near.filter(move |(near, _)| community[*near as usize] == own)
        };
        // Of each group, by the node it is named after: its degrees, its nodes, and what ties it to the rest of its
        // community.
        let mut degrees = self.degree.clone();
        let mut sizes = vec![1u32; count];
        let mut ties: Vec<f64> = (0..count as u32)
            .map(|node| within(node).map(|(_, weight)| weight).sum())
            .collect();
        let mut group: Vec<u32> = (0..count as u32).collect();
        let mut weights = Weights::new(count);
        for node in 0..count as u32 {
            let of_all = community_degrees[community[node as usize] as usize];
            let hangs = |ties: f64, degree: f64| ties >= degree * (of_all - degree) / total - GAIN_MIN;
            let degree = self.degree[node as usize];
            let is_alone = group[node as usize] == node && sizes[node as usize] == 1;
            if !is_alone || !hangs(ties[node as usize], degree) {
                continue;
            }
            for (near, weight) in within(node) {
                weights.add(group[*near as usize], *weight);
            }
            let (mut best, mut best_gain) = (node, 0.0);
            for label in &weights.touched {
                let gain = weights.to[*label as usize] - degree * degrees[*label as usize] / total;
                if gain > best_gain + GAIN_MIN && hangs(ties[*label as usize], degrees[*label as usize]) {
                    (best, best_gain) = (*label, gain);
                }
            }
            if best != node {
                let tie = weights.to[best as usize];
                group[node as usize] = best;
                degrees[best as usize] += degree;
                sizes[best as usize] += 1;
                sizes[node as usize] -= 1;
                ties[best as usize] += ties[node as usize] - 2.0 * tie;
            }
            weights.clear();
        }
        let mut number = vec![u32::MAX; count];
        let mut groups = 0;
        for label in &mut group {
            let number = &mut number[*label as usize];
            if *number == u32::MAX {
                *number = groups;
                groups += 1;
            }
            *label = *number;
        }
        (group, groups as usize)
    }

    /// The graph of the groups.
    fn merged(&self, group: &[u32], groups: usize) -> Self {
        let mut first = vec![0usize; groups + 1];
        for label in group {
            first[*label as usize + 1] += 1;
        }
        for at in 0..groups {
            first[at + 1] += first[at];
        }
        let mut next = first.clone();
        let mut members = vec![0u32; group.len()];
        for (node, label) in group.iter().enumerate() {
            members[next[*label as usize]] = node as u32;
            next[*label as usize] += 1;
        }
        let mut merged = Self {
            start: vec![0],
            near: Vec::new(),
            degree: Vec::with_capacity(groups),
        };
        let mut weights = Weights::new(groups);
        for label in 0..groups as u32 {
            let members = &members[first[label as usize]..first[label as usize + 1]];
            for node in members {
                for (near, weight) in self.near(*node) {
                    let to = group[*near as usize];
                    if to != label {
                        weights.add(to, *weight);
                    }
                }
            }
            let near = weights.touched.iter().map(|to| (*to, weights.to[*to as usize]));
            merged.near.extend(near);
            weights.clear();
            merged.start.push(merged.near.len());
            merged
                .degree
                .push(members.iter().map(|n| self.degree[*n as usize]).sum());
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leiden_rs::{GraphDataBuilder, Leiden, LeidenConfig};
    use proptest::prelude::*;

    use super::*;

    type Edge = (u32, u32, f64);

    fn communities(count: usize, edges: &[Edge]) -> Vec<u32> {
        leiden(count, edges.iter().copied())
    }

    /// Newman's modularity at resolution 1.
    fn modularity(label: &[u32], edges: &[Edge]) -> f64 {
        let total: f64 = edges.iter().map(|e| 2.0 * e.2).sum();
        let (mut inner, mut degree) = (0.0, BTreeMap::<u32, f64>::new());
        for (a, b, weight) in edges {
            let (a, b) = (label[*a as usize], label[*b as usize]);
            inner += if a == b { 2.0 * weight } else { 0.0 };
            *degree.entry(a).or_default() += weight;
            *degree.entry(b).or_default() += weight;
        }
        inner / total - degree.values().map(|d| (d / total).powi(2)).sum::<f64>()
    }

    fn cliques(number: u32, size: u32) -> Vec<Edge> {
        let mut edges = Vec::new();
        for clique in 0..number {
            let first = clique * size;
            for a in first..first + size {
                edges.extend((a + 1..first + size).map(|b| (a, b, 1.0)));
            }
            edges.push((first, (first + size) % (number * size), 1.0));
        }
        edges
    }

    #[test]
    fn a_ring_of_cliques_is_told_apart() {
        let label = communities(40, &cliques(8, 5));
        let expected: Vec<u32> = (0..40).map(|node| node / 5 * 5).collect();
        assert_eq!(label, expected);
    }

    #[test]
    fn without_edges_everybody_is_alone() {
        assert_eq!(communities(3, &[]), [0, 1, 2]);
        assert!(communities(0, &[]).is_empty());
        assert_eq!(communities(3, &[(1, 1, 5.0), (2, 1, f64::NAN)]), [0, 1, 2]);
    }

    #[test]
    fn parallel_edges_count_together() {
        let once = communities(4, &[(0, 1, 2.0), (1, 2, 1.0), (2, 3, 2.0)]);
        let twice = communities(
            4,
            &[(1, 0, 1.0), (2, 1, 1.0), (3, 2, 1.5), (0, 1, 1.0), (2, 3, 0.5)],
        );
        assert_eq!(once, [0, 0, 2, 2]);
        assert_eq!(once, twice);
    }

    fn graphs() -> impl Strategy<Value = (usize, Vec<Edge>)> {
        (2usize..40).prop_flat_map(|count| {
            let node = 0..count as u32;
            let edge = (node.clone(), node, 1u32..10).prop_map(|(a, b, w)| (a, b, f64::from(w)));
            let edges = prop::collection::vec(edge.prop_filter("a loop", |e| e.0 != e.1), 1..120);
            (Just(count), edges)
        })
    }

    proptest! {
        /// As good as the library leiden-rs finds them, but for a little luck on either side.
        #[test]
        fn modularity_is_that_of_a_library((count, edges) in graphs()) {
            let mut builder = GraphDataBuilder::new(count);
            for (a, b, weight) in &edges {
                builder.add_edge(*a as usize, *b as usize, *weight).unwrap();
            }
            let config = LeidenConfig::builder().seed(1).build();
            let library = Leiden::new(config).run(&builder.build().unwrap()).unwrap();
            let theirs: Vec<u32> = library.partition.as_slice().iter().map(|l| *l as u32).collect();
            let ours = communities(count, &edges);
            let (ours, theirs) = (modularity(&ours, &edges), modularity(&theirs, &edges));
            prop_assert!(ours > theirs - 0.05, "{ours} against {theirs}");
            prop_assert!(ours > -1e-9);
        }

        /// Every community hangs together, is named after its least node, and the order of edges says nothing.
        #[test]
        fn communities_are_connected((count, edges) in graphs()) {
            let label = communities(count, &edges);
            let mut union = UnionFind::<u32>::new(count);
            for (a, b, _) in &edges {
                if label[*a as usize] == label[*b as usize] {
                    union.union(*a, *b);
                }
            }
            for node in 0..count as u32 {
                let least = label[node as usize];
                prop_assert!(least <= node);
                prop_assert_eq!(label[least as usize], least);
                prop_assert!(union.equiv(node, least));
            }
            let mut turned: Vec<Edge> = edges.iter().map(|(a, b, w)| (*b, *a, *w)).collect();
            turned.reverse();
            prop_assert_eq!(label, communities(count, &turned));
        }
    }
}
