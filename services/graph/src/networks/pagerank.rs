//! PageRank (Page, Brin, Motwani and Winograd, 1999) of a weighted directed network.

/// How often the walker follows an edge rather than jumping.
const DAMPING: f64 = 0.85;
const ROUNDS_MAX: usize = 500;
/// Rounds end when all ranks together change by less.
const CHANGE_MAX: f64 = 1e-13;

/// The rank of each of `count` nodes; they sum to 1. `edges` are (from, to, weight above 0). A node that no
/// edge leaves jumps to all alike.
pub(super) fn pagerank(count: usize, edges: &[(u32, u32, f64)]) -> Vec<f64> {
    let mut out = vec![0.0f64; count];
    edges
        .iter()
        .for_each(|(from, _, weight)| out[*from as usize] += weight);
    let even = 1.0 / count.max(1) as f64;
    let mut ranks = vec![even; count];
    for _ in 0..ROUNDS_MAX {
        let stuck: f64 = ranks
            .iter()
            .zip(&out)
            .filter(|(_, out)| **out <= 0.0)
            .map(|(rank, _)| rank)
            .sum();
        let mut next = vec![(1.0 - DAMPING + DAMPING * stuck) * even; count];
        for (from, to, weight) in edges {
            next[*to as usize] += DAMPING * ranks[*from as usize] * weight / out[*from as usize];
        }
        let change: f64 = ranks.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
        ranks = next;
        if change < CHANGE_MAX {
            break;
        }
    }
    ranks
}
