//! `lianjing quarantine`: rows that could not be read.

use clap::{Args, Subcommand};
use gateway::convert;
use proto::v1 as pb;

use crate::connection::Connection;
use crate::outcome::{CliResult, Done};
use crate::output::{Column, Output, column};

#[derive(Debug, Clone, Subcommand)]
pub enum QuarantineCommand {
    /// Newest sync first, with file, line, field and the raw row / 列出隔离行
    List(ListArgs),
}

#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only this dataset / 数据集
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Only rows of this source / 来源
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Only rows with this reason, e.g. BAD_DATE / 原因
    #[arg(long, value_name = "CODE")]
    pub reason: Option<String>,
    /// Most rows to list / 行数上限
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

const COLUMNS: [Column; 7] = [
    column("dataset", "数据集", "DATASET"),
    column("file", "文件", "FILE"),
    column("row", "行", "ROW"),
    column("field", "字段", "FIELD"),
    column("reason", "原因", "REASON"),
    column("detail", "说明", "DETAIL"),
    column("raw", "原始内容", "RAW"),
];

pub async fn quarantine(
    command: &QuarantineCommand,
    connection: &Connection,
    output: &mut Output,
) -> CliResult {
    let QuarantineCommand::List(args) = command;
    let mut request = pb::ListQuarantineRequest {
        dataset: args.dataset.clone().unwrap_or_default(),
        page_size: 1_000,
        page_token: String::new(),
        source: args.source.clone().unwrap_or_default(),
        reason: args.reason.clone().unwrap_or_default(),
    };
    let mut entries = Vec::new();
    loop {
        let page = connection
            .connectors()
            .list_quarantine(request.clone())
            .await?
            .into_inner();
        entries.extend(page.entries.into_iter().map(convert::quarantine_from_proto));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || entries.len() >= args.limit {
            break;
        }
    }
    entries.truncate(args.limit);
    let rows = entries.into_iter().map(|e| {
        let field = e.field.clone().unwrap_or_default();
        let cells = [
            &e.dataset,
            &e.file,
            &e.row.to_string(),
            &field,
            &e.reason,
            &e.detail,
            &e.raw,
        ];
        (cells.map(|c| c.replace('\n', "⏎")).to_vec(), e)
    });
    output.list(&COLUMNS, rows)?;
    Ok(Done::Fully)
}
