//! How a Chinese text is written, below what it says: widths, brackets, invisible characters, scripts.
//!
//! [`tidy`] folds a text for reading and parsing, [`simplify`] turns traditional characters into simplified
//! ones, and [`shape`] folds characters that are taken for one another into classes. None of them decides
//! that two names are equal: they make candidates, and keys for [`crate::org`] and [`crate::person`].

mod confusable;
mod simplify;
mod tables;
mod tidy;

pub use confusable::{fold_shape, latin_twin, looks_like, shape};
pub use simplify::{is_traditional, simplify};
pub use tidy::{Tidy, tidy};

/// Whether a character is a Han ideograph (the unified blocks, the compatibility block and 〇).
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}' | '〇')
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
    if c.is_ascii_digit() {
        return c.to_digit(10);
    }
    let digits = [
        "〇零",
        "一壹",
        "二贰两",
        "三叁",
        "四肆",
        "五伍",
        "六陆",
        "七柒",
        "八捌",
        "九玖",
    ];
    digits.iter().position(|d| d.contains(c)).map(|d| d as u32)
}

/// Whether a character can be part of a numeral that [`numeral`] reads.
pub fn is_numeral(c: char) -> bool {
    digit_of(c).is_some() || "十拾百佰千仟廿".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

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
