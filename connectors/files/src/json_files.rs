//! JSON Lines, read line by line, and JSON documents with a list of records somewhere in them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use connector::json::{JsonFields, Members, UnknownPaths};
use connector::mapping::{Refusal, json_layout};
use connector::plan::Assembler;
use connector::{RawBatch, ReadRequest, Reason};
use domain::Bilingual;
use serde_json::value::RawValue;

use crate::error::FilesError;
use crate::file_table::FileTable;
use crate::sink::{Place, Sink};
use connector::decode::{self, Detected, Encoding, Utf16Reader};

/// Longest line of JSON Lines.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Largest JSON document: it is held in memory whole. JSON Lines has no such limit.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
/// Told as progress every so many bytes.
const PROGRESS_BYTES: u64 = 4 << 20;

/// Reads a kept JSON Lines file.
pub fn read_lines(
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
    let Some((encoding, input)) = open(raw, place, sink)? else {
        return Ok(());
    };
    let mut records = match Records::new(kind, place, request, sink) {
        Ok(records) => records,
        Err((reason, detail)) => return sink.send(place.refused(reason, detail)),
    };
    let mut input = BufReader::with_capacity(1 << 20, input);
    let (mut bytes, mut text) = (Vec::new(), String::new());
    let (mut line, mut read_bytes, mut told_bytes) = (0, 0, 0);
    loop {
        bytes.clear();
        let got = input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut bytes)
            .map_err(failed)? as u64;
        if got == 0 {
            break;
        }
        line += 1;
        read_bytes += got;
        if got == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
            sink.send(place.rejected(line, None, Reason::RowTooLong, String::new(), &bytes))?;
            input.skip_until(b'\n').map_err(failed)?;
            continue;
        }
        let line_bytes = bytes.trim_ascii();
        if line_bytes.is_empty() {
            continue;
        }
        text.clear();
        if encoding.decode(line_bytes, &mut text) {
            records.push(&text, line)?;
        } else {
            sink.send(place.rejected(line, None, Reason::BadEncoding, String::new(), line_bytes))?;
        }
        if read_bytes - told_bytes >= PROGRESS_BYTES {
            told_bytes = read_bytes;
            sink.progress(read_bytes, &place.file)?;
        }
    }
    records.finish()
}

/// Reads a kept JSON document: a list of objects, or an object with the list at the mapping's `records`.
pub fn read_document(
    kind: &FileTable<'_>,
    raw: &RawBatch,
    place: &Place,
    request: &ReadRequest,
    sink: &Sink,
) -> Result<(), FilesError> {
    if raw.bytes > DOCUMENT_BYTES_MAX {
        let detail =
            format!("a JSON document may have {DOCUMENT_BYTES_MAX} bytes; export JSON Lines instead");
        return sink.send(place.refused(Reason::TooLarge, detail));
    }
    let Some((encoding, mut input)) = open(raw, place, sink)? else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|source| FilesError::Read {
        path: place.file.to_string(),
        source,
    })?;
    let mut text = String::new();
    if !encoding.decode(&bytes, &mut text) {
        return sink.send(place.refused(Reason::BadEncoding, String::new()));
    }
    drop(bytes);
    let items = match items(&text, kind.entry.and_then(|e| e.records.as_deref())) {
        Ok(items) => items,
        Err((reason, detail)) => return sink.send(place.refused(reason, detail)),
    };
    let mut records = match Records::new(kind, place, request, sink) {
        Ok(records) => records,
        Err((reason, detail)) => return sink.send(place.refused(reason, detail)),
    };
    for (position, item) in (1..).zip(items) {
        records.push(item.get(), position)?;
    }
    records.finish()
}

/// A text with its encoding.
type Opened = (Encoding, Box<dyn Read>);

