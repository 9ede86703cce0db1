//! Delimited text into records and cells, on the bytes as they are.
//!
//! Records keep the place and the bytes they came with, so that a broken one can be quarantined as it was. A
//! quote that does not close costs the line it stands in, not the rest of the file: reading goes on at the
//! next line.

use std::io::Read;

use connector::Reason;

/// How cells and records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    pub delimiter: u8,
    /// `\n`, or `\r` where a file has no `\n`. A `\r` before a `\n` belongs to the line end.
    pub line_end: u8,
}

/// Where a cell is in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub start: u32,
    pub end: u32,
    /// Has doubled quotes that stand for one.
    pub has_quotes: bool,
}

/// Where a record is in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Line of the file where it starts, from 1.
    pub line: u64,
    /// Bytes of the record, without its line end.
    pub start: u32,
    pub end: u32,
    /// Its cells in [`Records::cells`]; none where they are found only when they are asked for.
    first_cell: u32,
    last_cell: u32,
    pub broken: Option<Reason>,
}

/// Where the records of a text and their cells are.
#[derive(Debug, Default)]
pub struct Records {
    pub rows: Vec<Row>,
    cells: Vec<Cell>,
}

impl Records {
    /// Those of a text that ends with its last record.
    pub fn of(bytes: &[u8], dialect: Dialect) -> Self {
        let mut records = Self::default();
        let mut splitter = Splitter::new(std::io::empty(), dialect, 0);
        splitter.at_end = true;
        splitter.split(bytes, &mut records);
        records
    }

    /// Whether these are the same records, found in another encoding of the same text.
    pub fn are_those_of(&self, other: &Self) -> bool {
        let lines_from = |rows: &[Row]| rows.first().map_or(0, |r| r.line);
        let (from, other_from) = (lines_from(&self.rows), lines_from(&other.rows));
        self.rows.len() == other.rows.len()
            && self
                .rows
                .iter()
                .zip(&other.rows)
                .all(|(a, b)| a.line - from == b.line - other_from && a.broken == b.broken)
    }

    /// The cells of a row that is not broken. `bytes` are those the records were found in; `found` is reused.
    pub fn cells<'a>(
        &'a self,
        row: &Row,
        bytes: &[u8],
        delimiter: u8,
        found: &'a mut Vec<Cell>,
    ) -> &'a [Cell] {
        if row.first_cell < row.last_cell {
            return &self.cells[row.first_cell as usize..row.last_cell as usize];
        }
        found.clear();
        let mut start = row.start;
        let line = &bytes[row.start as usize..row.end as usize];
        for at in memchr::memchr_iter(delimiter, line) {
            let end = row.start + at as u32;
            found.push(Cell {
                start,
                end,
                has_quotes: false,
            });
            start = end + 1;
        }
        found.push(Cell {
            start,
            end: row.end,
            has_quotes: false,
        });
        found
    }
}

/// A run of whole records.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    pub records: Records,
}

impl Block {
    pub fn row_bytes(&self, row: &Row) -> &[u8] {
        &self.bytes[row.start as usize..row.end as usize]
    }
}

/// Longest record that is read.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// Reads blocks of records.
pub struct Splitter<R> {
    input: R,
    dialect: Dialect,
    block_bytes: usize,
    pending: Vec<u8>,
    line: u64,
    at_end: bool,
    /// Within a line beyond all bounds, which has been told and whose rest is passed over.
    passing_over: bool,
}

impl<R: Read> Splitter<R> {
    /// `block_bytes` is about how much each block holds.
    pub fn new(input: R, dialect: Dialect, block_bytes: usize) -> Self {
        Self {
            input,
            dialect,
            block_bytes,
            pending: Vec::new(),
            line: 1,
            at_end: false,
            passing_over: false,
        }
    }

    /// Whether the block just given was the last.
    pub fn is_done(&self) -> bool {
        self.at_end && self.pending.is_empty()
    }

    /// The next block, or none at the end.
    pub fn next_block(&mut self) -> std::io::Result<Option<Block>> {
        let mut wanted = self.block_bytes.max(self.pending.len());
        loop {
            self.fill(wanted)?;
            if self.pending.is_empty() {
                return Ok(None);
            }
            let mut bytes = std::mem::take(&mut self.pending);
            let mut records = Records::default();
            let used = self.split(&bytes, &mut records);
            self.pending = bytes.split_off(used);
            if !records.rows.is_empty() || used > 0 {
                return Ok(Some(Block { bytes, records }));
            }
            // Not one whole record yet.
            wanted = self.pending.len() + self.block_bytes;
        }
    }

