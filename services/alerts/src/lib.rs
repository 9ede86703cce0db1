//! Alerts: what a run's hits become, how they are listed, explained, closed and watched.
//!
//! [`Alerts`] is the service, kept in a SQLite file or a PostgreSQL database. What a hit does to an alert is
//! decided in `lifecycle`, without a store; everything one run did is committed at once.

pub mod error;
mod filter;
pub mod fingerprint;
mod lifecycle;
mod list;
mod record;
mod service;
mod store;
mod token;
mod watch;

pub use error::Error;
pub use service::{Alerts, Compaction, Settings};
