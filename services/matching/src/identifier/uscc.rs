//! 统一社会信用代码, the unified social credit code of GB 32100-2015.

use std::fmt;

use super::fold;

/// A unified social credit code whose check character holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc([u8; 18]);

/// Why a text is no unified social credit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsccError {
    #[error("a unified social credit code has 18 characters, not {0}")]
    Length(usize),
    #[error("character {at} of the unified social credit code is not one of its alphabet (no I, O, S, V, Z)")]
    Character { at: usize },
    #[error("no registration authority has the first character of this code")]
    Authority,
    #[error(
        "the check character of the unified social credit code does not hold: compare it with the licence"
    )]
    Check,
}

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// The value of each byte, 31 of those that are not of the alphabet.
const VALUES: [u8; 256] = {
    let mut values = [ALPHABET.len() as u8; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
};

fn value(c: u8) -> Option<u32> {
    let value = VALUES[usize::from(c)];
    (usize::from(value) < ALPHABET.len()).then_some(u32::from(value))
}

impl Uscc {
    /// Reads a code as written: any width and case, spaces and hyphens ignored.
    pub fn parse(text: &str) -> Result<Self, UsccError> {
        let folded = fold(text);
        let length = folded.chars().count();
        if length != 18 {
            return Err(UsccError::Length(length));
        }
        if let Some(at) = folded
            .chars()
            .position(|c| !c.is_ascii() || value(c as u8).is_none())
        {
            return Err(UsccError::Character { at: at + 1 });
        }
        let bytes: [u8; 18] = folded
            .as_bytes()
            .try_into()
            .map_err(|_| UsccError::Length(length))?;
        if bytes[0] == b'0' {
            return Err(UsccError::Authority);
        }
        if Self::check_character(&bytes[..17]) != Some(bytes[17]) {
            return Err(UsccError::Check);
        }
        Ok(Self(bytes))
    }

    /// The check character for the first 17 characters; `None` when one is not of the alphabet.
    ///
    /// A weighted sum divisible by 31 gives 31 - 0 = 31, which wraps to `0`.
    pub fn check_character(first: &[u8]) -> Option<u8> {
        if first.len() != 17 {
            return None;
        }
        let mut sum = 0;
        for (c, weight) in first.iter().zip(WEIGHTS) {
            sum += value(*c)? * weight;
        }
        Some(ALPHABET[((31 - sum % 31) % 31) as usize])
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII is ever stored")
    }

    /// Whether the organisation code inside (characters 9 to 17, GB 11714) has a right check digit too.
    /// A wrong one is worth a warning, no more: some registered codes do not keep it.
    pub fn organisation_code_holds(&self) -> bool {
        const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
        let digit = |c: u8| {
            u32::from(if c.is_ascii_digit() {
                c - b'0'
            } else {
                c - b'A' + 10
            })
        };
        let sum: u32 = self.0[8..16]
            .iter()
            .zip(WEIGHTS)
            .map(|(c, w)| digit(*c) * w)
            .sum();
        let want = match 11 - sum % 11 {
            10 => b'X',
            11 => b'0',
            n => b'0' + n as u8,
        };
        self.0[16] == want
    }

    /// The administrative division it was registered in, six digits (or letters where none applies).
    pub fn region_code(&self) -> &str {
        &self.as_str()[2..8]
    }
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uscc({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> impl Strategy<Value = String> {
        (1..31usize, proptest::collection::vec(0..31usize, 16)).prop_map(|(first, rest)| {
            let mut bytes = vec![ALPHABET[first]];
            bytes.extend(rest.iter().map(|n| ALPHABET[*n]));
            bytes.push(Uscc::check_character(&bytes).unwrap());
            String::from_utf8(bytes).unwrap()
        })
    }

    proptest! {
        #[test]
        fn every_single_substitution_and_every_adjacent_swap_is_caught(code in code()) {
            prop_assert_eq!(Uscc::parse(&code).map(|c| c.as_str().to_owned()), Ok(code.clone()));
            let bytes = code.as_bytes();
            for at in 0..18 {
                for other in ALPHABET.iter().filter(|c| **c != bytes[at]) {
                    let mut wrong = bytes.to_vec();
                    wrong[at] = *other;
                    let wrong = String::from_utf8(wrong).unwrap();
                    prop_assert!(Uscc::parse(&wrong).is_err(), "{} passes for {}", wrong, code);
                }
                if at < 17 && bytes[at] != bytes[at + 1] {
                    let mut wrong = bytes.to_vec();
                    wrong.swap(at, at + 1);
                    prop_assert!(Uscc::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
                }
            }
        }

        #[test]
        fn codes_whose_sum_is_a_multiple_of_31_end_in_0(code in code(), at in 1..17usize) {
            // Turn one character until the sum wraps: with a prime modulus exactly one does.
            let mut bytes = code.into_bytes();
            let hits = ALPHABET
                .iter()
                .filter(|c| {
                    bytes[at] = **c;
                    Uscc::check_character(&bytes[..17]) == Some(b'0')
                })
                .count();
            prop_assert_eq!(hits, 1);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            let _ = Uscc::parse(&text);
        }
    }

    #[test]
    fn real_and_wrong_codes() {
        for good in ["91330100MA2A1B2C3T", "91330100MA2W1X2Y3X", "91330100MA2N4P5Q6E"] {
            assert_eq!(Uscc::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(Uscc::parse("91310115MA1H8R7C6D"), Err(UsccError::Check));
        assert_eq!(Uscc::parse("91310115MA1H8R7C67").unwrap().region_code(), "310115");
        assert_eq!(Uscc::parse("9131011"), Err(UsccError::Length(7)));
        assert_eq!(
            Uscc::parse("91310115MA1H8R7CI7"),
            Err(UsccError::Character { at: 17 })
        );
        assert_eq!(Uscc::parse("000000000000000000"), Err(UsccError::Authority));
    }

    #[test]
    fn width_case_spaces_and_hyphens_do_not_matter() {
        let want = Uscc::parse("91330100MA2W1X2Y3X").unwrap();
        for written in [
            "91330100ma2w1x2y3x",
            "９１３３０１００ＭＡ２Ｗ１Ｘ２Ｙ３Ｘ",
            "9133 0100 MA2W-1X2Y3X\u{3000}",
            "\u{feff}91330100MA2W1X2Y3X\u{200b}",
        ] {
            assert_eq!(Uscc::parse(written), Ok(want), "{written}");
        }
    }

    #[test]
    fn the_organisation_code_inside_is_checked_apart() {
        let holds = |text: &str| Uscc::parse(text).unwrap().organisation_code_holds();
        assert!(holds("914403001922038216"));
        assert!(holds("91330100799655058B"));
        assert!(
            !holds("91330100MA2A1B2C3T"),
            "the sample's invented codes keep only the outer check"
        );
    }
}
