//! Names of persons: Chinese (surname and given name, simplified and traditional), Latin (either order,
//! initials), and Chinese names spelt in pinyin.
//!
//! A name never tells who a person is: 王杰 is borne by hundreds of thousands. The levels of
//! [`compare_persons`] say how two names stand to each other and nothing more.

mod common;
mod compare;
mod surnames;

#[cfg(test)]
mod tests;

pub use compare::{PersonAgreement, PersonLevel, compare_persons};

use crate::han::{is_common, is_han, shape_bits, simplify, tidy};
use crate::{hash, pinyin};

/// A name of a person and its parts.
#[derive(Debug, Clone)]
pub struct PersonName {
    /// One writing, without titles and remarks.
    pub display: Box<str>,
    /// Chinese: simplified, without spaces. Latin: words in upper case in the order of writing, one space
    /// between; a comma after the family name puts it first.
    pub key: Box<str>,
    /// Chinese names: the surname. Latin: the family name where the text marks it by a comma.
    pub surname: Box<str>,
    /// What is not the surname.
    pub given: Box<str>,
    /// Whether the name is written in Han characters.
    pub is_han: bool,
    pub(crate) keys: PersonKeys,
}

/// Zero means "none".
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PersonKeys {
    pub key: u64,
    /// Letters of surname and given name, and the other way round.
    pub family_first: u64,
    pub given_first: u64,
    pub words: u8,
    /// See [`common::is_common_name`].
    pub is_common: bool,
    /// Sum of a Chinese name's characters: names of the same characters have the same.
    pub sum: u32,
    /// What its first characters sound and look like: 16 bits for readings, 16 for classes of look-alikes.
    /// Characters without a common bit are not alike.
    pub traits: [u32; 4],
}

/// What a blocking key of a person's name is made of. Keys of different kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PersonKeyKind {
    /// The folded name.
    Folded,
    /// Letters of family name and given name without spaces: Chinese names meet their pinyin and homophones.
    Sound,
    /// One word (or surname) and the first letter of another: initials, and one edit in the other word.
    WordInitial,
}

impl PersonKeyKind {
    /// The code in models and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folded => "person_folded",
            Self::Sound => "person_sound",
            Self::WordInitial => "person_word_initial",
        }
    }
}

/// Titles behind a Chinese name.
const TITLES: &[&str] = &[
    "先生",
    "女士",
    "小姐",
    "同志",
    "老师",
    "教授",
    "医生",
    "大夫",
    "主任",
    "经理",
    "院长",
    "总经理",
];

/// Titles before and behind a Latin name.
const LATIN_TITLES: &[&str] = &[
    "MR", "MRS", "MS", "MISS", "DR", "PROF", "SIR", "JR", "SR", "PHD", "MD",
];

impl PersonName {
    /// Takes a name apart. Never fails: a text that is no name gives one without keys, see
    /// [`PersonName::is_empty`].
    pub fn parse(text: &str) -> PersonName {
        let tidy = tidy(text).text;
        let mut name = tidy.as_str();
        if let Some((label, rest)) = name.split_once(':')
            && label.chars().count() <= 8
        {
            name = rest.trim();
        }
        if let Some(at) = name.find('(')
            && at > 0
        {
            name = name[..at].trim_end();
        }
        if name.chars().any(is_han) {
            Self::chinese(name)
        } else {
            Self::latin(name)
        }
    }

    /// Whether two names of as many characters have for certain a pair that sounds unlike and one that looks
    /// unlike, by the traits of their characters. Most names that have nothing to do with each other do.
    pub(crate) fn traits_differ(a: &[u32; 4], b: &[u32; 4]) -> bool {
        let common = || a.iter().zip(b).map(|(x, y)| x & y);
        common().any(|bits| bits & 0xffff == 0) && common().any(|bits| bits >> 16 == 0)
    }

    /// Whether the text holds no name at all.
    pub fn is_empty(&self) -> bool {
        self.keys.key == 0
    }

    /// Stable 64-bit key of the folded name (use it for term frequencies); zero when the text is no name.
    pub fn key_hash(&self) -> u64 {
        self.keys.key
    }

    /// Whether so many bear the Chinese name that even a short list may hold several of them.
    pub fn is_common(&self) -> bool {
        self.keys.is_common
    }

    fn chinese(text: &str) -> PersonName {
        let mut name = simplify(text).replace('锺', "钟");
        name.retain(|c| is_common(c) || c.is_alphanumeric());
        for title in TITLES {
            if let Some(rest) = name.strip_suffix(title)
                && rest.chars().count() >= 2
            {
                name.truncate(rest.len());
                break;
            }
        }
        if crate::name::says_nothing(&name) || name.chars().filter(|c| is_han(*c)).count() < 2 {
            name.clear();
        }
        let ends: Vec<usize> = name.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
        let transliterated = text.contains('·');
        let cut = match ends.as_slice() {
            _ if transliterated => 0,
            [_, two, _, ..] if surnames::is_compound(&name[..*two]) => *two,
            [one, ..] => *one,
            [] => 0,
        };
        let (surname, given) = name.split_at(cut);
        let family = surname_reading(surname);
        let rest = pinyin::joined(given).replace('ü', "v");
        let keys = PersonKeys {
            key: hash::key(&name),
            family_first: hash::key(&format!("{family}{rest}")),
            given_first: hash::key(&format!("{rest}{family}")),
            words: ends.len().min(255) as u8,
            is_common: common::is_common_name(surname, given),
            sum: name.chars().fold(0, |sum, c| sum.wrapping_add(u32::from(c))),
            traits: traits(&name, surname),
        };
        PersonName {
            display: text.replace(' ', "").into(),
            surname: surname.into(),
            given: given.into(),
            key: name.clone().into(),
            is_han: true,
            keys,
        }
    }

