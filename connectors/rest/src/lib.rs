//! The platform-rest connector: a platform's HTTP interface becomes typed rows of datasets.
//!
//! One TOML file says everything of a platform: where it is, how requests are authorised, how its lists are cut into
//! pages, how only what is new is read, and what its members mean. See `docs/connectors/platform-rest.md`.
//!
//! What is guaranteed: every answer is kept before its rows are handed over; a record is a row or is rejected with its
//! text; a list of several pages is read until two passes agree (or its pages cannot slip); a checkpoint never goes
//! further than the rows before it prove. Where that cannot be had, the sync fails or tells what is missing.

mod auth;
mod bucket;
pub mod config;
mod config_auth;
mod connector_rest;
mod error;
mod headers;
mod http;
mod list;
mod members;
mod moment;
mod page;
mod plan;
mod plan_build;
mod position;
mod retry;
mod rows;
mod select;
mod sign;
mod span;
mod stream;
mod template;
mod tls;

pub use connector_rest::RestConnector;
pub use error::RestError;
