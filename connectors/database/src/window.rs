//! Rows of one fetch: written once as JSON lines, which is what is kept, and read as cells from there.
//!
//! The raw batch of a fetch is zstd-compressed JSON Lines. The first line says what was asked: format, source,
//! stream, dataset, server, statement with its bound values, columns with their types. Every further line is one
//! row, a JSON array in the order of those columns; row n stands on line n + 1. Numbers have the digits that the
//! server gave (a double its shortest decimal), times are ISO 8601, what is neither text nor number is told as text.

use std::io::Write;
use std::ops::Range;

use connector::coerce::Cell;
use connector::coerce::date::DAY;
use connector::plan::Record;
use connector::reason::Reason;

use crate::cursor::{CursorKind, CursorValue};

/// Longest row, as JSON.
pub const ROW_BYTES_MAX: usize = 16 << 20;
/// A window is handed on when its rows take this much.
pub const WINDOW_BYTES_MAX: usize = 32 << 20;

#[derive(Debug, Clone, Copy)]
enum Kept {
    Empty,
    Bool(bool),
    /// A place in the lines, without quotes.
    Number(Place),
    Text(Place),
    /// A text that JSON writes differently, as it came.
    Escaped(Place),
    Local(i64),
    Instant(i64),
    Broken(Reason, Place),
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    end: u32,
}

impl Place {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Rows on their way from the server to the raw store and the columns.
#[derive(Debug)]
pub struct Window {
    width: usize,
    lines: String,
    escaped: String,
    cells: Vec<Kept>,
    /// Where each row's line ends.
    ends: Vec<usize>,
}

impl Window {
    /// For rows of `width` columns.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            lines: String::new(),
            escaped: String::new(),
            cells: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> usize {
        self.lines.len() + self.escaped.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    // === writing, one call a value ===

    fn separate(&mut self) {
        let is_first = self.cells.len() == self.ends.len() * self.width;
        self.lines.push(if is_first { '[' } else { ',' });
    }

    fn place(&self, start: usize) -> Place {
        Place {
            start: start as u32,
            end: self.lines.len() as u32,
        }
    }

    pub fn null(&mut self) {
        self.separate();
        self.lines.push_str("null");
        self.cells.push(Kept::Empty);
    }

    pub fn bool(&mut self, value: bool) {
        self.separate();
        self.lines.push_str(if value { "true" } else { "false" });
        self.cells.push(Kept::Bool(value));
    }

    /// Decimal digits as they came; anything that JSON takes for a number.
    pub fn number(&mut self, text: &str) {
        self.separate();
        let start = self.lines.len();
        self.lines.push_str(text);
        self.cells.push(Kept::Number(self.place(start)));
    }

    /// A number that a writer puts at the end of the line.
    pub fn number_with(&mut self, write: impl FnOnce(&mut String)) {
        self.separate();
        let start = self.lines.len();
        write(&mut self.lines);
        self.cells.push(Kept::Number(self.place(start)));
    }

    pub fn int(&mut self, value: i64) {
        self.number_with(|line| push_int(line, value));
    }

    /// The shortest decimal that is this double; none for what is no number.
    pub fn float(&mut self, value: f64) {
        if value.is_finite() {
            self.number_with(|line| push_display(line, value));
        } else {
            self.broken(Reason::BadDecimal, &value.to_string());
        }
    }

    /// As [`Self::float`], for the shorter kind.
    pub fn float4(&mut self, value: f32) {
        if value.is_finite() {
            self.number_with(|line| push_display(line, value));
        } else {
            self.broken(Reason::BadDecimal, &value.to_string());
        }
    }

    pub fn text(&mut self, text: &str) {
        self.separate();
        let cell = match self.quote(text) {
            (place, false) => Kept::Text(place),
            (_, true) => {
                let start = self.escaped.len() as u32;
                self.escaped.push_str(text);
                let end = self.escaped.len() as u32;
                Kept::Escaped(Place { start, end })
            }
        };
        self.cells.push(cell);
    }

    /// Bytes that should be UTF-8 text.
    pub fn utf8(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(text),
            Err(_) => self.broken(Reason::BadEncoding, &String::from_utf8_lossy(bytes)),
        }
    }

