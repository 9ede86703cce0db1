//! Shares as exact decimals: percent with four digits after the point, and their products along a path.

/// 100 % in units of a ten-thousandth of a percent.
const WHOLE: u64 = 1_000_000;

/// The product of shares along a path as percent text with four digits, rounded half even once, at the end.
///
/// `shares` are in units of a ten-thousandth of a percent (decimal(7,4) without its point). `None` for no
/// shares or a negative one. However long the path, the product is exact before it is rounded.
pub fn combined_share(shares: &[i64]) -> Option<String> {
    // Little-endian limbs of 32 bits.
    let mut product: Vec<u32> = vec![1];
    for share in shares {
        let share = u32::try_from(*share).ok()?;
        let mut carry = 0u64;
        for limb in &mut product {
            let n = u64::from(*limb) * u64::from(share) + carry;
            *limb = n as u32;
            carry = n >> 32;
        }
        if carry > 0 {
            product.push(carry as u32);
        }
    }
    let mut remainder = 0u64;
    let mut below = false;
    for _ in 1..shares.len().max(1) {
        below |= remainder > 0;
        remainder = 0;
        for limb in product.iter_mut().rev() {
            let n = remainder << 32 | u64::from(*limb);
            *limb = (n / WHOLE) as u32;
            remainder = n % WHOLE;
        }
        while product.len() > 1 && product.last() == Some(&0) {
            product.pop();
        }
    }
    if shares.is_empty() {
        return None;
    }
    let mut value = product
        .iter()
        .take(4)
        .rev()
        .fold(0u128, |n, limb| n << 32 | u128::from(*limb));
    if product.len() > 4 {
        return None;
    }
    let half = WHOLE / 2;
    if remainder > half || remainder == half && (below || value % 2 == 1) {
        value += 1;
    }
    Some(text(value))
}

/// A share in units of a ten-thousandth of a percent as text: 400000 is "40.0000".
pub fn percent_text(share: i64) -> String {
    let sign = if share < 0 { "-" } else { "" };
    format!("{sign}{}", text(u128::from(share.unsigned_abs())))
}

fn text(value: u128) -> String {
    format!("{}.{:04}", value / 10_000, value % 10_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn products_are_exact_and_rounded_half_even_once() {
        for (shares, want) in [
            (&[][..], None),
            (&[400_000], Some("40.0000")),
            (&[600_000, 500_000], Some("30.0000")),
            (&[0, 500_000], Some("0.0000")),
            // 0.0001 % of 50 % is 0.00005 %: a tie, to the even 0.0000.
            (&[1, 500_000], Some("0.0000")),
            (&[3, 500_000], Some("0.0002")),
            (&[5, 500_000], Some("0.0002")),
            // A tie but for what was cut off two steps earlier.
            (&[5, 500_000, 1_000_001], Some("0.0003")),
            (&[333_333, 333_333, 333_333], Some("3.7037")),
            (&[1_000_000; 8], Some("100.0000")),
            (&[-1, 1], None),
        ] {
            assert_eq!(combined_share(shares).as_deref(), want, "{shares:?}");
        }
        let long: Vec<i64> = vec![1_000_000; 10_000];
        assert_eq!(combined_share(&long).as_deref(), Some("100.0000"));
        assert_eq!(percent_text(512_345), "51.2345");
    }

    proptest! {
        #[test]
        fn the_product_agrees_with_wide_integers(shares in proptest::collection::vec(0i64..2_000_000, 1..6)) {
            let product: u128 = shares.iter().map(|s| *s as u128).product();
            let unit = 1_000_000u128.pow(shares.len() as u32 - 1);
            let (mut value, rest) = (product / unit, product % unit);
            if rest * 2 > unit || rest * 2 == unit && value % 2 == 1 {
                value += 1;
            }
            prop_assert_eq!(combined_share(&shares), Some(text(value)));
        }
    }
}
