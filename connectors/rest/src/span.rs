//! Spans of time as a configuration writes them.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A span of time, written as `500ms`, `30s`, `10m`, `24h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// None when the text is no span.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = text[..digits].parse().ok()?;
        let unit_ms: u64 = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(count.checked_mul(unit_ms)?)))
    }

    /// For a person, to the two largest units: `2 h`, `1 d 3 h`, `90 min` is `1 h 30 min`.
    pub fn words(self) -> String {
        let seconds = self.0.as_secs();
        let units = [
            (seconds / 86_400, "d"),
            (seconds / 3_600 % 24, "h"),
            (seconds / 60 % 60, "min"),
            (seconds % 60, "s"),
        ];
        let words: Vec<String> = units
            .into_iter()
            .skip_while(|(count, _)| *count == 0)
            .take(2)
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}"))
            .collect();
        if words.is_empty() {
            return format!("{} ms", self.0.as_millis());
        }
        words.join(" ")
    }

    pub fn micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "{text:?} is no span of time such as \"500ms\", \"30s\", \"10m\", \"24h\", \"7d\""
            ))
        })
    }
}

impl serde::Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ms = self.0.as_millis();
        let text = match ms {
            ms if ms > 0 && ms % 86_400_000 == 0 => format!("{}d", ms / 86_400_000),
            ms if ms > 0 && ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
            ms if ms > 0 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
            ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
            ms => format!("{ms}ms"),
        };
        serializer.serialize_str(&text)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_in_words() {
        for (text, words) in [
            ("2h", "2 h"),
            ("600s", "10 min"),
            ("90m", "1 h 30 min"),
            ("90061s", "1 d 1 h"),
            ("86461s", "1 d"),
            ("61s", "1 min 1 s"),
            ("250ms", "250 ms"),
        ] {
            assert_eq!(Span::parse(text).unwrap().words(), words, "{text}");
        }
    }

    #[test]
    fn spans() {
        for (text, ms) in [
            ("0s", 0),
            ("250ms", 250),
            ("10m", 600_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(Span::parse(text), Some(Span(Duration::from_millis(ms))), "{text}");
        }
        for text in ["", "5", "s", "1.5s", "-1s", "1 s", "1w", "99999999999999999999d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
