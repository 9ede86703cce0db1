//! Reading one list, whole: page after page, and again until two passes agree where rows may slip between pages.
//!
//! A row slips when another one before it is deleted (or moved) while the list is read: it moves to a page that was
//! read already, and no count shows it if a row was added meanwhile. Such a row is in the next pass, or the deleted
//! one is not: two passes with the same keys in the same order have missed nothing that stood still meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use connector::{KeyBatch, Message, Progress, ReadRequest};
use domain::Bilingual;
use tokio::sync::mpsc;

use crate::config::{TotalIs, Verify};
use crate::error::RestError;
use crate::http::Session;
use crate::page::{Kept, Page, Place};
use crate::plan::{Endpoint, StreamPlan, Vars};
use crate::rows::{Inspection, RowPlan, Tally};

/// Where what was read goes.
#[derive(Debug, Clone)]
pub enum Output {
    Rows(mpsc::Sender<Message>),
    Keys(mpsc::Sender<KeyBatch>),
}

/// Reads the lists of one stream.
pub struct ListReader {
    pub session: Arc<Session>,
    pub stream: Arc<StreamPlan>,
    pub endpoint: Arc<Endpoint>,
    pub rows: Arc<RowPlan>,
    pub request: ReadRequest,
    pub out: Output,
    pub tally: Tally,
    pub done_bytes: u64,
    /// The least and the greatest watched value that was handed over.
    pub least: Option<i64>,
    pub greatest: Option<i64>,
    /// Records whose watched value could not be read.
    pub unreadable: u64,
}

/// A page that is kept and made into rows on another thread, so that the next one can be asked for meanwhile.
pub struct Working {
    work: tokio::task::JoinHandle<Result<Worked, RestError>>,
}

impl Working {
    pub async fn end(self) -> Result<Worked, RestError> {
        self.work.await.map_err(|_| RestError::Stopped)?
    }
}

/// What a page became.
pub struct Worked {
    pub kept: Kept,
    pub inspection: Inspection,
    messages: Vec<Message>,
    tally: Tally,
}

/// How much of a page is wanted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// That it is kept, and which records it holds.
    Keys,
    Rows,
}

/// One reading of a whole list.
struct Pass {
    pages: Vec<Kept>,
    keys: Vec<u128>,
    total: Option<u64>,
    /// Whether a page came twice in a row.
    repeated: Option<Arc<str>>,
}

impl Pass {
    fn set(&self) -> HashSet<u128> {
        self.keys.iter().copied().collect()
    }

    /// Whether both passes saw the same list. A platform without a fixed order may turn it about, if it holds
    /// exactly as many records as it announces.
    fn agrees(&self, other: &Self) -> bool {
        if self.keys == other.keys {
            return true;
        }
        let (own, theirs) = (self.set(), other.set());
        let count = Some(own.len() as u64);
        own == theirs && self.total == count && other.total == count
    }
}

impl ListReader {
    /// Asks for a page, unless nobody waits for its rows any more.
    pub async fn load(&self, vars: &Vars, place: Place) -> Result<Page, RestError> {
        let is_given_up = match &self.out {
            Output::Rows(out) => out.is_closed(),
            Output::Keys(out) => out.is_closed(),
        };
        if is_given_up {
            return Err(RestError::Cancelled);
        }
        let (session, stream, store) = (&self.session, &self.stream.name, &self.request.raw);
        Page::load(session, stream, &self.endpoint, store, vars, place).await
    }

    /// Reads the list that `vars` ask for and hands its rows over. `first` is its first page, if that was loaded.
    pub async fn read(&mut self, vars: &Vars, first: Option<Page>) -> Result<(), RestError> {
        let first = match first {
            Some(first) => first,
            None => self.load(vars, Place::default()).await?,
        };
        if first.next.is_none() {
            let (total, count) = (first.total, first.count());
            let worked = self.begin(first).end().await?;
            let distinct = worked.inspection.keys.iter().collect::<HashSet<_>>().len() as u64;
            self.check_total(total, count, distinct)?;
            return self.deliver(worked).await;
        }
        match self.endpoint.pages.verify {
            Verify::None => self.read_once(vars, first).await,
            Verify::Stable => self.read_until_stable(vars, first).await,
        }
    }

