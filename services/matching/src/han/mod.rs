//! How a Chinese text is written, below what it says: widths, brackets, invisible characters, scripts.
//!
//! [`tidy`] folds a text for reading and parsing, [`simplify`] turns traditional characters into simplified
//! ones, and [`shape`] folds characters that are taken for one another into classes. None of them decides
//! that two names are equal: they make candidates, and keys for [`crate::org`] and [`crate::person`].

use std::ops::RangeInclusive;

mod confusable;
mod simplify;
mod tables;
mod tidy;

pub(crate) use confusable::shape_bits;
pub use confusable::{fold_shape, latin_twin, looks_like, shape};
pub(crate) use simplify::simplified;
pub use simplify::{is_traditional, simplify};
pub use tidy::{Tidy, tidy};

/// Whether a character is a Han ideograph (the unified blocks, the compatibility block and 〇).
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}' | '〇')
}

/// The main block of ideographs.
const COMMON: RangeInclusive<char> = '\u{4e00}'..='\u{9fff}';

/// Whether a character is of the main block of ideographs: one writing, no case, as most of any Chinese text.
pub(crate) fn is_common(c: char) -> bool {
    COMMON.contains(&c)
}

/// Whether a text consists of such characters alone and tells no former name (曾用名): it is in one writing already, for
/// reading and as a key.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| is_common(c) && c != '曾')
}

/// Calls `each` with the characters of the text in NFKC. Ideographs, ASCII and its full-width twins, of which
/// nearly all texts consist, are mapped one by one.
pub(crate) fn nfkc(text: &str, each: impl FnMut(char)) {
    use unicode_normalization::UnicodeNormalization as _;
    if text.chars().all(|c| {
        c.is_ascii() || is_common(c) || matches!(c, '\u{3000}'..='\u{3002}' | '\u{ff01}'..='\u{ff5e}')
    }) {
        text.chars().map(half_width).for_each(each);
    } else {
        text.nfkc().for_each(each);
    }
}

fn half_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    }
}

/// The number a Chinese or Arabic numeral below ten thousand says (`十二`, `一百零三`, `二〇二`, `12`).
pub fn numeral(text: &str) -> Option<u32> {
    let mut total = 0u32;
    let mut digit: Option<u32> = None;
    let mut positional = String::new();
    let mut units = false;
    for c in text.chars() {
        if let Some(value) = digit_of(c) {
            positional.push(char::from_digit(value, 10)?);
            digit = Some(value);
            continue;
        }
        let unit = match c {
            '十' | '拾' => 10,
            '百' | '佰' => 100,
            '千' | '仟' => 1000,
            '廿' => {
                total += 20;
                units = true;
                continue;
            }
            _ => return None,
        };
        units = true;
        total += digit.take().unwrap_or(1) * unit;
    }
    if units {
        total += digit.unwrap_or(0);
    } else if (1..=5).contains(&positional.len()) {
        total = positional.parse().ok()?;
    } else {
        return None;
    }
    (total < 100_000).then_some(total)
}

fn digit_of(c: char) -> Option<u32> {
    Some(match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        '〇' | '零' => 0,
        '一' | '壹' => 1,
        '二' | '贰' | '两' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

/// Whether a character can be part of a numeral that [`numeral`] reads.
pub fn is_numeral(c: char) -> bool {
    digit_of(c).is_some() || matches!(c, '十' | '拾' | '百' | '佰' | '千' | '仟' | '廿')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_to_nfkc_leads_where_the_long_one_does() {
        use unicode_normalization::UnicodeNormalization as _;
        let all = (0..=0xffff).filter_map(char::from_u32);
        for c in all.filter(|c| c.is_ascii() || is_common(*c) || half_width(*c) != *c || "、。".contains(*c))
        {
            assert!(c.nfkc().eq([half_width(c)]), "{c}");
        }
    }

    #[test]
    fn numerals_of_both_kinds() {
        for (text, want) in [
            ("一", Some(1)),
            ("十", Some(10)),
            ("十二", Some(12)),
            ("二十", Some(20)),
            ("廿三", Some(23)),
            ("一百零三", Some(103)),
            ("二〇二", Some(202)),
            ("0108", Some(108)),
            ("三千二百", Some(3200)),
            ("", None),
            ("甲", None),
        ] {
            assert_eq!(numeral(text), want, "{text}");
        }
    }
}
