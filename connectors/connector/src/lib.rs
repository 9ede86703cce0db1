//! The port between sources and the host: what a connector is, what it sends, and how text becomes typed values.
//!
//! A connector reads one source into typed Arrow batches, one dataset each, and says of each row where in
//! which raw batch it stood. A row it cannot read becomes a [`Rejected`] with its raw bytes; it is never
//! dropped and never given a default. It knows neither the lake nor the engine.

pub mod coerce;
pub mod columns;
pub mod decode;
pub mod factory;
pub mod json;
pub mod mapping;
pub mod message;
pub mod plan;
pub mod port;
pub mod reason;
mod temporary;

pub use factory::{ConnectorFactory, FromTable};
pub use message::{Checkpoint, KeyBatch, Message, Progress, Rejected, RowBatch};
pub use port::{Connector, Discovered, RawBatch, RawStore, ReadRequest, Spec};
pub use reason::Reason;
pub use temporary::TemporaryRawStore;
