//! The two years that a province covers, and the working days of 2023 to 2025 as the State Council's
//! yearly notices set them.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Weekday};

/// First day with purchases.
pub(crate) const FIRST: (i32, u32, u32) = (2023, 2, 1);
/// Number of days with purchases; the last is 2025-01-31.
pub(crate) const SPAN_DAYS: u32 = 731;

/// Year, month, day.
type Ymd = (i32, u32, u32);

/// Days off, as (first, last), and weekend days that are worked.
const HOLIDAYS: &[(Ymd, Ymd, &str)] = &[
    ((2023, 1, 1), (2023, 1, 2), "元旦"),
    ((2023, 1, 21), (2023, 1, 27), "春节"),
    ((2023, 4, 5), (2023, 4, 5), "清明节"),
    ((2023, 4, 29), (2023, 5, 3), "劳动节"),
    ((2023, 6, 22), (2023, 6, 24), "端午节"),
    ((2023, 9, 29), (2023, 10, 6), "中秋节、国庆节"),
    ((2024, 1, 1), (2024, 1, 1), "元旦"),
    ((2024, 2, 10), (2024, 2, 17), "春节"),
    ((2024, 4, 4), (2024, 4, 6), "清明节"),
    ((2024, 5, 1), (2024, 5, 5), "劳动节"),
    ((2024, 6, 8), (2024, 6, 10), "端午节"),
    ((2024, 9, 15), (2024, 9, 17), "中秋节"),
    ((2024, 10, 1), (2024, 10, 7), "国庆节"),
    ((2025, 1, 1), (2025, 1, 1), "元旦"),
    ((2025, 1, 28), (2025, 2, 4), "春节"),
    ((2025, 4, 4), (2025, 4, 6), "清明节"),
    ((2025, 5, 1), (2025, 5, 5), "劳动节"),
    ((2025, 5, 31), (2025, 6, 2), "端午节"),
    ((2025, 10, 1), (2025, 10, 8), "国庆节、中秋节"),
];
const MADE_UP: &[Ymd] = &[
    (2023, 1, 28),
    (2023, 1, 29),
    (2023, 4, 23),
    (2023, 5, 6),
    (2023, 6, 25),
    (2023, 10, 7),
    (2023, 10, 8),
    (2024, 2, 4),
    (2024, 2, 18),
    (2024, 4, 7),
    (2024, 4, 28),
    (2024, 5, 11),
    (2024, 9, 14),
    (2024, 9, 29),
    (2024, 10, 12),
    (2025, 1, 26),
    (2025, 2, 8),
    (2025, 4, 27),
    (2025, 9, 28),
    (2025, 10, 11),
];

/// A date that is known to exist.
pub(crate) fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
}

/// The day `offset` days after the first one with purchases.
pub(crate) fn day(offset: u32) -> NaiveDate {
    plus(date(FIRST.0, FIRST.1, FIRST.2), i64::from(offset))
}

/// `days` later (earlier when negative).
pub(crate) fn plus(from: NaiveDate, days: i64) -> NaiveDate {
    let moved = if days < 0 {
        from.checked_sub_days(Days::new(days.unsigned_abs()))
    } else {
        from.checked_add_days(Days::new(days.unsigned_abs()))
    };
    moved.unwrap_or(from)
}

/// A wall-clock time in China.
pub(crate) fn at(day: NaiveDate, hour: u32, minute: u32) -> NaiveDateTime {
    day.and_hms_opt(hour, minute, 0).unwrap_or_default()
}

/// Whether `day` is worked, and what it is when the calendar departs from the week.
pub(crate) fn workday(day: NaiveDate) -> (bool, Option<&'static str>) {
    let key = (day.year(), day.month(), day.day());
    if let Some((_, _, name)) = HOLIDAYS
        .iter()
        .find(|(first, last, _)| *first <= key && key <= *last)
    {
        return (false, Some(name));
    }
    if MADE_UP.contains(&key) {
        return (true, Some("调休上班"));
    }
    (!matches!(day.weekday(), Weekday::Sat | Weekday::Sun), None)
}

/// The day that lies `count` working days after `from`.
pub(crate) fn workdays_after(from: NaiveDate, count: u32) -> NaiveDate {
    let mut at = from;
    let mut left = count;
    while left > 0 {
        at = plus(at, 1);
        if workday(at).0 {
            left -= 1;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_the_default_as_of() {
        assert_eq!(day(SPAN_DAYS - 1), date(2025, 1, 31));
    }

    #[test]
    fn working_days_step_over_holidays_and_use_made_up_ones() {
        // 2024-09-13 is a Friday; the 14th is worked, the 15th to 17th are off.
        assert_eq!(workdays_after(date(2024, 9, 13), 1), date(2024, 9, 14));
        assert_eq!(workdays_after(date(2024, 9, 13), 2), date(2024, 9, 18));
        // Statutory counts: 2024 has 251 working days (366 less 104 weekend days, 11 + holidays moved).
        let worked = (0..366).filter(|n| workday(plus(date(2024, 1, 1), *n)).0).count();
        assert_eq!(worked, 251);
    }
}
