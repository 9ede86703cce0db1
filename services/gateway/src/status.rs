//! From a domain failure to a gRPC status with `google.rpc.ErrorInfo`, and back to words at the client.

use std::collections::HashMap;

use domain::{Failure, FailureKind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `ErrorInfo.domain` of every error.
pub const ERROR_DOMAIN: &str = "lianjing";

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
    let details = ErrorDetails::with_error_info(failure.reason, ERROR_DOMAIN, metadata);
    Status::with_error_details(code(failure.kind), cut(&failure.message), details)
}

/// The reason and metadata of an error that came over the wire; `None` when it was not made by [`to_status`].
pub fn error_info(status: &Status) -> Option<(String, HashMap<String, String>)> {
    status
        .get_details_error_info()
        .filter(|i| i.domain == ERROR_DOMAIN)
        .map(|i| (i.reason, i.metadata))
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
    fn a_long_message_is_cut_between_characters() {
        let status = to_status(Failure::invalid("LONG", "规".repeat(1000)));
        assert!(status.message().len() < MESSAGE_BYTES_MAX + 4);
        assert!(status.message().ends_with('…'));
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
