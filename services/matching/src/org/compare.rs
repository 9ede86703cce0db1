//! How two names of organisations stand to each other, part by part.

use super::edit::{Edit, EditKind, is_subsequence, single_edit};
use super::form::OrgForm;
use super::level::{OrgAgreement, OrgLevel, PartAgreement, Reading};
use super::{OrgName, Trades};
use crate::pinyin;
use crate::places::Place;

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
    if (x.has_former || y.has_former) && (former_meets(a, b) || former_meets(b, a)) {
        return OrgAgreement::bare(OrgLevel::Former);
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
        let found = same_core(a, b);
        return match found.level {
            OrgLevel::SameCoreOtherTrade if found.form != PartAgreement::Conflict => {
                slip(a, b).unwrap_or(found)
            }
            _ => found,
        };
    }
    // Different cores from here on: near ones and short forms.
    let near = x.core_chars.abs_diff(y.core_chars) <= 1
        && (x.first == y.first || x.last == y.last || x.core_chars.min(y.core_chars) <= 2);
    if (near || x.shape == y.shape || x.sound == y.sound)
        && let Some(found) = near_core(a, b)
    {
        return found;
    }
    if x.short || y.short {
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
    slip(a, b).unwrap_or(OrgAgreement::bare(OrgLevel::Different))
}

/// Whether the names are those of two organisations that go by one 字号: other region, trade, form or number, a branch and
/// its parent.
pub(crate) fn are_sisters(a: &OrgName, b: &OrgName) -> bool {
    let (x, y) = (&a.keys, &b.keys);
    let one_core = x.core == y.core && x.core != 0 || x.stem == y.stem && x.stem != 0;
    match compare_orgs(a, b).level {
        OrgLevel::Different => one_core,
        level => level.reading() == Reading::Apart,
    }
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
        (Some(_), Some(_)) => PartAgreement::Conflict,
        _ => PartAgreement::OneSided,
    }
}

fn same_core(a: &OrgName, b: &OrgName) -> OrgAgreement {
    use PartAgreement::{Conflict, Nested, OneSided};
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
    } else if parts.ordinal == OneSided {
        OrgLevel::Different
    } else if region == Conflict || region == OneSided && is_subsidiary(a, b) {
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

/// Whether one of them bears a region behind the 字号 and the other has none at all: `国药控股北京有限公司`
/// beside `国药控股`.
fn is_subsidiary(a: &OrgName, b: &OrgName) -> bool {
    a.region_behind && b.region.is_none() || b.region_behind && a.region.is_none()
}

/// Cores that shape, sound or one edit bring together.
fn near_core(a: &OrgName, b: &OrgName) -> Option<OrgAgreement> {
    use PartAgreement::{Conflict, Equal};
    let parts = Parts::of(a, b);
    let alike = parts.region != Conflict
        && parts.region != PartAgreement::Nested
        && (matches!(parts.trade, Equal | PartAgreement::Absent)
            || parts.trade == PartAgreement::Nested && (a.keys.short || b.keys.short))
        && matches!(
            parts.form,
            Equal | PartAgreement::Absent | PartAgreement::OneSided
        )
        && matches!(parts.ordinal, Equal | PartAgreement::Absent);
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
            // Behind three equal characters stands a trade that the dictionary lacks.
            Some(Edit {
                at: 3..,
                kind: EditKind::Other,
            }) if chars >= 5 => (OrgLevel::TypoElsewhere, EditKind::Other),
            None if a.keys.shape == b.keys.shape => (OrgLevel::Confusable, EditKind::Shape),
            None if a.keys.sound == b.keys.sound => (OrgLevel::Confusable, EditKind::Sound),
            _ => return None,
        }
    };
    Some(parts.at(level, Some(kind)))
}

/// One edit somewhere in the whole name that parsing turned into another trade, region or 字号.
fn slip(a: &OrgName, b: &OrgName) -> Option<OrgAgreement> {
    use PartAgreement::{Absent, Conflict, Equal};
    let (x, y) = (&a.keys, &b.keys);
    if x.name_chars.abs_diff(y.name_chars) > 1 || x.name_chars.min(y.name_chars) < 6 {
        return None;
    }
    let edit = single_edit(&a.key_strict, &b.key_strict)?;
    let parts = Parts::of(a, b);
    let same = |part: PartAgreement| matches!(part, Equal | Absent);
    // An edit inside the 字号 alone was judged there.
    let in_core = !same(parts.core) && same(parts.region) && same(parts.trade) && same(parts.form);
    if in_core || parts.region == Conflict || !same(parts.ordinal) {
        return None;
    }
    let told = match edit.kind {
        EditKind::Shape | EditKind::Sound | EditKind::NearSound | EditKind::Swap => true,
        // A word more is another trade; a character that is no word's is a slip.
        EditKind::Gap => x.rest != y.rest || !same(parts.core),
        EditKind::Other => false,
    };
    told.then(|| parts.at(OrgLevel::TypoElsewhere, Some(edit.kind)))
}

/// `short` has no legal form: is it a short form of `long`?
fn acronym(short: &OrgName, long: &OrgName) -> Option<OrgAgreement> {
    let first = short.key_strict.chars().next();
    let starts = first == long.key_strict.chars().next() || first == long.core.chars().next();
    if !starts
        || !(3..=12).contains(&short.keys.name_chars)
        || !is_subsequence(&short.key_strict, &long.key_strict)
    {
        return None;
    }
    let parts = Parts::of(short, long);
    if parts.region == PartAgreement::Conflict
        || matches!(parts.ordinal, PartAgreement::Conflict | PartAgreement::OneSided)
    {
        return None;
    }
    let whole_core = short.key_strict.contains(&*long.core) && long.keys.core_chars >= 2;
    let level = if whole_core {
        OrgLevel::Abbreviation
    } else {
        OrgLevel::Acronym
    };
    Some(parts.at(level, None))
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
