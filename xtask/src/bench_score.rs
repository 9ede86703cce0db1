//! What the alerts are worth: provinces of several sizes and seeds are generated, synced and collided, and the
//! alerts held against what was planted; a second run must change nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::{read_json, release, rule_runs};
use crate::target_dir;

#[derive(clap::Args)]
pub struct Args {
    /// Purchase order lines of each province.
    #[arg(long, value_delimiter = ',', default_values_t = [200_000, 5_000_000])]
    orders: Vec<u64>,
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// Where the files and the lake go, one province at a time; by default under the target folder. What is there is removed.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Take this binary instead of building one.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// One line of the table.
struct Row {
    orders: u64,
    seed: u64,
    planted: u64,
    missed: u64,
    accused: u64,
    unexpected: u64,
    not_evaluated: usize,
    changed: u64,
}

pub fn run(args: Args) -> Result<()> {
    let target = target_dir();
    let dir = args.dir.clone().unwrap_or_else(|| target.join("bench-score"));
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => {
            release(&["lianjing"])?;
            target.join("release").join("lianjing")
        }
    };
    release(&["generate", "--example", "score"])?;
    let scorer = target.join("release").join("examples").join("score");
    let mut rows = Vec::new();
    for &orders in &args.orders {
        for &seed in &args.seeds {
            rows.push(province(&dir, &binary, &scorer, orders, seed)?);
        }
    }
    println!(
        "| order lines | seed | planted | missed | decoys accused | unexpected | rules not evaluated | changed by a second run |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for r in &rows {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            r.orders, r.seed, r.planted, r.missed, r.accused, r.unexpected, r.not_evaluated, r.changed
        );
    }
    let wrong = |r: &Row| r.missed + r.accused + r.unexpected + r.changed + r.not_evaluated as u64 > 0;
    if rows.iter().any(wrong) {
        bail!("the alerts of a province are not what was planted");
    }
    Ok(())
}

fn province(dir: &Path, binary: &Path, scorer: &Path, orders: u64, seed: u64) -> Result<Row> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("could not remove {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
    let files = dir.join("files");
    let lianjing = |name: &str, args: &[&str]| -> Result<PathBuf> {
        let out = dir.join(format!("{name}.out"));
        eprintln!("xtask: {orders} lines, seed {seed}: {name}");
        let status = Command::new(binary)
            .arg("--data")
            .arg(dir.join("data"))
            .args(args)
            .stdout(std::fs::File::create(&out)?)
            .status()
            .context("could not start lianjing")?;
        // 3: some input was quarantined or some rule was not evaluable; the table tells.
        match status.code() {
            Some(0 | 3) => Ok(out),
            _ => bail!("lianjing {} ended with {status}", args.join(" ")),
        }
    };
    let folder = files.to_string_lossy().into_owned();
    let (orders_text, seed_text) = (orders.to_string(), seed.to_string());
    lianjing(
        "generate",
        &[
            "generate",
            &folder,
            "--orders",
            &orders_text,
            "--seed",
            &seed_text,
            "--plant",
        ],
    )?;
    let truth: Value = read_json(&files.join("truth.json"))?;
    let as_of = truth["as_of"].as_str().context("the truth file tells no as_of")?;
    lianjing("sync", &["sync", "--files", &folder])?;
    let run = ["run", "--as-of", as_of, "--format", "json"];
    let first = rule_runs(&lianjing("run", &run)?)?;
    let second = rule_runs(&lianjing("run again", &run)?)?;
    let alerts = lianjing("export", &["alerts", "export", "--format", "json"])?;
    let scored = Command::new(scorer)
        .arg(files.join("truth.json"))
        .arg(&alerts)
        .output()
        .context("could not start the scorer")?;
    let text = String::from_utf8_lossy(&scored.stdout).into_owned();
    if !scored.status.success() {
        eprint!("{text}{}", String::from_utf8_lossy(&scored.stderr));
    }
    // rule planted missed decoys accused alerts unexpected
    let column = |place: usize| -> u64 {
        text.lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|cells| cells.len() == 7 && cells[1..].iter().all(|c| c.parse::<u64>().is_ok()))
            .filter_map(|cells| cells[place].parse::<u64>().ok())
            .sum()
    };
    std::fs::remove_dir_all(dir).with_context(|| format!("could not remove {}", dir.display()))?;
    Ok(Row {
        orders,
        seed,
        planted: column(1),
        missed: column(2),
        accused: column(4),
        unexpected: column(6),
        not_evaluated: first.values().filter(|r| r.state != "EVALUATED").count(),
        changed: second.values().map(|r| r.opened + r.changed).sum(),
    })
}
