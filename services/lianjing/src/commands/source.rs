//! `lianjing source`: the sources that are configured, and what an operator does with one.

mod args;

use chrono::{DateTime, FixedOffset};
use domain::Lang;
use domain::sources::{
    AcceptanceCheck, AcceptanceOutcome, ReconcileReport, SourceStatus, SyncFailure, SyncRun,
};
use gateway::convert;
use proto::v1 as pb;

use super::sync::tell_report;
use crate::connection::Connection;
use crate::follow::follow;
use crate::kind_page;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

pub use args::SourceCommand;
use args::{AcceptArgs, AddArgs, NameArgs, ReconcileArgs, ResetArgs, RunsArgs, SpecArgs, StatusArgs};

pub async fn source(command: &SourceCommand, connection: &Connection, output: &mut Output) -> CliResult {
    match command {
        SourceCommand::Kinds => kinds(connection, output).await,
        SourceCommand::Spec(args) => spec(args, connection, output).await,
        SourceCommand::List => list(connection, output).await,
        SourceCommand::Add(args) => add(args, connection, output).await,
        SourceCommand::Remove(args) => {
            let request = pb::RemoveSourceRequest {
                name: args.name.clone(),
                forget_cursors: args.forget_cursors,
            };
            connection.connectors().remove_source(request).await?;
            Ok(Done::Fully)
        }
        SourceCommand::Reset(args) => reset(args, connection, output).await,
        SourceCommand::Check(args) => {
            let request = pb::CheckSourceRequest {
                name: args.name.clone(),
            };
            connection.connectors().check_source(request).await?;
            tell(output.say("来源可用。", "the source answers and its configuration holds"));
            Ok(Done::Fully)
        }
        SourceCommand::Discover(args) => discover(args, connection, output).await,
        SourceCommand::Sync(args) => sync(&args.name, connection, output).await,
        SourceCommand::Status(args) => status(args, connection, output).await,
        SourceCommand::Runs(args) => runs(args, connection, output).await,
        SourceCommand::Reconcile(args) => reconcile(args, connection, output).await,
        SourceCommand::Redrive(args) => redrive(args, connection, output).await,
        SourceCommand::Accept(args) => accept(args, connection, output).await,
    }
}

/// Why a sync failed: in Chinese the sentence of its reason first.
fn failure_text(failure: &SyncFailure, lang: Lang) -> String {
    let (class, reason, message) = (failure.class.name(), &failure.reason, &failure.message);
    match gateway::status::in_chinese(reason) {
        Some(sentence) if lang == Lang::Zh => format!("{class} {reason}: {sentence}（{message}）"),
        _ => format!("{class} {reason}: {message}"),
    }
}

/// Micros as people in China read them.
pub fn time_text(micros: i64) -> String {
    let Some(utc) = DateTime::from_timestamp_micros(micros) else {
        return micros.to_string();
    };
    match FixedOffset::east_opt(8 * 3600) {
        Some(china) => utc.with_timezone(&china).format("%Y-%m-%d %H:%M:%S").to_string(),
        None => utc.to_rfc3339(),
    }
}

fn optional_time(micros: Option<i64>) -> String {
    micros.map(time_text).unwrap_or_default()
}

const KIND_COLUMNS: [Column; 4] = [
    column("kind", "类型", "KIND"),
    column("title", "名称", "TITLE"),
    column("incremental", "增量", "INCREMENTAL"),
    column("lists_keys", "可核对", "LISTS_KEYS"),
];

async fn kinds(connection: &Connection, output: &mut Output) -> CliResult {
    let answer = connection
        .connectors()
        .list_source_kinds(pb::ListSourceKindsRequest {})
        .await?;
    let lang = output.lang;
    let rows = answer.into_inner().kinds.into_iter().map(|kind| {
        let kind = convert::kind_from_proto(kind);
        let cells = vec![
            kind.kind.clone(),
            kind.title.get(lang).to_owned(),
            kind.incremental.to_string(),
            kind.lists_keys.to_string(),
        ];
        (cells, kind)
    });
    output.list(&KIND_COLUMNS, rows.collect::<Vec<_>>())?;
    tell(output.say(
        "配置项：`lianjing source spec 类型`",
        "what each is configured with: `lianjing source spec KIND`",
    ));
    Ok(Done::Fully)
}

