//! Delimited text files: split on one thread, made into rows on several, told in order.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use connector::coerce::{Cell, trim};
use connector::mapping::{Layout, Refusal};
use connector::plan::{Assembler, Record};
use connector::{Message, RawBatch, ReadRequest, Reason};
use domain::Bilingual;
use domain::ports::Notice;

use crate::error::FilesError;
use crate::file_table::{FileTable, HEADER_ROWS_MAX};
use crate::sink::{Place, Sink};
use crate::split::{self, Block, Dialect, Records, Splitter};
use connector::decode::{self, Detected, Encoding, Utf16Reader};

/// How much text is split and made into rows at a time.
const BLOCK_BYTES: usize = 4 << 20;
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Reads a kept text file. What is wrong with the file as a whole is sent as one rejection.
pub fn read(
    kind: &FileTable<'_>,
    raw: &RawBatch,
    place: &Place,
    request: &ReadRequest,
    sink: &Sink,
) -> Result<(), FilesError> {
    let failed = |source| FilesError::Read {
        path: place.file.to_string(),
        source,
    };
    let mut file = File::open(&raw.path).map_err(failed)?;
    let detected = decode::detect(&file).map_err(failed)?;
    let (encoding, mark_bytes) = match (detected, kind.entry.and_then(|e| e.encoding.as_deref())) {
        (Detected::Empty, _) => return sink.send(place.refused(Reason::EmptyFile, String::new())),
        (Detected::Binary, _) => {
            return sink.send(place.refused(Reason::BinaryFile, binary_hint(&raw.path)));
        }
        (Detected::Text { mark_bytes, encoding }, named) => {
            (named.and_then(Encoding::by_name).unwrap_or(encoding), mark_bytes)
        }
    };
    file.seek(SeekFrom::Start(mark_bytes as u64)).map_err(failed)?;
    let mut input: Box<dyn Read + Send> = if encoding.is_ascii_compatible() {
        Box::new(file)
    } else {
        Box::new(Utf16Reader::new(file, encoding))
    };
    let mut head = Vec::new();
    input
        .by_ref()
        .take(split::ROW_BYTES_MAX as u64)
        .read_to_end(&mut head)
        .map_err(failed)?;
    // UTF-16 comes as UTF-8 from here on.
    let inner = if encoding.is_ascii_compatible() {
        encoding
    } else {
        Encoding::Utf8
    };
    let (dialect, header_line, above, layout) = match find_layout(kind, &head, inner, &place.file) {
        Ok(found) => found,
        Err((reason, detail)) => return sink.send(place.refused(reason, detail)),
    };
    sink.notices(layout.notices.clone())?;
    if above > 0 {
        let text = Bilingual::new("表头以上的行未作为数据读取", "lines above the header are no data");
        sink.notice("LINES_ABOVE_HEADER", &place.file, text, above)?;
    }
    let reader = TextReader {
        kind,
        place,
        layout: &layout,
        dialect,
        encoding: inner,
        stored: encoding,
        header_line,
        request,
    };
    let splitter = Splitter::new(std::io::Cursor::new(head).chain(input), dialect, BLOCK_BYTES);
    reader.read_all(splitter, sink)
}

/// What a binary file probably is, for a person.
fn binary_hint(path: &std::path::Path) -> String {
    let mut start = [0; 4];
    let known = File::open(path)
        .and_then(|mut f| f.read_exact(&mut start))
        .is_ok();
    match &start {
        b"PK\x03\x04" if known => "it looks like an XLSX or zip file".to_owned(),
        b"\xd0\xcf\x11\xe0" if known => "it looks like an XLS file".to_owned(),
        b"PAR1" if known => "it looks like a Parquet file".to_owned(),
        _ => String::new(),
    }
}

