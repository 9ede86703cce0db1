//! Text encodings: which one a file is in, and its bytes as text. For every connector that reads files.

use std::io::Read;

/// Encodings that exports come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Gb18030,
    Utf16Le,
    Utf16Be,
    /// Windows-1252, which is what "Latin-1" files are in. Never detected here: any bytes are text in it.
    Latin1,
}

/// What the start of a file, and as much of the rest as is needed, says about its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    Text { encoding: Encoding, mark_bytes: usize },
    Binary,
    Empty,
}

impl Encoding {
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Self::Utf8,
            "gb18030" | "gbk" | "gb2312" => Self::Gb18030,
            "utf-16le" => Self::Utf16Le,
            "utf-16be" => Self::Utf16Be,
            "latin1" | "latin-1" | "iso-8859-1" | "windows-1252" => Self::Latin1,
            _ => return None,
        })
    }

    /// Whether `,`, `"` and line ends are single bytes that occur nowhere else. (A trail byte of GB18030 is
    /// 0x30-0x39, 0x40-0x7E or 0x80-0xFE.)
    pub fn is_ascii_compatible(self) -> bool {
        matches!(self, Self::Utf8 | Self::Gb18030 | Self::Latin1)
    }

    /// Appends the bytes as text. False, with the readable part appended, when they are not of this encoding.
    pub fn decode(self, bytes: &[u8], out: &mut String) -> bool {
        if let Ok(text) = std::str::from_utf8(bytes)
            && (self == Self::Utf8 || bytes.is_ascii())
        {
            out.push_str(text);
            return true;
        }
        let whole = match self {
            Self::Utf8 => false,
            other => {
                let mut decoder = other.library().new_decoder_without_bom_handling();
                let start = out.len();
                match decoder.max_utf8_buffer_length_without_replacement(bytes.len()) {
                    Some(room) => {
                        out.reserve(room);
                        let (result, _) = decoder.decode_to_string_without_replacement(bytes, out, true);
                        let whole = matches!(result, encoding_rs::DecoderResult::InputEmpty);
                        if !whole {
                            out.truncate(start);
                        }
                        whole
                    }
                    None => false,
                }
            }
        };
        if !whole {
            out.push_str(&self.library().decode_without_bom_handling(bytes).0);
        }
        whole
    }

    fn library(self) -> &'static encoding_rs::Encoding {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Latin1 => encoding_rs::WINDOWS_1252,
        }
    }
}

/// Where a NUL byte means that the file is no text.
const BINARY_PROBE_BYTES: usize = 64 * 1024;
/// How many more broken lines one encoding must have than the other before the rest need not be read.
const CLEAR_LEAD: u64 = 1000;
/// Lines longer than this are judged in pieces.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The encoding of a text: by its mark, else the one of UTF-8 and GB18030 in which fewer lines are broken,
/// UTF-8 when both have as many. One broken line does not decide for a file.
pub fn detect(mut input: impl Read) -> std::io::Result<Detected> {
    let mut block = Vec::with_capacity(BINARY_PROBE_BYTES);
    input
        .by_ref()
        .take(BINARY_PROBE_BYTES as u64)
        .read_to_end(&mut block)?;
    let (encoding, mark_bytes) = match block.as_slice() {
        [] => return Ok(Detected::Empty),
        [0xef, 0xbb, 0xbf, ..] => (Some(Encoding::Utf8), 3),
        [0xff, 0xfe, ..] => (Some(Encoding::Utf16Le), 2),
        [0xfe, 0xff, ..] => (Some(Encoding::Utf16Be), 2),
        _ => (None, 0),
    };
    if block.len() == mark_bytes {
        return Ok(Detected::Empty);
    }
    if encoding.is_none_or(Encoding::is_ascii_compatible) && memchr::memchr(0, &block).is_some() {
        return Ok(Detected::Binary);
    }
    if let Some(encoding) = encoding {
        return Ok(Detected::Text { encoding, mark_bytes });
    }
    let (mut broken_utf8, mut broken_gb18030) = (0u64, 0u64);
    let mut text = String::new();
    loop {
        let at_end = block.is_empty();
        let mut rest = block.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            judge(&rest[..end], &mut text, &mut broken_utf8, &mut broken_gb18030);
            rest = &rest[end + 1..];
        }
        let mut carried = rest.to_vec();
        if carried.len() > LINE_BYTES_MAX || at_end {
            judge(&carried, &mut text, &mut broken_utf8, &mut broken_gb18030);
            carried.clear();
        }
        if broken_utf8.abs_diff(broken_gb18030) > CLEAR_LEAD {
            break;
        }
        let before = carried.len();
        input.by_ref().take(1 << 20).read_to_end(&mut carried)?;
        if carried.len() == before {
            judge(&carried, &mut text, &mut broken_utf8, &mut broken_gb18030);
            break;
        }
        block = carried;
    }
    let encoding = if broken_utf8 <= broken_gb18030 {
        Encoding::Utf8
    } else {
        Encoding::Gb18030
    };
    Ok(Detected::Text { encoding, mark_bytes })
}

