//! Files as records: JSON Lines split over threads, documents taken apart, whatever encoding they are in.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use connector::decode::{self, Detected, Encoding, Utf16Reader};
use connector::json::Members;
use connector::{RawBatch, Reason};
use serde_json::value::RawValue;

use crate::error::OpenError;
use crate::ordered::ordered;

/// Bytes of lines that a thread works on at a time.
const BLOCK_BYTES: usize = 4 << 20;
/// Longest line of JSON Lines.
const LINE_BYTES_MAX: usize = 64 << 20;
/// Largest JSON document: it is held in memory whole. JSON Lines has no such limit.
const DOCUMENT_BYTES_MAX: u64 = 512 << 20;
/// The encoding and the kind of file are found by so much of its start.
const SAMPLE_BYTES: u64 = 4 << 20;
/// Text of a document's records that a thread works on at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Lists and packages within each other, at most.
const NESTING_MAX: usize = 8;

/// Why a whole file is refused.
pub type Refusal = (Reason, String);

/// One record of a file.
pub struct Record<'a> {
    /// Line of JSON Lines, else the index of the record in the document; from 1.
    pub position: u64,
    /// The text, or why there is none and what there is.
    pub text: Result<Cow<'a, str>, (Reason, Cow<'a, str>)>,
}

/// A file that is open for reading.
pub struct Input {
    name: String,
    bytes: u64,
    file: File,
    encoding: Encoding,
    mark_bytes: u64,
    is_lines: bool,
    /// The encoding is none that JSON may be in, and nobody said so.
    pub is_guessed: bool,
}

/// Opens the kept file and finds out what it is.
pub fn open(
    raw: &RawBatch,
    name: &str,
    forced: Option<Encoding>,
) -> Result<Result<Input, Refusal>, OpenError> {
    let failed = |source| OpenError::Read {
        name: name.to_owned(),
        source,
    };
    let mut file = File::open(&raw.path).map_err(failed)?;
    let mut sample = Vec::new();
    (&mut file)
        .take(SAMPLE_BYTES)
        .read_to_end(&mut sample)
        .map_err(failed)?;
    let (encoding, mark_bytes, is_guessed) = match encoding_of(&sample, forced).map_err(failed)? {
        Ok(found) => found,
        Err(reason) => return Ok(Err((reason, String::new()))),
    };
    let lower = name.to_ascii_lowercase();
    let is_lines = lower.ends_with(".jsonl")
        || lower.ends_with(".ndjson")
        || starts_with_lines(&sample[mark_bytes..], encoding, raw.bytes > SAMPLE_BYTES);
    if !is_lines && raw.bytes > DOCUMENT_BYTES_MAX {
        let detail = format!("a JSON document may have {DOCUMENT_BYTES_MAX} bytes; make JSON Lines of it");
        return Ok(Err((Reason::TooLarge, detail)));
    }
    Ok(Ok(Input {
        name: name.to_owned(),
        bytes: raw.bytes,
        file,
        encoding,
        mark_bytes: mark_bytes as u64,
        is_lines,
        is_guessed,
    }))
}

type Encoded = Result<(Encoding, usize, bool), Reason>;

fn encoding_of(sample: &[u8], forced: Option<Encoding>) -> std::io::Result<Encoded> {
    let unmarked = match sample {
        [b'{' | b'[', 0, ..] => Some(Encoding::Utf16Le),
        [0, b'{' | b'[', ..] => Some(Encoding::Utf16Be),
        _ => None,
    };
    if let Some(encoding) = unmarked {
        return Ok(Ok((encoding, 0, false)));
    }
    Ok(match decode::detect(sample)? {
        Detected::Empty => Err(Reason::EmptyFile),
        Detected::Binary => Err(Reason::BinaryFile),
        Detected::Text { encoding, mark_bytes } => match forced {
            Some(forced) => Ok((forced, mark_bytes, false)),
            None if encoding == Encoding::Gb18030 => {
                let found = if looks_latin(sample) {
                    Encoding::Latin1
                } else {
                    encoding
                };
                Ok((found, mark_bytes, true))
            }
            None => Ok((encoding, mark_bytes, false)),
        },
    })
}

/// Whether the bytes beyond ASCII stand alone, as accents do, rather than in pairs, as Chinese does.
fn looks_latin(sample: &[u8]) -> bool {
    let (mut alone, mut paired) = (0u64, 0u64);
    for run in sample.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        if run.first().is_some_and(|b| !b.is_ascii()) {
            *(if run.len() == 1 { &mut alone } else { &mut paired }) += 1;
        }
    }
    alone > paired
}

