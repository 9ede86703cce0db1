//! `lianjing rules`: reading, testing, checking and pinning rules.

use clap::{Args, Subcommand};
use proto::v1 as pb;
use serde_json::json;

use super::backtest::{self, BacktestArgs};
use crate::cli::{Format, Global};
use crate::connection::Connection;
use crate::follow::follow;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Subcommand)]
pub enum RulesCommand {
    /// All rules / 列出规则
    List,
    /// One rule's whole file: legal basis, parameters, SQL / 查看规则
    Show(ShowArgs),
    /// Run the cases beside the rules / 运行规则用例
    Test(TestArgs),
    /// What a rule would have found on earlier days, on today's data; records nothing / 历史回测
    Backtest(BacktestArgs),
    /// Problems in rules, views and rules.lock / 检查规则
    Lint,
    /// Pin id, version and hash of the rules in --rules DIR in its rules.lock / 锁定规则版本
    Lock,
    /// Change rules one place at a time and list the changes that no case notices / 变异测试
    Mutate(OneArgs),
}

#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// e.g. TEN-04 / 规则编号
    pub id: String,
}

#[derive(Debug, Clone, Args)]
pub struct OneArgs {
    /// Only this rule; by default all / 规则编号
    pub id: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct TestArgs {
    /// Only this rule; by default all / 规则编号
    pub id: Option<String>,
    /// The same as `rules mutate` / 变异测试
    #[arg(long)]
    pub mutate: bool,
}

pub async fn rules(
    command: &RulesCommand,
    threads: usize,
    connection: &Connection,
    output: &mut Output,
) -> CliResult {
    match command {
        RulesCommand::List => list(connection, output).await,
        RulesCommand::Show(args) => show(args, connection, output).await,
        RulesCommand::Test(args) if args.mutate => mutate(args.id.as_deref(), connection, output).await,
        RulesCommand::Test(args) => test(args.id.as_deref(), connection, output).await,
        RulesCommand::Backtest(args) => backtest::backtest(args, threads, connection, output).await,
        RulesCommand::Lint => lint(connection, output).await,
        RulesCommand::Mutate(args) => mutate(args.id.as_deref(), connection, output).await,
        RulesCommand::Lock => unreachable!("needs no connection; answered in dispatch"),
    }
}

const COLUMNS: [Column; 7] = [
    column("rule_id", "编号", "RULE"),
    column("version", "版本", "VERSION"),
    column("severity", "级别", "SEVERITY"),
    column("status", "阶段", "STATUS"),
    column("title", "名称", "TITLE"),
    column("inputs", "数据集", "INPUTS"),
    column("place", "位置", "PLACE"),
];

/// "SEVERITY_HIGH" -> "high".
pub fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// Every rule, page by page.
pub async fn all(connection: &Connection) -> Result<Vec<pb::Rule>, CliError> {
    let mut request = pb::ListRulesRequest {
        page_size: 1_000,
        page_token: String::new(),
    };
    let mut rules = Vec::new();
    loop {
        let page = connection
            .collisions()
            .list_rules(request.clone())
            .await?
            .into_inner();
        rules.extend(page.rules);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(rules);
        }
    }
}

async fn list(connection: &Connection, output: &mut Output) -> CliResult {
    let rules = all(connection).await?;
    let rows: Vec<_> = rules
        .into_iter()
        .map(|rule| {
            let title = rule.title.clone().unwrap_or_default();
            let inputs: Vec<&str> = rule.inputs.iter().map(|i| i.dataset.as_str()).collect();
            let severity = word(rule.severity().as_str_name(), "SEVERITY_");
            let status = word(rule.status().as_str_name(), "RULE_STATUS_");
            let object = json!({
                "rule_id": rule.rule_id, "version": rule.version, "severity": severity, "status": status,
                "certainty": word(rule.certainty().as_str_name(), "CERTAINTY_"),
                "target": word(rule.target().as_str_name(), "RULE_TARGET_"),
                "title": {"zh": title.zh, "en": title.en}, "inputs": inputs, "hash": rule.hash, "place": rule.place,
            });
            let cells = vec![
                rule.rule_id.clone(),
                rule.version.to_string(),
                severity,
                status,
                output.say(&title.zh, &title.en).to_owned(),
                inputs.join(" "),
                rule.place.clone(),
            ];
            (cells, object)
        })
        .collect();
    output.list(&COLUMNS, rows)?;
    Ok(Done::Fully)
}

