//! The likeliest ways in which parties are tied: k best distinct paths, over edges and shared values.
//!
//! A path costs the sum of -ln(certainty x strength x rarity) of its hops: how sure it is that the records
//! merged into the hop's parties are theirs, how much the kind of tie says, and how rare the tie is. A value
//! that d parties share has the rarity 1/(d - 1), a party in between with more than `attribute_degree_max`
//! ties that number over its ties. So a registration agent's address or a hot line is kept, but comes last.

mod search;
#[cfg(test)]
mod tests;

use crate::attributes::Attribute;
use crate::error::GraphError;
use crate::input::{AttributeKind, Relation, SourceRow};
use crate::interval::Interval;
use crate::paths::Answer;
use crate::search::check_hops;
use crate::share::{combined_share, percent_text};
use crate::snapshot::{Edge, Graph};

use search::{Found, Step};

/// What is asked of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteQuestion {
    /// Longest path in hops, 1 to 8; two parties that share a value are one hop apart.
    pub max_hops: usize,
    /// Only edges that hold on this day (days since 1970-01-01); without, all hops must have held at once.
    pub day: Option<i32>,
    /// Most paths.
    pub limit: usize,
    /// Most paths of one start and end.
    pub per_pair_max: usize,
    /// Whether a shared phone, address, account or e-mail address is a hop.
    pub over_attributes: bool,
}

/// What ties the two parties of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie<'g> {
    Relation {
        relation: Relation,
        /// Whether the hop is walked from holder to held, as the edge says.
        downwards: bool,
        source: &'g SourceRow,
    },
    Shared {
        kind: AttributeKind,
        value: &'g str,
        /// How many parties have the value.
        degree: u32,
        /// The rows that state it of the one and of the other.
        from_source: &'g SourceRow,
        to_source: &'g SourceRow,
    },
}

impl Tie<'_> {
    /// The relation's code, or "shared_phone" and so on.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Relation { relation, .. } => relation.as_str(),
            Self::Shared { kind, .. } => match kind {
                AttributeKind::Phone => "shared_phone",
                AttributeKind::Address => "shared_address",
                AttributeKind::Account => "shared_account",
                AttributeKind::Email => "shared_email",
            },
        }
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteHop<'g> {
    pub from: &'g str,
    pub from_name: &'g str,
    pub to: &'g str,
    pub to_name: &'g str,
    pub tie: Tie<'g>,
    /// Percent with four digits.
    pub share: Option<String>,
    /// How likely the hop is a true tie: the certainty of the merges behind an edge; for a shared value how
    /// much its kind proves, over the number of others who have it. Over 0, at most 1.
    pub probability: f64,
    /// Days since 1970-01-01, half open; `None` is an open end.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
}

/// A path, and what holds of it as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Route<'g> {
    pub hops: Vec<RouteHop<'g>>,
    /// Product of the hops' probabilities.
    pub probability: f64,
    /// What paths are ranked by: the probability times the strength of each relation and the rarity of the
    /// parties in between. Over 0, at most 1.
    pub score: f64,
    /// The product of the shares of all hops that are not kin, where they all go down, or all up; percent.
    pub share: Option<String>,
    /// When all hops held at once: days since 1970-01-01, half open; `None` is an open end.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
}

/// Millionths of a nat of a factor from just over 0 to 1.
fn cost(factor: f64) -> u32 {
    // At most about 40 nats: casts of floats saturate.
    (-factor.max(1e-17).ln() * 1e6).round() as u32
}

/// What a relation of that kind says of an interest. Chosen so that one hop more weighs about as much as one
/// step less of sureness; they order paths and are no probabilities.
fn strength(relation: Relation) -> f64 {
    match relation.doubt() {
        0 => 0.95,
        1 => 0.9,
        2 => 0.8,
        _ => 0.5,
    }
}

/// A holding below this share, in ten-thousandths of a percent, says little: 5 %, from which holders of listed
/// companies are disclosed (证券法 63). Anybody may hold less of those.
const SMALL_SHARE: i64 = 50_000;
const SMALL_STRENGTH: f64 = 0.3;

pub(crate) fn edge_cost(edge: &Edge) -> u32 {
    let holds = matches!(edge.relation, Relation::Shareholder | Relation::BeneficialOwner);
    let small = holds && edge.share.is_some_and(|share| share < SMALL_SHARE);
    let strength = if small {
        SMALL_STRENGTH
    } else {
        strength(edge.relation)
    };
    cost(edge.certainty.probability() * strength)
}