/// Whether the first line is a JSON value by itself and something follows it.
fn starts_with_lines(sample: &[u8], encoding: Encoding, is_cut: bool) -> bool {
    let mut text = String::new();
    if encoding.is_ascii_compatible() {
        let start = sample.len() - sample.trim_ascii_start().len();
        let Some(end) = memchr::memchr(b'\n', &sample[start..]) else {
            return false;
        };
        if !is_cut && sample[start + end..].trim_ascii().is_empty() {
            return false;
        }
        encoding.decode(&sample[start..start + end], &mut text);
    } else {
        encoding.decode(sample, &mut text);
        let trimmed = text.trim_start();
        let Some((first, rest)) = trimmed.split_once('\n') else {
            return false;
        };
        if !is_cut && rest.trim().is_empty() {
            return false;
        }
        text = first.to_owned();
    }
    serde_json::from_str::<&RawValue>(text.trim()).is_ok_and(|v| v.get().starts_with(['{', '[']))
}

impl Input {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The whole file as text; bytes that do not belong to its encoding are U+FFFD.
    pub fn text(mut self) -> Result<Result<String, Refusal>, OpenError> {
        let failed = |source| OpenError::Read {
            name: self.name.clone(),
            source,
        };
        if self.bytes > DOCUMENT_BYTES_MAX {
            let detail = format!("a list may have {DOCUMENT_BYTES_MAX} bytes; split it");
            return Ok(Err((Reason::TooLarge, detail)));
        }
        self.file.seek(SeekFrom::Start(self.mark_bytes)).map_err(failed)?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).map_err(failed)?;
        let mut text = String::new();
        // Whether all bytes belong is seen in the text.
        let _ = self.encoding.decode(&bytes, &mut text);
        Ok(Ok(text))
    }

    /// Hands groups of records to `work`, on several threads, and what it makes of them to `deliver`, in order,
    /// with how many bytes they were. A document that is no JSON is refused as a whole.
    pub fn read<T: Send>(
        mut self,
        threads: usize,
        work: impl Fn(&mut dyn Iterator<Item = Record<'_>>) -> T + Sync,
        mut deliver: impl FnMut(T, u64) -> Result<(), OpenError>,
    ) -> Result<Option<Refusal>, OpenError> {
        let failed = |source| OpenError::Read {
            name: self.name.clone(),
            source,
        };
        self.file.seek(SeekFrom::Start(self.mark_bytes)).map_err(failed)?;
        if !self.is_lines {
            return self.read_document(threads, work, deliver);
        }
        let (encoding, input): (Encoding, Box<dyn Read + Send>) = if self.encoding.is_ascii_compatible() {
            (self.encoding, Box::new(&self.file))
        } else {
            (
                Encoding::Utf8,
                Box::new(Utf16Reader::new(&self.file, self.encoding)),
            )
        };
        let is_recoded = encoding != self.encoding;
        let blocks = Blocks {
            input: BufReader::with_capacity(256 << 10, input),
            carried: Vec::new(),
            line: 1,
            at_end: false,
        };
        let mut broken = None;
        let whole = ordered(
            threads,
            blocks,
            |block| {
                block.map(|block| {
                    let size = block.bytes.len() as u64;
                    (work(&mut block.records(encoding, is_recoded)), size)
                })
            },
            |result| match result {
                Ok((made, size)) => deliver(made, size),
                Err(error) => {
                    broken = Some(error);
                    Ok(())
                }
            },
        )?;
        match broken {
            Some(error) => Err(failed(error)),
            None if !whole => Err(OpenError::Stopped { name: self.name }),
            None => Ok(None),
        }
    }

    fn read_document<T: Send>(
        mut self,
        threads: usize,
        work: impl Fn(&mut dyn Iterator<Item = Record<'_>>) -> T + Sync,
        mut deliver: impl FnMut(T, u64) -> Result<(), OpenError>,
    ) -> Result<Option<Refusal>, OpenError> {
        let mut bytes = Vec::new();
        self.file
            .read_to_end(&mut bytes)
            .map_err(|source| OpenError::Read {
                name: self.name.clone(),
                source,
            })?;
        let text = match String::from_utf8(bytes) {
            Ok(text) if self.encoding == Encoding::Utf8 => text,
            other => {
                let bytes = other.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
                let mut text = String::new();
                if !self.encoding.decode(&bytes, &mut text) {
                    return Ok(Some((
                        Reason::BadEncoding,
                        "name the file's encoding in the configuration".to_owned(),
                    )));
                }
                text
            }
        };
        let mut items = Vec::new();
        for value in serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>() {
            match value {
                Ok(value) => expand(value.get(), NESTING_MAX, &mut items),
                Err(error) => return Ok(Some((Reason::DamagedFile, error.to_string()))),
            }
        }
        let mut chunks: Vec<(u64, &[&str])> = Vec::new();
        let (mut start, mut size) = (0, 0);
        for (n, item) in items.iter().enumerate() {
            size += item.len();
            if size >= CHUNK_BYTES || n + 1 == items.len() {
                chunks.push((start as u64, &items[start..=n]));
                (start, size) = (n + 1, 0);
            }
        }
        let count = chunks.len().max(1) as u64;
        let share = self.bytes / count;
        let whole = ordered(
            threads,
            chunks.into_iter(),
            |(start, items)| {
                let mut records = (start + 1..).zip(items).map(|(position, item)| Record {
                    position,
                    text: Ok(Cow::Borrowed(*item)),
                });
                work(&mut records)
            },
            |made| deliver(made, share),
        )?;
        if whole {
            Ok(None)
        } else {
            Err(OpenError::Stopped { name: self.name })
        }
    }
}

/// Takes lists and packages apart: their elements, releases or records are the records.
pub fn expand<'a>(text: &'a str, depth: usize, out: &mut Vec<&'a str>) {
    let list = |text: &'a str| serde_json::from_str::<Vec<&RawValue>>(text).ok();
    if depth > 0 {
        if text.starts_with('[')
            && let Some(items) = list(text)
        {
            items
                .into_iter()
                .for_each(|item| expand(item.get(), depth - 1, out));
            return;
        }
        if text.starts_with('{')
            && let Ok(members) = serde_json::from_str::<Members<'_>>(text)
            && members.0.iter().all(|(name, _)| name != "ocid")
        {
            let held = members.0.iter().find(|(name, value)| {
                (name == "releases" || name == "records") && value.get().starts_with('[')
            });
            if let Some(items) = held.and_then(|(_, value)| list(value.get())) {
                items
                    .into_iter()
                    .for_each(|item| expand(item.get(), depth - 1, out));
                return;
            }
        }
    }
    out.push(text);
}

