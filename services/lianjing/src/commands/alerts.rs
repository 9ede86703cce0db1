//! `lianjing alerts` and `lianjing replay`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clap::{Args, Subcommand};
use domain::alert::{Alert, AlertEvent, AlertState};
use gateway::convert;
use proto::v1 as pb;
use tokio_stream::StreamExt as _;

use super::rule_notes::{self, RuleNotes};
use super::{show, unread};
use crate::cli::Format;
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Subcommand)]
pub enum AlertsCommand {
    /// By severity, rule and id, without evidence / 列出预警
    List(ListArgs),
    /// One alert with its evidence rows and where they came from / 查看预警
    Show(ShowArgs),
    /// Every change as it is committed, until Ctrl-C / 实时监看
    Watch(WatchArgs),
    /// All alerts with their evidence; --format json is one object a line / 导出
    Export(ExportArgs),
    /// Close an alert, with a reason / 关闭预警
    Close(CloseArgs),
}

#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// e.g. 'rule_id = "TEN-04" AND state != CLOSED AND severity >= MEDIUM' / 筛选条件
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub filter: String,
    /// Most alerts to list / 条数上限
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// As `alerts list` shows it / 预警编号
    pub id: String,
    /// Show ID numbers, telephones and accounts in full / 完整显示证件号、电话和账号
    #[arg(long)]
    pub in_full: bool,
}

#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// As in `alerts list` / 筛选条件
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub filter: String,
    /// Go on after this token of an earlier watch / 续接标记
    #[arg(long, value_name = "TOKEN", default_value = "")]
    pub resume: String,
    /// Begin with all alerts there are / 先列出现有预警
    #[arg(long)]
    pub initial: bool,
    /// End after this many events / 事件数上限
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
}

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// As in `alerts list` / 筛选条件
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub filter: String,
    /// Leave out batch and row, which depend on how the files were cut and ordered / 不含批次与行号
    #[arg(long)]
    pub no_provenance: bool,
}

#[derive(Debug, Clone, Args)]
pub struct CloseArgs {
    /// As `alerts list` shows it / 预警编号
    pub id: String,
    /// Why / 理由
    #[arg(long)]
    pub reason: String,
    /// Who closes it; by default the user of this machine / 操作人
    #[arg(long, value_name = "NAME", env = "USER")]
    pub actor: String,
}

#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// As `alerts list` shows it / 预警编号
    pub id: String,
}

pub async fn alerts(command: &AlertsCommand, connection: &Connection, output: &mut Output) -> CliResult {
    match command {
        AlertsCommand::List(args) => list(args, connection, output).await,
        AlertsCommand::Show(args) => show(args, connection, output).await,
        AlertsCommand::Watch(args) => watch(args, connection, output).await,
        AlertsCommand::Export(args) => export(args, connection, output).await,
        AlertsCommand::Close(args) => close(args, connection, output).await,
    }
}

const COLUMNS: [Column; 8] = [
    column("alert_id", "编号", "ALERT"),
    column("rule_id", "规则", "RULE"),
    column("severity", "级别", "SEVERITY"),
    column("state", "状态", "STATE"),
    column("last_seen", "最近", "LAST SEEN"),
    column("hospital_id", "医院", "HOSPITAL"),
    column("amount_at_risk", "涉及金额", "AMOUNT"),
    column("message", "内容", "MESSAGE"),
];

async fn list(args: &ListArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let (alerts, total) = first(&args.filter, args.limit, pb::AlertView::Basic, connection).await?;
    let lang = output.lang;
    let rows = alerts.iter().map(|a| {
        let cells = vec![
            a.alert_id.clone(),
            a.rule_id.clone(),
            show::severity(a.severity, lang).to_owned(),
            a.state.as_str().to_owned(),
            a.last_seen.to_string(),
            a.hospital_id.clone().unwrap_or_default(),
            a.amount_at_risk.clone().unwrap_or_default(),
            a.message.get(lang).to_owned(),
        ];
        (cells, a)
    });
    output.list(&COLUMNS, rows.collect::<Vec<_>>())?;
    let shown = alerts.len();
    tell(&match lang {
        domain::Lang::Zh => format!("共 {total} 条，显示 {shown} 条。"),
        domain::Lang::En => format!("{shown} of {total} alerts."),
    });
    Ok(Done::Fully)
}

