//! CSV text as records with their lines and their own text.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// One record.
pub struct Record<'a> {
    /// The line it starts in, from 1.
    pub line: u64,
    pub cells: Vec<String>,
    /// As it stands in the file, without the line end.
    pub raw: &'a str,
}

/// Reads records one after another.
pub struct Records<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    reader: Reader,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// The one of the usual delimiters that the first line has most of.
pub fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default().as_bytes();
    let count = |byte: u8| memchr::memchr_iter(byte, first).count();
    // Of equals the last is taken, which is the comma.
    [b'|', b';', b'\t', b',']
        .into_iter()
        .max_by_key(|byte| count(*byte))
        .unwrap_or(b',')
}

impl<'a> Records<'a> {
    pub fn new(text: &'a str, delimiter: u8) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            cells: vec![0; 4096],
            ends: vec![0; 64],
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let start = self.at;
        let (mut written, mut ended) = (0, 0);
        loop {
            let input = &self.text.as_bytes()[self.at..];
            let (result, read, wrote, more_ends) =
                self.reader
                    .read_record(input, &mut self.cells[written..], &mut self.ends[ended..]);
            self.at += read;
            written += wrote;
            ended += more_ends;
            match result {
                // With no input left the next call ends the record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.cells.resize(self.cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
            }
        }
        let raw = &self.text[start..self.at];
        // Blank lines before a record were passed over with it.
        let blank = raw.len() - raw.trim_start_matches(['\r', '\n']).len();
        let line = self.line + lines(&raw[..blank]);
        self.line += lines(raw);
        let mut from = 0;
        let cells = self.ends[..ended].iter().map(|&end| {
            let cell = String::from_utf8_lossy(&self.cells[from..end]).into_owned();
            from = end;
            cell
        });
        Some(Record {
            line,
            cells: cells.collect(),
            raw: raw.trim_matches(['\r', '\n']),
        })
    }
}

fn lines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_know_their_lines_and_text() {
        let text = "a,b\r\n1,\"x\r\ny\"\r\n\r\n2,\"\"\"q\"\"\"\n3";
        let got: Vec<_> = Records::new(text, b',')
            .map(|r| (r.line, r.cells, r.raw))
            .collect();
        let cells = |list: &[&str]| list.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        assert_eq!(got[0], (1, cells(&["a", "b"]), "a,b"));
        assert_eq!(got[1], (2, cells(&["1", "x\r\ny"]), "1,\"x\r\ny\""));
        assert_eq!(got[2], (5, cells(&["2", "\"q\""]), "2,\"\"\"q\"\"\""));
        assert_eq!(got[3], (6, cells(&["3"]), "3"));
        assert_eq!(got.len(), 4);
    }

    #[test]
    fn the_delimiter_by_the_first_line() {
        assert_eq!(delimiter("a;b;c,d\n"), b';');
        assert_eq!(delimiter("a\tb\n,,,,,"), b'\t');
        assert_eq!(delimiter("name"), b',');
    }
}
