//! Where a stream stands: cursor values, the bounds of a sync, and what is saved between syncs.

use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use connector::coerce::date::{DAY, Zone, date_of, instant_of};
use serde::{Deserialize, Serialize};

use crate::config::{Lookback, duration};

/// What a cursor column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorKind {
    Integer,
    Text,
    Date,
    /// A timestamp without a zone.
    Local,
    /// A timestamp with one.
    Instant,
}

/// One value of a cursor column. Times are microseconds since 1970-01-01, dates days.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CursorValue {
    Integer(i64),
    Text(String),
    Date(i32),
    Local(i64),
    Instant(i64),
}

impl CursorValue {
    pub fn kind(&self) -> CursorKind {
        match self {
            Self::Integer(_) => CursorKind::Integer,
            Self::Text(_) => CursorKind::Text,
            Self::Date(_) => CursorKind::Date,
            Self::Local(_) => CursorKind::Local,
            Self::Instant(_) => CursorKind::Instant,
        }
    }

    /// The same moment as another kind of time; none where that makes no sense.
    pub fn as_kind(&self, kind: CursorKind, zone: Zone) -> Option<Self> {
        if self.kind() == kind {
            return Some(self.clone());
        }
        let instant = match self {
            Self::Integer(_) | Self::Text(_) => return None,
            Self::Date(day) => instant_of(i64::from(*day) * DAY, zone),
            Self::Local(micros) => instant_of(*micros, zone),
            Self::Instant(micros) => *micros,
        };
        match kind {
            CursorKind::Integer | CursorKind::Text => None,
            CursorKind::Date => Some(Self::Date(date_of(instant, zone))),
            CursorKind::Local => Some(Self::Local(instant + i64::from(zone.0) * 1_000_000)),
            CursorKind::Instant => Some(Self::Instant(instant)),
        }
    }

    /// The value as far back as `lookback` says.
    pub fn back(&self, lookback: i64) -> Self {
        match self {
            Self::Integer(n) => Self::Integer(n.saturating_sub(lookback)),
            Self::Text(text) => Self::Text(text.clone()),
            Self::Date(day) => {
                let days = i32::try_from(lookback.div_euclid(86_400)).unwrap_or(i32::MAX)
                    + i32::from(lookback.rem_euclid(86_400) > 0);
                Self::Date(day.saturating_sub(days))
            }
            Self::Local(micros) => Self::Local(micros.saturating_sub(lookback.saturating_mul(1_000_000))),
            Self::Instant(micros) => Self::Instant(micros.saturating_sub(lookback.saturating_mul(1_000_000))),
        }
    }

    /// For a slot of a query that is read from the start.
    pub fn least(kind: CursorKind) -> Self {
        match kind {
            CursorKind::Integer => Self::Integer(i64::MIN),
            CursorKind::Text => Self::Text(String::new()),
            // The first day that MySQL knows.
            CursorKind::Date => Self::Date(-354_285),
            CursorKind::Local => Self::Local(-354_285 * DAY),
            CursorKind::Instant => Self::Instant(-354_285 * DAY),
        }
    }

    /// As text for people: ISO 8601 for times.
    pub fn text(&self) -> String {
        match self {
            Self::Integer(n) => n.to_string(),
            Self::Text(text) => text.clone(),
            Self::Date(day) => date_text(*day),
            Self::Local(micros) => local_text(*micros),
            Self::Instant(micros) => format!("{}Z", local_text(*micros)),
        }
    }
}

pub fn naive(micros: i64) -> Option<chrono::NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|t| t.naive_utc())
}

pub fn naive_date(day: i32) -> Option<NaiveDate> {
    naive(i64::from(day) * DAY).map(|t| t.date())
}

fn date_text(day: i32) -> String {
    naive_date(day).map_or_else(|| day.to_string(), |d| d.format("%Y-%m-%d").to_string())
}

fn local_text(micros: i64) -> String {
    naive(micros).map_or_else(
        || micros.to_string(),
        |t| t.format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
    )
}

/// How far to read again, in seconds (in units for a whole number), for a cursor of this kind.
pub fn lookback(configured: Option<&Lookback>, kind: CursorKind) -> Result<i64, String> {
    let is_time = matches!(kind, CursorKind::Date | CursorKind::Local | CursorKind::Instant);
    match (configured, kind) {
        (None, CursorKind::Integer | CursorKind::Text) => Ok(0),
        (None, CursorKind::Date) => Ok(86_400),
        (None, _) => Ok(15 * 60),
        (Some(Lookback::Units(units)), CursorKind::Integer) => Ok(i64::from(*units)),
        (Some(Lookback::Units(0)), _) => Ok(0),
        (Some(Lookback::Time(text)), _) if is_time => duration(text)
            .map(|d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
            .ok_or_else(|| format!("lookback {text:?} is no length of time")),
        (Some(_), CursorKind::Integer) => {
            Err("the cursor is a whole number, so lookback is a number too, like 1000".into())
        }
        (Some(_), CursorKind::Text) => Err("the cursor is text, which has no lookback; take it out".into()),
        (Some(_), _) => Err("the cursor is a time, so lookback is a length of time, like \"15m\"".into()),
    }
}

/// From where to where a sync reads a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    pub kind: CursorKind,
    /// Included; none: from the start.
    pub lower: Option<CursorValue>,
    /// Included; none for cursors that are no time.
    pub upper: Option<CursorValue>,
    pub lookback: i64,
}

