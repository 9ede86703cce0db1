//! What a connector sends to its host while it reads.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::error::ArrowError;
use domain::ports::Notice;
use domain::{Bilingual, Dataset};

use crate::reason::Reason;

/// One message. The channel is bounded, so a slow host slows the reader, never fills the memory.
#[derive(Debug, Clone)]
pub enum Message {
    Rows(RowBatch),
    Rejected(Rejected),
    /// Something the reader of the sync report should know. Counts are per message: add up equal
    /// (code, place).
    Notice(Notice),
    Progress(Progress),
    /// Every row of the stream up to here has been sent. The host commits the cursor together with those
    /// rows, never before them, and hands it back with the next [`ReadRequest`](crate::ReadRequest).
    Checkpoint(Checkpoint),
}

/// How far a stream has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub stream: Arc<str>,
    /// The connector's own text, e.g. JSON with the last cursor value, a page token, a bound; at most 64 KiB.
    pub cursor: String,
}

/// Keys of rows that a source holds, for finding the deleted ones.
#[derive(Debug, Clone)]
pub struct KeyBatch {
    pub dataset: Arc<Dataset>,
    /// The dataset's key columns in its order, no nulls.
    pub keys: RecordBatch,
}

/// Rows that were read. Every data row of a source is in exactly one row batch or one [`Rejected`].
///
/// Batches of one raw batch come in the order of their positions; where two rows have the same key the later
/// one is the newer.
#[derive(Debug, Clone)]
pub struct RowBatch {
    pub dataset: Arc<Dataset>,
    /// SHA-256 (64 lower-case hex digits) of the raw batch.
    pub batch: Arc<str>,
    /// All columns of the dataset in its order, with the types of `ColumnType::arrow()` and the schema of
    /// `Dataset::schema()`. Key columns hold no nulls.
    pub columns: RecordBatch,
    /// As long as `columns`: the line where the row starts, the row of the sheet, or the index of the
    /// record; from 1.
    pub positions: UInt64Array,
}

impl RowBatch {
    /// The keys of its rows.
    ///
    /// # Errors
    /// When the batch lacks a key column.
    pub fn keys(&self) -> Result<KeyBatch, ArrowError> {
        let schema = self.columns.schema();
        let places = self.dataset.key.iter().map(|name| schema.index_of(name));
        Ok(KeyBatch {
            dataset: self.dataset.clone(),
            keys: self.columns.project(&places.collect::<Result<Vec<_>, _>>()?)?,
        })
    }
}

impl KeyBatch {
    /// That the source holds the dataset, and no row of it.
    pub fn none(dataset: Arc<Dataset>) -> Result<Self, ArrowError> {
        let schema = dataset.schema();
        let places = dataset.key.iter().map(|name| schema.index_of(name));
        let schema = schema.project(&places.collect::<Result<Vec<_>, _>>()?)?;
        Ok(Self {
            keys: RecordBatch::new_empty(Arc::new(schema)),
            dataset,
        })
    }
}

/// A row that could not be read, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub dataset: Arc<str>,
    /// SHA-256 (hex) of the raw batch.
    pub batch: Arc<str>,
    /// Path below the source's directory, with the sheet where there is one (`台账.xlsx#投标`).
    pub file: Arc<str>,
    /// Line, sheet row or record index, from 1; 0 when the file as a whole was refused.
    pub position: u64,
    /// English name of the column whose value could not be read; none when the row itself is broken.
    pub field: Option<Arc<str>>,
    pub reason: Reason,
    /// What was found, for a person.
    pub detail: String,
    /// The original bytes of the row (of a sheet or a Parquet file: the row as one line of JSON). Cut at
    /// [`RAW_BYTES_MAX`]; the whole is in the raw batch.
    pub raw: Vec<u8>,
}

/// Most raw bytes kept beside a rejected row.
pub const RAW_BYTES_MAX: usize = 64 * 1024;

/// How far the reading has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub done_bytes: u64,
    /// 0 when unknown.
    pub total_bytes: u64,
    /// What is being read, e.g. a file name.
    pub stage: Bilingual,
}
