//! Runs the connector on a directory and collects what it sends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use connector::{Connector, KeyBatch, Message, ReadRequest, Rejected, TemporaryRawStore};
use domain::ports::{Notice, Result};
use files::FilesConnector;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Everything a read sent.
#[derive(Default)]
pub struct Outcome {
    /// Dataset -> rows, each column name -> text (nulls are left out), with `#` the position.
    pub rows: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    pub rejected: Vec<Rejected>,
    pub notices: Vec<Notice>,
    pub batches: usize,
}

impl Outcome {
    pub fn count(&self, dataset: &str) -> usize {
        self.rows.get(dataset).map_or(0, Vec::len)
    }

    /// (position, field, reason code) of what was rejected.
    pub fn reasons(&self) -> Vec<(u64, Option<&str>, &str)> {
        self.rejected
            .iter()
            .map(|r| (r.position, r.field.as_deref(), r.reason.code()))
            .collect()
    }

    pub fn has_notice(&self, code: &str, place: &str) -> bool {
        self.notices
            .iter()
            .any(|n| n.code == code && n.place.contains(place))
    }

    /// One column of a dataset, in order; null is `-`.
    pub fn column(&self, dataset: &str, column: &str) -> Vec<String> {
        let rows = self.rows.get(dataset).map(Vec::as_slice).unwrap_or_default();
        rows.iter()
            .map(|r| r.get(column).cloned().unwrap_or_else(|| "-".to_owned()))
            .collect()
    }

    fn add(&mut self, dataset: &str, batch: &RecordBatch, positions: &[u64]) {
        let options = FormatOptions::default();
        let schema = batch.schema();
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c, &options).unwrap())
            .collect();
        let rows = self.rows.entry(dataset.to_owned()).or_default();
        for (row, position) in positions.iter().enumerate() {
            let filled = (0..columns.len()).filter(|&c| batch.column(c).is_valid(row));
            let mut values: BTreeMap<String, String> = filled
                .map(|c| (schema.field(c).name().clone(), columns[c].value(row).to_string()))
                .collect();
            values.insert("#".to_owned(), position.to_string());
            rows.push(values);
        }
    }
}

pub async fn read_with(dir: &Path, mapping: Option<&Path>, threads: usize) -> Result<Outcome> {
    let connector = FilesConnector::new(dir, mapping)?;
    let store = Arc::new(TemporaryRawStore::new().unwrap());
    let request = ReadRequest {
        threads,
        ..ReadRequest::new(store.clone(), chrono::DateTime::UNIX_EPOCH)
    };
    let (out, mut messages) = mpsc::channel(4);
    let reading = tokio::spawn(async move { connector.read(request, out).await });
    let mut outcome = Outcome::default();
    while let Some(message) = messages.recv().await {
        match message {
            Message::Rows(rows) => {
                assert_eq!(rows.columns.schema(), rows.dataset.schema());
                assert_eq!(rows.columns.num_rows(), rows.positions.len());
                assert!(
                    store.folder().join(&*rows.batch).exists(),
                    "the raw batch is kept before its rows"
                );
                outcome.batches += 1;
                outcome.add(&rows.dataset.name, &rows.columns, rows.positions.values());
            }
            Message::Rejected(rejected) => outcome.rejected.push(rejected),
            Message::Notice(notice) => outcome.notices.push(notice),
            Message::Checkpoint(_) => panic!("files are not read incrementally"),
            Message::Progress(progress) => assert!(progress.done_bytes <= progress.total_bytes),
        }
    }
    reading.await.unwrap()?;
    Ok(outcome)
}

pub fn read(dir: &Path, mapping: Option<&Path>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(read_with(dir, mapping, 2)).unwrap()
}

/// What the connector lists as the keys of a directory: `dataset key`, sorted.
pub fn keys(dir: &Path) -> Result<Vec<String>> {
    key_batches(dir).map(|batches| {
        let mut keys = Vec::new();
        for batch in batches {
            let shown = ArrayFormatter::try_new(batch.keys.column(0), &FormatOptions::default()).unwrap();
            keys.extend(
                (0..batch.keys.num_rows()).map(|row| format!("{} {}", batch.dataset.name, shown.value(row))),
            );
        }
        keys.sort();
        keys
    })
}

/// The datasets of which the connector lists keys, or that there are none.
pub fn key_datasets(dir: &Path) -> Result<Vec<String>> {
    key_batches(dir).map(|batches| batches.iter().map(|b| b.dataset.name.clone()).collect())
}

fn key_batches(dir: &Path) -> Result<Vec<KeyBatch>> {
    let connector = FilesConnector::new(dir, None)?;
    let store = Arc::new(TemporaryRawStore::new().unwrap());
    let request = ReadRequest::new(store, chrono::DateTime::UNIX_EPOCH);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (out, mut batches) = mpsc::channel(4);
        let listing = tokio::spawn(async move { connector.keys(request, out).await });
        let mut listed = Vec::new();
        while let Some(batch) = batches.recv().await {
            listed.push(batch);
        }
        listing.await.unwrap().map(|()| listed)
    })
}

/// A directory with these files.
pub struct Dir(TempDir);

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self) -> Outcome {
        read(self.path(), None)
    }

    /// Reads with this mapping, kept outside the directory.
    pub fn read_mapped(&self, mapping: &str) -> Outcome {
        let beside = tempfile::tempdir().unwrap();
        let path: PathBuf = beside.path().join("mapping.toml");
        std::fs::write(&path, mapping).unwrap();
        read(self.path(), Some(&path))
    }
}

/// Text in GB18030.
pub fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}
