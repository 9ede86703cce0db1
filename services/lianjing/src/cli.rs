//! The command line as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::Lang;

use crate::commands::{
    alerts, datasets, demo, generate, graph, match_records, operations, push, quarantine, rules, run,
    schedule, screen, serve, source, sql, sync,
};

const ABOUT: &str = "Lianjing watches the purchasing of public hospitals: it syncs their exports, collides them by rules, and explains every alert.\n廉镜：同步医院采购数据，按规则碰撞，逐条说明预警依据。";

const AFTER_HELP: &str = "\
A first look / 先看看:
  lianjing demo                                    a synthetic province, end to end / 合成数据演示
With your own exports / 用自己的数据:
  lianjing sync --files exports/                   files named <dataset>.<csv|xlsx|xls|jsonl|parquet>
  lianjing source add his --kind files --set dir=/data/drop --schedule \"0 2 * * *\"
                                                   a source of its own; then: lianjing sync his
  lianjing run                                     all rules on the newest snapshot, as of today
  lianjing alerts list                             then: lianjing alerts show ID

Exit status / 退出码: 0 done, 1 the work failed, 2 bad usage or configuration,
  3 done but some input was quarantined, some rule was NOT_EVALUABLE or some check could not be computed.
Results go to stdout, words and progress to stderr. LIANJING_LOG=info shows the log.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "lianjing", version, about = ABOUT, after_help = AFTER_HELP, propagate_version = true)]
#[command(
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Data directory / 数据目录
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "lianjing-data",
        env = "LIANJING_DATA"
    )]
    pub data: PathBuf,
    /// Talk to a running server instead of opening the data directory, e.g. http://127.0.0.1:7070 / 连接服务器
    #[arg(long, global = true, value_name = "URL", env = "LIANJING_SERVER")]
    pub server: Option<String>,
    /// Keep alerts in this PostgreSQL database (postgres://...) instead of the data directory / 预警存储
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LIANJING_STORE",
        hide_env_values = true
    )]
    pub store: Option<String>,
    /// How results are written to stdout; json is one object a line / 输出格式
    #[arg(long, global = true, value_enum, default_value_t = OutputFormat::Table)]
    pub format: OutputFormat,
    /// Begin CSV with a byte order mark, by which Excel knows UTF-8 / CSV 带 BOM，便于 Excel 打开
    #[arg(long, global = true)]
    pub bom: bool,
    /// Language of messages / 语言
    #[arg(long, global = true, value_enum, default_value_t = Language::Zh, env = "LIANJING_LANG")]
    pub lang: Language,
    /// Rules of your own, beside the built-in ones; the same id replaces a built-in one / 自有规则目录
    #[arg(long, global = true, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// File of the configured sources; by default sources.toml in the data directory / 来源配置文件
    #[arg(
        long = "sources",
        id = "sources",
        global = true,
        value_name = "FILE",
        env = "LIANJING_SOURCES"
    )]
    pub sources: Option<PathBuf>,
    /// Threads to use; 0 is one per core / 线程数
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

/// What `--format` takes. The formats of graphs are for `graph export` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Table,
    Json,
    Csv,
    Graphml,
    /// FollowTheMoney entities, one JSON object a line.
    Ftm,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Csv,
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Json => Self::Json,
            OutputFormat::Csv => Self::Csv,
            OutputFormat::Table | OutputFormat::Graphml | OutputFormat::Ftm => Self::Table,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Zh,
    En,
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::Zh => Lang::Zh,
            Language::En => Lang::En,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate a province, sync it, run the rules, show alerts, then serve it / 演示
    Demo(demo::DemoArgs),
    /// Serve the gRPC API on this machine / 启动服务
    Serve(serve::ServeArgs),
    /// Bring a configured source, or a directory of files, into the lake / 同步来源或文件
    Sync(sync::SyncArgs),
    /// What can be synced: datasets, their columns and headers / 可同步的数据集与字段
    Datasets(datasets::DatasetsArgs),
    /// Configured sources: add, check, sync, status, reconcile / 数据来源
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// Jobs that the server runs by the clock / 定时任务
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Bring rows from stdin into the lake, one JSON object a line / 推送数据行
    Push(push::PushArgs),
    /// Rows that could not be read / 隔离区
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Run rules on one snapshot and record the alerts / 运行规则
    Run(run::RunArgs),
    /// Recorded runs, newest first / 运行记录
    Runs(run::RunsArgs),
    /// List, show, watch, export and close alerts / 预警
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// List, show, test and check rules / 规则
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// One read-only SELECT over the lake / 查询
    Sql(sql::SqlArgs),
    /// Snapshots of the lake, newest first / 快照
    Snapshots(sql::SnapshotsArgs),
    /// How two parties are connected / 两个主体之间的关联
    Link(graph::LinkArgs),
    /// Deduplicate a CSV of organisations or persons, or link two / 记录查重与关联
    Match(match_records::MatchArgs),
    /// Find a party by name, code or id / 查找主体
    Party(graph::PartyArgs),
    /// Screen a supplier or orders before approval: hit, clean or could not be computed / 事前筛查
    Screen(screen::ScreenArgs),
    /// Who owns and controls a company in the end / 受益所有人与实际控制人
    Ubo(graph::UboArgs),
    /// The graph as a file / 关系图谱
    #[command(subcommand)]
    Graph(graph::GraphCommand),
    /// Run an alert's rule again where it was found, and compare the evidence / 重放预警
    Replay(alerts::ReplayArgs),
    /// Write a synthetic province / 生成合成数据
    Generate(generate::GenerateArgs),
    /// Long-running work on a server / 长时任务
    #[command(subcommand)]
    Operations(operations::OperationsCommand),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_takes_the_name_of_a_global_option() {
        fn walk(command: &clap::Command, global: &[String]) {
            for sub in command.get_subcommands() {
                for arg in sub.get_arguments().filter(|a| !a.is_global_set()) {
                    assert!(
                        !global.contains(&arg.get_id().to_string()),
                        "{} {}",
                        sub.get_name(),
                        arg.get_id()
                    );
                }
                walk(sub, global);
            }
        }
        let cli = Cli::command();
        let global = cli
            .get_arguments()
            .filter(|a| a.is_global_set())
            .map(|a| a.get_id().to_string());
        walk(&cli, &global.collect::<Vec<_>>());
    }

    #[test]
    fn every_command_has_a_chinese_line() {
        for command in Cli::command()
            .get_subcommands()
            .filter(|c| c.get_name() != "help")
        {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.contains(" / "), "{}: {about}", command.get_name());
        }
    }
}
