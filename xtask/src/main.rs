//! The project's chores. `cargo xtask test` and `cargo xtask demo` do all of their own set-up, so that a
//! newcomer types one command on a fresh machine.

mod bench;
mod bench_matching;
mod bench_score;
mod bench_sources;
mod measure;
mod setup;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

/// What a bare machine cannot link, and the tests' set-up installs.
const ODBC: &str = "database/odbc";

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Chores of the Lianjing project",
    disable_version_flag = true
)]
struct Args {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need (PostgreSQL, MariaDB, unixODBC, Python packages), then run every test.
    Test {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
    /// Build, then show a synthetic province: synced, collided, alerts printed, server on 127.0.0.1:7070.
    Demo {
        /// Arguments for `lianjing demo`, e.g. `-- --orders 200000 --no-serve`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Measure speed and memory beside DuckDB in one run; writes docs/benchmarks.md.
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        #[command(subcommand)]
        of: Option<BenchOf>,
        #[command(flatten)]
        args: bench::Args,
    },
    /// Check the project's own shape: who depends on whom, file headers, file lengths.
    Tidy,
    /// Format and lint, warnings as errors.
    Lint,
}

/// What else can be measured.
#[derive(Subcommand)]
enum BenchOf {
    /// Accuracy and speed of matching beside Splink; writes docs/benchmarks-matching.md.
    Matching(bench_matching::Args),
    /// What was planted against what was found, for several sizes and seeds.
    Score(bench_score::Args),
    /// Speed of reading PostgreSQL, a platform's pages and OCDS beside Cardinal; writes docs/benchmarks-sources.md.
    Sources(bench_sources::Args),
}

fn main() -> Result<()> {
    let root = root();
    match Args::parse().command {
        Chore::Test { filter } => test(&root, filter.as_deref()),
        Chore::Demo { rest } => demo(&root, &rest),
        Chore::Bench { of: None, args } => bench::run(args),
        Chore::Bench {
            of: Some(BenchOf::Matching(args)),
            ..
        } => bench_matching::run(args),
        Chore::Bench {
            of: Some(BenchOf::Score(args)),
            ..
        } => bench_score::run(args),
        Chore::Bench {
            of: Some(BenchOf::Sources(args)),
            ..
        } => bench_sources::run(args),
        Chore::Tidy => tidy::check(&root),
        Chore::Lint => lint(&root),
    }
}

/// The checkout's top folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_owned()
}

/// Where cargo puts its output, and we our set-up.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a command in the checkout; an exit status other than 0 is an error that shows the command.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    eprintln!("xtask: {shown}");
    let status = command
        .status()
        .with_context(|| format!("could not start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// A command as one would type it, without the environment it is given.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Cargo as a newcomer would call it. What `cargo run` says of this package is taken away: some build scripts
/// look at it, and everything above them would be built anew for each way of calling.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(told) {
            command.env_remove(name);
        }
    }
    command
}

fn test(root: &Path, filter: Option<&str>) -> Result<()> {
    tidy::check(root)?;
    let postgres = setup::postgres()?;
    setup::databases()?;
    let python = setup::python(&target_dir())?;
    // Everything at once: building packages one by one would compile the engine again for each set of
    // features. Integration tests start the binary as a process of its own.
    run(cargo().args([
        "build",
        "--locked",
        "--workspace",
        "--all-targets",
        "--features",
        ODBC,
    ]))?;
    let mut command = cargo();
    command
        .args([
            "test",
            "--locked",
            "--workspace",
            "--no-fail-fast",
            "--features",
            ODBC,
        ])
        .env("LIANJING_POSTGRES_BIN", postgres)
        .env("LIANJING_PYTHON", python);
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    run(&mut command)
}

fn demo(root: &Path, rest: &[String]) -> Result<()> {
    if !target_dir().join("debug").join("lianjing").exists() {
        eprintln!("xtask: building the program; the first time takes 10 to 15 minutes on two cores");
    }
    run(cargo().args(["build", "--locked", "--package", "lianjing"]))?;
    let binary = target_dir().join("debug").join("lianjing");
    run(Command::new(binary).current_dir(root).arg("demo").args(rest))
}

fn lint(root: &Path) -> Result<()> {
    tidy::check(root)?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--features",
        ODBC,
        "--",
        "-D",
        "warnings",
    ]))
}
