//! The host side of connectors: rows in, counted; parties resolved; everything a sync did committed as one
//! lake snapshot, or nothing.

mod error;
mod parties;
mod service;
mod tally;

pub use error::{IngestError, Result};
pub use service::{Ingest, OpenFiles, OpenPush, PushedBatch};
