//! Hashes of rows: of their content (has it changed?), of their key (which row is it?), and of a mention of
//! a party (whom does it speak of?).
//!
//! All are computed a column at a time, without allocating per row. They are stored, so they must never
//! change: xxh3 over typed canonical bytes.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

use crate::error::{LakeError, Result};

/// Odd, so that multiplying by it loses nothing.
const KEY_STEP: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

/// Calls `each(row, bytes)` for every row that is not null.
fn for_each_value(dataset: &str, array: &ArrayRef, mut each: impl FnMut(usize, &[u8])) -> Result<()> {
    macro_rules! walk {
        ($array:expr, $bytes:expr) => {{
            let array = $array;
            #[allow(
                clippy::redundant_closure_call,
                reason = "the closure is the macro's parameter"
            )]
            if array.null_count() == 0 {
                for row in 0..array.len() {
                    each(row, $bytes(array.value(row)).as_ref());
                }
            } else {
                for row in 0..array.len() {
                    if array.is_valid(row) {
                        each(row, $bytes(array.value(row)).as_ref());
                    }
                }
            }
        }};
    }
    match array.data_type() {
        DataType::Utf8 => walk!(array.as_string::<i32>(), |v| -> &str { v }),
        DataType::Date32 => walk!(array.as_primitive::<Date32Type>(), |v: i32| v.to_le_bytes()),
        DataType::Timestamp(_, _) => {
            walk!(array.as_primitive::<TimestampMicrosecondType>(), |v: i64| v
                .to_le_bytes())
        }
        DataType::Int64 => walk!(array.as_primitive::<Int64Type>(), |v: i64| v.to_le_bytes()),
        DataType::Decimal128(_, _) => {
            walk!(array.as_primitive::<Decimal128Type>(), |v: i128| v.to_le_bytes())
        }
        DataType::Boolean => walk!(array.as_boolean(), |v: bool| [u8::from(v)]),
        other => {
            return Err(LakeError::Batch {
                dataset: dataset.to_owned(),
                problem: format!("a column of type {other} cannot be hashed"),
            });
        }
    }
    Ok(())
}

/// The seed of a column: from its name, so that equal values in two columns differ and the order of columns
/// does not matter.
pub fn column_seed(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// Content hash of each row. Nulls add nothing, so a column that a later version of the data model adds
/// leaves the hashes of older rows as they were.
pub fn content_hashes(dataset: &str, columns: &[ArrayRef], seeds: &[u64], rows: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![0u64; rows];
    for (array, &seed) in columns.iter().zip(seeds) {
        for_each_value(dataset, array, |row, bytes| {
            hashes[row] = hashes[row].wrapping_add(xxh3_64_with_seed(bytes, seed));
        })?;
    }
    Ok(hashes)
}

/// 128-bit hash of each row's key columns, in the order of the key.
pub fn key_hashes(dataset: &str, key: &[&ArrayRef], rows: usize) -> Result<Vec<u128>> {
    let mut hashes = vec![0u128; rows];
    for (place, array) in key.iter().enumerate() {
        if array.null_count() > 0 {
            return Err(LakeError::Batch {
                dataset: dataset.to_owned(),
                problem: "a key column holds a null".into(),
            });
        }
        for_each_value(dataset, array, |row, bytes| {
            let value = xxh3_128_with_seed(bytes, place as u64);
            hashes[row] = hashes[row].wrapping_mul(KEY_STEP).wrapping_add(value);
        })?;
    }
    Ok(hashes)
}

/// Hash of a mention: its kind, what it says, and for persons also where, so that two people without
/// documents are never the same by chance. `parts` are length-prefixed; `scratch` is reused.
pub fn reference(kind: &str, parts: &[Option<&str>], scratch: &mut Vec<u8>) -> i64 {
    scratch.clear();
    scratch.extend_from_slice(kind.as_bytes());
    for part in parts {
        match part {
            None => scratch.push(0),
            Some(text) => {
                scratch.push(1);
                scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
                scratch.extend_from_slice(text.as_bytes());
            }
        }
    }
    xxh3_64(scratch) as i64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Date32Array, Decimal128Array, Int64Array, StringArray};

    use super::*;

    fn check_content(columns: &[(&str, ArrayRef)]) -> Vec<u64> {
        let seeds: Vec<u64> = columns.iter().map(|(n, _)| column_seed(n)).collect();
        let arrays: Vec<ArrayRef> = columns.iter().map(|(_, a)| a.clone()).collect();
        content_hashes("t", &arrays, &seeds, arrays[0].len()).unwrap()
    }

    #[test]
    fn content_hashes_are_the_ones_already_stored_in_lakes() {
        let hashes = check_content(&[
            ("a", Arc::new(StringArray::from(vec![Some("甲"), None]))),
            ("d", Arc::new(Date32Array::from(vec![19_000, 19_001]))),
            (
                "m",
                Arc::new(
                    Decimal128Array::from(vec![Some(1234), None])
                        .with_precision_and_scale(18, 2)
                        .unwrap(),
                ),
            ),
            ("b", Arc::new(BooleanArray::from(vec![true, false]))),
        ]);
        let by_hand = |parts: &[(&str, &[u8])]| {
            parts.iter().fold(0u64, |sum, (name, bytes)| {
                sum.wrapping_add(xxh3_64_with_seed(bytes, xxh3_64(name.as_bytes())))
            })
        };
        let first = [
            ("a", "甲".as_bytes()),
            ("d", &19_000i32.to_le_bytes()[..]),
            ("m", &1234i128.to_le_bytes()[..]),
            ("b", &[1u8][..]),
        ];
        assert_eq!(hashes[0], by_hand(&first));
        assert_eq!(
            hashes[1],
            by_hand(&[("d", &19_001i32.to_le_bytes()), ("b", &[0])])
        );
    }

    #[test]
    fn a_null_differs_from_an_empty_text_and_columns_are_not_interchangeable() {
        let a: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some(""), None]));
        let b: ArrayRef = Arc::new(StringArray::from(vec![Some("y"), None, Some("")]));
        let one = check_content(&[("a", a.clone()), ("b", b.clone())]);
        let two = check_content(&[("a", b), ("b", a)]);
        assert_eq!(
            one.iter()
                .chain(&two)
                .collect::<std::collections::HashSet<_>>()
                .len(),
            4
        );
        assert_eq!(one[1], two[2]);
    }

    #[test]
    fn keys_keep_their_parts_apart() {
        let first: ArrayRef = Arc::new(StringArray::from(vec!["ab", "a", "ab"]));
        let second: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
        let keys = key_hashes("t", &[&first, &second], 3).unwrap();
        assert_eq!(keys[0], keys[2]);
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], key_hashes("t", &[&second, &first], 3).unwrap()[0]);
        let holes: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        assert!(key_hashes("t", &[&holes], 2).is_err());
    }

    #[test]
    fn a_reference_tells_where_each_part_ends() {
        let mut scratch = Vec::new();
        let a = reference("company", &[Some("ab"), Some("c"), None], &mut scratch);
        let b = reference("company", &[Some("a"), Some("bc"), None], &mut scratch);
        let c = reference("company", &[Some("ab"), Some("c"), Some("")], &mut scratch);
        assert!(a != b && a != c && b != c);
    }
}
