//! A host as the port describes it: it commits rows together with the checkpoint after them, upserts them by key, and
//! hands the newest committed checkpoint back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, TimeDelta, Utc};
use connector::{Connector, Message, ReadRequest, Rejected, TemporaryRawStore};
use domain::Failure;
use domain::clock::Clock;
use domain::ports::{Notice, Result};
use rest::RestConnector;
use tokio::sync::mpsc;

use crate::world::START_MS;

/// A clock that tests turn.
#[derive(Debug, Clone)]
pub struct Hand(Arc<Mutex<DateTime<Utc>>>);

impl Hand {
    /// Stands at noon in China of the day the platform's orders are from.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(
            DateTime::from_timestamp_millis(START_MS + 4 * 3_600_000).unwrap(),
        )))
    }

    pub fn turn(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hand {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// What is committed, and what the last sync said.
pub struct Host {
    pub connector: RestConnector,
    pub clock: Hand,
    store: Arc<TemporaryRawStore>,
    /// Dataset -> key -> amount (or all other columns where there is no amount).
    pub rows: BTreeMap<String, BTreeMap<String, String>>,
    pub cursors: BTreeMap<String, String>,
    pub notices: Vec<Notice>,
    pub rejected: Vec<Rejected>,
    pub failure: Option<Failure>,
    /// Rows of the last sync, repeated ones counted.
    pub sent: usize,
}

/// Rows and rejected ones that wait for their checkpoint.
#[derive(Default)]
struct Pending {
    rows: Vec<(String, String, String)>,
    rejected: Vec<Rejected>,
}

impl Host {
    pub fn new(connector: RestConnector, clock: Hand) -> Self {
        Self {
            connector,
            clock,
            store: Arc::new(TemporaryRawStore::new().unwrap()),
            rows: BTreeMap::new(),
            cursors: BTreeMap::new(),
            notices: Vec::new(),
            rejected: Vec::new(),
            failure: None,
            sent: 0,
        }
    }

    pub fn request(&self) -> ReadRequest {
        ReadRequest {
            cursors: self.cursors.clone(),
            batch_rows: 7,
            threads: 1,
            ..ReadRequest::new(self.store.clone(), self.clock.now())
        }
    }

    /// One sync. It dies after `crash_after` messages, if that is given.
    pub async fn sync(&mut self, crash_after: Option<usize>) {
        let (out, mut messages) = mpsc::channel(2);
        let (connector, request) = (self.connector.clone(), self.request());
        let reading = tokio::spawn(async move { connector.read(request, out).await });
        self.notices.clear();
        self.rejected.clear();
        self.sent = 0;
        let (mut pending, mut count) = (Pending::default(), 0);
        while let Some(message) = messages.recv().await {
            match message {
                Message::Rows(rows) => {
                    assert_eq!(rows.columns.schema(), rows.dataset.schema());
                    assert!(
                        self.store.folder().join(&*rows.batch).exists(),
                        "raw is kept before its rows"
                    );
                    self.sent += rows.columns.num_rows();
                    let name = &rows.dataset.name;
                    pending
                        .rows
                        .extend(keyed(&rows.columns, &rows.dataset.key).map(|(k, v)| (name.clone(), k, v)));
                }
                Message::Rejected(rejected) => pending.rejected.push(rejected),
                Message::Notice(notice) => self.notices.push(notice),
                Message::Progress(_) => {}
                Message::Checkpoint(checkpoint) => {
                    self.commit(std::mem::take(&mut pending));
                    self.cursors
                        .insert(checkpoint.stream.to_string(), checkpoint.cursor);
                }
            }
            count += 1;
            if crash_after == Some(count) {
                drop(messages);
                reading.abort();
                self.failure = None;
                return;
            }
        }
        self.failure = reading.await.unwrap().err();
        if self.failure.is_none() {
            self.commit(pending);
        }
    }

    fn commit(&mut self, pending: Pending) {
        for (dataset, key, value) in pending.rows {
            self.rows.entry(dataset).or_default().insert(key, value);
        }
        self.rejected.extend(pending.rejected);
    }

    /// All keys that the source lists, or why not.
    pub async fn keys(&self) -> Result<BTreeSet<String>> {
        let (out, mut batches) = mpsc::channel(2);
        let (connector, request) = (self.connector.clone(), self.request());
        let listing = tokio::spawn(async move { connector.keys(request, out).await });
        let mut keys = BTreeSet::new();
        while let Some(batch) = batches.recv().await {
            assert_eq!(batch.keys.num_columns(), batch.dataset.key.len());
            keys.extend(keyed(&batch.keys, &batch.dataset.key).map(|(key, _)| key));
        }
        listing.await.unwrap()?;
        Ok(keys)
    }

    pub fn orders(&self) -> BTreeMap<String, String> {
        self.rows.get("platform_orders").cloned().unwrap_or_default()
    }

    pub fn told(&self) -> BTreeSet<&str> {
        self.notices.iter().map(|n| n.code.as_str()).collect()
    }
}

/// The rows' keys with what tells them from another version of themselves.
fn keyed(batch: &RecordBatch, key: &[String]) -> impl Iterator<Item = (String, String)> {
    let schema = batch.schema();
    (0..batch.num_rows()).map(move |row| {
        let key: Vec<String> = key
            .iter()
            .map(|name| {
                let column = batch.column_by_name(name).unwrap().as_string::<i32>();
                assert!(column.is_valid(row), "keys hold no nulls");
                column.value(row).to_owned()
            })
            .collect();
        let value = match batch.column_by_name("amount") {
            Some(amount) => array_value_to_string(amount, row).unwrap(),
            None => {
                let columns = batch
                    .columns()
                    .iter()
                    .enumerate()
                    .filter(|(_, c)| c.is_valid(row));
                let texts = columns.map(|(n, c)| {
                    format!(
                        "{}={}",
                        schema.field(n).name(),
                        array_value_to_string(c, row).unwrap()
                    )
                });
                texts.collect::<Vec<_>>().join(",")
            }
        };
        (key.join("|"), value)
    })
}
