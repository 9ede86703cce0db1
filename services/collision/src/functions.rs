//! The scalar functions that rules have beyond DataFusion's own.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use matching::{IdNumber, Uscc};
use xxhash_rust::xxh3::xxh3_64;

/// All of them.
pub fn all() -> Vec<ScalarUDF> {
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
    ]
}

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
    let mut row = Vec::with_capacity(64);
    let hash = |n: usize| {
        row.clear();
        for column in texts {
            if column.is_null(n) {
                return None;
            }
            let text = column.value(n).as_bytes();
            row.extend_from_slice(text);
            // Ends each text with its length, so that ("ab", "c") differs from ("a", "bc").
            row.extend_from_slice(&(text.len() as u32).to_le_bytes());
        }
        Some(xxh3_64(&row) as i64)
    };
    Arc::new((0..rows).map(hash).collect::<Int64Array>())
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Texts(fn(&[StringViewArray]) -> ArrayRef),
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
        let array = &arrays[0];
        let out: ArrayRef = match self.work {
            Work::Texts(f) => {
                let columns: Vec<StringViewArray> = arrays
                    .iter()
                    .map(|a| Ok(texts(a)?.as_string_view().clone()))
                    .collect::<Result<_>>()?;
                f(&columns)
            }
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
