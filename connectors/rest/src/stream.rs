//! Reading one stream as its configuration says: whole, in windows, from a cursor, or as a feed.
//!
//! Every way ends each step with a checkpoint, and a checkpoint says no more than what its rows are proof of.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connector::{Checkpoint, Message};
use domain::Bilingual;

use crate::error::RestError;
use crate::list::{ListReader, Output};
use crate::members::members_text;
use crate::page::Place;
use crate::plan::{CursorPlan, CursorValues, Increment, Turn, Vars, WindowPlan};
use crate::position::Position;

const DAY: Duration = Duration::from_secs(86_400);
/// Shortest window that is still halved.
const WINDOW_SECONDS_MIN: i64 = 2;

impl ListReader {
    /// Reads the stream from `position` on.
    pub async fn read_stream(&mut self, position: Option<Position>) -> Result<(), RestError> {
        let stream = self.stream.clone();
        let result = match &stream.incremental {
            Increment::Whole => self.read_whole(position).await,
            Increment::Window(plan) => match position {
                None => self.read_windows(plan, plan.start).await,
                Some(Position::Window { until }) => {
                    let from = before(until, plan.look_back);
                    self.read_windows(plan, from.max(plan.start)).await
                }
                Some(other) => Err(self.misfit(&other)),
            },
            Increment::Cursor(plan) => match position {
                None => self.read_cursor(plan, plan.start, None).await,
                Some(Position::Cursor { value }) => {
                    let from = value.saturating_sub(plan.look_back);
                    self.read_cursor(plan, Some(from.max(plan.start.unwrap_or(i64::MIN))), Some(value))
                        .await
                }
                Some(other) => Err(self.misfit(&other)),
            },
            Increment::Feed { start } => match position {
                None => self.read_feed(start.clone()).await,
                Some(Position::Feed { token }) => self.read_feed(Some(token)).await,
                Some(other) => Err(self.misfit(&other)),
            },
        };
        self.tell().await?;
        result
    }

    fn misfit(&self, position: &Position) -> RestError {
        RestError::BadPosition {
            stream: self.stream.name.to_string(),
            position: position.write(&self.stream.name).unwrap_or_default(),
            what: "it was read in another way then".to_owned(),
        }
    }

    /// Tells what was counted.
    pub async fn tell(&mut self) -> Result<(), RestError> {
        let unreadable = std::mem::take(&mut self.unreadable);
        if unreadable > 0 {
            let text = Bilingual::new(
                "记录的游标字段缺失或无法读取，不据此推进",
                "records whose cursor member is missing or unreadable; they do not move the position on",
            );
            self.tally
                .add("CURSOR_UNREADABLE", &self.stream.name, text, unreadable);
        }
        let rows = self.rows.clone();
        for notice in self.tally.take_notices(&self.stream.name, &rows) {
            self.send(Message::Notice(notice)).await?;
        }
        Ok(())
    }

    async fn checkpoint(&self, position: &Position) -> Result<(), RestError> {
        let cursor = position.write(&self.stream.name)?;
        let stream = self.stream.name.clone();
        self.send(Message::Checkpoint(Checkpoint { stream, cursor }))
            .await
    }

    async fn read_whole(&mut self, position: Option<Position>) -> Result<(), RestError> {
        let started_at = self.request.started_at;
        match position {
            None => {}
            Some(Position::Whole { read_at }) => {
                let age = (started_at - read_at).to_std().unwrap_or_default();
                if self.stream.reread_after.is_some_and(|after| age < after) {
                    let text = Bilingual::new(
                        "距上次读取未满设定间隔，本次不读",
                        "read recently enough; left alone this time",
                    );
                    self.tally.add("STREAM_FRESH", &self.stream.name, text, 1);
                    return Ok(());
                }
            }
            Some(other) => return Err(self.misfit(&other)),
        }
        self.read(&Vars::default(), None).await?;
        self.checkpoint(&Position::Whole { read_at: started_at }).await
    }

    /// Window after window, each with its checkpoint.
    pub async fn read_windows(&mut self, plan: &WindowPlan, from: DateTime<Utc>) -> Result<(), RestError> {
        let upper = before(self.request.started_at, plan.safety_lag);
        let zone = self.session.platform.zone;
        let mut next_from = from;
        let mut waiting: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
        loop {
            let (from, to) = match waiting.pop() {
                Some(window) => window,
                None if next_from < upper => {
                    let to = after(next_from, plan.length).min(upper);
                    let window = (next_from, to);
                    next_from = to;
                    window
                }
                None => return Ok(()),
            };
            let asked_from = before(from, plan.overlap);
            let vars = Vars {
                from: Some(plan.format.write(asked_from, zone)),
                to: Some(plan.format.write(to, zone)),
                ..Vars::default()
            };
            let first = self.load(&vars, Place::default()).await?;
            let too_many = first
                .total
                .zip(plan.split_over)
                .is_some_and(|(total, most)| total > most);
            if too_many && (to - from).num_seconds() >= WINDOW_SECONDS_MIN {
                let middle = from + (to - from) / 2;
                waiting.push((middle, to));
                waiting.push((from, middle));
                continue;
            }
            (self.least, self.greatest) = (None, None);
            self.read(&vars, Some(first)).await?;
            self.tell_outside(plan, asked_from, to);
            self.checkpoint(&Position::Window { until: to }).await?;
        }
    }

