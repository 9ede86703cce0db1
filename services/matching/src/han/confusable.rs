//! Characters taken for one another: by shape in Han, and Latin look-alikes of other scripts.
//!
//! The classes were written for names of Chinese firms and people: characters that handwriting, optical
//! recognition and ill will exchange. A shared class is a reason to look at a pair, never proof.

use std::sync::OnceLock;

use hashbrown::{HashMap, HashSet};

use super::tables::{CLASSES, GROUPS, TWINS};
use super::{COMMON, is_common};

/// Each string is one class; the first character stands for it. A character may be in one class only.
fn classes() -> &'static HashMap<char, char> {
    static MAP: OnceLock<HashMap<char, char>> = OnceLock::new();
    MAP.get_or_init(|| {
        let mut map = HashMap::new();
        for class in CLASSES {
            let mut chars = class.chars();
            let Some(first) = chars.next() else { continue };
            let head = *map.entry(first).or_insert(first);
            for c in chars {
                map.entry(c).or_insert(head);
            }
        }
        map
    })
}

fn pairs() -> &'static HashSet<(char, char)> {
    static SET: OnceLock<HashSet<(char, char)>> = OnceLock::new();
    SET.get_or_init(|| {
        let mut set = HashSet::new();
        for group in GROUPS {
            for a in group.chars() {
                set.extend(group.chars().map(|b| (a, b)));
            }
        }
        set
    })
}

/// For each character the groups that it is in, a bit for each; some groups share one.
fn group_bits() -> &'static HashMap<char, u16> {
    static MAP: OnceLock<HashMap<char, u16>> = OnceLock::new();
    MAP.get_or_init(|| {
        let mut map = HashMap::new();
        for (at, group) in GROUPS.iter().enumerate() {
            for c in group.chars() {
                *map.entry(c).or_default() |= 1 << (at % 16);
            }
        }
        map
    })
}

/// Bits of which two characters share one when they look alike, and seldom when not.
pub(crate) fn shape_bits(c: char) -> u16 {
    1 << (u32::from(shape(c)) % 16) | group_bits().get(&c).copied().unwrap_or_default()
}

/// The character that stands for the look-alike class of `c`; `c` itself when it is in none.
pub fn shape(c: char) -> char {
    if is_common(c) {
        return common_shapes()[(u32::from(c) - u32::from(*COMMON.start())) as usize];
    }
    if c.is_ascii() {
        return c;
    }
    classes().get(&c).copied().unwrap_or(c)
}

/// For each common character the one that stands for its class, by code from the first of them on.
fn common_shapes() -> &'static [char] {
    static SHAPES: OnceLock<Vec<char>> = OnceLock::new();
    SHAPES.get_or_init(|| {
        let classes = classes();
        COMMON.map(|c| classes.get(&c).copied().unwrap_or(c)).collect()
    })
}

/// Whether two different characters are easily taken for one another.
pub fn looks_like(a: char, b: char) -> bool {
    a != b && (shape(a) == shape(b) || pairs().contains(&(a, b)))
}

/// A text with each character replaced by the one that stands for its look-alike class.
pub fn fold_shape(text: &str) -> String {
    text.chars().map(shape).collect()
}

/// The Latin letter that a Cyrillic, Greek or Armenian letter looks like; `c` itself when there is none.
pub fn latin_twin(c: char) -> char {
    if matches!(c, '\u{0250}'..='\u{058f}' | 'ı') {
        TWINS
            .iter()
            .find(|(from, _)| *from == c)
            .map_or(c, |(_, latin)| *latin)
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_of_both_kinds() {
        for (a, b) in [
            ('己', '已'),
            ('巳', '己'),
            ('未', '末'),
            ('干', '于'),
            ('乾', '干'),
            ('士', '土'),
            ('沣', '泮'),
        ] {
            assert!(looks_like(a, b), "{a} {b}");
            assert_eq!(shape(a), shape(b));
        }
        assert!(looks_like('健', '建'));
        assert!(looks_like('鑫', '金'));
        for (a, b) in [
            ('康', '瑞'),
            ('北', '南'),
            ('一', '二'),
            ('己', '己'),
            ('药', '疗'),
        ] {
            assert!(!looks_like(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_class_folds_to_itself() {
        for group in CLASSES.iter().chain(GROUPS) {
            let bits = group.chars().map(shape_bits).fold(u16::MAX, |a, b| a & b);
            assert_ne!(bits, 0, "{group}");
        }
        for class in CLASSES {
            let folded = fold_shape(class);
            assert_eq!(fold_shape(&folded), folded);
            let mut heads: Vec<char> = folded.chars().collect();
            heads.dedup();
            assert_eq!(heads.len(), 1, "{class} is split over two classes");
        }
    }

    #[test]
    fn letters_of_other_scripts() {
        assert_eq!(latin_twin('А'), 'A');
        assert_eq!(latin_twin('Ο'), 'O');
        assert_eq!(latin_twin('Ж'), 'Ж');
    }
}
