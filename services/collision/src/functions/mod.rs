//! The functions that rules have beyond DataFusion's own, those over the graph aside.

mod unbalanced;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use matching::{IdNumber, Uscc};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The aggregate functions.
pub fn aggregates() -> Vec<AggregateUDF> {
    vec![unbalanced::unbalanced()]
}

/// The scalar functions.
pub fn scalars() -> Vec<ScalarUDF> {
    vec![
        text("norm_mac", matching::identifier::norm_mac),
        text("norm_phone", matching::identifier::norm_phone),
        text("norm_account", matching::identifier::norm_account),
        text("name_key", |t| {
            Some(matching::strict_key(t)).filter(|k| !k.is_empty())
        }),
        test("is_uscc", |t| Uscc::parse(t).is_ok()),
        test("is_id_number", |t| IdNumber::parse(t).is_ok()),
        function("local_date", timestamps(), DataType::Date32, local_date),
        udf(
            "hash64",
            TypeSignature::OneOf(
                (1..=8)
                    .map(|n| TypeSignature::Exact(vec![DataType::Utf8View; n]))
                    .collect(),
            ),
            DataType::Int64,
            Work::Texts(hash64),
        ),
        udf(
            "balance64",
            TypeSignature::OneOf(
                (1..=8)
                    .map(|n| {
                        let texts = std::iter::repeat_n(DataType::Utf8View, n);
                        TypeSignature::Exact([QUANTITY].into_iter().chain(texts).collect())
                    })
                    .collect(),
            ),
            DataType::Int64,
            Work::Amount(balance64),
        ),
    ]
}

/// Of quantities.
const QUANTITY: DataType = DataType::Decimal128(18, 4);

type Compute = fn(&ArrayRef) -> Result<ArrayRef>;

fn timestamps() -> TypeSignature {
    let units = [
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
        TimeUnit::Millisecond,
        TimeUnit::Second,
    ];
    TypeSignature::OneOf(
        units
            .into_iter()
            .map(|unit| TypeSignature::Exact(vec![DataType::Timestamp(unit, None)]))
            .collect(),
    )
}

fn text(name: &'static str, f: fn(&str) -> Option<String>) -> ScalarUDF {
    udf(
        name,
        TypeSignature::Exact(vec![DataType::Utf8View]),
        DataType::Utf8View,
        Work::Text(f),
    )
}

fn test(name: &'static str, f: fn(&str) -> bool) -> ScalarUDF {
    udf(
        name,
        TypeSignature::Exact(vec![DataType::Utf8View]),
        DataType::Boolean,
        Work::Test(f),
    )
}

fn function(name: &'static str, takes: TypeSignature, gives: DataType, f: Compute) -> ScalarUDF {
    udf(name, takes, gives, Work::Array(f))
}

fn udf(name: &'static str, takes: TypeSignature, gives: DataType, work: Work) -> ScalarUDF {
    ScalarUDF::from(Function {
        name,
        signature: Signature::new(takes, Volatility::Immutable),
        gives,
        work,
    })
}

/// A UTC timestamp to the civil date in China (UTC+8, no daylight saving since 1991).
fn local_date(times: &ArrayRef) -> Result<ArrayRef> {
    const DAY: i64 = 86_400_000_000;
    const AHEAD: i64 = 8 * 3_600_000_000;
    let micros = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let days: Date32Array = micros
        .as_primitive::<TimestampMicrosecondType>()
        .unary(|t| ((t + AHEAD).div_euclid(DAY)) as i32);
    Ok(Arc::new(days))
}

/// Several texts as one number, for comparing them many rows at a time; null when one of them is. Different
/// texts have the same number once in 2^64.
fn hash64(texts: &[StringViewArray]) -> ArrayRef {
    let rows = texts.first().map_or(0, Array::len);
    Arc::new((0..rows).map(|n| hash_of_row(texts, n)).collect::<Int64Array>())
}

/// Each text is hashed with the hash of those before it as the seed, so that ("ab", "c") differs from ("a", "bc").
fn hash_of_row(texts: &[StringViewArray], n: usize) -> Option<i64> {
    let mut hash = 0;
    for column in texts {
        if column.is_null(n) {
            return None;
        }
        hash = xxh3_64_with_seed(column.value(n).as_bytes(), hash);
    }
    Some(hash as i64)
}

