//! Changes without a full rebuild: a new version shares everything with the one before but what differs.

use std::cmp::Ordering;
use std::ops::Index;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::adjacency::Link;
use crate::attributes::{Attribute, Attributes};
use crate::error::GraphError;
use crate::input::{AttributeInput, EdgeInput, GraphInput, PartyNode};
use crate::snapshot::{BuildReport, Edge, Graph, number_edges};

/// What changed between two snapshots. Rows that changed are removed as they were and added as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphDelta {
    /// New parties, and those whose record changed. No party goes: one that nothing speaks of stays alone.
    pub parties: Vec<PartyNode>,
    pub removed_edges: Vec<EdgeInput>,
    pub edges: Vec<EdgeInput>,
    pub removed_attributes: Vec<AttributeInput>,
    pub attributes: Vec<AttributeInput>,
}

/// A shared list, with what a version replaced in it and added to it.
#[derive(Debug, Clone)]
pub(crate) struct Overlaid<T> {
    base: Arc<Vec<T>>,
    replaced: HashMap<usize, T>,
    added: Vec<T>,
}

impl<T> Overlaid<T> {
    pub fn new(base: Vec<T>) -> Self {
        Self {
            base: Arc::new(base),
            replaced: HashMap::new(),
            added: Vec::new(),
        }
    }

    /// The list without what was added; for versions that replaced nothing.
    pub fn base(&self) -> &[T] {
        &self.base
    }

    pub fn len(&self) -> usize {
        self.base.len() + self.added.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map(|at| &self[at])
    }

    fn changed(&self) -> usize {
        self.replaced.len() + self.added.len()
    }
}

impl<T> Index<usize> for Overlaid<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        if !self.replaced.is_empty()
            && let Some(item) = self.replaced.get(&at)
        {
            return item;
        }
        self.base
            .get(at)
            .unwrap_or_else(|| &self.added[at - self.base.len()])
    }
}

/// The order of party ids where numbers do not follow it.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// By number.
    pub rank: Vec<u32>,
    /// Numbers, by id.
    pub by_id: Vec<u32>,
}

