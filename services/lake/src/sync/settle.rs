//! Which quarantined rows of earlier commits a sync settles: their raw batch was read again, so that each of its rows is
//! now in the lake or in quarantine anew; or, where a source is read with overlap, the very record was rejected anew.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use xxhash_rust::xxh3::Xxh3;

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

/// What a commit read, as far as the quarantine is concerned.
pub struct Read<'a> {
    pub source: &'a str,
    pub settles: Settles,
    /// Raw batches.
    pub batches: &'a HashSet<Arc<str>>,
    /// [`record_hash`]es of rejected rows that take the place of equal ones.
    pub records: &'a HashSet<u128>,
    /// Number of the run's first commit: what it says of batches is not said of its own rows.
    pub before: i64,
}

/// Stands for a rejected record, whatever raw batch it came in; none where a file was refused as a whole.
pub fn record_hash(dataset: &str, raw: &[u8]) -> Option<u128> {
    if raw.is_empty() {
        return None;
    }
    let mut hash = Xxh3::new();
    hash.update(dataset.as_bytes());
    hash.update(&[0]);
    hash.update(raw);
    Some(hash.digest128())
}

/// Delete files for the quarantined rows that are settled.
pub fn settle(
    table: &TableInfo,
    folder: &Path,
    read: &Read<'_>,
    unkept: &mut Unkept,
) -> Result<Vec<NewDelete>> {
    let mut deletes = Vec::new();
    let by_batch = match read.settles {
        Settles::Nothing => false,
        Settles::Batches => !read.batches.is_empty(),
        Settles::Source => true,
    };
    if !by_batch && read.records.is_empty() {
        return Ok(deletes);
    }
    let mut columns = vec!["sync_id", "source", "batch"];
    if !read.records.is_empty() {
        columns.extend(["dataset", "raw"]);
    }
    for file in &table.files {
        let mut gone: BTreeSet<u32> = match &file.delete {
            Some(delete) => read_deletes(&delete.path)?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        let known = gone.len();
        read_columns(&file.path, &columns, |first, rows| {
            let column = |name: &str| {
                rows.column_by_name(name)
                    .map(|c| c.as_string::<i32>())
                    .ok_or_else(|| LakeError::Unreadable {
                        what: format!("{} lacks column {name}", file.path.display()),
                    })
            };
            let (ids, sources, digests) = (column("sync_id")?, column("source")?, column("batch")?);
            let records = match read.records.is_empty() {
                true => None,
                false => Some((
                    column("dataset")?,
                    rows.column_by_name("raw")
                        .map(|c| c.as_binary::<i32>())
                        .ok_or_else(|| LakeError::Unreadable {
                            what: format!("{} lacks column raw", file.path.display()),
                        })?,
                )),
            };
            for row in 0..ids.len() {
                let number: i64 = ids.value(row).trim_start_matches('S').parse().unwrap_or(i64::MAX);
                let is_read_again = || match read.settles {
                    Settles::Nothing => false,
                    Settles::Batches => number < read.before && read.batches.contains(digests.value(row)),
                    Settles::Source => number < read.before,
                };
                let is_rejected_again = || {
                    let record = records
                        .as_ref()
                        .and_then(|(datasets, raw)| record_hash(datasets.value(row), raw.value(row)));
                    record.is_some_and(|hash| read.records.contains(&hash))
                };
                let settled = sources.value(row) == read.source && (is_read_again() || is_rejected_again());
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
