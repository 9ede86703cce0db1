//! How a command ends, and what that makes of the exit status.

use std::process::ExitCode;

use domain::{Bilingual, Lang};
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
    #[error("{}", .0.en)]
    Usage(Bilingual),
    /// 1.
    #[error("{}", .0.en)]
    Failed(Bilingual),
    /// 1, and everything worth saying has been said.
    #[error("the work failed")]
    Told,
    /// 0: whoever read our output has seen enough.
    #[error("the output was closed")]
    OutputClosed,
}

impl CliError {
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(one_text(text))
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(one_text(text))
    }

    /// What to tell the user; nothing when it was told or nobody listens.
    pub fn text(&self, lang: Lang) -> Option<&str> {
        match self {
            Self::Usage(text) | Self::Failed(text) => Some(text.get(lang)),
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
            Some((reason, _)) => {
                let sentence = gateway::status::chinese_of(&status).unwrap_or_default();
                of_service(&sentence, status.message(), &reason)
            }
            // Not an answer of the server, but of what carries it.
            None if std::error::Error::source(&status).is_some() => one_text(format!(
                "连接中断，请确认服务仍在运行后重试；未完成的工作不会留下一半 / the connection broke; see whether the server \
                 runs, and repeat: unfinished work leaves nothing half done ({})",
                status.message()
            )),
            None if status.message().is_empty() => {
                one_text(format!("the server answered {:?}", status.code()))
            }
            None => one_text(status.message()),
        };
        classify(status.code(), text)
    }
}

impl From<pb::OperationError> for CliError {
    fn from(error: pb::OperationError) -> Self {
        classify(gateway::convert::code_of_error(&error), of_operation(&error))
    }
}

impl From<gateway::convert::WireError> for CliError {
    fn from(error: gateway::convert::WireError) -> Self {
        Self::failed(error.to_string())
    }
}

/// Failing to write to stdout.
impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::failed(format!("cannot write the output: {error}")),
        }
    }
}

/// What this program says itself reads the same in either language.
fn one_text(text: impl Into<String>) -> Bilingual {
    let text = text.into();
    Bilingual::new(text.clone(), text)
}

/// What a service says: in Chinese the sentence of its reason, and in brackets the message, which names names.
/// `sentence` is empty where there is none.
fn of_service(sentence: &str, message: &str, reason: &str) -> Bilingual {
    let en = format!("{message} [{reason}]");
    match sentence {
        "" => one_text(en),
        sentence => Bilingual::new(format!("{sentence}（{message}）[{reason}]"), en),
    }
}

/// Why an operation ended without a result.
pub fn of_operation(error: &pb::OperationError) -> Bilingual {
    of_service(&error.message_zh, &error.message, &error.reason)
}

/// What a service says that could not be opened in this process. Its English has never named the reason.
pub fn of_opening(reason: &str, message: String) -> Bilingual {
    let sentence = gateway::status::in_chinese(reason).unwrap_or_default();
    let told = of_service(sentence, &message, reason);
    Bilingual { en: message, ..told }
}

fn classify(code: Code, text: Bilingual) -> CliError {
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
        assert!(
            text.en.contains("repeat") && text.en.contains("reset"),
            "{}",
            text.en
        );
        assert_eq!(text.zh, text.en);
    }

    /// What each language is told of an error.
    #[track_caller]
    fn check(error: CliError, zh: &str, en: &str) {
        assert_eq!((error.text(Lang::Zh), error.text(Lang::En)), (Some(zh), Some(en)));
    }

    #[test]
    fn an_error_of_a_service_is_told_in_the_language_of_its_reader() {
        let failure = Failure::not_found("ALERT_NOT_FOUND", "there is no alert \"A-1\"");
        let zh = "没有这条预警；可用 lianjing alerts list 查看现有预警（there is no alert \"A-1\"）[ALERT_NOT_FOUND]";
        let en = "there is no alert \"A-1\" [ALERT_NOT_FOUND]";
        check(gateway::status::to_status(failure.clone()).into(), zh, en);
        check(gateway::convert::error_to_proto(&failure).into(), zh, en);
        let opening = of_opening(failure.reason, failure.message);
        check(CliError::Failed(opening), zh, "there is no alert \"A-1\"");
    }

    #[test]
    fn what_has_no_sentence_is_told_as_it_came() {
        let failure = Failure::invalid("OF_A_NEWER_SERVER", "x");
        let told = "x [OF_A_NEWER_SERVER]";
        check(gateway::status::to_status(failure).into(), told, told);
        check(CliError::usage("give a DIR"), "give a DIR", "give a DIR");
    }

    #[test]
    fn a_wrong_request_is_bad_usage_and_anything_else_is_failed_work() {
        let of = |failure| CliError::from(gateway::status::to_status(failure));
        assert!(
            matches!(of(Failure::invalid("INVALID_FILTER", "x")), CliError::Usage(t) if t.en == "x [INVALID_FILTER]")
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
