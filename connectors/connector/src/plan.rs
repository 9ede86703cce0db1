//! From the records of a source to row batches of a dataset: which cell goes to which column.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use domain::ports::Notice;
use domain::{Bilingual, Dataset};

use crate::coerce::date::Zone;
use crate::coerce::{Cell, fold, trim};
use crate::columns::{ColumnBuffer, Remark, ValueRules, clip, moment_text};
use crate::message::RowBatch;
use crate::reason::Reason;

/// One record of a source: a line, a sheet's row, a JSON object.
pub trait Record {
    /// The cell of the source's column `index`. `scratch` is cleared and may hold decoded text.
    fn cell<'s>(&'s self, index: usize, scratch: &'s mut String) -> Cell<'s>;
}

impl Record for [Cell<'_>] {
    fn cell<'s>(&'s self, index: usize, _: &'s mut String) -> Cell<'s> {
        self.get(index).copied().unwrap_or(Cell::Empty)
    }
}

/// Where the values of one dataset column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: always null.
    Absent,
    Cell(usize),
    /// The same text in every row.
    Constant(String),
    /// Texts and cells one after another; null when there are cells and all of them are empty.
    Template(Vec<Part>),
    /// Whether the cell has this text (compared folded).
    Equals(usize, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Literal(String),
    Cell(usize),
}

/// How to read one dataset column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPlan {
    pub source: Source,
    pub rules: ValueRules,
}

impl ColumnPlan {
    pub fn absent() -> Self {
        Self {
            source: Source::Absent,
            rules: ValueRules::default(),
        }
    }

    pub fn cell(index: usize) -> Self {
        Self {
            source: Source::Cell(index),
            rules: ValueRules::default(),
        }
    }
}

/// How to read a whole dataset from one kind of record.
#[derive(Debug, Clone)]
pub struct Plan {
    pub dataset: Arc<Dataset>,
    /// As many as the dataset has columns, in its order.
    pub columns: Vec<ColumnPlan>,
    /// Zone of times that have none.
    pub zone: Zone,
}

/// Why a record is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCell {
    /// English name of the dataset column.
    pub field: Arc<str>,
    pub reason: Reason,
    pub detail: String,
}

/// Text held in one row batch, about.
const TEXT_BYTES_MAX: usize = 64 << 20;
/// Adding up the text of all columns takes time: not after every row.
const ROWS_BETWEEN_SUMS: usize = 8;

/// Turns records into row batches.
#[derive(Debug)]
pub struct Assembler {
    plan: Arc<Plan>,
    batch: Arc<str>,
    columns: Vec<ColumnBuffer>,
    is_key: Vec<bool>,
    positions: Vec<u64>,
    month_only: Vec<u64>,
    digits_lost: Vec<u64>,
    scratch: String,
    joined: String,
}

