//! Reading one stream to its end: bounds, passes, retries, renewed snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connector::{KeyBatch, Message, ReadRequest};
use rand::Rng;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::columns::{Layout, Request, notice};
use crate::config::{Kind, Limits, StreamConfig};
use crate::connector_database::DatabaseConnector;
use crate::cursor::{self, Bounds, CursorKind, CursorValue, Saved};
use crate::error::DatabaseError;
use crate::keys::KeyWorker;
use crate::select::Select;
use crate::session::{Batch, Feed, FeedOptions, Session};
use crate::statement::{Slot, Template};
use crate::window::Window;
use crate::worker::Worker;

/// Longest wait before the second try, as long as nothing else is said; it doubles.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Sets its flag when the future that holds it is dropped.
pub struct CancelOnDrop(pub Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Counts tries and waits between them: doubling, full jitter.
pub struct Tries {
    left: u32,
    most: u32,
    wait: Duration,
    first_wait: Duration,
}

impl Tries {
    pub fn new(most: u32, first_wait: Duration) -> Self {
        Self {
            left: most,
            most,
            wait: first_wait,
            first_wait,
        }
    }

    pub fn reset(&mut self) {
        *self = Self::new(self.most, self.first_wait);
    }

    /// Waits before the next try, if the failure may pass and one is left; false when that is the end.
    pub async fn go_on(&mut self, failed: Option<&DatabaseError>) -> bool {
        let Some(error) = failed.filter(|error| error.is_transient()) else {
            return false;
        };
        tracing::warn!(error = %error, tries_left = self.left.saturating_sub(1), "database.not_reached");
        self.again().await
    }

    /// Waits before the next try; false when there is none left.
    pub async fn again(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return false;
        }
        let wait = self.wait.mul_f64(rand::rng().random::<f64>());
        self.wait = (self.wait * 2).min(BACKOFF_MAX);
        tokio::time::sleep(wait).await;
        true
    }
}

/// What is known of a stream once the server has described it.
pub struct Known {
    pub layout: Arc<Layout>,
    pub bounds: Option<Bounds>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Main,
    Strays,
}

struct Reading {
    known: Known,
    feed: Feed,
    pass: Pass,
    worker: JoinHandle<Result<(), DatabaseError>>,
}

/// One stream of a connector.
pub struct StreamReader<'a> {
    pub connector: &'a DatabaseConnector,
    pub stream: &'a StreamConfig,
    pub template: &'a Template,
    pub request: &'a ReadRequest,
    pub cancelled: &'a Arc<AtomicBool>,
}

