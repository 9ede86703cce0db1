//! What the three kinds of database have in common for the reader, and the feed that their rows go through.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::columns::Described;
use crate::cursor::{CursorKind, CursorValue, Saved, SavedColumn};
use crate::error::DatabaseError;
use crate::statement::Sql;
use crate::window::Window;

/// A table or view that the user may read: its name, and its columns with their types.
pub type Table = (String, Vec<(String, String)>);

/// A checkpoint may have 64 KiB.
const CHECKPOINT_BYTES_MAX: usize = 60 * 1024;

/// One connection, read-only. After an error it is thrown away.
#[async_trait]
pub trait Session: Send {
    /// The columns that the statement gives, without running it.
    async fn describe(&mut self, sql: &Sql) -> Result<Vec<Described>, DatabaseError>;

    /// The server's clock, UTC microseconds; none where the server is not asked.
    async fn clock(&mut self) -> Result<Option<i64>, DatabaseError>;

    /// Takes a snapshot that all statements up to the next call see.
    async fn begin(&mut self) -> Result<(), DatabaseError>;

    /// How `column` is selected from the wrapped query, so that [`Session::stream`] can read it.
    fn select(&self, column: &Described, sql: &mut Sql);

    /// Runs the statement, which selects `columns`, and feeds its rows. False when the feed wants no more for now.
    async fn stream(
        &mut self,
        sql: &Sql,
        columns: &[Described],
        feed: &mut Feed,
    ) -> Result<bool, DatabaseError>;

    /// What the user may read, at most a few hundred tables.
    async fn tables(&mut self) -> Result<Vec<Table>, DatabaseError>;
}

/// Rows of one fetch and, where the stream has a cursor, the checkpoint behind them.
#[derive(Debug)]
pub struct Batch {
    pub window: Window,
    /// JSON of [`Saved`].
    pub checkpoint: Arc<str>,
}

/// Takes rows window by window, at the pace that the limits and the host allow.
pub struct Feed {
    pub window: Window,
    width: usize,
    pub rows_max: usize,
    rows_per_second: u32,
    cursor: Option<(usize, CursorKind)>,
    columns: Vec<SavedColumn>,
    /// The greatest cursor value of all syncs.
    high: Option<CursorValue>,
    /// The cursor value that this read has come to.
    reached: Option<CursorValue>,
    progressed: bool,
    renew_at: Option<Instant>,
    handed_on: u64,
    out: mpsc::Sender<Batch>,
}

/// How a feed behaves.
pub struct FeedOptions {
    pub width: usize,
    pub rows_max: usize,
    pub rows_per_second: u32,
    pub cursor: Option<(usize, CursorKind)>,
    pub columns: Vec<SavedColumn>,
    pub high: Option<CursorValue>,
}

impl Feed {
    pub fn new(options: FeedOptions, out: mpsc::Sender<Batch>) -> Self {
        let FeedOptions {
            width,
            rows_max,
            rows_per_second,
            cursor,
            columns,
            high,
        } = options;
        // A second's worth at once, at most.
        let pace = if rows_per_second == 0 {
            usize::MAX
        } else {
            rows_per_second as usize
        };
        Self {
            window: Window::new(width),
            width,
            rows_max: rows_max.min(pace).max(1),
            rows_per_second,
            cursor,
            columns,
            high,
            reached: None,
            progressed: false,
            renew_at: None,
            handed_on: 0,
            out,
        }
    }

    /// The snapshot was just taken and may be held for so long.
    pub fn opened(&mut self, snapshot: Duration) {
        self.window = Window::new(self.width);
        self.progressed = false;
        self.renew_at = Some(Instant::now() + snapshot);
    }

    /// Whether the cursor has moved since the snapshot was taken, or since this was asked.
    pub fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progressed)
    }

    /// Where to go on after an interruption.
    pub fn reached(&self) -> Option<&CursorValue> {
        self.reached.as_ref()
    }

    pub fn rows_handed_on(&self) -> u64 {
        self.handed_on
    }

    pub async fn send(&self, batch: Batch) -> Result<(), DatabaseError> {
        self.out.send(batch).await.map_err(|_| DatabaseError::Cancelled)
    }

    /// From here on rows lie outside of the cursor's order.
    pub fn stop_tracking(&mut self) {
        self.cursor = None;
    }

    /// The checkpoint behind all rows handed on.
    pub fn checkpoint(&self) -> String {
        let saved = Saved::new(self.high.as_ref(), self.columns.clone()).to_json();
        if saved.len() <= CHECKPOINT_BYTES_MAX {
            saved
        } else {
            // A result of a thousand columns: its drift goes unnoticed, its cursor does not.
            Saved::new(self.high.as_ref(), Vec::new()).to_json()
        }
    }

    /// Hands the window on, then waits as long as the limits say. False when the snapshot is to be renewed first.
    pub async fn hand_on(&mut self) -> Result<bool, DatabaseError> {
        if self.window.is_empty() {
            return Ok(true);
        }
        let started = Instant::now();
        let window = std::mem::replace(&mut self.window, Window::new(self.width));
        if let Some((column, kind)) = self.cursor {
            let last = (0..window.rows())
                .rev()
                .find_map(|row| window.cursor(row, column, kind));
            if let Some(last) = last {
                self.progressed |= self.reached.as_ref() != Some(&last);
                let is_higher = match (&self.high, kind) {
                    // Only the server knows the order of texts; what it sends later is greater.
                    (_, CursorKind::Text) | (None, _) => true,
                    (Some(high), _) => *high < last,
                };
                if is_higher {
                    self.high = Some(last.clone());
                }
                self.reached = Some(last);
            }
        }
        let rows = window.rows();
        let checkpoint = self.checkpoint().into();
        self.handed_on += rows as u64;
        self.send(Batch { window, checkpoint }).await?;
        if self.rows_per_second > 0 {
            let due = Duration::from_secs_f64(rows as f64 / f64::from(self.rows_per_second));
            tokio::time::sleep_until(started + due).await;
        }
        let renew = self.progressed && self.renew_at.is_some_and(|at| Instant::now() >= at);
        Ok(!renew)
    }
}