impl Assembler {
    pub fn new(plan: Arc<Plan>, batch: Arc<str>) -> Self {
        let count = plan.dataset.columns.len();
        let columns = plan
            .dataset
            .columns
            .iter()
            .zip(&plan.columns)
            .map(|(column, how)| ColumnBuffer::new(column, how.rules.clone(), plan.zone))
            .collect();
        let is_key = plan
            .dataset
            .columns
            .iter()
            .map(|c| plan.dataset.key.contains(&c.name))
            .collect();
        Self {
            plan,
            batch,
            columns,
            is_key,
            positions: Vec::new(),
            month_only: vec![0; count],
            digits_lost: vec![0; count],
            scratch: String::new(),
            joined: String::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.positions.len()
    }

    /// Whether the rows so far are to be taken: `rows_max` of them, or about [`TEXT_BYTES_MAX`] of text.
    pub fn is_full(&self, rows_max: usize) -> bool {
        let rows = self.rows();
        rows >= rows_max
            || (rows.is_multiple_of(ROWS_BETWEEN_SUMS)
                && self.columns.iter().map(ColumnBuffer::text_bytes).sum::<usize>() > TEXT_BYTES_MAX)
    }

    /// Adds the record as a row. On an error the row is not there.
    pub fn push<R: Record + ?Sized>(&mut self, record: &R, position: u64) -> Result<(), BadCell> {
        let rows = self.rows();
        for n in 0..self.columns.len() {
            if let Err((reason, detail)) = self.push_cell(n, record) {
                self.columns[..=n].iter_mut().for_each(|c| c.truncate(rows));
                let field = self.plan.dataset.columns[n].name.as_str().into();
                return Err(BadCell {
                    field,
                    reason,
                    detail,
                });
            }
        }
        self.positions.push(position);
        Ok(())
    }

    fn push_cell<R: Record + ?Sized>(&mut self, n: usize, record: &R) -> Result<(), (Reason, String)> {
        let column = &mut self.columns[n];
        let remark = match &self.plan.columns[n].source {
            Source::Absent => column.push(Cell::Empty)?,
            Source::Cell(index) => {
                self.scratch.clear();
                column.push(record.cell(*index, &mut self.scratch))?
            }
            Source::Constant(text) => column.push(Cell::Text(text))?,
            Source::Template(parts) => {
                self.joined.clear();
                let (mut cells, mut filled) = (0, 0);
                for part in parts {
                    match part {
                        Part::Literal(text) => self.joined.push_str(text),
                        Part::Cell(index) => {
                            self.scratch.clear();
                            let before = self.joined.len();
                            write_text(record.cell(*index, &mut self.scratch), &mut self.joined)?;
                            cells += 1;
                            filled += usize::from(self.joined.len() > before);
                        }
                    }
                }
                if cells > 0 && filled == 0 {
                    column.push(Cell::Empty)?
                } else {
                    column.push(Cell::Text(&self.joined))?
                }
            }
            Source::Equals(index, expected) => {
                self.scratch.clear();
                self.joined.clear();
                write_text(record.cell(*index, &mut self.scratch), &mut self.joined)?;
                column.push(Cell::Bool(fold(&self.joined) == fold(expected)))?
            }
        };
        match remark {
            None => {}
            Some(Remark::MonthOnly) => self.month_only[n] += 1,
            Some(Remark::DigitsLost) => self.digits_lost[n] += 1,
        }
        if self.is_key[n] && column.last_is_null() {
            return Err((Reason::MissingKey, String::new()));
        }
        if self.is_key[n] && is_total(column.last_text()) {
            let text = String::from_utf8_lossy(column.last_text()).into_owned();
            return Err((Reason::TotalsRow, text));
        }
        Ok(())
    }

    /// The rows so far, or none when there are none.
    pub fn take(&mut self) -> Result<Option<RowBatch>, arrow::error::ArrowError> {
        if self.positions.is_empty() {
            return Ok(None);
        }
        let arrays = self
            .columns
            .iter_mut()
            .map(ColumnBuffer::take)
            .collect::<Result<Vec<_>, _>>()?;
        let columns = RecordBatch::try_new(self.plan.dataset.schema(), arrays)?;
        let positions = UInt64Array::from(std::mem::take(&mut self.positions));
        Ok(Some(RowBatch {
            dataset: self.plan.dataset.clone(),
            batch: self.batch.clone(),
            columns,
            positions,
        }))
    }

    /// What is worth telling of the rows so far, each once; forgotten afterwards.
    pub fn take_notices(&mut self, place: &str) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (n, column) in self.plan.dataset.columns.iter().enumerate() {
            let mut tell = |count: &mut u64, code: &str, zh: &str, en: &str| {
                if *count > 0 {
                    notices.push(Notice {
                        code: code.to_owned(),
                        place: format!("{place}: {}", column.name),
                        message: Bilingual::new(zh, en),
                        count: std::mem::take(count),
                    });
                }
            };
            tell(
                &mut self.month_only[n],
                "DATE_TO_MONTH",
                "日期只到月份，按当月第一天读取",
                "dates given to the month only were read as its first day",
            );
            tell(
                &mut self.digits_lost[n],
                "DIGITS_LOST",
                "编号以数字保存，电子表格只保留15位，末位可能已丢失",
                "numbers of 16 digits or more in a spreadsheet, which keeps 15: the last digits may be lost",
            );
        }
        notices
    }
}

