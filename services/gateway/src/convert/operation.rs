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
