//! Who belongs to whom: one lake snapshot's parties and dated edges, and the questions asked of them.
//!
//! The only crate that knows petgraph; it knows no SQL and no Arrow. The engine feeds plain rows through
//! [`mapping`] into a [`GraphInput`], builds a [`Graph`] once, and asks it. A graph never changes after it is
//! built; [`Graph::apply`] makes the next version, which shares what did not change. Everything is iterative and bounded: cycles, cross-holdings, long chains and hubs cost no more than
//! the limits in [`GraphOptions`], and an answer says when a limit cut it.

mod adjacency;
mod attributes;
mod control;
mod error;
mod export;
mod input;
mod interval;
pub mod mapping;
mod neighbourhood;
mod networks;
mod overlay;
mod ownership;
mod paths;
mod routes;
mod search;
mod share;
mod snapshot;

pub use attributes::SharedAttribute;
pub use control::{RelatedSuppliers, RelationKind};
pub use error::GraphError;
pub use export::Format;
pub use input::{
    AttributeInput, AttributeKind, Certainty, EdgeInput, GraphInput, GraphOptions, PartyKind, PartyNode,
    Relation, SourceRow,
};
pub use interval::Interval;
pub use neighbourhood::{EdgeRow, Extent, Part};
pub use networks::{BidInput, Bidder, BiddingCommunity, CoBidding, Community, Market};
pub use overlay::GraphDelta;
pub use ownership::{OverWhole, Owned, Ownership, Unowned};
pub use paths::{Answer, FoundPath, Hop, RelatedParty, certainty_of};
pub use routes::{Route, RouteHop, RouteQuestion, Tie};
pub use share::{combined_share, percent_text};
pub use snapshot::{BuildReport, Component, Graph};
