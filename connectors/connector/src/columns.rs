//! Column buffers: typed values written straight from cells, with a row that fails taken back whole.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Int64Array,
    NullBufferBuilder, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use domain::{Column, ColumnType};

use crate::coerce::date::{self, Zone};
use crate::coerce::decimal::{self, Factor, Notation};
use crate::coerce::{Cell, flag, fold, trim};
use crate::reason::Reason;

/// How the numbers of a source's column are to be read when they stand for a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentFormat {
    EpochSeconds,
    EpochMilliseconds,
    /// Serial days of a spreadsheet, also where the source is text.
    SpreadsheetSerial,
}

/// What the configuration says about one column's values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueRules {
    /// Numbers are counted in this unit; units in the cells then are errors.
    pub factor: Option<Factor>,
    pub format: Option<MomentFormat>,
    /// Texts that mean "no value", trimmed.
    pub nulls: Vec<String>,
    /// What the source writes -> what the dataset writes. In a text column any other text that is no code or
    /// spelling of the dataset is then an error.
    pub codes: HashMap<String, String>,
}

/// Something worth telling that is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// A date was given to the month and read as its first day.
    MonthOnly,
    /// A number of 16 digits or more in a text column of a spreadsheet, which keeps only 15.
    DigitsLost,
}

/// Why a cell is no value of its column.
pub type Bad = (Reason, String);

/// The values of one column, row by row.
#[derive(Debug)]
pub struct ColumnBuffer {
    ty: ColumnType,
    rules: ValueRules,
    zone: Zone,
    codes: Codes,
    valid: NullBufferBuilder,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Text { ends: Vec<i32>, bytes: Vec<u8> },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Decimal(Vec<i128>),
    Bool(BooleanBufferBuilder),
    Int(Vec<i64>),
}

/// Known spellings of a code column.
#[derive(Debug)]
struct Codes {
    by_text: HashMap<String, Arc<str>>,
    by_fold: HashMap<String, Arc<str>>,
    closed: bool,
    /// The text looked up last: neighbouring rows often have the same.
    last: Option<(String, Arc<str>)>,
}

impl Codes {
    fn new(column: &Column, own: &HashMap<String, String>) -> Self {
        let mut by_text = HashMap::new();
        let mut by_fold = HashMap::new();
        for (code, spellings) in &column.codes {
            let shared: Arc<str> = code.as_str().into();
            for text in std::iter::once(code).chain(spellings) {
                by_text.insert(text.clone(), shared.clone());
                by_fold.insert(fold(text), shared.clone());
            }
        }
        for (text, code) in own {
            by_text.insert(text.clone(), code.as_str().into());
        }
        Self {
            by_text,
            by_fold,
            closed: column.codes_are_closed || !own.is_empty(),
            last: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    fn find(&mut self, text: &str) -> Option<&str> {
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            let code = self.by_text.get(text).or_else(|| self.by_fold.get(&fold(text)))?;
            self.last = Some((text.to_owned(), code.clone()));
        }
        self.last.as_ref().map(|(_, code)| &**code)
    }
}

impl ColumnBuffer {
    pub fn new(column: &Column, rules: ValueRules, zone: Zone) -> Self {
        let codes = Codes::new(column, &rules.codes);
        let values = match column.ty {
            ColumnType::Text => Values::Text {
                ends: vec![0],
                bytes: Vec::new(),
            },
            ColumnType::Date => Values::Date(Vec::new()),
            ColumnType::Timestamp => Values::Timestamp(Vec::new()),
            ColumnType::Money | ColumnType::Price | ColumnType::Quantity | ColumnType::Percent => {
                Values::Decimal(Vec::new())
            }
            ColumnType::Bool => Values::Bool(BooleanBufferBuilder::new(0)),
            ColumnType::Int => Values::Int(Vec::new()),
        };
        let valid = NullBufferBuilder::new(0);
        Self {
            ty: column.ty,
            rules,
            zone,
            codes,
            valid,
            values,
        }
    }

