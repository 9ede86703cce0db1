//! Speed and memory beside a peer, in one run: a province is generated, synced and collided, then DuckDB runs
//! the same collisions over the same Parquet files, and the ratios go into docs/benchmarks.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::measure::{Usage, under_script, usage};
use crate::{cargo, root, run as run_command, setup, target_dir};

/// The peer's version.
const DUCKDB: &str = "duckdb==2.0.0";

#[derive(clap::Args)]
pub struct Args {
    /// Purchase order lines.
    #[arg(long, default_value_t = 10_000_000)]
    lines: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the files and the lake go; by default under the target folder. What is there is removed.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Threads of either program; by default one per core.
    #[arg(long)]
    threads: Option<usize>,
    /// Memory that DuckDB may use, in gigabytes.
    #[arg(long, default_value_t = 8)]
    memory: u32,
    /// Measure this binary instead of building one.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Leave the files and the lake where they are.
    #[arg(long)]
    keep: bool,
    /// Print the report and leave docs/benchmarks.md alone.
    #[arg(long)]
    no_write: bool,
}

/// What one child process took.
struct Measured {
    usage: Usage,
    stdout: PathBuf,
}

/// One rule of a run of ours.
pub struct RuleRun {
    pub state: String,
    hits: u64,
    pub opened: u64,
    pub changed: u64,
    elapsed_ms: u64,
}

struct Bench {
    dir: PathBuf,
    binary: PathBuf,
    python: PathBuf,
    threads: usize,
}

pub fn run(args: Args) -> Result<()> {
    let threads = match args.threads {
        Some(n) => n,
        None => std::thread::available_parallelism().map_or(2, usize::from),
    };
    let target = target_dir();
    let dir = args.dir.clone().unwrap_or_else(|| target.join("bench"));
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("could not remove {}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
    let python = setup::venv(&target, "py-bench", &[DUCKDB, "pytz"])?;
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => {
            release(&["lianjing"])?;
            target.join("release").join("lianjing")
        }
    };
    release(&["generate", "--example", "score"])?;

    let bench = Bench {
        dir,
        binary,
        python,
        threads,
    };
    let report = bench.measure(&args, &target.join("release").join("examples").join("score"))?;
    if args.no_write {
        eprintln!("{report}");
    } else {
        let path = root().join("docs").join("benchmarks.md");
        std::fs::write(&path, &report).with_context(|| format!("could not write {}", path.display()))?;
        eprintln!("xtask: wrote {}", path.display());
    }
    if !args.keep {
        std::fs::remove_dir_all(&bench.dir)
            .with_context(|| format!("could not remove {}", bench.dir.display()))?;
    }
    Ok(())
}

/// Builds a package, or an example of one, for measuring.
pub fn release(what: &[&str]) -> Result<()> {
    run_command(
        cargo()
            .args(["build", "--locked", "--release", "--package"])
            .args(what),
    )
}

impl Bench {
    fn measure(&self, args: &Args, score: &Path) -> Result<String> {
        let files = self.dir.join("files");
        let data = self.dir.join("data");
        let orders = args.lines.to_string();
        let seed = args.seed.to_string();
        let files_text = path_text(&files)?;
        let generated = self.lianjing(
            "generate",
            &[
                "generate", files_text, "--orders", &orders, "--seed", &seed, "--plant",
            ],
        )?;
        let truth: Value = read_json(&files.join("truth.json"))?;
        let as_of = truth["as_of"]
            .as_str()
            .context("the truth file tells no as_of")?
            .to_owned();
        let bytes = folder_bytes(&files)?;

        let synced = self.lianjing("sync", &["sync", "--files", files_text, "--format", "json"])?;
        let conservation = conservation(&synced.stdout)?;
        let run_args = ["run", "--as-of", &as_of, "--format", "json"];
        let first = self.lianjing("run-first", &run_args)?;
        let first_rules = rule_runs(&first.stdout)?;
        let second = self.lianjing("run-second", &run_args)?;
        let second_rules = rule_runs(&second.stdout)?;
        let exported = self.lianjing("export", &["alerts", "export", "--format", "json"])?;
        let scored = Command::new(score)
            .arg(files.join("truth.json"))
            .arg(&exported.stdout)
            .output()
            .context("could not start the scorer")?;
        let scored = String::from_utf8_lossy(&scored.stdout).into_owned();

        self.export_graph(&data)?;
        let peer = self.peer(args, &data, &as_of)?;
        self.report(
            args,
            &Findings {
                generated,
                bytes,
                synced,
                conservation,
                first,
                first_rules,
                second,
                second_rules,
                scored,
                peer,
            },
        )
    }

