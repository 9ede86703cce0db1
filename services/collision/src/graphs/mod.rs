//! The graph of a snapshot, and the table functions that put its answers into SQL.

mod build;
mod functions;
pub mod questions;

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use graph::Graph;

pub use build::build;

use crate::data::Snapshot;
use crate::error::Result;

/// The table functions over the graph.
pub const FUNCTIONS: [&str; 4] = [
    "related_parties",
    "shared_attributes",
    "components",
    "related_suppliers",
];

/// The datasets that the graph is built from.
pub const DATASETS: [&str; 6] = [
    "staff",
    "suppliers",
    "relations",
    "declarations",
    "bids",
    "rep_registrations",
];

/// Builds the graph of the snapshot that `context` shows and registers its table functions there.
pub async fn register(context: &SessionContext, snapshot: &Arc<dyn Snapshot>) -> Result<()> {
    let graph: Arc<Graph> = Arc::new(build(context, snapshot).await?);
    register_graph(context, graph);
    Ok(())
}

/// Registers the table functions of a graph that was built already.
pub fn register_graph(context: &SessionContext, graph: Arc<Graph>) {
    functions::register(context, graph);
}
