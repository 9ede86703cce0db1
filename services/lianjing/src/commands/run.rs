//! `lianjing run` and `lianjing runs`: one line a rule, with its state, hits and what became of them.

use std::collections::BTreeMap;

use clap::Args;
use domain::hit::RuleState;
use domain::ports::{RuleRunRecord, RunPreview, RunRecord};
use gateway::convert;
use proto::v1 as pb;

use super::duration;
use super::unread::Unread;
use crate::cli::Format;
use crate::connection::Connection;
use crate::follow::follow;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Run this rule only; may be repeated / 只运行指定规则
    #[arg(long = "rule", value_name = "ID")]
    pub rule_ids: Vec<String>,
    /// The date to take for today, YYYY-MM-DD / 基准日
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Snapshot of the lake to look at; by default the newest / 快照
    #[arg(long, value_name = "N")]
    pub snapshot: Option<i64>,
    /// A parameter other than the rule's default, e.g. TEN-04.window_days=60; may be repeated / 规则参数
    #[arg(long = "param", value_name = "RULE.NAME=VALUE", value_parser = Param::parse)]
    pub params: Vec<Param>,
    /// Find out what the run would do to alerts, and record nothing / 试运行，不记录预警
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    /// Most runs to list / 条数上限
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// One parameter of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    rule: String,
    name: String,
    value: pb::Value,
}

impl Param {
    /// Whole numbers and truth values are typed; anything else, decimals and dates too, is text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or("write RULE.NAME=VALUE")?;
        let (rule, name) = path.split_once('.').ok_or("write RULE.NAME=VALUE")?;
        let value = match value {
            "true" => domain::Value::Bool(true),
            "false" => domain::Value::Bool(false),
            other => other
                .parse()
                .map(domain::Value::Int)
                .unwrap_or_else(|_| domain::Value::text(other)),
        };
        Ok(Param {
            rule: rule.to_owned(),
            name: name.to_owned(),
            value: convert::value_to_proto(&value),
        })
    }

    /// Name and value.
    pub fn into_entry(self) -> (String, pb::Value) {
        (self.name, self.value)
    }
}

const COLUMNS: [Column; 9] = [
    column("rule_id", "规则", "RULE"),
    column("state", "状态", "STATE"),
    column("hits", "命中", "HITS"),
    column("opened", "新开", "OPENED"),
    column("updated", "更新", "UPDATED"),
    column("changed", "变化", "CHANGED"),
    column("closed_out", "解除/存疑/撤回", "CLEARED/STALE/WITHDRAWN"),
    column("time", "耗时", "TIME"),
    column("reason", "原因", "REASON"),
];

pub async fn run(args: &RunArgs, threads: usize, connection: &Connection, output: &mut Output) -> CliResult {
    let mut params: BTreeMap<String, pb::MapValue> = BTreeMap::new();
    for p in &args.params {
        params
            .entry(p.rule.clone())
            .or_default()
            .entries
            .insert(p.name.clone(), p.value.clone());
    }
    let request = pb::RunRulesRequest {
        rule_ids: args.rule_ids.clone(),
        as_of: args.as_of.clone().unwrap_or_default(),
        snapshot: args.snapshot,
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        params,
        request_id: String::new(),
        validate_only: args.dry_run,
    };
    if !args.params.is_empty() && !args.dry_run {
        tell(output.say(
            "本次使用了不同的参数，其预警照常记录；不带 --param 再运行一次即恢复，只想试算请加 --dry-run",
            "this run has other parameters and its alerts are recorded as any; a run without --param restores them, and --dry-run only tries",
        ));
    }
    let started = connection.collisions().run_rules(request).await?.into_inner();
    match follow(connection, output, started.operation).await? {
        pb::operation::Result::Run(run) => {
            tell_unread(connection, output).await;
            tell_run(&convert::run_from_proto(run)?, output)
        }
        pb::operation::Result::RunPreview(preview) => {
            tell_unread(connection, output).await;
            tell_preview(&convert::run_preview_from_proto(preview)?, output)
        }
        other => Err(CliError::failed(format!(
            "the server's answer cannot be read: {other:?}"
        ))),
    }
}

/// What could not be read is looked at by no rule.
async fn tell_unread(connection: &Connection, output: &Output) {
    if let Some(text) = Unread::count(connection).await.beside_a_run() {
        tell(text.get(output.lang));
    }
}

const CHANGES: [Column; 5] = [
    column("kind", "变化", "CHANGE"),
    column("rule_id", "规则", "RULE"),
    column("alert_id", "编号", "ALERT"),
    column("amount_at_risk", "涉及金额", "AMOUNT"),
    column("message", "内容", "MESSAGE"),
];

/// What a run would do: its lines, then the changes of alerts.
fn tell_preview(preview: &RunPreview, output: &mut Output) -> CliResult {
    let ended = match output.format {
        // One table a file: of the changes.
        Format::Csv => ended(&preview.run, false, output),
        Format::Table | Format::Json => {
            list(&preview.run, output)?;
            ended(&preview.run, false, output)
        }
    };
    let lang = output.lang;
    let rows = preview.events.iter().map(|event| {
        let alert = &event.alert;
        let cells = vec![
            event.kind.as_str().to_owned(),
            alert.rule_id.clone(),
            alert.alert_id.clone(),
            alert.amount_at_risk.clone().unwrap_or_default(),
            alert.message.get(lang).to_owned(),
        ];
        (cells, event)
    });
    output.list(&CHANGES, rows.collect::<Vec<_>>())?;
    let (shown, total) = (preview.events.len(), preview.events_total);
    tell(&match lang {
        domain::Lang::Zh if total == 0 => "试运行：预警不会有变化；未记录任何内容。".to_owned(),
        domain::Lang::En if total == 0 => "dry run: no alert would change; nothing was recorded.".to_owned(),
        domain::Lang::Zh => format!("试运行：将有 {total} 条预警变化，以上为前 {shown} 条；未记录任何内容。"),
        domain::Lang::En => {
            format!("dry run: {total} alerts would change, the first {shown} above; nothing was recorded.")
        }
    });
    ended
}