    async fn read_once(&mut self, vars: &Vars, first: Page) -> Result<(), RestError> {
        let mut seen: HashSet<u128> = HashSet::new();
        let (mut records, mut pages, mut page) = (0, 0, first);
        let mut before: Vec<u128> = Vec::new();
        loop {
            pages += 1;
            self.check_pages(pages)?;
            records += page.count();
            let (next, total) = (page.next.clone(), page.total);
            let working = self.begin(page);
            let loaded = match next {
                Some(place) => Some(self.load(vars, place).await),
                None => None,
            };
            let worked = working.end().await?;
            let keys = worked.inspection.keys.clone();
            if !keys.is_empty() && keys == before {
                return Err(RestError::PageRepeated {
                    request: worked.kept.name.to_string(),
                });
            }
            seen.extend(&keys);
            before = keys;
            self.deliver(worked).await?;
            match loaded {
                Some(loaded) => page = loaded?,
                None => {
                    self.check_total(total, records, seen.len() as u64)?;
                    self.tell_repeated(records - seen.len() as u64);
                    return Ok(());
                }
            }
        }
    }

    async fn read_until_stable(&mut self, vars: &Vars, first: Page) -> Result<(), RestError> {
        let passes_max = self.session.platform.limits.passes_max;
        let mut every: HashSet<u128> = HashSet::new();
        let mut previous = self.pass(vars, Some(first)).await?;
        let mut differing = 0;
        for _ in 1..passes_max {
            let pass = self.pass(vars, None).await?;
            every.extend(&previous.keys);
            if !pass.agrees(&previous) {
                differing = pass.set().symmetric_difference(&previous.set()).count();
                previous = pass;
                continue;
            }
            if let Some(request) = &pass.repeated {
                return Err(RestError::PageRepeated {
                    request: request.to_string(),
                });
            }
            let set = pass.set();
            self.check_total(pass.total, pass.keys.len() as u64, set.len() as u64)?;
            self.tell_repeated((pass.keys.len() - set.len()) as u64);
            let vanished = every.difference(&set).count() as u64;
            if vanished > 0 {
                let text = Bilingual::new(
                    "读取过程中有记录从来源消失；原始页面已留存",
                    "records vanished from the source while it was read; the raw pages that held them are kept",
                );
                self.tally
                    .add("ROWS_VANISHED_WHILE_READ", &self.stream.name, text, vanished);
            }
            for kept in pass.pages {
                self.hand_over_kept(kept).await?;
            }
            return Ok(());
        }
        Err(RestError::Unstable {
            stream: self.stream.name.to_string(),
            passes: passes_max,
            differing,
        })
    }

    async fn pass(&self, vars: &Vars, first: Option<Page>) -> Result<Pass, RestError> {
        let mut page = match first {
            Some(first) => first,
            None => self.load(vars, Place::default()).await?,
        };
        let mut pass = Pass {
            pages: Vec::new(),
            keys: Vec::new(),
            total: None,
            repeated: None,
        };
        let mut before: Vec<u128> = Vec::new();
        loop {
            self.check_pages(pass.pages.len() as u64 + 1)?;
            let (next, total) = (page.next.clone(), page.total);
            let working = self.work(page, Want::Keys);
            let loaded = match next {
                Some(place) => Some(self.load(vars, place).await),
                None => None,
            };
            let Worked { kept, inspection, .. } = working.end().await?;
            let is_repeated = !inspection.keys.is_empty() && inspection.keys == before;
            pass.keys.extend(&inspection.keys);
            pass.total = total.or(pass.total);
            let name = kept.name.clone();
            pass.pages.push(kept);
            if is_repeated && pass.repeated.replace(name).is_some() {
                // A third time the same: this list has no end.
                return Ok(pass);
            }
            before = inspection.keys;
            match loaded {
                Some(loaded) => page = loaded?,
                None => return Ok(pass),
            }
        }
    }

    pub fn check_pages(&self, pages: u64) -> Result<(), RestError> {
        let pages_max = self.session.platform.limits.pages_max;
        if pages > pages_max {
            return Err(RestError::TooManyPages {
                stream: self.stream.name.to_string(),
                pages_max,
            });
        }
        Ok(())
    }

