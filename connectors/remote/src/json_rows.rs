//! JSON objects by English column names as typed rows and keys.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use connector::coerce::date::Zone;
use connector::json::{JsonFields, UnknownPaths, Use};
use connector::plan::{Assembler, ColumnPlan, Plan};
use connector::{Reason, RowBatch};
use domain::Dataset;

/// A row that cannot be read: column, reason, what was found.
pub type Bad = (Option<Arc<str>>, Reason, String);

/// Reads the rows of one dataset, strictly: any member that is no column of it rejects the row.
pub struct JsonRows {
    fields: JsonFields,
    assembler: Assembler,
}

impl JsonRows {
    /// Of rows that come from the raw batch `batch`.
    pub fn new(dataset: &Arc<Dataset>, batch: Arc<str>) -> Self {
        let mut fields = JsonFields::default();
        for (index, column) in dataset.columns.iter().enumerate() {
            fields.exact(&column.name, Use::Cell(index));
        }
        let plan = Plan {
            dataset: dataset.clone(),
            columns: (0..dataset.columns.len()).map(ColumnPlan::cell).collect(),
            zone: Zone::CHINA,
        };
        Self {
            fields,
            assembler: Assembler::new(Arc::new(plan), batch),
        }
    }

    pub fn push(&mut self, row: &str, position: u64) -> Result<(), Bad> {
        let mut unknown = UnknownPaths::default();
        let record = self
            .fields
            .record(row, &mut unknown)
            .map_err(|(reason, detail)| (None, reason, detail))?;
        if let Some((path, _)) = unknown.iter().next() {
            return Err((None, Reason::UnknownField, path.to_owned()));
        }
        self.assembler
            .push(&record, position)
            .map_err(|bad| (Some(bad.field), bad.reason, bad.detail))
    }

    pub fn take(&mut self) -> Result<Option<RowBatch>, arrow::error::ArrowError> {
        self.assembler.take()
    }
}

/// Keys as the host compares them: the dataset's key columns in its order.
pub fn keys(dataset: &Arc<Dataset>, objects: &[String]) -> Result<RecordBatch, String> {
    // A key is read as a row of which only the key is known, so that it is typed by the same rules.
    let mut rows = JsonRows::new(dataset, "".into());
    for (position, object) in (1..).zip(objects) {
        rows.push(object, position)
            .map_err(|(field, reason, detail)| format!("{field:?} {} {detail}", reason.code()))?;
    }
    let places: Vec<usize> = dataset
        .key
        .iter()
        .filter_map(|k| dataset.column_index(k))
        .collect();
    match rows.take().map_err(|e| e.to_string())? {
        Some(batch) => batch.columns.project(&places).map_err(|e| e.to_string()),
        None => {
            let schema = dataset.schema();
            let schema: Schema = schema.project(&places).map_err(|e| e.to_string())?;
            Ok(RecordBatch::new_empty(Arc::new(schema)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_typed_and_may_be_none() {
        let dataset = domain::dataset("products").unwrap();
        let found = keys(&dataset, &["{\"product_id\": \"p1\"}".into()]).unwrap();
        assert_eq!((found.num_rows(), found.num_columns()), (1, 1));
        assert_eq!(keys(&dataset, &[]).unwrap().schema(), found.schema());
        assert!(
            keys(&dataset, &["{\"product\": 1}".into()])
                .unwrap_err()
                .contains("UNKNOWN_FIELD")
        );
        assert!(keys(&dataset, &["{}".into()]).is_err());
    }
}
