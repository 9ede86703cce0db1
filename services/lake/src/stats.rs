//! Smallest and largest values of file columns: out of Parquet footers, into and out of the catalogue's text.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::shape::{LakeType, ShapeColumn};

/// A value that bounds a column: numbers, dates, timestamps and booleans as an integer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    Number(i128),
    Text(String),
}

/// What the catalogue says of one column of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnStats {
    pub size_bytes: i64,
    pub value_count: i64,
    /// `None`: not known.
    pub null_count: Option<i64>,
    /// (smallest, largest), inclusive; `None`: not known, or all null.
    pub bounds: Option<(Bound, Bound)>,
}

const DAYS_TO_1970: i32 = 719_163;

impl Bound {
    /// As DuckDB casts the value to text. `None` where it has no such text.
    pub fn to_text(&self, ty: LakeType) -> Option<String> {
        match (self, ty) {
            (Self::Text(text), LakeType::Text) => Some(text.clone()),
            (Self::Number(n), LakeType::Int) => Some(n.to_string()),
            (Self::Number(n), LakeType::Bool) => Some(if *n == 0 { "0" } else { "1" }.to_owned()),
            (Self::Number(n), LakeType::Date) => {
                let days = i32::try_from(*n).ok()?.checked_add(DAYS_TO_1970)?;
                let date = NaiveDate::from_num_days_from_ce_opt(days)?;
                (0..=9999)
                    .contains(&date.year())
                    .then(|| date.format("%Y-%m-%d").to_string())
            }
            (Self::Number(n), LakeType::Timestamp) => {
                let time = DateTime::from_timestamp_micros(i64::try_from(*n).ok()?)?.naive_utc();
                let mut text = time.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
                let kept = text.trim_end_matches('0').trim_end_matches('.').len();
                text.truncate(kept.max("0000-00-00 00:00:00".len()));
                (0..=9999).contains(&time.year()).then_some(text)
            }
            (Self::Number(n), LakeType::Decimal(_, scale)) => {
                let one = 10u128.checked_pow(u32::try_from(scale).ok()?)?;
                let (whole, part) = (n.unsigned_abs() / one, n.unsigned_abs() % one);
                let sign = if *n < 0 { "-" } else { "" };
                Some(match usize::try_from(scale).ok()? {
                    0 => format!("{sign}{whole}"),
                    width => format!("{sign}{whole}.{part:0width$}"),
                })
            }
            _ => None,
        }
    }

    /// Reads what [`Self::to_text`] writes.
    pub fn parse(ty: LakeType, text: &str) -> Option<Self> {
        Some(match ty {
            LakeType::Text => Self::Text(text.to_owned()),
            LakeType::Int | LakeType::Bool => Self::Number(text.parse().ok()?),
            LakeType::Date => {
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                Self::Number(i128::from(date.num_days_from_ce() - DAYS_TO_1970))
            }
            LakeType::Timestamp => {
                let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
                Self::Number(i128::from(time.and_utc().timestamp_micros()))
            }
            LakeType::Decimal(_, scale) => {
                let width = usize::try_from(scale).ok()?;
                let (whole, part) = text.split_once('.').unwrap_or((text, ""));
                if part.len() != width {
                    return None;
                }
                Self::Number(format!("{whole}{part}").parse().ok()?)
            }
            LakeType::Bytes => return None,
        })
    }

    /// For the engine's optimiser.
    pub fn to_scalar(&self, ty: LakeType) -> Option<ScalarValue> {
        Some(match (self, ty) {
            (Self::Text(text), LakeType::Text) => ScalarValue::Utf8View(Some(text.clone())),
            (Self::Number(n), LakeType::Int) => ScalarValue::Int64(Some(i64::try_from(*n).ok()?)),
            (Self::Number(n), LakeType::Bool) => ScalarValue::Boolean(Some(*n != 0)),
            (Self::Number(n), LakeType::Date) => ScalarValue::Date32(Some(i32::try_from(*n).ok()?)),
            (Self::Number(n), LakeType::Timestamp) => {
                let micros = Some(i64::try_from(*n).ok()?);
                ScalarValue::new_timestamp::<arrow::datatypes::TimestampMicrosecondType>(micros, None)
            }
            (Self::Number(n), LakeType::Decimal(p, s)) => ScalarValue::Decimal128(Some(*n), p, s),
            _ => return None,
        })
    }
}

impl ColumnStats {
    fn all_null(&self) -> bool {
        self.bounds.is_none() && self.null_count == Some(self.value_count)
    }