/// The first alerts of a filter, and how many there are in all.
pub async fn first(
    filter: &str,
    limit: usize,
    view: pb::AlertView,
    connection: &Connection,
) -> CliResult<(Vec<Alert>, u64)> {
    let page_size = i32::try_from(limit.clamp(1, 200)).unwrap_or(200);
    let mut request = pb::ListAlertsRequest {
        filter: filter.to_owned(),
        page_size,
        page_token: String::new(),
        view: view.into(),
    };
    let mut alerts = Vec::new();
    loop {
        let page = connection
            .alerts()
            .list_alerts(request.clone())
            .await?
            .into_inner();
        for alert in page.alerts {
            alerts.push(convert::alert_from_proto(alert)?);
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || alerts.len() >= limit {
            alerts.truncate(limit);
            return Ok((alerts, page.total_size));
        }
    }
}

async fn show(args: &ShowArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::GetAlertRequest {
        alert_id: args.id.clone(),
    };
    let answer = connection.alerts().get_alert(request).await?.into_inner();
    let alert = convert::alert_from_proto(answer.alert.unwrap_or_default())?;
    let notes = RuleNotes::of(&alert.rule_id, connection).await?;
    match output.format {
        Format::Table => {
            let text = text_of(&alert, &notes, args.in_full, connection, output).await?;
            output.line(text.trim_end())?;
        }
        Format::Json => output.json_line(&notes.object(&alert)?)?,
        Format::Csv => {
            let cells = noted_cells(&alert, &notes, output.lang);
            output.csv(&noted_header(), [cells])?;
        }
    }
    Ok(Done::Fully)
}

/// The alert in words, with what its rule says of lawful explanations. Numbers of persons are masked unless `in_full`.
pub async fn text_of(
    alert: &Alert,
    notes: &RuleNotes,
    in_full: bool,
    connection: &Connection,
    output: &Output,
) -> CliResult<String> {
    // A rule that is no longer in force is told of as that.
    let unread = notes
        .rule(alert)
        .map_or_else(|| Some(BTreeMap::new()), |rule| notes.unread(rule));
    let naming = match &unread {
        Some(unread) => unread::naming(alert, unread, connection).await?,
        None => Vec::new(),
    };
    let context = show::Context {
        in_full,
        naming,
        unread,
        rule: notes.rule(alert).cloned(),
        batches: batch_names(alert, connection).await?,
        closures: closures(alert, connection).await?,
    };
    Ok(show::alert_text(alert, &context, output.lang))
}

/// Who closed an alert that is closed, and why; newest first.
async fn closures(alert: &Alert, connection: &Connection) -> CliResult<Vec<pb::Closure>> {
    if alert.state != AlertState::Closed {
        return Ok(Vec::new());
    }
    let request = pb::ExplainAlertRequest {
        alert_id: alert.alert_id.clone(),
    };
    let explained = connection.alerts().explain_alert(request).await?;
    Ok(explained.into_inner().closures)
}

/// Digest -> name of the raw batches that an alert's evidence comes from.
async fn batch_names(alert: &Alert, connection: &Connection) -> CliResult<HashMap<String, String>> {
    let digests: BTreeSet<&str> = alert.evidence.iter().map(|row| row.batch.as_str()).collect();
    // Digests are hexadecimal; anything else is of no batch and stays out of the query.
    let listed: Vec<String> = digests
        .into_iter()
        .filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(|d| format!("'{d}'"))
        .collect();
    if listed.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "select digest, name from _batches where digest in ({})",
        listed.join(", ")
    );
    Ok(names_of_batches(&sql, connection).await)
}

/// The answer of a query for digest and name.
async fn names_of_batches(sql: &str, connection: &Connection) -> HashMap<String, String> {
    // Without them the rows are cited by the batch's digest.
    let rows = super::sql::texts(sql, connection).await.unwrap_or_default();
    rows.into_iter()
        .filter_map(|row| match <[String; 2]>::try_from(row) {
            Ok([digest, name]) => Some((digest, name)),
            Err(_) => None,
        })
        .collect()
}

async fn watch(args: &WatchArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::WatchAlertsRequest {
        filter: args.filter.clone(),
        resume_token: args.resume.clone(),
        send_initial_list: args.initial,
        max_outstanding: 0,
    };
    let mut stream = connection.alerts().watch_alerts(request).await?.into_inner();
    let mut token = args.resume.clone();
    let mut seen = 0;
    let ended = loop {
        if args.count.is_some_and(|count| seen >= count) {
            break Ok(Done::Fully);
        }
        let item = tokio::select! {
            item = stream.next() => item,
            _ = tokio::signal::ctrl_c() => break Ok(Done::Fully),
        };
        let item = match item {
            Some(Ok(item)) => item,
            Some(Err(status)) => break Err(status.into()),
            None => {
                break Err(CliError::failed(
                    "the server ended the watch; go on with --resume",
                ));
            }
        };
        token = item.resume_token;
        match item.item {
            Some(pb::watch_alerts_response::Item::Event(event)) => {
                tell_event(
                    &convert::alert_event_from_proto(event)?,
                    &token,
                    seen == 0,
                    output,
                )?;
                seen += 1;
            }
            // Marks of progress are for programs; people see the token at the end.
            Some(pb::watch_alerts_response::Item::Bookmark(_)) | None => {}
        }
    };
    if !token.is_empty() {
        tell(&format!("--resume {token}"));
    }
    ended
}

