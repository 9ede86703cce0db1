//! `lianjing generate`: a synthetic province.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Format;
use crate::outcome::{CliError, CliResult, Done, chain};
use crate::output::Output;

#[derive(Debug, Clone, Args)]
pub struct GenerateArgs {
    /// A folder that is new or empty / 目标目录
    pub dir: PathBuf,
    /// Purchase order lines / 采购订单行数
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub orders: u64,
    /// The same seed gives the same bytes / 随机种子
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub seed: u64,
    /// Plant violations and near misses, told in truth.json / 植入违规与近似样本
    #[arg(long)]
    pub plant: bool,
}

pub async fn generate(args: &GenerateArgs, output: &mut Output) -> CliResult {
    let summary = province(args.clone()).await?;
    let facts = [
        ("hospitals", summary.hospitals as u64),
        ("suppliers", summary.suppliers as u64),
        ("order_lines", summary.order_lines),
        ("platform_orders", summary.platform_orders),
        ("planted", summary.planted as u64),
        ("decoys", summary.decoys as u64),
        ("bytes", summary.bytes),
    ];
    match output.format {
        Format::Json => output.json_line(&json!({
            "dir": args.dir, "hospitals": summary.hospitals, "suppliers": summary.suppliers,
            "order_lines": summary.order_lines, "platform_orders": summary.platform_orders,
            "planted": summary.planted, "decoys": summary.decoys, "bytes": summary.bytes,
        }))?,
        Format::Csv => {
            let row = facts.iter().map(|(_, n)| n.to_string()).collect::<Vec<_>>();
            output.csv(&facts.map(|(name, _)| name), [row])?;
        }
        Format::Table => {
            for (name, number) in facts {
                output.line(&format!("{name} {number}"))?;
            }
        }
    }
    output.flush()?;
    Ok(Done::Fully)
}

/// Writes the province, off the async threads.
pub async fn province(args: GenerateArgs) -> CliResult<generate::Summary> {
    let mut options = generate::Options::new(&args.dir, args.orders, args.seed);
    options.plant = args.plant;
    let written = tokio::task::spawn_blocking(move || generate::generate(&options)).await;
    match written {
        Ok(Ok(summary)) => Ok(summary),
        Ok(Err(error @ generate::Error::NotEmpty { .. })) => Err(CliError::usage(chain(&error))),
        Ok(Err(error)) => Err(CliError::failed(chain(&error))),
        Err(defect) => Err(CliError::failed(format!(
            "generating stopped on a defect: {defect}"
        ))),
    }
}
