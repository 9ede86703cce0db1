//! `lianjing push`: rows from stdin into the lake.

use std::io::BufRead as _;

use clap::Args;
use gateway::convert;
use proto::v1 as pb;
use proto::v1::push_rows_request::Item;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::sync::tell_report;
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult};
use crate::output::Output;

/// Rows and bytes of one message.
const MESSAGE_ROWS_MAX: usize = 1_000;
const MESSAGE_ROW_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Clone, Args)]
pub struct PushArgs {
    /// Dataset of the rows / 数据集
    #[arg(long, value_name = "NAME")]
    pub dataset: String,
    /// Name the rows carry as their source / 来源名称
    #[arg(long, value_name = "NAME", default_value = "push")]
    pub source: String,
    /// Names this batch at its source; pushing the same batch again changes nothing / 批次编号
    #[arg(long, value_name = "ID")]
    pub batch_id: String,
}

pub async fn push(args: &PushArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let (messages, stream) = mpsc::channel(4);
    let header = pb::PushHeader {
        source: args.source.clone(),
        batch_id: args.batch_id.clone(),
    };
    messages
        .send(pb::PushRowsRequest {
            item: Some(Item::Header(header)),
        })
        .await
        .map_err(|_| CliError::failed("the push ended before it began"))?;
    let dataset = args.dataset.clone();
    let mut reading = tokio::task::spawn_blocking(move || read_stdin(&dataset, &messages).map(|()| messages));
    let mut client = connection.connectors();
    let call = client.push_rows(ReceiverStream::new(stream));
    tokio::pin!(call);
    // The channel, and with it the batch, is complete only when stdin was read to its end without an error: until then
    // the reader holds the sender, and on an error the call is dropped, which the server takes for a broken stream.
    let answer = tokio::select! {
        read = &mut reading => {
            let messages = read.map_err(|e| CliError::failed(format!("reading stdin failed: {e}")))??;
            drop(messages);
            call.await?
        }
        answer = &mut call => answer?,
    };
    let report = answer.into_inner().report.unwrap_or_default();
    tell_report(&convert::report_from_proto(report), output)
}

/// Sends what stdin holds, in order. The server parses the rows, so that numbers keep their digits.
fn read_stdin(dataset: &str, messages: &mpsc::Sender<pb::PushRowsRequest>) -> CliResult<()> {
    let mut part = pb::PushedRows {
        dataset: dataset.to_owned(),
        json_rows: Vec::new(),
    };
    let mut bytes = 0;
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|e| CliError::usage(format!("stdin, line {}: {e}", index + 1)))?;
        if line.trim().is_empty() {
            continue;
        }
        if part.json_rows.len() >= MESSAGE_ROWS_MAX || bytes + line.len() > MESSAGE_ROW_BYTES_MAX {
            send(&mut part, messages);
            bytes = 0;
        }
        bytes += line.len();
        part.json_rows.push(line);
    }
    send(&mut part, messages);
    Ok(())
}

fn send(part: &mut pb::PushedRows, messages: &mpsc::Sender<pb::PushRowsRequest>) {
    if part.json_rows.is_empty() {
        return;
    }
    let rows = pb::PushedRows {
        dataset: part.dataset.clone(),
        json_rows: std::mem::take(&mut part.json_rows),
    };
    // When nobody receives, the call has ended and its answer says why.
    let _ = messages.blocking_send(pb::PushRowsRequest {
        item: Some(Item::Rows(rows)),
    });
}
