//! `lianjing sql` and `lianjing snapshots`.

use clap::Args;
use domain::Value;
use gateway::convert;
use proto::v1 as pb;
use proto::v1::query_response::Item;
use serde_json::json;
use tokio_stream::StreamExt as _;

use super::show::{local, one_line};
use crate::cli::Format;
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Args)]
pub struct SqlArgs {
    /// e.g. "select channel, count(*) from purchase_orders group by channel" / 查询语句
    pub query: String,
    /// Snapshot to look at; by default the newest / 快照
    #[arg(long, value_name = "SNAPSHOT")]
    pub at: Option<i64>,
    /// Most rows to show / 行数上限
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_rows: u64,
}

#[derive(Debug, Clone, Args)]
pub struct SnapshotsArgs {
    /// Most snapshots to list / 条数上限
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

pub async fn sql(args: &SqlArgs, connection: &Connection, output: &mut Output) -> CliResult {
    if args.max_rows == 0 {
        return Err(CliError::usage("--max-rows takes 1 or more"));
    }
    let request = pb::QueryRequest {
        sql: args.query.clone(),
        at_snapshot: args.at,
        max_rows: args.max_rows,
    };
    let mut stream = connection.queries().query(request).await?.into_inner();
    let mut names: Vec<String> = Vec::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    while let Some(item) = stream.next().await {
        match item?.item {
            Some(Item::Columns(columns)) => {
                names = columns.columns.into_iter().map(|c| c.name).collect();
                if output.format == Format::Csv {
                    output.csv(&names.iter().map(String::as_str).collect::<Vec<_>>(), [])?;
                }
            }
            Some(Item::Rows(rows)) => {
                for row in rows.rows {
                    let values = row.values.into_iter().map(convert::value_from_proto);
                    match output.format {
                        Format::Json => {
                            let object: serde_json::Map<_, _> =
                                names.iter().cloned().zip(values.map(|v| json!(v))).collect();
                            output.json_line(&object)?;
                        }
                        Format::Csv => output.csv_rows([values.map(|v| cell(&v)).collect()])?,
                        Format::Table => table.push(values.map(|v| cell(&v)).collect()),
                    }
                }
            }
            Some(Item::Truncated(cut)) => tell(&match output.lang {
                domain::Lang::Zh => format!("结果已截断，只显示前 {} 行；可用 --max-rows 放宽。", cut.limit),
                domain::Lang::En => format!(
                    "only the first {} rows are shown; --max-rows shows more.",
                    cut.limit
                ),
            }),
            None => {}
        }
    }
    if output.format == Format::Table {
        output.table(&names.iter().map(String::as_str).collect::<Vec<_>>(), table)?;
    }
    Ok(Done::Fully)
}

/// Rows that this program asks for itself, at most.
const TEXTS_ROWS_MAX: u64 = 1_000_000;

/// The rows of a query as texts.
pub async fn texts(sql: &str, connection: &Connection) -> CliResult<Vec<Vec<String>>> {
    let request = pb::QueryRequest {
        sql: sql.to_owned(),
        max_rows: TEXTS_ROWS_MAX,
        ..pb::QueryRequest::default()
    };
    let mut stream = connection.queries().query(request).await?.into_inner();
    let mut texts = Vec::new();
    while let Some(item) = stream.next().await {
        if let Some(Item::Rows(rows)) = item?.item {
            let cells = |values: Vec<pb::Value>| {
                let values = values.into_iter().map(convert::value_from_proto);
                values.map(|v| cell(&v)).collect()
            };
            texts.extend(rows.rows.into_iter().map(|row| cells(row.values)));
        }
    }
    Ok(texts)
}

fn cell(value: &Value) -> String {
    one_line(value)
}

const COLUMNS: [Column; 3] = [
    column("snapshot", "快照", "SNAPSHOT"),
    column("time", "时间", "TIME"),
    column("description", "内容", "DESCRIPTION"),
];

pub async fn snapshots(args: &SnapshotsArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let mut request = pb::ListSnapshotsRequest {
        page_size: 1_000,
        page_token: String::new(),
    };
    let mut snapshots = Vec::new();
    loop {
        let page = connection
            .queries()
            .list_snapshots(request.clone())
            .await?
            .into_inner();
        snapshots.extend(page.snapshots);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || snapshots.len() >= args.limit {
            break;
        }
    }
    snapshots.truncate(args.limit);
    let format = output.format;
    let rows = snapshots.into_iter().map(|s| {
        let object = json!({"snapshot": s.snapshot, "time": s.time, "description": s.description});
        let time = match format {
            Format::Table => local(&s.time),
            Format::Json | Format::Csv => s.time,
        };
        (vec![s.snapshot.to_string(), time, s.description], object)
    });
    output.list(&COLUMNS, rows)?;
    Ok(Done::Fully)
}