    fn latin(text: &str) -> PersonName {
        let plain = without_marks(text);
        let (family, rest) = match plain.split_once(',') {
            Some((family, rest)) if rest.chars().any(char::is_alphabetic) => (family, rest),
            _ => ("", plain.as_str()),
        };
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric())
                .filter(|w| !w.is_empty() && !LATIN_TITLES.contains(w) && w.chars().any(char::is_alphabetic))
                .map(str::to_owned)
                .collect()
        };
        let family = words(family);
        let given = words(rest);
        let all: Vec<String> = family.iter().chain(&given).cloned().collect();
        let mut key = all.join(" ");
        if key.chars().filter(|c| c.is_alphabetic()).count() < 2 || crate::name::says_nothing(&key) {
            key.clear();
        }
        let letters = key.replace(' ', "").to_lowercase();
        let turned = all.last().map_or(String::new(), |last| {
            format!("{last}{}", all[..all.len() - 1].concat()).to_lowercase()
        });
        let keys = PersonKeys {
            key: hash::key(&key),
            family_first: hash::key(&letters),
            given_first: if key.is_empty() { 0 } else { hash::key(&turned) },
            words: all.len().min(255) as u8,
            ..PersonKeys::default()
        };
        PersonName {
            display: text.into(),
            surname: family.join(" ").into(),
            given: if family.is_empty() {
                key.clone().into()
            } else {
                given.join(" ").into()
            },
            key: key.into(),
            is_han: false,
            keys,
        }
    }

    /// The keys to block by; none for a text that is no name.
    pub fn blocking_keys(&self) -> impl Iterator<Item = (PersonKeyKind, u64)> {
        let mut keys = Vec::with_capacity(8);
        if self.keys.key != 0 {
            keys.push((PersonKeyKind::Folded, self.keys.key));
            let word_initial = |word: &str, other: &str| {
                let initial = other.chars().next().unwrap_or(' ').to_ascii_lowercase();
                (
                    PersonKeyKind::WordInitial,
                    hash::key(&format!("{} {initial}", word.to_lowercase())),
                )
            };
            if self.is_han {
                let given = pinyin::joined(&self.given).replace('ü', "v");
                for family in surname_readings(&self.surname) {
                    keys.push((PersonKeyKind::Sound, hash::key(&format!("{family}{given}"))));
                    keys.push(word_initial(&family, &given));
                }
            } else {
                keys.push((PersonKeyKind::Sound, self.keys.family_first));
                keys.push((PersonKeyKind::Sound, self.keys.given_first));
                let words: Vec<&str> = self.key.split(' ').collect();
                if let [first, .., last] = words.as_slice() {
                    let front = format!("{}{first}", words[1..].concat());
                    keys.push((PersonKeyKind::Sound, hash::key(&front.to_lowercase())));
                    keys.push(word_initial(first, words[1]));
                    keys.push(word_initial(last, first));
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
    }
}

/// The traits of the first characters; of the very first also the readings as a surname. Where there are no more
/// characters all bits are set.
fn traits(name: &str, surname: &str) -> [u32; 4] {
    let bit = |reading: &str| 1 << (hash::key(reading) % 16);
    let mut all = [u32::MAX; 4];
    for (traits, c) in all.iter_mut().zip(name.chars()) {
        let unread = if pinyin::reading(c).is_none() {
            1 << (u32::from(c) % 16)
        } else {
            0
        };
        let sounds = pinyin::each_reading(c).fold(unread, |bits, reading| bits | bit(reading));
        *traits = u32::from(shape_bits(c)) << 16 | sounds;
    }
    for reading in surname_readings(surname) {
        all[0] |= bit(&reading);
    }
    all
}

/// Upper case without accents; hyphens inside a word join it (`Xiao-Ming`), `Ü` is `V` as on Chinese papers.
fn without_marks(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    use unicode_normalization::char::is_combining_mark;
    text.replace(['Ü', 'ü'], "V")
        .nfd()
        .filter(|c| !is_combining_mark(*c) && *c != '-')
        .flat_map(char::to_uppercase)
        .collect()
}

/// The usual reading of a surname, without tone.
fn surname_reading(surname: &str) -> String {
    match surnames::readings(surname).and_then(|mut all| all.next()) {
        Some(reading) => reading.to_owned(),
        None => pinyin::joined(surname).replace('ü', "v"),
    }
}

/// All readings of a surname, the usual one first.
pub fn surname_readings(surname: &str) -> Vec<String> {
    if let Some(known) = surnames::readings(surname) {
        return known.map(str::to_owned).collect();
    }
    let mut all = vec![surname_reading(surname)];
    let mut chars = surname.chars();
    if let (Some(only), None) = (chars.next(), chars.next()) {
        for reading in pinyin::readings(only) {
            let reading = reading.replace('ü', "v");
            if !all.contains(&reading) {
                all.push(reading);
            }
        }
    }
    all
}
