//! Runs the connector on a directory and collects what it sends.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use connector::{Connector, Message, ReadRequest, Rejected, RowBatch, TemporaryRawStore};
use domain::ports::{Notice, Result};
use open::OpenConnector;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Everything a read sent.
#[derive(Default)]
pub struct Outcome {
    /// Dataset -> rows, each column name -> text (nulls are left out), with `#` the position.
    pub rows: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    pub rejected: Vec<Rejected>,
    pub notices: Vec<Notice>,
}

impl Outcome {
    pub fn count(&self, dataset: &str) -> usize {
        self.rows.get(dataset).map_or(0, Vec::len)
    }

    /// Rows and rejected rows of a dataset.
    pub fn accounted(&self, dataset: &str) -> usize {
        self.count(dataset) + self.rejected.iter().filter(|r| &*r.dataset == dataset).count()
    }

    /// (dataset, position, field, reason code) of what was rejected.
    pub fn reasons(&self) -> Vec<(&str, u64, Option<&str>, &str)> {
        let reasons = self.rejected.iter();
        reasons
            .map(|r| (&*r.dataset, r.position, r.field.as_deref(), r.reason.code()))
            .collect()
    }

    /// How often a notice was told.
    pub fn told(&self, code: &str) -> u64 {
        self.notices
            .iter()
            .filter(|n| n.code == code)
            .map(|n| n.count)
            .sum()
    }

    /// One column of a dataset, in order; null is `-`.
    pub fn column(&self, dataset: &str, column: &str) -> Vec<String> {
        let rows = self.rows.get(dataset).map(Vec::as_slice).unwrap_or_default();
        rows.iter()
            .map(|r| r.get(column).cloned().unwrap_or_else(|| "-".to_owned()))
            .collect()
    }

    /// Everything as text, for golden files.
    pub fn golden(&self) -> String {
        let mut out = String::new();
        for (dataset, rows) in &self.rows {
            writeln!(out, "[{dataset}]").unwrap();
            for row in rows {
                let cells: Vec<String> = row
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                writeln!(out, "{}", cells.join(" | ")).unwrap();
            }
        }
        for r in &self.rejected {
            let field = r.field.as_deref().unwrap_or("-");
            writeln!(
                out,
                "rejected {} {}:{} {field} {}: {}",
                r.dataset, r.file, r.position, r.reason, r.detail
            )
            .unwrap();
        }
        for n in &self.notices {
            writeln!(out, "notice {} {} x{}", n.code, n.place, n.count).unwrap();
        }
        out
    }

    fn add(&mut self, rows: &RowBatch) {
        assert_eq!(rows.columns.schema(), rows.dataset.schema());
        assert_eq!(rows.columns.num_rows(), rows.positions.len());
        let options = FormatOptions::default();
        let schema = rows.columns.schema();
        let columns = rows.columns.columns();
        let shown: Vec<_> = columns
            .iter()
            .map(|c| ArrayFormatter::try_new(c, &options).unwrap())
            .collect();
        let into = self.rows.entry(rows.dataset.name.clone()).or_default();
        for (row, position) in rows.positions.values().iter().enumerate() {
            let filled = (0..columns.len()).filter(|&c| columns[c].is_valid(row));
            let mut values: BTreeMap<String, String> = filled
                .map(|c| (schema.field(c).name().clone(), shown[c].value(row).to_string()))
                .collect();
            values.insert("#".to_owned(), position.to_string());
            into.push(values);
        }
    }
}

/// A directory of files with a configuration for them.
pub struct Dir {
    dir: TempDir,
    config: String,
    pub batch_rows: usize,
    pub threads: usize,
}

impl Dir {
    /// `config` follows `path = "."`: it starts with `kind = …`.
    pub fn new(config: &str) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            config: format!("path = \".\"\n{config}"),
            batch_rows: 100,
            threads: 2,
        }
    }

    pub fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub fn read(&self) -> Outcome {
        let connector = OpenConnector::from_toml(&self.config, self.dir.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.read_with(connector)).unwrap()
    }

    async fn read_with(&self, connector: OpenConnector) -> Result<Outcome> {
        let store = Arc::new(TemporaryRawStore::new().unwrap());
        let request = ReadRequest {
            threads: self.threads,
            batch_rows: self.batch_rows,
            ..ReadRequest::new(store, chrono::DateTime::UNIX_EPOCH)
        };
        let (out, mut messages) = mpsc::channel(4);
        let reading = tokio::spawn(async move { connector.read(request, out).await });
        let mut outcome = Outcome::default();
        let mut done = 0;
        while let Some(message) = messages.recv().await {
            match message {
                Message::Rows(rows) => outcome.add(&rows),
                Message::Rejected(rejected) => outcome.rejected.push(rejected),
                Message::Notice(notice) => outcome.notices.push(notice),
                Message::Checkpoint(_) => panic!("these files are not read incrementally"),
                Message::Progress(progress) => {
                    assert!(done <= progress.done_bytes && progress.done_bytes <= progress.total_bytes);
                    done = progress.done_bytes;
                }
            }
        }
        reading.await.unwrap()?;
        Ok(outcome)
    }
}

/// Reads one file with this configuration.
pub fn read(config: &str, name: &str, bytes: impl AsRef<[u8]>) -> Outcome {
    Dir::new(config).file(name, bytes).read()
}
