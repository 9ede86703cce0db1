//! The two traits at the border: what a connector does, and what it asks of its host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::Result;
use domain::{Bilingual, Failure};
use tokio::sync::mpsc;

use crate::message::{KeyBatch, Message};

/// One source of rows.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What it is and how it is configured. No I/O.
    fn spec(&self) -> Spec;

    /// Whether the source can be reached and its configuration holds. Reads no rows.
    async fn check(&self) -> Result<()>;

    /// Whether the source can be reached: what a host asks before it reads. A connector whose [`check`](Self::check) looks
    /// at each of its streams says less here, so that one stream at fault does not keep the others from being read.
    async fn reach(&self) -> Result<()> {
        self.check().await
    }

    /// What there is to read, in reading order. Reads no rows.
    async fn discover(&self) -> Result<Vec<Discovered>>;

    /// Reads everything and sends it through `out`. Returns when all is sent. A row or file that cannot be
    /// read is a message; an `Err` means that the sync as a whole must not be committed. Stops early, with
    /// kind `Cancelled`, when the receiver is gone; dropping the future stops the work too.
    ///
    /// A failure's kind tells the host what to do: `Invalid`, `NotFound` and `Precondition` are matters of
    /// configuration and are never tried again; `Unavailable`, `DeadlineExceeded` and `Exhausted` may pass (a
    /// connector has used up its own retries by then); all others are faults of the system.
    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()>;

    /// Sends the key of every row that the source holds now, so that the host can find rows deleted there.
    /// Only for a source whose [`Spec::lists_keys`] says so.
    async fn keys(&self, _request: ReadRequest, _out: mpsc::Sender<KeyBatch>) -> Result<()> {
        Err(Failure::invalid(
            "KEYS_UNSUPPORTED",
            format!(
                "a source of kind `{}` cannot list its keys, so deleted rows are not found",
                self.spec().kind
            ),
        ))
    }
}

/// What a connector says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spec {
    /// The kind of source: `files`, `push`.
    pub kind: &'static str,
    pub title: Bilingual,
    /// JSON Schema of its configuration; null when it takes none.
    pub config_schema: serde_json::Value,
    /// Whether it sends [`Message::Checkpoint`]s and goes on from them.
    pub incremental: bool,
    /// Whether a sync sends records again that earlier ones sent, in other raw batches: of equal records that cannot be
    /// read only the last stays in quarantine.
    pub overlaps: bool,
    /// Whether [`Connector::keys`] works.
    pub lists_keys: bool,
    /// Name for `_source` that its configuration gives, if any.
    pub source: Option<String>,
    /// Share of rejected rows, in ten-thousandths, above which a sync fails, if its configuration says so.
    pub quarantine_limit_bp: Option<u32>,
}

/// One thing a connector would read: a file, a sheet of it, a table, an endpoint. Where the source is read
/// incrementally its `place` is the name of the stream that checkpoints speak of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Path below the source's directory, with the sheet where there is one; or the name of the stream.
    pub place: String,
    /// None: it is no dataset and no entry of the mapping names it.
    pub dataset: Option<String>,
    /// 0 when unknown.
    pub bytes: u64,
    /// The source's own columns, where they are known before reading: (name, type as the source writes it).
    pub columns: Vec<(String, String)>,
    /// The column that a cursor is kept of, if any.
    pub cursor: Option<String>,
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
    /// When the sync began: the upper end of what an incremental source reads.
    pub started_at: DateTime<Utc>,
    /// Where each stream stands: the newest committed [`Message::Checkpoint`] by its stream. A stream without
    /// one is read from the start.
    pub cursors: BTreeMap<String, String>,
    /// Nothing of what is read is committed, whatever the cursors say: the source must be left as it is.
    pub is_trial: bool,
}

impl ReadRequest {
    pub fn new(raw: Arc<dyn RawStore>, started_at: DateTime<Utc>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            raw,
            batch_rows: 65_536,
            threads,
            started_at,
            cursors: BTreeMap::new(),
            is_trial: false,
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

/// How a reading ended of which these streams failed: with the first failure, and the names of the others.
pub fn all_streams<E: Into<Failure>>(failed: Vec<(&str, E)>) -> Result<()> {
    let mut failed = failed.into_iter();
    let Some((_, first)) = failed.next() else {
        return Ok(());
    };
    let mut failure = first.into();
    let others: Vec<&str> = failed.map(|(stream, _)| stream).collect();
    if !others.is_empty() {
        let others = format!("; these streams failed too: {}", others.join(", "));
        failure.message.push_str(&others);
    }
    Err(failure)
}
