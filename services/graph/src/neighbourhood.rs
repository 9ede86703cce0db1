//! What stands around a party: the part of the graph that is shown or exported.

use hashbrown::HashSet;

use crate::attributes::SharedAttribute;
use crate::error::GraphError;
use crate::input::{PartyNode, Relation, SourceRow};
use crate::interval::Interval;
use crate::search::check_hops;
use crate::share::percent_text;
use crate::snapshot::{Edge, Graph};

/// How much of the graph is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// 1 to 8.
    pub max_hops: usize,
    /// Only edges that hold on this day (days since 1970-01-01); without, of any time.
    pub day: Option<i32>,
    pub parties_max: usize,
    /// Most edges and shared values together.
    pub edges_max: usize,
}

/// An edge with its row.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRow<'g> {
    pub from: &'g str,
    pub to: &'g str,
    pub relation: Relation,
    /// Percent with four digits.
    pub share: Option<String>,
    /// Days since 1970-01-01, half open; `None` is an open end.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
    /// That the merges behind the edge are right, over 0 to 1.
    pub certainty: f64,
    pub source: &'g SourceRow,
}

/// A part of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'g> {
    /// With their distance in hops; nearest first, then by id.
    pub parties: Vec<(&'g PartyNode, usize)>,
    /// Those between these parties, by the parties' ids.
    pub edges: Vec<EdgeRow<'g>>,
    /// Values that these parties share, those of hubs only for parties that are in for another reason.
    pub shared: Vec<SharedAttribute<'g>>,
    /// Parties or edges are missing.
    pub truncated: bool,
}

impl Graph {
    /// The parties within some hops of a party over edges in either direction and shared values that are not
    /// weak, nearest first up to `parties_max`, and what ties them to each other up to `edges_max`. Bodies of
    /// the state are shown and not gone beyond.
    pub fn neighbourhood(&self, party_id: &str, extent: Extent) -> Result<Part<'_>, GraphError> {
        check_hops(extent.max_hops)?;
        let start = self.number(party_id)?;
        let window = extent.day.map_or(Interval::ALWAYS, Interval::day);
        let mut inside: HashSet<u32> = HashSet::from([start]);
        let mut parties = vec![(start, 0)];
        let mut front = vec![start];
        let mut truncated = false;
        for distance in 1..=extent.max_hops {
            let mut next: HashSet<u32> = HashSet::new();
            for party in front.iter().filter(|p| **p == start || !self.state[**p as usize]) {
                let held = self
                    .around
                    .of(*party)
                    .iter()
                    .filter(|n| !n.interval.intersect(window).is_empty());
                next.extend(held.map(|near| near.link.party).filter(|p| !inside.contains(p)));
                for value in self.attributes.of(*party) {
                    let sharing = self.attributes.sharing(*value);
                    if sharing.len() <= self.options.attribute_degree_max {
                        next.extend(sharing.iter().map(|a| a.party).filter(|p| !inside.contains(p)));
                    }
                }
            }
            front = next.into_iter().collect();
            front.sort_unstable_by_key(|party| self.rank(*party));
            let room = extent.parties_max.saturating_sub(parties.len());
            if front.len() > room {
                truncated = true;
                front.truncate(room);
            }
            inside.extend(&front);
            parties.extend(front.iter().map(|party| (*party, distance)));
        }
        let mut order: Vec<u32> = parties.iter().map(|(party, _)| *party).collect();
        order.sort_unstable_by_key(|party| self.rank(*party));
        let (mut edges, mut shared) = (Vec::new(), Vec::new());
        let mut values: HashSet<u32> = HashSet::new();
        'all: for party in &order {
            let mut rows: Vec<&Edge> = self
                .around
                .of(*party)
                .iter()
                .filter(|near| {
                    !near.interval.intersect(window).is_empty() && inside.contains(&near.link.party)
                })
                .map(|near| &self.edges[near.link.edge as usize])
                .filter(|edge| edge.from == *party)
                .collect();
            rows.sort_unstable_by(|a, b| (self.rank(a.to), *a).cmp(&(self.rank(b.to), *b)));
            for edge in rows {
                if edges.len() >= extent.edges_max {
                    truncated = true;
                    break 'all;
                }
                edges.push(self.edge_row(edge));
            }
            for value in self.attributes.of(*party) {
                if !values.insert(*value) {
                    continue;
                }
                let sharing = self.attributes.sharing(*value);
                let mut within = sharing.iter().filter(|a| inside.contains(&a.party));
                // As stars, so that a hub costs no more than its parties.
                let Some(first) = within.next() else { continue };
                for other in within {
                    if edges.len() + shared.len() >= extent.edges_max {
                        truncated = true;
                        break 'all;
                    }
                    shared.push(self.shared_attribute(first, other, sharing.len()));
                }
            }
        }
        Ok(Part {
            parties: parties
                .into_iter()
                .map(|(p, distance)| (&self.parties[p as usize], distance))
                .collect(),
            edges,
            shared,
            truncated,
        })
    }

    /// Every edge, by the ids of its parties.
    pub fn edges(&self) -> impl Iterator<Item = EdgeRow<'_>> {
        self.by_id().flat_map(|party| {
            let mut rows: Vec<&Edge> = self
                .around
                .of(party)
                .iter()
                .map(|near| &self.edges[near.link.edge as usize])
                .filter(|edge| edge.from == party)
                .collect();
            rows.sort_unstable_by(|a, b| (self.rank(a.to), *a).cmp(&(self.rank(b.to), *b)));
            rows.into_iter().map(|edge| self.edge_row(edge))
        })
    }

    fn edge_row<'g>(&'g self, edge: &'g Edge) -> EdgeRow<'g> {
        EdgeRow {
            from: &self.parties[edge.from as usize].party_id,
            to: &self.parties[edge.to as usize].party_id,
            relation: edge.relation,
            share: edge.share.map(percent_text),
            valid_from: edge.interval.valid_from(),
            valid_to: edge.interval.valid_to(),
            certainty: edge.certainty.probability(),
            source: &edge.source,
        }
    }
}
