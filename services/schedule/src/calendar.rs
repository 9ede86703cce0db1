//! When a cron expression is due, in its own time zone. Everything goes in and out as UTC microseconds.
//!
//! Where clocks are put forward, a time that does not exist that day is due when the gap ends; where they are put back,
//! a fixed time is due once (croner follows Vixie cron in both).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::error::{Result, ScheduleError};

/// Scheduled times that are looked at one by one; of a longer gap only the newest are.
pub const OCCURRENCES_MAX: usize = 1_000;

/// A cron expression with its zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Cron,
    zone: Tz,
}

impl Calendar {
    /// Five fields; no seconds, no years.
    pub fn parse(cron: &str, zone: &str) -> Result<Self> {
        let parsed = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(cron)
            .map_err(|e| ScheduleError::Cron {
                cron: cron.to_owned(),
                problem: e.to_string(),
            })?;
        let zone = zone.parse().map_err(|_| ScheduleError::Zone {
            zone: zone.to_owned(),
        })?;
        Ok(Self { cron: parsed, zone })
    }

    fn local(&self, micros: i64) -> Option<DateTime<Tz>> {
        Some(DateTime::<Utc>::from_timestamp_micros(micros)?.with_timezone(&self.zone))
    }

    /// The first scheduled time after `after`; `None` when there is none (31 February).
    pub fn next(&self, after: i64) -> Option<i64> {
        let found = self.cron.find_next_occurrence(&self.local(after)?, false).ok()?;
        Some(found.timestamp_micros()).filter(|next| *next > after)
    }

    /// Scheduled times in `(after, until]`, oldest first: the newest [`OCCURRENCES_MAX`] of them.
    pub fn between(&self, after: i64, until: i64) -> Vec<i64> {
        let mut found = Vec::new();
        let mut at = after;
        while let Some(next) = self.next(at).filter(|next| *next <= until) {
            found.push(next);
            at = next;
            if found.len() > OCCURRENCES_MAX {
                return self.newest(after, until);
            }
        }
        found
    }

    fn newest(&self, after: i64, until: i64) -> Vec<i64> {
        let mut found = Vec::new();
        let mut inclusive = true;
        let mut at = until;
        while found.len() < OCCURRENCES_MAX {
            let Some(local) = self.local(at) else { break };
            let Ok(before) = self.cron.find_previous_occurrence(&local, inclusive) else {
                break;
            };
            let micros = before.timestamp_micros();
            if micros <= after || (!inclusive && micros >= at) {
                break;
            }
            (inclusive, at) = (false, micros);
            found.push(micros);
        }
        found.reverse();
        found
    }

    /// Time between the two scheduled times around `now`, in microseconds; `None` when there are none.
    pub fn period(&self, now: i64) -> Option<i64> {
        let next = self.next(now)?;
        Some(self.next(next)? - next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn text(micros: i64) -> String {
        DateTime::<Utc>::from_timestamp_micros(micros)
            .unwrap()
            .format("%Y-%m-%dT%H:%MZ")
            .to_string()
    }

    fn next(cron: &str, zone: &str, after: &str) -> String {
        let calendar = Calendar::parse(cron, zone).unwrap();
        calendar.next(at(after)).map(text).unwrap_or_default()
    }

    #[test]
    fn times_are_of_the_zone() {
        assert_eq!(
            next("30 2 * * *", "Asia/Shanghai", "2025-01-01T00:00:00Z"),
            "2025-01-01T18:30Z"
        );
        assert_eq!(
            next("30 2 * * *", "UTC", "2025-01-01T02:30:00Z"),
            "2025-01-02T02:30Z"
        );
    }

    #[test]
    fn the_last_day_of_each_month_is_found() {
        assert_eq!(
            next("0 0 L * *", "UTC", "2024-02-01T00:00:00Z"),
            "2024-02-29T00:00Z"
        );
        assert_eq!(
            next("0 0 31 * *", "UTC", "2025-01-31T00:00:00Z"),
            "2025-03-31T00:00Z"
        );
        assert_eq!(next("0 0 30 2 *", "UTC", "2025-01-31T00:00:00Z"), "");
    }

    /// Berlin goes from 02:00 to 03:00 on 30 March 2025 and from 03:00 back to 02:00 on 26 October.
    #[test]
    fn daylight_saving_neither_loses_nor_doubles_a_daily_time() {
        let calendar = Calendar::parse("30 2 * * *", "Europe/Berlin").unwrap();
        let spring = calendar.between(at("2025-03-28T12:00:00Z"), at("2025-04-01T12:00:00Z"));
        let days: Vec<String> = spring.iter().map(|&m| text(m)).collect();
        assert_eq!(days.len(), 4, "{days:?}");
        assert!(days[1].starts_with("2025-03-30T01:"), "{days:?}");
        let autumn = calendar.between(at("2025-10-24T12:00:00Z"), at("2025-10-28T12:00:00Z"));
        assert_eq!(
            autumn.len(),
            4,
            "{:?}",
            autumn.iter().map(|&m| text(m)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_long_gap_gives_its_newest_times() {
        let calendar = Calendar::parse("* * * * *", "UTC").unwrap();
        let (from, to) = (at("2025-01-01T00:00:00Z"), at("2025-02-01T00:00:00Z"));
        let found = calendar.between(from, to);
        assert_eq!(found.len(), OCCURRENCES_MAX);
        assert_eq!(text(found[OCCURRENCES_MAX - 1]), "2025-02-01T00:00Z");
        assert!(found.windows(2).all(|w| w[1] - w[0] == 60_000_000));
        assert_eq!(calendar.period(from), Some(60_000_000));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for cron in ["", "* * * *", "61 * * * *", "0 0 0 * * *", "every day"] {
            assert!(
                matches!(Calendar::parse(cron, "UTC"), Err(ScheduleError::Cron { .. })),
                "{cron}"
            );
        }
        assert!(matches!(
            Calendar::parse("* * * * *", "Mars/Base"),
            Err(ScheduleError::Zone { .. })
        ));
    }
}
