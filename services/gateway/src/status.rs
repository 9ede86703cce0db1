//! From a domain failure to a gRPC status with `google.rpc.ErrorInfo` and `google.rpc.LocalizedMessage`, and back to
//! words at the client.

use std::collections::HashMap;

use domain::{Failure, FailureKind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use crate::reasons::in_chinese;

/// `ErrorInfo.domain` of every error.
pub const ERROR_DOMAIN: &str = "lianjing";

/// `LocalizedMessage.locale` of the sentence that comes along.
const LOCALE: &str = "zh-CN";

/// Longest message, in bytes: status and details travel in trailers, which clients limit to 8 KiB in all.
const MESSAGE_BYTES_MAX: usize = 1_500;

/// The canonical code of a kind of failure.
pub fn code(kind: FailureKind) -> Code {
    match kind {
        FailureKind::Invalid => Code::InvalidArgument,
        FailureKind::NotFound => Code::NotFound,
        FailureKind::Precondition => Code::FailedPrecondition,
        FailureKind::Exhausted => Code::ResourceExhausted,
        FailureKind::OutOfRange => Code::OutOfRange,
        FailureKind::Conflict => Code::Aborted,
        FailureKind::Cancelled => Code::Cancelled,
        FailureKind::DeadlineExceeded => Code::DeadlineExceeded,
        FailureKind::Unavailable => Code::Unavailable,
        FailureKind::Internal => Code::Internal,
    }
}

/// The name of a kind's code as AIP-193 writes it, e.g. "INVALID_ARGUMENT".
pub fn code_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Invalid => "INVALID_ARGUMENT",
        FailureKind::NotFound => "NOT_FOUND",
        FailureKind::Precondition => "FAILED_PRECONDITION",
        FailureKind::Exhausted => "RESOURCE_EXHAUSTED",
        FailureKind::OutOfRange => "OUT_OF_RANGE",
        FailureKind::Conflict => "ABORTED",
        FailureKind::Cancelled => "CANCELLED",
        FailureKind::DeadlineExceeded => "DEADLINE_EXCEEDED",
        FailureKind::Unavailable => "UNAVAILABLE",
        FailureKind::Internal => "INTERNAL",
    }
}

/// The one place where a failure becomes a status.
pub fn to_status(failure: Failure) -> Status {
    if failure.kind == FailureKind::Internal {
        tracing::error!(error.reason = failure.reason, error.message = %failure.message, "call failed");
    }
    let metadata: HashMap<String, String> = failure.metadata.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(failure.reason, ERROR_DOMAIN, metadata);
    if let Some(sentence) = in_chinese(failure.reason) {
        details.set_localized_message(LOCALE, sentence);
    }
    Status::with_error_details(code(failure.kind), cut(&failure.message), details)
}

/// The reason and metadata of an error that came over the wire; `None` when it was not made by [`to_status`].
pub fn error_info(status: &Status) -> Option<(String, HashMap<String, String>)> {
    status
        .get_details_error_info()
        .filter(|i| i.domain == ERROR_DOMAIN)
        .map(|i| (i.reason, i.metadata))
}

/// The Chinese sentence of an error that came over the wire; `None` when none came along.
pub fn chinese_of(status: &Status) -> Option<String> {
    status
        .get_details_localized_message()
        .filter(|m| m.locale == LOCALE)
        .map(|m| m.message)
}

fn cut(message: &str) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let end = (0..=MESSAGE_BYTES_MAX)
        .rev()
        .find(|&i| message.is_char_boundary(i))
        .unwrap_or(0);
    format!("{}…", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_reason_and_metadata() {
        let failure =
            Failure::new(FailureKind::OutOfRange, "REVISION_COMPACTED", "too old").with("min_revision", "42");
        let status = to_status(failure);
        assert_eq!(status.code(), Code::OutOfRange);
        let (reason, metadata) = error_info(&status).expect("has ErrorInfo");
        assert_eq!(reason, "REVISION_COMPACTED");
        assert_eq!(metadata["min_revision"], "42");
    }

    #[test]
    fn a_failure_is_told_in_chinese_too() {
        let status = to_status(Failure::not_found("ALERT_NOT_FOUND", "there is no alert"));
        assert_eq!(status.message(), "there is no alert");
        assert_eq!(
            chinese_of(&status).as_deref(),
            Some("没有这条预警；可用 lianjing alerts list 查看现有预警")
        );
        assert_eq!(chinese_of(&to_status(Failure::invalid("UNHEARD_OF", "x"))), None);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let status = to_status(Failure::invalid("LONG", "规".repeat(1000)));
        assert!(status.message().len() < MESSAGE_BYTES_MAX + 4);
        assert!(status.message().ends_with('…'));
    }

    /// Clients take 8 KiB of trailers, in which a message counts threefold and its details by four thirds.
    #[test]
    fn the_longest_message_leaves_room_for_its_sentence() {
        let response = to_status(Failure::invalid("PLATFORM_REFUSED", "规".repeat(1000))).into_http::<()>();
        let bytes: usize = response
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        assert!((4_000..7_500).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn names_and_codes_agree() {
        for kind in [
            FailureKind::Invalid,
            FailureKind::NotFound,
            FailureKind::Precondition,
            FailureKind::Exhausted,
            FailureKind::OutOfRange,
            FailureKind::Conflict,
            FailureKind::Cancelled,
            FailureKind::DeadlineExceeded,
            FailureKind::Unavailable,
            FailureKind::Internal,
        ] {
            let name = code_name(kind).replace('_', "").to_lowercase();
            assert_eq!(format!("{:?}", code(kind)).to_lowercase(), name);
        }
    }
}
