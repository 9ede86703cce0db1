//! A small host: takes messages, commits rows with the checkpoint after them, and remembers cursors between syncs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, Utc};
use connector::{Connector, Message, ReadRequest, Rejected, TemporaryRawStore};
use database::DatabaseConnector;
use domain::Failure;
use domain::ports::Notice;
use tokio::sync::mpsc;

/// A row as text, by column.
pub type Row = BTreeMap<String, String>;

pub struct Host {
    pub store: Arc<TemporaryRawStore>,
    pub cursors: BTreeMap<String, String>,
    /// By dataset and key.
    pub rows: BTreeMap<(String, String), Row>,
    pub rejected: Vec<Rejected>,
    pub notices: Vec<Notice>,
    /// Rows received since the last checkpoint.
    pending: Vec<((String, String), Row)>,
    /// Rows that came, repeated ones counted each time.
    pub received: u64,
    pub started_at: DateTime<Utc>,
}

impl Host {
    pub fn new() -> Self {
        Self {
            store: Arc::new(TemporaryRawStore::new().unwrap()),
            cursors: BTreeMap::new(),
            rows: BTreeMap::new(),
            rejected: Vec::new(),
            notices: Vec::new(),
            pending: Vec::new(),
            received: 0,
            started_at: at("2030-01-01T00:00:00Z"),
        }
    }

    pub fn request(&self) -> ReadRequest {
        let mut request = ReadRequest::new(self.store.clone(), self.started_at);
        request.cursors = self.cursors.clone();
        request
    }

    /// Syncs to the end.
    pub async fn sync(&mut self, connector: &DatabaseConnector) -> Result<(), Failure> {
        self.sync_until(connector, usize::MAX, || {})
            .await
            .unwrap_or(Ok(()))
    }

    /// Syncs and crashes after `messages`; none when it did. `after_first` runs behind the first checkpoint.
    pub async fn sync_until(
        &mut self,
        connector: &DatabaseConnector,
        messages: usize,
        after_first: impl FnOnce(),
    ) -> Option<Result<(), Failure>> {
        let (out, mut received) = mpsc::channel(1);
        let reading = connector.read(self.request(), out);
        tokio::pin!(reading);
        self.rejected.clear();
        self.notices.clear();
        self.pending.clear();
        let mut after_first = Some(after_first);
        let mut result = None;
        let mut count = 0;
        loop {
            if count >= messages {
                return None;
            }
            tokio::select! {
                done = &mut reading, if result.is_none() => result = Some(done),
                message = received.recv() => match message {
                    None => return Some(match result {
                        Some(result) => result,
                        None => reading.await,
                    }),
                    Some(message) => {
                        count += 1;
                        if matches!(message, Message::Checkpoint(_)) && let Some(run) = after_first.take() {
                            run();
                        }
                        self.take(message);
                    }
                },
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Rows(rows) => {
                self.received += rows.columns.num_rows() as u64;
                assert_eq!(rows.positions.len(), rows.columns.num_rows());
                for n in 0..rows.columns.num_rows() {
                    let key = text_key(&rows.columns, &rows.dataset.key, n);
                    self.pending
                        .push(((rows.dataset.name.clone(), key), text_row(&rows.columns, n)));
                }
            }
            Message::Rejected(rejected) => self.rejected.push(rejected),
            Message::Notice(notice) => self.notices.push(notice),
            Message::Progress(_) => {}
            Message::Checkpoint(checkpoint) => {
                self.rows.extend(std::mem::take(&mut self.pending));
                self.cursors
                    .insert(checkpoint.stream.to_string(), checkpoint.cursor);
            }
        }
    }

    /// The columns of all committed rows of a dataset, joined with `|`, in key order.
    pub fn table(&self, dataset: &str, columns: &[&str]) -> Vec<String> {
        self.rows
            .iter()
            .filter(|((name, _), _)| name == dataset)
            .map(|(_, row)| {
                columns
                    .iter()
                    .map(|c| row[*c].as_str())
                    .collect::<Vec<_>>()
                    .join("|")
            })
            .collect()
    }

    /// Rejected rows as `field REASON`.
    pub fn rejections(&self) -> Vec<String> {
        let told = |r: &Rejected| format!("{} {}", r.field.as_deref().unwrap_or("-"), r.reason.code());
        self.rejected.iter().map(told).collect()
    }

    pub fn notice_codes(&self) -> BTreeSet<&str> {
        self.notices.iter().map(|n| n.code.as_str()).collect()
    }

    /// The lines of a kept raw batch.
    pub fn raw(&self, digest: &str) -> Vec<String> {
        let bytes = std::fs::read(self.store.place(digest)).unwrap();
        let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// The keys that a connector lists, as text.
pub async fn keys(connector: &DatabaseConnector, host: &Host) -> Vec<String> {
    let (out, mut received) = mpsc::channel(1);
    let request = host.request();
    let listing = connector.keys(request, out);
    let collecting = async {
        let mut keys = Vec::new();
        while let Some(batch) = received.recv().await {
            assert_eq!(batch.keys.num_columns(), batch.dataset.key.len());
            keys.extend((0..batch.keys.num_rows()).map(|n| text_key(&batch.keys, &batch.dataset.key, n)));
        }
        keys
    };
    let (listed, keys) = tokio::join!(listing, collecting);
    listed.unwrap();
    keys
}

fn text_row(batch: &RecordBatch, n: usize) -> Row {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    fields
        .map(|(field, array)| {
            let text = if array.is_null(n) {
                "-".to_owned()
            } else {
                array_value_to_string(array, n).unwrap()
            };
            (field.name().clone(), text)
        })
        .collect()
}

fn text_key(batch: &RecordBatch, key: &[String], n: usize) -> String {
    let row = text_row(batch, n);
    key.iter().map(|k| row[k].as_str()).collect::<Vec<_>>().join("/")
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A connector from TOML; `url` is one of a test server.
pub fn connector(url: &str, rest: &str) -> DatabaseConnector {
    connector_with(&format!("url = {url:?}"), rest)
}

pub fn connector_with(connection: &str, rest: &str) -> DatabaseConnector {
    let text = format!("source = \"erp\"\n[connection]\n{connection}\n{rest}");
    DatabaseConnector::from_toml(&text, Path::new("/")).unwrap()
}