/// The dialect, the header's line, the number of lines above it and what the columns mean.
fn find_layout(
    kind: &FileTable<'_>,
    head: &[u8],
    encoding: Encoding,
    place: &str,
) -> Result<(Dialect, u64, u64, Layout), Refusal> {
    // As text, since `|` may be the second byte of a character.
    let mut text = String::new();
    let head = if encoding == Encoding::Utf8 {
        head
    } else {
        encoding.decode(head, &mut text);
        text.as_bytes()
    };
    let line_end = if memchr::memchr(b'\n', head).is_none() && memchr::memchr(b'\r', head).is_some() {
        b'\r'
    } else {
        b'\n'
    };
    let delimiters = match kind.entry.and_then(|e| e.delimiter) {
        Some(delimiter) => vec![delimiter],
        None => DELIMITERS.to_vec(),
    };
    let header_row = kind.entry.and_then(|e| e.header_row);
    let mut best: Option<(usize, Dialect, u64, u64, Vec<String>)> = None;
    let mut found = Vec::new();
    for delimiter in delimiters {
        let dialect = Dialect { delimiter, line_end };
        let mut splitter = Splitter::new(head, dialect, head.len().max(1));
        let Ok(Some(block)) = splitter.next_block() else {
            continue;
        };
        let mut above = 0;
        let view = View::of(&block, Encoding::Utf8);
        for row in &block.records.rows {
            let cells: Vec<String> = if row.broken.is_some() {
                Vec::new()
            } else {
                let record = TextRecord {
                    view: &view,
                    cells: block.records.cells(row, &block.bytes, delimiter, &mut found),
                };
                (0..record.cells.len()).map(|n| record.text(n)).collect()
            };
            if cells.iter().all(|c| trim(c).is_empty()) {
                continue;
            }
            let score = match header_row {
                Some(wanted) if wanted == row.line => cells.len(),
                Some(wanted) if wanted < row.line => break,
                Some(_) => 0,
                None => kind.header_score(cells.iter().map(String::as_str)),
            };
            if score > best.as_ref().map_or(0, |b| b.0) {
                best = Some((score, dialect, row.line, above, cells));
            }
            above += 1;
            if above as usize >= HEADER_ROWS_MAX && header_row.is_none() {
                break;
            }
        }
    }
    let Some((_, dialect, line, above, header)) = best else {
        let key = kind
            .dataset
            .key
            .iter()
            .map(|k| kind.looked_for(k))
            .collect::<Vec<_>>()
            .join("; ");
        return Err((Reason::MissingHeader, key));
    };
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    Ok((dialect, line, above, kind.layout(&header, place)?))
}

/// What a worker made of a block of so many bytes.
type Done = (u64, Result<Vec<Message>, FilesError>);

struct TextReader<'a> {
    kind: &'a FileTable<'a>,
    place: &'a Place,
    layout: &'a Layout,
    dialect: Dialect,
    /// Of the bytes in the blocks.
    encoding: Encoding,
    /// Of the bytes in the file.
    stored: Encoding,
    header_line: u64,
    request: &'a ReadRequest,
}

