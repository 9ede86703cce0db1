//! The distinct values of one field: normalised once, interned, and prepared for comparing.

use std::borrow::Cow;

use hashbrown::{HashMap, HashTable};
use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_64;

use super::schema::FieldKind;
use super::similarity::{mask, symbols};
use super::sketch::Sketch;
use crate::identifier::{IdNumber, Uscc, norm_account, norm_email, norm_phone};
use crate::name::says_nothing_in_any_case;
use crate::org::{KEY_KINDS, KeyKind, OrgName};
use crate::{Address, PersonName, han};

/// The number of a value that is not there.
pub const MISSING: u32 = 0;

/// Symbols of a value that its key tells.
const KEY_SYMBOLS_MAX: usize = 128;

/// Distinct values of a field. Number 0 is the missing value.
#[derive(Debug, Clone)]
pub struct Values {
    kind: FieldKind,
    texts: String,
    text_ends: Vec<usize>,
    /// Symbols of the values and the keys of them; of names of organisations neither is kept.
    symbols: Vec<u16>,
    symbol_ends: Vec<usize>,
    symbol_keys: Vec<u64>,
    sketches: Vec<Sketch>,
    /// For names of organisations: the names taken apart, and their blocking keys.
    orgs: Vec<OrgName>,
    org_keys: OrgKeyLists,
    /// For names of persons and for addresses: the same.
    persons: Vec<PersonName>,
    addresses: Vec<Address>,
    /// For each value its term: values of one term are one value written otherwise, and counted together. Texts
    /// that are no names share the term of the missing value.
    terms: Vec<u32>,
    term_counts: Vec<u32>,
    term_lookup: HashMap<u64, u32>,
    present: u64,
    /// Values by their text, with its hash.
    lookup: HashTable<(u64, u32)>,
}

/// A list of keys for each value, one behind the other.
#[derive(Debug, Clone, Default)]
struct Lists {
    keys: Vec<u64>,
    ends: Vec<u32>,
}

impl Lists {
    fn close(&mut self) {
        self.ends.push(self.keys.len() as u32);
    }

    /// Adds lists behind the others.
    fn append(&mut self, other: &Self) {
        let before = self.keys.len() as u32;
        self.keys.extend_from_slice(&other.keys);
        self.ends.extend(other.ends.iter().map(|end| before + end));
    }

    fn of(&self, number: usize) -> &[u64] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start as usize..self.ends[number] as usize]
    }
}

/// Lists by kind of key.
type OrgKeyLists = [Lists; KEY_KINDS];

/// The blocking keys of names.
fn org_key_lists(names: &[OrgName]) -> OrgKeyLists {
    let mut lists = OrgKeyLists::default();
    for name in names {
        for (kind, key) in name.blocking_keys() {
            lists[kind as usize].keys.push(key);
        }
        lists.iter_mut().for_each(Lists::close);
    }
    lists
}

impl Values {
    pub fn new(kind: FieldKind) -> Self {
        Self {
            kind,
            texts: String::new(),
            text_ends: vec![0, 0],
            symbols: Vec::new(),
            symbol_ends: vec![0, 0],
            symbol_keys: if kind == FieldKind::OrgName {
                Vec::new()
            } else {
                vec![symbols_key(&[])]
            },
            sketches: vec![Sketch::default()],
            orgs: Vec::new(),
            org_keys: Default::default(),
            persons: Vec::new(),
            addresses: Vec::new(),
            terms: vec![0],
            term_counts: vec![0],
            term_lookup: HashMap::new(),
            present: 0,
            lookup: HashTable::new(),
        }
    }

