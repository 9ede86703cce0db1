//! Workbooks: sheets are read as a stream of rows; cells keep the type that the workbook gives them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use calamine::{Data, DataRef, ExcelDateTime, Reader, Xls, XlsError, Xlsx, XlsxError};
use connector::coerce::date::Zone;
use connector::coerce::{Cell, fold, trim};
use connector::columns::moment_text;
use connector::mapping::{Layout, Refusal};
use connector::plan::Assembler;
use connector::{RawBatch, ReadRequest, Reason};
use domain::Bilingual;
use domain::Dataset;

use crate::connector_files::{Reading, SheetReading, place, stem};
use crate::error::FilesError;
use crate::file_table::{FileTable, HEADER_ROWS_MAX};
use crate::names;
use crate::sink::{Place, Sink};
use crate::tables::row_notices;
use crate::zip_limits;

/// Largest XLS file: it is held in memory whole.
const XLS_BYTES_MAX: u64 = 128 << 20;

/// A kept workbook.
pub struct Workbook<'a> {
    /// Path below the source's directory.
    pub name: &'a str,
    pub raw: &'a RawBatch,
    pub zone: Zone,
    pub request: &'a ReadRequest,
    pub sink: &'a Sink,
}

/// One cell, with the type that the workbook gives it.
#[derive(Debug, Clone, PartialEq)]
enum SheetCell {
    Empty,
    Text(String),
    Number(String),
    Local(i64),
    Bool(bool),
    Error(String),
}

impl SheetCell {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Empty => Cell::Empty,
            Self::Text(text) => Cell::Text(text),
            Self::Number(text) => Cell::SheetNumber(text),
            Self::Local(micros) => Cell::Local(*micros),
            Self::Bool(value) => Cell::Bool(*value),
            Self::Error(text) => Cell::Broken(Reason::CellError, text),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Number(text) | Self::Error(text) => text.clone(),
            Self::Local(micros) => moment_text(*micros),
            Self::Bool(value) => value.to_string(),
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => trim(text).is_empty(),
            _ => false,
        }
    }

    /// The shortest decimal text that is this double; what rounding remains is done on that text.
    fn number(value: f64) -> Self {
        if value.is_finite() {
            Self::Number(value.to_string())
        } else {
            Self::Error(value.to_string())
        }
    }

    fn moment(value: ExcelDateTime) -> Self {
        if value.is_duration() {
            return Self::number(value.as_f64());
        }
        let (year, month, day, hour, minute, second, millisecond) = value.to_ymd_hms_milli();
        let text =
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millisecond:03}");
        // A day such as 1900-02-29, which spreadsheets have and the calendar has not, stays text.
        match connector::coerce::date::parse(&text) {
            Ok(written) => Self::Local(written.instant(Zone(0))),
            Err(_) => Self::Text(text),
        }
    }
}

impl From<&DataRef<'_>> for SheetCell {
    fn from(data: &DataRef<'_>) -> Self {
        match data {
            DataRef::Empty => Self::Empty,
            DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
                Self::Text(text.clone())
            }
            DataRef::SharedString(text) => Self::Text((*text).to_owned()),
            DataRef::Int(value) => Self::Number(value.to_string()),
            DataRef::Float(value) => Self::number(*value),
            DataRef::Bool(value) => Self::Bool(*value),
            DataRef::DateTime(value) => Self::moment(*value),
            DataRef::Error(error) => Self::Error(error.to_string()),
        }
    }
}

impl From<&Data> for SheetCell {
    fn from(data: &Data) -> Self {
        match data {
            Data::Empty => Self::Empty,
            Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => {
                Self::Text(text.clone())
            }
            Data::Int(value) => Self::Number(value.to_string()),
            Data::Float(value) => Self::number(*value),
            Data::Bool(value) => Self::Bool(*value),
            Data::DateTime(value) => Self::moment(*value),
            Data::Error(error) => Self::Error(error.to_string()),
        }
    }
}

enum Opened {
    Xlsx(Box<Xlsx<BufReader<File>>>),
    Xls(Box<Xls<BufReader<File>>>),
}

