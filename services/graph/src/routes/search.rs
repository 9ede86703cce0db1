//! Best-first search of loopless paths under a bound of hops, towards targets whose distance is known.
//!
//! First the parties around both ends are found, the side with fewer edges going on, until the two radii sum
//! to the bound: whatever lies on a path is within one of them. Then what it costs at least to get from
//! there to a target in at most k hops, for each k. That is exact but for loops, so that the search which
//! follows it hardly ever leaves the best paths (Hart, Nilsson and Raphael 1968; the bound by backward costs
//! as in Eppstein, SIAM J. Comput. 28, 1998).

mod reach;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;
use hashbrown::HashSet;

use super::{RouteQuestion, cost, shared_probability};
use crate::adjacency::Near;
use crate::interval::Interval;
use crate::search::HOPS_MAX;
use crate::snapshot::Graph;

/// A hop of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Edge { edge: u32, party: u32 },
    Value { value: u32, party: u32 },
}

impl Step {
    pub fn party(self) -> u32 {
        match self {
            Self::Edge { party, .. } | Self::Value { party, .. } => party,
        }
    }
}

/// A path by numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub start: u32,
    pub steps: Vec<Step>,
    /// Millionths of a nat.
    pub cost: u64,
}

const FAR: u8 = u8::MAX;
const NEVER: u32 = u32::MAX;

/// The least costs to a target in at most 0, 1, .. hops.
type Costs = [u32; HOPS_MAX + 1];

/// A party that the search has met.
#[derive(Clone, Copy)]
struct Met {
    party: u32,
    /// Hops from a start and from a target.
    forward: u8,
    backward: u8,
    is_start: bool,
    is_target: bool,
    /// What passing it costs; `NEVER` when it may not be passed.
    pass: u32,
    costs: Costs,
}

struct Search<'g> {
    graph: &'g Graph,
    question: RouteQuestion,
    window: Interval,
    /// From a party to its place in `met` plus one; 0 is not met.
    places: Vec<u32>,
    met: Vec<Met>,
    /// Values that were followed, on either side.
    followed: [HashSet<u32>; 2],
    /// The least cost over a value in at most k hops, as far as known.
    value_costs: HashMap<(u32, u8), u32>,
    visits: u64,
    truncated: bool,
}

/// A partial path: what it goes over last, and the state before.
struct Partial {
    before: u32,
    at: At,
    cost: u64,
    hops: u8,
    interval: Interval,
}

#[derive(Clone, Copy)]
enum At {
    Start(u32),
    Step(Step),
    /// At a value, on the way from the party before.
    Value(u32),
}

/// The best paths from `starts` to `targets`, two sets without a common party; whether the search was cut.
pub(super) fn best(
    graph: &Graph,
    starts: &[u32],
    targets: &[u32],
    question: RouteQuestion,
) -> (Vec<Found>, bool) {
    let mut search = Search {
        graph,
        question,
        window: question.day.map_or(Interval::ALWAYS, Interval::day),
        places: vec![0; graph.parties.len()],
        met: Vec::new(),
        followed: [HashSet::new(), HashSet::new()],
        value_costs: HashMap::new(),
        visits: 0,
        truncated: false,
    };
    for start in starts {
        let at = search.meet(*start);
        (search.met[at].is_start, search.met[at].forward) = (true, 0);
    }
    for target in targets {
        let at = search.meet(*target);
        let met = &mut search.met[at];
        (met.is_target, met.backward, met.costs) = (true, 0, [0; HOPS_MAX + 1]);
    }
    let (forward, backward) = search.spread(starts, targets);
    search.cost_backward(backward);
    search.cost_forward(forward, backward);
    let found = search.best_first(starts);
    (found, search.truncated)
}