    /// Tells that the platform gives rows that the window does not ask for: its filter may not work.
    fn tell_outside(&mut self, plan: &WindowPlan, from: DateTime<Utc>, to: DateTime<Utc>) {
        // Formats cut off fractions, and dates the time of day: only what is a day away is surely outside.
        let first = before(from, DAY).timestamp_micros();
        let last = after(to, DAY).timestamp_micros();
        if self.least.is_some_and(|v| v < first) || self.greatest.is_some_and(|v| v > last) {
            let text = Bilingual::new(
                "平台返回了时间窗之外的记录，其时间条件可能无效",
                "windows with records from outside them: the platform may not filter as configured",
            );
            let field = plan.field.as_deref().unwrap_or_default();
            self.tally.add(
                "ROWS_OUTSIDE_WINDOW",
                &format!("{}: {field}", self.stream.name),
                text,
                1,
            );
        }
    }

    /// Everything from `from` on. `kept` is the position so far, which never goes back.
    pub async fn read_cursor(
        &mut self,
        plan: &CursorPlan,
        from: Option<i64>,
        kept: Option<i64>,
    ) -> Result<(), RestError> {
        let upper = match plan.values {
            CursorValues::Number => None,
            CursorValues::Time(_) => {
                Some(before(self.request.started_at, plan.safety_lag).timestamp_micros())
            }
        };
        if matches!(self.endpoint.pages.turn, Turn::Keyset) {
            return self.read_keyset(plan, from, kept, upper).await;
        }
        let vars = self.cursor_vars(plan, from, upper);
        self.read(&vars, None).await?;
        self.move_on(plan, kept, upper).await.map(drop)
    }

    fn cursor_vars(&self, plan: &CursorPlan, from: Option<i64>, upper: Option<i64>) -> Vars {
        let zone = self.session.platform.zone;
        Vars {
            cursor: from.map(|value| plan.values.write(value, zone)),
            to: upper.map(|value| plan.values.write(value, zone)),
            ..Vars::default()
        }
    }

    /// Moves the position to the greatest value that was handed over, but not past the upper bound.
    async fn move_on(
        &mut self,
        plan: &CursorPlan,
        kept: Option<i64>,
        upper: Option<i64>,
    ) -> Result<Option<i64>, RestError> {
        let Some(greatest) = self.greatest else {
            return Ok(kept);
        };
        let bound = upper.map_or(greatest, |upper| greatest.min(upper));
        // A day is more than any clock is off by accident.
        if upper.is_some_and(|upper| greatest > upper.saturating_add(86_400_000_000)) {
            let text = Bilingual::new(
                "游标字段有未来的时间，仅推进到本次上限",
                "the cursor member holds times of the future; the position moves to the upper bound only",
            );
            self.tally.add(
                "CURSOR_IN_FUTURE",
                &format!("{}: {}", self.stream.name, plan.field),
                text,
                1,
            );
            self.greatest = upper;
        }
        let value = kept.map_or(bound, |kept| kept.max(bound));
        if matches!(self.out, Output::Rows(_)) {
            self.checkpoint(&Position::Cursor { value }).await?;
        }
        Ok(Some(value))
    }

