//! One edit between two short texts: where it is and what it exchanges.

use crate::{han, pinyin};

/// What the one edit between two texts exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditKind {
    /// Characters of like shape: 己 and 已.
    Shape,
    /// Characters of one reading: 药 and 要.
    Sound,
    /// Characters of nearly one reading: 林 and 凌.
    NearSound,
    /// Another character.
    Other,
    /// A character more or less.
    Gap,
    /// Two neighbours exchanged.
    Swap,
}

impl EditKind {
    /// Chinese and English words for it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Shape => ("形近字", "look-alike characters"),
            Self::Sound => ("同音字", "characters of one reading"),
            Self::NearSound => ("近音字", "characters of nearly one reading"),
            Self::Other => ("一字之差", "one character differs"),
            Self::Gap => ("多一字或少一字", "one character more or less"),
            Self::Swap => ("两字颠倒", "two characters swapped"),
        }
    }
}

/// An edit and the index (in characters of the first text) where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    pub at: usize,
    pub kind: EditKind,
}

/// The one substitution, insertion, deletion or swap of neighbours that makes `a` of `b`; `None` when they
/// are equal or farther apart. Allocates nothing.
pub(crate) fn single_edit(a: &str, b: &str) -> Option<Edit> {
    let mut left = a.chars();
    let mut right = b.chars();
    let mut at = 0;
    loop {
        let (rest_a, rest_b) = (left.as_str(), right.as_str());
        match (left.next(), right.next()) {
            (Some(x), Some(y)) if x == y => at += 1,
            (Some(x), Some(y)) => {
                if left.as_str() == right.as_str() {
                    return Some(Edit {
                        at,
                        kind: exchanged(x, y),
                    });
                }
                if left.as_str() == rest_b || rest_a == right.as_str() {
                    return Some(Edit {
                        at,
                        kind: EditKind::Gap,
                    });
                }
                let (mut a, mut b) = (left.clone(), right.clone());
                let swapped = a.next() == Some(y) && b.next() == Some(x) && a.as_str() == b.as_str();
                return swapped.then_some(Edit {
                    at,
                    kind: EditKind::Swap,
                });
            }
            (None, None) => return None,
            (Some(_), None) => {
                return left.as_str().is_empty().then_some(Edit {
                    at,
                    kind: EditKind::Gap,
                });
            }
            (None, Some(_)) => {
                return right.as_str().is_empty().then_some(Edit {
                    at,
                    kind: EditKind::Gap,
                });
            }
        }
    }
}

/// Whether one edit of characters of like shape or sound makes `a` of `b`.
pub(crate) fn single_edit_is_slip(a: &str, b: &str) -> bool {
    single_edit(a, b)
        .is_some_and(|edit| matches!(edit.kind, EditKind::Shape | EditKind::Sound | EditKind::NearSound))
}

fn exchanged(x: char, y: char) -> EditKind {
    if han::looks_like(x, y) {
        EditKind::Shape
    } else if pinyin::sounds_like(x, y) {
        EditKind::Sound
    } else if pinyin::nearly_sounds_like(x, y) {
        EditKind::NearSound
    } else {
        EditKind::Other
    }
}

/// Whether the characters of `short` stand in `long` in the same order.
pub(crate) fn is_subsequence(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    short.chars().all(|c| rest.any(|d| c == d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_edit() {
        for (a, b, want) in [
            ("康瑞", "康端", Some((1, EditKind::Shape))),
            ("康瑞", "康锐", Some((1, EditKind::Sound))),
            ("林药", "凌药", Some((0, EditKind::NearSound))),
            ("康瑞", "康泰", Some((1, EditKind::Other))),
            ("康瑞", "康瑞德", Some((2, EditKind::Gap))),
            ("康德瑞", "康瑞", Some((1, EditKind::Gap))),
            ("康瑞德", "康德瑞", Some((1, EditKind::Swap))),
            ("康瑞", "康瑞", None),
            ("康瑞", "瑞德康", None),
        ] {
            assert_eq!(single_edit(a, b).map(|e| (e.at, e.kind)), want, "{a} {b}");
        }
    }

    #[test]
    fn subsequences() {
        assert!(is_subsequence("迈瑞医疗", "深圳迈瑞生物医疗电子"));
        assert!(!is_subsequence("瑞迈", "深圳迈瑞"));
        assert!(is_subsequence("", "x"));
    }
}
