//! Communities by the Leiden algorithm (Traag, Waltman and van Eck, Scientific Reports 9, 2019, 5233).

use leiden_rs::{GraphDataBuilder, Leiden, LeidenConfig};

use crate::routes::shared_probability;
use crate::snapshot::Graph;

/// The same graph gives the same communities: the order of parties is that of their ids, the seed is fixed.
const SEED: u64 = 20_241_101;
const ROUNDS_MAX: usize = 50;

/// A party's community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Community<'g> {
    pub party_id: &'g str,
    /// The least party id of the community.
    pub community_id: &'g str,
    /// Parties in it.
    pub size: u32,
}

/// For each of `count` nodes the least node of its community; `edges` are undirected, of weight above 0.
pub(super) fn leiden(count: usize, edges: impl Iterator<Item = (u32, u32, f64)>) -> Vec<u32> {
    let mut edges: Vec<(u32, u32, f64)> = edges
        .filter(|(a, b, weight)| a != b && weight.is_finite() && *weight > 0.0)
        .map(|(a, b, weight)| (a.min(b), a.max(b), weight))
        .collect();
    // Weights of parallel edges are summed: always in the same order.
    edges.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.total_cmp(&b.2)));
    let mut builder = GraphDataBuilder::new(count);
    let mut any = false;
    for (a, b, weight) in edges {
        any |= builder.add_edge(a as usize, b as usize, weight).is_ok();
    }
    let alone = || (0..count as u32).collect();
    let config = LeidenConfig::builder()
        .seed(SEED)
        .max_iterations(ROUNDS_MAX)
        .build();
    let found = any.then(|| Leiden::new(config).run(&builder.build()?));
    let Some(Ok(output)) = found else {
        // Without an edge everybody is alone.
        return alone();
    };
    let labels = output.partition.as_slice();
    let mut least = vec![u32::MAX; labels.iter().max().map_or(0, |most| most + 1)];
    for (node, label) in labels.iter().enumerate().rev() {
        least[*label] = node as u32;
    }
    labels.iter().map(|label| least[*label]).collect()
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
