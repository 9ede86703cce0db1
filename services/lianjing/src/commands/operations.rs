//! `lianjing operations`: long-running work on a server.

use clap::{Args, Subcommand};
use domain::{Bilingual, Lang};
use proto::v1 as pb;
use serde_json::json;

use crate::connection::Connection;
use crate::outcome::{CliResult, Done, of_operation};
use crate::output::{Column, Output, column};

#[derive(Debug, Clone, Subcommand)]
pub enum OperationsCommand {
    /// What the server works on and has worked on, newest first / 列出任务
    List,
    /// Stop one; it leaves no trace in the lake / 取消任务
    Cancel(CancelArgs),
}

#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// As `operations list` shows it / 任务编号
    pub id: String,
}

const COLUMNS: [Column; 5] = [
    column("operation_id", "任务", "OPERATION"),
    column("kind", "类型", "KIND"),
    column("state", "状态", "STATE"),
    column("progress", "进度", "PROGRESS"),
    column("error", "错误", "ERROR"),
];

pub async fn operations(
    command: &OperationsCommand,
    connection: &Connection,
    output: &mut Output,
) -> CliResult {
    let mut client = connection.operations();
    let operations = match command {
        OperationsCommand::List => {
            let request = pb::ListOperationsRequest {
                page_size: 1_000,
                page_token: String::new(),
            };
            client.list_operations(request).await?.into_inner().operations
        }
        OperationsCommand::Cancel(args) => {
            let request = pb::CancelOperationRequest {
                operation_id: args.id.clone(),
            };
            client
                .cancel_operation(request)
                .await?
                .into_inner()
                .operation
                .into_iter()
                .collect()
        }
    };
    let rows: Vec<_> = operations.into_iter().map(|o| row(o, output.lang)).collect();
    output.list(&COLUMNS, rows)?;
    Ok(Done::Fully)
}

fn row(operation: pb::Operation, lang: Lang) -> (Vec<String>, serde_json::Value) {
    let kind = operation
        .kind()
        .as_str_name()
        .trim_start_matches("OPERATION_KIND_")
        .to_owned();
    let state = operation
        .state()
        .as_str_name()
        .trim_start_matches("OPERATION_STATE_")
        .to_owned();
    let progress = operation
        .progress
        .as_ref()
        .map(|p| format!("{}/{} {}", p.done, p.total, p.unit))
        .unwrap_or_default();
    let error = match &operation.result {
        Some(pb::operation::Result::Error(e)) => of_operation(e),
        _ => Bilingual::default(),
    };
    let object = json!({
        "operation_id": operation.operation_id, "kind": kind, "state": state, "progress": progress, "error": error.en,
    });
    let error = error.get(lang).to_owned();
    (vec![operation.operation_id, kind, state, progress, error], object)
}
