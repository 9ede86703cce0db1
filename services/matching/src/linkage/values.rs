//! The distinct values of one field: normalised once, interned, and prepared for comparing.

use hashbrown::HashTable;
use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_64;

use super::schema::FieldKind;
use super::similarity::{mask, symbols};
use crate::identifier::{IdNumber, Uscc, norm_account, norm_email, norm_phone};
use crate::name::says_nothing;

/// The number of a value that is not there.
pub const MISSING: u32 = 0;

/// Distinct values of a field. Number 0 is the missing value.
#[derive(Debug, Clone)]
pub struct Values {
    kind: FieldKind,
    texts: String,
    text_ends: Vec<usize>,
    symbols: Vec<u16>,
    symbol_ends: Vec<usize>,
    masks: Vec<u64>,
    /// Whether an identifier's check digit holds.
    valid: Vec<bool>,
    counts: Vec<u32>,
    present: u64,
    lookup: HashTable<u32>,
}

impl Values {
    pub fn new(kind: FieldKind) -> Self {
        Self {
            kind,
            texts: String::new(),
            text_ends: vec![0, 0],
            symbols: Vec::new(),
            symbol_ends: vec![0, 0],
            masks: vec![0],
            valid: vec![false],
            counts: vec![0],
            present: 0,
            lookup: HashTable::new(),
        }
    }

    /// Adds one use of a raw value per entry; gives their numbers.
    pub fn add_all(&mut self, raw: &[&str]) -> Vec<u32> {
        let kind = self.kind;
        raw.chunks(1 << 16)
            .flat_map(|chunk| {
                let normal: Vec<String> = chunk.par_iter().map(|text| normalise(kind, text)).collect();
                normal.iter().map(|text| self.intern(text)).collect::<Vec<_>>()
            })
            .collect()
    }

    fn intern(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return MISSING;
        }
        self.present += 1;
        let hash = xxh3_64(text.as_bytes());
        if let Some(found) = self.find(hash, text) {
            self.counts[found as usize] += 1;
            return found;
        }
        let number = self.counts.len() as u32;
        self.texts.push_str(text);
        self.text_ends.push(self.texts.len());
        let units = symbols(text);
        self.masks.push(mask(&units));
        self.symbols.extend_from_slice(&units);
        self.symbol_ends.push(self.symbols.len());
        self.valid.push(match self.kind {
            FieldKind::Uscc => Uscc::parse(text).is_ok(),
            FieldKind::IdNumber => IdNumber::parse(text).is_ok(),
            _ => false,
        });
        self.counts.push(1);
        let (texts, ends) = (&self.texts, &self.text_ends);
        self.lookup.insert_unique(hash, number, |n| xxh3_64(texts[ends[*n as usize]..ends[*n as usize + 1]].as_bytes()));
        number
    }

    fn find(&self, hash: u64, text: &str) -> Option<u32> {
        self.lookup.find(hash, |n| self.text(*n) == text).copied()
    }

    /// Takes one use of a value back.
    pub fn release(&mut self, number: u32) {
        if number != MISSING {
            self.counts[number as usize] -= 1;
            self.present -= 1;
        }
    }

    /// The normalised text of a value.
    pub fn text(&self, number: u32) -> &str {
        let number = number as usize;
        &self.texts[self.text_ends[number]..self.text_ends[number + 1]]
    }

    /// Its symbols.
    pub fn symbols(&self, number: u32) -> &[u16] {
        let number = number as usize;
        &self.symbols[self.symbol_ends[number]..self.symbol_ends[number + 1]]
    }

    pub fn mask(&self, number: u32) -> u64 {
        self.masks[number as usize]
    }

    /// Whether an identifier's check digit holds.
    pub fn is_valid(&self, number: u32) -> bool {
        self.valid[number as usize]
    }

    /// Records that carry the value.
    pub fn count(&self, number: u32) -> u32 {
        self.counts[number as usize]
    }

    /// Records that carry any value.
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Number of distinct values, the missing one included.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    pub fn kind(&self) -> FieldKind {
        self.kind
    }
}

/// The form in which values of a kind are compared; empty when the text says nothing.
pub fn normalise(kind: FieldKind, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || says_nothing(&text.to_uppercase()) {
        return String::new();
    }
    match kind {
        FieldKind::Uscc => Uscc::parse(text).map_or_else(|_| code(text), |u| u.as_str().to_owned()),
        FieldKind::IdNumber => IdNumber::parse(text).map_or_else(|_| code(text), |n| n.as_str().to_owned()),
        FieldKind::Code | FieldKind::Postcode | FieldKind::HouseNumber => code(text),
        FieldKind::Phone => norm_phone(text).unwrap_or_else(|| {
            let digits: String = text.nfkc().filter(char::is_ascii_digit).collect();
            if digits.len() >= 7 && digits.bytes().any(|b| b != digits.as_bytes()[0]) {
                digits
            } else {
                String::new()
            }
        }),
        FieldKind::Account => norm_account(text).unwrap_or_default(),
        FieldKind::Email => norm_email(text).unwrap_or_default(),
        FieldKind::Date => date(text),
        FieldKind::OrgName => crate::name::strict_key(text),
        _ => plain(text),
    }
}

/// Letters and digits in upper case.
fn code(text: &str) -> String {
    text.nfkc()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// Lower case letters, digits and single spaces; apostrophes vanish, other marks become spaces.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkc().flat_map(char::to_lowercase) {
        match c {
            '\'' | '’' | '`' => {}
            c if c.is_alphanumeric() => out.push(c),
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A day as `yyyymmdd` when it can be read so, else its digits.
fn date(text: &str) -> String {
    let folded: String = text.nfkc().collect();
    let mut parts: Vec<&str> = folded.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    // A time of day after the day says nothing.
    if parts.len() > 3 && parts[0].len() == 4 {
        parts.truncate(3);
    }
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
            format!("{year}{month:0>2}{day:0>2}")
        }
        [day, month, year] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
            format!("{year}{month:0>2}{day:0>2}")
        }
        [whole, ..] if whole.len() == 8 => (*whole).to_owned(),
        parts => parts.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_in_one_form() {
        for (kind, text, want) in [
            (FieldKind::Date, "1965-3-7", "19650307"),
            (FieldKind::Date, "07/03/1965", "19650307"),
            (FieldKind::Date, "1965年3月7日", "19650307"),
            (FieldKind::Date, "1965-03-07T00:00:00", "19650307"),
            (FieldKind::Date, "19650307", "19650307"),
            (FieldKind::Phone, "8800-1234", "88001234"),
            (FieldKind::Phone, "1", ""),
            (FieldKind::Code, " ab-12 ", "AB12"),
            (FieldKind::GivenName, "O'Brien  Lee", "obrien lee"),
            (FieldKind::Text, "无", ""),
            (FieldKind::Text, "N/A", ""),
            (FieldKind::Uscc, "９１３３０１００ＭＡ２Ｗ１Ｘ２Ｙ３Ｘ", "91330100MA2W1X2Y3X"),
        ] {
            assert_eq!(normalise(kind, text), want, "{text}");
        }
    }

    #[test]
    fn equal_values_share_a_number_and_are_counted() {
        let mut values = Values::new(FieldKind::Surname);
        let numbers = values.add_all(&["Smith", "", "smith ", "Jones"]);
        assert_eq!(numbers, [1, MISSING, 1, 2]);
        assert_eq!((values.count(1), values.count(2), values.present()), (2, 1, 3));
        values.release(1);
        assert_eq!(values.count(1), 1);
        assert_eq!(values.add_all(&["jones"]), [2]);
    }
}
