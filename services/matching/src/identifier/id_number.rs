//! 公民身份号码, the citizen identity number of GB 11643-1999.

use std::fmt;

use super::fold;

/// An identity number of 18 characters whose date is real and whose check character holds.
///
/// The region is not checked: old regions were dissolved, and test data uses one that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdNumber([u8; 18]);

/// Why a text is no identity number to join on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdNumberError {
    #[error("an identity number has 18 characters, not {0}")]
    Length(usize),
    #[error("character {at} of the identity number is neither a digit nor, at the end, an X")]
    Character { at: usize },
    /// Recognised, but without a check character it proves too little to join on.
    #[error("this is an identity number of the old 15-digit form, which has no check character")]
    OldForm,
    #[error("the birth date inside the identity number does not exist")]
    Date,
    #[error("the check character of the identity number does not hold: compare it with the document")]
    Check,
}

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

impl IdNumber {
    /// Reads a number as written: any width, x or X, spaces and hyphens ignored.
    pub fn parse(text: &str) -> Result<Self, IdNumberError> {
        let folded = fold(text);
        let length = folded.chars().count();
        if length == 15 && folded.bytes().all(|b| b.is_ascii_digit()) {
            let date = &folded.as_bytes()[6..12];
            return Err(
                match real_date(1900 + number(&date[..2]), number(&date[2..4]), number(&date[4..])) {
                    true => IdNumberError::OldForm,
                    false => IdNumberError::Length(15),
                },
            );
        }
        if length != 18 {
            return Err(IdNumberError::Length(length));
        }
        let allowed = |at: usize, c: char| c.is_ascii_digit() || at == 17 && c == 'X';
        if let Some(at) = folded.chars().enumerate().position(|(at, c)| !allowed(at, c)) {
            return Err(IdNumberError::Character { at: at + 1 });
        }
        let bytes: [u8; 18] = folded
            .as_bytes()
            .try_into()
            .map_err(|_| IdNumberError::Length(length))?;
        if !real_date(
            number(&bytes[6..10]),
            number(&bytes[10..12]),
            number(&bytes[12..14]),
        ) {
            return Err(IdNumberError::Date);
        }
        if Self::check_character(&bytes[..17]) != Some(bytes[17]) {
            return Err(IdNumberError::Check);
        }
        Ok(Self(bytes))
    }

    /// The check character for the first 17 digits; `None` when there are not 17 digits.
    pub fn check_character(first: &[u8]) -> Option<u8> {
        if first.len() != 17 || !first.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let sum: u32 = first
            .iter()
            .zip(WEIGHTS)
            .map(|(c, w)| u32::from(c - b'0') * w)
            .sum();
        Some(b"10X98765432"[(sum % 11) as usize])
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII is ever stored")
    }

    /// For showing: the region and the last four characters, the rest starred.
    pub fn masked(&self) -> String {
        format!("{}********{}", &self.as_str()[..6], &self.as_str()[14..])
    }
}

/// Whether a text has the shape of an identity number, old or new, right or wrong: what must never pass
/// for a source's own id.
pub fn looks_like_id_number(text: &str) -> bool {
    let folded = fold(text);
    let shape = |c: char| c.is_ascii_digit() || matches!(c, 'X' | '*');
    matches!(folded.chars().count(), 14..=19)
        && folded.chars().all(shape)
        && folded.chars().filter(char::is_ascii_digit).count() >= 4
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'))
}

fn real_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1800..2200).contains(&year) && (1..=days).contains(&day)
}

impl fmt::Debug for IdNumber {
    /// Masked, so that no log line can carry a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdNumber({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id_number() -> impl Strategy<Value = String> {
        (100_000..900_000u32, 1900..2030u32, 1..13u32, 1..29u32, 0..1000u32).prop_map(
            |(region, year, month, day, serial)| {
                let first = format!("{region}{year}{month:02}{day:02}{serial:03}");
                let check = IdNumber::check_character(first.as_bytes()).unwrap();
                format!("{first}{}", check as char)
            },
        )
    }

    proptest! {
        #[test]
        fn every_single_substitution_is_caught(id in id_number()) {
            prop_assert_eq!(IdNumber::parse(&id).map(|n| n.as_str().to_owned()), Ok(id.clone()));
            for at in 0..18 {
                for other in b"0123456789X".iter().filter(|c| **c != id.as_bytes()[at]) {
                    let mut wrong = id.clone().into_bytes();
                    wrong[at] = *other;
                    prop_assert!(IdNumber::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            let _ = IdNumber::parse(&text);
            looks_like_id_number(&text);
        }
    }

    #[test]
    fn dates_must_exist_and_regions_need_not() {
        let make = |first: &str| {
            format!(
                "{first}{}",
                IdNumber::check_character(first.as_bytes()).unwrap() as char
            )
        };
        assert!(IdNumber::parse("990106197507153423").is_ok());
        assert!(IdNumber::parse(&make("11010520000229001")).is_ok());
        assert_eq!(
            IdNumber::parse(&make("11010519000229001")),
            Err(IdNumberError::Date)
        );
        assert_eq!(
            IdNumber::parse(&make("11010519490431001")),
            Err(IdNumberError::Date)
        );
        assert_eq!(
            IdNumber::parse("11010519491231002X").unwrap().masked(),
            "110105********002X"
        );
        assert_eq!(IdNumber::parse("110105194912310021"), Err(IdNumberError::Check));
        assert_eq!(
            IdNumber::parse("99010619750715342"),
            Err(IdNumberError::Length(17))
        );
        assert_eq!(
            IdNumber::parse("X90106197507153423"),
            Err(IdNumberError::Character { at: 1 })
        );
    }

    #[test]
    fn lower_case_x_full_width_and_spaces_are_the_same_number() {
        let want = IdNumber::parse("99010619750315121X").unwrap();
        for written in [
            "99010619750315121x",
            "９９０１０６１９７５０３１５１２１Ｘ",
            "990106 19750315 121X",
        ] {
            assert_eq!(IdNumber::parse(written), Ok(want));
        }
    }

    #[test]
    fn the_old_form_is_recognised_and_not_accepted() {
        assert_eq!(IdNumber::parse("110105491231002"), Err(IdNumberError::OldForm));
        assert_eq!(IdNumber::parse("110105491331002"), Err(IdNumberError::Length(15)));
        for shaped in [
            "110105491231002",
            "110105194912310021",
            "110105********002X",
            "990106197507153423",
        ] {
            assert!(looks_like_id_number(shaped), "{shaped}");
        }
        for other in ["E0003", "P000123", "91330100MA2A1B2C3T", ""] {
            assert!(!looks_like_id_number(other), "{other}");
        }
    }

    #[test]
    fn debug_output_is_masked() {
        assert_eq!(
            format!("{:?}", IdNumber::parse("11010519491231002X").unwrap()),
            "IdNumber(110105********002X)"
        );
    }
}
