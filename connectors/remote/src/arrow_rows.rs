//! An Arrow IPC stream with the columns of the data model as typed rows.
//!
//! Columns of the exact type of the data model are taken as they are; texts are read as pushed texts are, so that an
//! unreadable one rejects its row. Any other type breaks the protocol.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use connector::{Reason, RowBatch};
use domain::Dataset;

use crate::json_rows::{Bad, JsonRows};

/// Rows that were read, and those that could not be, with their positions.
pub struct ArrowRows {
    pub batches: Vec<RowBatch>,
    pub bad: Vec<(u64, Bad, String)>,
}

/// Reads a whole stream. `first` is the position of its first row.
pub fn read(dataset: &Arc<Dataset>, ipc: &[u8], batch: &Arc<str>, first: u64) -> Result<ArrowRows, String> {
    let reader =
        StreamReader::try_new(Cursor::new(ipc), None).map_err(|e| format!("no Arrow IPC stream: {e}"))?;
    let schema = reader.schema();
    if let Some(unknown) = schema
        .fields()
        .iter()
        .find(|f| dataset.column(f.name()).is_none())
    {
        return Err(format!(
            "column {:?} is no column of {}",
            unknown.name(),
            dataset.name
        ));
    }
    let mut rows = ArrowRows {
        batches: Vec::new(),
        bad: Vec::new(),
    };
    let mut position = first;
    for columns in reader {
        let columns = columns.map_err(|e| format!("a broken Arrow IPC stream: {e}"))?;
        let count = columns.num_rows() as u64;
        let exact = dataset.columns.iter().all(|c| {
            columns
                .column_by_name(&c.name)
                .is_none_or(|a| *a.data_type() == c.ty.arrow())
        });
        match exact {
            true => typed(dataset, &columns, batch, position, &mut rows)?,
            false => as_texts(dataset, &columns, batch, position, &mut rows)?,
        }
        position += count;
    }
    Ok(rows)
}

/// Columns as they are; those that are absent are null. Rows without a key are rejected.
fn typed(
    dataset: &Arc<Dataset>,
    columns: &RecordBatch,
    batch: &Arc<str>,
    first: u64,
    out: &mut ArrowRows,
) -> Result<(), String> {
    let len = columns.num_rows();
    let arrays: Vec<ArrayRef> = dataset
        .columns
        .iter()
        .map(|c| {
            columns
                .column_by_name(&c.name)
                .cloned()
                .unwrap_or_else(|| new_null_array(&c.ty.arrow(), len))
        })
        .collect();
    let key: Vec<(&String, usize)> = dataset
        .key
        .iter()
        .filter_map(|k| Some((k, dataset.column_index(k)?)))
        .collect();
    let missing = |row: usize| {
        key.iter()
            .find(|(_, place)| arrays[*place].is_null(row))
            .map(|(k, _)| *k)
    };
    let keep: BooleanArray = (0..len).map(|row| Some(missing(row).is_none())).collect();
    for row in (0..len).filter(|&row| !keep.value(row)) {
        let field = missing(row).map(|name| Arc::<str>::from(name.as_str()));
        let bad = (field, Reason::MissingKey, String::new());
        out.bad.push((first + row as u64, bad, row_text(columns, row)));
    }
    if keep.true_count() == 0 {
        return Ok(());
    }
    let kept = arrays
        .iter()
        .map(|array| filter(array, &keep))
        .collect::<Result<Vec<ArrayRef>, _>>()
        .and_then(|arrays| RecordBatch::try_new(dataset.schema(), arrays))
        .map_err(|e| e.to_string())?;
    let positions = (0..len)
        .filter(|&row| keep.value(row))
        .map(|row| first + row as u64);
    out.batches.push(RowBatch {
        dataset: dataset.clone(),
        batch: batch.clone(),
        columns: kept,
        positions: UInt64Array::from_iter_values(positions),
    });
    Ok(())
}

/// Rows by way of their texts.
fn as_texts(
    dataset: &Arc<Dataset>,
    columns: &RecordBatch,
    batch: &Arc<str>,
    first: u64,
    out: &mut ArrowRows,
) -> Result<(), String> {
    for (field, column) in columns.schema().fields().iter().zip(columns.columns()) {
        let wanted = dataset.column(field.name()).map(|c| c.ty.arrow());
        let found = column.data_type();
        let is_text = matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if !is_text && wanted.as_ref() != Some(found) {
            return Err(format!(
                "column {:?} of {} came as {found}; send it as {} or as text",
                field.name(),
                dataset.name,
                wanted.map(|w| w.to_string()).unwrap_or_default()
            ));
        }
    }
    let mut rows = JsonRows::new(dataset, batch.clone());
    for row in 0..columns.num_rows() {
        let text = row_text(columns, row);
        let position = first + row as u64;
        if let Err(bad) = rows.push(&text, position) {
            out.bad.push((position, bad, text));
        }
    }
    out.batches.extend(rows.take().map_err(|e| e.to_string())?);
    Ok(())
}

/// The row as one line of JSON: texts as texts, all else as it is shown.
fn row_text(columns: &RecordBatch, row: usize) -> String {
    let mut object = serde_json::Map::new();
    for (field, column) in columns.schema().fields().iter().zip(columns.columns()) {
        if column.is_null(row) {
            continue;
        }
        let value = match column.data_type() {
            DataType::Boolean => column.as_boolean().value(row).into(),
            _ => arrow::util::display::array_value_to_string(column.as_ref(), row)
                .unwrap_or_default()
                .into(),
        };
        object.insert(field.name().clone(), value);
    }
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};
    use arrow::ipc::writer::StreamWriter;

    use super::*;

    fn ipc(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn read_orders(columns: &[(&str, ArrayRef)]) -> Result<ArrowRows, String> {
        let dataset = domain::dataset("purchase_orders").unwrap();
        read(&dataset, &ipc(columns), &"b".into(), 5)
    }

    #[test]
    fn typed_columns_are_taken_and_rows_without_a_key_rejected() {
        let lines: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let rows = read_orders(&[("order_id", texts(&[Some("PO1"), None])), ("line_no", lines)]).unwrap();
        assert_eq!(rows.batches[0].columns.num_rows(), 1);
        assert_eq!(rows.batches[0].positions.values().to_vec(), [5]);
        assert_eq!((rows.bad[0].0, rows.bad[0].1.1), (6, Reason::MissingKey));
    }

    #[test]
    fn texts_are_read_like_pushed_rows() {
        let rows = read_orders(&[
            ("order_id", texts(&[Some("PO1"), Some("PO2")])),
            ("line_no", texts(&[Some("1"), Some("1")])),
            ("amount", texts(&[Some("12.50"), Some("many")])),
        ])
        .unwrap();
        assert_eq!(rows.batches[0].columns.num_rows(), 1);
        assert_eq!((rows.bad[0].0, rows.bad[0].1.1), (6, Reason::BadDecimal));
    }

    #[test]
    fn what_is_no_column_or_of_another_type_breaks_the_protocol() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let id = ("order_id", texts(&[Some("PO1")]));
        let told = |columns: &[(&str, ArrayRef)]| read_orders(columns).err().unwrap();
        assert!(told(&[id.clone(), ("colour", texts(&[None]))]).contains("colour"));
        assert!(told(&[id, ("amount", numbers)]).contains("amount"));
        let dataset = domain::dataset("purchase_orders").unwrap();
        assert!(read(&dataset, b"nonsense", &"b".into(), 1).is_err());
    }
}
