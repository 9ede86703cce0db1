//! Who holds how much of whom on one day, one figure a pair, in compressed rows.

use hashbrown::HashMap;

use crate::input::{PartyKind, Relation};
use crate::snapshot::{Edge, Graph};

/// 100 % in units of a ten-thousandth of a percent.
pub(crate) const WHOLE: u32 = 1_000_000;

/// A holder and what it holds, in units of a ten-thousandth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub party: u32,
    pub share: u32,
}

/// Direct holdings among locally numbered parties.
#[derive(Debug)]
pub(crate) struct Holdings {
    /// From local number to the graph's; ascending when all parties are in, else by distance from the company.
    pub parties: Vec<u32>,
    starts: Vec<u32>,
    held_by: Vec<Held>,
}

/// How a row counts as a direct holding; the stronger kind wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Basis {
    BeneficialOwner,
    Direct,
}

/// What an edge says of a direct holding on `day`.
fn holding(graph: &Graph, edge: &Edge, day: i32) -> Option<(Basis, u32)> {
    if day < edge.interval.from || day >= edge.interval.to {
        return None;
    }
    let (basis, share) = match edge.relation {
        Relation::Shareholder => (Basis::Direct, edge.share?),
        Relation::BeneficialOwner => (Basis::BeneficialOwner, edge.share?),
        Relation::Branch => (Basis::Direct, i64::from(WHOLE)),
        _ => return None,
    };
    // Nobody holds a person, whatever a row says.
    let company = graph.parties[edge.to as usize].kind != PartyKind::Person;
    let share = u32::try_from(share).ok().filter(|share| *share > 0 && company)?;
    Some((basis, share))
}

/// One figure a holder: of several rows the largest. Stated beneficial owners count only where nobody is
/// known to hold directly, since their shares mostly run through the holders that are.
fn settle(rows: &mut Vec<(u32, Basis, u32)>, out: &mut Vec<Held>) {
    let best = rows.iter().map(|r| r.1).max();
    rows.retain(|r| Some(r.1) == best);
    rows.sort_unstable_by_key(|r| (r.0, std::cmp::Reverse(r.2)));
    rows.dedup_by_key(|r| r.0);
    out.extend(rows.drain(..).map(|(party, _, share)| Held { party, share }));
}

impl Holdings {
    /// Those of every party.
    pub fn all(graph: &Graph, day: i32) -> Self {
        let count = graph.parties.len();
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        let (mut held_by, mut rows) = (Vec::new(), Vec::new());
        for company in 0..count as u32 {
            Self::above_one(graph, company, day, &mut rows);
            settle(&mut rows, &mut held_by);
            starts.push(held_by.len() as u32);
        }
        Self {
            parties: (0..count as u32).collect(),
            starts,
            held_by,
        }
    }

    /// Those of a company (local number 0) and of everybody above it.
    pub fn above(graph: &Graph, company: u32, day: i32) -> Self {
        let mut parties = vec![company];
        let mut local: HashMap<u32, u32> = HashMap::from([(company, 0)]);
        let mut starts = vec![0];
        let (mut held_by, mut rows) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < parties.len() {
            Self::above_one(graph, parties[at], day, &mut rows);
            let first = held_by.len();
            settle(&mut rows, &mut held_by);
            for held in &mut held_by[first..] {
                held.party = *local.entry(held.party).or_insert_with(|| {
                    parties.push(held.party);
                    parties.len() as u32 - 1
                });
            }
            starts.push(held_by.len() as u32);
            at += 1;
        }
        Self {
            parties,
            starts,
            held_by,
        }
    }

    fn above_one(graph: &Graph, company: u32, day: i32, rows: &mut Vec<(u32, Basis, u32)>) {
        for link in graph.holders.of(company) {
            if let Some((basis, share)) = holding(graph, &graph.edges[link.edge as usize], day) {
                rows.push((link.party, basis, share));
            }
        }
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Who holds `company`.
    pub fn of(&self, company: u32) -> &[Held] {
        let company = company as usize;
        &self.held_by[self.starts[company] as usize..self.starts[company + 1] as usize]
    }

    /// The same holdings seen from the holders: what each holds of whom.
    pub fn downwards(&self) -> Self {
        let mut starts = vec![0u32; self.len() + 1];
        for held in &self.held_by {
            starts[held.party as usize + 1] += 1;
        }
        for at in 0..self.len() {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut held_by = vec![Held { party: 0, share: 0 }; self.held_by.len()];
        for company in 0..self.len() as u32 {
            for held in self.of(company) {
                let at = &mut next[held.party as usize];
                held_by[*at as usize] = Held {
                    party: company,
                    share: held.share,
                };
                *at += 1;
            }
        }
        Self {
            parties: self.parties.clone(),
            starts,
            held_by,
        }
    }

    /// Groups of parties that hold one another in a circle (mostly single parties), every group after the
    /// groups that hold any of it. Tarjan's algorithm without recursion: petgraph's would overflow the stack
    /// on long chains, and its iterative one needs a graph of its own.
    pub fn groups(&self) -> Vec<Vec<u32>> {
        const NEW: u32 = u32::MAX;
        let count = self.len();
        let mut index = vec![NEW; count];
        let mut low = vec![0u32; count];
        let mut on_stack = vec![false; count];
        let (mut stack, mut calls, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = 0;
        for root in 0..count as u32 {
            if index[root as usize] != NEW {
                continue;
            }
            calls.push((root, 0usize));
            while let Some((party, at)) = calls.last_mut() {
                let (party, first) = (*party, *at == 0);
                if first {
                    index[party as usize] = next;
                    low[party as usize] = next;
                    next += 1;
                    stack.push(party);
                    on_stack[party as usize] = true;
                }
                if let Some(holder) = self.of(party).get(*at) {
                    *at += 1;
                    let holder = holder.party;
                    if index[holder as usize] == NEW {
                        calls.push((holder, 0));
                    } else if on_stack[holder as usize] {
                        low[party as usize] = low[party as usize].min(index[holder as usize]);
                    }
                    continue;
                }
                calls.pop();
                if let Some((caller, _)) = calls.last() {
                    low[*caller as usize] = low[*caller as usize].min(low[party as usize]);
                }
                if low[party as usize] == index[party as usize] {
                    let start = stack.iter().rposition(|p| *p == party).unwrap_or(0);
                    let group = stack.split_off(start);
                    group.iter().for_each(|p| on_stack[*p as usize] = false);
                    // Whoever was found later stands higher: holders first.
                    groups.push(group.into_iter().rev().collect());
                }
            }
        }
        groups
    }
}