/// The file's text after its mark; none, with the refusal sent, when it is no text.
fn open(raw: &RawBatch, place: &Place, sink: &Sink) -> Result<Option<Opened>, FilesError> {
    let failed = |source| FilesError::Read {
        path: place.file.to_string(),
        source,
    };
    let mut file = File::open(&raw.path).map_err(failed)?;
    match decode::detect(&file).map_err(failed)? {
        Detected::Empty => sink
            .send(place.refused(Reason::EmptyFile, String::new()))
            .map(|()| None),
        Detected::Binary => sink
            .send(place.refused(Reason::BinaryFile, String::new()))
            .map(|()| None),
        Detected::Text { encoding, mark_bytes } => {
            file.seek(SeekFrom::Start(mark_bytes as u64)).map_err(failed)?;
            Ok(Some(if encoding.is_ascii_compatible() {
                (encoding, Box::new(file))
            } else {
                (Encoding::Utf8, Box::new(Utf16Reader::new(file, encoding)))
            }))
        }
    }
}

fn items<'a>(text: &'a str, records: Option<&str>) -> Result<Vec<&'a RawValue>, Refusal> {
    let damaged = |e: serde_json::Error| (Reason::DamagedFile, e.to_string());
    let mut value: &RawValue = serde_json::from_str(text).map_err(damaged)?;
    for name in records.iter().flat_map(|path| path.split('.')) {
        let members: Members<'_> = serde_json::from_str(value.get()).map_err(|_| {
            (
                Reason::MissingPart,
                format!("{name}: what it should be in is no object"),
            )
        })?;
        let found = members.0.into_iter().find(|(n, _)| n == name);
        value = found
            .ok_or_else(|| (Reason::MissingPart, format!("there is no {name}")))?
            .1;
    }
    if !value.get().starts_with('[') {
        let detail = match records {
            Some(path) => format!("{path} is no list"),
            None => {
                "the document is no list; name the place of its list in the mapping: records = \"data.list\""
                    .to_owned()
            }
        };
        return Err((Reason::MissingPart, detail));
    }
    serde_json::from_str(value.get()).map_err(damaged)
}

/// Puts JSON objects into row batches.
struct Records<'a> {
    fields: JsonFields,
    assembler: Assembler,
    unknown: UnknownPaths,
    place: &'a Place,
    batch_rows: usize,
    sink: &'a Sink,
}

impl<'a> Records<'a> {
    fn new(
        kind: &FileTable<'_>,
        place: &'a Place,
        request: &ReadRequest,
        sink: &'a Sink,
    ) -> Result<Self, Refusal> {
        let (fields, layout) = json_layout(kind, &place.file)?;
        let assembler = Assembler::new(layout.plan, place.batch.clone());
        Ok(Self {
            fields,
            assembler,
            unknown: UnknownPaths::default(),
            place,
            batch_rows: request.batch_rows,
            sink,
        })
    }

    fn push(&mut self, text: &str, position: u64) -> Result<(), FilesError> {
        let bad = match self.fields.record(text, &mut self.unknown) {
            Err((reason, detail)) => Some((None, reason, detail)),
            Ok(record) => {
                let pushed = self.assembler.push(&record, position);
                pushed.err().map(|bad| (Some(bad.field), bad.reason, bad.detail))
            }
        };
        if let Some((field, reason, detail)) = bad {
            self.sink.send(
                self.place
                    .rejected(position, field, reason, detail, text.as_bytes()),
            )?;
        }
        if self.assembler.is_full(self.batch_rows) {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FilesError> {
        let rows = self.assembler.take();
        self.sink.rows(rows.map_err(|source| FilesError::Assemble {
            name: self.place.file.to_string(),
            source,
        })?)
    }

    fn finish(mut self) -> Result<(), FilesError> {
        self.flush()?;
        self.sink.notices(self.assembler.take_notices(&self.place.file))?;
        for (path, count) in self.unknown.iter() {
            let text = Bilingual::new(
                "该字段不属于数据集，未读取；请在映射文件中指定或列入 ignore",
                "this member belongs to no field and was not read; map it or list it under ignore",
            );
            self.sink.notice(
                "COLUMN_IGNORED",
                &format!("{}: {path}", self.place.file),
                text,
                count,
            )?;
        }
        Ok(())
    }
}
