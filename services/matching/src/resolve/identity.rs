//! What tells a party from all others, and the short ids made of it.

use std::fmt::Write;
use std::hash::Hash;

use hashbrown::{HashMap, HashSet};
use sha2::{Digest, Sha256};

use crate::identifier::{IdNumber, Uscc};

/// What identifies a party. Keys of names are numbers of the table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity<'a> {
    Uscc(Uscc),
    Name(u32),
    /// An id of a source's own, of an organisation.
    Id(&'a str),
    IdNumber(IdNumber),
    Staff(&'a str),
    /// An id of a source's own, of a person.
    PersonId(&'a str),
    PersonRef(i64),
}

impl Identity<'_> {
    pub fn is_person(&self) -> bool {
        matches!(
            self,
            Self::IdNumber(_) | Self::Staff(_) | Self::PersonId(_) | Self::PersonRef(_)
        )
    }

    pub fn uscc(&self) -> Option<Uscc> {
        match self {
            Self::Uscc(uscc) => Some(*uscc),
            _ => None,
        }
    }

    pub fn id_number(&self) -> Option<IdNumber> {
        match self {
            Self::IdNumber(id) => Some(*id),
            _ => None,
        }
    }

    /// The checked code as it may be shown: a code of an organisation as it is, a person's number masked.
    pub fn shown_code(&self) -> Option<String> {
        match self {
            Self::Uscc(uscc) => Some(uscc.to_string()),
            Self::IdNumber(id) => Some(id.masked()),
            _ => None,
        }
    }

    /// Of parties that are the same, the one with the least rank stands for all.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Uscc(_) | Self::IdNumber(_) => 0,
            Self::Staff(_) | Self::Name(_) => 1,
            Self::PersonId(_) | Self::Id(_) => 2,
            Self::PersonRef(_) => 3,
        }
    }

    /// Unambiguous text of the identity: what the party id is made of.
    pub fn text(&self, keys: &[String]) -> String {
        match self {
            Self::Uscc(uscc) => format!("uscc:{uscc}"),
            Self::Name(key) => format!("name:{}", keys[*key as usize]),
            Self::Id(id) => format!("id:{id}"),
            Self::IdNumber(id) => format!("id-number:{}", id.as_str()),
            Self::Staff(id) => format!("staff:{id}"),
            Self::PersonId(id) => format!("person:{id}"),
            Self::PersonRef(reference) => format!("person-ref:{reference:016x}"),
        }
    }

    /// The business key; `staff` is the staff id of a person told by an ID number, when there is one.
    pub fn party_key(&self, keys: &[String], staff: Option<&str>) -> String {
        match (self, staff) {
            (Self::IdNumber(_), Some(staff)) => format!("staff:{staff}"),
            (Self::Staff(staff), _) => format!("staff:{staff}"),
            (Self::IdNumber(id), None) => format!("pid:{}", digest(id.as_str(), 16)),
            (Self::Uscc(uscc), _) => uscc.to_string(),
            (Self::Name(key), _) => format!("name:{}", keys[*key as usize]),
            (Self::Id(id), _) => format!("id:{id}"),
            (Self::PersonId(id), _) => format!("src:{id}"),
            (Self::PersonRef(reference), _) => format!("ref:{reference:016x}"),
        }
    }
}

/// The first hex digits of the SHA-256 of a text.
fn digest(text: &str, digits: usize) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        write!(hex, "{byte:02x}").expect("writing to a string does not fail");
    }
    hex.truncate(digits);
    hex
}

/// What several mentions say of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum One<T> {
    Only(T),
    /// They disagree.
    Many,
}

impl<T: Copy + PartialEq> One<T> {
    pub fn add<K: Eq + Hash>(map: &mut HashMap<K, One<T>>, key: K, value: T) {
        map.entry(key)
            .and_modify(|one| {
                if *one != One::Only(value) {
                    *one = One::Many;
                }
            })
            .or_insert(One::Only(value));
    }

    pub fn only(self) -> Option<T> {
        match self {
            Self::Only(value) => Some(value),
            Self::Many => None,
        }
    }
}

/// Characters after the letter of a party id: 11 of 5 bits each.
const ID_CHARACTERS: u32 = 11;

/// Twelve ASCII characters for each identity: a letter and 55 bits of its SHA-256.
///
/// If two identities share them, the one that is greater as text takes the next digest, salted; so the ids
/// depend on the set of identities and not on their order.
pub fn assign_ids(texts: &[String], letter: impl Fn(usize) -> char) -> Vec<String> {
    assign(texts, letter, ID_CHARACTERS)
}

fn assign(texts: &[String], letter: impl Fn(usize) -> char, characters: u32) -> Vec<String> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_unstable_by(|a, b| texts[*a].cmp(&texts[*b]));
    let mut taken: HashSet<(char, u64)> = HashSet::with_capacity(texts.len());
    let mut ids = vec![String::new(); texts.len()];
    for at in order {
        let letter = letter(at);
        let bits = (0u64..)
            .map(|salt| bits_of(&texts[at], salt, characters))
            .find(|bits| taken.insert((letter, *bits)))
            .expect("there are more ids than parties");
        let mut id = String::with_capacity(12);
        id.push(letter);
        for shift in (0..characters).rev() {
            id.push(char::from(
                b"abcdefghijklmnopqrstuvwxyz234567"[(bits >> (5 * shift) & 31) as usize],
            ));
        }
        ids[at] = id;
    }
    ids
}

fn bits_of(text: &str, salt: u64, characters: u32) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(text);
    if salt > 0 {
        hasher.update(format!("\0{salt}"));
    }
    let first: [u8; 8] = hasher.finalize()[..8].try_into().expect("a digest has 32 bytes");
    u64::from_be_bytes(first) >> (64 - 5 * characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_depend_on_the_identity_alone() {
        let texts = ["uscc:91330100MA2A1B2C3T", "name:康瑞医药有限公司"].map(str::to_owned);
        let ids = assign_ids(&texts, |_| 'c');
        assert!(
            ids.iter()
                .all(|id| id.len() == 12 && id.is_ascii() && id.starts_with('c'))
        );
        assert_eq!(assign_ids(&texts[1..], |_| 'c')[0], ids[1]);
    }

    #[test]
    fn collisions_are_resolved_the_same_in_any_order() {
        // With ids of 10 bits, 700 identities must collide.
        let mut texts: Vec<String> = (0..700).map(|n| format!("id:{n}")).collect();
        let ids = assign(&texts, |_| 'c', 2);
        let distinct: HashSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), texts.len());
        texts.reverse();
        let mut reversed = assign(&texts, |_| 'c', 2);
        reversed.reverse();
        assert_eq!(reversed, ids);
    }
}