    /// Runs `lianjing` on the data directory under measure.py; a status of 3 (something was quarantined or not
    /// evaluable) is reported, not an end.
    fn lianjing(&self, name: &str, args: &[&str]) -> Result<Measured> {
        let report = self.dir.join(format!("{name}.measured.json"));
        let stdout = self.dir.join(format!("{name}.out"));
        let out = std::fs::File::create(&stdout)
            .with_context(|| format!("could not create {}", stdout.display()))?;
        let log = self.dir.join(format!("{name}.log"));
        let log =
            std::fs::File::create(&log).with_context(|| format!("could not create {}", log.display()))?;
        eprintln!("xtask: lianjing {}", args.join(" "));
        let mut program = Command::new(&self.binary);
        program
            .arg("--data")
            .arg(self.dir.join("data"))
            .args(["--threads", &self.threads.to_string(), "--lang", "en"])
            .args(args);
        let status = under_script(&self.python, &report, &program)
            // Tells the steps of a run that belong to no rule.
            .env("LIANJING_LOG", "collision=debug")
            .env("NO_COLOR", "1")
            .stdout(out)
            .stderr(log)
            .status()
            .context("could not start measure.py")?;
        match status.code() {
            Some(0) => {}
            Some(3) => eprintln!("xtask: some input was quarantined or some rule was not evaluable"),
            _ => bail!(
                "lianjing {} ended with {status}; see {name}.log in {}",
                args.join(" "),
                self.dir.display()
            ),
        }
        Ok(Measured {
            usage: usage(&report)?,
            stdout,
        })
    }

    /// The graph's answers as files: they are no SQL, so the peer gets them finished.
    fn export_graph(&self, data: &Path) -> Result<()> {
        let folder = self.dir.join("graph");
        std::fs::create_dir_all(&folder)?;
        for (function, call) in [
            ("related_suppliers", "related_suppliers()"),
            ("related_parties", "related_parties(4)"),
        ] {
            let file = std::fs::File::create(folder.join(format!("{function}.jsonl")))?;
            let status = Command::new(&self.binary)
                .arg("--data")
                .arg(data)
                .args([
                    "sql",
                    &format!("select * from {call}"),
                    "--format",
                    "json",
                    "--max-rows",
                    "100000000",
                ])
                .stdout(file)
                .status()
                .context("could not start lianjing")?;
            if !status.success() {
                bail!("lianjing sql \"select * from {call}\" ended with {status}");
            }
        }
        Ok(())
    }

    fn peer(&self, args: &Args, data: &Path, as_of: &str) -> Result<(Value, u64)> {
        let report = self.dir.join("duckdb.json");
        let measured = self.dir.join("duckdb.measured.json");
        let mut program = Command::new(&self.python);
        program
            .arg(root().join("xtask/py/bench_duckdb.py"))
            .arg(data)
            .arg(root().join("queries"))
            .arg(as_of)
            .arg(self.threads.to_string())
            .arg(args.memory.to_string())
            .arg(&report)
            .arg(self.dir.join("graph"));
        run_command(under_script(&self.python, &measured, &program).stdin(Stdio::null()))?;
        Ok((read_json(&report)?, usage(&measured)?.peak_megabytes))
    }

