//! How two names of persons stand to each other.

use rapidfuzz::distance::osa;

use super::{PersonName, surname_readings};
use crate::han::looks_like;
use crate::pinyin;

/// From "nothing in common" to "equal". No level says that two persons are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PersonLevel {
    Different,
    /// One of the two texts is no name.
    Missing,
    /// One edit in a word of three or four letters: `Jon Smith`, `John Smith`.
    ShortEdit,
    /// One of the two gives initials that fit.
    Initials,
    /// One look-alike character of the given name, or of three.
    LookAlike,
    /// One edit in a Latin word of five letters or more.
    OneEdit,
    /// Chinese names read the same, written with other characters.
    Homophone,
    /// A Latin name that spells the Chinese one, in either order.
    PinyinEqual,
    /// The same words in another order.
    OrderSwapped,
    /// Equal but for writing: traditional characters, spaces, case, accents, hyphens.
    Folded,
    Identical,
}

impl PersonLevel {
    /// All levels, weakest first.
    pub const ALL: [PersonLevel; 11] = [
        Self::Different,
        Self::Missing,
        Self::ShortEdit,
        Self::Initials,
        Self::LookAlike,
        Self::OneEdit,
        Self::Homophone,
        Self::PinyinEqual,
        Self::OrderSwapped,
        Self::Folded,
        Self::Identical,
    ];

    /// The code in models and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Missing => "missing",
            Self::ShortEdit => "short_edit",
            Self::Initials => "initials",
            Self::LookAlike => "look_alike",
            Self::OneEdit => "one_edit",
            Self::Homophone => "homophone",
            Self::PinyinEqual => "pinyin_equal",
            Self::OrderSwapped => "order_swapped",
            Self::Folded => "folded",
            Self::Identical => "identical",
        }
    }

    /// Chinese and English words for it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Different => ("姓名不同", "different names"),
            Self::Missing => ("姓名缺失", "no name"),
            Self::ShortEdit => ("短词一字母之差", "one letter differs in a short word"),
            Self::Initials => ("首字母相符", "initials fit"),
            Self::LookAlike => ("形近字", "look-alike characters"),
            Self::OneEdit => ("一字母之差", "one letter differs"),
            Self::Homophone => ("同音", "read the same"),
            Self::PinyinEqual => ("拼音一致", "the Latin name spells the Chinese one"),
            Self::OrderSwapped => ("姓名顺序颠倒", "same words in another order"),
            Self::Folded => ("书写规范后一致", "equal but for the writing"),
            Self::Identical => ("完全一致", "identical"),
        }
    }
}

/// A level and whether the surnames agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PersonAgreement {
    pub level: PersonLevel,
    /// `None` when one of the two does not tell which word is the surname.
    pub same_surname: Option<bool>,
}

impl PersonAgreement {
    /// The reasons in Chinese.
    pub fn explain_zh(&self) -> String {
        let surname = match self.same_surname {
            Some(true) => "；姓氏一致",
            Some(false) => "；姓氏不一致",
            None => "",
        };
        format!("{}{surname}", self.level.words().0)
    }

    /// The reasons in English.
    pub fn explain_en(&self) -> String {
        let surname = match self.same_surname {
            Some(true) => "; surnames agree",
            Some(false) => "; surnames differ",
            None => "",
        };
        format!("{}{surname}", self.level.words().1)
    }
}

/// Compares two names. Symmetric.
pub fn compare_persons(a: &PersonName, b: &PersonName) -> PersonAgreement {
    let known = !a.surname.is_empty() && !b.surname.is_empty() && a.is_han == b.is_han;
    PersonAgreement {
        level: level(a, b),
        same_surname: known.then(|| a.surname == b.surname),
    }
}

fn level(a: &PersonName, b: &PersonName) -> PersonLevel {
    let (x, y) = (&a.keys, &b.keys);
    if x.key == 0 || y.key == 0 {
        return PersonLevel::Missing;
    }
    if x.key == y.key {
        return if a.display == b.display {
            PersonLevel::Identical
        } else {
            PersonLevel::Folded
        };
    }
    match (a.is_han, b.is_han) {
        (true, true) => chinese(a, b),
        (false, false) => latin(a, b),
        (true, false) => spelt(a, b),
        (false, true) => spelt(b, a),
    }
}