/// Whole lines.
struct Block {
    first_line: u64,
    bytes: Vec<u8>,
    /// It is the start of one line that is too long.
    is_cut: bool,
}

impl Block {
    fn records(&self, encoding: Encoding, is_recoded: bool) -> impl Iterator<Item = Record<'_>> {
        let whole = match encoding {
            Encoding::Utf8 => std::str::from_utf8(&self.bytes).ok(),
            _ => None,
        };
        let mut rest = 0;
        let mut line = self.first_line;
        std::iter::from_fn(move || {
            loop {
                if rest >= self.bytes.len() {
                    return None;
                }
                let end = memchr::memchr(b'\n', &self.bytes[rest..]).map_or(self.bytes.len(), |n| rest + n);
                let (start, position) = (rest, line);
                (rest, line) = (end + 1, line + 1);
                let bytes = &self.bytes[start..end];
                if bytes.trim_ascii().is_empty() {
                    continue;
                }
                let text = if self.is_cut {
                    Err((Reason::RowTooLong, String::from_utf8_lossy(bytes)))
                } else if let Some(whole) = whole {
                    let text = &whole[start..end];
                    // Recoded UTF-16 has this sign where a unit was broken.
                    if is_recoded && text.contains('\u{fffd}') {
                        Err((Reason::BadEncoding, Cow::Borrowed(text)))
                    } else {
                        Ok(Cow::Borrowed(text))
                    }
                } else {
                    let mut text = String::new();
                    if encoding.decode(bytes, &mut text) {
                        Ok(Cow::Owned(text))
                    } else {
                        Err((Reason::BadEncoding, Cow::Owned(text)))
                    }
                };
                return Some(Record { position, text });
            }
        })
    }
}

/// Reads a file in blocks of whole lines.
struct Blocks<R> {
    input: R,
    carried: Vec<u8>,
    line: u64,
    at_end: bool,
}