    fn fill(&mut self, wanted: usize) -> std::io::Result<()> {
        if !self.at_end && self.pending.len() < wanted {
            let missing = wanted - self.pending.len();
            self.pending.reserve(missing);
            let got = self
                .input
                .by_ref()
                .take(missing as u64)
                .read_to_end(&mut self.pending)?;
            self.at_end = got < missing;
        }
        Ok(())
    }

    /// Splits as many whole records as there are; says how many bytes they take.
    fn split(&mut self, bytes: &[u8], records: &mut Records) -> usize {
        let mut at = 0;
        if self.passing_over {
            at = bytes.len();
            if let Some(length) = memchr::memchr(self.dialect.line_end, bytes) {
                at = length + 1;
                self.line += 1;
                self.passing_over = false;
            }
        }
        // Where the next quote is; the lines before it need no second look.
        let mut quote = at;
        while at < bytes.len() {
            if quote <= at {
                quote = memchr::memchr(b'"', &bytes[at..]).map_or(bytes.len(), |q| at + q);
                at = self.split_lines(&bytes[..quote], at, &mut records.rows);
                if at == bytes.len() {
                    break;
                }
            }
            let first_cell = records.cells.len();
            let found = scan_row(bytes, at, self.dialect, self.at_end, &mut records.cells);
            let (end, next, broken, lines) = match found {
                Scanned::Row { end, next, quoted } => {
                    let lines = if quoted {
                        count(&bytes[at..next], self.dialect.line_end)
                    } else {
                        1
                    };
                    let broken = (end - at > ROW_BYTES_MAX).then_some(Reason::RowTooLong);
                    (end, next, broken, lines.max(1))
                }
                Scanned::Unfinished if bytes.len() - at <= ROW_BYTES_MAX && !self.at_end => {
                    records.cells.truncate(first_cell);
                    break;
                }
                Scanned::Unfinished | Scanned::BadQuote => {
                    records.cells.truncate(first_cell);
                    // The line alone is given up.
                    let reason = if matches!(found, Scanned::BadQuote) || self.at_end {
                        Reason::BadQuoting
                    } else {
                        Reason::RowTooLong
                    };
                    match memchr::memchr(self.dialect.line_end, &bytes[at..]) {
                        Some(length) => (at + length, at + length + 1, Some(Reason::BadQuoting), 1),
                        None if self.at_end => (bytes.len(), bytes.len(), Some(reason), 1),
                        None if bytes.len() - at <= ROW_BYTES_MAX => break,
                        None => {
                            self.passing_over = true;
                            (bytes.len(), bytes.len(), Some(Reason::RowTooLong), 0)
                        }
                    }
                }
            };
            if broken.is_some() {
                records.cells.truncate(first_cell);
            }
            records.rows.push(Row {
                line: self.line,
                start: at as u32,
                end: end as u32,
                first_cell: first_cell as u32,
                last_cell: records.cells.len() as u32,
                broken,
            });
            self.line += lines;
            at = next;
        }
        at
    }

    /// The whole lines from `at` on, where no byte is a quote: each is a record. Says where the last one ends.
    fn split_lines(&mut self, bytes: &[u8], at: usize, rows: &mut Vec<Row>) -> usize {
        let mut start = at;
        for found in memchr::memchr_iter(self.dialect.line_end, &bytes[at..]) {
            let next = at + found + 1;
            let mut end = next - 1;
            if end > start && bytes[end - 1] == b'\r' {
                end -= 1;
            }
            rows.push(Row {
                line: self.line,
                start: start as u32,
                end: end as u32,
                first_cell: 0,
                last_cell: 0,
                broken: (end - start > ROW_BYTES_MAX).then_some(Reason::RowTooLong),
            });
            self.line += 1;
            start = next;
        }
        start
    }
}

fn count(bytes: &[u8], byte: u8) -> u64 {
    memchr::memchr_iter(byte, bytes).count() as u64
}