    /// Whether as many records came as were announced, repeated ones counted or not.
    pub fn check_total(
        &mut self,
        announced: Option<u64>,
        received: u64,
        distinct: u64,
    ) -> Result<(), RestError> {
        let Some(announced) = announced.filter(|total| *total != received && *total != distinct) else {
            return Ok(());
        };
        if self.endpoint.total_is == TotalIs::Exact {
            return Err(RestError::TotalMismatch {
                stream: self.stream.name.to_string(),
                announced,
                received: distinct,
            });
        }
        let text = Bilingual::new(
            format!("平台称有{announced}条，实得{received}条"),
            format!("the platform announces {announced} records and gives {received}"),
        );
        self.tally.add(
            "TOTAL_DIFFERS",
            &self.stream.name,
            text,
            announced.abs_diff(received),
        );
        Ok(())
    }

    pub fn tell_repeated(&mut self, count: u64) {
        if count > 0 {
            let text = Bilingual::new(
                "同一记录在列表中出现多次，以后出现的为准",
                "records came more than once in one list; the later one counts",
            );
            self.tally.add("ROWS_REPEATED", &self.stream.name, text, count);
        }
    }

    /// Hands over the rows of a page from its kept copy.
    async fn hand_over_kept(&mut self, kept: Kept) -> Result<(), RestError> {
        let (rows, endpoint, batch_rows) =
            (self.rows.clone(), self.endpoint.clone(), self.request.batch_rows);
        let work = tokio::task::spawn_blocking(move || {
            let text = kept.read()?;
            let records = endpoint.records_of(&text, &kept.name)?;
            rows_of(&rows, batch_rows, &records, kept)
        });
        let worked = Working { work }.end().await?;
        self.deliver(worked).await
    }

    /// Begins to keep a page and to make rows of it.
    pub fn begin(&self, page: Page) -> Working {
        self.work(page, Want::Rows)
    }

    fn work(&self, page: Page, want: Want) -> Working {
        let (rows, store, batch_rows) = (
            self.rows.clone(),
            self.request.raw.clone(),
            self.request.batch_rows,
        );
        let work = tokio::task::spawn_blocking(move || {
            let kept = page.keep(&*store)?;
            match want {
                Want::Rows => rows_of(&rows, batch_rows, &page.records(), kept),
                Want::Keys => Ok(Worked {
                    kept,
                    inspection: rows.inspect(&page.records()),
                    messages: Vec::new(),
                    tally: Tally::default(),
                }),
            }
        });
        Working { work }
    }

    /// Hands over the rows of a page and counts what was met on it.
    pub async fn deliver(&mut self, worked: Worked) -> Result<(), RestError> {
        let watched = worked.inspection.watched;
        self.tally.merge(worked.tally);
        self.unreadable += watched.iter().filter(|v| v.is_none()).count() as u64;
        let least = watched.iter().flatten().min().copied();
        self.least = self.least.map_or(least, |least_yet| {
            least.map_or(Some(least_yet), |l| Some(l.min(least_yet)))
        });
        self.greatest = watched.into_iter().flatten().max().max(self.greatest);
        for message in worked.messages {
            self.send(message).await?;
        }
        self.done_bytes += worked.kept.raw.bytes;
        self.send(Message::Progress(Progress {
            done_bytes: self.done_bytes,
            total_bytes: 0,
            stage: Bilingual::new(&*self.stream.name, &*self.stream.name),
        }))
        .await
    }

    /// Sends on what the host asked for: everything, or the keys of rows.
    pub async fn send(&self, message: Message) -> Result<(), RestError> {
        match &self.out {
            Output::Rows(out) => out.send(message).await.map_err(|_| RestError::Cancelled),
            Output::Keys(out) => {
                let Message::Rows(rows) = message else {
                    return Ok(());
                };
                let positions: Vec<usize> = rows
                    .dataset
                    .key
                    .iter()
                    .filter_map(|key| rows.dataset.column_index(key))
                    .collect();
                let keys: RecordBatch =
                    rows.columns
                        .project(&positions)
                        .map_err(|source| RestError::Assemble {
                            name: self.stream.name.to_string(),
                            source,
                        })?;
                let dataset = rows.dataset;
                out.send(KeyBatch { dataset, keys })
                    .await
                    .map_err(|_| RestError::Cancelled)
            }
        }
    }
}

fn rows_of(rows: &RowPlan, batch_rows: usize, records: &[&str], kept: Kept) -> Result<Worked, RestError> {
    let mut tally = Tally::default();
    let (messages, inspection) = rows.messages(records, &kept.raw, &kept.name, batch_rows, &mut tally)?;
    Ok(Worked {
        kept,
        inspection,
        messages,
        tally,
    })
}
