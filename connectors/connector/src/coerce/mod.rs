//! Text to typed values, exactly: nothing is rounded by a binary float, nothing unreadable gets a default.
//!
//! Each kind of value has its own file; all of them take a trimmed text and say either the value or the
//! [`Reason`] why there is none.

pub mod chinese;
pub mod date;
pub mod decimal;
pub mod flag;

use crate::reason::Reason;

/// One cell of a source, before it has the type of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Empty,
    /// As written, untrimmed.
    Text(&'a str),
    /// A number that the source stores as a number, in decimal notation (`1234.5`, `1e3`).
    Number(&'a str),
    /// A number of a spreadsheet: like `Number`, and in a date column a serial day.
    SheetNumber(&'a str),
    /// A date or time that the source stores as one, without a zone: microseconds since 1970-01-01.
    Local(i64),
    /// A moment that the source stores as one: UTC microseconds since 1970-01-01.
    Instant(i64),
    Bool(bool),
    /// There is something, and it cannot be a value.
    Broken(Reason, &'a str),
}

/// Without the white space around it: ASCII, ideographic and no-break spaces, and invisible marks.
pub fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(a), Some(b)) if a.is_ascii_graphic() && b.is_ascii_graphic() => text,
        _ => text.trim_matches(|c: char| {
            c.is_whitespace()
                || c.is_control()
                || matches!(c, '\u{feff}' | '\u{200b}' | '\u{200c}' | '\u{200d}')
        }),
    }
}

/// Full-width ASCII (`Ａ`, `１`, `（`) and the ideographic space as their half-width forms.
pub fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        c => c,
    }
}

/// The text in half-width forms, lower case, without any white space: what headers, codes and words are
/// compared by.
pub fn fold(text: &str) -> String {
    text.chars()
        .map(half_width)
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimming_takes_every_kind_of_space_and_nothing_inside() {
        assert_eq!(trim(" \u{3000}\u{a0}杭州 康瑞\u{3000}\t\r"), "杭州 康瑞");
        assert_eq!(trim("\u{feff}a b"), "a b");
        assert_eq!(trim("\u{3000}"), "");
    }

    #[test]
    fn folding_makes_headers_comparable() {
        assert_eq!(fold("含税 单价（元）"), "含税单价(元)");
        assert_eq!(fold("ＭＡＣ地址"), "mac地址");
    }
}
