//! Suppliers that belong together: one legal representative, one controls the other, or one controls both.

use std::ops::ControlFlow;

use hashbrown::HashMap;

use crate::adjacency::Link;
use crate::input::Relation;
use crate::interval::Interval;
use crate::paths::{Answer, Hop};
use crate::search::Search;
use crate::snapshot::Graph;

/// Why two suppliers are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// One holds more than half of the other, directly or through a chain of such holdings, or is the
    /// organisation whose branch the other is.
    Control,
    /// One party, not a body of the state, controls both.
    CommonControl,
    /// One identified person is the legal representative of both.
    SameLegalRepresentative,
}

impl RelationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::CommonControl => "common_control",
            Self::SameLegalRepresentative => "same_legal_representative",
        }
    }
}

/// Two related suppliers; `a_party_id < b_party_id`, each pair once a kind and interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedSuppliers<'g> {
    pub a_party_id: &'g str,
    pub b_party_id: &'g str,
    pub kind: RelationKind,
    /// The controller or the legal representative; of two suppliers one of which controls the other, it.
    pub via_party_id: &'g str,
    /// From `via_party_id` down to the one, then down to the other; every hop from holder to held.
    pub hops: Vec<Hop<'g>>,
    /// Hops of the longer of the two chains: 1 is direct.
    pub depth: usize,
    /// When all hops held at once: days since 1970-01-01, half open; `None` is an open end.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
}

/// The longest chain of control that is followed; where one goes on beyond it, the answer is truncated.
const CONTROL_HOPS_MAX: usize = 10;
/// Edges looked at above one supplier. A company has one controller at a time; only broken data need more.
const CONTROL_VISITS_MAX: u64 = 20_000;

/// A chain from a supplier up to one who controls it.
struct Chain {
    top: u32,
    supplier: u32,
    interval: Interval,
    /// From the supplier upwards.
    links: Vec<Link>,
}

/// A relation between suppliers `a < b`, by numbers of chains.
struct Pair {
    a: u32,
    b: u32,
    kind: RelationKind,
    interval: Interval,
    /// One chain when one of them is the top.
    chains: (usize, Option<usize>),
    depth: usize,
    length: usize,
}

impl Graph {
    /// Which suppliers are related, when, and by which rows. Direct shares are not summed over rows, since
    /// two sources may tell of one holding. Ordered by the two parties, kind, length and interval; of two
    /// chains the shorter is kept where its interval holds the longer's.
    pub fn related_suppliers(&self) -> Answer<RelatedSuppliers<'_>> {
        let suppliers: Vec<u32> = self
            .by_id()
            .filter(|p| self.parties[*p as usize].is_supplier)
            .collect();
        let (mut chains, mut truncated) = self.chains(&suppliers);
        let controlled = chains.len();
        chains.extend(self.represented(&suppliers));

        let mut pairs: Vec<Pair> = Vec::new();
        let (control, represented) = chains.split_at(controlled);
        for (at, chain) in control
            .iter()
            .enumerate()
            .filter(|(_, c)| self.parties[c.top as usize].is_supplier)
        {
            let supplier_first = self.rank(chain.supplier) < self.rank(chain.top);
            let (a, b) = if supplier_first {
                (chain.supplier, chain.top)
            } else {
                (chain.top, chain.supplier)
            };
            pairs.push(Pair {
                a,
                b,
                kind: RelationKind::Control,
                interval: chain.interval,
                chains: (at, None),
                depth: chain.links.len(),
                length: chain.links.len(),
            });
        }
        let most = self.options.related_suppliers_max;
        for (chains, kind, offset) in [
            (control, RelationKind::CommonControl, 0),
            (represented, RelationKind::SameLegalRepresentative, controlled),
        ] {
            truncated |= self.pair_up(chains, kind, offset, most, &mut pairs).is_break();
        }

