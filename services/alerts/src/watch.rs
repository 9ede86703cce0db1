//! Watching alerts: ordered, unique, reliable, atomic, resumable, bookmarkable.
//!
//! A watcher reads the stored log in pages at its reader's own pace; no more than a page waits for it, so a
//! slow reader costs little memory and never slows a run. What a reader may rely on:
//!
//! - **Ordered, unique, reliable.** Events come by revision, each once, none left out. Revisions are given
//!   inside the commit section, so a lower one never becomes visible after a higher one.
//! - **Atomic.** All events of a run (or a closure) are committed together, with consecutive revisions, and
//!   compaction removes whole commits. A stream may break between two events of a commit; resuming with the
//!   last token gives the rest.
//! - **Resumable.** The token of an item continues after that item, on any server of the store. It is bound
//!   to the filter and to the log's epoch. With a token, `send_initial_list` is not looked at.
//! - **Bookmarkable.** After `bookmark_every` without an item comes a bookmark with the place reached, also
//!   when events were there but none passed the filter. A watch without token and initial list starts
//!   with a bookmark: the place from which it sees everything.
//! - **Initial list.** The newest event of every alert that passes the filter, as of one revision R, in the
//!   order of these events; then a bookmark with `initial_list_end`; then everything after R. The token of
//!   an item of the list continues with all events after that item's revision, which tell the rest of the
//!   list as well; if these are compacted, resuming says so and the list is to be asked for again.
//! - **Too slow.** Once a stream has reached the end of the log it is live. A live stream ends with
//!   SLOW_CONSUMER when more than `max_outstanding` events have been committed *after* the commit it has to
//!   deliver next, and any stream does when compaction has passed it. So one big run alone, or catching up
//!   after a break, never counts as slow. The reader resumes with its last token.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::alert::AlertEvent;
use domain::ports::{WatchItem, WatchRequest, WatchStream};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::filter::{Candidate, Filter};
use crate::list;
use crate::store::content::{self, Detail};
use crate::store::log::{self, Event, LogState};
use crate::store::{Database, Transaction, records};
use crate::token;

/// Events read at once.
const PAGE_EVENTS: usize = 200;
/// Pages of the log's end kept for live watchers.
const TAIL_PAGES: usize = 4;
/// Alerts read at once for an initial list.
const SCAN_ROWS: i64 = 4000;
/// Events that may be committed behind the one to deliver next, unless the request says otherwise.
const MAX_OUTSTANDING_DEFAULT: usize = 1000;

// === Waking ===

/// Tells watchers that something was committed, here or elsewhere.
#[derive(Debug)]
pub struct Wake {
    pulse: tokio::sync::watch::Sender<u64>,
    listener: Mutex<Option<AbortHandle>>,
    tail: Tail,
}

impl Wake {
    /// Starts listening for commits of other processes.
    pub fn start(database: Arc<dyn Database>) -> Arc<Self> {
        let wake = Arc::new(Self {
            pulse: tokio::sync::watch::Sender::new(0),
            listener: Mutex::new(None),
            tail: Tail::default(),
        });
        let pulse = wake.pulse.clone();
        let task = tokio::spawn(async move {
            let mut last = None;
            loop {
                database.foreign_commit().await;
                if pulse.receiver_count() == 0 {
                    continue;
                }
                match state(&*database).await {
                    Ok(state) => {
                        let now = Some((state.epoch, state.last_revision));
                        if now != last {
                            last = now;
                            pulse.send_modify(|n| *n += 1);
                        }
                    }
                    Err(error) => tracing::warn!(error = %error, "alerts.watch.poll_failed"),
                }
            }
        });
        *wake.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        wake
    }

    /// Wakes all watchers.
    pub fn now(&self) {
        self.pulse.send_modify(|n| *n += 1);
    }

