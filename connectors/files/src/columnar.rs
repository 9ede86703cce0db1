//! Parquet files, read row group by row group.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use connector::coerce::Cell;
use connector::coerce::date::DAY;
use connector::columns::moment_text;
use connector::plan::{Assembler, Record};
use connector::{RawBatch, ReadRequest, Reason};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::FilesError;
use crate::file_table::FileTable;
use crate::sink::{Place, Sink};

/// Rows that are decoded at a time.
const DECODE_ROWS: usize = 8192;

/// Reads a kept Parquet file. Doubles are rounded half even to the column's scale, by their shortest text.
pub fn read(
    kind: &FileTable<'_>,
    raw: &RawBatch,
    place: &Place,
    request: &ReadRequest,
    sink: &Sink,
) -> Result<(), FilesError> {
    let file = File::open(&raw.path).map_err(|source| FilesError::Read {
        path: place.file.to_string(),
        source,
    })?;
    if raw.bytes == 0 {
        return sink.send(place.refused(Reason::EmptyFile, String::new()));
    }
    let opened = guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(ArrowError::from)?;
        builder
            .with_batch_size(DECODE_ROWS)
            .build()
            .map_err(ArrowError::from)
    });
    let mut batches = match opened {
        Ok(batches) => batches,
        Err(detail) => return sink.send(place.refused(Reason::DamagedFile, detail)),
    };
    let schema = arrow::array::RecordBatchReader::schema(&batches);
    let header: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let layout = match kind.layout(&header, &place.file) {
        Ok(layout) => layout,
        Err((reason, detail)) => return sink.send(place.refused(reason, detail)),
    };
    sink.notices(layout.notices.clone())?;
    let mut assembler = Assembler::new(layout.plan.clone(), place.batch.clone());
    let assemble = |source| FilesError::Assemble {
        name: place.file.to_string(),
        source,
    };
    let mut position = 0;
    loop {
        let next = guarded(|| match batches.next() {
            Some(batch) => batch.and_then(|b| Columns::new(&b)).map(Some),
            None => Ok(None),
        });
        let columns = match next {
            Ok(Some(columns)) => columns,
            Ok(None) => break,
            Err(detail) => {
                sink.rows(assembler.take().map_err(assemble)?)?;
                return sink.send(place.refused(Reason::DamagedFile, detail));
            }
        };
        for row in 0..columns.rows {
            position += 1;
            let record = ColumnsRow {
                columns: &columns,
                row,
            };
            if let Err(bad) = assembler.push(&record, position) {
                let raw = record.as_json(&header);
                sink.send(place.rejected(position, Some(bad.field), bad.reason, bad.detail, raw.as_bytes()))?;
            }
            if assembler.is_full(request.batch_rows) {
                sink.rows(assembler.take().map_err(assemble)?)?;
            }
        }
    }
    sink.rows(assembler.take().map_err(assemble)?)?;
    sink.notices(assembler.take_notices(&place.file))
}

/// Damaged files must not end the program, whatever the library makes of them.
fn guarded<T>(work: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the file could not be made out".to_owned()),
    }
}

/// A batch with its columns in the few types that cells are made of.
struct Columns {
    rows: usize,
    columns: Vec<Typed>,
}

enum Typed {
    Text(StringArray),
    /// Whole and decimal numbers, as text.
    Exact(StringArray),
    Float(Float64Array),
    Float32(Float32Array),
    Bool(BooleanArray),
    Date(Date32Array),
    /// Without a zone.
    Local(TimestampMicrosecondArray),
    Instant(TimestampMicrosecondArray),
    /// Lists, structs and other things that are no value; only their nulls matter.
    Other(ArrayRef),
}

impl Columns {
    fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let columns = batch.columns().iter().map(Typed::new).collect::<Result<_, _>>()?;
        Ok(Self {
            rows: batch.num_rows(),
            columns,
        })
    }
}

