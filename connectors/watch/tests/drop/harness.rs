//! A host in small: keeps what is read and the committed cursors, and moves the clock.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray};
use chrono::{DateTime, TimeDelta, Utc};
use connector::{Connector, Message, RawBatch, RawStore, ReadRequest, TemporaryRawStore};
use domain::Failure;
use domain::clock::Clock;
use domain::ports::Result;
use tokio::sync::mpsc;
use watch::WatchConnector;

/// A clock that is moved by hand.
#[derive(Debug)]
pub struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    pub fn new(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    pub fn pass(&self, seconds: i64) {
        *self.0.lock().unwrap() += TimeDelta::seconds(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Keeps raw batches; may do something while it does.
pub struct BusyStore {
    store: TemporaryRawStore,
    pub meanwhile: Option<Box<dyn Fn() + Send + Sync>>,
}

impl RawStore for BusyStore {
    fn put_file(&self, path: &Path, name: &str) -> Result<RawBatch> {
        let bytes = std::fs::read(path).map_err(|e| Failure::internal(&e))?;
        if let Some(meanwhile) = &self.meanwhile {
            meanwhile();
        }
        self.put_bytes(&bytes, name)
    }

    fn put_bytes(&self, bytes: &[u8], name: &str) -> Result<RawBatch> {
        self.store.put_bytes(bytes, name)
    }
}

/// What one sync read.
#[derive(Debug, Default)]
pub struct Synced {
    /// First column of every row, in order.
    pub keys: Vec<String>,
    pub notices: Vec<String>,
    /// (file, reason).
    pub rejected: Vec<(String, String)>,
    /// What was sent, in order: `rows`, or the stream of a checkpoint.
    pub order: Vec<String>,
}

/// Keeps cursors between syncs.
#[derive(Default)]
pub struct Host {
    pub cursors: BTreeMap<String, String>,
}

impl Host {
    pub async fn sync(&mut self, connector: &WatchConnector) -> Synced {
        self.sync_while(connector, None).await.unwrap()
    }

    pub async fn sync_while(
        &mut self,
        connector: &WatchConnector,
        meanwhile: Option<Box<dyn Fn() + Send + Sync>>,
    ) -> Result<Synced> {
        let (synced, committed) = self.read(connector, meanwhile, false).await?;
        self.cursors.extend(committed);
        Ok(synced)
    }

    /// A reading as the acceptance suite makes it: from what is committed, and nothing of it is.
    pub async fn try_out(&self, connector: &WatchConnector) -> Synced {
        self.read(connector, None, true).await.unwrap().0
    }

    /// What was read, and the checkpoints that came with it.
    async fn read(
        &self,
        connector: &WatchConnector,
        meanwhile: Option<Box<dyn Fn() + Send + Sync>>,
        is_trial: bool,
    ) -> Result<(Synced, BTreeMap<String, String>)> {
        let store = Arc::new(BusyStore {
            store: TemporaryRawStore::new().unwrap(),
            meanwhile,
        });
        let request = ReadRequest {
            cursors: self.cursors.clone(),
            is_trial,
            ..ReadRequest::new(store, DateTime::UNIX_EPOCH)
        };
        let (out, mut messages) = mpsc::channel(4);
        let connector = connector.clone();
        let reading = tokio::spawn(async move { connector.read(request, out).await });
        let mut synced = Synced::default();
        let mut committed = BTreeMap::new();
        while let Some(message) = messages.recv().await {
            match message {
                Message::Rows(rows) => {
                    let keys = rows.columns.column(0);
                    synced.keys.extend(match keys.data_type() {
                        arrow::datatypes::DataType::Utf8 => keys
                            .as_string::<i32>()
                            .iter()
                            .flatten()
                            .map(str::to_owned)
                            .collect::<Vec<_>>(),
                        _ => vec![rows.columns.num_rows().to_string()],
                    });
                    synced.order.push("rows".to_owned());
                }
                Message::Rejected(r) => synced.rejected.push((r.file.to_string(), r.reason.to_string())),
                Message::Notice(n) => synced.notices.push(format!("{} {}", n.code, n.place)),
                Message::Checkpoint(c) => {
                    assert!(c.cursor.len() < 64 * 1024);
                    synced.order.push(c.stream.to_string());
                    committed.insert(c.stream.to_string(), c.cursor);
                }
                Message::Progress(p) => assert!(p.done_bytes <= p.total_bytes),
            }
        }
        reading.await.unwrap()?;
        Ok((synced, committed))
    }
}

pub fn contracts(ids: &[&str]) -> String {
    let rows: String = ids.iter().map(|id| format!("{id},1\n")).collect();
    format!("contract_id,amount\n{rows}")
}