    /// Page after page, each from the last value of the one before.
    async fn read_keyset(
        &mut self,
        plan: &CursorPlan,
        from: Option<i64>,
        kept: Option<i64>,
        upper: Option<i64>,
    ) -> Result<(), RestError> {
        let zone = self.session.platform.zone;
        let mut from = from;
        let mut kept = kept;
        let mut before: HashSet<u128> = HashSet::new();
        // The records that share the last value: the next page must start with them.
        let mut tail: Vec<u128> = Vec::new();
        let mut pages = 0;
        let mut size = self.endpoint.pages.size.unwrap_or(u64::MAX);
        let mut last_count = 0;
        let vars = self.cursor_vars(plan, from, upper);
        let mut page = self.load(&vars, Place::default()).await?;
        loop {
            pages += 1;
            self.check_pages(pages)?;
            let count = page.count();
            let more = page.has_more == Some(true) || page.total.is_some_and(|total| total > count);
            let is_end_said = page.has_more.is_some() || page.total.is_some();
            let must_follow = more || (count >= size && !is_end_said);
            // A page that gets on surely has something new: the next one can be asked for before all of it was looked at.
            let reached = page.records().last().and_then(|record| self.rows.watched(record));
            let ahead = reached.filter(|reached| from.is_none_or(|from| *reached > from));
            let members =
                (must_follow && reached.is_none()).then(|| members_text(page.records().into_iter()));
            let working = self.begin(page);
            let mut loaded = None;
            if ahead.is_some() {
                let vars = self.cursor_vars(plan, ahead, upper);
                loaded = Some(self.load(&vars, Place::default()).await);
            }
            let worked = working.end().await?;
            let values: Vec<i64> = worked.inspection.watched.iter().copied().flatten().collect();
            if let Some(members) = members.filter(|_| count > 0 && values.is_empty()) {
                return Err(RestError::CursorUnreadable {
                    stream: self.stream.name.to_string(),
                    field: plan.field.clone(),
                    members,
                });
            }
            if !values.is_sorted()
                || from
                    .zip(values.first())
                    .is_some_and(|(from, first)| *first < self.floor(plan, from))
            {
                return Err(RestError::Unsorted {
                    stream: self.stream.name.to_string(),
                    field: plan.field.clone(),
                });
            }
            let keys: HashSet<u128> = worked.inspection.keys.iter().copied().collect();
            let is_new = ahead.is_some() || keys.iter().any(|key| !before.contains(key));
            let (first, last) = (values.first().copied(), values.last().copied());
            if !is_new {
                // The page holds what the one before ended with; if it is full of one value, others may hide behind.
                if count > 0 && first == last && (count >= size || more) {
                    return Err(RestError::CursorStuck {
                        stream: self.stream.name.to_string(),
                        field: plan.field.clone(),
                        value: last.map(|v| plan.values.write(v, zone)).unwrap_or_default(),
                        size: count,
                    });
                }
                return Ok(());
            }
            if !tail.is_empty() && tail.iter().all(|key| !keys.contains(key)) {
                let text = Bilingual::new(
                    "平台的下一页不含上一页最后的值，同值记录可能遗漏；请改用大于等于，或核对平台文档",
                    "pages that do not start with the last value of the page before: the platform takes only what is \
                     greater, so records that share that value may be missing",
                );
                let place = format!("{}: {}", self.stream.name, plan.field);
                self.tally.add("BOUNDARY_NOT_REPEATED", &place, text, 1);
            }
            if pages > 1 && last_count > 0 {
                // More came after a page that was not full: the platform gives smaller pages than it was asked for.
                size = size.min(last_count);
            }
            last_count = count;
            let shares_last = |(_, value): &(&u128, &Option<i64>)| **value == last;
            let watched = worked.inspection.keys.iter().zip(&worked.inspection.watched);
            tail = watched.filter(shares_last).map(|(key, _)| *key).collect();
            self.deliver(worked).await?;
            kept = self.move_on(plan, kept, upper).await?;
            before = keys;
            from = last;
            page = match (loaded, last) {
                (Some(loaded), _) => loaded?,
                (None, Some(_)) => {
                    let vars = self.cursor_vars(plan, last, upper);
                    self.load(&vars, Place::default()).await?
                }
                (None, None) => return Ok(()),
            };
        }
    }

    /// The earliest value that a platform may answer with when it was asked from `from`: what its format cuts off.
    fn floor(&self, plan: &CursorPlan, from: i64) -> i64 {
        let zone = self.session.platform.zone;
        plan.values
            .read(&plan.values.write(from, zone), zone)
            .unwrap_or(from)
            .min(from)
    }

    async fn read_feed(&mut self, start: Option<String>) -> Result<(), RestError> {
        let mut token = start;
        let mut pages = 0;
        let mut seen: HashSet<String> = token.iter().cloned().collect();
        let vars = |token: Option<String>| Vars {
            token,
            ..Vars::default()
        };
        let mut page = self.load(&vars(token.clone()), Place::default()).await?;
        loop {
            pages += 1;
            self.check_pages(pages)?;
            let (count, has_more, next) = (page.count(), page.has_more, page.token.clone());
            let repeated = RestError::PageRepeated {
                request: page.name.to_string(),
            };
            let working = self.begin(page);
            let moved = next.filter(|next| token.as_ref() != Some(next));
            let is_end = has_more == Some(false) || (has_more.is_none() && count == 0);
            let ahead = moved.clone().filter(|next| !is_end && !seen.contains(next));
            let mut loaded = None;
            if ahead.is_some() {
                loaded = Some(self.load(&vars(ahead), Place::default()).await);
            }
            let worked = working.end().await?;
            self.deliver(worked).await?;
            match moved {
                Some(next) => {
                    self.checkpoint(&Position::Feed { token: next.clone() }).await?;
                    seen.insert(next.clone());
                    token = Some(next);
                }
                None if has_more == Some(true) => return Err(repeated),
                None => return Ok(()),
            }
            match loaded {
                Some(loaded) => page = loaded?,
                None if is_end => return Ok(()),
                None => return Err(repeated),
            }
        }
    }
}

pub fn before(moment: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    moment.checked_sub_signed(by).unwrap_or(DateTime::UNIX_EPOCH)
}

fn after(moment: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    moment.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
