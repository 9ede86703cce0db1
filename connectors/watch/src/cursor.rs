//! What is remembered of a file between syncs: one checkpoint a file, under its name.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::error::WatchError;

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub bytes: u64,
    pub modified: DateTime<Utc>,
    /// A bucket's tag of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// It may still grow; seen in this version since then.
    Seen {
        #[serde(flatten)]
        version: Version,
        since: DateTime<Utc>,
    },
    /// Its rows were sent.
    Done {
        #[serde(flatten)]
        version: Version,
        /// SHA-256 (hex) of what was read.
        digest: String,
    },
}

/// What is to be done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It was read in this version.
    Known,
    /// It may still grow. With the state to remember, unless that is remembered already.
    Wait(Option<State>),
    Take,
}

impl State {
    /// From a checkpoint. One that cannot be read is as none: the file is then read again.
    pub fn parse(cursor: &str) -> Option<Self> {
        serde_json::from_str(cursor).ok()
    }

    pub fn write(&self, name: &str) -> Result<String, WatchError> {
        serde_json::to_string(self).map_err(|source| WatchError::State {
            name: name.to_owned(),
            source,
        })
    }

    /// The digest of what was read last.
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Done { digest, .. } => Some(digest),
            Self::Seen { .. } => None,
        }
    }
}

/// Decides about a file that now has this version. It is whole when it has not changed for `stable`: by its own
/// time, or, where that says nothing (it may lie in the future, or have been set by a copying tool), by what
/// earlier syncs saw.
pub fn step(before: Option<&State>, now_is: &Version, now: DateTime<Utc>, stable: TimeDelta) -> Step {
    let since = match before {
        Some(State::Done { version, .. }) if version == now_is => return Step::Known,
        Some(State::Seen { version, since }) if version == now_is => *since,
        _ => now,
    };
    if now - since >= stable || now - now_is.modified >= stable {
        return Step::Take;
    }
    let seen = State::Seen {
        version: now_is.clone(),
        since,
    };
    Step::Wait((before != Some(&seen)).then_some(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn version(bytes: u64, modified: i64) -> Version {
        Version {
            bytes,
            modified: at(modified),
            etag: None,
        }
    }

    #[test]
    fn a_file_is_taken_once_it_rests() {
        let stable = TimeDelta::seconds(60);
        let fresh = version(10, 0);
        let Step::Wait(Some(seen)) = step(None, &fresh, at(10), stable) else {
            panic!("it may still grow");
        };
        assert_eq!(step(Some(&seen), &fresh, at(30), stable), Step::Wait(None));
        assert_eq!(step(Some(&seen), &fresh, at(60), stable), Step::Take);
        // Growing starts anew.
        let grown = version(20, 50);
        assert!(matches!(
            step(Some(&seen), &grown, at(60), stable),
            Step::Wait(Some(_))
        ));
        // A time in the future says nothing; what was seen does.
        let odd = version(10, 900);
        let Step::Wait(Some(seen)) = step(None, &odd, at(0), stable) else {
            panic!("it may still grow");
        };
        assert_eq!(step(Some(&seen), &odd, at(61), stable), Step::Take);
        assert_eq!(step(None, &fresh, at(0), TimeDelta::zero()), Step::Take);
    }

    #[test]
    fn what_is_done_is_known_until_it_changes() {
        let done = State::Done {
            version: version(10, 0),
            digest: "d".to_owned(),
        };
        let text = done.write("f").unwrap();
        assert_eq!(State::parse(&text), Some(done.clone()));
        assert_eq!(
            step(Some(&done), &version(10, 0), at(99), TimeDelta::zero()),
            Step::Known
        );
        assert_eq!(
            step(Some(&done), &version(11, 0), at(99), TimeDelta::zero()),
            Step::Take
        );
        assert_eq!(State::parse("not ours"), None);
    }
}