impl Workbook<'_> {
    /// Reads the sheets that `mapped` knows; without it those named after datasets; without any of those the
    /// first sheet of a file named after one. `expected` are the sheets that the mapping names for this file.
    pub fn read(
        &self,
        mapped: impl Fn(&str) -> SheetReading,
        expected: &[(Arc<Dataset>, String)],
    ) -> Result<(), FilesError> {
        let own = names::dataset_of(stem(self.name));
        // Where a refusal of the whole file is counted.
        let blamed: BTreeSet<String> = expected
            .iter()
            .map(|(d, _)| d)
            .chain(own.iter())
            .map(|d| d.name.clone())
            .collect();
        let mut book = match self.guarded(|| self.open()) {
            Ok(book) => book,
            Err((reason, detail)) => return self.refuse(&blamed, reason, &detail),
        };
        let sheets = match &book {
            Opened::Xlsx(book) => book.sheet_names(),
            Opened::Xls(book) => book.sheet_names(),
        };
        for (dataset, sheet) in expected
            .iter()
            .filter(|(_, wanted)| !sheets.iter().any(|s| fold(s) == fold(wanted)))
        {
            let detail = format!("there is no sheet {sheet}; there are {}", sheets.join(", "));
            self.sink
                .send(place(dataset, self.raw, self.name).refused(Reason::MissingPart, detail))?;
        }
        let mut readings: Vec<(String, SheetReading)> = sheets
            .into_iter()
            .map(|sheet| {
                let reading = match mapped(&sheet) {
                    SheetReading::Unknown => by_name(&sheet),
                    known => known,
                };
                (sheet, reading)
            })
            .collect();
        let any = readings.iter().any(|(_, r)| matches!(r, SheetReading::Read(_)));
        let first = readings
            .iter_mut()
            .find(|(_, r)| matches!(r, SheetReading::Unknown));
        if let (false, Some(dataset), Some((_, reading))) = (any, own, first) {
            *reading = SheetReading::Read(vec![Reading { dataset, entry: None }]);
        }
        for (sheet, reading) in &readings {
            match reading {
                SheetReading::Skip => {}
                SheetReading::Unknown => {
                    let place = format!("{}#{sheet}", self.name);
                    self.sink
                        .notice("SHEET_NOT_READ", &place, names::not_read(sheet), 1)?;
                }
                SheetReading::Read(readings) => {
                    for reading in readings {
                        self.read_sheet(&mut book, sheet, reading)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn refuse(&self, blamed: &BTreeSet<String>, reason: Reason, detail: &str) -> Result<(), FilesError> {
        for name in blamed {
            let place = Place {
                dataset: name.as_str().into(),
                batch: self.raw.digest.clone(),
                file: self.name.into(),
            };
            self.sink.send(place.refused(reason, detail.to_owned()))?;
        }
        if blamed.is_empty() {
            let message = reason.text();
            self.sink.notice(reason.code(), self.name, message, 1)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Opened, Refusal> {
        let damaged = |e: &dyn std::fmt::Display| (Reason::DamagedFile, e.to_string());
        let open = || File::open(&self.raw.path).map_err(|e| damaged(&e));
        let mut start = Vec::new();
        open()?.take(8).read_to_end(&mut start).map_err(|e| damaged(&e))?;
        match start.as_slice() {
            [] => Err((Reason::EmptyFile, String::new())),
            [b'P', b'K', ..] => {
                zip_limits::check(&self.raw.path)?;
                match Xlsx::new(BufReader::new(open()?)) {
                    Ok(book) => Ok(Opened::Xlsx(Box::new(book))),
                    Err(XlsxError::Password) => Err((Reason::PasswordProtected, String::new())),
                    Err(e) => Err(damaged(&e)),
                }
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => {
                // Before the limit on its size: a workbook with a password is packed like an XLS, whatever it is.
                if is_encrypted(open()?).map_err(|e| damaged(&e))? {
                    return Err((Reason::PasswordProtected, String::new()));
                }
                if self.raw.bytes > XLS_BYTES_MAX {
                    return Err((
                        Reason::TooLarge,
                        format!("an XLS file may have {XLS_BYTES_MAX} bytes; save it as XLSX"),
                    ));
                }
                match Xls::new(BufReader::new(open()?)) {
                    Ok(book) => Ok(Opened::Xls(Box::new(book))),
                    Err(XlsError::Password) => Err((Reason::PasswordProtected, String::new())),
                    Err(e) => Err(damaged(&e)),
                }
            }
            _ => Err((
                Reason::DamagedFile,
                "it is no workbook; if it is text or HTML, save it as XLSX or CSV".to_owned(),
            )),
        }
    }

    /// Damaged workbooks must not end the program, whatever the library makes of them.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err((
                Reason::DamagedFile,
                "the workbook could not be made out".to_owned(),
            ))
        })
    }

    fn read_sheet(&self, book: &mut Opened, sheet: &str, reading: &Reading) -> Result<(), FilesError> {
        let place = place(&reading.dataset, self.raw, &format!("{}#{sheet}", self.name));
        let entry = reading.entry.as_deref();
        let kind = FileTable::new(reading.dataset.clone(), entry, self.zone, stem(self.name), sheet);
        let mut rows = SheetRows {
            kind: &kind,
            place: &place,
            batch_rows: self.request.batch_rows,
            sink: self.sink,
            phase: Phase::Looking(Vec::new()),
            blank: 0,
            not_data: 0,
        };
        let mut stopped = None;
        let read = self.guarded(|| {
            let mut row = |number, cells: &[SheetCell]| match rows.row(number, cells) {
                Ok(go_on) => go_on,
                Err(error) => {
                    stopped = Some(error);
                    false
                }
            };
            match book {
                Opened::Xlsx(book) => xlsx_rows(book, sheet, &mut row),
                Opened::Xls(book) => xls_rows(book, sheet, &mut row),
            }
        });
        if let Some(error) = stopped {
            return Err(error);
        }
        rows.finish()?;
        match read {
            Ok(()) => Ok(()),
            Err((reason, detail)) => self.sink.send(place.refused(reason, detail)),
        }
    }
}

fn by_name(sheet: &str) -> SheetReading {
    match names::dataset_of(sheet) {
        Some(dataset) => SheetReading::Read(vec![Reading { dataset, entry: None }]),
        None => SheetReading::Unknown,
    }
}

/// Gives each row that has cells, with its number from 1, until `row` says to stop.
fn xlsx_rows(
    book: &mut Xlsx<BufReader<File>>,
    sheet: &str,
    row: &mut dyn FnMut(u64, &[SheetCell]) -> bool,
) -> Result<(), Refusal> {
    let damaged = |e: XlsxError| (Reason::DamagedFile, e.to_string());
    let mut reader = book.worksheet_cells_reader(sheet).map_err(damaged)?;
    let mut cells: Vec<SheetCell> = Vec::new();
    let mut current = 0;
    while let Some(cell) = reader.next_cell().map_err(damaged)? {
        let (at_row, at_column) = cell.get_position();
        if at_row != current {
            if !cells.is_empty() && !row(u64::from(current) + 1, &cells) {
                return Ok(());
            }
            cells.clear();
            current = at_row;
        }
        let at = at_column as usize;
        if cells.len() <= at {
            cells.resize(at + 1, SheetCell::Empty);
        }
        cells[at] = SheetCell::from(cell.get_value());
    }
    if !cells.is_empty() {
        row(u64::from(current) + 1, &cells);
    }
    Ok(())
}

fn xls_rows(
    book: &mut Xls<BufReader<File>>,
    sheet: &str,
    row: &mut dyn FnMut(u64, &[SheetCell]) -> bool,
) -> Result<(), Refusal> {
    let range = book
        .worksheet_range(sheet)
        .map_err(|e| (Reason::DamagedFile, e.to_string()))?;
    let (first_row, first_column) = range.start().unwrap_or_default();
    for (number, data) in (u64::from(first_row) + 1..).zip(range.rows()) {
        let mut cells = vec![SheetCell::Empty; first_column as usize];
        cells.extend(data.iter().map(SheetCell::from));
        if !row(number, &cells) {
            break;
        }
    }
    Ok(())
}

/// Rows of one sheet: first those among which the header is, then data.
struct SheetRows<'a> {
    kind: &'a FileTable<'a>,
    place: &'a Place,
    batch_rows: usize,
    sink: &'a Sink,
    phase: Phase,
    blank: u64,
    not_data: u64,
}

enum Phase {
    Looking(Vec<(u64, Vec<SheetCell>)>),
    Reading {
        layout: Layout,
        header: Vec<String>,
        assembler: Box<Assembler>,
    },
    Refused,
}

impl SheetRows<'_> {
    /// False when no more rows are wanted.
    fn row(&mut self, number: u64, cells: &[SheetCell]) -> Result<bool, FilesError> {
        let is_blank = cells.iter().all(SheetCell::is_blank);
        match &mut self.phase {
            Phase::Refused => return Ok(false),
            Phase::Looking(_) if is_blank => {}
            Phase::Looking(seen) => {
                seen.push((number, cells.to_vec()));
                let header_row = self.kind.entry.and_then(|e| e.header_row);
                if seen.len() >= HEADER_ROWS_MAX || header_row.is_some_and(|wanted| number >= wanted) {
                    self.settle()?;
                }
            }
            Phase::Reading { .. } if is_blank => self.blank += 1,
            Phase::Reading { .. } => self.data(number, cells)?,
        }
        Ok(true)
    }

    fn finish(&mut self) -> Result<(), FilesError> {
        if matches!(self.phase, Phase::Looking(_)) {
            self.settle()?;
        }
        self.sink
            .notices(row_notices(&self.place.file, self.blank, self.not_data))?;
        if let Phase::Reading { assembler, .. } = &mut self.phase {
            flush(assembler, self.place, self.sink)?;
            self.sink.notices(assembler.take_notices(&self.place.file))?;
        }
        Ok(())
    }

    /// Finds the header among the rows seen and reads those below it.
    fn settle(&mut self) -> Result<(), FilesError> {
        let Phase::Looking(seen) = std::mem::replace(&mut self.phase, Phase::Refused) else {
            return Ok(());
        };
        if seen.is_empty() {
            return self
                .sink
                .send(self.place.refused(Reason::EmptyFile, String::new()));
        }
        let texts: Vec<Vec<String>> = seen
            .iter()
            .map(|(_, cells)| cells.iter().map(SheetCell::text).collect())
            .collect();
        let header = match self.kind.entry.and_then(|e| e.header_row) {
            Some(wanted) => seen.iter().position(|(number, _)| *number == wanted),
            None => {
                let scores = texts
                    .iter()
                    .map(|row| self.kind.header_score(row.iter().map(String::as_str)));
                let best = scores
                    .enumerate()
                    .filter(|(_, s)| *s > 0)
                    .rev()
                    .max_by_key(|(_, s)| *s);
                best.map(|(at, _)| at)
            }
        };
        let Some(header) = header else {
            let key = self
                .kind
                .dataset
                .key
                .iter()
                .map(|k| self.kind.looked_for(k))
                .collect::<Vec<_>>()
                .join("; ");
            return self.sink.send(self.place.refused(Reason::MissingHeader, key));
        };
        let cells: Vec<&str> = texts[header].iter().map(String::as_str).collect();
        let layout = match self.kind.layout(&cells, &self.place.file) {
            Ok(layout) => layout,
            Err((reason, detail)) => return self.sink.send(self.place.refused(reason, detail)),
        };
        self.sink.notices(layout.notices.clone())?;
        if header > 0 {
            let text = Bilingual::new("表头以上的行未作为数据读取", "lines above the header are no data");
            self.sink
                .notice("LINES_ABOVE_HEADER", &self.place.file, text, header as u64)?;
        }
        let assembler = Box::new(Assembler::new(layout.plan.clone(), self.place.batch.clone()));
        self.phase = Phase::Reading {
            layout,
            header: texts[header].clone(),
            assembler,
        };
        for (number, cells) in &seen[header + 1..] {
            self.data(*number, cells)?;
        }
        Ok(())
    }

    fn data(&mut self, number: u64, cells: &[SheetCell]) -> Result<(), FilesError> {
        let Phase::Reading {
            layout,
            header,
            assembler,
        } = &mut self.phase
        else {
            return Ok(());
        };
        let first = cells.iter().find(|c| !c.is_blank());
        if first.is_some_and(|c| self.kind.is_not_data(&c.text())) {
            self.not_data += 1;
            return Ok(());
        }
        let beside = cells
            .iter()
            .enumerate()
            .skip(layout.width)
            .find(|(_, c)| !c.is_blank());
        let problem = match beside {
            Some((at, _)) => Some((
                None,
                Reason::WrongCellCount,
                format!("a value in column {}, the header has {}", at + 1, layout.width),
            )),
            None => {
                let record: Vec<Cell<'_>> = cells.iter().map(SheetCell::cell).collect();
                assembler
                    .push(record.as_slice(), number)
                    .err()
                    .map(|bad| (Some(bad.field), bad.reason, bad.detail))
            }
        };
        if let Some((field, reason, detail)) = problem {
            let raw = as_json(header, cells);
            self.sink
                .send(self.place.rejected(number, field, reason, detail, raw.as_bytes()))?;
        }
        if assembler.is_full(self.batch_rows) {
            flush(assembler, self.place, self.sink)?;
        }
        Ok(())
    }
}

