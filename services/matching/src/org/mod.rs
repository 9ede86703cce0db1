//! Names of organisations taken apart (region, 字号, trade, form, branch, former names) and compared part by
//! part.
//!
//! [`OrgName::parse`] does all the work once; [`compare_orgs`] then looks at a few integers for most pairs
//! and allocates nothing. A comparison says how two *names* stand to each other. Whether the organisations
//! are the same is for the scorer to decide from all fields: see the reading of each [`OrgLevel`].

mod blocking;
mod compare;
mod edit;
mod form;
mod latin;
mod level;
mod parse;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use blocking::KEY_KINDS;
pub use blocking::KeyKind;
pub(crate) use compare::are_sisters;
pub use compare::compare_orgs;
pub use edit::EditKind;
pub(crate) use edit::{single_edit, single_edit_is_slip};
pub use form::OrgForm;
pub use level::{OrgAgreement, OrgLevel, PartAgreement, Reading};
pub use words::Trades;

use crate::places::Place;

/// A name of an organisation and its parts.
#[derive(Debug, Clone)]
pub struct OrgName {
    /// The name as one would print it: one writing, without remarks.
    pub display: Box<str>,
    /// [`crate::strict_key`] of the name; empty when the text is no name.
    pub key_strict: Box<str>,
    /// `region|core|trades|rest|form|branch` in simplified characters, with synonyms and the place of the
    /// region folded. Equal keys make a strong candidate, not an equal name.
    pub key_loose: Box<str>,
    /// The division the name begins with, or the only one it names.
    pub region: Option<Place>,
    /// A second division after the 字号, in brackets or bare, that does not lie in or around the first:
    /// `上海康瑞医药(成都)有限公司`.
    pub second_region: Option<Place>,
    /// Whether a region stands bare behind the 字号, as in `国药控股北京有限公司`: the mark of a subsidiary.
    pub region_behind: bool,
    /// The 字号, in simplified characters (Latin names: words in upper case, without spaces).
    pub core: Box<str>,
    /// What it trades in.
    pub trades: Trades,
    /// Characters behind the 字号 that are no known trade.
    pub rest: Box<str>,
    pub form: OrgForm,
    /// The number of `第一`, `二厂`, `三院`.
    pub ordinal: Option<u32>,
    /// The parent that the name of a branch tells.
    pub branch: Option<Box<OrgBranch>>,
    /// Former names that the text tells.
    pub former: Box<[OrgFormer]>,
    /// Latin words in brackets beside a Chinese name, in upper case.
    pub foreign: Box<str>,
    /// The text says that the registration has ended.
    pub deregistered: bool,
    pub(crate) keys: OrgKeys,
}

/// What makes a branch of a parent.
#[derive(Debug, Clone)]
pub struct OrgBranch {
    pub parent: OrgName,
    /// What stands behind the parent's name: `杭州分公司`.
    pub tail: Box<str>,
}

/// A former name.
#[derive(Debug, Clone)]
pub struct OrgFormer {
    pub display: Box<str>,
    pub key_strict: Box<str>,
    pub(crate) strict: u64,
    pub(crate) loose: u64,
}

/// Everything that most comparisons need, in one place. Zero means "none".
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OrgKeys {
    pub strict: u64,
    pub loose: u64,
    pub core: u64,
    /// The core without its ordinal.
    pub stem: u64,
    /// The core with look-alike characters folded.
    pub shape: u64,
    /// The core's default readings; for Latin names its letters.
    pub sound: u64,
    /// The Chinese 字号 that a Latin brand stands for.
    pub brand: u64,
    pub rest: u64,
    pub parent: u64,
    pub parent_loose: u64,
    pub tail: u64,
    /// First and last character of the core, for a quick "these cannot be one edit apart".
    pub first: u32,
    pub last: u32,
    pub core_chars: u16,
    pub name_chars: u16,
    pub latin: bool,
    /// The name has no legal form: it may be a short form.
    pub short: bool,
    pub has_former: bool,
}

impl OrgName {
    /// Whether the text holds no name at all.
    pub fn is_empty(&self) -> bool {
        self.keys.strict == 0
    }

    /// Stable 64-bit key of `key_strict`; zero when the text is no name.
    pub fn strict_hash(&self) -> u64 {
        self.keys.strict
    }

    /// Stable 64-bit key of `key_loose`; zero when the text is no name.
    pub fn loose_hash(&self) -> u64 {
        self.keys.loose
    }

    /// Stable 64-bit key of the 字号 (use it for term frequencies); zero when there is none.
    pub fn core_hash(&self) -> u64 {
        self.keys.core
    }

    /// The organisation that a branch's name tells as its parent.
    pub fn parent(&self) -> Option<&OrgName> {
        self.branch.as_ref().map(|branch| &branch.parent)
    }

    /// Whether the name is written in Latin letters.
    pub fn is_latin(&self) -> bool {
        self.keys.latin
    }
}
