//! The half that blocks: keeps each window, turns its rows into columns, and sends what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connector::message::RAW_BYTES_MAX;
use connector::plan::Assembler;
use connector::port::RawStore;
use connector::{Checkpoint, Message, Progress, ReadRequest, Reason, Rejected};
use domain::Bilingual;
use domain::ports::Notice;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::columns::Layout;
use crate::error::DatabaseError;
use crate::session::Batch;
use crate::window::{ROW_BYTES_MAX, Window};

/// Everything that the worker of one stream needs.
pub struct Worker {
    pub stream: Arc<str>,
    /// What the raw batches are called: `source/stream`.
    pub name: String,
    pub layout: Arc<Layout>,
    /// First line of each raw batch.
    pub header: String,
    pub raw: Arc<dyn RawStore>,
    pub batch_rows: usize,
    pub out: mpsc::Sender<Message>,
    pub cancelled: Arc<AtomicBool>,
}

impl Worker {
    pub fn batch_rows(request: &ReadRequest) -> usize {
        request.batch_rows.max(1)
    }

    /// Works until the feed is closed.
    pub fn run(self, mut windows: mpsc::Receiver<Batch>) -> Result<(), DatabaseError> {
        let mut number = 0;
        let mut done_bytes = 0;
        let mut notices: BTreeMap<(String, String), Notice> = BTreeMap::new();
        while let Some(batch) = windows.blocking_recv() {
            if batch.window.is_empty() {
                self.checkpoint(&batch.checkpoint)?;
                continue;
            }
            number += 1;
            done_bytes += self.window(&batch.window, number, &mut notices)?;
            self.checkpoint(&batch.checkpoint)?;
            self.send(Message::Progress(Progress {
                done_bytes,
                total_bytes: 0,
                stage: Bilingual::new(&self.layout.plan.dataset.title, &*self.stream),
            }))?;
        }
        notices
            .into_values()
            .try_for_each(|n| self.send(Message::Notice(n)))
    }

    fn checkpoint(&self, cursor: &str) -> Result<(), DatabaseError> {
        self.send(Message::Checkpoint(Checkpoint {
            stream: self.stream.clone(),
            cursor: cursor.to_owned(),
        }))
    }

    fn send(&self, message: Message) -> Result<(), DatabaseError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(DatabaseError::Cancelled);
        }
        self.out
            .blocking_send(message)
            .map_err(|_| DatabaseError::Cancelled)
    }

    fn window(
        &self,
        window: &Window,
        number: u64,
        notices: &mut BTreeMap<(String, String), Notice>,
    ) -> Result<u64, DatabaseError> {
        let name = format!("{}/{number:06}.jsonl.zst", self.name);
        let kept = window
            .pack(&self.header)
            .map_err(|e| DatabaseError::Unexpected {
                place: name.clone(),
                message: e.to_string(),
            })
            .and_then(|bytes| {
                self.raw
                    .put_bytes(&bytes, &name)
                    .map_err(|source| DatabaseError::Keep { name, source })
            })?;
        let plan = &self.layout.plan;
        let mut assembler = Assembler::new(plan.clone(), kept.digest.clone());
        let dataset: Arc<str> = plan.dataset.name.as_str().into();
        for row in 0..window.rows() {
            let position = row as u64 + 1;
            let bad = if window.line(row).len() > ROW_BYTES_MAX {
                let detail = format!("{} bytes, more than {ROW_BYTES_MAX}", window.line(row).len());
                Some((None, Reason::RowTooLong, detail))
            } else {
                assembler
                    .push(&window.row(row), position)
                    .err()
                    .map(|bad| (Some(bad.field), bad.reason, bad.detail))
            };
            if let Some((field, reason, detail)) = bad {
                self.send(Message::Rejected(Rejected {
                    dataset: dataset.clone(),
                    batch: kept.digest.clone(),
                    file: self.stream.clone(),
                    position,
                    field,
                    reason,
                    detail,
                    raw: self.object(window.line(row)),
                }))?;
            } else if assembler.rows() >= self.batch_rows {
                self.rows(&mut assembler)?;
            }
        }
        self.rows(&mut assembler)?;
        for notice in assembler.take_notices(&self.stream) {
            notices
                .entry((notice.code.clone(), notice.place.clone()))
                .and_modify(|known| known.count += notice.count)
                .or_insert(notice);
        }
        Ok(kept.bytes)
    }

    fn rows(&self, assembler: &mut Assembler) -> Result<(), DatabaseError> {
        let rows = assembler.take().map_err(|source| DatabaseError::Assemble {
            stream: self.stream.to_string(),
            source,
        })?;
        rows.map_or(Ok(()), |rows| self.send(Message::Rows(rows)))
    }

    /// The row as an object with the names of the columns, cut at what may be kept.
    fn object(&self, line: &str) -> Vec<u8> {
        let mut raw = match serde_json::from_str::<Vec<&RawValue>>(line) {
            Ok(values) => {
                let mut object = String::from("{");
                for (column, value) in self.layout.selected.iter().zip(values) {
                    if object.len() > 1 {
                        object.push(',');
                    }
                    object.push_str(&serde_json::Value::from(column.name.as_str()).to_string());
                    object.push(':');
                    object.push_str(value.get());
                    if object.len() > RAW_BYTES_MAX {
                        break;
                    }
                }
                object.push('}');
                object.into_bytes()
            }
            Err(_) => line.as_bytes().to_vec(),
        };
        raw.truncate(RAW_BYTES_MAX);
        raw
    }
}