    /// Bytes that are no text: told in hexadecimal, up to 64 of them.
    pub fn binary(&mut self, bytes: &[u8]) {
        let mut shown = String::from("binary, ");
        push_int(&mut shown, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        shown.push_str(" bytes: ");
        bytes
            .iter()
            .take(64)
            .for_each(|b| shown.push_str(&format!("{b:02x}")));
        if bytes.len() > 64 {
            shown.push('…');
        }
        self.broken(Reason::BadEncoding, &shown);
    }

    /// Days since 1970-01-01.
    pub fn date(&mut self, day: i32) {
        self.separate();
        let micros = i64::from(day) * DAY;
        self.lines.push('"');
        push_day(&mut self.lines, micros);
        self.lines.push('"');
        self.cells.push(Kept::Local(micros));
    }

    /// Microseconds since 1970-01-01, without a zone.
    pub fn local(&mut self, micros: i64) {
        self.separate();
        self.lines.push('"');
        push_moment(&mut self.lines, micros);
        self.lines.push('"');
        self.cells.push(Kept::Local(micros));
    }

    /// UTC microseconds since 1970-01-01.
    pub fn instant(&mut self, micros: i64) {
        self.separate();
        self.lines.push('"');
        push_moment(&mut self.lines, micros);
        self.lines.push_str("Z\"");
        self.cells.push(Kept::Instant(micros));
    }

    /// Something that is no value; `shown` is what a person sees.
    pub fn broken(&mut self, reason: Reason, shown: &str) {
        self.separate();
        let (place, _) = self.quote(shown);
        self.cells.push(Kept::Broken(reason, place));
    }

    /// A JSON string; its place without the quotes, and whether it differs from the text.
    fn quote(&mut self, text: &str) -> (Place, bool) {
        self.lines.push('"');
        let start = self.lines.len();
        let plain = !text.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\');
        if plain {
            self.lines.push_str(text);
        } else {
            for c in text.chars() {
                match c {
                    '"' => self.lines.push_str("\\\""),
                    '\\' => self.lines.push_str("\\\\"),
                    '\n' => self.lines.push_str("\\n"),
                    '\r' => self.lines.push_str("\\r"),
                    '\t' => self.lines.push_str("\\t"),
                    c if (c as u32) < 0x20 => self.lines.push_str(&format!("\\u{:04x}", c as u32)),
                    c => self.lines.push(c),
                }
            }
        }
        let place = self.place(start);
        self.lines.push('"');
        (place, !plain)
    }

    /// Ends the row. True when the window is to be handed on.
    pub fn end_row(&mut self, rows_max: usize) -> bool {
        debug_assert_eq!(self.cells.len(), (self.ends.len() + 1) * self.width);
        self.lines.push_str("]\n");
        self.ends.push(self.lines.len());
        self.rows() >= rows_max || self.bytes() >= WINDOW_BYTES_MAX
    }

    /// Takes back a row that was begun and not ended.
    pub fn drop_open_row(&mut self) {
        self.cells.truncate(self.ends.len() * self.width);
        self.lines.truncate(self.ends.last().copied().unwrap_or(0));
    }

    // === reading ===

    /// The row's line without its end, a JSON array.
    pub fn line(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.lines[start..self.ends[row] - 1]
    }

    pub fn row(&self, row: usize) -> Row<'_> {
        Row { window: self, row }
    }

    /// The cursor column's value in the row; none when it is empty or unreadable.
    pub fn cursor(&self, row: usize, column: usize, kind: CursorKind) -> Option<CursorValue> {
        let text = match (self.cells[row * self.width + column], kind) {
            (Kept::Local(micros), CursorKind::Date) => {
                return i32::try_from(micros.div_euclid(DAY)).ok().map(CursorValue::Date);
            }
            (Kept::Local(micros), CursorKind::Local) => return Some(CursorValue::Local(micros)),
            (Kept::Instant(micros), CursorKind::Instant) => return Some(CursorValue::Instant(micros)),
            (Kept::Number(place) | Kept::Text(place), _) => &self.lines[place.range()],
            (Kept::Escaped(place), _) => &self.escaped[place.range()],
            _ => return None,
        };
        match kind {
            CursorKind::Integer => {
                let number = connector::coerce::decimal::parse(text, Default::default()).ok()?;
                connector::coerce::decimal::to_int(number, None)
                    .ok()
                    .map(CursorValue::Integer)
            }
            CursorKind::Text => Some(CursorValue::Text(text.to_owned())),
            _ => None,
        }
    }

    /// The raw batch: `header` (one line of JSON) and the rows, compressed.
    pub fn pack(&self, header: &str) -> std::io::Result<Vec<u8>> {
        let mut packer = zstd::Encoder::new(Vec::with_capacity(self.lines.len() / 6 + 1024), 1)?;
        packer.include_checksum(true)?;
        packer.write_all(header.as_bytes())?;
        packer.write_all(b"\n")?;
        packer.write_all(self.lines.as_bytes())?;
        packer.finish()
    }
}

/// One row of a window.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    window: &'a Window,
    row: usize,
}

