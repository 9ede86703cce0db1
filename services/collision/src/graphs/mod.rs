//! The graph of a snapshot, and the table functions that put its answers into SQL.

pub(crate) mod answers;
mod build;
mod delta;
mod functions;
mod kept;
mod networks;
pub mod questions;

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use graph::Graph;

use build::market;
pub use kept::Graphs;

use crate::data::Snapshot;
use crate::error::Result;

/// The table functions over the graph.
pub const FUNCTIONS: [&str; 9] = [
    "related_parties",
    "shared_attributes",
    "components",
    "related_suppliers",
    "ownership",
    "communities",
    "co_bidding",
    "bidders",
    "bidding_communities",
];

/// Whether one of these functions is over the graph.
pub fn are_asked<'f>(functions: impl IntoIterator<Item = &'f String>) -> bool {
    functions.into_iter().any(|f| FUNCTIONS.contains(&f.as_str()))
}

/// The datasets that the graph is built from.
pub const DATASETS: [&str; 6] = [
    "staff",
    "suppliers",
    "relations",
    "declarations",
    "bids",
    "rep_registrations",
];

/// Registers the table functions over the graph of the snapshot that `context` shows.
pub async fn register(context: &SessionContext, snapshot: &Arc<dyn Snapshot>, graphs: &Graphs) -> Result<()> {
    let graph = graphs.of(context, snapshot).await?;
    register_graph(context, graph).await
}

/// Registers the table functions of a graph that was built already.
pub async fn register_graph(context: &SessionContext, graph: Arc<Graph>) -> Result<()> {
    let market = Arc::new(market(context).await?);
    functions::register(context, graph, market);
    Ok(())
}

#[cfg(test)]
mod tests;
