//! Dates and times from every way such exports write them.

use chrono::{Datelike, NaiveDate};

use super::half_width;
use crate::reason::Reason;

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// How far local time is ahead of UTC, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub i32);

impl Zone {
    /// UTC+8 throughout, as everywhere in this program.
    pub const CHINA: Self = Self(8 * 3600);

    /// `Asia/Shanghai`, `UTC`, or an offset such as `+08:00`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Asia/Shanghai" | "Asia/Chongqing" | "PRC" => Some(Self::CHINA),
            "UTC" | "Z" | "Etc/UTC" => Some(Self(0)),
            other => offset(other.as_bytes()).map(Self),
        }
    }

    fn micros(self) -> i64 {
        i64::from(self.0) * 1_000_000
    }
}

/// A date, perhaps with a time of day, perhaps with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Microseconds since midnight, when a time was given.
    pub time: Option<i64>,
    /// The zone, when one was given.
    pub zone: Option<Zone>,
    /// Only a month was given: `day` is its first.
    pub month_only: bool,
}

impl Written {
    /// The civil date in `zone`.
    pub fn date(self, zone: Zone) -> i32 {
        match self.zone {
            None => self.day,
            Some(own) => date_of(self.local() - own.micros(), zone),
        }
    }

    /// UTC microseconds; without a zone of its own it is in `zone`. A date alone is its midnight.
    pub fn instant(self, zone: Zone) -> i64 {
        self.local() - self.zone.unwrap_or(zone).micros()
    }

    fn local(self) -> i64 {
        i64::from(self.day) * DAY + self.time.unwrap_or(0)
    }
}

/// The civil date in `zone` at a moment (UTC microseconds), as days since 1970-01-01.
pub fn date_of(instant: i64, zone: Zone) -> i32 {
    let days = instant.saturating_add(zone.micros()).div_euclid(DAY);
    i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
}

/// UTC microseconds of a local time in `zone`.
pub fn instant_of(local: i64, zone: Zone) -> i64 {
    local.saturating_sub(zone.micros())
}

const FIRST_DAY: i32 = -25_567; // 1900-01-01
const LAST_DAY: i32 = 84_370; // 2200-12-31

/// The day itself when it lies in 1900 to 2200.
pub fn plausible(day: i32) -> Result<i32, Reason> {
    if (FIRST_DAY..=LAST_DAY).contains(&day) {
        Ok(day)
    } else {
        Err(Reason::DateOutOfRange)
    }
}

/// The microseconds themselves when they lie in 1900 to 2200.
pub fn plausible_instant(micros: i64) -> Result<i64, Reason> {
    plausible(date_of(micros, Zone(0))).map(|_| micros)
}

/// The day of a spreadsheet's serial number with its time, as local microseconds. 1900 counts as a leap year
/// there, so day 60 does not exist. The part of a day is rounded to the millisecond.
pub fn from_serial(serial: f64) -> Result<i64, Reason> {
    if !(0.0..=2_958_466.0).contains(&serial) {
        return Err(Reason::DateOutOfRange);
    }
    let milliseconds = (serial * 86_400_000.0).round() as i64;
    let days = milliseconds.div_euclid(86_400_000);
    let since = match days {
        60 => return Err(Reason::BadDate),
        days if days > 60 => days - 25_569,
        days => days - 25_568,
    };
    Ok(since * DAY + milliseconds.rem_euclid(86_400_000) * 1000)
}

/// Reads `text` (trimmed, not empty). The range of years is checked too.
pub fn parse(text: &str) -> Result<Written, Reason> {
    let bytes = text.as_bytes();
    if let Some((head, tail)) = bytes.split_at_checked(10)
        && let Some(day) = iso_day(head)
    {
        let time = if tail.is_empty() {
            Some(None)
        } else {
            iso_time(tail).map(Some)
        };
        if let Some(time) = time {
            return Ok(Written {
                day: plausible(day?)?,
                time,
                zone: None,
                month_only: false,
            });
        }
    }
    let mut ascii = [0u8; 48];
    let mut len = 0;
    for c in text.chars() {
        // Each mark keeps its own sign, so that 2024年3月 and 2024-3- stay different.
        let byte = match half_width(c) {
            '年' => b'y',
            '月' => b'm',
            '日' | '号' => b'd',
            '时' | '点' => b'h',
            '分' => b'n',
            '秒' => b's',
            '−' => b'-',
            c if c.is_ascii_digit() || matches!(c, '-' | '/' | '.' | ':' | ' ' | 'T' | 'Z' | '+') => c as u8,
            _ => return Err(Reason::BadDate),
        };
        *ascii.get_mut(len).ok_or(Reason::BadDate)? = byte;
        len += 1;
    }
    if len == 14 && ascii[..len].iter().all(u8::is_ascii_digit) {
        return compact(&ascii[..len]);
    }
    let mut scan = Scan { rest: &ascii[..len] };
    let (day, month_only) = scan.date()?;
    let (time, zone) = if scan.rest.is_empty() {
        (None, None)
    } else {
        if month_only {
            return Err(Reason::BadDate);
        }
        let time = scan.time()?;
        (Some(time), scan.zone()?)
    };
    if !scan.rest.is_empty() {
        return Err(Reason::BadDate);
    }
    Ok(Written {
        day: plausible(day)?,
        time,
        zone,
        month_only,
    })
}

