//! The graph itself: parties and edges numbered densely, adjacency in compressed rows, never changed.

use hashbrown::HashMap;
use petgraph::unionfind::UnionFind;

use crate::attributes::Attributes;
use crate::error::GraphError;
use crate::input::{EdgeInput, GraphInput, GraphOptions, PartyNode, Relation, SourceRow};
use crate::interval::Interval;

/// One snapshot's graph. Numbers of parties and edges follow their ids and contents, so that the order of
/// input shows nowhere.
#[derive(Debug)]
pub struct Graph {
    /// By party id.
    pub(crate) parties: Vec<PartyNode>,
    pub(crate) edges: Vec<Edge>,
    /// Where a path of interest may go on from a party, and where it may have come from.
    pub(crate) onward: Links,
    pub(crate) backward: Links,
    /// Every edge from both its ends.
    pub(crate) around: Links,
    /// From a company to whoever holds more than half of it, or to the organisation it is a branch of.
    pub(crate) controllers: Links,
    /// By party: whether it holds for the state.
    pub(crate) state: Vec<bool>,
    pub(crate) attributes: Attributes,
    pub(crate) options: GraphOptions,
    report: BuildReport,
}

/// An edge between numbered parties.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub from: u32,
    pub to: u32,
    pub relation: Relation,
    pub interval: Interval,
    pub share: Option<i64>,
    pub source: SourceRow,
}

/// Half, in units of a ten-thousandth of a percent. Control takes more.
const HALF: i64 = 500_000;

impl Edge {
    /// Whether who stands at `from` controls who stands at `to` by this edge alone.
    pub fn controls(&self) -> bool {
        match self.relation {
            Relation::Shareholder | Relation::BeneficialOwner => self.share.is_some_and(|share| share > HALF),
            Relation::Branch => true,
            _ => false,
        }
    }
}

/// The far end of an edge, seen from one of its parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub edge: u32,
    pub party: u32,
}

/// Calls back with (near party, far party) for every link an edge makes.
type Ends<'a> = &'a dyn Fn(&Edge, &mut dyn FnMut(u32, u32));

/// Adjacency in compressed rows.
#[derive(Debug, Default)]
pub(crate) struct Links {
    starts: Vec<u32>,
    links: Vec<Link>,
}

impl Links {
    /// `ends` is asked twice.
    fn build(parties: usize, edges: &[Edge], ends: Ends<'_>) -> Self {
        let mut starts = vec![0u32; parties + 1];
        for edge in edges {
            ends(edge, &mut |near, _| starts[near as usize + 1] += 1);
        }
        for at in 0..parties {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut links = vec![Link { edge: 0, party: 0 }; starts[parties] as usize];
        for (number, edge) in edges.iter().enumerate() {
            ends(edge, &mut |near, far| {
                let at = &mut next[near as usize];
                links[*at as usize] = Link {
                    edge: number as u32,
                    party: far,
                };
                *at += 1;
            });
        }
        Self { starts, links }
    }

    pub fn of(&self, party: u32) -> &[Link] {
        let party = party as usize;
        &self.links[self.starts[party] as usize..self.starts[party + 1] as usize]
    }
}

/// What became of the input. `edges given = edges + unknown_party + to_itself + never_valid + repeated`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BuildReport {
    pub parties: u64,
    pub edges: u64,
    /// Edges and attributes that name a party the input does not have.
    pub unknown_party: u64,
    pub unknown_party_attributes: u64,
    pub to_itself: u64,
    /// Edges whose interval is empty.
    pub never_valid: u64,
    pub repeated: u64,
}

/// A party's component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component<'g> {
    pub party_id: &'g str,
    /// The least party id of the component.
    pub component_id: &'g str,
    /// Parties in it.
    pub size: u32,
}

impl Graph {
    /// Builds with the default limits.
    pub fn build(input: GraphInput) -> Result<Self, GraphError> {
        Self::with_options(input, GraphOptions::default())
    }

