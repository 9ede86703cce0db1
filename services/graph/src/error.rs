//! What can go wrong with a graph, and its form beyond this crate.

use domain::Failure;

/// A graph that cannot be built or a question that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("the graph has {0} parties or edges, more than the {max} it can number", max = u32::MAX - 1)]
    TooLarge(usize),
    #[error("two parties have the id {0}: resolve mentions anew")]
    DuplicateParty(String),
    #[error("there is no party {0} in this snapshot: find its id with `lianjing party`")]
    UnknownParty(String),
    #[error("a path may have 1 to {max} hops, not {0}", max = crate::search::HOPS_MAX)]
    HopLimit(usize),
    #[error("the least share is {0}; it is a fraction from 0 to 1: 0.25 for 25 %")]
    MinShare(String),
}

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Self {
        match &error {
            GraphError::TooLarge(_) => Failure::new(
                domain::FailureKind::Exhausted,
                "GRAPH_TOO_LARGE",
                error.to_string(),
            ),
            GraphError::DuplicateParty(_) => Failure::internal(&error),
            GraphError::UnknownParty(_) => Failure::not_found("PARTY_NOT_FOUND", error.to_string()),
            GraphError::HopLimit(_) => Failure::invalid("HOP_LIMIT", error.to_string()),
            GraphError::MinShare(_) => Failure::invalid("MIN_SHARE", error.to_string()),
        }
    }
}