/// What stands in the first cell of a row that adds up the others.
const TOTALS: [&str; 8] = [
    "合计",
    "小计",
    "总计",
    "共计",
    "累计",
    "本页合计",
    "本页小计",
    "本页总计",
];
/// Longer than any of them, spaces and a colon included.
const TOTAL_BYTES_MAX: usize = 32;

/// Whether a key is the word for a total. Nearly all keys begin with an ASCII byte, which no such word does.
fn is_total(key: &[u8]) -> bool {
    if key.len() > TOTAL_BYTES_MAX || key.first().is_none_or(u8::is_ascii) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(key) else {
        return false;
    };
    let word = fold(text);
    TOTALS.contains(&word.strip_suffix(':').unwrap_or(&word))
}

/// The cell as text, trimmed.
fn write_text(cell: Cell<'_>, out: &mut String) -> Result<(), (Reason, String)> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => out.push_str(trim(text)),
        Cell::Number(text) | Cell::SheetNumber(text) => out.push_str(text),
        Cell::Local(micros) | Cell::Instant(micros) => out.push_str(&moment_text(micros)),
        Cell::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Cell::Broken(reason, text) => return Err((reason, clip(text))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
    use proptest::prelude::*;

    use super::*;

    fn plan(dataset: &str, columns: &[(&str, Source)]) -> Arc<Plan> {
        let dataset = domain::dataset(dataset).unwrap();
        let mut plans = vec![ColumnPlan::absent(); dataset.columns.len()];
        for (name, source) in columns {
            plans[dataset.column_index(name).unwrap()].source = source.clone();
        }
        Arc::new(Plan {
            dataset,
            columns: plans,
            zone: Zone::CHINA,
        })
    }

    fn contracts() -> Assembler {
        let columns = [
            ("contract_id", Source::Cell(0)),
            ("amount", Source::Cell(1)),
            ("signed_on", Source::Cell(2)),
            ("title", Source::Cell(3)),
            ("amendments", Source::Cell(4)),
        ];
        Assembler::new(plan("contracts", &columns), "0".into())
    }

    #[test]
    fn a_failing_row_leaves_nothing_behind() {
        let mut assembler = contracts();
        let row = |id, amount, day, title, count| {
            [
                Cell::Text(id),
                Cell::Text(amount),
                Cell::Text(day),
                Cell::Text(title),
                Cell::Text(count),
            ]
        };
        assembler
            .push(&row("C1", "1.5", "2024-03-05", "甲", "1")[..], 2)
            .unwrap();
        let bad = assembler
            .push(&row("C2", "2", "2024-03-05", "乙", "many")[..], 3)
            .unwrap_err();
        assert_eq!(
            (&*bad.field, bad.reason, bad.detail.as_str()),
            ("amendments", Reason::BadInt, "many")
        );
        assert_eq!(
            assembler
                .push(&row("", "2", "", "", "")[..], 4)
                .unwrap_err()
                .reason,
            Reason::MissingKey
        );
        assembler
            .push(&row("C3", "", "2024年4月", "　", "3")[..], 5)
            .unwrap();
        assert_eq!(assembler.take_notices("f")[0].code, "DATE_TO_MONTH");
        let rows = assembler.take().unwrap().unwrap();
        assert_eq!(rows.positions.values(), &[2, 5]);
        let batch = rows.columns;
        assert_eq!(batch.schema(), rows.dataset.schema());
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let ids: Vec<_> = column("contract_id")
            .as_string::<i32>()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect();
        assert_eq!(ids, ["C1", "C3"]);
        let amounts = column("amount");
        assert_eq!(amounts.as_primitive::<Decimal128Type>().value(0), 150);
        assert!(amounts.is_null(1) && column("title").is_null(1) && column("category").is_null(0));
        assert!(assembler.take().unwrap().is_none());
    }

    #[test]
    fn a_total_is_no_row() {
        let mut assembler = contracts();
        for word in ["合计", "合　计", " 小计：", "本页合计:"] {
            let bad = assembler
                .push(&[Cell::Text(word), Cell::Text("3.50")][..], 1)
                .unwrap_err();
            assert_eq!(
                (&*bad.field, bad.reason),
                ("contract_id", Reason::TotalsRow),
                "{word}"
            );
        }
        for word in ["合计1", "HT合计", "合同001", "总"] {
            assembler
                .push(&[Cell::Text(word), Cell::Text("3.50")][..], 1)
                .unwrap();
        }
        assert_eq!(assembler.rows(), 4);
    }

    #[test]
    fn constants_templates_and_conditions() {
        let columns = [
            (
                "agreement_id",
                Source::Template(vec![Part::Cell(0), Part::Literal("-".into()), Part::Cell(1)]),
            ),
            ("hospital_id", Source::Constant("H1".into())),
            ("is_retroactive", Source::Equals(2, "补签".into())),
        ];
        let mut assembler = Assembler::new(plan("agreements", &columns), "0".into());
        let day = 19_787 * crate::coerce::date::DAY;
        assembler
            .push(
                &[Cell::Text(" 甲 "), Cell::Local(day), Cell::Text("补 签")][..],
                1,
            )
            .unwrap();
        let empty = assembler
            .push(&[Cell::Empty, Cell::Text(" "), Cell::Empty][..], 2)
            .unwrap_err();
        assert_eq!(
            (&*empty.field, empty.reason),
            ("agreement_id", Reason::MissingKey)
        );
        assembler.push(&[Cell::Text("乙")][..], 3).unwrap();
        let batch = assembler.take().unwrap().unwrap().columns;
        let ids: Vec<_> = batch
            .column(0)
            .as_string::<i32>()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect();
        assert_eq!(ids, ["甲-2024-03-05", "乙-"]);
        let flags = batch.column_by_name("is_retroactive").unwrap().as_boolean();
        assert_eq!((flags.value(0), flags.value(1)), (true, false));
    }

    #[test]
    fn moments_with_and_without_a_zone() {
        let columns = [("bid_id", Source::Cell(0)), ("submitted_at", Source::Cell(1))];
        let mut assembler = Assembler::new(plan("bids", &columns), "0".into());
        let hour = 3_600_000_000;
        for (n, (cell, expected)) in [
            (Cell::Text("1970-01-01 08:00"), 0),
            (Cell::Local(8 * hour), 0),
            (Cell::Instant(hour), hour),
            (Cell::Text("1970-01-01T00:00:00Z"), 0),
            (Cell::Text("1970-01-02"), 16 * hour),
        ]
        .into_iter()
        .enumerate()
        {
            assembler.push(&[Cell::Text("B"), cell][..], n as u64).unwrap();
            let batch = assembler.take().unwrap().unwrap().columns;
            let micros = batch
                .column_by_name("submitted_at")
                .unwrap()
                .as_primitive::<TimestampMicrosecondType>()
                .value(0);
            assert_eq!(micros, expected, "{cell:?}");
        }
    }

    proptest! {
        /// Every record is a row or an error, and rows keep their own values.
        #[test]
        fn rows_and_errors_add_up(records in prop::collection::vec(
            ("[a-c]{0,2}", "[0-9.,x万]{0,4}", "(2024-0[1-9]-1[0-9]|[0-9-]{0,6})", "[a中 ]{0,3}", "[0-9]{0,2}"), 0..40)) {
            let mut assembler = contracts();
            let mut kept = Vec::new();
            for (n, (id, amount, day, title, count)) in records.iter().enumerate() {
                let cells = [Cell::Text(id), Cell::Text(amount), Cell::Text(day), Cell::Text(title), Cell::Text(count)];
                if assembler.push(&cells[..], n as u64).is_ok() {
                    kept.push((n as u64, id.clone(), trim(title).to_owned()));
                }
            }
            let rows = assembler.take().unwrap();
            prop_assert_eq!(rows.as_ref().map_or(0, |r| r.columns.num_rows()), kept.len());
            if let Some(rows) = rows {
                let ids = rows.columns.column(0).as_string::<i32>();
                let titles = rows.columns.column_by_name("title").unwrap().as_string::<i32>();
                for (at, (position, id, title)) in kept.iter().enumerate() {
                    prop_assert_eq!(rows.positions.value(at), *position);
                    prop_assert_eq!(ids.value(at), id);
                    prop_assert_eq!(titles.is_null(at), title.is_empty());
                    prop_assert_eq!(titles.value(at), title);
                }
            }
        }
    }
}
