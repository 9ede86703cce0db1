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
use crate::split::{self, Block, Dialect, Splitter};
use connector::decode::{self, Detected, Encoding, Utf16Reader};

/// How much text is split and made into rows at a time.
const BLOCK_BYTES: usize = 4 << 20;
/// Text held in one row batch, at most.
const BATCH_TEXT_BYTES_MAX: usize = 64 << 20;
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
    for delimiter in delimiters {
        let dialect = Dialect { delimiter, line_end };
        let mut splitter = Splitter::new(head, dialect, head.len().max(1));
        let Ok(Some(block)) = splitter.next_block() else {
            continue;
        };
        let mut above = 0;
        for row in &block.rows {
            let cells: Vec<String> = if row.broken.is_some() {
                Vec::new()
            } else {
                let record = TextRecord {
                    block: &block,
                    cells: block.row_cells(row),
                    encoding,
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
        for row in block.rows.iter().filter(|r| r.line > self.header_line) {
            let record = TextRecord {
                block,
                cells: block.row_cells(row),
                encoding: self.encoding,
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
                None => self.problem(&record, block.row_bytes(row)),
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
            if assembler.rows() >= self.request.batch_rows || assembler.text_bytes() > BATCH_TEXT_BYTES_MAX {
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

    fn is_not_data(&self, record: &TextRecord<'_>) -> bool {
        if self.kind.entry.is_none_or(|e| e.fields.not_data.is_empty()) {
            return false;
        }
        let first = (0..record.cells.len()).find(|&n| !record.is_blank_cell(n));
        first.is_some_and(|n| self.kind.is_not_data(&record.text(n)))
    }

    /// What is wrong with a record before any value is read.
    fn problem(&self, record: &TextRecord<'_>, bytes: &[u8]) -> Option<(Reason, String)> {
        let (count, width) = (record.cells.len(), self.layout.width);
        if count < width || (width..count).any(|n| !record.is_blank_cell(n)) {
            return Some((
                Reason::WrongCellCount,
                format!("{count} cells, the header has {width}"),
            ));
        }
        if memchr::memchr(0, bytes).is_some() {
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

/// A record of a block.
struct TextRecord<'a> {
    block: &'a Block,
    cells: &'a [split::Cell],
    encoding: Encoding,
}

impl TextRecord<'_> {
    fn bytes(&self, n: usize) -> &[u8] {
        self.cells
            .get(n)
            .map_or(&[], |c| &self.block.bytes[c.start as usize..c.end as usize])
    }

    fn is_blank_cell(&self, n: usize) -> bool {
        self.bytes(n).iter().all(|b| b.is_ascii_whitespace())
    }

    fn is_blank(&self) -> bool {
        (0..self.cells.len()).all(|n| self.is_blank_cell(n))
    }

    fn text(&self, n: usize) -> String {
        let mut text = String::new();
        self.encoding.decode(&self.unquoted(n), &mut text);
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
        let bytes = self.bytes(index);
        if bytes.is_empty() {
            return Cell::Empty;
        }
        if !self.cells[index].has_quotes
            && (self.encoding == Encoding::Utf8 || bytes.is_ascii())
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Cell::Text(text);
        }
        if self.encoding.decode(&self.unquoted(index), scratch) {
            Cell::Text(scratch)
        } else {
            Cell::Broken(Reason::BadEncoding, scratch)
        }
    }
}
