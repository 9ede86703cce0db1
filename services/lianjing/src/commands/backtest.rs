//! `lianjing rules backtest`: one rule looked at from a series of earlier days, one line a day, then what was found.

use clap::Args;
use domain::hit::RuleState;
use domain::ports::{BacktestHit, BacktestPoint, BacktestReport};
use gateway::convert;
use proto::v1 as pb;

use super::run::{Param, state_name};
use super::{duration, show};
use crate::cli::Format;
use crate::connection::Connection;
use crate::follow::follow;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Args)]
pub struct BacktestArgs {
    /// e.g. TEN-04 / 规则编号
    pub id: String,
    /// Earliest day to look from, YYYY-MM-DD / 起始日
    #[arg(long, value_name = "DATE")]
    pub from: String,
    /// Last day to look from; by default today / 截止日
    #[arg(long, value_name = "DATE", default_value = "")]
    pub to: String,
    /// Days between two looks, counted back from the last / 间隔天数
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub step_days: u32,
    /// Snapshot of the lake to look at; by default the newest / 快照
    #[arg(long, value_name = "N")]
    pub snapshot: Option<i64>,
    /// A parameter other than the rule's default, e.g. window_days=60; may be repeated / 规则参数
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
}

const POINTS: [Column; 7] = [
    column("as_of", "基准日", "AS OF"),
    column("state", "状态", "STATE"),
    column("hits", "命中", "HITS"),
    column("begun", "新增", "BEGUN"),
    column("ended", "消失", "ENDED"),
    column("time", "耗时", "TIME"),
    column("reason", "原因", "REASON"),
];

const HITS: [Column; 5] = [
    column("first_day", "最早", "FIRST"),
    column("last_day", "最近", "LAST"),
    column("identity", "标识", "IDENTITY"),
    column("amount_at_risk", "涉及金额", "AMOUNT"),
    column("message", "内容", "MESSAGE"),
];

pub async fn backtest(
    args: &BacktestArgs,
    threads: usize,
    connection: &Connection,
    output: &mut Output,
) -> CliResult {
    let params = args
        .params
        .iter()
        .map(|text| Param::parse(&format!("{}.{text}", args.id)).map(Param::into_entry))
        .collect::<Result<_, _>>()
        .map_err(|_| CliError::usage("--param takes NAME=VALUE, e.g. window_days=60"))?;
    let request = pb::BacktestRuleRequest {
        rule_id: args.id.clone(),
        first_day: args.from.clone(),
        last_day: args.to.clone(),
        step_days: args.step_days,
        snapshot: args.snapshot,
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        params,
    };
    let started = connection.collisions().backtest_rule(request).await?.into_inner();
    match follow(connection, output, started.operation).await? {
        pb::operation::Result::BacktestReport(report) => {
            tell_report(&convert::backtest_from_proto(report)?, output)
        }
        other => Err(CliError::failed(format!(
            "the server's answer cannot be read: {other:?}"
        ))),
    }
}

fn tell_report(report: &BacktestReport, output: &mut Output) -> CliResult {
    let lang = output.lang;
    let points = report
        .points
        .iter()
        .map(|point| (point_cells(point, lang), point));
    // A CSV is one table: of the hits.
    if output.format != Format::Csv {
        output.list(&POINTS, points.collect::<Vec<_>>())?;
    }
    let hits = report.hits.iter().map(|hit| (hit_cells(hit, lang), hit));
    output.list(&HITS, hits.collect::<Vec<_>>())?;
    let (shown, total) = (report.hits.len(), report.hits_total);
    tell(&match lang {
        domain::Lang::Zh => format!(
            "{} 第 {} 版，快照 {}：共命中 {total} 项，列出 {shown} 项。所用为当前数据，并非当时的数据；未记录任何内容。",
            report.rule_id, report.rule_version, report.snapshot
        ),
        domain::Lang::En => format!(
            "{} version {}, snapshot {}: {total} hits in all, {shown} listed. This is today's data, not that of those days; nothing was recorded.",
            report.rule_id, report.rule_version, report.snapshot
        ),
    });
    let some = |state: RuleState| report.points.iter().any(|p| p.state == state);
    if some(RuleState::Failed) {
        return Err(CliError::failed(output.say(
            "有的日期运行失败，原因见上。",
            "the rule failed on some day, see the reason above",
        )));
    }
    match some(RuleState::NotEvaluable) {
        true => Ok(Done::Partly),
        false => Ok(Done::Fully),
    }
}

fn point_cells(point: &BacktestPoint, lang: domain::Lang) -> Vec<String> {
    let reason = point.reason.as_ref();
    vec![
        point.as_of.to_string(),
        state_name(point.state).to_owned(),
        point.hits.to_string(),
        point.begun.to_string(),
        point.ended.to_string(),
        duration(point.elapsed_ms),
        reason
            .map(|(code, text)| format!("{code}: {}", text.get(lang)))
            .unwrap_or_default(),
    ]
}

fn hit_cells(hit: &BacktestHit, lang: domain::Lang) -> Vec<String> {
    vec![
        hit.first_day.to_string(),
        hit.last_day.to_string(),
        show::pairs(hit.identity.iter()),
        hit.amount_at_risk.clone().unwrap_or_default(),
        hit.message.get(lang).to_owned(),
    ]
}