impl TextReader<'_> {
    fn read_all<R: Read + Send>(&self, mut splitter: Splitter<R>, sink: &Sink) -> Result<(), FilesError> {
        let failed = |source| FilesError::Read {
            path: self.place.file.to_string(),
            source,
        };
        let mut read_bytes = 0;
        let first = splitter.next_block().map_err(failed)?;
        if splitter.is_done() {
            // One block: no threads for the many small files.
            let Some(block) = first else { return Ok(()) };
            return self
                .rows(&mut self.assembler(), &block)?
                .into_iter()
                .try_for_each(|m| sink.send(m));
        }
        std::thread::scope(|scope| {
            let workers = self.request.threads.max(1);
            let mut to_workers: Vec<SyncSender<Block>> = Vec::new();
            let mut results: Vec<Receiver<Done>> = Vec::new();
            for _ in 0..workers {
                let (give, take) = sync_channel::<Block>(1);
                let (tell, hear) = sync_channel(1);
                to_workers.push(give);
                results.push(hear);
                scope.spawn(move || {
                    let mut assembler = self.assembler();
                    for block in take {
                        let result = self.rows(&mut assembler, &block);
                        if tell.send((block.bytes.len() as u64, result)).is_err() {
                            return;
                        }
                    }
                });
            }
            // Block n goes to worker n modulo their number, and results are taken in the same order.
            let split = scope.spawn(move || {
                let mut next = first;
                for worker in to_workers.iter().cycle() {
                    let Some(block) = next else { return Ok(()) };
                    if worker.send(block).is_err() {
                        return Ok(());
                    }
                    next = splitter.next_block()?;
                }
                Ok(())
            });
            let told = (|| {
                for hear in results.iter().cycle() {
                    let Ok((bytes, messages)) = hear.recv() else {
                        return Ok(());
                    };
                    messages?.into_iter().try_for_each(|m| sink.send(m))?;
                    read_bytes += bytes;
                    sink.progress(read_bytes, &self.place.file)?;
                }
                Ok(())
            })();
            // Without receivers the workers and the splitter stop.
            drop(results);
            told?;
            match split.join() {
                Ok(done) => done.map_err(failed),
                Err(_) => Err(FilesError::Stopped {
                    name: self.place.file.to_string(),
                }),
            }
        })
    }

    fn assembler(&self) -> Assembler {
        Assembler::new(self.layout.plan.clone(), self.place.batch.clone())
    }

    /// What the records of one block become.
    fn rows(&self, assembler: &mut Assembler, block: &Block) -> Result<Vec<Message>, FilesError> {
        let assemble = |source| FilesError::Assemble {
            name: self.place.file.to_string(),
            source,
        };
        let mut out = Vec::new();
        let (mut blank, mut not_data) = (0, 0);
        let (mut text, mut found) = (String::new(), Vec::new());
        let decoded = self.decoded(block, &mut text);
        let view = match &decoded {
            Some(_) => View::of_text(&text),
            None => View::of(block, self.encoding),
        };
        let has_nul = memchr::memchr(0, &block.bytes).is_some();
        let records = decoded.as_ref().unwrap_or(&block.records);
        let rows = block.records.rows.iter().zip(&records.rows);
        for (row, seen) in rows.filter(|(r, _)| r.line > self.header_line) {
            let record = TextRecord {
                view: &view,
                cells: records.cells(seen, view.bytes, self.dialect.delimiter, &mut found),
            };
            let problem = match row.broken {
                Some(reason) => Some((reason, String::new())),
                None if record.is_blank() => {
                    blank += u64::from(record.cells.len() > 1);
                    continue;
                }
                None if self.is_not_data(&record) => {
                    not_data += 1;
                    continue;
                }
                None => self.problem(&record, block.row_bytes(row), has_nul),
            };
            let bad = match problem {
                Some((reason, detail)) => Some((None, reason, detail)),
                None => assembler
                    .push(&record, row.line)
                    .err()
                    .map(|bad| (Some(bad.field), bad.reason, bad.detail)),
            };
            if let Some((field, reason, detail)) = bad {
                let raw = self.original(block.row_bytes(row));
                out.push(self.place.rejected(row.line, field, reason, detail, &raw));
            }
            if assembler.is_full(self.request.batch_rows) {
                out.extend(assembler.take().map_err(assemble)?.map(Message::Rows));
            }
        }
        out.extend(assembler.take().map_err(assemble)?.map(Message::Rows));
        out.extend(
            assembler
                .take_notices(&self.place.file)
                .into_iter()
                .map(Message::Notice),
        );
        out.extend(
            row_notices(&self.place.file, blank, not_data)
                .into_iter()
                .map(Message::Notice),
        );
        Ok(out)
    }

    /// The records of a block in `text`, where all of it was decoded at once. None when it need not be decoded,
    /// or when some of it cannot be: then each cell is looked at for itself.
    fn decoded(&self, block: &Block, text: &mut String) -> Option<Records> {
        if self.encoding == Encoding::Utf8 || !self.encoding.decode(&block.bytes, text) {
            return None;
        }
        let records = Records::of(text.as_bytes(), self.dialect);
        records.are_those_of(&block.records).then_some(records)
    }

    fn is_not_data(&self, record: &TextRecord<'_>) -> bool {
        if self.kind.entry.is_none_or(|e| e.fields.not_data.is_empty()) {
            return false;
        }
        let first = (0..record.cells.len()).find(|&n| !record.is_blank_cell(n));
        first.is_some_and(|n| self.kind.is_not_data(&record.text(n)))
    }

    /// What is wrong with a record before any value is read. `may_have_nul`: some byte of its block is NUL.
    fn problem(&self, record: &TextRecord<'_>, bytes: &[u8], may_have_nul: bool) -> Option<(Reason, String)> {
        let (count, width) = (record.cells.len(), self.layout.width);
        if count < width || (width..count).any(|n| !record.is_blank_cell(n)) {
            return Some((
                Reason::WrongCellCount,
                format!("{count} cells, the header has {width}"),
            ));
        }
        if may_have_nul && memchr::memchr(0, bytes).is_some() {
            return Some((Reason::BadEncoding, "a NUL byte".to_owned()));
        }
        if self.stored != self.encoding && memchr::memmem::find(bytes, "\u{fffd}".as_bytes()).is_some() {
            return Some((Reason::BadEncoding, "a broken UTF-16 unit".to_owned()));
        }
        None
    }

    /// The bytes as they are in the file.
    fn original(&self, bytes: &[u8]) -> Vec<u8> {
        if self.stored == self.encoding {
            bytes.to_vec()
        } else {
            decode::encode(&String::from_utf8_lossy(bytes), self.stored)
        }
    }
}

