//! Paths of interest: from staff to suppliers, in the direction of who holds, leads or serves whom.

use hashbrown::HashMap;

use std::cmp::Ordering;

use crate::adjacency::Link;
use crate::error::GraphError;
use crate::input::{Certainty, Relation, SourceRow};
use crate::interval::Interval;
use crate::search::{Search, check_hops};
use crate::share::{combined_share, percent_text};
use crate::snapshot::Graph;

/// 100 % in units of a ten-thousandth of a percent.
const WHOLE: i64 = 1_000_000;

/// Rows, and whether a limit cut them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub rows: Vec<T>,
    /// Some search looked at as many edges, or found as many rows, as [`crate::GraphOptions`] allows.
    pub truncated: bool,
}

/// One step of a path, as it is walked, with the row that states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop<'g> {
    pub from: &'g str,
    pub from_name: &'g str,
    pub to: &'g str,
    pub to_name: &'g str,
    /// As the row states it; of relatives and branches the row may have been written the other way round.
    pub relation: Relation,
    /// Percent with four digits.
    pub share: Option<String>,
    /// Days since 1970-01-01, half open; `None` is an open end.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
    /// How sure it is that the row speaks of these two parties: less than 1 where a name was joined by resemblance.
    pub certainty: Certainty,
    /// Dataset, key, source, batch and row.
    pub row: &'g SourceRow,
}

/// A path and what holds of it as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPath<'g> {
    pub hops: Vec<Hop<'g>>,
    /// The product of the shares of all hops that are not kin (a branch counts as whole), as percent with
    /// four digits; `None` when one has no share or all are kin.
    pub share: Option<String>,
    /// Whether every hop that is not kin is control: more than half held, or the organisation of a branch.
    pub controls: bool,
    /// The product of the certainties of all hops.
    pub certainty: Certainty,
    /// When all hops held at once: days since 1970-01-01, half open; `None` is an open end.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
}

/// A member of staff tied to a supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedParty<'g> {
    pub staff_id: &'g str,
    pub staff_party_id: &'g str,
    pub supplier_party_id: &'g str,
    pub path: FoundPath<'g>,
}

/// A path by numbers.
struct Raw {
    target: u32,
    links: Vec<Link>,
    interval: Interval,
    doubt: u32,
}