    fn report(&self, args: &Args, found: &Findings) -> Result<String> {
        let megabytes = found.bytes as f64 / 1e6;
        let (peer, peer_memory) = (&found.peer.0, found.peer.1);
        let peer_total = peer["total_seconds"].as_f64().unwrap_or_default();
        let steps = steps(&self.dir.join("run-first.log"))?;
        let collisions: f64 = ["views and graph", "rules"]
            .iter()
            .filter_map(|step| steps.iter().find(|(name, is_view, _)| name == step && !is_view))
            .map(|(_, _, ms)| *ms as f64 / 1e3)
            .sum();
        let version = peer["version"].as_str().unwrap_or("?");
        let changed: u64 = found.second_rules.values().map(|r| r.opened + r.changed).sum();
        let mut out = String::new();
        writeln!(out, "# Benchmarks\n")?;
        writeln!(
            out,
            "Written by `cargo xtask bench --lines {} --seed {}`. Do not edit.\n",
            args.lines, args.seed
        )?;
        writeln!(out, "{}\n", machine())?;
        writeln!(
            out,
            "Threads: {}. DuckDB {version} (memory limit {} GB) over the same Parquet files, in the same invocation.\n",
            self.threads, args.memory
        )?;
        writeln!(out, "| step | time | CPU time | peak memory | |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        let row = |out: &mut String, name: &str, m: &Measured, note: &str| {
            writeln!(
                out,
                "| {name} | {:.1} s | {:.1} s | {} MB | {note} |",
                m.usage.seconds, m.usage.user_seconds, m.usage.peak_megabytes
            )
        };
        let rate = args.lines as f64 / found.generated.usage.seconds.max(0.001);
        row(
            &mut out,
            "generate",
            &found.generated,
            &format!("{rate:.0} lines/s"),
        )?;
        let speed = megabytes / found.synced.usage.seconds.max(0.001);
        row(
            &mut out,
            "sync",
            &found.synced,
            &format!(
                "{megabytes:.0} MB in files, **{speed:.0} MB/s**; {}",
                found.conservation
            ),
        )?;
        row(&mut out, "first run", &found.first, "every rule, alerts recorded")?;
        row(
            &mut out,
            "second run",
            &found.second,
            &format!("{changed} alerts opened or changed"),
        )?;
        writeln!(
            out,
            "| DuckDB, all rules | {peer_total:.1} s | | {peer_memory} MB | results fetched, nothing recorded |"
        )?;
        writeln!(out)?;
        writeln!(
            out,
            "A full pass takes **{:.2}** of DuckDB's time, with all that DuckDB does not do: start, graph, evidence, recording. Views, graph and rules alone take {collisions:.1} s, **{:.2}** of it.\n",
            found.first.usage.seconds / peer_total.max(0.001),
            collisions / peer_total.max(0.001)
        )?;
        views_table(&mut out, &steps, peer)?;
        rules_table(&mut out, found)?;
        writeln!(out, "\n## What the alerts are worth\n\n```\n{}```", found.scored)?;
        writeln!(
            out,
            "\n## How the peer is run\n\n`xtask/py/bench_duckdb.py` carries each rule's SQL over to DuckDB's dialect; what a file of the same name \
             under `xtask/py/duckdb_rules/` says is run instead (marked *by hand*). Views that are read twice or more are computed once there \
             too, in {:.2} s. What the graph answers is given to it finished, at no cost.",
            shared_seconds(peer)
        )?;
        Ok(out)
    }
}

struct Findings {
    generated: Measured,
    /// Of all files that are synced.
    bytes: u64,
    synced: Measured,
    conservation: String,
    first: Measured,
    first_rules: BTreeMap<String, RuleRun>,
    second: Measured,
    second_rules: BTreeMap<String, RuleRun>,
    scored: String,
    /// The peer's report, and its peak memory in megabytes.
    peer: (Value, u64),
}

/// Steps that several rules share and those of no rule, as the log of a run tells them: (name, is a view, ms).
fn steps(log: &Path) -> Result<Vec<(String, bool, u64)>> {
    let log = std::fs::read_to_string(log).with_context(|| format!("could not read {}", log.display()))?;
    let between = |line: &str, from: &str, to: &str| {
        let rest = line.split_once(from)?.1;
        Some(rest.split_once(to)?.0.to_owned())
    };
    Ok(log
        .lines()
        .filter_map(|line| {
            let is_view = line.contains("view.kept");
            if !is_view && !line.contains("run.step") {
                return None;
            }
            let name = between(line, if is_view { "view=\"" } else { "step=\"" }, "\"")?;
            let elapsed = line.split_once("elapsed_ms=")?.1.split_whitespace().next()?;
            Some((name, is_view, elapsed.parse().ok()?))
        })
        .collect())
}

/// Where the time went, step by step, beside the peer's views.
fn views_table(out: &mut String, steps: &[(String, bool, u64)], peer: &Value) -> Result<()> {
    writeln!(
        out,
        "Where the time goes. Views that are read twice or more are computed once by either program; here two views, and then two rules, run at a time.\n"
    )?;
    writeln!(out, "| step | lianjing | DuckDB |")?;
    writeln!(out, "|---|---|---|")?;
    for (name, is_view, elapsed) in steps {
        let theirs = match peer["shared"][name.as_str()].as_f64() {
            Some(seconds) if *is_view => format!("{:.0} ms", seconds * 1e3),
            _ if *is_view => "within its readers".to_owned(),
            _ => String::new(),
        };
        let kind = if *is_view { "view " } else { "" };
        writeln!(out, "| {kind}{name} | {elapsed} ms | {theirs} |")?;
    }
    for (view, seconds) in peer["shared"].as_object().into_iter().flatten() {
        if !steps.iter().any(|(name, is_view, _)| *is_view && name == view) {
            let seconds = seconds.as_f64().unwrap_or_default();
            writeln!(
                out,
                "| view {view} | within its readers | {:.0} ms |",
                seconds * 1e3
            )?;
        }
    }
    writeln!(out)?;
    Ok(())
}

