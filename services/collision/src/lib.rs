//! The collision engine: runs rules (SQL with front matter) over one snapshot, tests, lints and mutates them,
//! and answers read-only questions in SQL.
//!
//! A run is a pure function of (snapshot, rules, parameters, as_of): it reads no clock and no network. This
//! crate knows DataFusion and nothing of how the lake stores tables ([`data::SnapshotSource`] is all it sees)
//! or of what becomes of hits.

pub mod cases;
mod compact;
mod compute;
pub mod data;
mod engine;
mod error;
mod functions;
mod graphs;
pub mod lint;
mod memory;
mod query;
pub mod rules;
pub mod run;
mod screening;
pub mod session;
pub mod sql;
mod values;
mod yielding;

pub use engine::Engine;
pub use error::{CollisionError, Result};
pub use graphs::Graphs;