fn tell_event(event: &AlertEvent, token: &str, is_first: bool, output: &mut Output) -> CliResult<()> {
    let kind = event.kind.as_str();
    let alert = &event.alert;
    match output.format {
        Format::Json => {
            let line = serde_json::json!({
                "revision": event.revision, "kind": kind, "alert": alert, "resume_token": token,
            });
            output.json_line(&line)?;
        }
        Format::Csv => {
            let mut row = vec![event.revision.to_string(), kind.to_owned()];
            row.extend(export_cells(alert));
            if is_first {
                let header: Vec<&str> = ["revision", "kind"].into_iter().chain(EXPORT_HEADER).collect();
                output.csv(&header, [row])?;
            } else {
                output.csv_rows([row])?;
            }
        }
        Format::Table => {
            let message = alert.message.get(output.lang).to_owned();
            output.line(&format!(
                "{}  {kind}  {}  {}  {message}",
                event.revision, alert.alert_id, alert.rule_id
            ))?;
        }
    }
    output.flush()?;
    Ok(())
}

const EXPORT_HEADER: [&str; 14] = [
    "alert_id",
    "rule_id",
    "rule_version",
    "severity",
    "state",
    "episode",
    "first_seen",
    "last_seen",
    "hospital_id",
    "subject",
    "amount_at_risk",
    "message_zh",
    "message_en",
    "evidence",
];

/// Place of the evidence in [`EXPORT_HEADER`].
const EVIDENCE_CELL: usize = 13;

fn export_cells(alert: &Alert) -> Vec<String> {
    let joined = |map: &std::collections::BTreeMap<String, domain::Value>| {
        map.iter()
            .map(|(k, v)| format!("{k}={}", show::one_line(v)))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let evidence: Vec<String> = alert
        .evidence
        .iter()
        .map(|row| format!("{} {}", row.dataset, joined(&row.key)))
        .collect();
    vec![
        alert.alert_id.clone(),
        alert.rule_id.clone(),
        alert.rule_version.to_string(),
        show::severity(alert.severity, domain::Lang::En).to_owned(),
        alert.state.as_str().to_owned(),
        alert.episode.to_string(),
        alert.first_seen.to_string(),
        alert.last_seen.to_string(),
        alert.hospital_id.clone().unwrap_or_default(),
        joined(&alert.subject),
        alert.amount_at_risk.clone().unwrap_or_default(),
        alert.message.zh.clone(),
        alert.message.en.clone(),
        evidence.join(" | "),
    ]
}

/// The header of an alert with what its rule says of it.
fn noted_header() -> Vec<&'static str> {
    let closed = ["closed_by", "closed_because"];
    EXPORT_HEADER
        .into_iter()
        .chain(rule_notes::HEADER)
        .chain(closed)
        .collect()
}

fn noted_cells(alert: &Alert, notes: &RuleNotes, lang: domain::Lang) -> Vec<String> {
    let mut cells = export_cells(alert);
    cells.extend(notes.cells(alert, lang));
    cells.extend([String::new(), String::new()]);
    cells
}

async fn export(args: &ExportArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::ExportAlertsRequest {
        filter: args.filter.clone(),
    };
    let mut stream = connection.alerts().export_alerts(request).await?.into_inner();
    let notes = RuleNotes::of_all(connection).await?;
    let files = names_of_batches("select digest, name from _batches", connection).await;
    if output.format == Format::Csv {
        output.csv(&noted_header(), [])?;
    }
    while let Some(item) = stream.next().await {
        let alert = convert::alert_from_proto(item?.alert.unwrap_or_default())?;
        match output.format {
            Format::Json => {
                let mut object = notes.object(&alert)?;
                add_files(&mut object, &files);
                let closures = closures(&alert, connection).await?;
                object["closures"] = closures.iter().map(closure_object).collect();
                if args.no_provenance {
                    take_provenance(&mut object);
                }
                output.json_line(&object)?;
            }
            Format::Csv => {
                let mut cells = noted_cells(&alert, &notes, output.lang);
                if !args.no_provenance {
                    cells[EVIDENCE_CELL] = cited(&alert, &files);
                }
                let closures = closures(&alert, connection).await?;
                let last = closures.first().cloned().unwrap_or_default();
                cells.splice(cells.len() - 2.., [last.actor, last.reason]);
                output.csv_rows([cells])?;
            }
            Format::Table => {
                let text = text_of(&alert, &notes, false, connection, output).await?;
                output.line(&text)?;
            }
        }
    }
    Ok(Done::Fully)
}

fn closure_object(closure: &pb::Closure) -> serde_json::Value {
    serde_json::json!({"actor": closure.actor, "reason": closure.reason, "closed_at": closure.closed_at})
}

