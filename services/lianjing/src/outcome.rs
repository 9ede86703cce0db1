//! How a command ends, and what that makes of the exit status.

use std::process::ExitCode;

use proto::v1 as pb;
use tonic::{Code, Status};

/// A command that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// 0.
    Fully,
    /// 3: some input was quarantined, some rule was NOT_EVALUABLE, or some check could not be computed.
    Partly,
}

pub type CliResult<T = Done> = Result<T, CliError>;

/// A command that did not.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// 2: the request or the configuration is wrong, or names what is not there.
    #[error("{0}")]
    Usage(String),
    /// 1.
    #[error("{0}")]
    Failed(String),
    /// 1, and everything worth saying has been said.
    #[error("the work failed")]
    Told,
    /// 0: whoever read our output has seen enough.
    #[error("the output was closed")]
    OutputClosed,
}

impl CliError {
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// What to tell the user; nothing when it was told or nobody listens.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Usage(text) | Self::Failed(text) => Some(text),
            Self::Told | Self::OutputClosed => None,
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Failed(_) | Self::Told => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::Fully => Self::SUCCESS,
            Done::Partly => Self::from(3),
        }
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        let text = match gateway::status::error_info(&status) {
            Some((reason, _)) => with_reason(status.message(), &reason),
            // Not an answer of the server, but of what carries it.
            None if std::error::Error::source(&status).is_some() => format!(
                "连接中断，请确认服务仍在运行后重试；未完成的工作不会留下一半 / the connection broke; see whether the server \
                 runs, and repeat: unfinished work leaves nothing half done ({})",
                status.message()
            ),
            None if status.message().is_empty() => format!("the server answered {:?}", status.code()),
            None => status.message().to_owned(),
        };
        classify(status.code(), text)
    }
}

impl From<pb::OperationError> for CliError {
    fn from(error: pb::OperationError) -> Self {
        classify(
            gateway::convert::code_of_error(&error),
            with_reason(&error.message, &error.reason),
        )
    }
}

impl From<gateway::convert::WireError> for CliError {
    fn from(error: gateway::convert::WireError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Failing to write to stdout.
impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(format!("cannot write the output: {error}")),
        }
    }
}

fn with_reason(message: &str, reason: &str) -> String {
    format!("{message} [{reason}]")
}

fn classify(code: Code, text: String) -> CliError {
    match code {
        Code::InvalidArgument | Code::NotFound => CliError::Usage(text),
        _ => CliError::Failed(text),
    }
}

/// An error with its chain of causes in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    domain::Failure::internal(error).message
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Failure, FailureKind};

    #[test]
    fn a_broken_connection_says_what_to_do() {
        let status = Status::from_error(Box::new(std::io::Error::other("reset")));
        let CliError::Failed(text) = CliError::from(status) else {
            panic!("work that failed");
        };
        assert!(text.contains("repeat") && text.contains("reset"), "{text}");
    }

    #[test]
    fn a_wrong_request_is_bad_usage_and_anything_else_is_failed_work() {
        let of = |failure| CliError::from(gateway::status::to_status(failure));
        assert!(
            matches!(of(Failure::invalid("INVALID_FILTER", "x")), CliError::Usage(t) if t == "x [INVALID_FILTER]")
        );
        assert!(matches!(
            of(Failure::new(FailureKind::Unavailable, "LOCKED", "x")),
            CliError::Failed(_)
        ));
        let error = pb::OperationError {
            code: "INVALID_ARGUMENT".into(),
            ..Default::default()
        };
        assert!(matches!(CliError::from(error), CliError::Usage(_)));
    }
}