    pub fn len(&self) -> usize {
        self.valid.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the last value is null.
    pub fn last_is_null(&self) -> bool {
        self.len()
            .checked_sub(1)
            .is_some_and(|last| !self.valid.is_valid(last))
    }

    /// The last value as the bytes of its text; none for null and for other types.
    pub fn last_text(&self) -> &[u8] {
        match &self.values {
            Values::Text { ends, bytes } => {
                let from = ends
                    .len()
                    .checked_sub(2)
                    .map_or(0, |before| ends[before] as usize);
                &bytes[from..]
            }
            _ => &[],
        }
    }

    /// Bytes of text held; other types take the same for each row.
    pub fn text_bytes(&self) -> usize {
        match &self.values {
            Values::Text { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Writes the cell as the next value. On an error nothing is written.
    pub fn push(&mut self, cell: Cell<'_>) -> Result<Option<Remark>, Bad> {
        let text = match cell {
            Cell::Empty => return self.push_null(),
            Cell::Broken(reason, text) => return Err((reason, clip(text))),
            Cell::Text(text) => trim(text),
            Cell::Number(text) | Cell::SheetNumber(text) => text,
            Cell::Bool(_) | Cell::Local(_) | Cell::Instant(_) => return self.push_typed(cell),
        };
        if text.is_empty() || (!self.rules.nulls.is_empty() && self.rules.nulls.iter().any(|n| n == text)) {
            return self.push_null();
        }
        let bad = |reason: Reason| (reason, clip(text));
        let mut remark = None;
        // Codes may be declared for any type, e.g. {"1" = "是"}; what they stand for is then read.
        let replaced = if self.rules.codes.is_empty() || self.ty == ColumnType::Text {
            None
        } else {
            self.codes.find(text).map(str::to_owned)
        };
        let text = replaced.as_deref().unwrap_or(text);
        match &mut self.values {
            Values::Text { ends, bytes } => {
                if self.codes.is_empty() {
                    bytes.extend_from_slice(text.as_bytes());
                } else {
                    let closed = self.codes.closed;
                    match self.codes.find(text) {
                        Some(code) => bytes.extend_from_slice(code.as_bytes()),
                        None if closed => return Err(bad(Reason::UnknownCode)),
                        None => bytes.extend_from_slice(text.as_bytes()),
                    }
                }
                ends.push(bytes.len() as i32);
                if matches!(cell, Cell::SheetNumber(_))
                    && text.bytes().filter(u8::is_ascii_digit).count() > 15
                {
                    remark = Some(Remark::DigitsLost);
                }
            }
            Values::Decimal(values) => {
                let (precision, scale) = self.ty.decimal().unwrap_or((18, 4));
                let notation = Notation {
                    currency: matches!(self.ty, ColumnType::Money | ColumnType::Price),
                    percent: self.ty == ColumnType::Percent,
                    units: self.rules.factor.is_none(),
                    exponent: !matches!(cell, Cell::Text(_)),
                };
                let number = decimal::parse(text, notation).map_err(bad)?;
                values.push(decimal::to_scale(number, self.rules.factor, precision, scale).map_err(bad)?);
            }
            Values::Int(values) => {
                let notation = Notation {
                    exponent: !matches!(cell, Cell::Text(_)),
                    ..Notation::default()
                };
                let number = decimal::parse(text, notation).map_err(|r| {
                    bad(if r == Reason::BadDecimal {
                        Reason::BadInt
                    } else {
                        r
                    })
                })?;
                values.push(decimal::to_int(number, self.rules.factor).map_err(bad)?);
            }
            Values::Bool(values) => values.append(flag::parse(text).ok_or_else(|| bad(Reason::BadBool))?),
            Values::Date(values) => {
                let moment = moment(cell, text, self.rules.format);
                let (day, month_only) = match moment.map_err(bad)? {
                    Moment::Written(written) => (written.date(self.zone), written.month_only),
                    Moment::Local(local) => (date::date_of(local, Zone(0)), false),
                    Moment::Instant(micros) => (date::date_of(micros, self.zone), false),
                };
                values.push(date::plausible(day).map_err(bad)?);
                remark = month_only.then_some(Remark::MonthOnly);
            }
            Values::Timestamp(values) => {
                let moment = moment(cell, text, self.rules.format);
                let late = |r| {
                    bad(if r == Reason::BadDate {
                        Reason::BadTimestamp
                    } else {
                        r
                    })
                };
                let (micros, month_only) = match moment.map_err(late)? {
                    Moment::Written(written) => (written.instant(self.zone), written.month_only),
                    Moment::Local(local) => (date::instant_of(local, self.zone), false),
                    Moment::Instant(micros) => (micros, false),
                };
                values.push(date::plausible_instant(micros).map_err(bad)?);
                remark = month_only.then_some(Remark::MonthOnly);
            }
        }
        self.valid.append_non_null();
        Ok(remark)
    }

    /// Values that the source already stores with a type.
    fn push_typed(&mut self, cell: Cell<'_>) -> Result<Option<Remark>, Bad> {
        let shown = || match cell {
            Cell::Bool(value) => value.to_string(),
            Cell::Local(micros) | Cell::Instant(micros) => moment_text(micros),
            _ => String::new(),
        };
        let reason = match self.ty {
            ColumnType::Date => Reason::BadDate,
            ColumnType::Timestamp => Reason::BadTimestamp,
            ColumnType::Bool => Reason::BadBool,
            ColumnType::Int => Reason::BadInt,
            _ => Reason::BadDecimal,
        };
        let out_of_range = |r| (r, shown());
        match (&mut self.values, cell) {
            (Values::Text { .. }, _) => return self.push(Cell::Text(&shown())),
            (Values::Bool(values), Cell::Bool(value)) => values.append(value),
            (Values::Date(values), Cell::Local(micros)) => {
                values.push(date::plausible(date::date_of(micros, Zone(0))).map_err(out_of_range)?);
            }
            (Values::Date(values), Cell::Instant(micros)) => {
                values.push(date::plausible(date::date_of(micros, self.zone)).map_err(out_of_range)?);
            }
            (Values::Timestamp(values), Cell::Local(micros)) => {
                let micros = date::instant_of(micros, self.zone);
                values.push(date::plausible_instant(micros).map_err(out_of_range)?);
            }
            (Values::Timestamp(values), Cell::Instant(micros)) => {
                values.push(date::plausible_instant(micros).map_err(out_of_range)?);
            }
            _ => return Err((reason, shown())),
        }
        self.valid.append_non_null();
        Ok(None)
    }

    fn push_null(&mut self) -> Result<Option<Remark>, Bad> {
        match &mut self.values {
            Values::Text { ends, bytes } => ends.push(bytes.len() as i32),
            Values::Date(values) => values.push(0),
            Values::Timestamp(values) => values.push(0),
            Values::Decimal(values) => values.push(0),
            Values::Bool(values) => values.append(false),
            Values::Int(values) => values.push(0),
        }
        self.valid.append_null();
        Ok(None)
    }

    /// Takes back all values after the first `len`.
    pub fn truncate(&mut self, len: usize) {
        if self.len() <= len {
            return;
        }
        self.valid.truncate(len);
        match &mut self.values {
            Values::Text { ends, bytes } => {
                ends.truncate(len + 1);
                bytes.truncate(ends[len] as usize);
            }
            Values::Date(values) => values.truncate(len),
            Values::Timestamp(values) => values.truncate(len),
            Values::Decimal(values) => values.truncate(len),
            Values::Bool(values) => values.truncate(len),
            Values::Int(values) => values.truncate(len),
        }
    }

    /// The values as an Arrow array; the buffer is empty afterwards.
    pub fn take(&mut self) -> Result<ArrayRef, arrow::error::ArrowError> {
        let rows = self.len();
        let nulls = self.valid.finish();
        Ok(match &mut self.values {
            Values::Text { ends, bytes } => {
                let mut next = Vec::with_capacity(ends.len());
                next.push(0);
                let ends = std::mem::replace(ends, next);
                let room = bytes.len();
                let bytes = std::mem::replace(bytes, Vec::with_capacity(room));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)?)
            }
            Values::Date(values) => Arc::new(Date32Array::try_new(taken(values, rows).into(), nulls)?),
            Values::Timestamp(values) => Arc::new(TimestampMicrosecondArray::try_new(
                taken(values, rows).into(),
                nulls,
            )?),
            Values::Decimal(values) => {
                let (precision, scale) = self.ty.decimal().unwrap_or((18, 4));
                let values = Decimal128Array::try_new(taken(values, rows).into(), nulls)?;
                Arc::new(values.with_precision_and_scale(precision, scale)?)
            }
            Values::Bool(values) => {
                let values = std::mem::replace(values, BooleanBufferBuilder::new(rows)).build();
                Arc::new(BooleanArray::new(values, nulls))
            }
            Values::Int(values) => Arc::new(Int64Array::try_new(taken(values, rows).into(), nulls)?),
        })
    }
}

fn taken<T>(values: &mut Vec<T>, rows: usize) -> Vec<T> {
    std::mem::replace(values, Vec::with_capacity(rows))
}

enum Moment {
    Written(date::Written),
    Local(i64),
    Instant(i64),
}

/// Numbers of a spreadsheet below this are too old to be a day of business, and may be a year.
const FIRST_PLAIN_SERIAL: f64 = 20_000.0; // 1954-10-03
const LAST_PLAIN_SERIAL: f64 = 110_000.0; // 2201-02-28

fn moment(cell: Cell<'_>, text: &str, format: Option<MomentFormat>) -> Result<Moment, Reason> {
    let whole = || {
        let number = decimal::parse(
            text,
            Notation {
                exponent: true,
                ..Notation::default()
            },
        );
        number
            .and_then(|n| decimal::to_scale(n, None, 18, 3))
            .map_err(|_| Reason::BadDate)
    };
    match format {
        Some(MomentFormat::EpochSeconds) => {
            let micros = i64::try_from(whole()? * 1000).map_err(|_| Reason::DateOutOfRange)?;
            return Ok(Moment::Instant(micros));
        }
        Some(MomentFormat::EpochMilliseconds) => {
            let micros = i64::try_from(whole()?).map_err(|_| Reason::DateOutOfRange)?;
            return Ok(Moment::Instant(micros));
        }
        Some(MomentFormat::SpreadsheetSerial) => {
            if let Ok(serial) = text.parse::<f64>() {
                return date::from_serial(serial).map(Moment::Local);
            }
        }
        None => {}
    }
    if let (Cell::SheetNumber(_), Ok(serial)) = (cell, text.parse::<f64>())
        && (FIRST_PLAIN_SERIAL..LAST_PLAIN_SERIAL).contains(&serial)
    {
        return date::from_serial(serial).map(Moment::Local);
    }
    if !matches!(cell, Cell::Text(_)) && !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::BadDate);
    }
    date::parse(text).map(Moment::Written)
}

/// `2024-03-05`, or with a time when there is one.
pub fn moment_text(micros: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(micros) {
        Some(t) if micros.rem_euclid(date::DAY) == 0 => t.format("%Y-%m-%d").to_string(),
        Some(t) => t.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => micros.to_string(),
    }
}

/// At most 200 characters of a text, for a message.
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
