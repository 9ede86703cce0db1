//! The levels at which two names of organisations can stand to each other, and their words.

use super::edit::EditKind;

/// How two names stand to each other, from "nothing in common" to "equal". The order is that of evidence for
/// one organisation; a level below [`OrgLevel::CoreOnly`] is evidence for two, see [`OrgLevel::reading`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum OrgLevel {
    /// 第一 and 第二, with all else equal: surely two organisations.
    OrdinalConflict,
    /// A branch and the organisation it is a branch of: never merged, an edge of its own.
    BranchOf,
    /// Two branches of one organisation.
    SameParentBranches,
    /// One 字号 in two places (`上海协和…`, `北京协和…`), or a parent and its regional subsidiary.
    SameCoreOtherRegion,
    /// One 字号 in two trades or of two unlike forms.
    SameCoreOtherTrade,
    Different,
    /// One of the two texts is no name.
    Missing,
    /// Only the 字号 is known of one of them.
    CoreOnly,
    /// One 字号, one region within the other (`浙江康瑞…`, `杭州康瑞…`): as often two firms as one.
    RegionNested,
    /// A Latin name whose region and trade fit a Chinese one, the 字号 unknown.
    ForeignCompatible,
    /// A subsequence anchored at both ends that leaves part of the 字号 out: `浙大一院`.
    Acronym,
    /// One edit outside the 字号, or an unlike character far behind in a long one.
    TypoElsewhere,
    /// One look-alike, homophone, missing or swapped character in the 字号 and all else equal. With two
    /// valid different codes this is the mark of an imitator, not of one firm.
    Confusable,
    /// A firm that may have been converted: 有限公司 and 股份有限公司, all else equal.
    FormChanged,
    /// The Latin name spells the Chinese 字号, and nothing contradicts.
    PinyinEqual,
    /// A short form: the whole 字号, then a subsequence of the trades.
    Abbreviation,
    /// All equal but the region, which one of them leaves out.
    RegionMissing,
    /// All equal but the legal form, which one of them leaves out or cuts off.
    MissingSuffix,
    /// One is a former name that the other's text tells.
    Former,
    /// Equal once traditional characters, synonyms of trades and the place of the region are folded.
    LooseKey,
    /// Equal strict keys.
    StrictKey,
    /// Written the same.
    Identical,
}

/// What a level says about the two being one organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// The names are those of one organisation, unless another field contradicts.
    Same,
    /// They may be; another field has to agree.
    Candidate,
    /// Nothing either way.
    Silent,
    /// They are names of two organisations unless a checked identifier says otherwise.
    Apart,
}

impl OrgLevel {
    /// All levels, weakest first.
    pub const ALL: [OrgLevel; 22] = [
        Self::OrdinalConflict,
        Self::BranchOf,
        Self::SameParentBranches,
        Self::SameCoreOtherRegion,
        Self::SameCoreOtherTrade,
        Self::Different,
        Self::Missing,
        Self::CoreOnly,
        Self::RegionNested,
        Self::ForeignCompatible,
        Self::Acronym,
        Self::TypoElsewhere,
        Self::Confusable,
        Self::FormChanged,
        Self::PinyinEqual,
        Self::Abbreviation,
        Self::RegionMissing,
        Self::MissingSuffix,
        Self::Former,
        Self::LooseKey,
        Self::StrictKey,
        Self::Identical,
    ];