impl Record for Row<'_> {
    fn cell<'s>(&'s self, index: usize, _: &'s mut String) -> Cell<'s> {
        let window = self.window;
        match window.cells[self.row * window.width + index] {
            Kept::Empty => Cell::Empty,
            Kept::Bool(value) => Cell::Bool(value),
            Kept::Number(place) => Cell::Number(&window.lines[place.range()]),
            Kept::Text(place) => Cell::Text(&window.lines[place.range()]),
            Kept::Escaped(place) => Cell::Text(&window.escaped[place.range()]),
            Kept::Local(micros) => Cell::Local(micros),
            Kept::Instant(micros) => Cell::Instant(micros),
            Kept::Broken(reason, place) => Cell::Broken(reason, &window.lines[place.range()]),
        }
    }
}

fn push_display(line: &mut String, value: impl std::fmt::Display) {
    use std::fmt::Write as _;
    // Writing to a String does not fail.
    let _ = write!(line, "{value}");
}

/// Faster than `Display`, which goes through the formatting machinery.
pub fn push_int(line: &mut String, value: i64) {
    if value < 0 {
        line.push('-');
    }
    push_digits(line, value.unsigned_abs(), 1);
}

fn push_digits(line: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    at = at.min(digits.len() - width);
    digits[at..].iter().for_each(|d| line.push(char::from(*d)));
}

/// Civil date from days (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
fn civil(days: i64) -> (i64, u64, u64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month as u64, day as u64)
}

fn push_day(line: &mut String, micros: i64) {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    if year < 0 {
        line.push('-');
    }
    push_digits(line, year.unsigned_abs(), 4);
    line.push('-');
    push_digits(line, month, 2);
    line.push('-');
    push_digits(line, day, 2);
}

fn push_moment(line: &mut String, micros: i64) {
    push_day(line, micros);
    let time = micros.rem_euclid(DAY) as u64;
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    for (mark, value) in [
        ('T', seconds / 3600),
        (':', seconds / 60 % 60),
        (':', seconds % 60),
    ] {
        line.push(mark);
        push_digits(line, value, 2);
    }
    if fraction > 0 {
        line.push('.');
        push_digits(line, fraction, 6);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cursor::naive;

    #[test]
    fn a_window_is_json_lines_and_cells_at_once() {
        let mut window = Window::new(4);
        window.text("甲\"\n");
        window.int(-5);
        window.null();
        window.instant(1_500_000);
        assert!(!window.end_row(2));
        window.utf8(&[0xff]);
        window.float(0.1 + 0.2);
        window.bool(true);
        window.date(19_000);
        assert!(window.end_row(2));
        window.text("half");
        window.drop_open_row();
        assert_eq!(
            window.line(0),
            r#"["甲\"\n",-5,null,"1970-01-01T00:00:01.500000Z"]"#
        );
        assert_eq!(
            window.line(1),
            "[\"\u{fffd}\",0.30000000000000004,true,\"2022-01-08\"]"
        );
        let mut scratch = String::new();
        let (first, second) = (window.row(0), window.row(1));
        assert_eq!(first.cell(0, &mut scratch), Cell::Text("甲\"\n"));
        assert_eq!(first.cell(1, &mut scratch), Cell::Number("-5"));
        assert_eq!(first.cell(3, &mut scratch), Cell::Instant(1_500_000));
        assert_eq!(
            second.cell(0, &mut scratch),
            Cell::Broken(Reason::BadEncoding, "\u{fffd}")
        );
        let raw = window.pack("{\"format\":1}").unwrap();
        let text = String::from_utf8(zstd::decode_all(&raw[..]).unwrap()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1][0], "甲\"\n");
    }

    proptest! {
        #[test]
        fn days_and_moments_are_told_as_chrono_tells_them(micros in -50_000_000_000_000_000i64..100_000_000_000_000_000) {
            let mut line = String::new();
            push_moment(&mut line, micros);
            let whole = micros.rem_euclid(1_000_000) == 0;
            let format = if whole { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.6f" };
            prop_assert_eq!(line, naive(micros).unwrap().format(format).to_string());
        }

        #[test]
        fn integers_are_told_as_display_tells_them(value: i64) {
            let mut line = String::new();
            push_int(&mut line, value);
            prop_assert_eq!(line, value.to_string());
        }

        #[test]
        fn texts_are_kept_exactly(texts in proptest::collection::vec("\\PC*|[\\x00-\\x7f]*", 1..5)) {
            let mut window = Window::new(texts.len());
            texts.iter().for_each(|t| window.text(t));
            window.end_row(1);
            let line: Vec<String> = serde_json::from_str(window.line(0)).unwrap();
            prop_assert_eq!(&line, &texts);
            let mut scratch = String::new();
            let row = window.row(0);
            for (n, text) in texts.iter().enumerate() {
                prop_assert_eq!(row.cell(n, &mut scratch), Cell::Text(text));
            }
        }
    }
}
