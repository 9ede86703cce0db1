//! The one error type that crosses a port: what failed, where, and what to do about it.

use serde::{Deserialize, Serialize};

/// How a caller should react. Maps one to one to a gRPC code in the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request or the configuration is wrong; the same call will fail again.
    Invalid,
    NotFound,
    /// The state of the system does not allow it now.
    Precondition,
    /// A limit was reached: memory, rows, time, a slow consumer.
    Exhausted,
    /// A position that no longer exists (compacted history).
    OutOfRange,
    Conflict,
    Cancelled,
    DeadlineExceeded,
    /// May work when tried again.
    Unavailable,
    Internal,
}

/// A failure as it leaves a service.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// UPPER_SNAKE, at most 63 characters, stable: what programs match on.
    pub reason: &'static str,
    /// One sentence for a person: what, where, and what to do.
    pub message: String,
    /// Machine-readable details, e.g. `min_revision`.
    pub metadata: Vec<(String, String)>,
}

impl Failure {
    pub fn new(kind: FailureKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            metadata: Vec::new(),
        }
    }

    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, reason, message)
    }

    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::NotFound, reason, message)
    }

    /// An unexpected error, with its whole chain of causes in the message.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(c) = cause {
            let text = c.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = c.source();
        }
        Self::new(FailureKind::Internal, "INTERNAL", message)
    }

    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }
}