/// The lines of a run, and how it ended.
pub fn tell_run(run: &RunRecord, output: &mut Output) -> CliResult {
    list(run, output)?;
    ended(run, true, output)
}

fn list(run: &RunRecord, output: &mut Output) -> CliResult<()> {
    let lang = output.lang;
    let rows = run.rules.iter().map(|rule| (cells(rule, lang), rule));
    Ok(output.list(&COLUMNS, rows.collect::<Vec<_>>())?)
}

fn ended(run: &RunRecord, recorded: bool, output: &Output) -> CliResult {
    tell(&format!(
        "{}: {} {}, {} {}",
        run.run_id,
        output.say("快照", "snapshot"),
        run.snapshot,
        output.say("基准日", "as of"),
        run.as_of
    ));
    if let Some(broken) = run.rules.iter().find(|r| !r.counts.holds()) {
        return Err(CliError::failed(format!(
            "the counts of {} do not add up; please report this as a defect",
            broken.rule_id
        )));
    }
    let some = |state: RuleState| run.rules.iter().any(|r| r.state == state);
    if some(RuleState::Failed) {
        return Err(CliError::failed(match recorded {
            true => output.say(
                "有规则运行失败，原因见上；其余规则的结果已记录。",
                "some rule failed, see its reason above; what the others found is recorded",
            ),
            false => output.say(
                "有规则运行失败，原因见上；未记录任何内容。",
                "some rule failed, see its reason above; nothing was recorded",
            ),
        }));
    }
    match some(RuleState::NotEvaluable) {
        true => Ok(Done::Partly),
        false => Ok(Done::Fully),
    }
}

pub fn state_name(state: RuleState) -> &'static str {
    match state {
        RuleState::Evaluated => "EVALUATED",
        RuleState::NotEvaluable => "NOT_EVALUABLE",
        RuleState::Capped => "CAPPED",
        RuleState::Failed => "FAILED",
    }
}

fn cells(rule: &RuleRunRecord, lang: domain::Lang) -> Vec<String> {
    let c = &rule.counts;
    let mut reason = match (&rule.reason_code, &rule.reason) {
        (Some(code), Some(text)) => format!("{code}: {}", text.get(lang)),
        (Some(code), None) => code.clone(),
        _ => String::new(),
    };
    for (count, zh, en) in [
        (c.reopened, "重开", "reopened"),
        (c.suppressed, "已由人关闭", "closed by people"),
        (c.capped, "超出上限", "beyond the cap"),
    ] {
        if count > 0 {
            let word = if lang == domain::Lang::Zh { zh } else { en };
            let gap = if reason.is_empty() { "" } else { "; " };
            reason.push_str(&format!("{gap}{word} {count}"));
        }
    }
    vec![
        rule.rule_id.clone(),
        state_name(rule.state).to_owned(),
        c.hits.to_string(),
        c.opened.to_string(),
        c.updated.to_string(),
        c.changed.to_string(),
        format!("{}/{}/{}", c.cleared, c.stale, c.withdrawn),
        duration(rule.elapsed_ms),
        reason,
    ]
}

const RUN_COLUMNS: [Column; 6] = [
    column("run_id", "运行", "RUN"),
    column("snapshot", "快照", "SNAPSHOT"),
    column("as_of", "基准日", "AS_OF"),
    column("rules", "规则数", "RULES"),
    column("hits", "命中", "HITS"),
    column("opened", "新开", "OPENED"),
];

pub async fn runs(args: &RunsArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let mut request = pb::ListRunsRequest {
        page_size: 100,
        page_token: String::new(),
    };
    let mut runs = Vec::new();
    loop {
        let page = connection
            .collisions()
            .list_runs(request.clone())
            .await?
            .into_inner();
        for run in page.runs {
            runs.push(convert::run_from_proto(run)?);
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || runs.len() >= args.limit {
            break;
        }
    }
    runs.truncate(args.limit);
    let rows = runs.into_iter().map(|run| {
        let sum = |count: fn(&RuleRunRecord) -> u64| run.rules.iter().map(count).sum::<u64>().to_string();
        let cells = vec![
            run.run_id.clone(),
            run.snapshot.to_string(),
            run.as_of.to_string(),
            run.rules.len().to_string(),
            sum(|r| r.counts.hits),
            sum(|r| r.counts.opened),
        ];
        (cells, run)
    });
    output.list(&RUN_COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(Done::Fully)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_typed_without_floats() {
        let value = |text: &str| convert::value_from_proto(Param::parse(text).expect("valid").value);
        assert_eq!(value("TEN-04.window_days=60"), domain::Value::Int(60));
        assert_eq!(value("PRC-03.ratio=0.05"), domain::Value::text("0.05"));
        assert_eq!(value("X.flag=true"), domain::Value::Bool(true));
        assert!(Param::parse("window_days=60").is_err());
    }
}
