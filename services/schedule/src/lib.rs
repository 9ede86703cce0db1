//! Scheduled jobs: cron in a time zone, stored; missed times caught up with or told; no overlap; and of several
//! servers on one database exactly one runs a job.
//!
//! What a job does is behind [`domain::sources::JobRunner`]; this crate knows neither sources nor rules.

mod alarms;
mod calendar;
mod error;
mod jobs;
mod scheduler;
mod store;

pub use calendar::Calendar;
pub use error::ScheduleError;
pub use scheduler::{Scheduler, Settings};
pub use store::{Claim, Store};
