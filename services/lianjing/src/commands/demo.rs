//! `lianjing demo`: the whole way of the data on a synthetic province, then a server to ask.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use proto::v1 as pb;

use super::generate::{GenerateArgs, province};
use super::rule_notes::RuleNotes;
use super::serve::{DEFAULT_LISTEN, listen};
use super::{alerts, run, sync};
use crate::cli::Global;
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Output, tell};
use crate::wiring::Opening;

/// Alerts shown with their evidence.
const ALERTS_SHOWN: usize = 5;

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Purchase order lines / 采购订单行数
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub orders: u64,
    /// The same seed gives the same province / 随机种子
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub seed: u64,
    /// Where the demo lives; by default demo/ in the data directory / 演示目录
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Address of this machine to serve on afterwards / 监听地址
    #[arg(long, value_name = "ADDRESS", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// End after the alerts were shown / 不启动服务
    #[arg(long)]
    pub no_serve: bool,
}

pub async fn demo(args: &DemoArgs, mut global: Global, output: &mut Output) -> CliResult {
    if global.server.is_some() {
        return Err(CliError::usage(
            "`demo` runs in its own process; leave --server out",
        ));
    }
    let dir = args.dir.clone().unwrap_or_else(|| global.data.join("demo"));
    let files = dir.join(format!("province-{}-{}", args.seed, args.orders));
    global.data = dir.join("data");

    step(output, "生成合成数据", "generating a synthetic province");
    if !files.join("truth.json").exists() {
        // What an interrupted demo left is no province.
        match std::fs::remove_dir_all(&files) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::failed(format!("cannot clear {}: {e}", files.display())));
            }
            _ => {}
        }
        let wanted = GenerateArgs {
            dir: files.clone(),
            orders: args.orders,
            seed: args.seed,
            plant: true,
        };
        province(wanted).await?;
    }
    tell(&files.display().to_string());

    let connection = Connection::open(&global, Opening::Create).await?;
    let shown = collide(&files, global.threads, &connection, output).await;
    let serves = !args.no_serve && matches!(shown, Ok(_) | Err(CliError::Told));
    if let (true, Some(wired)) = (serves, connection.wired()) {
        output.flush()?;
        step(output, "启动服务", "serving");
        hints(&args.listen, &global.data, output);
        listen(wired, args.listen, None, output).await?;
    }
    connection.close().await;
    shown
}

/// Syncs, runs, and shows the first alerts. The exit status is that of the worst step.
async fn collide(files: &Path, threads: usize, connection: &Connection, output: &mut Output) -> CliResult {
    step(output, "同步", "syncing");
    let wanted = sync::SyncArgs {
        configured: None,
        files: Some(files.to_owned()),
        mapping: None,
        source: Some("demo".into()),
        quarantine_limit: None,
    };
    let synced = sync::sync(&wanted, connection, output).await?;

    step(output, "运行规则", "running the rules");
    let as_of = Some(as_of(files)?);
    let wanted = run::RunArgs {
        rule_ids: Vec::new(),
        as_of,
        snapshot: None,
        params: Vec::new(),
        dry_run: false,
    };
    let ran = match run::run(&wanted, threads, connection, output).await {
        // One failed rule hides nothing of what the others found.
        Err(CliError::Failed(text)) => {
            tell(text.get(output.lang));
            Err(CliError::Told)
        }
        ran => ran,
    };

    step(output, "预警", "alerts");
    let (found, total) = alerts::first("", ALERTS_SHOWN, pb::AlertView::Full, connection).await?;
    let notes = RuleNotes::of_all(connection).await?;
    for alert in &found {
        let text = alerts::text_of(alert, &notes, false, connection, output).await?;
        output.line(&text)?;
    }
    output.flush()?;
    tell(&match output.lang {
        domain::Lang::Zh => format!(
            "共 {total} 条预警，以上为前 {} 条。预警是核查线索，不是结论。",
            found.len()
        ),
        domain::Lang::En => {
            format!(
                "{total} alerts, the first {} above. An alert is a lead to review, not a finding.",
                found.len()
            )
        }
    });
    match (synced, ran?) {
        (Done::Fully, Done::Fully) => Ok(Done::Fully),
        _ => Ok(Done::Partly),
    }
}

/// The last day the province knows of.
fn as_of(files: &Path) -> CliResult<String> {
    #[derive(serde::Deserialize)]
    struct Truth {
        as_of: String,
    }
    let path = files.join("truth.json");
    let wrong = |e: &dyn std::fmt::Display| CliError::failed(format!("cannot read {}: {e}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|e| wrong(&e))?;
    let truth: Truth = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    Ok(truth.as_of)
}

fn step(output: &Output, zh: &str, en: &str) {
    tell(&format!("== {}", output.say(zh, en)));
}

fn hints(listen: &SocketAddr, data: &Path, output: &Output) {
    let (program, url) = (program(), format!("http://{listen}"));
    tell(output.say("另开一个终端试试：", "in another terminal, try:"));
    tell(&format!("  {program} --server {url} alerts list"));
    tell(&format!(
        "  {program} --server {url} sql \"select channel, count(*) as lines from purchase_orders group by channel\""
    ));
    tell(&format!("  grpcurl -plaintext {listen} list"));
    tell(output.say(
        "服务停止后，演示数据仍可直接查看：",
        "when the server has ended, the demo's data can be asked without it:",
    ));
    tell(&format!("  {program} --data {} alerts list", data.display()));
}

/// What to type to start this program again from here.
fn program() -> String {
    let typed = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "lianjing".into()));
    let here = std::env::current_dir().unwrap_or_default();
    typed.strip_prefix(&here).unwrap_or(&typed).display().to_string()
}