    /// Adds one use of a raw value per entry; gives their numbers.
    pub fn add_all(&mut self, raw: &[&str]) -> Vec<u32> {
        let kind = self.kind;
        let mut numbers = Vec::with_capacity(raw.len());
        self.reserve(raw.len(), raw.iter().map(|text| text.len()).sum());
        for chunk in raw.chunks(1 << 16) {
            let normal: Vec<(Cow<'_, str>, u64)> = chunk
                .par_iter()
                .with_min_len(256)
                .map(|text| {
                    let text = written(kind, text);
                    let hash = xxh3_64(text.as_bytes());
                    (text, hash)
                })
                .collect();
            let start = numbers.len();
            numbers.extend(normal.iter().map(|(text, hash)| self.intern(text, *hash)));
            self.prepare();
            for number in &mut numbers[start..] {
                let term = self.terms[*number as usize];
                if term == MISSING {
                    *number = MISSING;
                } else {
                    self.present += 1;
                    self.term_counts[term as usize] += 1;
                }
            }
        }
        numbers
    }

    /// Makes room for new values, so that growing copies nothing. Room that is not used costs no memory.
    fn reserve(&mut self, values: usize, bytes: usize) {
        match self.kind {
            FieldKind::OrgName => {
                self.orgs.reserve(values);
                for lists in &mut self.org_keys {
                    lists.keys.reserve(values);
                    lists.ends.reserve(values);
                }
            }
            FieldKind::PersonName => self.persons.reserve(values),
            FieldKind::Address => self.addresses.reserve(values),
            _ => {}
        }
        if self.kind != FieldKind::OrgName {
            self.symbols.reserve(bytes);
            self.symbol_ends.reserve(values);
            self.symbol_keys.reserve(values);
        }
        self.sketches.reserve(values);
        self.texts.reserve(bytes);
        self.text_ends.reserve(values);
        self.terms.reserve(values);
        self.term_counts.reserve(values);
    }

    /// The number of a value, a new one for a new value.
    fn intern(&mut self, text: &str, hash: u64) -> u32 {
        if text.is_empty() {
            return MISSING;
        }
        if let Some(found) = self.find(hash, text) {
            return found;
        }
        let number = self.sketches.len() as u32;
        self.texts.push_str(text);
        self.text_ends.push(self.texts.len());
        let mut sketch = Sketch {
            number,
            ..Sketch::default()
        };
        if self.kind != FieldKind::OrgName {
            let start = self.symbols.len();
            self.symbols.extend(symbols(text));
            let symbols = &self.symbols[start..];
            sketch.mask = mask(symbols);
            if self.kind == FieldKind::Phone {
                sketch.of_phone(symbols);
            }
            self.symbol_keys.push(symbols_key(symbols));
            self.symbol_ends.push(self.symbols.len());
        }
        self.sketches.push(sketch);
        self.lookup.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        number
    }

    /// Takes apart the names of values added since the last time, and gives the values their terms.
    fn prepare(&mut self) {
        match self.kind {
            FieldKind::Uscc => self.check(|text| Uscc::parse(text).is_ok()),
            FieldKind::IdNumber => self.check(|text| IdNumber::parse(text).is_ok()),
            FieldKind::PersonName => {
                let from = self.persons.len();
                let mut persons = std::mem::take(&mut self.persons);
                persons.par_extend(self.read(from, PersonName::parse));
                self.persons = persons;
                for (sketch, name) in self.sketches[from..].iter_mut().zip(&self.persons[from..]) {
                    sketch.of_person(name);
                }
            }
            FieldKind::Address => {
                let from = self.addresses.len();
                let mut addresses = std::mem::take(&mut self.addresses);
                addresses.par_extend(self.read(from, |text| {
                    let mut address = Address::parse(text);
                    // What is compared are its parts and their keys.
                    address.display = Box::default();
                    address
                }));
                self.addresses = addresses;
                for (sketch, address) in self.sketches[from..].iter_mut().zip(&self.addresses[from..]) {
                    sketch.of_address(address);
                }
            }
            FieldKind::OrgName => {
                let from = self.orgs.len();
                let mut orgs = std::mem::take(&mut self.orgs);
                orgs.par_extend(self.read(from, |text| {
                    let mut name = OrgName::parse(text);
                    // Their keys are compared, and the text is kept as it was written.
                    name.display = Box::default();
                    name.key_loose = Box::default();
                    name
                }));
                let keys: Vec<OrgKeyLists> = orgs[from..].par_chunks(1 << 10).map(org_key_lists).collect();
                for lists in keys {
                    for (all, new) in self.org_keys.iter_mut().zip(lists) {
                        all.append(&new);
                    }
                }
                self.orgs = orgs;
            }
            _ => {}
        }
        for number in self.terms.len()..self.sketches.len() {
            let term = match self.orgs.get(number) {
                Some(name) if name.is_empty() => MISSING,
                Some(name) => {
                    let next = self.term_counts.len() as u32;
                    *self.term_lookup.entry(name.strict_hash()).or_insert(next)
                }
                None => self.term_counts.len() as u32,
            };
            if term as usize == self.term_counts.len() {
                self.term_counts.push(0);
            }
            self.terms.push(term);
            if !self.orgs.is_empty() {
                self.sketches[number].tag = term;
            }
        }
    }

    /// Notes which of the new codes hold.
    fn check(&mut self, holds: impl Fn(&str) -> bool + Sync + Send) {
        let from = self.terms.len();
        let hold: Vec<bool> = self.read(from, holds).collect();
        for (sketch, holds) in self.sketches[from..].iter_mut().zip(hold) {
            sketch.tag = u32::from(holds);
        }
    }

    /// What `read` makes of the texts of the values from a number on.
    fn read<T: Send>(
        &self,
        from: usize,
        read: impl Fn(&str) -> T + Sync + Send,
    ) -> impl IndexedParallelIterator<Item = T> {
        (from..self.sketches.len())
            .into_par_iter()
            .map(move |number| read(self.text(number as u32)))
    }

    /// The name of an organisation, taken apart.
    ///
    /// # Panics
    /// When the field holds no names of organisations.
    pub fn org(&self, number: u32) -> &OrgName {
        &self.orgs[number as usize]
    }

    /// The name of a person, taken apart.
    ///
    /// # Panics
    /// When the field holds no names of persons.
    pub fn person(&self, number: u32) -> &PersonName {
        &self.persons[number as usize]
    }

    /// Whether the value is a Chinese person's name that very many bear.
    pub fn is_common_name(&self, number: u32) -> bool {
        self.persons
            .get(number as usize)
            .is_some_and(PersonName::is_common)
    }

    /// An address, taken apart.
    ///
    /// # Panics
    /// When the field holds no addresses.
    pub fn address(&self, number: u32) -> &Address {
        &self.addresses[number as usize]
    }

    /// The blocking keys of an organisation's name.
    pub fn org_keys(&self, number: u32, kind: KeyKind) -> &[u64] {
        self.org_keys[kind as usize].of(number as usize)
    }

    fn find(&self, hash: u64, text: &str) -> Option<u32> {
        self.lookup
            .find(hash, |(known, n)| *known == hash && self.text(*n) == text)
            .map(|(_, n)| *n)
    }

    /// Takes one use of a value back.
    pub fn release(&mut self, number: u32) {
        if number != MISSING {
            self.term_counts[self.terms[number as usize] as usize] -= 1;
            self.present -= 1;
        }
    }

    /// The normalised text of a value.
    pub fn text(&self, number: u32) -> &str {
        let number = number as usize;
        &self.texts[self.text_ends[number]..self.text_ends[number + 1]]
    }

    /// Its symbols. Those of names of organisations, which are compared by their parts, are not kept.
    pub fn symbols(&self, number: u32) -> Cow<'_, [u16]> {
        if self.kind == FieldKind::OrgName {
            return symbols(self.text(number)).collect();
        }
        let number = number as usize;
        Cow::Borrowed(&self.symbols[self.symbol_ends[number]..self.symbol_ends[number + 1]])
    }

