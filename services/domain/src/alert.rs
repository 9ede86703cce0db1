//! What an alert is outside its store: the record that is listed, watched and exported.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::hit::EvidenceRow;
use crate::rule::Severity;
use crate::text::Bilingual;
use crate::value::Value;

/// Output only. OPEN, CLEARED, STALE and WITHDRAWN say what the last run saw; only a person closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertState {
    /// The last run saw it.
    Open,
    /// The last run looked at fresh data, the evidence rows are still there, and it is no hit any more.
    Cleared,
    /// The last run could not tell: the rule failed, was not evaluable, or its input was old.
    Stale,
    /// Evidence rows changed or vanished at the source. In this field that may itself be the offence.
    Withdrawn,
    /// A person closed it, with a reason.
    Closed,
}

impl AlertState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Cleared => "CLEARED",
            Self::Stale => "STALE",
            Self::Withdrawn => "WITHDRAWN",
            Self::Closed => "CLOSED",
        }
    }

    pub fn parse(s: &str) -> Option<Self> {
        [
            Self::Open,
            Self::Cleared,
            Self::Stale,
            Self::Withdrawn,
            Self::Closed,
        ]
        .into_iter()
        .find(|v| v.as_str() == s)
    }
}

/// One alert: (fingerprint, episode), with its latest evidence. `alerts export --format json` is this, one
/// object a line, keys in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// "A-" and the first 16 hex digits of the fingerprint, "-" and the episode.
    pub alert_id: String,
    pub fingerprint: String,
    pub rule_id: String,
    pub rule_version: u32,
    pub severity: Severity,
    pub state: AlertState,
    pub episode: u32,
    /// `as_of` of the first and of the latest run that saw it.
    pub first_seen: NaiveDate,
    pub last_seen: NaiveDate,
    /// `as_of` of the run that last judged it.
    pub as_of: NaiveDate,
    pub hospital_id: Option<String>,
    pub identity: BTreeMap<String, Value>,
    pub subject: BTreeMap<String, Value>,
    pub amount_at_risk: Option<String>,
    pub message: Bilingual,
    pub path: Vec<Value>,
    pub evidence: Vec<EvidenceRow>,
}

/// What happened to an alert; one entry of the watch log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertEventKind {
    Opened,
    /// Seen again with other evidence or content.
    Updated,
    Reopened,
    Cleared,
    Stale,
    Withdrawn,
    Closed,
}

impl AlertEventKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "OPENED",
            Self::Updated => "UPDATED",
            Self::Reopened => "REOPENED",
            Self::Cleared => "CLEARED",
            Self::Stale => "STALE",
            Self::Withdrawn => "WITHDRAWN",
            Self::Closed => "CLOSED",
        }
    }
}

/// One committed change, in commit order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEvent {
    pub revision: i64,
    pub kind: AlertEventKind,
    pub alert: Alert,
}

/// What recording one rule's outcome did. `hits = opened + updated + reopened + suppressed + capped` where
/// `updated` includes hits seen again unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCounts {
    pub hits: u64,
    pub opened: u64,
    /// Seen before; of these, `changed` have new evidence or content.
    pub updated: u64,
    pub changed: u64,
    pub reopened: u64,
    pub suppressed: u64,
    pub capped: u64,
    /// Alerts of this rule that were not hit this time, by what was concluded.
    pub cleared: u64,
    pub stale: u64,
    pub withdrawn: u64,
}

impl RuleCounts {
    /// The conservation equation of the contracts.
    pub fn holds(&self) -> bool {
        self.hits == self.opened + self.updated + self.reopened + self.suppressed + self.capped
    }
}
