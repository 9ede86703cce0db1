//! Decimals: exact, from every way such exports write an amount.

use super::chinese;
use super::trim;
use crate::reason::Reason;

/// An exact number: `digits * 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    pub digits: i128,
    pub exponent: i32,
}

/// What may stand beside the digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notation {
    /// `¥`, `元`, Chinese numerals.
    pub currency: bool,
    /// `%`, which then means the number before it.
    pub percent: bool,
    /// `万`, `亿`. Off where the mapping already says in what the column is counted.
    pub units: bool,
    /// `1e3`. Only for numbers that the source stores as numbers: in text it is what a spreadsheet leaves of
    /// a number whose digits it has hidden.
    pub exponent: bool,
}

/// By what a source's numbers must be multiplied, e.g. 0.01 for fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(pub Number);

impl Factor {
    pub const FEN: Self = Self(Number {
        digits: 1,
        exponent: -2,
    });
    pub const WAN: Self = Self(Number {
        digits: 1,
        exponent: 4,
    });
}

/// The number that `text` (trimmed, not empty) writes.
pub fn parse(text: &str, notation: Notation) -> Result<Number, Reason> {
    match plain(text.as_bytes()) {
        Some(number) => Ok(number),
        None => written(text, notation),
    }
}

/// The number as an integer of 10^-scale, rounded half even, when it has at most `precision` digits.
pub fn to_scale(number: Number, factor: Option<Factor>, precision: u8, scale: i8) -> Result<i128, Reason> {
    let mut digits = number.digits;
    let mut exponent = number.exponent;
    if let Some(Factor(factor)) = factor {
        digits = digits
            .checked_mul(factor.digits)
            .ok_or(Reason::DecimalOutOfRange)?;
        exponent += factor.exponent;
    }
    let shift = exponent + i32::from(scale);
    let scaled = if digits == 0 || shift == 0 {
        digits
    } else if shift > 0 {
        let power = power_of_ten(shift).ok_or(Reason::DecimalOutOfRange)?;
        digits.checked_mul(power).ok_or(Reason::DecimalOutOfRange)?
    } else {
        match power_of_ten(-shift) {
            Some(power) => divide_half_even(digits, power),
            None => 0,
        }
    };
    let limit = power_of_ten(i32::from(precision)).ok_or(Reason::DecimalOutOfRange)?;
    if scaled.unsigned_abs() >= limit.unsigned_abs() {
        return Err(Reason::DecimalOutOfRange);
    }
    Ok(scaled)
}

/// A whole number; `3.0` is one, `3.5` is none.
pub fn to_int(number: Number, factor: Option<Factor>) -> Result<i64, Reason> {
    let tenths_and_less = to_scale(number, factor, 38, 18)?;
    let one = 10i128.pow(18);
    if tenths_and_less % one != 0 {
        return Err(Reason::BadInt);
    }
    i64::try_from(tenths_and_less / one).map_err(|_| Reason::DecimalOutOfRange)
}

/// An integer of 10^-scale as decimal text, `-0.05`.
pub fn to_text(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn power_of_ten(exponent: i32) -> Option<i128> {
    10i128.checked_pow(u32::try_from(exponent).ok()?)
}

fn divide_half_even(digits: i128, power: i128) -> i128 {
    let (quotient, rest) = (digits / power, (digits % power).abs());
    let twice = rest.cmp(&(power - rest));
    let up = twice.is_gt() || (twice.is_eq() && quotient % 2 != 0);
    if up { quotient + digits.signum() } else { quotient }
}

/// The common case: an optional minus, at most 18 ASCII digits, at most one point among them.
fn plain(bytes: &[u8]) -> Option<Number> {
    let (negative, body) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if body.is_empty() || body.len() > 18 {
        return None;
    }
    let mut value: i64 = 0;
    let mut fraction: i32 = -1;
    for &byte in body {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + i64::from(digit);
            fraction += i32::from(fraction >= 0);
        } else if byte == b'.' && fraction < 0 && body.len() > 1 {
            fraction = 0;
        } else {
            return None;
        }
    }
    let value = i128::from(if negative { -value } else { value });
    Some(Number {
        digits: value,
        exponent: -fraction.max(0),
    })
}

