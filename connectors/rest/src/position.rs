//! How far a stream has been read, as the host keeps it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::RestError;

/// Longest position that a host keeps.
const POSITION_BYTES_MAX: usize = 64 << 10;

/// A position. Its text is what a [`Checkpoint`](connector::Checkpoint) carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Position {
    /// The whole list was read by the sync that began then.
    Whole { read_at: DateTime<Utc> },
    /// Every window up to then was read.
    Window { until: DateTime<Utc> },
    /// Every record up to this value was read: microseconds since 1970, or a number.
    Cursor { value: i64 },
    /// Every change before this token was read.
    Feed { token: String },
}

impl Position {
    pub fn write(&self, stream: &str) -> Result<String, RestError> {
        let bad = |what: String| RestError::BadPosition {
            stream: stream.to_owned(),
            position: String::new(),
            what,
        };
        let text = serde_json::to_string(self).map_err(|e| bad(e.to_string()))?;
        if text.len() > POSITION_BYTES_MAX {
            return Err(bad(format!(
                "the platform's token makes it longer than {POSITION_BYTES_MAX} bytes"
            )));
        }
        Ok(text)
    }

    pub fn read(text: &str, stream: &str) -> Result<Self, RestError> {
        serde_json::from_str(text).map_err(|e| RestError::BadPosition {
            stream: stream.to_owned(),
            position: text.chars().take(200).collect(),
            what: e.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_their_text() {
        let moment = DateTime::from_timestamp_micros(1_704_681_000_250_001).unwrap();
        for position in [
            Position::Whole { read_at: moment },
            Position::Window { until: moment },
            Position::Cursor { value: -3 },
            Position::Feed {
                token: "a\"b/是".to_owned(),
            },
        ] {
            let text = position.write("s").unwrap();
            assert_eq!(Position::read(&text, "s").unwrap(), position, "{text}");
        }
        assert!(Position::read("{}", "s").is_err());
        let long = Position::Feed {
            token: "x".repeat(70_000),
        };
        assert!(long.write("s").is_err());
    }
}
