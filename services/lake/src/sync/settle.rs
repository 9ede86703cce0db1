//! Which quarantined rows of earlier syncs a sync settles: their raw batch was read again, so that each of its rows is
//! now in the lake or in quarantine anew.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};

use super::lanes::Unkept;
use crate::catalogue::{DeleteTarget, NewDelete, TableInfo};
use crate::error::{LakeError, Result};
use crate::parquet_file::{new_name, read_columns, read_deletes, write_deletes};

/// Which quarantined rows a sync takes the place of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Settles {
    #[default]
    Nothing,
    /// Those of the raw batches that it reads.
    Batches,
    /// All of its source: it reads everything the source holds.
    Source,
}

/// Delete files for the quarantined rows that are settled. `before` is the number of the run's first commit: rows of
/// the run itself stay.
pub fn settle(
    table: &TableInfo,
    folder: &Path,
    source: &str,
    settles: Settles,
    batches: &HashSet<Arc<str>>,
    before: i64,
    unkept: &mut Unkept,
) -> Result<Vec<NewDelete>> {
    let mut deletes = Vec::new();
    if settles == Settles::Nothing || (settles == Settles::Batches && batches.is_empty()) {
        return Ok(deletes);
    }
    for file in &table.files {
        let mut gone: BTreeSet<u32> = match &file.delete {
            Some(delete) => read_deletes(&delete.path)?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        let known = gone.len();
        read_columns(&file.path, &["sync_id", "source", "batch"], |first, rows| {
            let column = |name: &str| {
                rows.column_by_name(name)
                    .map(|c| c.as_string::<i32>())
                    .ok_or_else(|| LakeError::Unreadable {
                        what: format!("{} lacks column {name}", file.path.display()),
                    })
            };
            let (ids, sources, digests) = (column("sync_id")?, column("source")?, column("batch")?);
            for row in 0..ids.len() {
                let number: i64 = ids.value(row).trim_start_matches('S').parse().unwrap_or(i64::MAX);
                let settled = sources.value(row) == source
                    && number < before
                    && (settles == Settles::Source || batches.contains(digests.value(row)));
                if settled && let Ok(position) = u32::try_from(first + row as u64) {
                    gone.insert(position);
                }
            }
            Ok(())
        })?;
        if gone.len() == known {
            continue;
        }
        let positions: Vec<u32> = gone.into_iter().collect();
        let name = new_name("delete");
        let path = folder.join(&name);
        unkept.add(path.clone());
        let data_name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let (size_bytes, footer_size) = write_deletes(&path, &data_name, &positions)?;
        deletes.push(NewDelete {
            target: DeleteTarget::Existing(file.data_file_id),
            name,
            delete_count: positions.len() as u64,
            size_bytes,
            footer_size,
        });
    }
    Ok(deletes)
}