/// Everything else: brackets, currency marks, separators, units, full width, Chinese numerals.
fn written(text: &str, notation: Notation) -> Result<Number, Reason> {
    let mut rest = trim(text);
    let mut negative = false;
    if let Some(inner) = strip_brackets(rest) {
        negative = true;
        rest = trim(inner);
    }
    let mut signed = negative;
    let mut marked = false;
    loop {
        if let Some(after) = rest.strip_prefix(['-', '－', '−']) {
            if signed {
                return Err(Reason::BadDecimal);
            }
            (negative, signed, rest) = (true, true, trim(after));
        } else if let Some(after) = rest.strip_prefix(['+', '＋']) {
            if signed {
                return Err(Reason::BadDecimal);
            }
            (signed, rest) = (true, trim(after));
        } else if let Some(after) = strip_currency(rest) {
            if marked || !notation.currency {
                return Err(Reason::BadDecimal);
            }
            (marked, rest) = (true, trim(after));
        } else {
            break;
        }
    }
    let number = match body(rest, notation) {
        Some(number) => number?,
        None if notation.currency => chinese::amount(rest).ok_or(Reason::BadDecimal)?,
        None => return Err(Reason::BadDecimal),
    };
    Ok(if negative {
        Number {
            digits: -number.digits,
            ..number
        }
    } else {
        number
    })
}

fn strip_brackets(text: &str) -> Option<&str> {
    text.strip_prefix(['(', '（'])?.strip_suffix([')', '）'])
}

fn strip_currency(text: &str) -> Option<&str> {
    ["¥", "￥", "人民币", "RMB", "CNY"]
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
}

/// Digits with separators, then what stands behind them. None when it does not start with a digit or point.
fn body(text: &str, notation: Notation) -> Option<Result<Number, Reason>> {
    let first = super::half_width(text.chars().next()?);
    (first.is_ascii_digit() || first == '.').then(|| digits_and_units(text, notation))
}

