//! How two names of organisations stand to each other, part by part.

use super::edit::{Edit, EditKind, is_subsequence, single_edit};
use super::words::OrgForm;
use super::{OrgName, Trades};
use crate::pinyin;
use crate::places::Place;

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
    /// One edit outside the 字号, or an unlike character in one of four characters and more.
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
    fn bare(level: OrgLevel) -> Self {
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

/// Compares two names. Symmetric; allocates nothing for most pairs.
pub fn compare_orgs(a: &OrgName, b: &OrgName) -> OrgAgreement {
    let (x, y) = (&a.keys, &b.keys);
    if x.strict == 0 || y.strict == 0 {
        return OrgAgreement::bare(OrgLevel::Missing);
    }
    if x.strict == y.strict {
        let same = a.display == b.display;
        return OrgAgreement::bare(if same {
            OrgLevel::Identical
        } else {
            OrgLevel::StrictKey
        });
    }
    if x.has_former || y.has_former {
        if former_meets(a, b) || former_meets(b, a) {
            return OrgAgreement::bare(OrgLevel::Former);
        }
    }
    match (x.parent, y.parent) {
        (0, 0) => {}
        (0, _) if is_parent(a, b) => return OrgAgreement::bare(OrgLevel::BranchOf),
        (_, 0) if is_parent(b, a) => return OrgAgreement::bare(OrgLevel::BranchOf),
        (0, _) | (_, 0) => return unlike_branch(a, b),
        _ => {
            let same_parent = x.parent == y.parent || x.parent_loose == y.parent_loose;
            if same_parent && x.tail != y.tail {
                return OrgAgreement::bare(OrgLevel::SameParentBranches);
            }
            if x.tail != y.tail {
                return OrgAgreement::bare(OrgLevel::Different);
            }
        }
    }
    if x.loose == y.loose {
        return Parts::of(a, b).at(OrgLevel::LooseKey, None);
    }
    if x.latin != y.latin {
        return if x.latin { foreign(a, b) } else { foreign(b, a) };
    }
    if x.core == y.core || x.stem == y.stem {
        return same_core(a, b);
    }
    // Different cores from here on: near ones and short forms.
    let near = x.core_chars.abs_diff(y.core_chars) <= 1
        && (x.first == y.first || x.last == y.last || x.core_chars <= 2);
    if (near || x.shape == y.shape || x.sound == y.sound)
        && let Some(found) = near_core(a, b)
    {
        return found;
    }
    if x.short != y.short || x.short && y.short {
        let (short, long) = if x.name_chars <= y.name_chars {
            (a, b)
        } else {
            (b, a)
        };
        if short.keys.short
            && let Some(found) = acronym(short, long)
        {
            return found;
        }
    }
    if x.name_chars.abs_diff(y.name_chars) <= 1
        && let Some(found) = slip(a, b)
    {
        return found;
    }
    OrgAgreement::bare(OrgLevel::Different)
}

fn former_meets(a: &OrgName, b: &OrgName) -> bool {
    a.former.iter().any(|former| {
        former.strict == b.keys.strict
            || former.loose == b.keys.loose
            || b.former.iter().any(|other| other.strict == former.strict)
    })
}

fn is_parent(parent: &OrgName, branch: &OrgName) -> bool {
    let (p, b) = (&parent.keys, &branch.keys);
    if p.strict == b.parent || p.loose == b.parent_loose {
        return true;
    }
    branch.branch.as_ref().is_some_and(|branch| {
        p.core == branch.parent.keys.core
            && compare_orgs(parent, &branch.parent).level >= OrgLevel::Confusable
    })
}

/// A branch and an organisation that is not its parent.
fn unlike_branch(a: &OrgName, b: &OrgName) -> OrgAgreement {
    let parts = Parts::of(a, b);
    let level = if a.keys.core == b.keys.core && parts.region == PartAgreement::Conflict {
        OrgLevel::SameCoreOtherRegion
    } else {
        OrgLevel::Different
    };
    parts.at(level, None)
}

/// The agreement of each part.
struct Parts {
    region: PartAgreement,
    core: PartAgreement,
    trade: PartAgreement,
    form: PartAgreement,
    ordinal: PartAgreement,
}

impl Parts {
    fn of(a: &OrgName, b: &OrgName) -> Parts {
        let core = match (a.keys.core == b.keys.core, a.keys.core == 0 || b.keys.core == 0) {
            (true, _) => PartAgreement::Equal,
            (_, true) => PartAgreement::OneSided,
            _ => PartAgreement::Conflict,
        };
        Parts {
            region: regions(a, b),
            core,
            trade: trades(a, b),
            form: forms(a.form, b.form),
            ordinal: ordinals(a, b),
        }
    }

    fn at(self, level: OrgLevel, edit: Option<EditKind>) -> OrgAgreement {
        OrgAgreement {
            level,
            region: self.region,
            core: self.core,
            trade: self.trade,
            form: self.form,
            ordinal: self.ordinal,
            edit,
        }
    }
}

fn regions(a: &OrgName, b: &OrgName) -> PartAgreement {
    let first = places(a.region, b.region);
    match (a.second_region, b.second_region) {
        (None, None) => first,
        (Some(x), Some(y)) => match places(Some(x), Some(y)) {
            PartAgreement::Equal => first,
            _ if Some(x) == b.region && Some(y) == a.region => PartAgreement::Equal,
            second => second,
        },
        // `上海康瑞(成都)` beside `成都康瑞`: the seat agrees, the first region is left out.
        (Some(x), None) if Some(x) == b.region => PartAgreement::OneSided,
        (None, Some(y)) if Some(y) == a.region => PartAgreement::OneSided,
        _ if first == PartAgreement::OneSided => first,
        _ => PartAgreement::Conflict,
    }
}

fn places(a: Option<Place>, b: Option<Place>) -> PartAgreement {
    match (a, b) {
        (None, None) => PartAgreement::Absent,
        (Some(a), Some(b)) if a == b => PartAgreement::Equal,
        (Some(a), Some(b)) if a.contains(b) || b.contains(a) => PartAgreement::Nested,
        (Some(_), Some(_)) => PartAgreement::Conflict,
        _ => PartAgreement::OneSided,
    }
}

fn trades(a: &OrgName, b: &OrgName) -> PartAgreement {
    let (x, y) = (a.trades, b.trades);
    let rest = a.keys.rest == b.keys.rest;
    if x == y && rest {
        return if x.is_empty() && a.keys.rest == 0 {
            PartAgreement::Absent
        } else {
            PartAgreement::Equal
        };
    }
    let said = |trades: Trades, rest: u64| !trades.is_empty() || rest != 0;
    if !said(x, a.keys.rest) || !said(y, b.keys.rest) {
        return PartAgreement::OneSided;
    }
    let rests = rest || a.keys.rest == 0 && x.is_within(y) || b.keys.rest == 0 && y.is_within(x);
    if rests && (x.is_within(y) || y.is_within(x)) {
        PartAgreement::Nested
    } else {
        PartAgreement::Conflict
    }
}

fn forms(a: OrgForm, b: OrgForm) -> PartAgreement {
    match (a, b) {
        (OrgForm::Unsaid, OrgForm::Unsaid) => PartAgreement::Absent,
        (a, b) if a == b => PartAgreement::Equal,
        (OrgForm::Unsaid, _) | (_, OrgForm::Unsaid) => PartAgreement::OneSided,
        (OrgForm::Company | OrgForm::Group, b) if b.is_company() => PartAgreement::OneSided,
        (a, OrgForm::Company | OrgForm::Group) if a.is_company() => PartAgreement::OneSided,
        (a, b) if a.is_company() && b.is_company() => PartAgreement::Nested,
        _ => PartAgreement::Conflict,
    }
}

fn ordinals(a: &OrgName, b: &OrgName) -> PartAgreement {
    match (a.ordinal, b.ordinal) {
        (None, None) => PartAgreement::Absent,
        (Some(x), Some(y)) if x == y => PartAgreement::Equal,
        _ => PartAgreement::Conflict,
    }
}

fn same_core(a: &OrgName, b: &OrgName) -> OrgAgreement {
    use PartAgreement::{Absent, Conflict, Equal, Nested, OneSided};
    let parts = Parts::of(a, b);
    let (region, trade, form) = (parts.region, parts.trade, parts.form);
    let bare = |name: &OrgName| name.keys.short && name.trades.is_empty() && name.keys.rest == 0;
    let level = if parts.ordinal == Conflict {
        let alike = region != Conflict && trade != Conflict && form != Conflict;
        if alike {
            OrgLevel::OrdinalConflict
        } else {
            OrgLevel::Different
        }
    } else if region == Conflict {
        OrgLevel::SameCoreOtherRegion
    } else if region == OneSided && (a.region_behind || b.region_behind) && !said_alike_subsidiary(a, b) {
        OrgLevel::SameCoreOtherRegion
    } else if bare(a) || bare(b) {
        if region == Nested {
            OrgLevel::RegionNested
        } else {
            OrgLevel::CoreOnly
        }
    } else if trade == Conflict || form == Conflict {
        OrgLevel::SameCoreOtherTrade
    } else if trade == Nested || trade == OneSided {
        let (fewer, more) = if a.trades.is_within(b.trades) {
            (a, b)
        } else {
            (b, a)
        };
        match (fewer.keys.short || more.keys.short, region) {
            (true, Nested) => OrgLevel::RegionNested,
            (true, _)
                if !more.trades.meets(Trades::GROUP)
                    || fewer.trades.meets(Trades::GROUP)
                    || fewer.keys.short =>
            {
                OrgLevel::Abbreviation
            }
            _ => OrgLevel::SameCoreOtherTrade,
        }
    } else if region == Nested {
        OrgLevel::RegionNested
    } else {
        match (region == OneSided, form) {
            (true, OneSided) => OrgLevel::Abbreviation,
            (true, Nested) => OrgLevel::RegionNested,
            (true, _) => OrgLevel::RegionMissing,
            (false, OneSided) => OrgLevel::MissingSuffix,
            (false, Nested) => OrgLevel::FormChanged,
            (false, _) => OrgLevel::LooseKey,
        }
    };
    parts.at(level, None)
}

/// A region behind the 字号 on one side only marks a subsidiary, unless the other side is that region's too.
fn said_alike_subsidiary(a: &OrgName, b: &OrgName) -> bool {
    a.region.is_some() && b.region.is_some()
}

/// Cores that shape, sound or one edit bring together.
fn near_core(a: &OrgName, b: &OrgName) -> Option<OrgAgreement> {
    use PartAgreement::{Conflict, Equal};
    let parts = Parts::of(a, b);
    let alike = parts.region != Conflict
        && parts.region != PartAgreement::Nested
        && matches!(parts.trade, Equal | PartAgreement::Absent)
        && matches!(
            parts.form,
            Equal | PartAgreement::Absent | PartAgreement::OneSided
        )
        && parts.ordinal != Conflict;
    if !alike {
        return None;
    }
    let edit = single_edit(&a.core, &b.core);
    let chars = a.keys.core_chars.min(b.keys.core_chars);
    let (level, kind) = if a.keys.latin {
        let edit = edit?;
        if chars < 6 {
            return None;
        }
        (OrgLevel::Confusable, edit.kind)
    } else {
        match edit {
            Some(Edit {
                kind: kind @ (EditKind::Shape | EditKind::Sound),
                ..
            }) => (OrgLevel::Confusable, kind),
            Some(Edit {
                kind: kind @ EditKind::NearSound,
                ..
            }) if chars >= 3 => (OrgLevel::Confusable, kind),
            Some(Edit {
                kind: kind @ (EditKind::Gap | EditKind::Swap),
                ..
            }) if chars >= 3 => (OrgLevel::Confusable, kind),
            Some(Edit {
                kind: EditKind::Other,
                ..
            }) if chars >= 4 => (OrgLevel::TypoElsewhere, EditKind::Other),
            None if a.keys.shape == b.keys.shape => (OrgLevel::Confusable, EditKind::Shape),
            None if a.keys.sound == b.keys.sound => (OrgLevel::Confusable, EditKind::Sound),
            _ => return None,
        }
    };
    Some(parts.at(level, Some(kind)))
}

/// One edit somewhere in the whole name that parsing turned into another core.
fn slip(a: &OrgName, b: &OrgName) -> Option<OrgAgreement> {
    let edit = single_edit(&a.key_strict, &b.key_strict)?;
    let parts = Parts::of(a, b);
    let told = matches!(
        edit.kind,
        EditKind::Shape | EditKind::Sound | EditKind::NearSound | EditKind::Gap | EditKind::Swap
    );
    let chars = a.keys.name_chars.min(b.keys.name_chars);
    let alike = parts.region != PartAgreement::Conflict && parts.ordinal != PartAgreement::Conflict;
    (told && alike && chars >= 6).then(|| parts.at(OrgLevel::TypoElsewhere, Some(edit.kind)))
}

/// `short` has no legal form: is it a short form of `long`?
fn acronym(short: &OrgName, long: &OrgName) -> Option<OrgAgreement> {
    let chars = short.keys.name_chars;
    if chars < 3 || chars > 12 || !is_subsequence(&short.key_strict, &long.key_strict) {
        return None;
    }
    let parts = Parts::of(short, long);
    if parts.region == PartAgreement::Conflict || parts.ordinal == PartAgreement::Conflict {
        return None;
    }
    let first = short.key_strict.chars().next();
    let starts = first == long.key_strict.chars().next() || first == long.core.chars().next();
    let whole_core = short.key_strict.contains(&*long.core) && long.keys.core_chars >= 2;
    match (starts, whole_core) {
        (true, true) => Some(parts.at(OrgLevel::Abbreviation, None)),
        (true, false) => Some(parts.at(OrgLevel::Acronym, None)),
        _ => None,
    }
}

/// A Latin name beside a Chinese one.
fn foreign(latin: &OrgName, han: &OrgName) -> OrgAgreement {
    let mut parts = Parts::of(latin, han);
    let brand = latin.keys.brand != 0 && latin.keys.brand == han.keys.core;
    let spelt = latin.keys.sound == han.keys.sound
        || latin.core.is_ascii()
            && latin.core.as_bytes().first().map(u8::to_ascii_lowercase)
                == han
                    .core
                    .chars()
                    .next()
                    .and_then(pinyin::reading)
                    .and_then(|r| r.bytes().next())
            && pinyin::spells(&latin.core.to_ascii_lowercase(), &han.core);
    // English names say trades more loosely: only unlike trades with none in common contradict.
    if parts.trade == PartAgreement::Conflict && latin.trades.meets(han.trades) {
        parts.trade = PartAgreement::Nested;
    }
    if parts.form == PartAgreement::Nested {
        parts.form = PartAgreement::OneSided;
    }
    let contradicted = parts.region == PartAgreement::Conflict
        || parts.trade == PartAgreement::Conflict
        || parts.ordinal == PartAgreement::Conflict;
    let level = match (brand || spelt, contradicted) {
        (true, false) => {
            parts.core = PartAgreement::Equal;
            OrgLevel::PinyinEqual
        }
        (true, true) if parts.region == PartAgreement::Conflict => OrgLevel::SameCoreOtherRegion,
        (true, true) => OrgLevel::SameCoreOtherTrade,
        (false, false)
            if parts.region == PartAgreement::Equal
                && matches!(parts.trade, PartAgreement::Equal | PartAgreement::Nested)
                && pinyin::reading(han.core.chars().next().unwrap_or(' ')).is_some_and(|r| {
                    r.bytes().next() == latin.core.bytes().next().map(|b| b.to_ascii_lowercase())
                }) =>
        {
            OrgLevel::ForeignCompatible
        }
        _ => OrgLevel::Different,
    };
    parts.at(level, None)
}
