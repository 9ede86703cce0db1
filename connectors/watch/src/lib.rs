//! The watched drop folder and the S3-compatible bucket: files are taken once they have stopped growing.
//!
//! What a file holds is read by the `files` connector. This crate decides which files are new and whole, keeps
//! them in the raw store, and marks each as done by a checkpoint of its own, which the host commits together
//! with the file's rows.

mod bucket;
mod config;
mod connector_watch;
mod cursor;
mod error;
mod folder;
mod place;

pub use config::{BucketConfig, FolderConfig, WatchConfig};
pub use connector_watch::WatchConnector;
pub use error::WatchError;