fn digits_and_units(text: &str, notation: Notation) -> Result<Number, Reason> {
    let mut digits: i128 = 0;
    let mut fraction: Option<i32> = None;
    let mut any = false;
    // Digits since the last separator; none before the first separator.
    let mut group: Option<u32> = None;
    let mut run = 0;
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match super::half_width(c) {
            d @ '0'..='9' => {
                any = true;
                run += 1;
                digits = digits
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i128::from(d as u32 - '0' as u32)))
                    .ok_or(Reason::DecimalOutOfRange)?;
                if let Some(places) = &mut fraction {
                    *places += 1;
                }
            }
            ',' if fraction.is_none() => {
                // 1,234,567: one to three digits, then always three. Anything else may be another notation.
                let whole = if group.is_none() {
                    (1..=3).contains(&run)
                } else {
                    run == 3
                };
                if !whole {
                    return Err(Reason::BadDecimal);
                }
                group = Some(3);
                run = 0;
            }
            '.' if fraction.is_none() => {
                if group.is_some() && run != 3 {
                    return Err(Reason::BadDecimal);
                }
                fraction = Some(0);
                run = 0;
            }
            _ => {
                end = at;
                break;
            }
        }
    }
    if !any || (group.is_some() && fraction.is_none() && run != 3) {
        return Err(Reason::BadDecimal);
    }
    let mut exponent = -fraction.unwrap_or(0);
    let mut tail = trim(&text[end..]);
    if let (true, Some(power)) = (notation.exponent, tail.strip_prefix(['e', 'E'])) {
        let power: i32 = power.parse().map_err(|_| Reason::BadDecimal)?;
        if power.abs() > 400 {
            return Err(Reason::DecimalOutOfRange);
        }
        exponent += power;
        tail = "";
    }
    if notation.percent && matches!(tail, "%" | "％") {
        tail = "";
    }
    if notation.units {
        if let Some(after) = tail.strip_prefix('万') {
            (exponent, tail) = (exponent + 4, after);
        } else if let Some(after) = tail.strip_prefix('亿') {
            (exponent, tail) = (exponent + 8, after);
        }
    }
    if notation.currency && matches!(tail, "元" | "元整" | "元正" | "圆" | "圆整") {
        // With a declared unit, a unit in the cell contradicts it.
        if !notation.units {
            return Err(Reason::BadDecimal);
        }
        tail = "";
    }
    if tail.is_empty() {
        Ok(Number { digits, exponent })
    } else {
        Err(Reason::BadDecimal)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MONEY: Notation = Notation {
        currency: true,
        percent: false,
        units: true,
        exponent: false,
    };

    fn money(text: &str) -> Result<String, Reason> {
        to_scale(parse(text, MONEY)?, None, 18, 2).map(|v| to_text(v, 2))
    }

    #[test]
    fn amounts_as_such_exports_write_them() {
        for (text, expected) in [
            ("12.5", "12.50"),
            ("-0.05", "-0.05"),
            ("1,234.50元", "1234.50"),
            ("１，２３４．５０", "1234.50"),
            ("￥1,234", "1234.00"),
            ("¥ -3.10", "-3.10"),
            ("-¥3.10", "-3.10"),
            ("人民币3.10元", "3.10"),
            ("RMB 3.10", "3.10"),
            ("(1,234.50)", "-1234.50"),
            ("（12）", "-12.00"),
            ("1.5万元", "15000.00"),
            ("3万", "30000.00"),
            ("2.5亿元", "250000000.00"),
            ("壹佰万元整", "1000000.00"),
            (".5", "0.50"),
            ("5.", "5.00"),
            ("+7", "7.00"),
            ("12,345,678.905", "12345678.90"),
            ("0.015", "0.02"),
            ("0.025", "0.02"),
            ("-0.025", "-0.02"),
            ("0.0250000000000000000000001", "0.03"),
            ("9999999999999999.99", "9999999999999999.99"),
        ] {
            assert_eq!(money(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_may_mean_another_number_is_refused() {
        for text in [
            "见附件",
            "1,23",
            "1,2345",
            "12,34,567",
            "1234,567",
            "1.2.3",
            "1.234,50",
            "--1",
            "(-1)",
            "1e5",
            "1.2E+05",
            "-",
            ".",
            ",",
            "¥",
            "元",
            "1 2",
            "12%",
            "0x10",
            "NaN",
            "inf",
            "12元3",
            "1万2",
            "½",
        ] {
            assert_eq!(money(text), Err(Reason::BadDecimal), "{text}");
        }
        for text in [
            "10000000000000000",
            "99999999999999999999999999999999999999999999",
        ] {
            assert_eq!(money(text), Err(Reason::DecimalOutOfRange), "{text}");
        }
    }

    #[test]
    fn percent_and_exponent_only_where_they_belong() {
        let percent = Notation {
            percent: true,
            ..Notation::default()
        };
        assert_eq!(to_scale(parse("40%", percent).unwrap(), None, 7, 4), Ok(400_000));
        assert_eq!(
            to_scale(parse("33.3333％", percent).unwrap(), None, 7, 4),
            Ok(333_333)
        );
        let stored = Notation {
            exponent: true,
            ..Notation::default()
        };
        assert_eq!(
            to_scale(parse("1.25e3", stored).unwrap(), None, 18, 2),
            Ok(125_000)
        );
        assert_eq!(to_scale(parse("1e-300", stored).unwrap(), None, 18, 2), Ok(0));
        assert_eq!(
            to_scale(parse("1e300", stored).unwrap(), None, 18, 2),
            Err(Reason::DecimalOutOfRange)
        );
        assert_eq!(parse("1元", Notation::default()), Err(Reason::BadDecimal));
    }

    #[test]
    fn factors_are_exact_and_a_second_unit_contradicts_them() {
        let declared = Notation {
            units: false,
            ..MONEY
        };
        assert_eq!(
            to_scale(parse("1250", declared).unwrap(), Some(Factor::FEN), 18, 2),
            Ok(1250)
        );
        assert_eq!(
            to_scale(parse("312.6", declared).unwrap(), Some(Factor::WAN), 18, 2),
            Ok(312_600_000)
        );
        assert_eq!(parse("3万元", declared), Err(Reason::BadDecimal));
        assert_eq!(parse("3元", declared), Err(Reason::BadDecimal));
    }

    #[test]
    fn whole_numbers() {
        let int = |text| to_int(parse(text, Notation::default())?, None);
        assert_eq!(int("12"), Ok(12));
        assert_eq!(int("12.0"), Ok(12));
        assert_eq!(int("12.5"), Err(Reason::BadInt));
        assert_eq!(int("1,200"), Ok(1200));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in -999_999_999_999_999_999i128..=999_999_999_999_999_999i128, scale in 0u8..=6) {
            let text = to_text(value, scale);
            let number = parse(&text, MONEY).unwrap();
            prop_assert_eq!(to_scale(number, None, 18, scale as i8), Ok(value));
        }

        #[test]
        fn separators_change_nothing(value in 0i128..=99_999_999_999_999i128) {
            let plain = to_text(value, 2);
            let (whole, fraction) = plain.split_at(plain.len() - 3);
            let mut grouped = String::new();
            for (n, c) in whole.chars().enumerate() {
                if n > 0 && (whole.len() - n) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(c);
            }
            let grouped = format!("￥{grouped}{fraction}元");
            prop_assert_eq!(money(&grouped), money(&plain));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = money(&text);
        }

        #[test]
        fn no_number_like_text_panics(text in "[-+(]{0,2}[0-9.,eE万元%]{0,60}[)]?") {
            let all = Notation { currency: true, percent: true, units: true, exponent: true };
            if !text.is_empty() {
                let _ = parse(&text, all).and_then(|n| to_scale(n, Some(Factor::WAN), 18, 4));
            }
        }

        #[test]
        fn rounding_is_half_even(value in -1_000_000_000i128..1_000_000_000i128, cut in 1u32..6) {
            let power = 10i128.pow(cut);
            let rounded = divide_half_even(value, power);
            let distance = (value - rounded * power).abs();
            prop_assert!(distance * 2 <= power);
            if distance * 2 == power {
                prop_assert_eq!(rounded % 2, 0);
            }
        }
    }
}