async fn spec(args: &SpecArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let answer = connection
        .connectors()
        .list_source_kinds(pb::ListSourceKindsRequest {})
        .await?;
    let kinds = answer
        .into_inner()
        .kinds
        .into_iter()
        .map(convert::kind_from_proto);
    let (found, others): (Vec<_>, Vec<_>) = kinds.partition(|k| k.kind == args.kind);
    let Some(kind) = found.first() else {
        let names: Vec<_> = others.into_iter().map(|k| k.kind).collect();
        return Err(CliError::usage(format!(
            "there is no kind {:?}; there are {}",
            args.kind,
            names.join(", ")
        )));
    };
    let text = match args.json_schema {
        true => serde_json::to_string_pretty(&kind.config_schema).unwrap_or_default() + "\n",
        false => kind_page::options(kind),
    };
    output.raw(text.as_bytes())?;
    Ok(Done::Fully)
}

const SOURCE_COLUMNS: [Column; 6] = [
    column("name", "来源", "SOURCE"),
    column("kind", "类型", "KIND"),
    column("schedule", "时间", "SCHEDULE"),
    column("zone", "时区", "ZONE"),
    column("place", "位置", "PLACE"),
    column("problem", "问题", "PROBLEM"),
];

async fn list(connection: &Connection, output: &mut Output) -> CliResult {
    let answer = connection
        .connectors()
        .list_sources(pb::ListSourcesRequest {})
        .await?;
    let rows = answer.into_inner().sources.into_iter().map(|source| {
        let source = convert::source_from_proto(source);
        let cells = [
            &source.name,
            &source.kind,
            &source.schedule,
            &source.zone,
            &source.place,
            source.problem.as_ref().unwrap_or(&String::new()),
        ]
        .map(Clone::clone);
        (cells.to_vec(), source)
    });
    output.list(&SOURCE_COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(Done::Fully)
}

async fn add(args: &AddArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let toml = match &args.from {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| CliError::usage(format!("cannot read {}: {e}", path.display())))?,
        None => table(args)?,
    };
    let request = pb::AddSourceRequest {
        name: args.name.clone(),
        toml,
        replace: args.replace,
    };
    let added = connection.connectors().add_source(request).await?.into_inner();
    let source = convert::source_from_proto(added.source.unwrap_or_default());
    tell(&format!(
        "{} {} ({}); {} `lianjing source check {}`",
        output.say("已添加来源", "added source"),
        source.name,
        source.place,
        output.say("下一步：", "next:"),
        source.name
    ));
    Ok(Done::Fully)
}