fn chinese(a: &PersonName, b: &PersonName) -> PersonLevel {
    if a.keys.words != b.keys.words {
        return PersonLevel::Different;
    }
    let turned = |x: &PersonName, y: &PersonName| {
        y.key
            .strip_prefix(&*x.given)
            .is_some_and(|rest| rest == &*x.surname)
            && !x.surname.is_empty()
    };
    if a.keys.sum == b.keys.sum && (turned(a, b) || turned(b, a)) {
        return PersonLevel::OrderSwapped;
    }
    if PersonName::traits_differ(&a.keys.traits, &b.keys.traits) {
        return PersonLevel::Different;
    }
    let mut unlike_sound = 0;
    let mut unlike_shape = 0;
    let mut differing = 0;
    for (at, (x, y)) in a.key.chars().zip(b.key.chars()).enumerate() {
        if x == y {
            continue;
        }
        differing += 1;
        let sounds = if at == 0 && !a.surname.is_empty() && a.surname.chars().count() == 1 {
            let others = surname_readings(&b.surname);
            surname_readings(&a.surname).iter().any(|r| others.contains(r))
        } else {
            pinyin::sounds_like(x, y)
        };
        unlike_sound += u32::from(!sounds);
        unlike_shape += u32::from(!looks_like(x, y));
        if unlike_sound > 0 && unlike_shape > 0 {
            return PersonLevel::Different;
        }
    }
    if unlike_sound == 0 {
        PersonLevel::Homophone
    } else if differing == 1 && (a.surname == b.surname || a.keys.words >= 3) {
        PersonLevel::LookAlike
    } else {
        PersonLevel::Different
    }
}

/// Whether a Latin name spells a Chinese one, or gives initials of it.
fn spelt(han: &PersonName, latin: &PersonName) -> PersonLevel {
    let (h, l) = (&han.keys, &latin.keys);
    if [l.family_first, l.given_first]
        .iter()
        .any(|k| *k == h.family_first || *k == h.given_first)
    {
        return PersonLevel::PinyinEqual;
    }
    let words: Vec<String> = latin.key.split(' ').map(str::to_lowercase).collect();
    if words.len() < 2 {
        return PersonLevel::Different;
    }
    let families = if han.surname.is_empty() {
        Vec::new()
    } else {
        surname_readings(&han.surname)
    };
    let (first, last) = (&words[0], &words[words.len() - 1]);
    let mut best = PersonLevel::Different;
    for (family, given) in [(first, &words[1..]), (last, &words[..words.len() - 1])] {
        let family = if matches!(family.as_str(), "lyu" | "nyu") {
            family.replace("yu", "v")
        } else {
            family.clone()
        };
        if !families.contains(&family) {
            continue;
        }
        if pinyin::spells(&given.concat(), &han.given) {
            return PersonLevel::PinyinEqual;
        }
        let initials: String = given.iter().filter_map(|w| w.chars().next()).collect();
        let written: usize = given.iter().map(String::len).sum();
        let fits = han
            .given
            .chars()
            .zip(given.concat().chars())
            .all(|(c, letter)| pinyin::readings(c).iter().any(|r| r.starts_with(letter)));
        if written <= 2 && initials.len() <= written && fits && written <= han.given.chars().count() {
            best = PersonLevel::Initials;
        }
    }
    best
}

fn latin(a: &PersonName, b: &PersonName) -> PersonLevel {
    let (x, y) = (&a.keys, &b.keys);
    if x.family_first == y.family_first {
        return PersonLevel::Folded;
    }
    if x.given_first == y.family_first || x.family_first == y.given_first {
        return PersonLevel::OrderSwapped;
    }
    let (few, many) = if x.words <= y.words { (a, b) } else { (b, a) };
    let mut few: Vec<&str> = few.key.split(' ').collect();
    let mut many: Vec<&str> = many.key.split(' ').collect();
    // Words that are equal leave; what stays has to be explained.
    few.retain(|word| match many.iter().position(|other| other == word) {
        Some(at) => {
            many.remove(at);
            false
        }
        None => true,
    });
    let equal = usize::from(x.words.min(y.words)) - few.len();
    if few.is_empty() && many.is_empty() {
        return PersonLevel::OrderSwapped;
    }
    if equal == 0 {
        return PersonLevel::Different;
    }
    if few.len() == 1 && many.len() == 1 {
        let (short, long) = if few[0].len() <= many[0].len() {
            (few[0], many[0])
        } else {
            (many[0], few[0])
        };
        if short.len() > 1 {
            let distance = osa::distance(short.chars(), long.chars());
            return match (distance, short.len(), long.len()) {
                (1, 4.., 5..) => PersonLevel::OneEdit,
                (1, 3.., 3..) => PersonLevel::ShortEdit,
                _ => PersonLevel::Different,
            };
        }
    }
    let initials = |some: &[&str], others: &[&str]| {
        !some.is_empty()
            && some.iter().all(|word| word.len() == 1)
            && some
                .iter()
                .zip(others)
                .all(|(letter, word)| word.starts_with(letter))
    };
    // "J Smith" and "John Smith", "John Smith" and "John Q Smith".
    let fits =
        initials(&few, &many) || initials(&many, &few) || few.is_empty() && many.iter().all(|w| w.len() == 1);
    if fits {
        PersonLevel::Initials
    } else {
        PersonLevel::Different
    }
}
