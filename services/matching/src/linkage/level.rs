//! How much two values agree: the ordered levels that all comparisons share.

use serde::{Deserialize, Serialize};

/// Agreement of two values of one field, strongest first. A comparison of a kind of field uses some of them;
/// which, is told by [`crate::linkage::FieldKind::levels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Level {
    /// One of the values is missing: no evidence.
    Missing = 0,
    /// Equal after normalisation.
    Exact = 1,
    /// The same value in another writing: traditional characters, legal form, day and month swapped.
    Variant = 2,
    /// A slip: an edit or two, a homophone, a look-alike.
    Close = 3,
    /// One is an abbreviation, a former name, an initial of the other, or lacks parts of it.
    Partial = 4,
    /// Much alike.
    Similar = 5,
    /// Equal to the value of the field it is often swapped with.
    SwappedExact = 6,
    /// Close to the value of the field it is often swapped with.
    SwappedClose = 7,
    /// Related but not the same by itself: one 字号, one street, one year.
    Related = 8,
    /// Different.
    Different = 9,
    /// Proof of two different parties: two valid codes, a branch and its parent.
    Conflict = 10,
}

/// Number of levels, and of entries in a table of weights.
pub const LEVELS: usize = 11;

impl Level {
    pub const ALL: [Self; LEVELS] = [
        Self::Missing,
        Self::Exact,
        Self::Variant,
        Self::Close,
        Self::Partial,
        Self::Similar,
        Self::SwappedExact,
        Self::SwappedClose,
        Self::Related,
        Self::Different,
        Self::Conflict,
    ];

    /// As written in models and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Exact => "exact",
            Self::Variant => "variant",
            Self::Close => "close",
            Self::Partial => "partial",
            Self::Similar => "similar",
            Self::SwappedExact => "swapped_exact",
            Self::SwappedClose => "swapped_close",
            Self::Related => "related",
            Self::Different => "different",
            Self::Conflict => "conflict",
        }
    }

    /// For people, in Chinese and English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => ("缺失", "missing"),
            Self::Exact => ("一致", "the same"),
            Self::Variant => ("写法不同，实为同一", "the same, written otherwise"),
            Self::Close => ("近似（疑为笔误、同音或形近）", "nearly the same (a slip)"),
            Self::Partial => ("简称、曾用名或不完整", "abbreviated, former or incomplete"),
            Self::Similar => ("相似", "similar"),
            Self::SwappedExact => ("与另一栏互换后一致", "the same after swapping two fields"),
            Self::SwappedClose => ("与另一栏互换后近似", "nearly the same after swapping two fields"),
            Self::Related => ("相关但不同", "related, not the same"),
            Self::Different => ("不同", "different"),
            Self::Conflict => ("互斥（必为两个主体）", "contradictory (two parties for certain)"),
        }
    }

    /// The level of a packed number.
    pub(crate) fn from_index(index: usize) -> Self {
        Self::ALL.get(index).copied().unwrap_or(Self::Missing)
    }
}

/// The levels of one pair, four bits a comparison: at most 16 comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pattern(pub u64);

impl Pattern {
    /// The level of a comparison.
    pub fn get(self, comparison: usize) -> Level {
        Level::from_index((self.0 >> (4 * comparison) & 15) as usize)
    }

    pub(crate) fn with(self, comparison: usize, level: Level) -> Self {
        Self(self.0 | (level as u64) << (4 * comparison))
    }
}