    /// Stops listening, and wakes all watchers so that they notice.
    pub fn stop(&self) {
        if let Some(task) = self
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            task.abort();
        }
        self.now();
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn state(database: &dyn Database) -> Result<LogState> {
    let mut tx = database.read().await?;
    let state = log::state(&mut *tx).await?;
    tx.rollback().await?;
    Ok(state)
}

// === Reading the log ===

/// Events that follow a revision, each with its evidence, and the state of the log they were read with.
#[derive(Debug)]
struct Page {
    state: LogState,
    /// Last revision of the first event's commit, and last revision read; None at the end of the log and
    /// where the log was compacted.
    span: Option<(i64, i64)>,
    events: Vec<(Event, Detail)>,
}

/// Reads the page after `read_to`; with a filter, only what passes it is kept.
async fn read_page(database: &dyn Database, read_to: i64, filter: Option<&Filter>) -> Result<Page> {
    let mut tx = database.read().await?;
    let state = log::state(&mut *tx).await?;
    let readable = read_to < state.last_revision && read_to + 1 >= state.min_revision;
    let mut events = match readable {
        true => log::after(&mut *tx, read_to, PAGE_EVENTS as i64).await?,
        false => Vec::new(),
    };
    let span = match (events.first(), events.last()) {
        (Some(first), Some(last)) => Some((first.commit_last, last.revision)),
        _ if readable => {
            return Err(Error::Corrupt {
                place: "events",
                expected: "all events up to the last revision",
            });
        }
        _ => None,
    };
    events.retain(|event| filter.is_none_or(|f| f.matches(&candidate(event))));
    let events = complete(&mut *tx, events).await?;
    tx.rollback().await?;
    Ok(Page { state, span, events })
}

/// Adds the evidence to events.
async fn complete(tx: &mut dyn Transaction, events: Vec<Event>) -> Result<Vec<(Event, Detail)>> {
    let digests: Vec<String> = events.iter().map(|e| e.content.clone()).collect();
    let contents = content::load(tx, &digests).await?;
    events
        .into_iter()
        .map(|event| {
            let (_, detail) = contents.get(&event.content).cloned().ok_or(Error::Corrupt {
                place: "contents",
                expected: "the content of an event",
            })?;
            Ok((event, detail))
        })
        .collect()
}

/// The newest pages, shared by all live watchers of this process: each is read once, not once a watcher.
#[derive(Debug, Default)]
struct Tail(tokio::sync::Mutex<VecDeque<TailPage>>);

#[derive(Debug)]
struct TailPage {
    pulse: u64,
    read_to: i64,
    page: Arc<Page>,
}

impl Tail {
    /// The page after `read_to`, read at `pulse` or later: whatever was committed up to that pulse is seen.
    async fn page(&self, database: &dyn Database, pulse: u64, read_to: i64) -> Result<Arc<Page>> {
        // Held while reading: the first watcher reads, the others wait for what it reads.
        let mut pages = self.0.lock().await;
        if let Some(known) = pages.iter().find(|p| p.pulse >= pulse && p.read_to == read_to) {
            return Ok(known.page.clone());
        }
        let page = Arc::new(read_page(database, read_to, None).await?);
        pages.retain(|p| p.read_to != read_to);
        pages.push_front(TailPage {
            pulse,
            read_to,
            page: page.clone(),
        });
        pages.truncate(TAIL_PAGES);
        Ok(page)
    }
}

// === Watching ===

struct Watcher {
    database: Arc<dyn Database>,
    key: Arc<[u8]>,
    filter: Filter,
    /// Kept so that waking goes on as long as a stream is open.
    wake: Arc<Wake>,
    pulse: tokio::sync::watch::Receiver<u64>,
    bookmark_every: Duration,
    max_outstanding: i64,
    epoch: String,
    /// All events up to here were read; those that pass the filter and are not delivered wait in `ready`.
    read_to: i64,
    /// Items read and not delivered: at most a page.
    ready: VecDeque<WatchItem>,
    /// Rest of the initial list.
    list: VecDeque<Event>,
    /// The stream has once reached the end of the log.
    live: bool,
    bookmark_at: Instant,
}

/// Opens a stream. Errors of the request come from here, later ones through the stream, which then ends.
pub async fn open(
    database: Arc<dyn Database>,
    key: Arc<[u8]>,
    wake: &Arc<Wake>,
    bookmark_every: Duration,
    request: WatchRequest,
) -> Result<WatchStream> {
    let filter = Filter::parse(&request.filter)?;
    // Subscribed before the log is read: no commit falls between.
    let pulse = wake.pulse.subscribe();
    let mut watcher = Watcher {
        database,
        key,
        filter,
        wake: wake.clone(),
        pulse,
        bookmark_every,
        max_outstanding: match request.max_outstanding {
            0 => MAX_OUTSTANDING_DEFAULT as i64,
            n => i64::try_from(n).unwrap_or(i64::MAX),
        },
        epoch: String::new(),
        read_to: 0,
        ready: VecDeque::new(),
        list: VecDeque::new(),
        live: false,
        bookmark_at: Instant::now() + bookmark_every,
    };
    if request.resume_token.is_empty() {
        watcher.begin(request.send_initial_list).await?;
    } else {
        watcher.resume(&request.resume_token).await?;
    }
    let stream = futures::stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(item) => Some((Ok(item), Some(watcher))),
            Err(error) => Some((Err(error.into()), None)),
        }
    });
    Ok(Box::pin(stream))
}

impl Watcher {
    /// Starts at the end of the log, with or without the list of what there is.
    async fn begin(&mut self, send_initial_list: bool) -> Result<()> {
        let mut tx = self.database.read().await?;
        let state = log::state(&mut *tx).await?;
        self.epoch = state.epoch;
        self.read_to = state.last_revision;
        if send_initial_list {
            self.scan_list(&mut *tx).await?;
        }
        tx.rollback().await?;
        if self.list.is_empty() {
            self.ready.push_back(self.bookmark(send_initial_list));
        }
        Ok(())
    }

