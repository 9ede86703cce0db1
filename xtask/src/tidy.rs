//! The project checks its own shape: the borders that docs/ARCHITECTURE.md states as absences.

use std::path::Path;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

/// A dependency and the only packages that may name it.
const BORDERS: [(&str, &[&str]); 11] = [
    ("datafusion", &["lake", "collision"]),
    ("sqlx", &["lake", "alerts", "schedule", "database"]),
    ("arrow-odbc", &["database"]),
    ("petgraph", &["graph"]),
    ("tonic", &["proto", "gateway", "lianjing", "remote"]),
    ("calamine", &["files"]),
    ("graph", &["collision"]),
    ("lake", &["ingest", "collision", "lianjing"]),
    ("alerts", &["lianjing"]),
    ("schedule", &["lianjing"]),
    ("generate", &["lianjing"]),
];

/// Lines after which a file wants splitting.
const FILE_LINES_MAX: usize = 900;

pub fn check(root: &Path) -> Result<()> {
    let mut problems = Vec::new();
    for folder in ["proto", "services", "connectors", "integration-tests", "xtask"] {
        for entry in WalkDir::new(root.join(folder)).sort_by_file_name() {
            let entry = entry?;
            let path = entry.path();
            let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
            let name = entry.file_name().to_string_lossy();
            if name == "Cargo.toml" {
                manifest(path, &shown, &mut problems)?;
            } else if name.ends_with(".rs") {
                source(path, &shown, &mut problems)?;
            }
        }
    }
    rules(root, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    bail!(
        "tidy found {} problems:\n  {}",
        problems.len(),
        problems.join("\n  ")
    );
}

fn manifest(path: &Path, shown: &str, problems: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {shown}"))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("could not parse {shown}"))?;
    let package = manifest["package"]["name"].as_str().unwrap_or_default();
    // A test may hold a real engine beside the thing it tests; only what ships is judged.
    let Some(dependencies) = manifest.get("dependencies").and_then(|d| d.as_table()) else {
        return Ok(());
    };
    for (dependency, allowed) in BORDERS {
        if dependencies.contains_key(dependency) && !allowed.contains(&package) {
            problems.push(format!(
                "{shown}: {package} must not depend on {dependency} (only {allowed:?} may)"
            ));
        }
    }
    Ok(())
}

fn source(path: &Path, shown: &str, problems: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {shown}"))?;
    if !text.starts_with("//!") {
        problems.push(format!(
            "{shown}:1: does not open with a `//!` line that says why the file exists"
        ));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        problems.push(format!(
            "{shown}: {lines} lines, more than {FILE_LINES_MAX}: split it by concern"
        ));
    }
    for (number, line) in text.lines().enumerate() {
        // Written in two parts, so that this file does not find itself.
        for marker in [concat!("FIX", "ME"), concat!("XX", "X:"), concat!("#[ign", "ore")] {
            if line.contains(marker) {
                problems.push(format!(
                    "{shown}:{}: {marker} has no place in the sources",
                    number + 1
                ));
            }
        }
    }
    Ok(())
}

/// Each rule is exactly two files: NAME.sql and NAME.test.yaml.
fn rules(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    for entry in WalkDir::new(root.join("queries/rules")).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy();
        let partner = if let Some(stem) = name.strip_suffix(".test.yaml") {
            path.with_file_name(format!("{stem}.sql"))
        } else if let Some(stem) = name.strip_suffix(".sql") {
            path.with_file_name(format!("{stem}.test.yaml"))
        } else {
            continue;
        };
        if !partner.exists() {
            problems.push(format!(
                "{}: {} is missing beside it",
                path.display(),
                partner.display()
            ));
        }
    }
    Ok(())
}
