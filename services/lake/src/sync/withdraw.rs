//! Rows that are gone at their source: they leave the table, and `_withdrawn` keeps that they were there.

use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use domain::sources::ReconciledDataset;

use super::dataset::{DatasetSync, Provenance};
use crate::error::{LakeError, Result, arrow_doing};
use crate::hash::key_hashes;
use crate::index::Place;
use crate::parquet_file::{read_columns, read_deletes};
use crate::shape::{BATCH, HASH, ROW, SOURCE, Shape, WITHDRAWN};

/// Rows of `_withdrawn` on their way to a file.
#[derive(Default)]
pub struct Withdrawn {
    /// Dataset, key (JSON), batch.
    texts: [StringBuilder; 3],
    row: Int64Builder,
    hash: Int64Builder,
    rows: usize,
}

impl Withdrawn {
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub fn take(mut self, sync_id: &str, provenance: &Provenance) -> Result<(Shape, RecordBatch)> {
        let shape = Shape::of(WITHDRAWN).ok_or_else(|| LakeError::NoTable {
            table: WITHDRAWN.to_owned(),
        })?;
        let constant = |text: &str| -> ArrayRef {
            std::sync::Arc::new(arrow::array::StringArray::from_iter_values(std::iter::repeat_n(
                text, self.rows,
            )))
        };
        let [dataset, key, batch] = &mut self.texts;
        let columns: Vec<ArrayRef> = vec![
            constant(sync_id),
            constant(&provenance.source),
            std::sync::Arc::new(dataset.finish()),
            std::sync::Arc::new(key.finish()),
            std::sync::Arc::new(batch.finish()),
            std::sync::Arc::new(self.row.finish()),
            std::sync::Arc::new(self.hash.finish()),
            std::sync::Arc::new(TimestampMicrosecondArray::from_value(
                provenance.synced_at,
                self.rows,
            )),
        ];
        let batch = RecordBatch::try_new(shape.stored_schema(), columns)
            .map_err(arrow_doing("list withdrawn rows"))?;
        Ok((shape, batch))
    }

    fn add(&mut self, dataset: &str, key: &str, batch: &str, row: i64, hash: i64) {
        let [datasets, keys, batches] = &mut self.texts;
        datasets.append_value(dataset);
        keys.append_value(key);
        batches.append_value(batch);
        self.row.append_value(row);
        self.hash.append_value(hash);
        self.rows += 1;
    }
}

/// Takes out the source's rows whose keys are not among `keep`.
pub fn withdraw(
    dataset: &mut DatasetSync,
    source: &str,
    keep: &HashSet<u128>,
    withdrawn: &mut Withdrawn,
) -> Result<ReconciledDataset> {
    let mut report = ReconciledDataset {
        dataset: dataset.dataset.name.clone(),
        at_source: keep.len() as u64,
        ..Default::default()
    };
    let Some(table) = dataset.table.clone() else {
        return Ok(report);
    };
    let model = dataset.dataset.clone();
    let mut wanted: Vec<&str> = model.key.iter().map(String::as_str).collect();
    wanted.extend([SOURCE, BATCH, ROW, HASH]);
    for (slot, file) in (0u32..).zip(&table.files) {
        let gone = match &file.delete {
            Some(delete) => read_deletes(&delete.path)?,
            None => Vec::new(),
        };
        read_columns(&file.path, &wanted, |first, rows| {
            let column = |name: &str| {
                rows.column_by_name(name).ok_or_else(|| LakeError::Unreadable {
                    what: format!("{} lacks column {name}", file.path.display()),
                })
            };
            let key = model.key.iter().map(|k| column(k)).collect::<Result<Vec<_>>>()?;
            let hashes = key_hashes(&model.name, &key, rows.num_rows())?;
            let (sources, batches) = (
                column(SOURCE)?.as_string::<i32>(),
                column(BATCH)?.as_string::<i32>(),
            );
            let (places, contents) = (
                column(ROW)?.as_primitive::<Int64Type>(),
                column(HASH)?.as_primitive::<Int64Type>(),
            );
            for (row, hash) in hashes.iter().enumerate() {
                let pos = u32::try_from(first + row as u64).map_err(|_| LakeError::FileTooLong {
                    dataset: model.name.clone(),
                })?;
                if sources.value(row) != source || gone.binary_search(&pos).is_ok() {
                    continue;
                }
                report.in_lake += 1;
                if keep.contains(hash) {
                    continue;
                }
                report.withdrawn += 1;
                dataset.gone.insert(Place { file: slot, pos });
                let text = key_text(&model.key, &key, row)?;
                withdrawn.add(
                    &model.name,
                    &text,
                    batches.value(row),
                    places.value(row),
                    contents.value(row),
                );
            }
            Ok(())
        })?;
    }
    dataset.withdrawn = report.withdrawn;
    Ok(report)
}

/// The key as a JSON object of texts, in the key's order.
fn key_text(names: &[String], columns: &[&ArrayRef], row: usize) -> Result<String> {
    let mut object = serde_json::Map::new();
    for (name, column) in names.iter().zip(columns) {
        let text = arrow::util::display::array_value_to_string(column.as_ref(), row)
            .map_err(arrow_doing("write a key"))?;
        object.insert(name.clone(), text.into());
    }
    Ok(serde_json::Value::Object(object).to_string())
}