/// `2024-03-05`: none when it is not of this shape.
fn iso_day(bytes: &[u8]) -> Option<Result<i32, Reason>> {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = bytes else {
        return None;
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let year = digit(a)? * 1000 + digit(b)? * 100 + digit(c)? * 10 + digit(d)?;
    Some(day_of(
        year,
        digit(e)? * 10 + digit(f)?,
        digit(g)? * 10 + digit(h)?,
    ))
}

/// `20240305090000`.
fn compact(digits: &[u8]) -> Result<Written, Reason> {
    let number = |range: std::ops::Range<usize>| {
        digits[range]
            .iter()
            .fold(0, |sum, b| sum * 10 + u32::from(b - b'0'))
    };
    let (hour, minute, second) = (number(8..10), number(10..12), number(12..14));
    let day = plausible(day_of(number(0..4), number(4..6), number(6..8))?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Reason::BadTimestamp);
    }
    let time = i64::from(hour * 3600 + minute * 60 + second) * 1_000_000;
    Ok(Written {
        day,
        time: Some(time),
        zone: None,
        month_only: false,
    })
}

/// ` 09:30:00`: none when it is not of this shape or no time that exists.
fn iso_time(bytes: &[u8]) -> Option<i64> {
    let [b' ' | b'T', a, b, b':', c, d, b':', e, f] = bytes else {
        return None;
    };
    let pair = |tens: &u8, ones: &u8| {
        let both = tens.is_ascii_digit() && ones.is_ascii_digit();
        both.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hour, minute, second) = (pair(a, b)?, pair(c, d)?, pair(e, f)?);
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 3600 + minute * 60 + second) * 1_000_000)
}

fn day_of(year: u32, month: u32, day: u32) -> Result<i32, Reason> {
    let date = NaiveDate::from_ymd_opt(year as i32, month, day).ok_or(Reason::BadDate)?;
    Ok(date.num_days_from_ce() - 719_163)
}