enum Scanned {
    /// `end` is before the line end, `next` after it.
    Row { end: usize, next: usize, quoted: bool },
    /// The bytes end within the record.
    Unfinished,
    /// Text after a closing quote.
    BadQuote,
}

/// Cells of the record at `at`. When `at_end`, the end of the bytes ends the record.
fn scan_row(bytes: &[u8], at: usize, dialect: Dialect, at_end: bool, cells: &mut Vec<Cell>) -> Scanned {
    let mut start = at;
    let mut any_quoted = false;
    loop {
        if bytes.get(start) == Some(&b'"') {
            any_quoted = true;
            let mut has_quotes = false;
            let mut from = start + 1;
            let close = loop {
                let Some(found) = memchr::memchr(b'"', &bytes[from..]) else {
                    return Scanned::Unfinished;
                };
                let quote = from + found;
                if bytes.get(quote + 1) == Some(&b'"') {
                    has_quotes = true;
                    from = quote + 2;
                } else if quote + 1 == bytes.len() && !at_end {
                    return Scanned::Unfinished;
                } else {
                    break quote;
                }
            };
            cells.push(Cell {
                start: start as u32 + 1,
                end: close as u32,
                has_quotes,
            });
            let mut after = close + 1;
            while bytes.get(after) == Some(&b' ') {
                after += 1;
            }
            match bytes.get(after) {
                None if at_end => {
                    return Scanned::Row {
                        end: bytes.len(),
                        next: bytes.len(),
                        quoted: true,
                    };
                }
                None => return Scanned::Unfinished,
                Some(&b) if b == dialect.delimiter => start = after + 1,
                Some(&b) if b == dialect.line_end => {
                    return Scanned::Row {
                        end: after,
                        next: after + 1,
                        quoted: true,
                    };
                }
                Some(b'\r') => match bytes.get(after + 1) {
                    Some(b'\n') => {
                        return Scanned::Row {
                            end: after,
                            next: after + 2,
                            quoted: true,
                        };
                    }
                    None if at_end => {
                        return Scanned::Row {
                            end: after,
                            next: after + 1,
                            quoted: true,
                        };
                    }
                    None => return Scanned::Unfinished,
                    Some(_) => return Scanned::BadQuote,
                },
                Some(_) => return Scanned::BadQuote,
            }
        } else {
            let (end, next) = match memchr::memchr2(dialect.delimiter, dialect.line_end, &bytes[start..]) {
                Some(found) if bytes[start + found] == dialect.delimiter => {
                    cells.push(Cell {
                        start: start as u32,
                        end: (start + found) as u32,
                        has_quotes: false,
                    });
                    start += found + 1;
                    continue;
                }
                Some(found) => (start + found, start + found + 1),
                None if at_end => (bytes.len(), bytes.len()),
                None => return Scanned::Unfinished,
            };
            let end = if end > start && bytes[end - 1] == b'\r' {
                end - 1
            } else {
                end
            };
            cells.push(Cell {
                start: start as u32,
                end: end as u32,
                has_quotes: false,
            });
            return Scanned::Row {
                end,
                next,
                quoted: any_quoted,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMA: Dialect = Dialect {
        delimiter: b',',
        line_end: b'\n',
    };

    /// (line, cells or the reason) of every record.
    fn rows(text: &str, block_bytes: usize) -> Vec<(u64, Result<Vec<String>, Reason>)> {
        let mut splitter = Splitter::new(text.as_bytes(), COMMA, block_bytes);
        let mut out = Vec::new();
        while let Some(block) = splitter.next_block().unwrap() {
            for row in &block.records.rows {
                let cell = |c: &Cell| {
                    let text = String::from_utf8_lossy(&block.bytes[c.start as usize..c.end as usize]);
                    if c.has_quotes {
                        text.replace("\"\"", "\"")
                    } else {
                        text.into_owned()
                    }
                };
                let cells = match row.broken {
                    Some(reason) => Err(reason),
                    None => {
                        let found = &mut Vec::new();
                        let cells = block.records.cells(row, &block.bytes, b',', found);
                        Ok(cells.iter().map(cell).collect())
                    }
                };
                out.push((row.line, cells));
            }
        }
        out
    }

    fn ok(line: u64, cells: &[&str]) -> (u64, Result<Vec<String>, Reason>) {
        (line, Ok(cells.iter().map(|c| (*c).to_owned()).collect()))
    }

    #[test]
    fn records_and_their_lines() {
        let text = "a,b\r\n1,\"x\ny\"\r\n\"he said \"\"no\"\"\",2\n,\n\"\",5\"管\nlast,row";
        for block_bytes in [1, 2, 3, 7, 64, 4096] {
            assert_eq!(
                rows(text, block_bytes),
                [
                    ok(1, &["a", "b"]),
                    ok(2, &["1", "x\ny"]),
                    ok(4, &["he said \"no\"", "2"]),
                    ok(5, &["", ""]),
                    ok(6, &["", "5\"管"]),
                    ok(7, &["last", "row"]),
                ],
                "{block_bytes}"
            );
        }
    }

    #[test]
    fn a_bad_quote_costs_its_line_only() {
        let bad = |line| (line, Err(Reason::BadQuoting));
        for block_bytes in [1, 5, 4096] {
            assert_eq!(
                rows("a,\"b\" c\nd,e\n", block_bytes),
                [bad(1), ok(2, &["d", "e"])]
            );
            assert_eq!(
                rows("1,\"open\n2,b\n3,c\n", block_bytes),
                [bad(1), ok(2, &["2", "b"]), ok(3, &["3", "c"])]
            );
            assert_eq!(rows("1,\"open", block_bytes), [bad(1)]);
        }
    }

    #[test]
    fn an_endless_row_does_not_fill_the_memory() {
        let mut text = "x".repeat(5 * ROW_BYTES_MAX);
        text.push_str("\na,b\n");
        assert_eq!(
            rows(&text, 1 << 16),
            [(1, Err(Reason::RowTooLong)), ok(2, &["a", "b"])]
        );
    }

    #[test]
    fn no_trailing_record_after_the_last_line_end() {
        assert_eq!(rows("a\n", 10), [ok(1, &["a"])]);
        assert_eq!(rows("", 10), []);
    }

    /// The csv-core library's reading of the same text.
    fn reference(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv_core::Reader::new();
        let (mut out, mut ends) = (vec![0; text.len() + 16], vec![0; text.len() + 16]);
        let mut rest = text.as_bytes();
        let mut rows = Vec::new();
        loop {
            let (result, read, _, count) = reader.read_record(rest, &mut out, &mut ends);
            rest = &rest[read..];
            match result {
                csv_core::ReadRecordResult::Record => {
                    let mut start = 0;
                    let row = ends[..count].iter().map(|&end| {
                        let cell = String::from_utf8_lossy(&out[start..end]).into_owned();
                        start = end;
                        cell
                    });
                    rows.push(row.collect());
                }
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::End => return rows,
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        /// Well-formed text is read as the csv-core library reads it, however it is cut into blocks.
        #[test]
        fn agrees_with_csv_core(
            table in prop::collection::vec(prop::collection::vec("[a-c,\"\n 中]{0,5}", 2..5), 1..8),
            block_bytes in 1usize..40,
            crlf in any::<bool>(),
        ) {
            let mut text = String::new();
            for row in &table {
                let cells: Vec<String> = row
                    .iter()
                    .map(|c| if c.contains([',', '"', '\n', ' ']) { format!("\"{}\"", c.replace('"', "\"\"")) } else { c.clone() })
                    .collect();
                text.push_str(&cells.join(","));
                text.push_str(if crlf { "\r\n" } else { "\n" });
            }
            let ours: Vec<Vec<String>> = rows(&text, block_bytes).into_iter().map(|(_, r)| r.unwrap()).collect();
            prop_assert_eq!(&ours, &reference(&text));
            prop_assert_eq!(&ours, &table);
        }

        #[test]
        fn every_byte_is_in_exactly_one_record(text in "[ab,\"\n\r]{0,60}", block_bytes in 1usize..20) {
            let mut splitter = Splitter::new(text.as_bytes(), COMMA, block_bytes);
            let mut all = Vec::new();
            let mut line = 0;
            while let Some(block) = splitter.next_block().unwrap() {
                for row in &block.records.rows {
                    prop_assert!(row.line > line);
                    line = row.line;
                }
                all.extend(block.bytes);
            }
            prop_assert_eq!(all, text.as_bytes());
        }
    }
}
