//! Follows a long-running operation to its end, with a progress bar on stderr; Ctrl-C cancels it.

use indicatif::{ProgressBar, ProgressStyle};
use proto::v1 as pb;
use tokio_stream::StreamExt as _;

use crate::connection::Connection;
use crate::outcome::{CliError, CliResult};
use crate::output::Output;

/// Waits for the operation's result.
pub async fn follow(
    connection: &Connection,
    output: &Output,
    operation: Option<pb::Operation>,
) -> CliResult<pb::operation::Result> {
    let operation = operation.ok_or_else(|| CliError::failed("the server gave no operation"))?;
    let bar = ProgressBar::no_length();
    let ended = tokio::select! {
        ended = to_the_end(connection, output, &operation.operation_id, &bar) => ended,
        _ = tokio::signal::ctrl_c() => {
            let request = pb::CancelOperationRequest { operation_id: operation.operation_id };
            connection.operations().cancel_operation(request).await?;
            Err(CliError::failed(output.say("已取消，未留下任何更改。", "cancelled; nothing was changed.")))
        }
    };
    bar.finish_and_clear();
    match ended?.result {
        Some(pb::operation::Result::Error(error)) => Err(error.into()),
        Some(result) => Ok(result),
        None => Err(CliError::failed(
            "the server's answer cannot be read: the operation ended without a result",
        )),
    }
}

async fn to_the_end(
    connection: &Connection,
    output: &Output,
    operation_id: &str,
    bar: &ProgressBar,
) -> CliResult<pb::Operation> {
    let request = pb::WatchOperationRequest {
        operation_id: operation_id.to_owned(),
    };
    let mut states = connection
        .operations()
        .watch_operation(request)
        .await?
        .into_inner();
    while let Some(state) = states.next().await {
        let Some(operation) = state?.operation else {
            continue;
        };
        if operation.end_time.is_some() {
            return Ok(operation);
        }
        if let Some(progress) = &operation.progress {
            show(bar, output, progress);
        }
    }
    Err(CliError::failed(
        "the server ended the stream before the work; ask `lianjing operations list` how it stands",
    ))
}

fn show(bar: &ProgressBar, output: &Output, progress: &pb::Progress) {
    if bar.length() != Some(progress.total).filter(|t| *t > 0) || bar.position() == 0 {
        bar.set_style(style(&progress.unit, progress.total > 0));
        if progress.total > 0 {
            bar.set_length(progress.total);
        }
    }
    if let Some(stage) = &progress.stage {
        bar.set_message(output.say(&stage.zh, &stage.en).to_owned());
    }
    bar.set_position(progress.done);
}

fn style(unit: &str, total_is_known: bool) -> ProgressStyle {
    let template = match (unit, total_is_known) {
        ("bytes", true) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} {wide_msg}",
        ("bytes", false) => "{spinner} {bytes} {bytes_per_sec} {wide_msg}",
        (_, true) => "{bar:30} {pos}/{len} {eta} {wide_msg}",
        (_, false) => "{spinner} {pos} {wide_msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