impl Graph {
    /// Numbers of all parties, by id.
    pub(crate) fn by_id(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.parties.len() as u32).map(|at| self.ranks.as_ref().map_or(at, |r| r.by_id[at as usize]))
    }

    /// The place of a party in the order of ids.
    pub(crate) fn rank(&self, party: u32) -> u32 {
        self.ranks.as_ref().map_or(party, |r| r.rank[party as usize])
    }

    /// Every edge of this version with its number.
    pub(crate) fn live_edges(&self) -> impl Iterator<Item = (u32, &Edge)> {
        self.edges
            .iter()
            .enumerate()
            .map(|(number, edge)| (number as u32, edge))
            .filter(|(number, _)| self.removed.is_empty() || !self.removed.contains(number))
    }

    /// Orders links as a graph built anew would number them.
    pub(crate) fn compare_links(&self, a: &[Link], b: &[Link]) -> Ordering {
        if self.edges.changed() == 0 {
            return a.cmp(b);
        }
        let key = |link: &Link| {
            let e = &self.edges[link.edge as usize];
            (
                (self.rank(e.from), self.rank(e.to)),
                (e.relation, e.interval, e.share, e.certainty),
                &e.source,
                self.rank(link.party),
            )
        };
        a.iter().map(key).cmp(b.iter().map(key))
    }

    /// The graph after a change; this one stays as it is, so that a question that runs on it is not disturbed.
    ///
    /// Takes time in proportion to the change and the rows it touches (and once to the number of parties,
    /// where parties are new, or to the attributes, where those change). Answers equal those of a graph built
    /// anew from the changed input. Once changes come to `overlay_percent_max` of all edges, it is.
    ///
    /// An edge or attribute to remove that the graph does not have is passed over. In the new graph's report
    /// the figures on what was left out are sums over the changes.
    pub fn apply(&self, delta: GraphDelta) -> Result<Self, GraphError> {
        let mut next = self.version(delta.parties)?;
        let mut report = next.report;
        let number = |id: &str| next.number(id).ok();
        // What cannot be removed is not counted as left out.
        let gone = number_edges(delta.removed_edges, &number, &mut BuildReport::default());
        let new = number_edges(delta.edges, &number, &mut report);
        let find = |edge: &Edge| {
            let row = next.around.of(edge.from).iter();
            row.map(|near| near.link.edge)
                .find(|n| next.edges[*n as usize] == *edge)
        };
        let mut removed: Vec<u32> = gone.iter().filter_map(find).collect();
        removed.sort_unstable();
        removed.dedup();
        // An edge that is taken out and put in again, or put in twice, is one edge.
        let mut added: Vec<Edge> = Vec::with_capacity(new.len());
        let mut new = new;
        new.sort_unstable();
        let given = new.len();
        new.dedup();
        report.repeated += (given - new.len()) as u64;
        for edge in new {
            match find(&edge) {
                Some(known) => match removed.binary_search(&known) {
                    Ok(at) => {
                        removed.remove(at);
                    }
                    Err(_) => report.repeated += 1,
                },
                None => added.push(edge),
            }
        }
        let first = next.edges.len();
        if first + added.len() >= u32::MAX as usize / 2 {
            return Err(GraphError::TooLarge(first + added.len()));
        }
        if !delta.attributes.is_empty() || !delta.removed_attributes.is_empty() {
            let attributes =
                next.attributes
                    .changed(&next, delta.removed_attributes, delta.attributes, &mut report);
            next.attributes = Arc::new(attributes);
        }
        report.edges = report.edges + added.len() as u64 - removed.len() as u64;
        {
            let taken: Vec<(u32, Edge)> = removed
                .iter()
                .map(|n| (*n, next.edges[*n as usize].clone()))
                .collect();
            let taken: Vec<(u32, &Edge)> = taken.iter().map(|(n, e)| (*n, e)).collect();
            let put: Vec<(u32, &Edge)> = added
                .iter()
                .enumerate()
                .map(|(at, edge)| ((first + at) as u32, edge))
                .collect();
            next.onward.change(&taken, &put);
            next.backward.change(&taken, &put);
            next.around.change(&taken, &put);
            next.controllers.change(&taken, &put);
            next.holders.change(&taken, &put);
        }
        next.removed.extend(removed);
        next.edges.added.extend(added);
        next.report = report;
        let overlay = next.edges.added.len() + next.removed.len() + next.parties.changed();
        if overlay > next.edges.base.len().max(1_000) / 100 * self.options.overlay_percent_max {
            return next.rebuilt();
        }
        Ok(next)
    }

    /// A version that shares everything, with some parties new or changed.
    fn version(&self, parties: Vec<PartyNode>) -> Result<Self, GraphError> {
        let mut next = Self {
            parties: self.parties.clone(),
            edges: self.edges.clone(),
            removed: self.removed.clone(),
            ranks: self.ranks.clone(),
            onward: self.onward.clone(),
            backward: self.backward.clone(),
            around: self.around.clone(),
            controllers: self.controllers.clone(),
            holders: self.holders.clone(),
            state: self.state.clone(),
            attributes: self.attributes.clone(),
            options: self.options.clone(),
            report: self.report,
        };
        let mut parties = parties;
        parties.sort_unstable_by(|a, b| a.party_id.cmp(&b.party_id));
        if let Some(pair) = parties
            .windows(2)
            .find(|pair| pair[0].party_id == pair[1].party_id)
        {
            return Err(GraphError::DuplicateParty(pair[0].party_id.clone()));
        }
        let before = self.parties.len();
        for mut party in parties {
            party.staff_ids.sort_unstable();
            party.staff_ids.dedup();
            let state = self.options.is_state(&party);
            match self.number(&party.party_id) {
                Ok(known) => {
                    next.state[known as usize] = state;
                    next.parties.replace(known as usize, party);
                }
                Err(_) => {
                    next.state.push(state);
                    next.parties.added.push(party);
                }
            }
        }
        let after = next.parties.len();
        if after > before {
            let mut by_id: Vec<u32> = self.by_id().collect();
            by_id.extend(before as u32..after as u32);
            let id = |party: &u32| next.parties[*party as usize].party_id.as_str();
            // Two sorted runs: a stable sort merges them.
            by_id.sort_by(|a, b| id(a).cmp(id(b)));
            let mut rank = vec![0; after];
            by_id
                .iter()
                .enumerate()
                .for_each(|(at, party)| rank[*party as usize] = at as u32);
            next.ranks = Some(Arc::new(Ranks { rank, by_id }));
        }
        next.report.parties = after as u64;
        Ok(next)
    }

    /// The same graph without an overlay.
    fn rebuilt(&self) -> Result<Self, GraphError> {
        let mut graph = Self::with_options(self.to_input(), self.options.clone())?;
        graph.report = BuildReport {
            edges: graph.report.edges,
            parties: graph.report.parties,
            ..self.report
        };
        Ok(graph)
    }

    /// What a graph equal to this one is built from.
    pub fn to_input(&self) -> GraphInput {
        let id = |party: u32| self.parties[party as usize].party_id.clone();
        let edges = self.live_edges().map(|(_, e)| EdgeInput {
            from: id(e.from),
            to: id(e.to),
            relation: e.relation,
            share: e.share,
            valid_from: e.interval.valid_from(),
            valid_to: e.interval.valid_to(),
            certainty: e.certainty,
            source: e.source.clone(),
        });
        let attributes = self.attributes.all().map(|a| AttributeInput {
            party: id(a.party),
            kind: a.kind,
            value: a.value.to_string(),
            source: a.source.clone(),
        });
        GraphInput {
            parties: self.parties().cloned().collect(),
            edges: edges.collect(),
            attributes: attributes.collect(),
        }
    }
}

impl<T> Overlaid<T> {
    fn replace(&mut self, at: usize, item: T) {
        match at.checked_sub(self.base.len()) {
            Some(at) => self.added[at] = item,
            None => {
                self.replaced.insert(at, item);
            }
        }
    }
}

impl Attributes {
    /// The attributes after a change, indexed anew.
    fn changed(
        &self,
        graph: &Graph,
        removed: Vec<AttributeInput>,
        added: Vec<AttributeInput>,
        report: &mut BuildReport,
    ) -> Self {
        let number = |id: &str| graph.number(id).ok();
        let gone = Self::numbered(removed, &number, &mut BuildReport::default());
        let gone: HashSet<Attribute> = gone.into_iter().collect();
        let mut list: Vec<Attribute> = self.all().filter(|a| !gone.contains(*a)).cloned().collect();
        list.extend(Self::numbered(added, &number, report));
        Self::index(list, graph.parties.len(), |party| graph.rank(party))
    }
}
