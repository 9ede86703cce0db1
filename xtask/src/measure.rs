//! What a program costs: time, processor time and peak memory, which the standard library does not tell of a child.
//! Every benchmark starts what it measures through here.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{root, shown};

/// What a program used from its start to its end.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Usage {
    pub seconds: f64,
    pub user_seconds: f64,
    pub system_seconds: f64,
    /// Most memory at once, in MiB.
    pub peak_megabytes: u64,
}

impl Usage {
    /// Seconds of all processors together.
    pub fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }
}

/// The same program with the same arguments, under the script that leaves its usage in `report`.
pub fn under_script(python: &Path, report: &Path, program: &Command) -> Command {
    let mut measuring = Command::new(python);
    measuring
        .arg(root().join("xtask/py/measure.py"))
        .arg(report)
        .arg(program.get_program())
        .args(program.get_args());
    measuring
}

/// What the script left.
pub fn usage(report: &Path) -> Result<Usage> {
    let text =
        std::fs::read_to_string(report).with_context(|| format!("could not read {}", report.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what measure.py writes", report.display()))
}

/// Runs a program that prints lines of JSON among others, and gives those with what it used. `report` is written over.
pub fn json_lines(python: &Path, report: &Path, program: &Command) -> Result<(Vec<Value>, Usage)> {
    let mut measuring = under_script(python, report, program);
    let shown = shown(&measuring);
    eprintln!("xtask: {shown}");
    let out = measuring
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {shown}"))?;
    if !out.status.success() {
        bail!("{shown} ended with {}", out.status);
    }
    let text = String::from_utf8_lossy(&out.stdout);
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((lines, usage(report)?))
}
