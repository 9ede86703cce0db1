//! Who belongs to whom: one lake snapshot's parties and dated edges, and the questions asked of them.
//!
//! The only crate that knows petgraph; it knows no SQL and no Arrow. The engine feeds plain rows through
//! [`mapping`] into a [`GraphInput`], builds a [`Graph`] once, and asks it. A graph never changes after it is
//! built. Everything is iterative and bounded: cycles, cross-holdings, long chains and hubs cost no more than
//! the limits in [`GraphOptions`], and an answer says when a limit cut it.

mod attributes;
mod control;
mod error;
mod input;
mod interval;
pub mod mapping;
mod paths;
mod search;
mod share;
mod snapshot;

pub use attributes::SharedAttribute;
pub use control::{RelatedSuppliers, RelationKind};
pub use error::GraphError;
pub use input::{
    AttributeInput, AttributeKind, EdgeInput, GraphInput, GraphOptions, PartyKind, PartyNode, Relation,
    SourceRow,
};
pub use interval::Interval;
pub use paths::{Answer, FoundPath, Hop, RelatedParty};
pub use share::{combined_share, percent_text};
pub use snapshot::{BuildReport, Component, Graph};