impl<R: BufRead> Blocks<R> {
    fn next_block(&mut self) -> std::io::Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.carried);
        let first_line = self.line;
        let mut searched = 0;
        while !self.at_end {
            let room = BLOCK_BYTES.saturating_sub(bytes.len()).max(BLOCK_BYTES / 4);
            bytes.reserve(room);
            self.at_end = self.input.by_ref().take(room as u64).read_to_end(&mut bytes)? == 0;
            if let Some(end) = memchr::memrchr(b'\n', &bytes[searched..]) {
                self.carried = bytes.split_off(searched + end + 1);
                break;
            }
            searched = bytes.len();
            if bytes.len() > LINE_BYTES_MAX {
                self.at_end = self.input.skip_until(b'\n')? == 0;
                self.line += 1;
                bytes.truncate(connector::message::RAW_BYTES_MAX);
                return Ok(Some(Block {
                    first_line,
                    bytes,
                    is_cut: true,
                }));
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Ok(Some(Block {
            first_line,
            bytes,
            is_cut: false,
        }))
    }
}

impl<R: BufRead> Iterator for Blocks<R> {
    type Item = std::io::Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_block();
        if next.is_err() {
            self.at_end = true;
            self.carried.clear();
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(bytes: &[u8]) -> Vec<Block> {
        let blocks = Blocks {
            input: bytes,
            carried: Vec::new(),
            line: 1,
            at_end: false,
        };
        blocks.map(Result::unwrap).collect()
    }

    #[test]
    fn blocks_hold_whole_lines_and_know_their_numbers() {
        let text: String = (1..=900_000u32).map(|n| format!("{{\"n\": {n}}}\n")).collect();
        let blocks = blocks(text.trim_end().as_bytes());
        assert!(blocks.len() > 2);
        let mut next = 1;
        for block in &blocks {
            for record in block.records(Encoding::Utf8, false) {
                assert_eq!(record.position, next);
                assert_eq!(record.text.unwrap(), format!("{{\"n\": {next}}}"));
                next += 1;
            }
        }
        assert_eq!(next, 900_001);
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let mut bytes = b"1\n".to_vec();
        bytes.resize(LINE_BYTES_MAX + 2 * BLOCK_BYTES, b'x');
        bytes.extend(b"\n3\n4");
        let mut got = Vec::new();
        for block in blocks(&bytes) {
            for record in block.records(Encoding::Utf8, false) {
                got.push((record.position, record.text.map_err(|e| e.0).map(Cow::into_owned)));
            }
        }
        let text = |t: &str| Ok(t.to_owned());
        assert_eq!(
            got,
            [
                (1, text("1")),
                (2, Err(Reason::RowTooLong)),
                (3, text("3")),
                (4, text("4"))
            ]
        );
    }

    #[test]
    fn latin_and_chinese_are_told_apart() {
        let latin = encoding_rs::WINDOWS_1252
            .encode("{\"a\": \"licitación pública, año\"}")
            .0;
        let chinese = encoding_rs::GB18030.encode("{\"a\": \"公开招标\"}").0;
        let of = |bytes: &[u8]| encoding_of(bytes, None).unwrap().unwrap();
        assert_eq!(of(&latin), (Encoding::Latin1, 0, true));
        assert_eq!(of(&chinese), (Encoding::Gb18030, 0, true));
        assert_eq!(of("{\"a\": \"公开招标\"}".as_bytes()), (Encoding::Utf8, 0, false));
        assert_eq!(of(b"{\0\"\0"), (Encoding::Utf16Le, 0, false));
        assert_eq!(encoding_of(b"", None).unwrap(), Err(Reason::EmptyFile));
    }

    #[test]
    fn lines_and_documents_are_told_apart() {
        let is_lines = |text: &str| starts_with_lines(text.as_bytes(), Encoding::Utf8, false);
        assert!(is_lines("{\"a\": 1}\n{\"a\": 2}\n"));
        assert!(!is_lines("{\"a\": 1}\n"));
        assert!(!is_lines("{\"a\": 1}"));
        assert!(!is_lines("{\n\"a\": 1}\n"));
        assert!(!is_lines("[\n{\"a\": 1},\n{\"a\": 1}]\n"));
    }

    #[test]
    fn packages_and_lists_are_taken_apart() {
        let mut out = Vec::new();
        expand(
            r#"[{"releases": [{"ocid": 1}, 3]}, {"records": []}, {"ocid": 2, "releases": []}]"#,
            8,
            &mut out,
        );
        assert_eq!(out, [r#"{"ocid": 1}"#, "3", r#"{"ocid": 2, "releases": []}"#]);
    }
}
