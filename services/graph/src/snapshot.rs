//! The graph itself: parties and edges numbered densely, adjacency in compressed rows, never changed.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use petgraph::unionfind::UnionFind;

use crate::adjacency::{self, Links, Near, Rows};
use crate::attributes::Attributes;
use crate::error::GraphError;
use crate::input::{Certainty, EdgeInput, GraphInput, GraphOptions, PartyNode, Relation, SourceRow};
use crate::interval::Interval;
use crate::overlay::{Overlaid, Ranks};

/// One snapshot's graph. Numbers of parties and edges follow their ids and contents, so that the order of
/// input shows nowhere; what [`Graph::apply`] adds is numbered after, and ordered by `ranks`.
#[derive(Debug)]
pub struct Graph {
    pub(crate) parties: Overlaid<PartyNode>,
    pub(crate) edges: Overlaid<Edge>,
    /// Numbers of edges that this version no longer has.
    pub(crate) removed: HashSet<u32>,
    /// Where parties were added: the place of each party in the order of ids, and the parties in that order.
    pub(crate) ranks: Option<Arc<Ranks>>,
    /// Where a path of interest may go on from a party, and where it may have come from.
    pub(crate) onward: Links,
    pub(crate) backward: Links,
    /// Every edge from both its ends.
    pub(crate) around: Rows<Near>,
    /// From a company to whoever holds more than half of it, or to the organisation it is a branch of.
    pub(crate) controllers: Links,
    /// From a party to whoever a row says holds a share of it, and from a branch to its organisation.
    pub(crate) holders: Links,
    /// By party: whether it holds for the state.
    pub(crate) state: Vec<bool>,
    pub(crate) attributes: Arc<Attributes>,
    pub(crate) options: GraphOptions,
    pub(crate) report: BuildReport,
}

/// An edge between numbered parties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub from: u32,
    pub to: u32,
    pub relation: Relation,
    pub interval: Interval,
    pub share: Option<i64>,
    pub certainty: Certainty,
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
        let attributes = Attributes::numbered(attributes, &number, &mut report);
        let attributes = Attributes::index(attributes, parties.len(), |party| party);
        drop(numbers);
        let state = parties.iter().map(|p| options.is_state(p)).collect();
        let links = |ends| Links::build(parties.len(), &edges, ends);
        Ok(Self {
            onward: links(adjacency::onward),
            backward: links(adjacency::backward),
            around: Rows::build(parties.len(), &edges, adjacency::around),
            controllers: links(adjacency::controllers),
            holders: links(adjacency::holders),
            state,
            attributes: Arc::new(attributes),
            options,
            report,
            removed: HashSet::new(),
            ranks: None,
            parties: Overlaid::new(parties),
            edges: Overlaid::new(edges),
        })
    }

    /// What became of the input.
    pub fn report(&self) -> BuildReport {
        self.report
    }

    /// Every party, by party id.
    pub fn parties(&self) -> impl Iterator<Item = &PartyNode> {
        self.by_id().map(|party| &self.parties[party as usize])
    }

    /// The party of that id.
    pub fn party(&self, party_id: &str) -> Option<&PartyNode> {
        self.number(party_id).ok().map(|at| &self.parties[at as usize])
    }

    pub(crate) fn number(&self, party_id: &str) -> Result<u32, GraphError> {
        let order = |party: u32| self.parties[party as usize].party_id.as_str().cmp(party_id);
        let found = match &self.ranks {
            None => self
                .parties
                .base()
                .binary_search_by(|p| p.party_id.as_str().cmp(party_id))
                .ok(),
            Some(ranks) => ranks.by_id.binary_search_by(|party| order(*party)).ok(),
        };
        match (found, &self.ranks) {
            (Some(at), None) => Ok(at as u32),
            (Some(at), Some(ranks)) => Ok(ranks.by_id[at]),
            (None, _) => Err(GraphError::UnknownParty(party_id.to_owned())),
        }
    }

    /// Which parties hang together by edges of any time, bodies of the state left out (they would tie
    /// everything together). Every party has a row, ordered by party id.
    pub fn components(&self) -> Vec<Component<'_>> {
        let mut union = UnionFind::<u32>::new(self.parties.len());
        for (_, edge) in self.live_edges() {
            if !self.state[edge.from as usize] && !self.state[edge.to as usize] {
                union.union(edge.from, edge.to);
            }
        }
        let labels = union.into_labeling();
        let mut least = vec![u32::MAX; labels.len()];
        let mut sizes = vec![0u32; labels.len()];
        for party in self.by_id() {
            let label = labels[party as usize] as usize;
            if least[label] == u32::MAX {
                least[label] = party;
            }
            sizes[label] += 1;
        }
        self.by_id()
            .map(|party| {
                let label = labels[party as usize] as usize;
                Component {
                    party_id: &self.parties[party as usize].party_id,
                    component_id: &self.parties[least[label] as usize].party_id,
                    size: sizes[label],
                }
            })
            .collect()
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

pub(crate) fn number_edges(
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
                certainty,
                source,
                ..
            } = edge;
            numbered.push(Edge {
                from,
                to,
                relation,
                interval,
                share,
                certainty,
                source,
            });
        }
    }
    numbered
}

#[cfg(test)]
mod tests;