    /// Notes the alerts of the initial list: without their evidence, which is read page by page later.
    async fn scan_list(&mut self, tx: &mut dyn Transaction) -> Result<()> {
        let mut scanned = 0;
        loop {
            let rows = records::in_revision_order(tx, scanned, SCAN_ROWS).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            scanned = last.revision;
            for (row, facts) in rows {
                if self.filter.matches(&list::candidate(&row, &facts)) {
                    self.list.push_back(Event::newest_of(row, facts));
                }
            }
        }
    }

    async fn resume(&mut self, token: &str) -> Result<()> {
        let position = token::read_resume(&self.key, &self.filter, token)?;
        let state = state(&*self.database).await?;
        // A revision that the log has not reached was given before the log was set back.
        if position.epoch != state.epoch || position.revision > state.last_revision {
            return Err(Error::EpochChanged { epoch: state.epoch });
        }
        if position.revision + 1 < state.min_revision {
            return Err(Error::Compacted {
                min_revision: state.min_revision,
            });
        }
        self.epoch = position.epoch;
        self.read_to = position.revision;
        Ok(())
    }

    /// The next item, when there is one.
    async fn next(&mut self) -> Result<WatchItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.bookmark_at = Instant::now() + self.bookmark_every;
                return Ok(item);
            }
            if !self.list.is_empty() {
                self.read_list().await?;
                continue;
            }
            let more = self.read_log().await?;
            if !self.ready.is_empty() {
                continue;
            }
            if more {
                if Instant::now() >= self.bookmark_at {
                    self.ready.push_back(self.bookmark(false));
                }
                continue;
            }
            self.live = true;
            tokio::select! {
                changed = self.pulse.changed() => {
                    // The sender lives as long as the stream.
                    debug_assert!(changed.is_ok());
                }
                () = tokio::time::sleep_until(self.bookmark_at) => {
                    self.ready.push_back(self.bookmark(false));
                }
            }
        }
    }

    /// Makes the next page of the initial list ready.
    async fn read_list(&mut self) -> Result<()> {
        let page: Vec<Event> = self.list.drain(..self.list.len().min(PAGE_EVENTS)).collect();
        let mut tx = self.database.read().await?;
        let page = complete(&mut *tx, page).await?;
        tx.rollback().await?;
        for (event, detail) in page {
            let item = self.item(event, detail);
            self.ready.push_back(item);
        }
        if self.list.is_empty() {
            self.ready.push_back(self.bookmark(true));
        }
        Ok(())
    }

    /// Makes the next page of the log ready, as far as it passes the filter. False at the end of the log.
    async fn read_log(&mut self) -> Result<bool> {
        // Marked as seen before the log is read, so that a commit during the reading wakes again.
        let pulse = *self.pulse.borrow_and_update();
        let page = if self.live {
            self.wake.tail.page(&*self.database, pulse, self.read_to).await?
        } else {
            Arc::new(read_page(&*self.database, self.read_to, Some(&self.filter)).await?)
        };
        let state = &page.state;
        if state.epoch != self.epoch || self.read_to > state.last_revision {
            return Err(Error::EpochChanged {
                epoch: state.epoch.clone(),
            });
        }
        let too_slow = |outstanding| Error::SlowConsumer {
            outstanding,
            limit: self.max_outstanding,
            min_revision: state.min_revision,
        };
        if self.read_to + 1 < state.min_revision {
            return Err(too_slow(state.last_revision - self.read_to));
        }
        let Some((first_commit_last, last)) = page.span else {
            return Ok(false);
        };
        let behind = state.last_revision - first_commit_last;
        if self.live && behind > self.max_outstanding {
            return Err(too_slow(behind));
        }
        self.read_to = last;
        for (event, detail) in &page.events {
            if self.filter.matches(&candidate(event)) {
                let item = self.item(event.clone(), Detail::clone(detail));
                self.ready.push_back(item);
            }
        }
        Ok(true)
    }

    fn item(&self, event: Event, detail: Detail) -> WatchItem {
        let (revision, kind) = (event.revision, event.kind);
        let event = Box::new(AlertEvent {
            revision,
            kind,
            alert: event.alert(detail),
        });
        WatchItem::Event {
            event,
            resume_token: self.token(revision),
        }
    }

    fn bookmark(&self, initial_list_end: bool) -> WatchItem {
        let revision = self.read_to;
        WatchItem::Bookmark {
            revision,
            initial_list_end,
            resume_token: self.token(revision),
        }
    }

    fn token(&self, revision: i64) -> String {
        token::resume(&self.key, &self.filter, &self.epoch, revision)
    }
}

fn candidate(event: &Event) -> Candidate<'_> {
    Candidate {
        alert_id: event.alert_id(),
        rule_id: &event.rule_id,
        state: event.state,
        first_seen: event.first_seen,
        last_seen: event.last_seen,
        facts: &event.facts,
    }
}