fn flush(assembler: &mut Assembler, place: &Place, sink: &Sink) -> Result<(), FilesError> {
    let rows = assembler.take().map_err(|source| FilesError::Assemble {
        name: place.file.to_string(),
        source,
    })?;
    sink.rows(rows)
}

/// A row as one line of JSON, for quarantine.
fn as_json(header: &[String], cells: &[SheetCell]) -> String {
    let members = cells
        .iter()
        .enumerate()
        .filter(|(_, c)| !c.is_blank())
        .map(|(n, cell)| {
            let name = header.get(n).map(|h| trim(h)).filter(|h| !h.is_empty());
            (
                name.map_or_else(|| format!("column {}", n + 1), str::to_owned),
                serde_json::Value::String(cell.text()),
            )
        });
    serde_json::Value::Object(members.collect()).to_string()
}

/// Whether a compound file (OLE) has a stream `EncryptedPackage`, which holds an XLSX with a password.
fn is_encrypted(mut file: File) -> std::io::Result<bool> {
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut window = Vec::new();
    loop {
        let kept = window.len().min(name.len());
        window.drain(..window.len() - kept);
        if file.by_ref().take(1 << 20).read_to_end(&mut window)? == 0 {
            return Ok(false);
        }
        if memchr::memmem::find(&window, &name).is_some() {
            return Ok(true);
        }
    }
}
