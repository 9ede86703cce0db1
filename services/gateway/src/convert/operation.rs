//! Progress and errors of operations.

use domain::Failure;
use domain::ports::ProgressUpdate;
use proto::v1 as pb;
use tonic::Code;

use super::value::bilingual_to_proto;
use crate::status;

pub fn progress_to_proto(progress: &ProgressUpdate) -> pb::Progress {
    pb::Progress {
        stage: Some(bilingual_to_proto(&progress.stage)),
        done: progress.done,
        total: progress.total,
        unit: progress.unit.clone(),
    }
}

pub fn error_to_proto(failure: &Failure) -> pb::OperationError {
    pb::OperationError {
        code: status::code_name(failure.kind).to_owned(),
        reason: failure.reason.to_owned(),
        message: failure.message.clone(),
        metadata: failure.metadata.iter().cloned().collect(),
        message_zh: status::in_chinese(failure.reason).unwrap_or_default().to_owned(),
    }
}

/// The code that `error` names; `Unknown` when it names none.
pub fn code_of_error(error: &pb::OperationError) -> Code {
    let name = error.code.replace('_', "");
    (0..=16)
        .map(Code::from_i32)
        .find(|c| format!("{c:?}").eq_ignore_ascii_case(&name))
        .unwrap_or(Code::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_in_both_languages() {
        let error = error_to_proto(&Failure::not_found("RULE_NOT_FOUND", "there is no rule"));
        assert_eq!(error.message, "there is no rule");
        assert_eq!(
            error.message_zh,
            "没有这条规则；可用 lianjing rules list 查看全部规则"
        );
        assert_eq!(code_of_error(&error), Code::NotFound);
    }
}
