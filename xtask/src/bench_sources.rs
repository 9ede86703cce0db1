//! How fast sources are read: a million rows from PostgreSQL, a platform's pages beside the same pages fetched and thrown
//! away, and compiled releases beside Cardinal. Writes docs/benchmarks-sources.md.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use test_servers::database::{Server, fresh_name};

use crate::measure::{Usage, json_lines};
use crate::{root, run as run_command, setup, target_dir};

const CARDINAL: &str = "https://github.com/open-contracting/cardinal-rs";

#[derive(clap::Args)]
pub struct Args {
    /// Rows of the PostgreSQL table.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Rows of the platform's list.
    #[arg(long, default_value_t = 300_000)]
    platform_rows: u64,
    /// Size of the compiled releases, in MB.
    #[arg(long, default_value_t = 230)]
    megabytes: u64,
    /// The peer's program; by default it is built from its public repository, under the target folder.
    #[arg(long, value_name = "OCDSCARDINAL")]
    cardinal: Option<PathBuf>,
    /// Print the report and leave docs/benchmarks-sources.md alone.
    #[arg(long)]
    no_write: bool,
}

pub fn run(args: Args) -> Result<()> {
    let dir = target_dir().join("bench-sources");
    std::fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
    setup::postgres()?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .current_dir(root())
        .args(["build", "--locked", "--release", "--examples"]);
    build.args(["--package", "database", "--package", "rest", "--package", "open"]);
    run_command(&mut build)?;
    run_command(crate::cargo().args(["build", "--locked", "--release", "--package", "lianjing"]))?;
    let cardinal = match &args.cardinal {
        Some(path) => path.clone(),
        None => cardinal(&dir)?,
    };
    let mut report = String::new();
    postgres(&args, &mut report)?;
    platform(&args, &dir, &mut report)?;
    releases(&args, &dir, &cardinal, &mut report)?;
    let page = page(&report);
    if args.no_write {
        eprintln!("{page}");
        return Ok(());
    }
    let path = root().join("docs").join("benchmarks-sources.md");
    std::fs::write(&path, &page).with_context(|| format!("could not write {}", path.display()))?;
    eprintln!("xtask: wrote {}", path.display());
    Ok(())
}

fn cardinal(dir: &Path) -> Result<PathBuf> {
    let source = dir.join("cardinal-rs");
    if !source.exists() {
        run_command(
            Command::new("git")
                .args(["clone", "--depth", "1", CARDINAL])
                .arg(&source),
        )?;
    }
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    run_command(
        build
            .current_dir(&source)
            .env("CARGO_TARGET_DIR", source.join("target"))
            .args(["build", "--release"]),
    )?;
    Ok(source.join("target/release/ocdscardinal"))
}

fn example(name: &str) -> PathBuf {
    target_dir().join("release/examples").join(name)
}

fn measured(command: &Command) -> Result<(Vec<Value>, Usage)> {
    let report = target_dir().join("bench-sources").join("measured.json");
    json_lines(Path::new("python3"), &report, command)
}

fn number(line: &Value, key: &str) -> Result<f64> {
    line[key].as_f64().with_context(|| format!("no {key} in {line}"))
}

fn postgres(args: &Args, report: &mut String) -> Result<()> {
    let (server, name) = (Server::postgres(), fresh_name());
    server.psql("postgres", &format!("create database {name}"));
    let url = server.postgres_url("lianjing", &name);
    let mut reading = Command::new(example("postgres_speed"));
    let (lines, _) = measured(reading.args([&url, &args.rows.to_string()]))?;
    report.push_str(
        "## PostgreSQL\n\n22 columns of purchase orders with a time cursor, in one snapshot of a read-only session; each row is read, \
         kept as a compressed raw batch, typed and handed over. The server ran on the same cores. Three times in one process: peak memory \
         does not grow with the rows read.\n\n\
         | rows | seconds | rows/s | processor s of the reader | peak MiB |\n|---|---|---|---|---|\n",
    );
    for line in &lines {
        writeln!(
            report,
            "| {:.0} | {:.2} | {:.0} | {:.2} | {:.0} |",
            number(line, "rows")?,
            number(line, "seconds")?,
            number(line, "rows_per_second")?,
            number(line, "cpu_seconds")?,
            number(line, "peak_mib")?,
        )?;
    }
    Ok(())
}

