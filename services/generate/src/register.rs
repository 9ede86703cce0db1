//! Registers: the small tables of a province, kept in memory until they are written in their formats.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::NaiveDate;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format as CellFormat, Workbook};

use crate::error::Error;
use crate::ink::{Cell, written};
use crate::schema::{Format, Sheet};

/// Rows of one dataset, in the order of the sheet's columns.
pub(crate) struct Register {
    pub(crate) sheet: &'static Sheet,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Register {
    /// Adds a row; columns that are not named are null.
    pub(crate) fn put(&mut self, cells: Vec<(&'static str, Cell)>) {
        let mut row = vec![Cell::Null; self.sheet.columns.len()];
        for (name, cell) in cells {
            let place = self.sheet.columns.iter().position(|(n, _)| *n == name);
            debug_assert!(place.is_some(), "{}.{name} is not written", self.sheet.dataset);
            if let Some(slot) = place.and_then(|p| row.get_mut(p)) {
                *slot = cell;
            }
        }
        self.rows.push(row);
    }

    /// Writes the register into `dir`, named after its dataset.
    pub(crate) fn write(&self, dir: &Path, seed: u64) -> Result<(), Error> {
        let salt = self
            .sheet
            .dataset
            .bytes()
            .fold(seed, |h, b| h.wrapping_mul(131).wrapping_add(u64::from(b)));
        let mut rng = ChaCha8Rng::seed_from_u64(salt);
        let extension = match self.sheet.format {
            Format::Xlsx => "xlsx",
            Format::JsonLines => "jsonl",
            _ => "csv",
        };
        let path = dir.join(format!("{}.{extension}", self.sheet.dataset));
        match self.sheet.format {
            Format::Xlsx => self.write_xlsx(&path, &mut rng),
            Format::JsonLines => self.write_json_lines(&path, &mut rng),
            Format::CsvGb18030 | Format::CsvUtf8Bom | Format::CsvUtf8 => self.write_csv(&path, &mut rng),
        }
    }

    fn write_csv(&self, path: &Path, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        let english = self.sheet.format == Format::CsvUtf8;
        let mut out = String::new();
        let mut file = create(path)?;
        if self.sheet.format == Format::CsvUtf8Bom {
            out.push('\u{feff}');
        }
        for (n, (name, label)) in self.sheet.columns.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            out.push_str(if english { name } else { label });
        }
        out.push_str("\r\n");
        for row in &self.rows {
            for (n, cell) in row.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                push_quoted(&mut out, &written(cell, rng));
            }
            out.push_str("\r\n");
            if out.len() > 1 << 20 {
                self.flush(&mut file, path, &mut out)?;
            }
        }
        self.flush(&mut file, path, &mut out)?;
        file.flush().map_err(|e| Error::write(path, e))
    }

    fn flush(&self, file: &mut BufWriter<File>, path: &Path, out: &mut String) -> Result<(), Error> {
        let bytes = if self.sheet.format == Format::CsvGb18030 {
            encoding_rs::GB18030.encode(out).0.into_owned()
        } else {
            out.as_bytes().to_vec()
        };
        file.write_all(&bytes).map_err(|e| Error::write(path, e))?;
        out.clear();
        Ok(())
    }

    fn write_json_lines(&self, path: &Path, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        let mut file = create(path)?;
        for row in &self.rows {
            let mut object = serde_json::Map::new();
            for ((name, _), cell) in self.sheet.columns.iter().zip(row) {
                let value = match cell {
                    Cell::Null => serde_json::Value::Null,
                    Cell::Bool(b) => serde_json::Value::Bool(*b),
                    Cell::Date(d) => d.to_string().into(),
                    Cell::Money(_) | Cell::Decimal(_) => plain_number(cell).into(),
                    other => written(other, rng).into(),
                };
                object.insert((*name).to_owned(), value);
            }
            let mut line = serde_json::Value::Object(object).to_string();
            line.push('\n');
            file.write_all(line.as_bytes())
                .map_err(|e| Error::write(path, e))?;
        }
        file.flush().map_err(|e| Error::write(path, e))
    }

    /// Dates and numbers go into a spreadsheet as such in most rows, and as text in some, as people type.
    fn write_xlsx(&self, path: &Path, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        let failed = |e| Error::Spreadsheet {
            path: path.to_path_buf(),
            source: e,
        };
        let mut workbook = Workbook::new();
        let created = ExcelDateTime::from_ymd(2025, 1, 31).map_err(failed)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
        let date_format = CellFormat::new().set_num_format("yyyy-mm-dd");
        let time_format = CellFormat::new().set_num_format("yyyy-mm-dd hh:mm");
        let sheet = workbook.add_worksheet();
        for (column, (_, label)) in (0_u16..).zip(self.sheet.columns) {
            sheet.write_string(0, column, *label).map_err(failed)?;
        }
        for (line, row) in (1_u32..).zip(&self.rows) {
            for (column, cell) in (0_u16..).zip(row) {
                use rand::Rng;
                let as_text = rng.random_range(0..8) == 0;
                match cell {
                    Cell::Null => {}
                    Cell::Date(day) if !as_text => {
                        let serial = excel_serial(*day);
                        sheet
                            .write_number_with_format(line, column, serial, &date_format)
                            .map_err(failed)?;
                    }
                    Cell::Time(time) if !as_text => {
                        let moment =
                            ExcelDateTime::parse_from_str(&time.format("%Y-%m-%dT%H:%M:%S").to_string())
                                .map_err(failed)?;
                        sheet
                            .write_datetime_with_format(line, column, &moment, &time_format)
                            .map_err(failed)?;
                    }
                    // A spreadsheet holds doubles: the shortest text of one is the number that was meant.
                    Cell::Money(_) | Cell::Decimal(_) | Cell::Int(_) if !as_text => {
                        let number = plain_number(cell).parse::<f64>().unwrap_or_default();
                        sheet.write_number(line, column, number).map_err(failed)?;
                    }
                    other => {
                        let text = written(other, rng);
                        sheet.write_string(line, column, text).map_err(failed)?;
                    }
                }
            }
        }
        workbook.save(path).map_err(failed)?;
        Ok(())
    }
}

fn excel_serial(day: NaiveDate) -> f64 {
    let days = day
        .signed_duration_since(crate::calendar::date(1899, 12, 30))
        .num_days();
    f64::from(i32::try_from(days).unwrap_or_default())
}

/// A number without separators or units.
fn plain_number(cell: &Cell) -> String {
    let mut out = Vec::new();
    match cell {
        Cell::Money(cents) => crate::ink::write_decimal(&mut out, *cents, 2, 0, false),
        Cell::Decimal(value) => crate::ink::write_decimal(&mut out, *value, 4, 0, false),
        Cell::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        _ => {}
    }
    out.iter().map(|b| char::from(*b)).collect()
}

fn push_quoted(out: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&field.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(field);
    }
}

pub(crate) fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    let file = File::create(path).map_err(|e| Error::write(path, e))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}