impl Bounds {
    /// `now` is the earlier of the server's clock and the start of the sync, in UTC microseconds.
    pub fn new(
        kind: CursorKind,
        saved: Option<&CursorValue>,
        lookback: i64,
        now: i64,
        lag: Duration,
        zone: Zone,
    ) -> Self {
        let micros = i64::try_from(lag.as_micros()).unwrap_or(i64::MAX);
        let upper = CursorValue::Instant(now.saturating_sub(micros)).as_kind(kind, zone);
        Self {
            kind,
            lower: saved.map(|value| value.back(lookback)),
            upper,
            lookback,
        }
    }
}

/// What a checkpoint holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    pub version: u32,
    /// The greatest cursor value whose rows have all been sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<SavedValue>,
    /// The result's columns when it was saved: name, type, and the field that it fed.
    #[serde(default)]
    pub columns: Vec<SavedColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedValue {
    Integer(i64),
    Text(String),
    Date(String),
    Local(String),
    Instant(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
}

const VERSION: u32 = 1;

impl Saved {
    pub fn new(value: Option<&CursorValue>, columns: Vec<SavedColumn>) -> Self {
        let value = value.map(|value| match value {
            CursorValue::Integer(n) => SavedValue::Integer(*n),
            CursorValue::Text(text) => SavedValue::Text(text.clone()),
            CursorValue::Date(_) => SavedValue::Date(value.text()),
            CursorValue::Local(_) => SavedValue::Local(value.text()),
            CursorValue::Instant(_) => SavedValue::Instant(value.text()),
        });
        Self {
            version: VERSION,
            value,
            columns,
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn from_json(text: &str) -> Result<Self, String> {
        let saved: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if saved.version != VERSION {
            return Err(format!(
                "it has version {}, this program knows {VERSION}",
                saved.version
            ));
        }
        saved.cursor()?;
        Ok(saved)
    }

    pub fn cursor(&self) -> Result<Option<CursorValue>, String> {
        let moment = |text: &str| {
            chrono::NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y-%m-%dT%H:%M:%S%.f")
                .map(|t| t.and_utc().timestamp_micros())
                .map_err(|e| format!("{text:?}: {e}"))
        };
        Ok(match &self.value {
            None => None,
            Some(SavedValue::Integer(n)) => Some(CursorValue::Integer(*n)),
            Some(SavedValue::Text(text)) => Some(CursorValue::Text(text.clone())),
            Some(SavedValue::Date(text)) => {
                let micros = moment(&format!("{text}T00:00:00"))?;
                Some(CursorValue::Date(date_of(micros, Zone(0))))
            }
            Some(SavedValue::Local(text)) => Some(CursorValue::Local(moment(text)?)),
            Some(SavedValue::Instant(text)) => Some(CursorValue::Instant(moment(text)?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_saved(value: CursorValue) {
        let saved = Saved::new(Some(&value), Vec::new());
        let read = Saved::from_json(&saved.to_json()).unwrap();
        assert_eq!(read.cursor().unwrap(), Some(value));
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_back(n: i64, text in "\\PC*", day in -100_000i32..200_000, micros in -4_000_000_000_000_000i64..8_000_000_000_000_000) {
            check_saved(CursorValue::Integer(n));
            check_saved(CursorValue::Text(text));
            check_saved(CursorValue::Date(day));
            check_saved(CursorValue::Local(micros));
            check_saved(CursorValue::Instant(micros));
        }
    }

    #[test]
    fn the_window_reaches_back_and_stops_behind_the_clock() {
        let hour = 3_600_000_000;
        let saved = CursorValue::Local(20 * hour);
        let lag = Duration::from_secs(60);
        let bounds = Bounds::new(CursorKind::Local, Some(&saved), 1800, 15 * hour, lag, Zone::CHINA);
        assert_eq!(bounds.lower, Some(CursorValue::Local(20 * hour - hour / 2)));
        assert_eq!(bounds.upper, Some(CursorValue::Local(23 * hour - 60_000_000)));
        let dates = Bounds::new(
            CursorKind::Date,
            Some(&CursorValue::Date(5)),
            86_400,
            17 * hour,
            lag,
            Zone::CHINA,
        );
        assert_eq!(dates.lower, Some(CursorValue::Date(4)));
        assert_eq!(
            dates.upper,
            Some(CursorValue::Date(1)),
            "already tomorrow in China"
        );
        let numbers = Bounds::new(
            CursorKind::Integer,
            Some(&CursorValue::Integer(7)),
            3,
            0,
            lag,
            Zone::CHINA,
        );
        assert_eq!(
            (numbers.lower, numbers.upper),
            (Some(CursorValue::Integer(4)), None)
        );
    }

    #[test]
    fn a_lookback_must_fit_its_cursor() {
        assert_eq!(lookback(None, CursorKind::Instant), Ok(900));
        assert_eq!(lookback(Some(&Lookback::Units(9)), CursorKind::Integer), Ok(9));
        assert!(lookback(Some(&Lookback::Time("1m".into())), CursorKind::Integer).is_err());
        assert!(lookback(Some(&Lookback::Units(9)), CursorKind::Local).is_err());
    }

    #[test]
    fn a_broken_checkpoint_is_refused() {
        for text in [
            "",
            "{}",
            "{\"version\":2}",
            "{\"version\":1,\"value\":{\"local\":\"x\"}}",
        ] {
            assert!(Saved::from_json(text).is_err(), "{text}");
        }
    }
}