/// `+08:00`, `-0530`, `+8`.
fn offset(bytes: &[u8]) -> Option<i32> {
    let (sign, rest) = match bytes {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let digits: Vec<i32> = rest
        .iter()
        .filter(|b| b.is_ascii_digit())
        .map(|b| i32::from(b - b'0'))
        .collect();
    let (hours, minutes) = match (digits.as_slice(), rest.len()) {
        ([h], 1) => (*h, 0),
        ([h, i], 2) => (h * 10 + i, 0),
        ([h, i, m, n], 4) => (h * 10 + i, m * 10 + n),
        ([h, i, m, n], 5) if rest[2] == b':' => (h * 10 + i, m * 10 + n),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    /// The day, and whether only a month was given.
    fn date(&mut self) -> Result<(i32, bool), Reason> {
        let (year, width) = self.number();
        match width {
            4 => {}
            // 202403, 20240305.
            6 => return Ok((day_of(year / 100, year % 100, 1)?, true)),
            8 => return Ok((day_of(year / 10_000, year / 100 % 100, year % 100)?, false)),
            _ => return Err(Reason::BadDate),
        }
        let mark = self.mark()?;
        if !matches!(mark, b'y' | b'-' | b'/' | b'.') {
            return Err(Reason::BadDate);
        }
        self.spaces();
        let (month, width) = self.number();
        if !(1..=2).contains(&width) {
            return Err(Reason::BadDate);
        }
        if mark == b'y' {
            if self.mark()? != b'm' {
                return Err(Reason::BadDate);
            }
            self.spaces();
        } else if self.rest.first() == Some(&mark) {
            self.rest = &self.rest[1..];
            if self.rest.is_empty() {
                return Err(Reason::BadDate);
            }
        } else {
            return Ok((day_of(year, month, 1)?, true));
        }
        if self.rest.is_empty() {
            return Ok((day_of(year, month, 1)?, true));
        }
        let (day, width) = self.number();
        if !(1..=2).contains(&width) {
            return Err(Reason::BadDate);
        }
        if mark == b'y' && self.rest.first() == Some(&b'd') {
            self.rest = &self.rest[1..];
        }
        Ok((day_of(year, month, day)?, false))
    }

    /// ` 09:00`, `T09:00:00.123456`, ` 9时30分`.
    fn time(&mut self) -> Result<i64, Reason> {
        let before = self.rest.len();
        self.spaces();
        if self.rest.first() == Some(&b'T') {
            self.rest = &self.rest[1..];
        }
        // 2024年3月5日9时 is the only form without something in between.
        let apart = self.rest.len() < before;
        let (hour, width) = self.number();
        if !(1..=2).contains(&width) {
            return Err(Reason::BadTimestamp);
        }
        let mark = self.mark().map_err(|_| Reason::BadTimestamp)?;
        if !(mark == b'h' || (mark == b':' && apart)) {
            return Err(Reason::BadTimestamp);
        }
        let (mut minute, mut second, mut micros) = (0, 0, 0);
        let (value, width) = self.number();
        match width {
            0 if mark == b'h' => {}
            1 | 2 => {
                minute = value;
                let next = self.rest.first().copied();
                if matches!((mark, next), (b'h', Some(b'n')) | (b':', Some(b':'))) {
                    self.rest = &self.rest[1..];
                    let (value, width) = self.number();
                    match width {
                        0 if mark == b'h' => {}
                        1 | 2 => second = value,
                        _ => return Err(Reason::BadTimestamp),
                    }
                    if mark == b'h' && width > 0 && self.mark().ok() != Some(b's') {
                        return Err(Reason::BadTimestamp);
                    }
                    if mark == b':' && self.rest.first() == Some(&b'.') {
                        self.rest = &self.rest[1..];
                        micros = self.fraction()?;
                    }
                }
            }
            _ => return Err(Reason::BadTimestamp),
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Reason::BadTimestamp);
        }
        Ok(i64::from(hour * 3600 + minute * 60 + second) * 1_000_000 + micros)
    }

    fn zone(&mut self) -> Result<Option<Zone>, Reason> {
        self.spaces();
        let zone = match self.rest {
            [] => return Ok(None),
            b"Z" => Zone(0),
            text => Zone(offset(text).ok_or(Reason::BadTimestamp)?),
        };
        self.rest = &[];
        Ok(Some(zone))
    }

    /// Microseconds of a fraction of a second; what is below a microsecond is cut.
    fn fraction(&mut self) -> Result<i64, Reason> {
        let width = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&width) {
            return Err(Reason::BadTimestamp);
        }
        let micros = (0..6).fold(0, |sum, n| {
            sum * 10
                + if n < width {
                    i64::from(self.rest[n] - b'0')
                } else {
                    0
                }
        });
        self.rest = &self.rest[width..];
        Ok(micros)
    }

    /// The number that comes next and how many digits it has (0: none, 9 or more: read no further than 9).
    fn number(&mut self) -> (u32, usize) {
        let width = self
            .rest
            .iter()
            .take(9)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let value = self.rest[..width]
            .iter()
            .fold(0, |sum, b| sum * 10 + u32::from(b - b'0'));
        self.rest = &self.rest[width..];
        (value, width)
    }

    fn mark(&mut self) -> Result<u8, Reason> {
        let (first, rest) = self.rest.split_first().ok_or(Reason::BadDate)?;
        self.rest = rest;
        Ok(*first)
    }

    fn spaces(&mut self) {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Result<String, Reason> {
        let written = parse(text)?;
        let instant = written.instant(Zone::CHINA);
        let seconds = chrono::DateTime::from_timestamp_micros(instant).unwrap();
        let date = NaiveDate::from_num_days_from_ce_opt(written.date(Zone::CHINA) + 719_163).unwrap();
        let month = if written.month_only { " (month)" } else { "" };
        Ok(match written.time {
            None => format!("{date}{month}"),
            Some(_) => format!("{date} {}", seconds.format("%Y-%m-%dT%H:%M:%S%.fZ")),
        })
    }

    #[test]
    fn dates_as_such_exports_write_them() {
        for (text, expected) in [
            ("2024-03-05", "2024-03-05"),
            ("2024/3/5", "2024-03-05"),
            ("2024.3.5", "2024-03-05"),
            ("20240305", "2024-03-05"),
            ("2024年3月5日", "2024-03-05"),
            ("2024年03月05", "2024-03-05"),
            ("2024年 3月 5号", "2024-03-05"),
            ("２０２４年３月５日", "2024-03-05"),
            ("2024年3月", "2024-03-01 (month)"),
            ("2024.03", "2024-03-01 (month)"),
            ("2024-3", "2024-03-01 (month)"),
            ("202403", "2024-03-01 (month)"),
            ("2024-02-29", "2024-02-29"),
            ("1900-01-01", "1900-01-01"),
            ("2200-12-31", "2200-12-31"),
            ("2024-03-01 09:00", "2024-03-01 2024-03-01T01:00:00Z"),
            ("2024-03-01 09:00:30", "2024-03-01 2024-03-01T01:00:30Z"),
            ("2024/3/1 9:05", "2024-03-01 2024-03-01T01:05:00Z"),
            ("20240301090000", "2024-03-01 2024-03-01T01:00:00Z"),
            ("20240301 09:00", "2024-03-01 2024-03-01T01:00:00Z"),
            ("2024年3月1日9时30分", "2024-03-01 2024-03-01T01:30:00Z"),
            ("2024年3月1日 9时30分15秒", "2024-03-01 2024-03-01T01:30:15Z"),
            ("2024年3月1日9时", "2024-03-01 2024-03-01T01:00:00Z"),
            ("2024-03-01T09:00:00.25", "2024-03-01 2024-03-01T01:00:00.250Z"),
            ("2024-03-01T20:00:00Z", "2024-03-02 2024-03-01T20:00:00Z"),
            ("2024-03-01T09:00:00+08:00", "2024-03-01 2024-03-01T01:00:00Z"),
            ("2024-03-01 09:00:00 +0900", "2024-03-01 2024-03-01T00:00:00Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn dates_that_are_none() {
        for text in [
            "2024-13-45",
            "2024-02-30",
            "2023-02-29",
            "2024-00-10",
            "长期",
            "5/3/2024",
            "05.03.2024",
            "24-03-05",
            "2024",
            "2024-3-5-6",
            "2024-03.05",
            "2024-03-",
            "2024年",
            "2024年3",
            "2024年13月",
            "45000",
            "1704681000000",
            "--",
            "2024-03-05x",
            "2024/3/",
            "2024-03-05-06:00",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
        for text in ["1899-12-31", "2201-01-01", "9999-12-31", "0001-01-01", "1024/3/5"] {
            assert_eq!(parse(text), Err(Reason::DateOutOfRange), "{text}");
        }
        for text in [
            "2024-03-05 25:00",
            "2024-03-05 09:60",
            "2024-03-05 9",
            "2024-03-05 09:00:99",
            "2024-03-05 24:00:00",
            "2024-03-05 09:00 PM",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn serial_days_of_spreadsheets() {
        let day = |serial| from_serial(serial).map(|v| v.div_euclid(DAY));
        let of = |y, m, d| Ok(i64::from(day_of(y, m, d).unwrap()));
        assert_eq!(day(45_356.0), of(2024, 3, 5));
        assert_eq!(day(1.0), of(1900, 1, 1));
        assert_eq!(day(59.0), of(1900, 2, 28));
        assert_eq!(day(60.0), Err(Reason::BadDate));
        assert_eq!(day(61.0), of(1900, 3, 1));
        assert_eq!(
            from_serial(45_356.375).unwrap().rem_euclid(DAY),
            9 * 3600 * 1_000_000
        );
        assert_eq!(from_serial(-1.0), Err(Reason::DateOutOfRange));
        assert_eq!(from_serial(f64::NAN), Err(Reason::DateOutOfRange));
        assert_eq!(from_serial(1e18), Err(Reason::DateOutOfRange));
    }

    #[test]
    fn zones() {
        assert_eq!(Zone::parse("Asia/Shanghai"), Some(Zone::CHINA));
        assert_eq!(Zone::parse("+08:00"), Some(Zone::CHINA));
        assert_eq!(Zone::parse("-0330"), Some(Zone(-12_600)));
        assert_eq!(Zone::parse("+99:00"), None);
        assert_eq!(Zone::parse("Mars"), None);
        assert_eq!(date_of(i64::MAX, Zone::CHINA), 106_751_991);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(day in FIRST_DAY..=LAST_DAY, style in 0usize..6) {
            let date = NaiveDate::from_num_days_from_ce_opt(day + 719_163).unwrap();
            let style = ["%Y-%m-%d", "%Y/%-m/%-d", "%Y.%-m.%-d", "%Y%m%d", "%Y年%-m月%-d日", "%Y-%m-%d"][style];
            let written = parse(&date.format(style).to_string()).unwrap();
            prop_assert_eq!(written.day, day);
            prop_assert!(!written.month_only);
        }

        #[test]
        fn no_text_panics(text in "[0-9年月日时分秒TZ:+./ -]{0,30}") {
            let _ = parse(&text);
        }
    }
}