/// The source's table as its options say.
fn table(args: &AddArgs) -> CliResult<String> {
    let mut table = toml::Table::new();
    let options = [
        ("kind", &args.kind),
        ("schedule", &args.schedule),
        ("zone", &args.zone),
        ("quarantine_limit", &args.limit),
    ];
    for (key, value) in options {
        if let Some(value) = value {
            table.insert(key.into(), value.clone().into());
        }
    }
    let mut config = toml::Table::new();
    for setting in &args.settings {
        let Some((key, text)) = setting.split_once('=') else {
            return Err(CliError::usage(format!("--set {setting:?}: write KEY=VALUE")));
        };
        // As TOML where it is TOML (numbers, lists, inline tables), else as text.
        let value = format!("v = {text}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut t| t.remove("v"))
            .unwrap_or_else(|| toml::Value::String(text.to_owned()));
        config.insert(key.trim().to_owned(), value);
    }
    if !config.is_empty() {
        table.insert("config".into(), config.into());
    }
    toml::to_string(&table).map_err(|e| CliError::failed(format!("the configuration cannot be written: {e}")))
}

async fn reset(args: &ResetArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::ResetSourceRequest {
        name: args.name.clone(),
        stream: args.stream.clone().unwrap_or_default(),
    };
    let answer = connection.connectors().reset_source(request).await?;
    let streams = answer.into_inner().streams;
    tell(&match (streams.is_empty(), output.lang) {
        (true, Lang::Zh) => format!("来源 {} 没有读取位置，下次同步本就从头读取", args.name),
        (true, Lang::En) => format!(
            "source {} keeps no position: it is read from the start anyway",
            args.name
        ),
        (false, Lang::Zh) => format!(
            "已忘记读取位置：{}；下次同步从头读取，已有数据保留",
            streams.join("、")
        ),
        (false, Lang::En) => format!(
            "forgot where these stand: {}; the next sync reads them from the start, rows stay",
            streams.join(", ")
        ),
    });
    Ok(Done::Fully)
}

const STREAM_COLUMNS: [Column; 5] = [
    column("place", "位置", "PLACE"),
    column("dataset", "数据集", "DATASET"),
    column("bytes", "字节", "BYTES"),
    column("cursor", "游标列", "CURSOR"),
    column("columns", "列", "COLUMNS"),
];

async fn discover(args: &NameArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::DiscoverSourceRequest {
        name: args.name.clone(),
    };
    let answer = connection.connectors().discover_source(request).await?;
    let rows = answer.into_inner().streams.into_iter().map(|stream| {
        let stream = convert::stream_from_proto(stream);
        let cells = vec![
            stream.place.clone(),
            stream.dataset.clone().unwrap_or_else(|| "-".into()),
            stream.bytes.to_string(),
            stream.cursor.clone().unwrap_or_default(),
            stream
                .columns
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        ];
        (cells, stream)
    });
    output.list(&STREAM_COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(Done::Fully)
}

/// Also `lianjing sync NAME`.
pub async fn sync(name: &str, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::SyncSourceRequest {
        name: name.to_owned(),
        request_id: String::new(),
    };
    let started = connection.connectors().sync_source(request).await?.into_inner();
    tell_sync(connection, output, started.operation).await
}

async fn redrive(args: &NameArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::RedriveSourceRequest {
        name: args.name.clone(),
        request_id: String::new(),
    };
    let started = connection
        .connectors()
        .redrive_source(request)
        .await?
        .into_inner();
    tell_sync(connection, output, started.operation).await
}

async fn tell_sync(
    connection: &Connection,
    output: &mut Output,
    operation: Option<pb::Operation>,
) -> CliResult {
    match follow(connection, output, operation).await? {
        pb::operation::Result::SyncReport(report) => tell_report(&convert::report_from_proto(report), output),
        other => Err(odd(&other)),
    }
}

fn odd(answer: &pb::operation::Result) -> CliError {
    CliError::failed(format!("the server's answer cannot be read: {answer:?}"))
}

const STATUS_COLUMNS: [Column; 9] = [
    column("source", "来源", "SOURCE"),
    column("state", "最近同步", "LAST_SYNC"),
    column("last_success", "最近成功", "LAST_SUCCESS"),
    column("last_rows", "最近新数据", "LAST_ROWS"),
    column("failures", "连续失败", "FAILURES"),
    column("read", "读取行", "READ"),
    column("quarantined", "隔离", "QUARANTINED"),
    column("conserved", "守恒", "CONSERVED"),
    column("attention", "注意", "ATTENTION"),
];

async fn status(args: &StatusArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::GetSourceStatusRequest {
        name: args.name.clone().unwrap_or_default(),
    };
    let answer = connection.connectors().get_source_status(request).await?;
    let lang = output.lang;
    let statuses: Vec<SourceStatus> = answer
        .into_inner()
        .statuses
        .into_iter()
        .map(convert::status_from_proto)
        .collect();
    let bad = statuses
        .iter()
        .any(|s| !s.alarms.is_empty() || s.source.problem.is_some() || s.failures > 0 || !s.conserved);
    let rows = statuses.into_iter().map(|s| {
        let share = match s.read {
            0 => "0".to_owned(),
            read => {
                let bp = u128::from(s.quarantined) * 10_000 / u128::from(read);
                format!("{} ({}.{:02} %)", s.quarantined, bp / 100, bp % 100)
            }
        };
        let alarms = s.alarms.iter();
        let mut attention: Vec<String> = alarms
            .map(|a| format!("{}: {}", a.code, a.message.get(lang)))
            .collect();
        attention.extend(s.source.problem.clone().filter(|_| s.alarms.is_empty()));
        if let Some(failure) = s.last_run.as_ref().and_then(|r| r.failure.as_ref()) {
            attention.push(failure_text(failure, lang));
        }
        if let Some(at) = s.drift_at {
            let changes = s.drift.iter().map(|d| format!("{} {}", d.change.name(), d.place));
            attention.push(format!(
                "{}: {}",
                time_text(at),
                changes.collect::<Vec<_>>().join(", ")
            ));
        }
        let cells = vec![
            s.source.name.clone(),
            s.last_run
                .as_ref()
                .map(|r| format!("{} {}", r.state.name(), time_text(r.started_at)))
                .unwrap_or_else(|| "-".into()),
            optional_time(s.last_success_at),
            optional_time(s.last_rows_at),
            s.failures.to_string(),
            s.read.to_string(),
            share,
            s.conserved.to_string(),
            attention.join("; "),
        ];
        (cells, s)
    });
    output.list(&STATUS_COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(if bad { Done::Partly } else { Done::Fully })
}

const RUN_COLUMNS: [Column; 9] = [
    column("source", "来源", "SOURCE"),
    column("state", "状态", "STATE"),
    column("started_at", "开始", "STARTED"),
    column("ended_at", "结束", "ENDED"),
    column("commits", "提交", "COMMITS"),
    column("rows", "行", "ROWS"),
    column("cursors", "游标", "CURSORS"),
    column("drift", "结构变化", "DRIFT"),
    column("failure", "失败", "FAILURE"),
];

async fn runs(args: &RunsArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let mut request = pb::ListSyncRunsRequest {
        source: args.name.clone().unwrap_or_default(),
        page_size: 100,
        page_token: String::new(),
    };
    let mut runs: Vec<SyncRun> = Vec::new();
    loop {
        let page = connection.connectors().list_sync_runs(request.clone()).await?;
        let page = page.into_inner();
        runs.extend(page.runs.into_iter().map(convert::sync_run_from_proto));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || runs.len() >= args.limit {
            break;
        }
    }
    runs.truncate(args.limit);
    let lang = output.lang;
    let rows = runs.into_iter().map(|run| {
        let counts: Vec<String> = run
            .datasets
            .iter()
            .map(|c| {
                format!(
                    "{}: {} = {} + {} + {} + {}",
                    c.dataset, c.read, c.inserted, c.updated, c.unchanged, c.quarantined
                )
            })
            .collect();
        let cursors: Vec<String> = run
            .cursors_after
            .iter()
            .map(|(s, c)| format!("{s}: {c}"))
            .collect();
        let failure = run.failure.as_ref().map(|f| failure_text(f, lang));
        let drift: Vec<String> = run
            .drift
            .iter()
            .map(|d| format!("{} {}: {}", d.change.name(), d.place, d.message.get(lang)))
            .collect();
        let cells = vec![
            run.source.clone(),
            run.state.name().to_owned(),
            time_text(run.started_at),
            optional_time(run.ended_at),
            run.commits.to_string(),
            counts.join("; "),
            cursors.join("; "),
            drift.join("; "),
            failure.unwrap_or_default(),
        ];
        (cells, run)
    });
    output.list(&RUN_COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(Done::Fully)
}

async fn reconcile(args: &ReconcileArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::ReconcileSourceRequest {
        name: args.name.clone(),
        any_share: args.any_share,
        request_id: String::new(),
    };
    let started = connection
        .connectors()
        .reconcile_source(request)
        .await?
        .into_inner();
    match follow(connection, output, started.operation).await? {
        pb::operation::Result::ReconcileReport(report) => {
            tell_reconciled(&convert::reconcile_from_proto(report), output)
        }
        other => Err(odd(&other)),
    }
}

const RECONCILE_COLUMNS: [Column; 4] = [
    column("dataset", "数据集", "DATASET"),
    column("at_source", "来源主键", "AT_SOURCE"),
    column("in_lake", "湖中行", "IN_LAKE"),
    column("withdrawn", "已撤回", "WITHDRAWN"),
];

fn tell_reconciled(report: &ReconcileReport, output: &mut Output) -> CliResult {
    let rows = report.datasets.iter().map(|d| {
        let numbers = [d.at_source, d.in_lake, d.withdrawn].map(|n| n.to_string());
        (std::iter::once(d.dataset.clone()).chain(numbers).collect(), d)
    });
    output.list(&RECONCILE_COLUMNS, rows.collect::<Vec<_>>())?;
    tell(&format!("{} {}", output.say("快照", "snapshot"), report.snapshot));
    Ok(Done::Fully)
}

const CHECK_COLUMNS: [Column; 3] = [
    column("name", "检查", "CHECK"),
    column("outcome", "结果", "OUTCOME"),
    column("detail", "说明", "DETAIL"),
];

async fn accept(args: &AcceptArgs, connection: &Connection, output: &mut Output) -> CliResult {
    use pb::AcceptanceTrial as Trial;
    let mut checks = try_out(&args.name, Trial::Unspecified, connection, output).await?;
    for (trial, command) in [
        (Trial::LateCommit, &args.late_commit),
        (Trial::Unsorted, &args.unsorted),
        (Trial::SchemaDrift, &args.schema_drift),
    ] {
        let Some(command) = command else { continue };
        let status = tokio::process::Command::new("sh")
            .args(["-c", command])
            .status()
            .await;
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(CliError::failed(format!("{command:?} ended with {status}"))),
            Err(e) => return Err(CliError::failed(format!("{command:?} could not be started: {e}"))),
        }
        for check in try_out(&args.name, trial, connection, output).await? {
            // It was listed as skipped for want of the command.
            checks.retain(|c| c.name != check.name);
            checks.push(check);
        }
    }
    let failed = checks.iter().any(|c| c.outcome == AcceptanceOutcome::Failed);
    let rows = checks.into_iter().map(|c| {
        let cells = vec![c.name.clone(), c.outcome.name().to_owned(), c.detail.clone()];
        (cells, c)
    });
    output.list(&CHECK_COLUMNS, rows.collect::<Vec<_>>())?;
    match failed {
        false => Ok(Done::Fully),
        true => {
            output.flush()?;
            Err(CliError::Told)
        }
    }
}

/// Runs the suite or one of its trials.
async fn try_out(
    name: &str,
    trial: pb::AcceptanceTrial,
    connection: &Connection,
    output: &mut Output,
) -> CliResult<Vec<AcceptanceCheck>> {
    let request = pb::AcceptSourceRequest {
        name: name.to_owned(),
        request_id: String::new(),
        trial: trial.into(),
    };
    let started = connection.connectors().accept_source(request).await?.into_inner();
    match follow(connection, output, started.operation).await? {
        pb::operation::Result::AcceptanceReport(report) => Ok(report
            .checks
            .into_iter()
            .map(convert::acceptance_from_proto)
            .collect()),
        other => Err(odd(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_toml_where_they_can_be_and_text_otherwise() {
        let args = AddArgs {
            name: "his".into(),
            kind: Some("files".into()),
            settings: vec![
                "dir=/data/drop".into(),
                "n=5".into(),
                "secret={ env = \"X\" }".into(),
            ],
            from: None,
            schedule: Some("0 2 * * *".into()),
            zone: None,
            limit: None,
            replace: false,
        };
        let table: toml::Table = table(&args).unwrap().parse().unwrap();
        assert_eq!(table["kind"].as_str(), Some("files"));
        assert_eq!(table["config"]["dir"].as_str(), Some("/data/drop"));
        assert_eq!(table["config"]["n"].as_integer(), Some(5));
        assert_eq!(table["config"]["secret"]["env"].as_str(), Some("X"));
    }

    #[test]
    fn times_are_shown_in_china() {
        assert_eq!(time_text(1_700_000_000_000_000), "2023-11-15 06:13:20");
    }
}
