//! Ownership, communities and the networks of bidders as columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringViewArray};
use datafusion::error::Result;
use graph::{Graph, Market};

use super::functions::{batch, counts, graph_error, text, told_when_cut};

fn fractions(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn flags(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(BooleanArray::from_iter(values.map(Some)))
}

pub(super) fn ownership(graph: &Graph, day: i32, min_share: f64) -> Result<RecordBatch> {
    let answer = graph.ownership(day, min_share).map_err(graph_error)?;
    told_when_cut(answer.truncated, "ownership");
    for group in &answer.unowned {
        tracing::warn!(
            companies = group.company_ids.len(),
            closed = group.closed,
            "graph.ownership.unowned: companies that hold one another have no integrated shares"
        );
    }
    let rows = &answer.rows;
    batch(vec![
        ("owner_id", text(rows.iter().map(|r| r.owner_id))),
        ("company_id", text(rows.iter().map(|r| r.company_id))),
        (
            "integrated_share",
            fractions(rows.iter().map(|r| r.integrated_share)),
        ),
        ("controls", flags(rows.iter().map(|r| r.controls))),
        ("is_person", flags(rows.iter().map(|r| r.is_person))),
    ])
}

pub(super) fn communities(graph: &Graph) -> Result<RecordBatch> {
    let rows = graph.communities();
    batch(vec![
        ("party_id", text(rows.iter().map(|r| r.party_id))),
        ("community_id", text(rows.iter().map(|r| r.community_id))),
        ("size", counts(rows.iter().map(|r| r.size as usize))),
    ])
}

pub(super) fn co_bidding(market: &Market) -> Result<RecordBatch> {
    let rows = market.co_bidding();
    batch(vec![
        ("a_party_id", text(rows.iter().map(|r| r.a_party_id))),
        ("b_party_id", text(rows.iter().map(|r| r.b_party_id))),
        ("tenders", counts(rows.iter().map(|r| r.tenders as usize))),
        ("a_tenders", counts(rows.iter().map(|r| r.a_tenders as usize))),
        ("b_tenders", counts(rows.iter().map(|r| r.b_tenders as usize))),
        ("overlap", fractions(rows.iter().map(|r| r.overlap))),
        ("a_wins", counts(rows.iter().map(|r| r.a_wins as usize))),
        ("b_wins", counts(rows.iter().map(|r| r.b_wins as usize))),
    ])
}

pub(super) fn bidders(market: &Market) -> Result<RecordBatch> {
    let rows = market.bidders();
    let winners: StringViewArray = rows.iter().map(|r| r.main_winner_id).collect();
    batch(vec![
        ("party_id", text(rows.iter().map(|r| r.party_id))),
        ("tenders", counts(rows.iter().map(|r| r.tenders as usize))),
        ("wins", counts(rows.iter().map(|r| r.wins as usize))),
        ("losses", counts(rows.iter().map(|r| r.losses as usize))),
        ("main_winner_id", Arc::new(winners)),
        (
            "main_winner_losses",
            counts(rows.iter().map(|r| r.main_winner_losses as usize)),
        ),
        ("pagerank", fractions(rows.iter().map(|r| r.pagerank))),
    ])
}

pub(super) fn bidding_communities(market: &Market) -> Result<RecordBatch> {
    let rows = market.communities();
    batch(vec![
        ("party_id", text(rows.iter().map(|r| r.party_id))),
        ("community_id", text(rows.iter().map(|r| r.community_id))),
        ("size", counts(rows.iter().map(|r| r.size as usize))),
        ("cohesion", fractions(rows.iter().map(|r| r.cohesion))),
        ("exclusivity", fractions(rows.iter().map(|r| r.exclusivity))),
        ("tenders", counts(rows.iter().map(|r| r.tenders as usize))),
        (
            "community_wins",
            counts(rows.iter().map(|r| r.community_wins as usize)),
        ),
        ("wins", counts(rows.iter().map(|r| r.wins as usize))),
        ("rotation", fractions(rows.iter().map(|r| r.rotation))),
        ("turns", fractions(rows.iter().map(|r| r.turns))),
        ("concentration", fractions(rows.iter().map(|r| r.concentration))),
    ])
}