impl Typed {
    fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let array = match array.data_type() {
            DataType::Dictionary(_, values) => &cast(array, values)?,
            _ => array,
        };
        let micros = |zone| DataType::Timestamp(TimeUnit::Microsecond, zone);
        Ok(match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Self::Text(down(&cast(array, &DataType::Utf8)?)?)
            }
            t if t.is_integer() || t.is_decimal() => Self::Exact(down(&cast(array, &DataType::Utf8)?)?),
            DataType::Float64 => Self::Float(down(array)?),
            DataType::Float32 | DataType::Float16 => Self::Float32(down(&cast(array, &DataType::Float32)?)?),
            DataType::Boolean => Self::Bool(down(array)?),
            DataType::Date32 | DataType::Date64 => Self::Date(down(&cast(array, &DataType::Date32)?)?),
            DataType::Timestamp(_, None) => Self::Local(down(&cast(array, &micros(None))?)?),
            DataType::Timestamp(_, Some(zone)) => {
                Self::Instant(down(&cast(array, &micros(Some(zone.clone())))?)?)
            }
            _ => Self::Other(array.clone()),
        })
    }
}

fn down<T: Array + Clone + 'static>(array: &ArrayRef) -> Result<T, ArrowError> {
    let typed = array.as_any().downcast_ref::<T>().cloned();
    typed.ok_or_else(|| ArrowError::CastError(format!("unexpected {}", array.data_type())))
}

struct ColumnsRow<'a> {
    columns: &'a Columns,
    row: usize,
}

impl Record for ColumnsRow<'_> {
    fn cell<'s>(&'s self, index: usize, scratch: &'s mut String) -> Cell<'s> {
        use std::fmt::Write;
        let row = self.row;
        let number = |text: std::fmt::Arguments<'_>, is_finite: bool, scratch: &'s mut String| {
            // Writing to a string cannot fail.
            let _ = scratch.write_fmt(text);
            if is_finite {
                Cell::Number(scratch)
            } else {
                Cell::Broken(Reason::BadDecimal, scratch)
            }
        };
        match self.columns.columns.get(index) {
            Some(Typed::Text(a)) if a.is_valid(row) => Cell::Text(a.value(row)),
            Some(Typed::Exact(a)) if a.is_valid(row) => Cell::Number(a.value(row)),
            Some(Typed::Float(a)) if a.is_valid(row) => number(
                format_args!("{}", a.value(row)),
                a.value(row).is_finite(),
                scratch,
            ),
            Some(Typed::Float32(a)) if a.is_valid(row) => number(
                format_args!("{}", a.value(row)),
                a.value(row).is_finite(),
                scratch,
            ),
            Some(Typed::Bool(a)) if a.is_valid(row) => Cell::Bool(a.value(row)),
            Some(Typed::Date(a)) if a.is_valid(row) => {
                Cell::Local(i64::from(a.value(row)).saturating_mul(DAY))
            }
            Some(Typed::Local(a)) if a.is_valid(row) => Cell::Local(a.value(row)),
            Some(Typed::Instant(a)) if a.is_valid(row) => Cell::Instant(a.value(row)),
            Some(Typed::Other(a)) if a.is_valid(row) => Cell::Broken(Reason::NotAScalar, ""),
            _ => Cell::Empty,
        }
    }
}

impl ColumnsRow<'_> {
    /// The row as one line of JSON, for quarantine.
    fn as_json(&self, header: &[&str]) -> String {
        let members = header.iter().enumerate().filter_map(|(n, name)| {
            let mut scratch = String::new();
            let text = match self.cell(n, &mut scratch) {
                Cell::Empty => return None,
                Cell::Text(text) | Cell::Number(text) | Cell::SheetNumber(text) | Cell::Broken(_, text) => {
                    text.to_owned()
                }
                Cell::Local(micros) | Cell::Instant(micros) => moment_text(micros),
                Cell::Bool(value) => value.to_string(),
            };
            Some(((*name).to_owned(), serde_json::Value::String(text)))
        });
        serde_json::Value::Object(members.collect()).to_string()
    }
}