fn rules_table(out: &mut String, found: &Findings) -> Result<()> {
    writeln!(
        out,
        "| rule | state | hits | rows in DuckDB | lianjing | DuckDB | ratio | |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    let peers: BTreeMap<&str, &Value> = found.peer.0["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|r| Some((r["rule"].as_str()?, r)))
        .collect();
    for (rule, ours) in &found.first_rules {
        let Some(peer) = peers.get(rule.as_str()) else {
            writeln!(
                out,
                "| {rule} | {} | {} | | {} ms | | | not run by the peer |",
                ours.state, ours.hits, ours.elapsed_ms
            )?;
            continue;
        };
        if let Some(error) = peer["error"].as_str() {
            let error = error.replace('|', "/");
            writeln!(
                out,
                "| {rule} | {} | {} | | {} ms | | | {error} |",
                ours.state, ours.hits, ours.elapsed_ms
            )?;
            continue;
        }
        let seconds = peer["seconds"].as_f64().unwrap_or_default();
        let rows = peer["rows"].as_u64().unwrap_or_default();
        let mut notes = Vec::new();
        if peer["by_hand"].as_bool() == Some(true) {
            notes.push("by hand");
        }
        if rows != ours.hits {
            notes.push("**counts differ**");
        }
        let ratio = ours.elapsed_ms as f64 / 1e3 / seconds.max(0.001);
        writeln!(
            out,
            "| {rule} | {} | {} | {rows} | {} ms | {:.0} ms | {ratio:.2} | {} |",
            ours.state,
            ours.hits,
            ours.elapsed_ms,
            seconds * 1e3,
            notes.join(", ")
        )?;
    }
    Ok(())
}

fn shared_seconds(peer: &Value) -> f64 {
    peer["shared"]
        .as_object()
        .into_iter()
        .flat_map(|o| o.values())
        .filter_map(Value::as_f64)
        .sum()
}

/// Processor, cores, memory, system and compiler.
fn machine() -> String {
    let line = |file: &str, key: &str| {
        std::fs::read_to_string(file)
            .ok()
            .and_then(|text| text.lines().find(|l| l.starts_with(key)).map(str::to_owned))
            .and_then(|l| l.split_once(':').map(|(_, v)| v.trim().to_owned()))
            .unwrap_or_else(|| "?".to_owned())
    };
    let said = |program: &str, argument: &str| {
        Command::new(program)
            .arg(argument)
            .output()
            .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "Machine: {}, {cores} cores, {} memory, Linux {}. Built by {}.",
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
        said("uname", "-r"),
        said("rustc", "--version")
    )
}

/// The report lines of a run, by rule.
pub fn rule_runs(stdout: &Path) -> Result<BTreeMap<String, RuleRun>> {
    let text =
        std::fs::read_to_string(stdout).with_context(|| format!("could not read {}", stdout.display()))?;
    let mut rules = BTreeMap::new();
    for line in text.lines().filter(|l| l.starts_with('{')) {
        let rule: Value = serde_json::from_str(line).context("a line of `run --format json` is not JSON")?;
        let id = rule["rule_id"]
            .as_str()
            .context("a line of `run --format json` names no rule")?;
        let counts = &rule["counts"];
        rules.insert(
            id.to_owned(),
            RuleRun {
                state: rule["state"].as_str().unwrap_or_default().to_owned(),
                hits: counts["hits"].as_u64().unwrap_or_default(),
                opened: counts["opened"].as_u64().unwrap_or_default(),
                changed: counts["changed"].as_u64().unwrap_or_default(),
                elapsed_ms: rule["elapsed_ms"].as_u64().unwrap_or_default(),
            },
        );
    }
    if rules.is_empty() {
        bail!("`lianjing run --format json` told of no rule");
    }
    Ok(rules)
}

/// Rows read and quarantined, in words.
fn conservation(stdout: &Path) -> Result<String> {
    let report: Value = read_json(stdout)?;
    let sum = |field: &str| -> u64 {
        report["datasets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|d| d[field].as_u64())
            .sum()
    };
    Ok(format!(
        "{} rows read, {} quarantined",
        sum("read"),
        sum("quarantined")
    ))
}

pub fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not a UTF-8 path", path.display()))
}

fn folder_bytes(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry?;
        if entry.file_type().is_file() && entry.file_name() != "truth.json" {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
