//! Which parties hang together more closely than with others.

use super::leiden::leiden;
use crate::routes::shared_probability;
use crate::snapshot::Graph;

/// A party's community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Community<'g> {
    pub party_id: &'g str,
    /// The least party id of the community.
    pub community_id: &'g str,
    /// Parties in it.
    pub size: u32,
}

impl Graph {
    /// Which parties hang together more closely than with others, by edges of any time and rare shared
    /// values; bodies of the state and hubs of values are left out. Every party has a row, by party id.
    ///
    /// Ties weigh as in [`Graph::best_paths`]: certainty times strength, and for a value what it proves over
    /// the number of others who have it. Modularity at resolution 1.
    pub fn communities(&self) -> Vec<Community<'_>> {
        let count = self.parties.len();
        let free = |party: u32| !self.state[party as usize];
        let edges = self.around_once().filter(|(a, b, _)| free(*a) && free(*b));
        let values = (0..self.attributes.values() as u32).flat_map(|value| {
            let sharing = self.attributes.sharing(value);
            let most = self.options.attribute_degree_max;
            let sharing = if sharing.len() > most { &[][..] } else { sharing };
            let weight = sharing
                .first()
                .map_or(0.0, |a| shared_probability(a.kind, sharing.len()));
            sharing
                .iter()
                .enumerate()
                .flat_map(move |(at, a)| sharing[at + 1..].iter().map(move |b| (a.party, b.party, weight)))
        });
        let by_rank = |(a, b, weight)| (self.rank(a), self.rank(b), weight);
        let least = leiden(count, edges.chain(values).map(by_rank));
        let mut sizes = vec![0u32; count];
        least.iter().for_each(|l| sizes[*l as usize] += 1);
        let ids: Vec<&str> = self.parties().map(|p| p.party_id.as_str()).collect();
        let row = |(at, least): (usize, &u32)| Community {
            party_id: ids[at],
            community_id: ids[*least as usize],
            size: sizes[*least as usize],
        };
        least.iter().enumerate().map(row).collect()
    }

    /// Each edge once, as (party, party, weight from 0 to 1).
    fn around_once(&self) -> impl Iterator<Item = (u32, u32, f64)> + '_ {
        (0..self.parties.len() as u32).flat_map(|party| {
            let near = self.around.of(party).iter();
            near.filter(move |near| near.link.party > party)
                .map(move |near| (party, near.link.party, (-f64::from(near.cost) / 1e6).exp()))
        })
    }
}