/// A quantity times the texts' hash, wrapping: entries of two books that agree add up to zero, whatever their
/// order and however one of them splits a quantity. Entries that do not agree add up to zero about once in 2^64
/// (a linear sketch; with one book's entries negated, as for AMS sketches, Alon, Matias and Szegedy 1996). Null
/// when the quantity or a text is.
fn balance64(quantities: &ArrayRef, texts: &[StringViewArray]) -> Result<ArrayRef> {
    let quantities = cast(quantities, &QUANTITY)?;
    let entries: Int64Array = quantities
        .as_primitive::<Decimal128Type>()
        .iter()
        .enumerate()
        .map(|(n, quantity)| {
            // 18 digits fit 64 bits.
            Some((quantity? as i64).wrapping_mul(hash_of_row(texts, n)?))
        })
        .collect();
    Ok(Arc::new(entries))
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Texts(fn(&[StringViewArray]) -> ArrayRef),
    Amount(fn(&ArrayRef, &[StringViewArray]) -> Result<ArrayRef>),
    Text(fn(&str) -> Option<String>),
    Test(fn(&str) -> bool),
    Array(Compute),
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    signature: Signature,
    gives: DataType,
    work: Work,
}

/// Functions are told apart by name: there is one of each.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.gives.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = |array: &ArrayRef| cast(array, &DataType::Utf8View);
        let all_texts = |arrays: &[ArrayRef]| -> Result<Vec<StringViewArray>> {
            arrays
                .iter()
                .map(|a| Ok(texts(a)?.as_string_view().clone()))
                .collect()
        };
        let array = &arrays[0];
        let out: ArrayRef = match self.work {
            Work::Texts(f) => f(&all_texts(&arrays)?),
            Work::Amount(f) => f(array, &all_texts(&arrays[1..])?)?,
            Work::Array(f) => f(array)?,
            Work::Text(f) => {
                let texts = texts(array)?;
                Arc::new(
                    texts
                        .as_string_view()
                        .iter()
                        .map(|t| t.and_then(f))
                        .collect::<StringViewArray>(),
                )
            }
            Work::Test(f) => {
                let texts = texts(array)?;
                Arc::new(
                    texts
                        .as_string_view()
                        .iter()
                        .map(|t| t.map(f))
                        .collect::<BooleanArray>(),
                )
            }
        };
        debug_assert_eq!(out.len(), array.len());
        Ok(ColumnarValue::Array(out))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Decimal128Array;
    use proptest::prelude::*;

    use super::*;

    fn column(texts: &[&str]) -> StringViewArray {
        StringViewArray::from_iter_values(texts)
    }

    fn balance(quantities: Vec<Option<i128>>, texts: &[StringViewArray]) -> Vec<Option<i64>> {
        let quantities = Decimal128Array::from(quantities)
            .with_precision_and_scale(18, 4)
            .unwrap();
        let entries = balance64(&(Arc::new(quantities) as ArrayRef), texts).unwrap();
        entries
            .as_primitive::<datafusion::arrow::datatypes::Int64Type>()
            .iter()
            .collect()
    }

    #[test]
    fn where_a_text_ends_matters_and_a_null_makes_null() {
        let of = |a: &str, b: &str| hash_of_row(&[column(&[a]), column(&[b])], 0);
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_ne!(of("ab", ""), of("", "ab"));
        assert_eq!(of("ab", "c"), of("ab", "c"));
        let with_null = [column(&["a"]), StringViewArray::from(vec![None::<&str>])];
        assert_eq!(hash_of_row(&with_null, 0), None);
        assert_eq!(balance(vec![Some(1)], &with_null), [None]);
        assert_eq!(balance(vec![None], &[column(&["a"])]), [None]);
    }

    proptest! {
        /// However a book splits a quantity, it balances the other; one unit too many, or another name, does not.
        #[test]
        fn books_balance_only_when_they_agree(
            parts in prop::collection::vec(1i128..=49_999_999_999_999_999, 1..20),
            name in "[A-Z0-9]{0,40}",
            other in "[a-z]{1,40}",
        ) {
            let total: i128 = parts.iter().sum();
            let names = StringViewArray::from_iter_values(parts.iter().map(|_| &name));
            let bought = balance(parts.iter().copied().map(Some).collect(), &[names]);
            let sum = bought.into_iter().flatten().fold(0i64, i64::wrapping_add);
            let with = |quantity, name: &str| {
                sum.wrapping_add(balance(vec![Some(quantity)], &[column(&[name])])[0].unwrap())
            };
            prop_assert_eq!(with(-total, &name), 0);
            prop_assert_ne!(with(-total - 1, &name), 0);
            prop_assert_ne!(with(-total, &other), 0);
        }
    }
}