    /// Makes `self` hold for both. A side without values leaves the other's bounds.
    pub fn widen(&mut self, other: &Self) {
        self.bounds = match (self.all_null(), other.all_null()) {
            (true, _) => other.bounds.clone(),
            (_, true) => self.bounds.take(),
            _ => self
                .bounds
                .take()
                .zip(other.bounds.clone())
                .map(|((min, max), (low, high))| (min.min(low), max.max(high))),
        };
        self.null_count = self.null_count.zip(other.null_count).map(|(a, b)| a + b);
        self.value_count += other.value_count;
        self.size_bytes += other.size_bytes;
    }
}

/// The statistics of each column of a file that was just written, in the order of the columns.
pub fn of_file(metadata: &ParquetMetaData, columns: &[ShapeColumn]) -> Vec<ColumnStats> {
    let of_column = |(place, column): (usize, &ShapeColumn)| {
        let mut whole = ColumnStats {
            null_count: Some(0),
            ..Default::default()
        };
        for group in metadata.row_groups() {
            let chunk = group.column(place);
            let statistics = chunk.statistics();
            whole.widen(&ColumnStats {
                size_bytes: chunk.compressed_size(),
                value_count: chunk.num_values(),
                null_count: statistics
                    .and_then(Statistics::null_count_opt)
                    .and_then(|n| i64::try_from(n).ok()),
                bounds: statistics.and_then(|s| bounds_of(s, column.ty)),
            });
        }
        whole
    };
    columns.iter().enumerate().map(of_column).collect()
}

fn bounds_of(statistics: &Statistics, ty: LakeType) -> Option<(Bound, Bound)> {
    fn numbers<T: Copy + Into<i128>>(min: Option<&T>, max: Option<&T>) -> Option<(Bound, Bound)> {
        Some((Bound::Number((*min?).into()), Bound::Number((*max?).into())))
    }
    match (statistics, ty) {
        (Statistics::Boolean(s), LakeType::Bool) => Some((
            Bound::Number(i128::from(*s.min_opt()?)),
            Bound::Number(i128::from(*s.max_opt()?)),
        )),
        (Statistics::Int32(s), LakeType::Date | LakeType::Decimal(..)) => numbers(s.min_opt(), s.max_opt()),
        (Statistics::Int64(s), LakeType::Int | LakeType::Timestamp | LakeType::Decimal(..)) => {
            numbers(s.min_opt(), s.max_opt())
        }
        (Statistics::ByteArray(s), LakeType::Text) => {
            let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|t| Bound::Text(t.to_owned()));
            Some((text(s.min_opt()?.data())?, text(s.max_opt()?.data())?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_duckdb_writes_them_and_read_back() {
        for (ty, number, text) in [
            (LakeType::Decimal(18, 2), 1350, "13.50"),
            (LakeType::Decimal(18, 2), -5, "-0.05"),
            (LakeType::Decimal(7, 4), 1_000_000, "100.0000"),
            (LakeType::Date, 19_723, "2024-01-01"),
            (LakeType::Date, -25_567, "1900-01-01"),
            (
                LakeType::Timestamp,
                1_704_103_200_500_000,
                "2024-01-01 10:00:00.5",
            ),
            (LakeType::Timestamp, 1_704_103_200_000_000, "2024-01-01 10:00:00"),
            (LakeType::Bool, 1, "1"),
            (LakeType::Int, -7, "-7"),
        ] {
            let bound = Bound::Number(number);
            assert_eq!(bound.to_text(ty).as_deref(), Some(text));
            assert_eq!(Bound::parse(ty, text), Some(bound));
        }
        assert_eq!(Bound::Number(0).to_text(LakeType::Bytes), None);
    }

    #[test]
    fn only_nulls_widen_nothing_and_unknown_bounds_stay_unknown() {
        let stats = |values, nulls, bounds: Option<(i128, i128)>| ColumnStats {
            size_bytes: 0,
            value_count: values,
            null_count: Some(nulls),
            bounds: bounds.map(|(a, b)| (Bound::Number(a), Bound::Number(b))),
        };
        let check = |a: ColumnStats, b: ColumnStats, want: ColumnStats| {
            let mut both = a;
            both.widen(&b);
            assert_eq!(both, want);
        };
        check(
            stats(3, 0, Some((1, 5))),
            stats(2, 2, None),
            stats(5, 2, Some((1, 5))),
        );
        check(
            stats(2, 2, None),
            stats(3, 0, Some((1, 5))),
            stats(5, 2, Some((1, 5))),
        );
        check(
            stats(3, 0, Some((1, 5))),
            stats(1, 0, Some((-2, 3))),
            stats(4, 0, Some((-2, 5))),
        );
        check(stats(3, 0, Some((1, 5))), stats(1, 0, None), stats(4, 0, None));
    }
}
