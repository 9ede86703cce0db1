//! The files connector: a directory of exports becomes typed rows of datasets.
//!
//! Files are named after datasets and carry their columns under the English names or the Chinese labels;
//! anything else is told by a [`mapping`] file. Every source column is mapped, listed as ignored, or
//! reported; every data row becomes a row or a rejected one with its bytes.

mod columnar;
mod connector_files;
mod error;
mod factory;
mod file_table;
mod json_files;
pub mod mapping;
mod names;
mod sheet;
mod sink;
mod split;
mod tables;
mod zip_limits;

pub use connector_files::{FilesConnector, KeptFile};
pub use error::FilesError;
pub use factory::FilesFactory;