async fn show(args: &ShowArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::GetRuleRequest {
        rule_id: args.id.clone(),
    };
    let rule = connection
        .collisions()
        .get_rule(request)
        .await?
        .into_inner()
        .rule
        .unwrap_or_default();
    match output.format {
        Format::Json => {
            let object = json!({"rule_id": rule.rule_id, "version": rule.version, "hash": rule.hash, "place": rule.place, "text": rule.text});
            output.json_line(&object)?;
        }
        Format::Table | Format::Csv => {
            tell(&format!("{} {} {}", rule.place, rule.version, rule.hash));
            output.line(rule.text.trim_end())?;
        }
    }
    Ok(Done::Fully)
}

const CASE_COLUMNS: [Column; 4] = [
    column("rule_id", "规则", "RULE"),
    column("case", "用例", "CASE"),
    column("passed", "结果", "RESULT"),
    column("detail", "说明", "DETAIL"),
];

async fn test(id: Option<&str>, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::TestRulesRequest {
        rule_id: id.unwrap_or_default().to_owned(),
    };
    let cases = connection
        .collisions()
        .test_rules(request)
        .await?
        .into_inner()
        .cases;
    let (passed, failed) = (output.say("通过", "passed"), output.say("失败", "FAILED"));
    let rows: Vec<_> = cases
        .iter()
        .map(|c| {
            let result = if c.passed { passed } else { failed };
            let cells = vec![
                c.rule_id.clone(),
                c.name.clone(),
                result.to_owned(),
                c.detail.clone(),
            ];
            (
                cells,
                json!({"rule_id": c.rule_id, "case": c.name, "passed": c.passed, "detail": c.detail}),
            )
        })
        .collect();
    let failures = cases.iter().filter(|c| !c.passed).count();
    output.list(&CASE_COLUMNS, rows)?;
    tell(&format!("{} / {} {passed}", cases.len() - failures, cases.len()));
    match failures {
        0 => Ok(Done::Fully),
        _ => Err(CliError::Told),
    }
}

async fn lint(connection: &Connection, output: &mut Output) -> CliResult {
    let problems = connection
        .collisions()
        .lint_rules(pb::LintRulesRequest {})
        .await?
        .into_inner()
        .problems;
    let rows: Vec<_> = problems
        .iter()
        .map(|p| (vec![p.clone()], json!({"problem": p})))
        .collect();
    if !rows.is_empty() {
        output.list(&[column("problem", "问题", "PROBLEM")], rows)?;
    }
    match problems.len() {
        0 => {
            tell(output.say("没有问题。", "no problems."));
            Ok(Done::Fully)
        }
        _ => Err(CliError::Told),
    }
}

const MUTANT_COLUMNS: [Column; 3] = [
    column("rule_id", "规则", "RULE"),
    column("killed", "是否被发现", "NOTICED"),
    column("mutation", "改动", "CHANGE"),
];

async fn mutate(id: Option<&str>, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::MutateRulesRequest {
        rule_id: id.unwrap_or_default().to_owned(),
    };
    let started = connection.collisions().mutate_rules(request).await?.into_inner();
    let mutants = match follow(connection, output, started.operation).await? {
        pb::operation::Result::MutationReport(report) => report.mutants,
        other => {
            return Err(CliError::failed(format!(
                "the server's answer cannot be read: {other:?}"
            )));
        }
    };
    // People want the survivors only; programs get all.
    let all = output.format != Format::Table;
    let survivors = mutants.iter().filter(|m| !m.killed).count();
    let rows: Vec<_> = mutants
        .iter()
        .filter(|m| all || !m.killed)
        .map(|m| {
            let cells = vec![m.rule_id.clone(), m.killed.to_string(), m.mutation.clone()];
            (
                cells,
                json!({"rule_id": m.rule_id, "killed": m.killed, "mutation": m.mutation}),
            )
        })
        .collect();
    output.list(&MUTANT_COLUMNS, rows)?;
    let total = mutants.len();
    tell(&match output.lang {
        domain::Lang::Zh => format!("{total} 处改动，{survivors} 处未被任何用例发现。"),
        domain::Lang::En => format!("{total} changes, {survivors} of them noticed by no case."),
    });
    match survivors {
        0 => Ok(Done::Fully),
        _ => Err(CliError::Told),
    }
}

/// Writes rules.lock of `--rules DIR`.
pub fn lock(global: &Global, output: &mut Output) -> CliResult {
    let Some(dir) = &global.rules else {
        return Err(CliError::usage(
            "name the folder of your rules: lianjing --rules DIR rules lock",
        ));
    };
    let pinned = crate::wiring::write_lock(dir)?;
    output.line(&format!("{}", pinned.path.display()))?;
    output.flush()?;
    tell(&format!(
        "{} {}",
        pinned.rules,
        output.say("条规则已锁定。", "rules pinned.")
    ));
    Ok(Done::Fully)
}
