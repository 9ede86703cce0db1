//! Time is a parameter: what needs the present moment takes a [`Clock`].

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Utc};

/// Tells the present moment, UTC.
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> DateTime<Utc>;

    /// The civil date in China (UTC+8, no daylight saving since 1991).
    fn today(&self) -> NaiveDate {
        local_date(self.now())
    }
}

/// The civil date in China at `t`.
pub fn local_date(t: DateTime<Utc>) -> NaiveDate {
    let local = t.with_timezone(&FixedOffset::east_opt(8 * 3600).expect("UTC+8 is a valid offset"));
    NaiveDate::from_ymd_opt(local.year(), local.month(), local.day()).expect("a date that exists")
}

/// The machine's clock: the only place that reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still, for tests and replays.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}