    /// The code in models and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrdinalConflict => "ordinal_conflict",
            Self::BranchOf => "branch_of",
            Self::SameParentBranches => "same_parent_branches",
            Self::SameCoreOtherRegion => "same_core_other_region",
            Self::SameCoreOtherTrade => "same_core_other_trade",
            Self::Different => "different",
            Self::Missing => "missing",
            Self::CoreOnly => "core_only",
            Self::RegionNested => "region_nested",
            Self::ForeignCompatible => "foreign_compatible",
            Self::Acronym => "acronym",
            Self::TypoElsewhere => "typo_elsewhere",
            Self::Confusable => "confusable",
            Self::FormChanged => "form_changed",
            Self::PinyinEqual => "pinyin_equal",
            Self::Abbreviation => "abbreviation",
            Self::RegionMissing => "region_missing",
            Self::MissingSuffix => "missing_suffix",
            Self::Former => "former",
            Self::LooseKey => "loose_key",
            Self::StrictKey => "strict_key",
            Self::Identical => "identical",
        }
    }

    /// Chinese and English words for it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::OrdinalConflict => ("序号不同", "different ordinal numbers"),
            Self::BranchOf => ("分支机构与其总部", "a branch and its head office"),
            Self::SameParentBranches => ("同一总部的不同分支机构", "two branches of one organisation"),
            Self::SameCoreOtherRegion => ("字号相同、地区不同", "same trade name, other region"),
            Self::SameCoreOtherTrade => (
                "字号相同、行业或组织形式不同",
                "same trade name, other trade or form",
            ),
            Self::Different => ("名称不同", "different names"),
            Self::Missing => ("名称缺失", "no name"),
            Self::CoreOnly => ("仅字号相同", "only the trade name is given and agrees"),
            Self::RegionNested => (
                "字号相同、地区相互包含",
                "same trade name, one region within the other",
            ),
            Self::ForeignCompatible => (
                "外文名称的地区和行业相符",
                "foreign name with fitting region and trade",
            ),
            Self::Acronym => ("缩写", "acronym"),
            Self::TypoElsewhere => ("疑似笔误", "one edit, probably a slip"),
            Self::Confusable => ("字号形近或音近", "trade names are easily confused"),
            Self::FormChanged => ("有限公司与股份有限公司之别", "limited and joint-stock company"),
            Self::PinyinEqual => ("拼音一致", "the Latin name spells the Chinese one"),
            Self::Abbreviation => ("简称", "short form"),
            Self::RegionMissing => ("一方未写地区", "one leaves the region out"),
            Self::MissingSuffix => ("一方未写组织形式", "one leaves the legal form out"),
            Self::Former => ("曾用名", "a former name"),
            Self::LooseKey => ("规范化后一致", "equal after folding"),
            Self::StrictKey => ("书写规范后一致", "equal but for the writing"),
            Self::Identical => ("完全一致", "identical"),
        }
    }

    /// What the level says about the two being one organisation.
    pub fn reading(self) -> Reading {
        match self {
            Self::OrdinalConflict
            | Self::BranchOf
            | Self::SameParentBranches
            | Self::SameCoreOtherRegion
            | Self::SameCoreOtherTrade
            | Self::Different => Reading::Apart,
            Self::Missing => Reading::Silent,
            Self::CoreOnly
            | Self::RegionNested
            | Self::ForeignCompatible
            | Self::Acronym
            | Self::TypoElsewhere
            | Self::Confusable
            | Self::FormChanged => Reading::Candidate,
            Self::PinyinEqual
            | Self::Abbreviation
            | Self::RegionMissing
            | Self::MissingSuffix
            | Self::Former
            | Self::LooseKey
            | Self::StrictKey
            | Self::Identical => Reading::Same,
        }
    }
}

/// How one part of two names compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum PartAgreement {
    /// Neither name has it.
    #[default]
    Absent,
    Equal,
    /// One has it.
    OneSided,
    /// One is wider than, or a part of, the other.
    Nested,
    Conflict,
}

/// A level and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrgAgreement {
    pub level: OrgLevel,
    pub region: PartAgreement,
    pub core: PartAgreement,
    pub trade: PartAgreement,
    pub form: PartAgreement,
    pub ordinal: PartAgreement,
    /// The one edit behind [`OrgLevel::Confusable`] and [`OrgLevel::TypoElsewhere`].
    pub edit: Option<EditKind>,
}

impl OrgAgreement {
    pub(super) fn bare(level: OrgLevel) -> Self {
        Self {
            level,
            region: PartAgreement::Absent,
            core: PartAgreement::Absent,
            trade: PartAgreement::Absent,
            form: PartAgreement::Absent,
            ordinal: PartAgreement::Absent,
            edit: None,
        }
    }

    /// The reasons in Chinese: the level, then each part that agrees or does not.
    pub fn explain_zh(&self) -> String {
        self.explain(|(zh, _)| zh, "；")
    }

    /// The reasons in English.
    pub fn explain_en(&self) -> String {
        self.explain(|(_, en)| en, "; ")
    }

    fn explain(&self, pick: fn((&'static str, &'static str)) -> &'static str, between: &str) -> String {
        let mut out = pick(self.level.words()).to_owned();
        let parts = [
            (self.region, ("地区", "region ")),
            (self.core, ("字号", "trade name ")),
            (self.trade, ("行业", "trade ")),
            (self.form, ("组织形式", "legal form ")),
            (self.ordinal, ("序号", "ordinal ")),
        ];
        for (agreement, part) in parts {
            let word = match agreement {
                PartAgreement::Absent => continue,
                PartAgreement::Equal => ("一致", "agrees"),
                PartAgreement::OneSided => ("仅一方有", "on one side only"),
                PartAgreement::Nested => ("相互包含", "nested"),
                PartAgreement::Conflict => ("不一致", "differs"),
            };
            out.push_str(between);
            out.push_str(pick(part));
            out.push_str(pick(word));
        }
        if let Some(edit) = self.edit {
            out.push_str(between);
            out.push_str(pick(edit.words()));
        }
        out
    }
}
