//! Times as a platform writes them: in requests, in cursors and in signatures.

use std::fmt;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Utc};
use connector::coerce::date::Zone;

/// How times are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    EpochMilliseconds,
    EpochSeconds,
    Rfc3339,
    /// A pattern of `strftime`, in the source's zone.
    Pattern(String),
}

impl fmt::Display for TimeFormat {
    /// As the configuration names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EpochMilliseconds => "epoch_ms",
            Self::EpochSeconds => "epoch_s",
            Self::Rfc3339 => "rfc3339",
            Self::Pattern(pattern) => pattern,
        })
    }
}

impl TimeFormat {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "epoch_ms" => Ok(Self::EpochMilliseconds),
            "epoch_s" => Ok(Self::EpochSeconds),
            "rfc3339" => Ok(Self::Rfc3339),
            pattern
                if pattern.contains('%')
                    && !StrftimeItems::new(pattern).any(|item| matches!(item, Item::Error)) =>
            {
                Ok(Self::Pattern(pattern.to_owned()))
            }
            other => Err(format!(
                "{other:?} is none of \"rfc3339\", \"epoch_ms\", \"epoch_s\", or a pattern such as \"%Y-%m-%d %H:%M:%S\""
            )),
        }
    }

    /// The moment as text. What the format cannot hold is cut off, so the text is never later than the moment.
    pub fn write(&self, moment: DateTime<Utc>, zone: Zone) -> String {
        match self {
            Self::EpochMilliseconds => moment.timestamp_millis().to_string(),
            Self::EpochSeconds => moment.timestamp().to_string(),
            Self::Rfc3339 => moment
                .with_timezone(&offset(zone))
                .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            Self::Pattern(pattern) => moment.with_timezone(&offset(zone)).format(pattern).to_string(),
        }
    }

    /// The moment that the text stands for; a date alone is its first moment.
    pub fn read(&self, text: &str, zone: Zone) -> Option<DateTime<Utc>> {
        let text = text.trim();
        match self {
            Self::EpochMilliseconds => DateTime::from_timestamp_millis(text.parse().ok()?),
            Self::EpochSeconds => DateTime::from_timestamp(text.parse().ok()?, 0),
            Self::Rfc3339 => DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc()),
            Self::Pattern(pattern) => {
                if let Ok(moment) = DateTime::parse_from_str(text, pattern) {
                    return Some(moment.to_utc());
                }
                let local = NaiveDateTime::parse_from_str(text, pattern).ok().or_else(|| {
                    let day = NaiveDate::parse_from_str(text, pattern).ok()?;
                    day.and_hms_opt(0, 0, 0)
                })?;
                offset(zone)
                    .from_local_datetime(&local)
                    .single()
                    .map(|t| t.to_utc())
            }
        }
    }
}

/// A moment of the configuration: `2023-01-01`, with a time, or RFC 3339.
pub fn configured(text: &str, zone: Zone) -> Result<DateTime<Utc>, String> {
    let written = connector::coerce::date::parse(text)
        .map_err(|_| format!("{text:?} is no date such as \"2023-01-01\" or \"2023-01-01 08:00:00\""))?;
    DateTime::from_timestamp_micros(written.instant(zone)).ok_or_else(|| format!("{text:?} is out of range"))
}

fn offset(zone: Zone) -> FixedOffset {
    FixedOffset::east_opt(zone.0).unwrap_or(FixedOffset::east_opt(0).expect("UTC is an offset"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        let moment = DateTime::from_timestamp_millis(1_704_681_000_250).unwrap(); // 2024-01-08T02:30:00.250Z
        for (format, text, back_ms) in [
            ("epoch_ms", "1704681000250", 1_704_681_000_250),
            ("epoch_s", "1704681000", 1_704_681_000_000),
            ("rfc3339", "2024-01-08T10:30:00.250+08:00", 1_704_681_000_250),
            ("%Y-%m-%d %H:%M:%S", "2024-01-08 10:30:00", 1_704_681_000_000),
            ("%Y%m%d%H%M%S", "20240108103000", 1_704_681_000_000),
            ("%Y-%m-%d", "2024-01-08", 1_704_643_200_000),
            (
                "%Y-%m-%dT%H:%M:%S%z",
                "2024-01-08T10:30:00+0800",
                1_704_681_000_000,
            ),
        ] {
            let parsed = TimeFormat::parse(format).unwrap();
            assert_eq!(parsed.write(moment, Zone::CHINA), text, "{format}");
            assert_eq!(
                parsed.read(text, Zone::CHINA).unwrap().timestamp_millis(),
                back_ms,
                "{format}"
            );
            assert_eq!(parsed.read("yesterday", Zone::CHINA), None, "{format}");
        }
        for wrong in ["iso", "", "%Q"] {
            assert!(TimeFormat::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn configured_moments_are_local() {
        let moment = |text| configured(text, Zone::CHINA).unwrap().to_rfc3339();
        assert_eq!(moment("2023-01-01"), "2022-12-31T16:00:00+00:00");
        assert_eq!(moment("2023-01-01T00:00:00Z"), "2023-01-01T00:00:00+00:00");
        assert!(configured("soon", Zone::CHINA).is_err());
    }
}
