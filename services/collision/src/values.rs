//! Between Arrow's columns and [`Value`]s: what leaves the engine, and keys that go back in.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::{DataFusionError, Result};
use domain::Value;

/// The value of one cell. Decimals keep the places of their type.
pub fn value_at(array: &dyn Array, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let list = |items: std::sync::Arc<dyn Array>| {
        (0..items.len())
            .map(|n| value_at(items.as_ref(), n))
            .collect::<Result<Vec<_>>>()
            .map(Value::List)
    };
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::Int(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::Int(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::Int(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::Int(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let n = array.as_primitive::<UInt64Type>().value(row);
            i64::try_from(n).map_or_else(|_| Value::Text(n.to_string()), Value::Int)
        }
        DataType::Utf8 => Value::text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::text(array.as_string_view().value(row)),
        DataType::Decimal128(_, _) => {
            Value::Text(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Date32 => match array.as_primitive::<Date32Type>().value_as_date(row) {
            Some(date) => Value::Text(date.to_string()),
            None => return Err(out_of_range("date")),
        },
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            match array
                .as_primitive::<TimestampMicrosecondType>()
                .value_as_datetime(row)
            {
                Some(time) => Value::Text(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
                None => return Err(out_of_range("timestamp")),
            }
        }
        DataType::Timestamp(_, _) => {
            let micros = cast(
                &array.slice(row, 1),
                &DataType::Timestamp(TimeUnit::Microsecond, None),
            )?;
            value_at(micros.as_ref(), 0)?
        }
        DataType::Dictionary(_, values) => value_at(cast(&array.slice(row, 1), values)?.as_ref(), 0)?,
        DataType::List(_) => list(array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(_, _) => list(array.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let map = fields
                .iter()
                .zip(columns.columns())
                .map(|(f, column)| Ok((f.name().clone(), value_at(column.as_ref(), row)?)))
                .collect::<Result<BTreeMap<_, _>>>()?;
            Value::Map(map)
        }
        _ => Value::Text(
            ArrayFormatter::try_new(array, &FormatOptions::default())?
                .value(row)
                .try_to_string()?,
        ),
    })
}

fn out_of_range(what: &str) -> DataFusionError {
    DataFusionError::Execution(format!("a {what} is outside the calendar"))
}

/// Whether a type is, or holds, a binary float.
pub fn has_float(ty: &DataType) -> bool {
    match ty {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            has_float(f.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|f| has_float(f.data_type())),
        ty => ty.is_floating(),
    }
}