fn platform(args: &Args, _dir: &Path, report: &mut String) -> Result<()> {
    report.push_str(
        "\n## A platform's HTTP interface\n\nPages of 1,000 records that the server renders beforehand, given at once and after 20 ms each. \
         *Raw* is the same HTTP client fetching the same pages one after another and throwing them away: the speed of the server and the \
         network. Each page is kept, looked into for keys and for where the next one starts, and made into rows while the next one is on \
         its way. Of three readings the fastest.\n\n\
         | paging | ms a page | rows | MB | raw s | read s | rows/s | of raw | processor s |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for delay in ["0", "20"] {
        let mut reading = Command::new(example("rest_speed"));
        let (lines, _) = measured(reading.args([&args.platform_rows.to_string(), "1000", delay]))?;
        for line in &lines {
            let (raw, read) = (number(line, "raw_seconds")?, number(line, "seconds")?);
            writeln!(
                report,
                "| {} | {delay} | {:.0} | {:.0} | {raw:.2} | {read:.2} | {:.0} | {:.0} % | {:.2} |",
                line["paging"].as_str().unwrap_or_default(),
                number(line, "rows")?,
                number(line, "bytes")? / 1e6,
                number(line, "rows_per_second")?,
                100.0 * raw / read,
                number(line, "cpu_seconds")?,
            )?;
        }
    }
    Ok(())
}

fn releases(args: &Args, dir: &Path, cardinal: &Path, report: &mut String) -> Result<()> {
    let file = dir.join(format!("releases-{}.jsonl", args.megabytes));
    if !file.exists() {
        run_command(
            Command::new(example("generate_releases"))
                .arg(&file)
                .arg(args.megabytes.to_string()),
        )?;
    }
    let lianjing = target_dir().join("release/lianjing");
    let data = dir.join("ocds-data");
    report.push_str(
        "\n## OCDS compiled releases\n\nThe same file, one program after the other, twice. *Read* is reading, parsing and converting all of it \
         into the rows of six datasets; *loaded* is `lianjing sync` of it into an empty lake, raw copy, parties and commit included. \
         Cardinal's whole job is `ocdscardinal indicators` with its default settings. All use both cores.\n\n\
         | program | MB | seconds | processor s | peak MB |\n|---|---|---|---|---|\n",
    );
    let megabytes = std::fs::metadata(&file)?.len() as f64 / 1e6;
    let mut sums = [0.0; 3];
    for _ in 0..2 {
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("could not empty {}", data.display()))?;
        }
        run_command(
            Command::new(&lianjing)
                .args(["source", "add", "releases", "--kind", "ocds", "--set"])
                .arg(format!("path={}", file.display()))
                .arg("--data")
                .arg(&data),
        )?;
        let (_, read) = measured(Command::new(example("ocds_speed")).arg(&file).arg("2"))?;
        let (_, loaded) = measured(
            Command::new(&lianjing)
                .args(["sync", "releases", "--data"])
                .arg(&data),
        )?;
        let (_, theirs) = measured(Command::new(cardinal).arg("indicators").arg(&file))?;
        let all = [
            ("Lianjing, read", &read),
            ("Lianjing, loaded", &loaded),
            ("Cardinal", &theirs),
        ];
        for (sum, (name, of)) in sums.iter_mut().zip(all) {
            *sum += of.seconds;
            writeln!(
                report,
                "| {name} | {megabytes:.0} | {:.2} | {:.2} | {} |",
                of.seconds,
                of.cpu_seconds(),
                of.peak_megabytes
            )?;
        }
    }
    let [read, loaded, theirs] = sums;
    writeln!(
        report,
        "\nTime, ours to Cardinal's: read {:.2}, loaded {:.2}.",
        read / theirs,
        loaded / theirs
    )?;
    Ok(())
}

fn page(report: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "# Reading sources, measured\n\n\
         Written by `cargo xtask bench sources`; do not edit. On {cores} cores, in release builds, all on one machine.\n\n{report}"
    )
}