impl StreamReader<'_> {
    fn name(&self) -> &str {
        self.stream.name()
    }

    fn kind(&self) -> Kind {
        self.connector.kind
    }

    fn limits(&self) -> &Limits {
        &self.connector.limits
    }

    /// Sends everything that is new in the stream.
    pub async fn read(&self, out: &mpsc::Sender<Message>) -> Result<(), DatabaseError> {
        let mut tries = self.connector.tries();
        let mut reading: Option<Reading> = None;
        let result = loop {
            match self.attempt(&mut reading, out).await {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(error) => {
                    let progressed = reading.as_mut().is_some_and(|r| r.feed.take_progress());
                    if progressed {
                        tries.reset();
                    }
                    let may_pass = error.is_transient() || (progressed && error.is_interruption());
                    tracing::warn!(source = %self.connector.config.source, stream = self.name(), error = %error, may_pass, "database.read_interrupted");
                    if !(may_pass && tries.again().await) {
                        break Err(error);
                    }
                }
            }
        };
        let Some(reading) = reading else {
            return result;
        };
        // What was handed on is sent and may be committed, whatever came after it.
        drop(reading.feed);
        let worked = reading.worker.await.unwrap_or_else(|e| {
            Err(DatabaseError::Unexpected {
                place: self.name().to_owned(),
                message: e.to_string(),
            })
        });
        match (result, worked) {
            // A closed feed is only what the worker's own failure looks like from here.
            (Err(DatabaseError::Cancelled) | Ok(()), Err(error)) => Err(error),
            (result, _) => result,
        }
    }

    /// True when all is read; false when the snapshot is to be renewed.
    async fn attempt(
        &self,
        reading: &mut Option<Reading>,
        out: &mpsc::Sender<Message>,
    ) -> Result<bool, DatabaseError> {
        let mut session = self.connector.connect().await?;
        let attempted = self.attempt_on(session.as_mut(), reading, out).await;
        attempted.map_err(|e| e.in_stream(self.name()))
    }

    async fn attempt_on(
        &self,
        session: &mut dyn Session,
        reading: &mut Option<Reading>,
        out: &mpsc::Sender<Message>,
    ) -> Result<bool, DatabaseError> {
        let reading = match reading {
            Some(reading) => reading,
            None => {
                let saved = self.saved()?;
                let known = self.describe(session, saved.as_ref()).await?;
                for notice in &known.layout.notices {
                    let message = Message::Notice(notice.clone());
                    out.send(message).await.map_err(|_| DatabaseError::Cancelled)?;
                }
                reading.insert(self.start(known, saved.as_ref(), out)?)
            }
        };
        session.begin().await?;
        reading.feed.opened(self.limits().snapshot);
        let Reading {
            known, feed, pass, ..
        } = reading;
        let select = Select {
            kind: self.kind(),
            template: self.template,
            layout: &known.layout,
            bounds: known.bounds.as_ref(),
        };
        if *pass == Pass::Main {
            let lower = feed
                .reached()
                .or(known.bounds.as_ref().and_then(|b| b.lower.as_ref()))
                .cloned();
            let sql = select.main(session, lower.as_ref());
            if !session.stream(&sql, &known.layout.selected, feed).await? {
                return Ok(false);
            }
            *pass = Pass::Strays;
            feed.stop_tracking();
        }
        if let Some(sql) = select.strays(session) {
            let before = feed.rows_handed_on();
            session.stream(&sql, &known.layout.selected, feed).await?;
            let count = feed.rows_handed_on() - before;
            if count > 0 {
                let mut strays = notice(
                    "CURSOR_STRAY",
                    self.name(),
                    "",
                    "游标列为空或远在当前时间之后的行，每次同步都会重新读取",
                    "rows whose cursor is empty or far ahead of the clock are read again by every sync",
                );
                strays.count = count;
                out.send(Message::Notice(strays))
                    .await
                    .map_err(|_| DatabaseError::Cancelled)?;
            }
        }
        feed.finish().await?;
        Ok(true)
    }

    fn start(
        &self,
        known: Known,
        saved: Option<&Saved>,
        out: &mpsc::Sender<Message>,
    ) -> Result<Reading, DatabaseError> {
        let (windows, received) = mpsc::channel::<Batch>(1);
        let high = self.saved_cursor(saved, known.layout.cursor.map(|(_, kind)| kind))?;
        let options = FeedOptions {
            width: known.layout.selected.len(),
            rows_max: self.limits().fetch_rows.min(self.request.batch_rows.max(1)),
            rows_per_second: self.limits().rows_per_second,
            cursor: known.layout.cursor,
            columns: known.layout.saved.clone(),
            high,
        };
        let worker = Worker {
            stream: self.name().into(),
            name: format!("{}/{}", self.connector.config.source, self.name()),
            layout: known.layout.clone(),
            header: self.header(&known),
            raw: self.request.raw.clone(),
            batch_rows: Worker::batch_rows(self.request),
            out: out.clone(),
            cancelled: self.cancelled.clone(),
        };
        Ok(Reading {
            feed: Feed::new(options, windows),
            pass: Pass::Main,
            worker: tokio::task::spawn_blocking(move || worker.run(received)),
            known,
        })
    }

    /// First line of each raw batch: what was asked of whom.
    fn header(&self, known: &Known) -> String {
        let bound = |value: Option<&CursorValue>| value.map(CursorValue::text);
        let columns = known.layout.selected.iter().map(|c| {
            serde_json::json!({
                "name": c.name,
                "type": c.ty,
                "field": known.layout.saved.iter().find(|s| s.name == c.name).and_then(|s| s.field.clone()),
            })
        });
        serde_json::json!({
            "format": "lianjing-rows/1",
            "source": self.connector.config.source,
            "stream": self.name(),
            "dataset": self.stream.dataset,
            "server": self.connector.place,
            "query": self.template.text(),
            "cursor": self.stream.cursor,
            "lower": bound(known.bounds.as_ref().and_then(|b| b.lower.as_ref())),
            "upper": bound(known.bounds.as_ref().and_then(|b| b.upper.as_ref())),
            "started_at": self.request.started_at.to_rfc3339(),
            "columns": columns.collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn saved(&self) -> Result<Option<Saved>, DatabaseError> {
        let saved = self
            .request
            .cursors
            .get(self.name())
            .map(|text| Saved::from_json(text));
        saved.transpose().map_err(|message| self.wrong_cursor(message))
    }

    fn wrong_cursor(&self, message: String) -> DatabaseError {
        DatabaseError::SavedCursor {
            stream: self.name().to_owned(),
            message,
        }
    }

    /// The saved value as what the cursor column is now.
    fn saved_cursor(
        &self,
        saved: Option<&Saved>,
        kind: Option<CursorKind>,
    ) -> Result<Option<CursorValue>, DatabaseError> {
        let Some(value) = saved
            .map(Saved::cursor)
            .transpose()
            .map_err(|m| self.wrong_cursor(m))?
            .flatten()
        else {
            return Ok(None);
        };
        let Some(kind) = kind else {
            return Ok(None);
        };
        let converted = value.as_kind(kind, self.connector.zone);
        converted.map(Some).ok_or_else(|| {
            self.wrong_cursor(format!(
                "it was {:?} and the cursor column is now {kind:?}",
                value.kind()
            ))
        })
    }

    /// What the query gives and from where to where it is read.
    pub async fn describe(
        &self,
        session: &mut dyn Session,
        saved: Option<&Saved>,
    ) -> Result<Known, DatabaseError> {
        let described = session
            .describe(&Select::plain(self.kind(), self.template))
            .await?;
        let before = saved.map_or(&[][..], |s| &s.columns);
        let request = Request {
            stream: self.stream,
            zone: self.connector.zone,
            nulls: &self.connector.config.nulls,
            before,
        };
        let layout = Layout::new(&request, &described)?;
        let query = |message: &str| DatabaseError::Query {
            stream: self.name().to_owned(),
            message: message.to_owned(),
        };
        let bounds = match layout.cursor {
            None => {
                if [Slot::Cursor, Slot::Upper, Slot::Lookback]
                    .iter()
                    .any(|s| self.template.uses(*s))
                {
                    return Err(query(
                        "the query has a slot for a bound, but the stream names no cursor column",
                    ));
                }
                None
            }
            Some((_, kind)) => {
                let lookback =
                    cursor::lookback(self.stream.lookback.as_ref(), kind).map_err(|m| query(&m))?;
                let started = self.request.started_at.timestamp_micros();
                let now = session.clock().await?.map_or(started, |clock| clock.min(started));
                let value = self.saved_cursor(saved, Some(kind))?;
                let bounds = Bounds::new(
                    kind,
                    value.as_ref(),
                    lookback,
                    now,
                    self.stream.lag()?,
                    self.connector.zone,
                );
                if self.template.uses(Slot::Upper) && bounds.upper.is_none() {
                    return Err(query(
                        "the query has :upper, but its cursor is no time; take it out",
                    ));
                }
                Some(bounds)
            }
        };
        Ok(Known {
            layout: Arc::new(layout),
            bounds,
        })
    }

    /// Has the server describe the query and run it for no rows.
    pub async fn check(&self, session: &mut dyn Session) -> Result<(), DatabaseError> {
        let checked = self.check_on(session).await;
        checked.map_err(|e| e.in_stream(self.name()))
    }

    async fn check_on(&self, session: &mut dyn Session) -> Result<(), DatabaseError> {
        let known = self.describe(session, None).await?;
        let select = Select {
            kind: self.kind(),
            template: self.template,
            layout: &known.layout,
            bounds: known.bounds.as_ref(),
        };
        let sql = select.probe(session);
        let (windows, _received) = mpsc::channel::<Batch>(1);
        let options = FeedOptions {
            width: known.layout.selected.len(),
            rows_max: 1,
            rows_per_second: 0,
            cursor: None,
            columns: Vec::new(),
            high: None,
        };
        let mut feed = Feed::new(options, windows);
        session.begin().await?;
        session
            .stream(&sql, &known.layout.selected, &mut feed)
            .await
            .map(|_| ())
    }

    /// Sends the keys of all rows that the query gives, from the start.
    pub async fn keys(&self, out: &mpsc::Sender<KeyBatch>) -> Result<(), DatabaseError> {
        let mut tries = self.connector.tries();
        loop {
            let listed = self.keys_once(out).await;
            if !tries.go_on(listed.as_ref().err()).await {
                return listed;
            }
        }
    }

    async fn keys_once(&self, out: &mpsc::Sender<KeyBatch>) -> Result<(), DatabaseError> {
        let mut session = self.connector.connect().await?;
        let listed = self.keys_on(session.as_mut(), out).await;
        listed.map_err(|e| e.in_stream(self.name()))
    }

    async fn keys_on(
        &self,
        session: &mut dyn Session,
        out: &mpsc::Sender<KeyBatch>,
    ) -> Result<(), DatabaseError> {
        let mut known = self.describe(session, None).await?;
        if let Some(bounds) = &mut known.bounds {
            bounds.lower = None;
        }
        let select = Select {
            kind: self.kind(),
            template: self.template,
            layout: &known.layout,
            bounds: known.bounds.as_ref(),
        };
        let (sql, columns) = select.keys(session);
        let (windows, received) = mpsc::channel::<Batch>(1);
        let options = FeedOptions {
            width: columns.len(),
            rows_max: self.limits().fetch_rows.min(self.request.batch_rows.max(1)),
            rows_per_second: self.limits().rows_per_second,
            cursor: None,
            columns: Vec::new(),
            high: None,
        };
        let mut feed = Feed::new(options, windows);
        let worker = KeyWorker {
            stream: self.name().to_owned(),
            layout: known.layout.clone(),
            out: out.clone(),
            cancelled: self.cancelled.clone(),
        };
        let worker = tokio::task::spawn_blocking(move || worker.run(received));
        session.begin().await?;
        feed.opened(self.limits().snapshot);
        let streamed = session.stream(&sql, &columns, &mut feed).await;
        drop(feed);
        let worked = worker.await.unwrap_or_else(|e| {
            Err(DatabaseError::Unexpected {
                place: self.name().to_owned(),
                message: e.to_string(),
            })
        });
        match (streamed, worked) {
            (Err(DatabaseError::Cancelled) | Ok(_), Err(error)) => Err(error),
            (streamed, _) => streamed.map(|_| ()),
        }
    }
}

impl Feed {
    /// The checkpoint that ends a stream, also where it had no row.
    async fn finish(&mut self) -> Result<(), DatabaseError> {
        let checkpoint = self.checkpoint().into();
        let window = Window::new(1);
        self.send(Batch { window, checkpoint }).await
    }
}
