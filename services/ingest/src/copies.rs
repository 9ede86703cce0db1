//! Kept raw batches laid out as files again, so that a connector can read what was quarantined once more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Component, Path, PathBuf};

use domain::ports::SyncReport;
use tempfile::TempDir;

use crate::error::{IngestError, Result};
use crate::host::Host;

/// Lays the raw batches of these places out under the names they had, in as many folders as one name had contents.
pub(crate) async fn lay_out(
    host: &Host,
    source: &str,
    places: &HashSet<(String, u64)>,
    head: i64,
) -> Result<Vec<TempDir>> {
    let names = host
        .lake
        .batch_names(source.to_owned(), head)
        .await
        .map_err(Host::in_lake(source))?;
    let digests: BTreeSet<&str> = places.iter().map(|(digest, _)| digest.as_str()).collect();
    let mut by_name: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for digest in digests {
        let kept = names.get(digest).and_then(|name| inside(name));
        if let (Some(name), Some(path)) = (kept, host.lake.raw_path(digest)) {
            by_name.entry(name).or_default().push(path);
        }
    }
    let rounds = by_name.values().map(Vec::len).max().unwrap_or(0);
    let failed = |e| IngestError::Copies {
        source_name: source.to_owned(),
        source: e,
    };
    let mut folders = Vec::new();
    for round in 0..rounds {
        // In the data directory, so that a link does instead of a copy.
        let folder = tempfile::Builder::new()
            .prefix("redrive-")
            .tempdir_in(host.lake.root())
            .map_err(failed)?;
        for (name, paths) in &by_name {
            if let Some(path) = paths.get(round) {
                place(path, &folder.path().join(name)).map_err(failed)?;
            }
        }
        folders.push(folder);
    }
    Ok(folders)
}

fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(drop))
}

/// The name as a path that stays inside of the folder it is joined to.
fn inside(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    (plain && !name.is_empty()).then(|| path.to_owned())
}

/// Adds a report up with those before it.
pub(crate) fn add(sum: &mut SyncReport, one: SyncReport) {
    sum.snapshot = sum.snapshot.max(one.snapshot);
    sum.elapsed_ms += one.elapsed_ms;
    sum.bytes += one.bytes;
    sum.notices.extend(one.notices);
    sum.quarantine_sample.extend(one.quarantine_sample);
    for counts in one.datasets {
        match sum.datasets.iter_mut().find(|d| d.dataset == counts.dataset) {
            None => sum.datasets.push(counts),
            Some(total) => {
                total.read += counts.read;
                total.inserted += counts.inserted;
                total.updated += counts.updated;
                total.unchanged += counts.unchanged;
                total.quarantined += counts.quarantined;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_outside_are_left_out() {
        assert_eq!(inside("2024/a.csv"), Some(PathBuf::from("2024/a.csv")));
        for wrong in ["", "../a.csv", "/etc/passwd", "a/../../b"] {
            assert_eq!(inside(wrong), None, "{wrong}");
        }
    }
}