    /// Builds the graph; takes time in proportion to the edges times the logarithm of their number.
    pub fn with_options(input: GraphInput, options: GraphOptions) -> Result<Self, GraphError> {
        let GraphInput {
            mut parties,
            edges,
            attributes,
        } = input;
        // A link sees each edge from both ends.
        let largest = parties
            .len()
            .max(edges.len().saturating_mul(2))
            .max(attributes.len());
        if largest >= u32::MAX as usize {
            return Err(GraphError::TooLarge(largest));
        }
        parties.sort_unstable_by(|a, b| a.party_id.cmp(&b.party_id));
        for party in &mut parties {
            party.staff_ids.sort_unstable();
            party.staff_ids.dedup();
        }
        if let Some(pair) = parties
            .windows(2)
            .find(|pair| pair[0].party_id == pair[1].party_id)
        {
            return Err(GraphError::DuplicateParty(pair[0].party_id.clone()));
        }
        let mut report = BuildReport {
            parties: parties.len() as u64,
            ..BuildReport::default()
        };
        let numbers: HashMap<&str, u32> = parties
            .iter()
            .enumerate()
            .map(|(at, p)| (p.party_id.as_str(), at as u32))
            .collect();
        let number = |id: &str| numbers.get(id).copied();
        let edges = sorted(number_edges(edges, &number, &mut report), &mut report);
        let attributes = Attributes::build(attributes, &number, &mut report);
        drop(numbers);
        let state = parties
            .iter()
            .map(|p| options.state_names.iter().any(|word| p.name.contains(word)))
            .collect();
        let links = |ends: Ends<'_>| Links::build(parties.len(), &edges, ends);
        Ok(Self {
            onward: links(&|e, link| {
                link(e.from, e.to);
                if e.relation.both_ways() {
                    link(e.to, e.from);
                }
            }),
            backward: links(&|e, link| {
                link(e.to, e.from);
                if e.relation.both_ways() {
                    link(e.from, e.to);
                }
            }),
            around: links(&|e, link| {
                link(e.from, e.to);
                link(e.to, e.from);
            }),
            controllers: links(&|e, link| {
                if e.controls() {
                    link(e.to, e.from);
                }
            }),
            state,
            attributes,
            options,
            report,
            parties,
            edges,
        })
    }

    /// What became of the input.
    pub fn report(&self) -> BuildReport {
        self.report
    }

    /// Every party, by party id.
    pub fn parties(&self) -> &[PartyNode] {
        &self.parties
    }

    /// The party of that id.
    pub fn party(&self, party_id: &str) -> Option<&PartyNode> {
        self.number(party_id).ok().map(|at| &self.parties[at as usize])
    }

    pub(crate) fn number(&self, party_id: &str) -> Result<u32, GraphError> {
        self.parties
            .binary_search_by(|p| p.party_id.as_str().cmp(party_id))
            .map(|at| at as u32)
            .map_err(|_| GraphError::UnknownParty(party_id.to_owned()))
    }

    /// Which parties hang together by edges of any time, bodies of the state left out (they would tie
    /// everything together). Every party has a row, ordered by party id.
    pub fn components(&self) -> Vec<Component<'_>> {
        let mut union = UnionFind::<u32>::new(self.parties.len());
        for edge in &self.edges {
            if !self.state[edge.from as usize] && !self.state[edge.to as usize] {
                union.union(edge.from, edge.to);
            }
        }
        let labels = union.into_labeling();
        let mut least = vec![u32::MAX; labels.len()];
        let mut sizes = vec![0u32; labels.len()];
        for (party, label) in labels.iter().enumerate() {
            let label = *label as usize;
            least[label] = least[label].min(party as u32);
            sizes[label] += 1;
        }
        let row = |(party, label): (usize, &u32)| Component {
            party_id: &self.parties[party].party_id,
            component_id: &self.parties[least[*label as usize] as usize].party_id,
            size: sizes[*label as usize],
        };
        labels.iter().enumerate().map(row).collect()
    }
}

/// Orders edges by their parties and then by all else, each once. Sorts numbers and moves each edge once.
fn sorted(edges: Vec<Edge>, report: &mut BuildReport) -> Vec<Edge> {
    let mut order: Vec<(u64, u32)> = edges
        .iter()
        .enumerate()
        .map(|(at, e)| (u64::from(e.from) << 32 | u64::from(e.to), at as u32))
        .collect();
    let edge = |at: u32| &edges[at as usize];
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| edge(a.1).cmp(edge(b.1))));
    let before = order.len();
    order.dedup_by(|b, a| a.0 == b.0 && edge(a.1) == edge(b.1));
    report.repeated = (before - order.len()) as u64;
    report.edges = order.len() as u64;
    let mut slots: Vec<Option<Edge>> = edges.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|(_, at)| slots[at as usize].take())
        .collect()
}

fn number_edges(
    edges: Vec<EdgeInput>,
    number: &impl Fn(&str) -> Option<u32>,
    report: &mut BuildReport,
) -> Vec<Edge> {
    let mut numbered = Vec::with_capacity(edges.len());
    for edge in edges {
        let interval = Interval::new(edge.valid_from, edge.valid_to);
        let (Some(from), Some(to)) = (number(&edge.from), number(&edge.to)) else {
            report.unknown_party += 1;
            continue;
        };
        if from == to {
            report.to_itself += 1;
        } else if interval.is_empty() {
            report.never_valid += 1;
        } else {
            let EdgeInput {
                relation,
                share,
                source,
                ..
            } = edge;
            numbered.push(Edge {
                from,
                to,
                relation,
                interval,
                share,
                source,
            });
        }
    }
    numbered
}

#[cfg(test)]
mod tests;
