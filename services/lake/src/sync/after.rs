//! Rows of a dataset as they are after a sync that is not committed yet: what resolution needs of registers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use super::finish::Finished;
use crate::catalogue::DeleteTarget;
use crate::error::Result;
use crate::parquet_file::{read_columns, read_deletes};

/// See [`super::Prepared::rows`].
pub fn rows(
    finished: &Finished,
    tables_folder: &Path,
    dataset: &str,
    columns: &[&str],
) -> Result<Vec<Vec<Option<String>>>> {
    let folder = tables_folder.join(dataset);
    let change = finished.changes.iter().find(|c| c.shape.table == dataset);
    let new_delete = |target: DeleteTarget| -> Option<PathBuf> {
        let delete = change?.delete.iter().find(|d| d.target == target)?;
        Some(folder.join(&delete.name))
    };
    let mut out = Vec::new();
    if let Some(table) = finished.tables.get(dataset) {
        let ended: HashSet<i64> = change.iter().flat_map(|c| c.end.iter().copied()).collect();
        for file in table.files.iter().filter(|f| !ended.contains(&f.data_file_id)) {
            let old = file.delete.as_ref().map(|d| d.path.clone());
            let gone = new_delete(DeleteTarget::Existing(file.data_file_id)).or(old);
            read_file(&file.path, gone.as_deref(), columns, &mut out)?;
        }
    }
    for (place, file) in change.iter().flat_map(|c| c.add.iter().enumerate()) {
        let gone = new_delete(DeleteTarget::Added(place));
        read_file(&folder.join(&file.name), gone.as_deref(), columns, &mut out)?;
    }
    Ok(out)
}

fn read_file(
    path: &Path,
    gone: Option<&Path>,
    columns: &[&str],
    out: &mut Vec<Vec<Option<String>>>,
) -> Result<()> {
    let gone = gone.map(read_deletes).transpose()?.unwrap_or_default();
    read_columns(path, columns, |first, batch| {
        let found: Vec<_> = columns.iter().map(|name| batch.column_by_name(name)).collect();
        for (position, row) in (first..).zip(0..batch.num_rows()) {
            if u32::try_from(position).is_ok_and(|p| gone.binary_search(&p).is_ok()) {
                continue;
            }
            let cell = |column: &Option<&arrow::array::ArrayRef>| {
                let column = column.filter(|c| c.is_valid(row))?;
                match column.data_type() {
                    DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row).to_string()),
                    DataType::Utf8 => Some(column.as_string::<i32>().value(row).to_owned()),
                    _ => None,
                }
            };
            out.push(found.iter().map(cell).collect());
        }
        Ok(())
    })
}