    /// The key of its symbols.
    pub fn symbols_key(&self, number: u32) -> u64 {
        match self.symbol_keys.get(number as usize) {
            Some(key) => *key,
            None => symbols_key(&self.symbols(number)),
        }
    }

    pub fn mask(&self, number: u32) -> u64 {
        self.sketches[number as usize].mask
    }

    /// Whether an identifier's check digit holds.
    pub fn is_valid(&self, number: u32) -> bool {
        matches!(self.kind, FieldKind::Uscc | FieldKind::IdNumber) && self.sketches[number as usize].tag == 1
    }

    /// The value in brief.
    pub fn sketch(&self, number: u32) -> &Sketch {
        &self.sketches[number as usize]
    }

    /// Records that carry the value, in any writing.
    pub fn count(&self, number: u32) -> u32 {
        self.term_counts[self.terms[number as usize] as usize]
    }

    /// Records that carry any value.
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Number of distinct values, the missing one included.
    pub fn len(&self) -> usize {
        self.sketches.len()
    }

    pub fn kind(&self) -> FieldKind {
        self.kind
    }
}

/// The key of symbols, of the first [`KEY_SYMBOLS_MAX`] of them.
pub(super) fn symbols_key(symbols: &[u16]) -> u64 {
    let mut bytes = [0u8; 2 * KEY_SYMBOLS_MAX];
    let mut length = 0;
    for unit in symbols.iter().take(KEY_SYMBOLS_MAX) {
        bytes[length..length + 2].copy_from_slice(&unit.to_le_bytes());
        length += 2;
    }
    xxh3_64(&bytes[..length])
}

/// The form in which values of a kind are compared; empty when the text says nothing.
pub fn normalise(kind: FieldKind, text: &str) -> String {
    match written(kind, text) {
        // What is no name for the strict key is none here.
        name if kind == FieldKind::OrgName && crate::name::strict_key(&name).is_empty() => String::new(),
        text => text.into_owned(),
    }
}

/// As [`normalise`], but names of organisations are not looked into: [`Values::prepare`] does.
fn written(kind: FieldKind, text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.is_empty() || says_nothing_in_any_case(text) {
        return Cow::Borrowed("");
    }
    Cow::Owned(match kind {
        // The text itself: remarks tell former names.
        FieldKind::OrgName | FieldKind::Address => return Cow::Borrowed(text),
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
        _ => plain(text),
    })
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
    let mut add = |c: char| match c {
        '\'' | '’' | '`' => {}
        c if han::is_common(c) || c.is_alphanumeric() => out.push(c),
        _ if out.ends_with(' ') || out.is_empty() => {}
        _ => out.push(' '),
    };
    han::nfkc(text, |c| {
        if han::is_common(c) {
            add(c);
        } else {
            c.to_lowercase().for_each(&mut add);
        }
    });
    out.truncate(out.trim_end().len());
    out
}

/// A day as `yyyymmdd` when it can be read so, else its digits.
fn date(text: &str) -> String {
    let folded: String = text.nfkc().collect();
    let mut parts: Vec<&str> = folded
        .split(|c: char| !c.is_ascii_digit())
        .filter(|p| !p.is_empty())
        .collect();
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
            (
                FieldKind::Uscc,
                "９１３３０１００ＭＡ２Ｗ１Ｘ２Ｙ３Ｘ",
                "91330100MA2W1X2Y3X",
            ),
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
