//! How values are written in the exports: five styles of date, thousands separators, a trailing 元, full
//! width digits, names with other endings, brackets or blanks, codes in lower case.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use rand::Rng;

/// A value of a register, before somebody wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    /// Written as it is.
    Text(String),
    /// A company's name, which people write in several ways.
    Company(String),
    /// A code that may come in lower case.
    Code(String),
    Date(NaiveDate),
    /// Wall-clock time in China.
    Time(NaiveDateTime),
    /// Money in cents.
    Money(i64),
    /// Price, quantity or percentage in ten-thousandths.
    Decimal(i64),
    Int(i64),
    Bool(bool),
}

pub(crate) fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

pub(crate) const DATE_STYLES: usize = 5;

/// Writes `day` in one of the five styles of hospital exports.
pub(crate) fn write_date(out: &mut String, day: NaiveDate, style: usize) {
    let (y, m, d) = (day.year(), day.month(), day.day());
    let written = match style {
        0 => format!("{y:04}-{m:02}-{d:02}"),
        1 => format!("{y}/{m}/{d}"),
        2 => format!("{y}年{m}月{d}日"),
        3 => format!("{y:04}{m:02}{d:02}"),
        _ => format!("{y:04}.{m:02}.{d:02}"),
    };
    out.push_str(&written);
}

/// Writes `value / 10^scale`, without trailing zeros beyond `keep` decimals.
pub(crate) fn write_decimal(out: &mut Vec<u8>, value: i64, scale: u32, keep: u32, grouped: bool) {
    let mut digits = [0_u8; 40];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    let mut fraction_left = scale;
    let mut seen = false;
    while fraction_left > 0 {
        let digit = (rest % 10) as u8;
        rest /= 10;
        if digit != 0 || seen || fraction_left <= keep {
            seen = true;
            at -= 1;
            digits[at] = b'0' + digit;
        }
        fraction_left -= 1;
    }
    if seen {
        at -= 1;
        digits[at] = b'.';
    }
    let mut count = 0;
    loop {
        if grouped && count == 3 {
            at -= 1;
            digits[at] = b',';
            count = 0;
        }
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn decimal_text(value: i64, scale: u32, keep: u32, grouped: bool) -> String {
    let mut out = Vec::new();
    write_decimal(&mut out, value, scale, keep, grouped);
    out.iter().map(|b| char::from(*b)).collect()
}

/// Turns ASCII digits (and point and comma) into their full width forms.
pub(crate) fn full_width(plain: &str) -> String {
    plain
        .chars()
        .map(|c| match c {
            '!'..='~' => char::from_u32(c as u32 - 0x21 + 0xFF01).unwrap_or(c),
            other => other,
        })
        .collect()
}

/// The ways in which a company's name gets written; all mean the same company. The first is the
/// registered one.
pub(crate) fn company_spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), format!("{name}\u{3000}")];
    // 有限公司 and 有限责任公司 name the same form; a 股份有限公司 is another, and a branch's name holds
    // its parent's.
    if let Some(stem) = name.strip_suffix("有限责任公司") {
        all.push(format!("{stem}有限公司"));
    } else if let Some(stem) = name.strip_suffix("有限公司")
        && !stem.ends_with("股份")
    {
        all.push(format!("{stem}有限责任公司"));
    }
    if name.contains('（') {
        all.push(name.replace('（', "(").replace('）', ")"));
    } else {
        let mut spaced: String = name.chars().take(2).collect();
        spaced.push(' ');
        spaced.extend(name.chars().skip(2));
        all.push(spaced);
    }
    all
}

/// The text a person or system would have put into a file for `cell`.
pub(crate) fn written(cell: &Cell, rng: &mut impl Rng) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(t) => t.clone(),
        Cell::Company(name) => {
            if rng.random_range(0..10) == 0 {
                let mut all = company_spellings(name);
                let chosen = rng.random_range(0..all.len());
                all.swap_remove(chosen)
            } else {
                name.clone()
            }
        }
        Cell::Code(code) => {
            if rng.random_range(0..25) == 0 {
                code.to_ascii_lowercase()
            } else {
                code.clone()
            }
        }
        Cell::Date(day) => {
            let mut out = String::new();
            write_date(&mut out, *day, rng.random_range(0..DATE_STYLES));
            out
        }
        Cell::Time(time) => {
            if rng.random_range(0..4) == 0 {
                let (y, m, d) = (time.year(), time.month(), time.day());
                format!("{y}/{m}/{d} {:02}:{:02}", time.hour(), time.minute())
            } else {
                time.format("%Y-%m-%d %H:%M:%S").to_string()
            }
        }
        Cell::Money(cents) => match rng.random_range(0..8) {
            0 => decimal_text(*cents, 2, 2, true),
            1 => format!("{}元", decimal_text(*cents, 2, 2, true)),
            2 => full_width(&decimal_text(*cents, 2, 2, false)),
            _ => decimal_text(*cents, 2, 2, false),
        },
        Cell::Decimal(value) => decimal_text(*value, 4, 0, false),
        Cell::Int(n) => n.to_string(),
        Cell::Bool(b) => (if *b { "是" } else { "否" }).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_what_they_must_and_no_more() {
        assert_eq!(decimal_text(125_000, 4, 2, false), "12.50");
        assert_eq!(decimal_text(125_000, 4, 0, false), "12.5");
        assert_eq!(decimal_text(3_000_000, 4, 0, false), "300");
        assert_eq!(decimal_text(8_734, 4, 2, false), "0.8734");
        assert_eq!(decimal_text(123_456_789, 2, 2, true), "1,234,567.89");
        assert_eq!(decimal_text(100_000, 2, 2, true), "1,000.00");
        assert_eq!(decimal_text(-5, 2, 2, true), "-0.05");
    }

    #[test]
    fn other_spellings_keep_joint_stock_companies_apart() {
        let spellings = company_spellings("浙江同德生物科技股份有限公司");
        assert!(
            spellings
                .iter()
                .all(|s| s.replace([' ', '\u{3000}'], "").ends_with("股份有限公司"))
        );
        let plain = company_spellings("杭州（浙江）康瑞医药有限公司");
        assert!(plain.contains(&"杭州(浙江)康瑞医药有限公司".to_owned()));
        assert!(plain.contains(&"杭州（浙江）康瑞医药有限责任公司".to_owned()));
    }
}