/// How likely two of `degree` parties with one value are tied.
pub(crate) fn shared_probability(kind: AttributeKind, degree: usize) -> f64 {
    let proves = match kind {
        AttributeKind::Account => 0.9,
        AttributeKind::Phone | AttributeKind::Email => 0.7,
        AttributeKind::Address => 0.5,
    };
    proves / (degree.max(2) - 1) as f64
}

impl Graph {
    /// The best paths from any of `from` to any of `to` over edges in either direction and shared values,
    /// best first: the greatest score, then the fewest hops. No path meets a party twice, no two meet the same
    /// parties in the same order; of several ties between two parties the surest is shown. A path ends at the
    /// first of `to` it meets, goes over no value twice in a row, passes no other of `from`, and passes no body of the state, which ties all to
    /// all (公司法 265). A party in both sets is a start.
    ///
    /// `truncated` when `visits_max` cut the search: then a better path may be missing.
    pub fn best_paths(
        &self,
        from: &[&str],
        to: &[&str],
        question: RouteQuestion,
    ) -> Result<Answer<Route<'_>>, GraphError> {
        check_hops(question.max_hops)?;
        let numbers = |ids: &[&str]| {
            let mut numbers = ids
                .iter()
                .map(|id| self.number(id))
                .collect::<Result<Vec<_>, _>>()?;
            numbers.sort_unstable();
            numbers.dedup();
            Ok::<_, GraphError>(numbers)
        };
        let starts = numbers(from)?;
        let mut ends = numbers(to)?;
        ends.retain(|end| starts.binary_search(end).is_err());
        let (found, truncated) = search::best(self, &starts, &ends, question);
        Ok(Answer {
            rows: found.iter().map(|found| self.route(found)).collect(),
            truncated,
        })
    }

    fn route(&self, found: &Found) -> Route<'_> {
        let mut hops = Vec::with_capacity(found.steps.len());
        let mut interval = Interval::ALWAYS;
        let mut shares = Some(Vec::new());
        let (mut all_down, mut all_up) = (true, true);
        let mut from = found.start;
        for step in &found.steps {
            let (hop, held) = match *step {
                Step::Edge { edge, party } => {
                    let number = edge;
                    let edge = &self.edges[number as usize];
                    if !edge.relation.is_kin() {
                        all_down &= edge.from == from;
                        all_up &= edge.to == from;
                        let branch = edge.relation == Relation::Branch;
                        let share = if branch { Some(1_000_000) } else { edge.share };
                        shares = shares.zip(share).map(|(mut shares, share): (Vec<i64>, i64)| {
                            shares.push(share);
                            shares
                        });
                    }
                    let tie = Tie::Relation {
                        relation: edge.relation,
                        downwards: edge.from == from,
                        source: &edge.source,
                    };
                    let hop = self.route_hop(from, party, tie, edge.certainty.probability(), edge.interval);
                    let share = edge.share.map(percent_text);
                    (RouteHop { share, ..hop }, edge.interval)
                }
                Step::Value { value, party } => {
                    shares = None;
                    let sharing = self.attributes.sharing(value);
                    let tie = shared_tie(sharing, from, party);
                    let probability = shared_probability(sharing[0].kind, sharing.len());
                    (
                        self.route_hop(from, party, tie, probability, Interval::ALWAYS),
                        Interval::ALWAYS,
                    )
                }
            };
            interval = interval.intersect(held);
            from = step.party();
            hops.push(hop);
        }
        Route {
            probability: hops.iter().map(|h| h.probability).product(),
            score: (-(found.cost as f64) / 1e6).exp(),
            share: shares
                .filter(|_| all_down || all_up)
                .and_then(|shares| combined_share(&shares)),
            valid_from: interval.valid_from(),
            valid_to: interval.valid_to(),
            hops,
        }
    }

    fn route_hop<'g>(
        &'g self,
        from: u32,
        to: u32,
        tie: Tie<'g>,
        probability: f64,
        interval: Interval,
    ) -> RouteHop<'g> {
        let (from, to) = (&self.parties[from as usize], &self.parties[to as usize]);
        RouteHop {
            from: &from.party_id,
            from_name: &from.name,
            to: &to.party_id,
            to_name: &to.name,
            tie,
            share: None,
            probability,
            valid_from: interval.valid_from(),
            valid_to: interval.valid_to(),
        }
    }
}

/// The tie of two of the parties that share a value.
fn shared_tie(sharing: &[Attribute], from: u32, to: u32) -> Tie<'_> {
    let row = |party: u32| sharing.iter().find(|a| a.party == party).unwrap_or(&sharing[0]);
    Tie::Shared {
        kind: sharing[0].kind,
        value: &sharing[0].value,
        degree: sharing.len() as u32,
        from_source: &row(from).source,
        to_source: &row(to).source,
    }
}
