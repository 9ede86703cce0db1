//! The two traits at the border: what a connector does, and what it asks of its host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use domain::Bilingual;
use domain::ports::Result;
use tokio::sync::mpsc;

use crate::message::Message;

/// One source of rows.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What it is and how it is configured. No I/O.
    fn spec(&self) -> Spec;

    /// Whether the source can be reached and its configuration holds. Reads no rows.
    async fn check(&self) -> Result<()>;

    /// What there is to read, in reading order. Reads no rows.
    async fn discover(&self) -> Result<Vec<Discovered>>;

    /// Reads everything and sends it through `out`. Returns when all is sent. A row or file that cannot be
    /// read is a message; an `Err` means that the sync as a whole must not be committed. Stops early, with
    /// kind `Cancelled`, when the receiver is gone; dropping the future stops the work too.
    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()>;
}

/// What a connector says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The kind of source: `files`, `push`.
    pub kind: &'static str,
    pub title: Bilingual,
    /// Name for `_source` that its configuration gives, if any.
    pub source: Option<String>,
    /// Share of rejected rows, in ten-thousandths, above which a sync fails, if its configuration says so.
    pub quarantine_limit_bp: Option<u32>,
}

/// One thing a connector would read: a file, or a sheet of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Path below the source's directory, with the sheet where there is one.
    pub place: String,
    /// None: it is no dataset and no entry of the mapping names it.
    pub dataset: Option<String>,
    pub bytes: u64,
}

/// How to read.
#[derive(Clone)]
pub struct ReadRequest {
    /// Keeps each raw batch before its rows are sent.
    pub raw: Arc<dyn RawStore>,
    /// Rows in a batch, at most; 65,536 is a good number.
    pub batch_rows: usize,
    /// Threads that parse; at least 1.
    pub threads: usize,
}

impl ReadRequest {
    pub fn new(raw: Arc<dyn RawStore>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            raw,
            batch_rows: 65_536,
            threads,
        }
    }
}

/// A raw batch as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBatch {
    /// SHA-256 of the bytes, 64 lower-case hex digits.
    pub digest: Arc<str>,
    /// The kept copy, byte for byte; never changes and is there as long as the sync lasts. Connectors read
    /// this copy, so that what was kept is what was read.
    pub path: PathBuf,
    pub bytes: u64,
}

/// Keeps raw batches under the digest of their content. Keeping the same bytes twice is harmless.
///
/// Blocking: connectors call it from blocking threads.
pub trait RawStore: Send + Sync {
    /// Keeps a copy of the file. `name` is what people call it (its path below the source's directory).
    fn put_file(&self, path: &Path, name: &str) -> Result<RawBatch>;

    fn put_bytes(&self, bytes: &[u8], name: &str) -> Result<RawBatch>;
}
