//! Who is next to whom, in compressed rows that are shared by versions of a graph, with rows of its own where
//! a version differs.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::input::Relation;
use crate::interval::Interval;
use crate::snapshot::Edge;

/// The far end of an edge, seen from one of its parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub edge: u32,
    pub party: u32,
}

/// An edge seen from one of its parties, with all that a search for paths asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Near {
    pub link: Link,
    pub interval: Interval,
    /// How unlikely the tie is, in millionths of a nat: see [`crate::routes`].
    pub cost: u32,
}

/// What a row holds of an edge.
pub(crate) trait Item: Copy {
    fn of(edge: &Edge, link: Link) -> Self;
    fn edge(self) -> u32;
}

impl Item for Link {
    fn of(_: &Edge, link: Link) -> Self {
        link
    }

    fn edge(self) -> u32 {
        self.edge
    }
}

impl Item for Near {
    fn of(edge: &Edge, link: Link) -> Self {
        Self {
            link,
            interval: edge.interval,
            cost: crate::routes::edge_cost(edge),
        }
    }

    fn edge(self) -> u32 {
        self.link.edge
    }
}

/// Which links an edge makes: the pairs (near party, far party), up to two.
pub(crate) type Ends = fn(&Edge) -> [Option<(u32, u32)>; 2];

/// Where a path of interest may go on.
pub(crate) fn onward(e: &Edge) -> [Option<(u32, u32)>; 2] {
    [
        Some((e.from, e.to)),
        e.relation.both_ways().then_some((e.to, e.from)),
    ]
}

/// Where it may have come from.
pub(crate) fn backward(e: &Edge) -> [Option<(u32, u32)>; 2] {
    [
        Some((e.to, e.from)),
        e.relation.both_ways().then_some((e.from, e.to)),
    ]
}

pub(crate) fn around(e: &Edge) -> [Option<(u32, u32)>; 2] {
    [Some((e.from, e.to)), Some((e.to, e.from))]
}

pub(crate) fn controllers(e: &Edge) -> [Option<(u32, u32)>; 2] {
    [e.controls().then_some((e.to, e.from)), None]
}

pub(crate) fn holders(e: &Edge) -> [Option<(u32, u32)>; 2] {
    let tells = match e.relation {
        Relation::Shareholder | Relation::BeneficialOwner => e.share.is_some(),
        Relation::Branch => true,
        _ => false,
    };
    [tells.then_some((e.to, e.from)), None]
}

/// Adjacency in compressed rows, and the rows that replace some of them.
#[derive(Debug, Clone)]
pub(crate) struct Rows<T> {
    ends: Ends,
    starts: Arc<Vec<u32>>,
    items: Arc<Vec<T>>,
    replaced: HashMap<u32, Box<[T]>>,
}

pub(crate) type Links = Rows<Link>;

impl<T: Item> Rows<T> {
    pub fn build(parties: usize, edges: &[Edge], ends: Ends) -> Self {
        let mut starts = vec![0u32; parties + 1];
        for edge in edges {
            for (near, _) in ends(edge).into_iter().flatten() {
                starts[near as usize + 1] += 1;
            }
        }
        for at in 0..parties {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut items: Vec<T> = Vec::new();
        if let Some(edge) = edges.first() {
            items.resize(starts[parties] as usize, T::of(edge, Link { edge: 0, party: 0 }));
        }
        for (number, edge) in edges.iter().enumerate() {
            for (near, far) in ends(edge).into_iter().flatten() {
                let at = &mut next[near as usize];
                let edge_number = number as u32;
                items[*at as usize] = T::of(
                    edge,
                    Link {
                        edge: edge_number,
                        party: far,
                    },
                );
                *at += 1;
            }
        }
        Self {
            ends,
            starts: Arc::new(starts),
            items: Arc::new(items),
            replaced: HashMap::new(),
        }
    }

    pub fn of(&self, party: u32) -> &[T] {
        if !self.replaced.is_empty()
            && let Some(row) = self.replaced.get(&party)
        {
            return row;
        }
        let party = party as usize;
        match self.starts.get(party + 1) {
            Some(end) => &self.items[self.starts[party] as usize..*end as usize],
            // Added after the rows were built.
            None => &[],
        }
    }

    /// Takes edges out of the rows they stand in and puts others in.
    pub fn change(&mut self, removed: &[(u32, &Edge)], added: &[(u32, &Edge)]) {
        let mut rows: HashMap<u32, Vec<T>> = HashMap::new();
        for (number, edge) in removed {
            for (near, _) in (self.ends)(edge).into_iter().flatten() {
                let row = rows.entry(near).or_insert_with(|| self.of(near).to_vec());
                row.retain(|item| item.edge() != *number);
            }
        }
        for (number, edge) in added {
            for (near, far) in (self.ends)(edge).into_iter().flatten() {
                let row = rows.entry(near).or_insert_with(|| self.of(near).to_vec());
                let link = Link {
                    edge: *number,
                    party: far,
                };
                row.push(T::of(edge, link));
            }
        }
        self.replaced.extend(
            rows.into_iter()
                .map(|(party, row)| (party, row.into_boxed_slice())),
        );
    }
}
