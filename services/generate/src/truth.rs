//! The truth file: what was planted, which lawful near misses stand beside it, and which alerts may but
//! need not come.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;

/// A row of a dataset by its key, as exported alerts name their evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowKey {
    pub dataset: String,
    pub key: Map<String, Value>,
}

impl RowKey {
    pub(crate) fn new(dataset: &str, column: &str, value: &str) -> Self {
        let mut key = Map::new();
        key.insert(column.to_owned(), Value::from(value));
        Self {
            dataset: dataset.to_owned(),
            key,
        }
    }

    pub(crate) fn line(order_id: &str, line_no: u32) -> Self {
        let mut row = Self::new("purchase_orders", "order_id", order_id);
        row.key.insert("line_no".to_owned(), Value::from(line_no));
        row
    }
}

/// A violation: an alert of `rule` must name all `rows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    pub rule: String,
    pub variant: String,
    pub rows: Vec<RowKey>,
    pub note: String,
}

/// A lawful near miss of rule `near`: no alert may name any of `rows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoy {
    pub near: String,
    pub variant: String,
    pub rows: Vec<RowKey>,
    pub note: String,
}

/// An alert of `rule` about `rows` is as right as none: the facts allow both readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    pub rule: String,
    pub rows: Vec<RowKey>,
    pub note: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Date to run the rules at, ISO.
    pub as_of: String,
    pub seed: u64,
    /// Purchase order lines in all, planted ones included.
    pub orders: u64,
    pub planted: Vec<Planted>,
    pub decoys: Vec<Decoy>,
    pub allowed: Vec<Allowed>,
}

impl Truth {
    /// Reads a truth file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a truth file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::Read {
            path: path.to_path_buf(),
            source: e,
        })?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Truth {
            path: path.to_path_buf(),
            source: e,
        })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|e| Error::Truth {
            path: path.to_path_buf(),
            source: e,
        })?;
        bytes.push(b'\n');
        std::fs::write(path, bytes).map_err(|e| Error::write(path, e))
    }
}