impl Graph {
    /// How each member of staff is tied to each supplier: paths over relatives, then over who holds, leads
    /// or serves which company, each hop in the direction of the interest (branches both ways).
    ///
    /// All hops of a path held at the same time at least once, and it meets no party twice. Of one pair at
    /// most `paths_per_pair_max` paths are kept: first the best of each interval, best being the one with
    /// the fewest hops and then the surest relations. Rows are ordered by staff party, staff id, supplier and
    /// that rank.
    pub fn related_parties(&self, max_hops: usize) -> Result<Answer<RelatedParty<'_>>, GraphError> {
        let by = |wanted: &dyn Fn(u32) -> bool| self.by_id().filter(|p| wanted(*p)).collect::<Vec<_>>();
        let staff = by(&|p| !self.parties[p as usize].staff_ids.is_empty());
        let suppliers = by(&|p| self.parties[p as usize].is_supplier);
        self.related(&staff, &suppliers, max_hops)
    }

    /// As [`Graph::related_parties`], for chosen staff and suppliers by party id. A party without a staff id
    /// may start a path too; its own id stands in the rows then.
    pub fn related_between(
        &self,
        staff: &[&str],
        suppliers: &[&str],
        max_hops: usize,
    ) -> Result<Answer<RelatedParty<'_>>, GraphError> {
        let numbers = |ids: &[&str]| {
            let mut numbers = ids
                .iter()
                .map(|id| self.number(id))
                .collect::<Result<Vec<_>, _>>()?;
            numbers.sort_unstable_by_key(|party| self.rank(*party));
            numbers.dedup();
            Ok(numbers)
        };
        self.related(&numbers(staff)?, &numbers(suppliers)?, max_hops)
    }

    fn related(
        &self,
        staff: &[u32],
        suppliers: &[u32],
        max_hops: usize,
    ) -> Result<Answer<RelatedParty<'_>>, GraphError> {
        let search = Search {
            edges: &self.edges,
            links: &self.onward,
            max_hops: check_hops(max_hops)?,
            window: Interval::ALWAYS,
            remaining: self.distances(suppliers, max_hops - 1),
            visits_max: self.options.visits_max,
        };
        let mut answer = Answer {
            rows: Vec::new(),
            truncated: false,
        };
        for start in staff {
            let mut raws = Vec::new();
            answer.truncated |= !search.run(*start, |links, interval| raws.push(self.raw(links, interval)));
            let party = &self.parties[*start as usize];
            let unnumbered = [party.party_id.clone()];
            let paths: Vec<(u32, FoundPath<'_>)> = self
                .ranked(raws, self.options.paths_per_pair_max)
                .into_iter()
                .map(|raw| (raw.target, self.found(*start, &raw)))
                .collect();
            let ids = if party.staff_ids.is_empty() {
                &unnumbered[..]
            } else {
                &party.staff_ids[..]
            };
            for staff_id in 0..ids.len() {
                answer
                    .rows
                    .extend(paths.iter().map(|(supplier, path)| RelatedParty {
                        staff_id: party.staff_ids.get(staff_id).unwrap_or(&party.party_id),
                        staff_party_id: &party.party_id,
                        supplier_party_id: &self.parties[*supplier as usize].party_id,
                        path: path.clone(),
                    }));
            }
        }
        Ok(answer)
    }

    fn raw(&self, links: &[Link], interval: Interval) -> Raw {
        let target = links.last().expect("a path has a hop").party;
        let doubt = links
            .iter()
            .map(|l| self.edges[l.edge as usize].relation.doubt())
            .sum();
        Raw {
            target,
            links: links.to_vec(),
            interval,
            doubt,
        }
    }

    /// The fewest hops from each party to one of `targets` along the direction of interest.
    fn distances(&self, targets: &[u32], most: usize) -> impl Fn(u32) -> Option<u8> + use<> {
        const FAR: u8 = u8::MAX;
        let mut distance = vec![FAR; self.parties.len()];
        let mut edge: Vec<u32> = targets.to_vec();
        targets.iter().for_each(|t| distance[*t as usize] = 0);
        for hops in 1..=most as u8 {
            let mut further = Vec::new();
            for party in edge {
                for link in self.backward.of(party) {
                    if distance[link.party as usize] == FAR {
                        distance[link.party as usize] = hops;
                        further.push(link.party);
                    }
                }
            }
            edge = further;
        }
        move |party| Some(distance[party as usize]).filter(|d| *d != FAR)
    }

    fn found(&self, start: u32, raw: &Raw) -> FoundPath<'_> {
        let mut hops = Vec::with_capacity(raw.links.len());
        let mut shares = Some(Vec::new());
        let mut controls = false;
        let mut all_control = true;
        let mut from = start;
        for link in &raw.links {
            let edge = &self.edges[link.edge as usize];
            hops.push(self.hop(from, *link));
            if !edge.relation.is_kin() {
                controls = true;
                all_control &= edge.controls() && edge.from == from;
                let share = if edge.relation == Relation::Branch {
                    Some(WHOLE)
                } else {
                    edge.share
                };
                shares = shares.zip(share).map(|(mut shares, share): (Vec<i64>, i64)| {
                    shares.push(share);
                    shares
                });
            }
            from = link.party;
        }
        FoundPath {
            certainty: certainty_of(&hops),
            hops,
            share: shares.and_then(|shares| combined_share(&shares)),
            controls: controls && all_control,
            valid_from: raw.interval.valid_from(),
            valid_to: raw.interval.valid_to(),
        }
    }

    /// The step from a party over a link.
    pub(crate) fn hop(&self, from: u32, link: Link) -> Hop<'_> {
        let edge = &self.edges[link.edge as usize];
        let (from, to) = (&self.parties[from as usize], &self.parties[link.party as usize]);
        Hop {
            from: &from.party_id,
            from_name: &from.name,
            to: &to.party_id,
            to_name: &to.name,
            relation: edge.relation,
            share: edge.share.map(percent_text),
            valid_from: edge.interval.valid_from(),
            valid_to: edge.interval.valid_to(),
            certainty: edge.certainty,
            row: &edge.source,
        }
    }
}

/// How sure it is that all hops speak of the parties that they name.
pub fn certainty_of(hops: &[Hop<'_>]) -> Certainty {
    hops.iter()
        .fold(Certainty::SURE, |sure, hop| sure.and(hop.certainty))
}

impl Graph {
    /// The fewest hops first, then the surest relations.
    fn compare(&self, a: &Raw, b: &Raw) -> Ordering {
        let key = |raw: &Raw| (raw.links.len(), raw.doubt, raw.interval);
        key(a)
            .cmp(&key(b))
            .then_with(|| self.compare_links(&a.links, &b.links))
    }

    /// Orders paths by target and then so that the best of each interval come first; keeps `most` a target.
    fn ranked(&self, mut raws: Vec<Raw>, most: usize) -> Vec<Raw> {
        let target = |raw: &Raw| self.rank(raw.target);
        raws.sort_unstable_by(|a, b| target(a).cmp(&target(b)).then_with(|| self.compare(a, b)));
        let mut seen: HashMap<(u32, Interval), u32> = HashMap::new();
        let mut ranked: Vec<(u32, Raw)> = raws
            .into_iter()
            .map(|raw| {
                let rank = seen.entry((raw.target, raw.interval)).or_default();
                *rank += 1;
                (*rank, raw)
            })
            .collect();
        // Stable: within a rank the order above stays.
        ranked.sort_by_key(|(rank, raw)| (target(raw), *rank));
        let mut kept: (u32, usize) = (u32::MAX, 0);
        ranked.retain(|(_, raw)| {
            kept = if kept.0 == raw.target {
                (raw.target, kept.1 + 1)
            } else {
                (raw.target, 1)
            };
            kept.1 <= most
        });
        ranked.into_iter().map(|(_, raw)| raw).collect()
    }
}