fn judge(line: &[u8], scratch: &mut String, broken_utf8: &mut u64, broken_gb18030: &mut u64) {
    if line.is_ascii() {
        return;
    }
    if std::str::from_utf8(line).is_err() {
        *broken_utf8 += 1;
    }
    scratch.clear();
    if !Encoding::Gb18030.decode(line, scratch) {
        *broken_gb18030 += 1;
    }
}

/// UTF-16 as UTF-8, in a stream. Broken units become U+FFFD.
pub struct Utf16Reader<R> {
    input: R,
    decoder: encoding_rs::Decoder,
    bytes: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    at_end: bool,
}

impl<R: Read> Utf16Reader<R> {
    pub fn new(input: R, encoding: Encoding) -> Self {
        let decoder = encoding.library().new_decoder_without_bom_handling();
        Self {
            input,
            decoder,
            bytes: vec![0; 64 * 1024],
            text: Vec::new(),
            given: 0,
            at_end: false,
        }
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.text.len() && !self.at_end {
            let count = self.input.read(&mut self.bytes)?;
            self.at_end = count == 0;
            self.text.resize(count * 3 + 16, 0);
            let (_, _, written, _) =
                self.decoder
                    .decode_to_utf8(&self.bytes[..count], &mut self.text, self.at_end);
            self.text.truncate(written);
            self.given = 0;
        }
        let count = out.len().min(self.text.len() - self.given);
        out[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// Text as the bytes it had in its file.
pub fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Utf8 | Encoding::Gb18030 | Encoding::Latin1 => {
            encoding.library().encode(text).0.into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(bytes: &[u8]) -> Detected {
        detect(bytes).unwrap()
    }

    fn text(encoding: Encoding, mark_bytes: usize) -> Detected {
        Detected::Text { encoding, mark_bytes }
    }

    #[test]
    fn encodings_are_told_apart() {
        let line = "采购单号,供应商\nA1,杭州康瑞医药有限公司\n";
        let gb = encode(line, Encoding::Gb18030);
        assert_eq!(detected(line.as_bytes()), text(Encoding::Utf8, 0));
        assert_eq!(detected(&gb), text(Encoding::Gb18030, 0));
        assert_eq!(
            detected(format!("\u{feff}{line}").as_bytes()),
            text(Encoding::Utf8, 3)
        );
        assert_eq!(
            detected(&encode(&format!("\u{feff}{line}"), Encoding::Utf16Le)),
            text(Encoding::Utf16Le, 2)
        );
        assert_eq!(
            detected(&encode(&format!("\u{feff}{line}"), Encoding::Utf16Be)),
            text(Encoding::Utf16Be, 2)
        );
        assert_eq!(detected(b"order_id,line_no\n"), text(Encoding::Utf8, 0));
        assert_eq!(detected(b""), Detected::Empty);
        assert_eq!(detected(b"\xef\xbb\xbf"), Detected::Empty);
        assert_eq!(detected(b"\x89PNG\r\n\x1a\n\x00\x00"), Detected::Binary);
    }

    #[test]
    fn one_broken_line_does_not_decide() {
        for encoding in [Encoding::Utf8, Encoding::Gb18030] {
            let mut bytes = Vec::new();
            for n in 0..3000 {
                bytes.extend(encode(&format!("{n},宁波恒泰医疗器械有限责任公司\n"), encoding));
            }
            bytes.extend(b"\xff\xff\xff\n");
            bytes.extend(encode("尾,行\n", encoding));
            assert_eq!(detected(&bytes), text(encoding, 0));
        }
    }

    #[test]
    fn a_late_chinese_line_still_counts() {
        let mut bytes = vec![];
        for n in 0..400_000 {
            bytes.extend(format!("{n},x\n").bytes());
        }
        bytes.extend(encode("合计,杭州\n", Encoding::Gb18030));
        assert_eq!(detected(&bytes), text(Encoding::Gb18030, 0));
    }

    #[test]
    fn decoding_says_when_bytes_do_not_belong() {
        let mut out = String::new();
        assert!(Encoding::Gb18030.decode(&encode("台州仁和药业", Encoding::Gb18030), &mut out));
        assert_eq!(out, "台州仁和药业");
        assert!(!Encoding::Gb18030.decode(b"\xff\xff", &mut out));
        assert!(!Encoding::Utf8.decode(b"\xe6\x9d", &mut out));
    }

    #[test]
    fn utf16_streams_as_utf8() {
        let line = "采购单号,供应商\n".repeat(20_000);
        for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
            let bytes = encode(&line, encoding);
            let mut out = String::new();
            Utf16Reader::new(bytes.as_slice(), encoding)
                .read_to_string(&mut out)
                .unwrap();
            assert_eq!(out, line);
        }
    }
}