impl Search<'_> {
    /// The place of a party, new or known.
    fn meet(&mut self, party: u32) -> usize {
        let place = &mut self.places[party as usize];
        if *place == 0 {
            self.met.push(Met {
                party,
                forward: FAR,
                backward: FAR,
                is_start: false,
                is_target: false,
                pass: pass_cost(self.graph, party),
                costs: [NEVER; HOPS_MAX + 1],
            });
            *place = self.met.len() as u32;
        }
        *place as usize - 1
    }

    fn known(&self, party: u32) -> Option<&Met> {
        let place = self.places[party as usize] as usize;
        place.checked_sub(1).map(|at| &self.met[at])
    }

    fn near(&self, party: u32) -> impl Iterator<Item = &Near> {
        let window = self.window;
        let held = move |near: &&Near| !near.interval.intersect(window).is_empty();
        self.graph.around.of(party).iter().filter(held)
    }

    fn values(&self, party: u32) -> &[u32] {
        if self.question.over_attributes {
            self.graph.attributes.of(party)
        } else {
            &[]
        }
    }

    fn best_first(&mut self, starts: &[u32]) -> Vec<Found> {
        let most = self.question.max_hops as u8;
        let mut states: Vec<Partial> = Vec::new();
        // (least cost of a whole path, hops so far, state)
        let mut heap: BinaryHeap<Reverse<(u64, u8, u32)>> = BinaryHeap::new();
        for start in starts {
            let least = self
                .known(*start)
                .map_or(NEVER, |met| met.costs[usize::from(most)]);
            if least < NEVER {
                heap.push(Reverse((u64::from(least), 0, states.len() as u32)));
                states.push(Partial {
                    before: NEVER,
                    at: At::Start(*start),
                    cost: 0,
                    hops: 0,
                    interval: self.window,
                });
            }
        }
        let mut found: Vec<Found> = Vec::new();
        let mut told: HashSet<Vec<u32>> = HashSet::new();
        let mut pairs: HashMap<(u32, u32), usize> = HashMap::new();
        let mut next: Vec<Candidate> = Vec::new();
        while let Some(Reverse((_, _, at))) = heap.pop() {
            if found.len() >= self.question.limit {
                break;
            }
            if self.visits > self.graph.options.route_visits_max {
                self.truncated = true;
                break;
            }
            let state = &states[at as usize];
            let (hops, cost, interval) = (state.hops, state.cost, state.interval);
            let party = match state.at {
                At::Start(party) => Some(party),
                At::Step(step) => Some(step.party()),
                At::Value(_) => None,
            };
            if party.and_then(|p| self.known(p)).is_some_and(|met| met.is_target) {
                let (start, steps) = whole(&states, at);
                let mut parties = vec![start];
                parties.extend(steps.iter().map(|s| s.party()));
                let pair = pairs.entry((start, parties[parties.len() - 1])).or_default();
                if *pair < self.question.per_pair_max && told.insert(parties) {
                    *pair += 1;
                    found.push(Found { start, steps, cost });
                }
                continue;
            }
            next.clear();
            self.candidates(&states, at, most - hops, &mut next);
            let (mut passed, mut last) = (Vec::new(), at);
            loop {
                let state = &states[last as usize];
                match state.at {
                    At::Start(party) => {
                        passed.push(party);
                        break;
                    }
                    At::Step(step) => passed.push(step.party()),
                    At::Value(_) => {}
                }
                last = state.before;
            }
            for candidate in &next {
                let interval = interval.intersect(candidate.interval);
                let is_new = candidate.party.is_none_or(|party| !passed.contains(&party));
                if !is_new || interval.is_empty() {
                    continue;
                }
                let steps = u8::from(candidate.party.is_some());
                let state = Partial {
                    before: at,
                    at: candidate.at,
                    cost: cost + u64::from(candidate.cost),
                    hops: hops + steps,
                    interval,
                };
                let least = state.cost + u64::from(candidate.onward);
                heap.push(Reverse((least, state.hops, states.len() as u32)));
                states.push(state);
            }
        }
        found
    }

    /// Where a partial path may go on, with `remaining` hops to go.
    fn candidates(&mut self, states: &[Partial], at: u32, remaining: u8, next: &mut Vec<Candidate>) {
        let graph = self.graph;
        let state = &states[at as usize];
        let left = usize::from(remaining);
        if remaining == 0 {
            return;
        }
        let (party, came_over) = match state.at {
            At::Start(party) => (party, None),
            At::Step(Step::Value { value, party }) => (party, Some(value)),
            At::Step(step) => (step.party(), None),
            At::Value(value) => {
                for attribute in graph.attributes.sharing(value) {
                    self.visits += 1;
                    let Some(met) = self.known(attribute.party) else {
                        continue;
                    };
                    let (enter, onward) = (entering(met, 0), met.costs[left - 1]);
                    if enter < NEVER && onward < NEVER {
                        next.push(Candidate {
                            at: At::Step(Step::Value {
                                value,
                                party: attribute.party,
                            }),
                            party: Some(attribute.party),
                            cost: enter,
                            onward,
                            interval: Interval::ALWAYS,
                        });
                    }
                }
                return;
            }
        };
        self.visits += graph.around.of(party).len() as u64;
        for near in self.near(party) {
            let Some(met) = self.known(near.link.party) else {
                continue;
            };
            let (enter, onward) = (entering(met, near.cost), met.costs[left - 1]);
            if enter < NEVER && onward < NEVER {
                next.push(Candidate {
                    at: At::Step(Step::Edge {
                        edge: near.link.edge,
                        party: near.link.party,
                    }),
                    party: Some(near.link.party),
                    cost: enter,
                    onward,
                    interval: near.interval,
                });
            }
        }
        // Of several edges to one party only those that no likelier one outlasts.
        let day = self.question.day.is_some();
        next.sort_by_key(|c| (c.party, c.cost));
        next.dedup_by(|b, a| a.party == b.party && (day || a.interval.contains(b.interval)));
        for value in 0..self.values(party).len() {
            let value = self.values(party)[value];
            let onward = self.value_cost(value, remaining);
            if onward < NEVER && came_over != Some(value) {
                let cost = self.tie_cost(value);
                next.push(Candidate {
                    at: At::Value(value),
                    party: None,
                    cost,
                    onward: onward - cost,
                    interval: Interval::ALWAYS,
                });
            }
        }
    }
}

/// A state that may follow.
struct Candidate {
    at: At,
    /// `None` at a value.
    party: Option<u32>,
    /// Of the step alone.
    cost: u32,
    /// The least from there to a target.
    onward: u32,
    interval: Interval,
}

/// What it costs to go on from a party after entering it: nothing more at a target, never through a start.
fn entering(met: &Met, cost: u32) -> u32 {
    if met.is_target {
        cost
    } else if met.is_start || met.pass == NEVER {
        NEVER
    } else {
        cost.saturating_add(met.pass)
    }
}

/// What it costs a path to pass a party with many ties; bodies of the state are not passed.
fn pass_cost(graph: &Graph, party: u32) -> u32 {
    if graph.state[party as usize] {
        return NEVER;
    }
    let (ties, usual) = (
        graph.around.of(party).len(),
        graph.options.attribute_degree_max.max(1),
    );
    if ties > usual {
        cost(usual as f64 / ties as f64)
    } else {
        0
    }
}

/// The start and the steps of the path that ends in a state.
fn whole(states: &[Partial], mut at: u32) -> (u32, Vec<Step>) {
    let mut steps = Vec::new();
    loop {
        let state = &states[at as usize];
        match state.at {
            At::Start(party) => {
                steps.reverse();
                return (party, steps);
            }
            At::Step(step) => steps.push(step),
            At::Value(_) => {}
        }
        at = state.before;
    }
}
