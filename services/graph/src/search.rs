//! Bounded search of simple paths, shortest first, with the interval in which all hops held.

use crate::adjacency::{Link, Links};
use crate::error::GraphError;
use crate::interval::Interval;
use crate::overlay::Overlaid;
use crate::snapshot::Edge;

/// The longest path that may be asked for.
pub(crate) const HOPS_MAX: usize = 8;

pub(crate) fn check_hops(max_hops: usize) -> Result<usize, GraphError> {
    if (1..=HOPS_MAX).contains(&max_hops) {
        Ok(max_hops)
    } else {
        Err(GraphError::HopLimit(max_hops))
    }
}

/// What a search runs over and what bounds it.
pub(crate) struct Search<'g, R> {
    pub edges: &'g Overlaid<Edge>,
    pub links: &'g Links,
    pub max_hops: usize,
    /// Hops that do not hold at any time in it are not taken.
    pub window: Interval,
    /// The fewest hops from a party to a target, 0 for a target, `None` when there is no way.
    pub remaining: R,
    pub visits_max: u64,
}

impl<R: Fn(u32) -> Option<u8>> Search<'_, R> {
    /// Calls `found` with every path from `start` to a target that meets no party twice and whose hops held
    /// at the same time: all of one hop, then all of two, and so on. Returns false when `visits_max` cut it;
    /// every path shorter than the last one found has been found then.
    pub fn run(&self, start: u32, mut found: impl FnMut(&[Link], Interval)) -> bool {
        let mut visits = 0;
        let mut path: Vec<Link> = Vec::with_capacity(self.max_hops);
        // One entry per hop: the interval so far, and which link to try next.
        let mut stack: Vec<(Interval, usize)> = Vec::with_capacity(self.max_hops);
        for length in 1..=self.max_hops {
            stack.push((self.window, 0));
            while let Some((interval, next)) = stack.last_mut() {
                let at = path.last().map_or(start, |link| link.party);
                let Some(link) = self.links.of(at).get(*next).copied() else {
                    stack.pop();
                    path.pop();
                    continue;
                };
                *next += 1;
                visits += 1;
                if visits > self.visits_max {
                    return false;
                }
                let hops = path.len() + 1;
                let reach = (self.remaining)(link.party).map_or(usize::MAX, |r| hops + usize::from(r));
                if reach > length || link.party == start || path.iter().any(|l| l.party == link.party) {
                    continue;
                }
                let interval = interval.intersect(self.edges[link.edge as usize].interval);
                if interval.is_empty() {
                    continue;
                }
                path.push(link);
                if hops == length {
                    found(&path, interval);
                    path.pop();
                } else {
                    stack.push((interval, 0));
                }
            }
        }
        true
    }
}
