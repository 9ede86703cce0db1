//! What `lianjing source` is told on its command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Clone, Subcommand)]
pub enum SourceCommand {
    /// Kinds of sources, each with the JSON Schema of its configuration / 来源类型
    Kinds,
    /// Every option of a kind, as Markdown or JSON Schema / 来源类型的全部配置项
    Spec(SpecArgs),
    /// Configured sources / 列出来源
    List,
    /// Configure a source / 添加来源
    Add(AddArgs),
    /// Forget a source; its rows stay / 移除来源
    Remove(RemoveArgs),
    /// Forget where its streams stand: the next sync reads from the start, rows stay / 忘记读取位置，从头读取
    Reset(ResetArgs),
    /// Whether a source answers and its configuration holds / 检查来源
    Check(NameArgs),
    /// What there is to read at a source / 列出可读内容
    Discover(NameArgs),
    /// Sync a source / 同步来源
    Sync(NameArgs),
    /// Freshness, failures, rows and alarms / 来源状态
    Status(StatusArgs),
    /// Syncs on record, newest first / 同步记录
    Runs(RunsArgs),
    /// Find rows that are gone at a source / 核对已删除的行
    Reconcile(ReconcileArgs),
    /// Read the raw batches of quarantined rows again / 重新读取隔离行
    Redrive(NameArgs),
    /// Try the acceptance suite on a source; changes nothing / 验收来源
    Accept(AcceptArgs),
}

#[derive(Debug, Clone, Args)]
pub struct NameArgs {
    /// Name of the source / 来源名称
    pub name: String,
}

/// The commands run here, one after the other, each before its trial; they change the source, never this program.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// Name of the source / 来源名称
    pub name: String,
    /// Shell command that commits one row whose cursor value others have passed already / 迟到提交
    #[arg(long, value_name = "COMMAND")]
    pub late_commit: Option<String>,
    /// Shell command that makes the source give the same rows in another order / 乱序
    #[arg(long, value_name = "COMMAND")]
    pub unsorted: Option<String>,
    /// Shell command that renames or drops a column that is read, or changes its type / 结构变化
    #[arg(long, value_name = "COMMAND")]
    pub schema_drift: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct SpecArgs {
    /// Kind of source; `source kinds` lists them / 来源类型
    pub kind: String,
    /// The JSON Schema instead / 输出 JSON Schema
    #[arg(long)]
    pub json_schema: bool,
}

#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Name that its rows will carry / 来源名称
    pub name: String,
    /// Kind of source; `source kinds` lists them / 来源类型
    #[arg(long, value_name = "KIND", required_unless_present = "from")]
    pub kind: Option<String>,
    /// A configuration key; the value is TOML, else text; may be repeated / 配置项
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "kind")]
    pub settings: Vec<String>,
    /// The whole table of the source as TOML instead / 配置文件
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "schedule", "zone", "limit"])]
    pub from: Option<PathBuf>,
    /// When it is synced: minute hour day month weekday / 同步时间（cron）
    #[arg(long, value_name = "CRON")]
    pub schedule: Option<String>,
    /// Time zone of the schedule; by default Asia/Shanghai / 时区
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Share of unreadable rows above which a sync fails, in percent / 隔离上限
    #[arg(long = "quarantine-limit", value_name = "PERCENT")]
    pub limit: Option<String>,
    /// Take the place of a source of that name / 覆盖同名来源
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    /// Name of the source / 来源名称
    pub name: String,
    /// Forget where its streams stand: added again, it is read from the start / 同时忘记游标
    #[arg(long)]
    pub forget_cursors: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ResetArgs {
    /// Name of the source / 来源名称
    pub name: String,
    /// Only this stream; by default all / 只重置一个数据流
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Only this source / 来源名称
    pub name: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    /// Only this source / 来源名称
    pub name: Option<String>,
    /// Most syncs to list / 条数上限
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

#[derive(Debug, Clone, Args)]
pub struct ReconcileArgs {
    /// Name of the source / 来源名称
    pub name: String,
    /// Withdraw rows even if they are more than a tenth of a dataset's / 不限比例
    #[arg(long)]
    pub any_share: bool,
}
