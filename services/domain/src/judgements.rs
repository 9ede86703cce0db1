//! What reviewers say of parties, what that changed, and the port through which they say it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ports::Result;

/// A reviewer's verdict on two parties. It binds every resolution until it is withdrawn, and stays on record after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyJudgement {
    /// `J000001`, counting up.
    pub judgement_id: String,
    /// `SAME` or `DIFFERENT`.
    pub verdict: String,
    /// Business keys of the two parties: a USCC, `name:...`, `id:...`, `staff:...`, `pid:...`, `src:...` or `ref:...`.
    pub a: String,
    pub b: String,
    /// As the reviewer told them.
    pub a_told: String,
    pub b_told: String,
    pub by: String,
    pub reason: String,
    /// UTC microseconds.
    pub at: i64,
    pub withdrawn: Option<Withdrawal>,
}

/// Who took a verdict back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    pub by: String,
    pub reason: String,
    /// UTC microseconds.
    pub at: i64,
}

/// What became of a party's id from one snapshot to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyEvent {
    /// The snapshot that shows it.
    pub snapshot: i64,
    /// UTC microseconds.
    pub at: i64,
    pub kind: PartyEventKind,
    /// Party ids and names.
    pub from: String,
    pub from_name: String,
    pub into: String,
    pub into_name: String,
    /// Mentions that went from the one to the other.
    pub mentions: u64,
}

/// How mentions went from one party to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PartyEventKind {
    /// `from` is no more; all that is left of it went into `into`.
    Merged,
    /// `into` is new and has what was part of `from`.
    Split,
    /// Both were there before; `from` is still there, or went to several.
    Moved,
}

impl PartyEventKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merged => "MERGED",
            Self::Split => "SPLIT",
            Self::Moved => "MOVED",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Merged, Self::Split, Self::Moved]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What a reviewer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeParties {
    /// `SAME` or `DIFFERENT`.
    pub verdict: String,
    /// Name, code, party id or business key.
    pub a: String,
    pub b: String,
    pub by: String,
    pub reason: String,
}

/// A verdict that was taken or withdrawn, and the snapshot that obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgementDone {
    pub judgement: PartyJudgement,
    pub snapshot: i64,
    pub events: Vec<PartyEvent>,
}

/// Verdicts on who is who.
#[async_trait]
pub trait JudgementPort: Send + Sync {
    /// Takes a verdict and resolves all parties anew, in one commit.
    async fn judge(&self, request: JudgeParties) -> Result<JudgementDone>;

    /// Takes a verdict back and resolves all parties anew, in one commit.
    async fn withdraw(&self, judgement_id: &str, by: &str, reason: &str) -> Result<JudgementDone>;

    /// Verdicts by id, at most `limit`.
    async fn judgements(&self, with_withdrawn: bool, limit: usize) -> Result<Vec<PartyJudgement>>;

    /// What became of party ids, newest first, at most `limit`. `party` narrows it to the events that name that id.
    async fn party_events(&self, party: Option<&str>, limit: usize) -> Result<Vec<PartyEvent>>;
}