        pairs.sort_unstable_by_key(|p| {
            (
                self.rank(p.a),
                self.rank(p.b),
                p.kind,
                p.length,
                p.interval,
                p.chains,
            )
        });
        let mut kept: Vec<Pair> = Vec::new();
        let mut first = 0;
        for pair in pairs {
            if kept
                .last()
                .is_none_or(|last| (last.a, last.b) != (pair.a, pair.b))
            {
                first = kept.len();
            }
            let told = |other: &Pair| {
                let same = other.kind == pair.kind
                    || (other.kind, pair.kind) == (RelationKind::Control, RelationKind::CommonControl);
                same && other.interval.contains(pair.interval)
            };
            if !kept[first..].iter().any(told) {
                kept.push(pair);
            }
        }
        Answer {
            rows: kept.iter().map(|pair| self.row(pair, &chains)).collect(),
            truncated,
        }
    }

    /// Every chain of control above each supplier, ordered by top and supplier.
    fn chains(&self, suppliers: &[u32]) -> (Vec<Chain>, bool) {
        let search = Search {
            edges: &self.edges,
            links: &self.controllers,
            max_hops: CONTROL_HOPS_MAX,
            window: Interval::ALWAYS,
            remaining: |_| Some(0),
            visits_max: CONTROL_VISITS_MAX,
        };
        let mut chains = Vec::new();
        let mut truncated = false;
        for supplier in suppliers {
            let mut cut = false;
            let whole = search.run(*supplier, |links, interval| {
                let top = links.last().expect("a path has a hop").party;
                cut |= links.len() == CONTROL_HOPS_MAX && !self.controllers.of(top).is_empty();
                chains.push(Chain {
                    top,
                    supplier: *supplier,
                    interval,
                    links: links.to_vec(),
                });
            });
            truncated |= cut || !whole;
        }
        self.sort_chains(&mut chains);
        (chains, truncated)
    }

    /// One-hop chains from each supplier to its legal representatives.
    fn represented(&self, suppliers: &[u32]) -> Vec<Chain> {
        let mut chains: Vec<Chain> = suppliers
            .iter()
            .flat_map(|supplier| {
                let represents = |link: &&Link| {
                    let edge = &self.edges[link.edge as usize];
                    edge.relation == Relation::LegalRepresentative && edge.to == *supplier
                };
                self.backward
                    .of(*supplier)
                    .iter()
                    .filter(represents)
                    .map(|link| Chain {
                        top: link.party,
                        supplier: *supplier,
                        interval: self.edges[link.edge as usize].interval,
                        links: vec![*link],
                    })
            })
            .collect();
        self.sort_chains(&mut chains);
        chains
    }

    /// By top, supplier, length and edges.
    fn sort_chains(&self, chains: &mut [Chain]) {
        let key = |c: &Chain| (self.rank(c.top), self.rank(c.supplier), c.links.len());
        chains.sort_unstable_by(|a, b| {
            key(a)
                .cmp(&key(b))
                .then_with(|| self.compare_links(&a.links, &b.links))
        });
    }

    /// Adds each pair of suppliers under one top at one time. Breaks when there are `most` pairs.
    fn pair_up(
        &self,
        chains: &[Chain],
        kind: RelationKind,
        offset: usize,
        most: usize,
        pairs: &mut Vec<Pair>,
    ) -> ControlFlow<()> {
        let mut numbered = chains.iter().enumerate().peekable();
        while let Some((start, chain)) = numbered.next() {
            let top = chain.top;
            while numbered.next_if(|(_, c)| c.top == top).is_some() {}
            if self.state[top as usize] {
                continue;
            }
            let end = numbered.peek().map_or(chains.len(), |(at, _)| *at);
            for (at, one) in chains[start..end].iter().enumerate() {
                for (to, other) in chains[start..end].iter().enumerate().skip(at + 1) {
                    let interval = one.interval.intersect(other.interval);
                    if one.supplier == other.supplier || interval.is_empty() {
                        continue;
                    }
                    if pairs.len() >= most {
                        return ControlFlow::Break(());
                    }
                    pairs.push(Pair {
                        a: one.supplier,
                        b: other.supplier,
                        kind,
                        interval,
                        chains: (offset + start + at, Some(offset + start + to)),
                        depth: one.links.len().max(other.links.len()),
                        length: one.links.len() + other.links.len(),
                    });
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn row(&self, pair: &Pair, chains: &[Chain]) -> RelatedSuppliers<'_> {
        let first = &chains[pair.chains.0];
        let mut hops = Vec::with_capacity(pair.length);
        let mut told: HashMap<u32, ()> = HashMap::new();
        for chain in [Some(first), pair.chains.1.map(|at| &chains[at])]
            .into_iter()
            .flatten()
        {
            for link in chain.links.iter().rev() {
                // Both chains may begin with the same holdings.
                if told.insert(link.edge, ()).is_none() {
                    let to = self.edges[link.edge as usize].to;
                    hops.push(self.hop(
                        link.party,
                        Link {
                            edge: link.edge,
                            party: to,
                        },
                    ));
                }
            }
        }
        RelatedSuppliers {
            a_party_id: &self.parties[pair.a as usize].party_id,
            b_party_id: &self.parties[pair.b as usize].party_id,
            kind: pair.kind,
            via_party_id: &self.parties[first.top as usize].party_id,
            hops,
            depth: pair.depth,
            valid_from: pair.interval.valid_from(),
            valid_to: pair.interval.valid_to(),
        }
    }
}