/// Says of each evidence row which file, or which answer of a source, it stands in.
fn add_files(object: &mut serde_json::Value, files: &HashMap<String, String>) {
    let rows = object
        .get_mut("evidence")
        .and_then(serde_json::Value::as_array_mut);
    for row in rows.into_iter().flatten() {
        let file = row["batch"].as_str().and_then(|batch| files.get(batch)).cloned();
        row["file"] = file.into();
    }
}

/// The evidence rows in one cell: dataset, key, and the place where the row can be looked up.
fn cited(alert: &Alert, files: &HashMap<String, String>) -> String {
    let rows = alert.evidence.iter().map(|row| {
        let file = files.get(&row.batch).map_or(row.batch.as_str(), String::as_str);
        format!(
            "{} {} ({file}:{})",
            row.dataset,
            show::pairs(row.key.iter()),
            row.row
        )
    });
    rows.collect::<Vec<_>>().join(" | ")
}

/// Takes batch and row away from an alert's evidence rows and hops.
fn take_provenance(object: &mut serde_json::Value) {
    for list in ["evidence", "path"] {
        let entries = object.get_mut(list).and_then(serde_json::Value::as_array_mut);
        for entry in entries
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_object_mut)
        {
            entry.shift_remove("batch");
            entry.shift_remove("row");
            entry.shift_remove("file");
        }
    }
}

async fn close(args: &CloseArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::CloseAlertRequest {
        alert_id: args.id.clone(),
        actor: args.actor.clone(),
        reason: args.reason.clone(),
    };
    let answer = connection.alerts().close_alert(request).await?.into_inner();
    let alert = convert::alert_from_proto(answer.alert.unwrap_or_default())?;
    match output.format {
        Format::Json => output.json_line(&alert)?,
        Format::Csv => output.csv(&EXPORT_HEADER, [export_cells(&alert)])?,
        Format::Table => output.line(&format!("{}  {}", alert.alert_id, alert.state.as_str()))?,
    }
    Ok(Done::Fully)
}

pub async fn replay(args: &ReplayArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::ReplayAlertRequest {
        alert_id: args.id.clone(),
    };
    let answer = connection.alerts().replay_alert(request).await?.into_inner();
    let explanation = answer.explanation.clone().unwrap_or_default();
    let word = match answer.reproduced {
        true => output.say("可重现", "reproduced"),
        false => output.say("不可重现", "NOT reproduced"),
    };
    match output.format {
        Format::Json => output.json_line(&serde_json::json!({
            "alert_id": args.id,
            "reproduced": answer.reproduced,
            "recorded_digest": answer.recorded_digest,
            "replayed_digest": answer.replayed_digest,
            "rule_id": answer.rule_id,
            "snapshot": answer.snapshot,
            "as_of": answer.as_of,
            "explanation": {"zh": explanation.zh, "en": explanation.en},
        }))?,
        Format::Csv => {
            let header = ["alert_id", "reproduced", "recorded_digest", "replayed_digest"];
            let row = vec![
                args.id.clone(),
                answer.reproduced.to_string(),
                answer.recorded_digest.clone(),
                answer.replayed_digest.clone(),
            ];
            output.csv(&header, [row])?;
        }
        Format::Table => {
            output.line(&format!("{}  {word}  {}", args.id, answer.replayed_digest))?;
            tell(output.say(&explanation.zh, &explanation.en));
        }
    }
    output.flush()?;
    match answer.reproduced {
        true => Ok(Done::Fully),
        false => Err(CliError::Told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_without_provenance_keeps_everything_else_in_order() {
        let alert: Alert = serde_json::from_value(serde_json::json!({
            "alert_id": "A-1-1", "fingerprint": "f", "rule_id": "OFF-01", "rule_version": 1, "severity": "high",
            "state": "OPEN", "episode": 1, "first_seen": "2025-01-31", "last_seen": "2025-01-31", "as_of": "2025-01-31",
            "hospital_id": null, "identity": {"order_id": "1"}, "subject": {}, "amount_at_risk": null,
            "message": {"zh": "", "en": ""}, "path": [{"from": "a", "row": 3, "batch": "b"}],
            "evidence": [{"dataset": "bids", "key": {"row": "k"}, "source": "s", "batch": "b", "row": 7, "hash": "h",
                          "values": {"batch_no": "9"}}]
        }))
        .expect("an alert");
        let whole = serde_json::to_string(&alert).expect("JSON");
        let mut object = serde_json::to_value(&alert).expect("an object");
        take_provenance(&mut object);
        let expected = whole
            .replace(r#","batch":"b","row":7"#, "")
            .replace(r#""batch":"b","from":"a","row":3"#, r#""from":"a""#);
        assert_eq!(object.to_string(), expected);
    }
}
