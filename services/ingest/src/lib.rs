//! The host side of connectors: rows in, counted; parties resolved; rows and the cursors after them committed together;
//! and everything an operator does with a configured source.

mod accept;
mod copies;
mod drift;
mod error;
mod host;
mod judgements;
mod parties;
mod pull;
mod reconcile;
mod registry;
mod service;
mod source_file;
mod sources;
mod tally;

pub use error::{IngestError, Result};
pub use pull::CommitLimits;
pub use registry::Registry;
pub use service::{Ingest, OpenFiles, OpenPush, PushedBatch};
pub use sources::Sources;
