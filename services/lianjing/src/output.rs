//! Results on stdout: a table for people, one JSON object a line, or CSV that a spreadsheet cannot take for formulas.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use comfy_table::{ContentArrangement, Table, presets};
use domain::Lang;
use serde::Serialize;

use crate::cli::{Format, Global};

/// A column of a result: its name for programs, and for people.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub key: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
}

pub const fn column(key: &'static str, zh: &'static str, en: &'static str) -> Column {
    Column { key, zh, en }
}

/// Writes results in the chosen format.
pub struct Output {
    pub format: Format,
    pub lang: Lang,
    /// Whether CSV begins with a byte order mark.
    bom: bool,
    out: BufWriter<io::Stdout>,
}

impl Output {
    pub fn new(global: &Global) -> Self {
        Self {
            format: global.format.into(),
            lang: global.lang.into(),
            bom: global.bom,
            out: BufWriter::new(io::stdout()),
        }
    }

    /// One text in the user's language.
    pub fn say<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// A whole list: each entry as cells (for table and CSV) and as an object (for JSON).
    pub fn list<T: Serialize>(
        &mut self,
        columns: &[Column],
        rows: impl IntoIterator<Item = (Vec<String>, T)>,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => {
                for (_, object) in rows {
                    self.json_line(&object)?;
                }
            }
            Format::Csv => {
                let cells = rows.into_iter().map(|(cells, _)| cells);
                self.csv(&columns.iter().map(|c| c.key).collect::<Vec<_>>(), cells)?;
            }
            Format::Table => {
                let titles: Vec<&str> = columns.iter().map(|c| self.say(c.zh, c.en)).collect();
                let cells: Vec<Vec<String>> = rows.into_iter().map(|(cells, _)| cells).collect();
                self.table(&titles, cells)?;
            }
        }
        self.out.flush()
    }

    /// A table without lines between cells; wide cells wrap on a terminal only.
    pub fn table(&mut self, titles: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(titles);
        let arrangement = match io::stdout().is_terminal() {
            true => ContentArrangement::Dynamic,
            false => ContentArrangement::Disabled,
        };
        table.set_content_arrangement(arrangement);
        for row in rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Header and rows.
    pub fn csv(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> io::Result<()> {
        if self.bom {
            self.out.write_all("\u{feff}".as_bytes())?;
        }
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer.write_record(header).map_err(io_error)?;
        for row in rows {
            writer
                .write_record(row.iter().map(|cell| without_formula(cell)))
                .map_err(io_error)?;
        }
        writer.flush()
    }

    /// Rows of a CSV whose header is written already.
    pub fn csv_rows(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        for row in rows {
            writer
                .write_record(row.iter().map(|cell| without_formula(cell)))
                .map_err(io_error)?;
        }
        writer.flush()
    }

    /// One object on a line of its own.
    pub fn json_line(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object).map_err(io::Error::from)?;
        self.out.write_all(b"\n")
    }

    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))
    }

    /// A piece of a file, as it is.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line for people on stderr.
pub fn tell(text: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// The text without control characters, which could rewrite a terminal; tabs and line ends stay.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// The cell, marked as text when a spreadsheet would take it for a formula. Plain numbers stay as they are.
pub fn without_formula(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if risky && !is_number(cell) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(e) => e,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for risky in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "＝1+1",
            "-",
            "-1.2.3",
            "+1e5",
        ] {
            assert_eq!(without_formula(risky), format!("'{risky}"));
        }
        for plain in ["-12.50", "+3", "甲公司", "", "2024-03-05", "a=b"] {
            assert_eq!(without_formula(plain), plain);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\t"), "a\u{fffd}[2Jb\nc\t");
    }
}
