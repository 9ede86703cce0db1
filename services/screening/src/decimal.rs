//! Money and prices of a request: decimal text, never a binary float.

use rust_decimal::Decimal;

/// A plain decimal of at most 18 digits before and 10 behind the point; `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str, max: usize| s.len() <= max && s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole, 18) || !digits(fraction, 10) || text.ends_with('.') {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

/// With two places for amounts, without needless zeros beyond.
pub(crate) fn money(amount: Decimal) -> String {
    let rounded = amount.round_dp(2);
    format!("{rounded:.2}")
}

/// Without needless zeros, two places at least.
pub(crate) fn price(amount: Decimal) -> String {
    let plain = amount.round_dp(4).normalize();
    if plain.scale() < 2 {
        format!("{plain:.2}")
    } else {
        plain.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimals_are_read() {
        assert_eq!(parse("1234.50"), Some(Decimal::new(123_450, 2)));
        assert_eq!(parse(" 7 "), Some(Decimal::from(7)));
        for bad in [
            "",
            "-1",
            "+1",
            "1e5",
            ".5",
            "5.",
            "1,000",
            "壹",
            "1.12345678901",
            "1234567890123456789",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn amounts_are_written_with_two_places() {
        assert_eq!(money(Decimal::from(3)), "3.00");
        assert_eq!(price(Decimal::new(12_3450, 4)), "12.345");
        assert_eq!(price(Decimal::from(12)), "12.00");
    }
}
