//! Who lies between the two ends, and what it costs at least to get from there to a target.

use super::{FAR, NEVER, Search, cost, entering, shared_probability};

impl Search<'_> {
    /// Marks who is how far from either side; gives the two radii.
    pub(super) fn spread(&mut self, starts: &[u32], targets: &[u32]) -> (u8, u8) {
        let mut fronts = [starts.to_vec(), targets.to_vec()];
        let mut radii = [0u8; 2];
        while usize::from(radii[0] + radii[1]) < self.question.max_hops {
            let work = |side: usize| -> usize {
                let ties = |p: &u32| self.graph.around.of(*p).len() + self.values(*p).len();
                fronts[side].iter().map(ties).sum()
            };
            let side = usize::from(work(1) < work(0));
            radii[side] += 1;
            let front = std::mem::take(&mut fronts[side]);
            fronts[side] = self.spread_one(side, &front, radii[side]);
        }
        (radii[0], radii[1])
    }

    fn spread_one(&mut self, side: usize, front: &[u32], radius: u8) -> Vec<u32> {
        let mut next = Vec::new();
        let (graph, window) = (self.graph, self.window);
        for party in front {
            let Some(met) = self.known(*party) else { continue };
            let ends = if side == 0 { met.is_target } else { met.is_start };
            let begins = if side == 0 { met.is_start } else { met.is_target };
            if ends || (met.pass == NEVER && !begins) {
                continue;
            }
            for near in graph.around.of(*party) {
                self.visits += 1;
                if !near.interval.intersect(window).is_empty() {
                    self.mark(side, near.link.party, radius, &mut next);
                }
            }
            for at in 0..self.values(*party).len() {
                let value = self.values(*party)[at];
                if self.followed[side].insert(value) {
                    for attribute in graph.attributes.sharing(value) {
                        self.visits += 1;
                        self.mark(side, attribute.party, radius, &mut next);
                    }
                }
            }
            if self.visits > graph.options.route_visits_max {
                self.truncated = true;
                break;
            }
        }
        next
    }

    fn mark(&mut self, side: usize, party: u32, radius: u8, next: &mut Vec<u32>) {
        let at = self.meet(party);
        let met = &mut self.met[at];
        let distance = if side == 0 {
            &mut met.forward
        } else {
            &mut met.backward
        };
        if *distance == FAR {
            *distance = radius;
            next.push(party);
        }
    }

    /// Costs in at most k hops, for k up to the radius around the targets, from each party to those before it.
    pub(super) fn cost_backward(&mut self, radius: u8) {
        let graph = self.graph;
        let mut order: Vec<u32> = (0..self.met.len() as u32)
            .filter(|at| self.met[*at as usize].backward < radius)
            .collect();
        order.sort_unstable_by_key(|at| self.met[*at as usize].backward);
        for hops in 1..=radius {
            let k = usize::from(hops);
            for met in &mut self.met {
                met.costs[k] = met.costs[k - 1];
            }
            for at in &order {
                let met = self.met[*at as usize];
                if met.backward >= hops {
                    break;
                }
                let onward = entering(&met, met.costs[k - 1]);
                if onward == NEVER {
                    continue;
                }
                for near in graph.around.of(met.party) {
                    if near.interval.intersect(self.window).is_empty() {
                        continue;
                    }
                    let place = self.places[near.link.party as usize];
                    if let Some(at) = place.checked_sub(1) {
                        let costs = &mut self.met[at as usize].costs[k];
                        *costs = (*costs).min(onward.saturating_add(near.cost));
                    }
                }
            }
            // Values among these parties, each once a layer.
            if self.question.over_attributes {
                let mut values: Vec<u32> = order
                    .iter()
                    .map(|at| &self.met[*at as usize])
                    .take_while(|met| met.backward < hops)
                    .flat_map(|met| graph.attributes.of(met.party).iter().copied())
                    .collect();
                values.sort_unstable();
                values.dedup();
                for value in values {
                    let over = self.value_cost(value, hops);
                    if over == NEVER {
                        continue;
                    }
                    for attribute in graph.attributes.sharing(value) {
                        let place = self.places[attribute.party as usize];
                        if let Some(at) = place.checked_sub(1) {
                            let costs = &mut self.met[at as usize].costs[k];
                            *costs = (*costs).min(over);
                        }
                    }
                }
            }
        }
    }

    /// Costs in more hops than the radius around the targets, for parties near enough to a start.
    pub(super) fn cost_forward(&mut self, forward: u8, backward: u8) {
        let graph = self.graph;
        let most = forward + backward;
        let mut order: Vec<u32> = (0..self.met.len() as u32)
            .filter(|at| self.met[*at as usize].forward < forward)
            .collect();
        order.sort_unstable_by_key(|at| self.met[*at as usize].forward);
        for hops in backward + 1..=most {
            let k = usize::from(hops);
            for at in &order {
                let met = self.met[*at as usize];
                if met.forward > most - hops {
                    break;
                }
                let mut least = met.costs[k - 1];
                for near in graph.around.of(met.party) {
                    if near.interval.intersect(self.window).is_empty() {
                        continue;
                    }
                    if let Some(far) = self.known(near.link.party) {
                        least = least.min(entering(far, far.costs[k - 1]).saturating_add(near.cost));
                    }
                }
                for value in 0..self.values(met.party).len() {
                    least = least.min(self.value_cost(self.values(met.party)[value], hops));
                }
                self.met[*at as usize].costs[k] = least;
            }
        }
    }

    /// The least cost from a party over a value to a target in at most `hops` hops.
    pub(super) fn value_cost(&mut self, value: u32, hops: u8) -> u32 {
        if let Some(cost) = self.value_costs.get(&(value, hops)) {
            return *cost;
        }
        let sharing = self.graph.attributes.sharing(value);
        let mut least = NEVER;
        if sharing.len() > 1 {
            self.visits += sharing.len() as u64;
            for attribute in sharing {
                if let Some(met) = self.known(attribute.party) {
                    least = least.min(entering(met, met.costs[usize::from(hops) - 1]));
                }
            }
            least = least.saturating_add(self.tie_cost(value));
        }
        self.value_costs.insert((value, hops), least);
        least
    }

    pub(super) fn tie_cost(&self, value: u32) -> u32 {
        let sharing = self.graph.attributes.sharing(value);
        cost(shared_probability(sharing[0].kind, sharing.len()))
    }
}