/// Notices of rows that were passed over.
pub fn row_notices(place: &str, blank: u64, not_data: u64) -> Vec<Notice> {
    let rows = [
        ("BLANK_ROWS", blank, "空行未读取", "blank rows were passed over"),
        (
            "NOT_DATA_ROWS",
            not_data,
            "按映射文件，合计等行不是数据",
            "totals and the like, which the mapping calls no data",
        ),
    ];
    rows.into_iter()
        .filter(|(_, count, ..)| *count > 0)
        .map(|(code, count, zh, en)| Notice {
            code: code.to_owned(),
            place: place.to_owned(),
            message: Bilingual::new(zh, en),
            count,
        })
        .collect()
}

/// The bytes that records are read from, with what is known of them.
struct View<'a> {
    bytes: &'a [u8],
    /// The same bytes, where all of them are text.
    text: Option<&'a str>,
    encoding: Encoding,
}

impl<'a> View<'a> {
    fn of(block: &'a Block, encoding: Encoding) -> Self {
        let is_text = encoding == Encoding::Utf8 || block.bytes.is_ascii();
        Self {
            bytes: &block.bytes,
            text: is_text.then(|| std::str::from_utf8(&block.bytes).ok()).flatten(),
            encoding,
        }
    }

    fn of_text(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            text: Some(text),
            encoding: Encoding::Utf8,
        }
    }
}

/// A record of a block.
struct TextRecord<'a> {
    view: &'a View<'a>,
    cells: &'a [split::Cell],
}

impl TextRecord<'_> {
    fn bytes(&self, n: usize) -> &[u8] {
        self.cells
            .get(n)
            .map_or(&[], |c| &self.view.bytes[c.start as usize..c.end as usize])
    }

    fn is_blank_cell(&self, n: usize) -> bool {
        self.bytes(n).iter().all(|b| b.is_ascii_whitespace())
    }

    fn is_blank(&self) -> bool {
        (0..self.cells.len()).all(|n| self.is_blank_cell(n))
    }

    fn text(&self, n: usize) -> String {
        let mut text = String::new();
        self.view.encoding.decode(&self.unquoted(n), &mut text);
        text
    }

    fn unquoted(&self, n: usize) -> std::borrow::Cow<'_, [u8]> {
        let bytes = self.bytes(n);
        if !self.cells.get(n).is_some_and(|c| c.has_quotes) {
            return bytes.into();
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'"', rest) {
            out.extend_from_slice(&rest[..=at]);
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out.into()
    }
}

impl Record for TextRecord<'_> {
    fn cell<'s>(&'s self, index: usize, scratch: &'s mut String) -> Cell<'s> {
        let Some(&split::Cell {
            start,
            end,
            has_quotes,
        }) = self.cells.get(index)
        else {
            return Cell::Empty;
        };
        let range = start as usize..end as usize;
        if range.is_empty() {
            return Cell::Empty;
        }
        if !has_quotes {
            let bytes = &self.view.bytes[range.clone()];
            let is_text = || self.view.encoding == Encoding::Utf8 || bytes.is_ascii();
            let text = match self.view.text {
                Some(text) => text.get(range),
                None if is_text() => std::str::from_utf8(bytes).ok(),
                None => None,
            };
            if let Some(text) = text {
                return Cell::Text(text);
            }
        }
        if self.view.encoding.decode(&self.unquoted(index), scratch) {
            Cell::Text(scratch)
        } else {
            Cell::Broken(Reason::BadEncoding, scratch)
        }
    }
}
