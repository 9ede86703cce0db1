//! Comparisons: two rows of value numbers to a level, by kind of field.

use super::level::Level;
use super::records::Records;
use super::schema::FieldKind;
use super::similarity::{distance_at_most, is_prefix};
use super::sketch::{Glance, Sketch, may_be_phones};
use super::values::{MISSING, Values};
use crate::address::AddressAgreement;
use crate::{AddressLevel, OrgLevel, PersonLevel, compare_addresses, compare_orgs, compare_persons};

/// One comparison, bound to the records it reads.
#[derive(Clone, Copy)]
pub struct Comparator<'r> {
    field: usize,
    swap: Option<usize>,
    values: &'r Values,
    swap_values: Option<&'r Values>,
}

impl<'r> Comparator<'r> {
    /// Compares `field`; values that differ are also held against those of `swap`, with which files confuse it.
    pub fn new(records: &'r Records, field: usize, swap: Option<usize>) -> Self {
        Self {
            field,
            swap,
            values: records.values(field),
            swap_values: swap.map(|s| records.values(s)),
        }
    }

    /// The field compared.
    pub fn field(&self) -> usize {
        self.field
    }

    /// The kind by which sketches are compared; none when another field may hold the value.
    pub fn glanced(&self) -> Option<FieldKind> {
        self.swap.is_none().then(|| self.values.kind())
    }

    /// What the sketches of two values of the field tell. Nothing, when another field may hold the value.
    #[inline]
    pub fn glance(&self, x: &Sketch, y: &Sketch) -> Glance {
        match self.glanced() {
            Some(kind) => Sketch::glance(kind, x, y),
            None => Glance::Unknown,
        }
    }

    /// The level at which two rows agree, and for levels of equality the value that is equal.
    #[inline]
    pub fn level(&self, a: &[u32], b: &[u32]) -> (Level, u32) {
        let (x, y) = (a[self.field], b[self.field]);
        if x == y && x != MISSING {
            return (Level::Exact, x);
        }
        let direct = if x == MISSING || y == MISSING {
            Level::Missing
        } else {
            within(self.values, x, y)
        };
        match (self.swap, self.swap_values) {
            (Some(swap), Some(other)) if matches!(direct, Level::Missing | Level::Different) => {
                let across = self
                    .across(x, b[swap], other)
                    .or_else(|| self.across(y, a[swap], other));
                across.unwrap_or((direct, MISSING))
            }
            _ => (direct, x),
        }
    }

    /// Whether value `own` of this field equals or nearly equals `crossed` of the swapped one.
    fn across(&self, own: u32, crossed: u32, other: &Values) -> Option<(Level, u32)> {
        if own == MISSING || crossed == MISSING {
            return None;
        }
        let (a, b) = (self.values.symbols(own), other.symbols(crossed));
        if a == b {
            return Some((Level::SwappedExact, own));
        }
        let (close, _) = allowed(self.values.kind(), &a, &b);
        near(self.values.mask(own), other.mask(crossed), &a, &b, close).then_some((Level::SwappedClose, own))
    }
}

impl FieldKind {
    /// The levels that a comparison of this kind can give, strongest first, without `missing`.
    pub fn levels(self, swapped: bool) -> &'static [Level] {
        use Level::{
            Close, Conflict, Different, Exact, Partial, Related, Similar, SwappedClose, SwappedExact, Variant,
        };
        match (self, swapped) {
            (Self::Uscc, _) => &[Exact, Close, Similar, Different, Conflict],
            (Self::IdNumber, _) => &[Exact, Close, Similar, Different, Conflict],
            (Self::Code | Self::Account, _) => &[Exact, Close, Similar, Different],
            (Self::Phone, _) => &[Exact, Close, Partial, Different],
            (Self::Email, _) => &[Exact, Close, Partial, Different],
            (Self::HouseNumber | Self::Postcode, _) => &[Exact, Close, Different],
            (Self::Date, _) => &[Exact, Variant, Close, Similar, Related, Different],
            (Self::Category, _) => &[Exact, Different],
            (Self::OrgName, _) => &[
                Exact, Variant, Close, Partial, Similar, Related, Different, Conflict,
            ],
            (Self::PersonName, _) => &[Exact, Variant, Close, Partial, Similar, Related, Different],
            (Self::Address, _) => &[Exact, Variant, Close, Partial, Similar, Related, Different],
            (Self::Text | Self::Place, _) => &[Exact, Close, Partial, Similar, Different],
            (Self::GivenName | Self::Surname | Self::AddressLine, false) => {
                &[Exact, Close, Partial, Similar, Different]
            }
            (Self::GivenName | Self::Surname | Self::AddressLine, true) => &[
                Exact,
                Close,
                Partial,
                Similar,
                SwappedExact,
                SwappedClose,
                Different,
            ],
        }
    }
}

/// The level of two different values of one field.
fn within(values: &Values, x: u32, y: u32) -> Level {
    let kind = values.kind();
    let symbols = || (values.symbols(x), values.symbols(y));
    let masks = (values.mask(x), values.mask(y));
    match kind {
        FieldKind::Category => return Level::Different,
        FieldKind::Uscc | FieldKind::IdNumber if values.is_valid(x) && values.is_valid(y) => {
            return Level::Conflict;
        }
        FieldKind::Phone if !may_be_phones(masks) => return Level::Different,
        FieldKind::OrgName => return organisations(compare_orgs(values.org(x), values.org(y)).level),
        FieldKind::Address => {
            let (p, q) = (values.address(x), values.address(y));
            if !p.is_empty() && !q.is_empty() {
                return places(compare_addresses(p, q));
            }
        }
        FieldKind::PersonName => {
            let (p, q) = (values.person(x), values.person(y));
            let han = || {
                let (a, b) = symbols();
                a.iter().chain(&*b).any(|s| *s >= HAN)
            };
            if p.is_han || q.is_han || han() {
                return persons(compare_persons(p, q).level);
            }
            if same_tokens(values.text(x), values.text(y)) {
                return Level::Variant;
            }
        }
        _ => {}
    }
    let (a, b) = symbols();
    let (a, b) = (&*a, &*b);
    match kind {
        FieldKind::Date => dates(a, b),
        FieldKind::Phone => phones(masks, a, b),
        FieldKind::Email => emails(masks, a, b),
        FieldKind::Address => addresses(masks, a, b),
        _ => texts(kind, masks, a, b),
    }
}

/// Symbols from here on are taken for Han characters.
const HAN: u16 = 0x2e80;

/// What the parts of two organisations' names say, as a level.
fn organisations(level: OrgLevel) -> Level {
    match level {
        OrgLevel::Identical | OrgLevel::StrictKey => Level::Exact,
        OrgLevel::LooseKey => Level::Variant,
        OrgLevel::Former
        | OrgLevel::MissingSuffix
        | OrgLevel::RegionMissing
        | OrgLevel::Abbreviation
        | OrgLevel::PinyinEqual => Level::Partial,
        OrgLevel::FormChanged | OrgLevel::Confusable | OrgLevel::TypoElsewhere => Level::Close,
        OrgLevel::Acronym | OrgLevel::ForeignCompatible | OrgLevel::RegionNested | OrgLevel::CoreOnly => {
            Level::Similar
        }
        OrgLevel::Missing => Level::Missing,
        OrgLevel::Different => Level::Different,
        OrgLevel::SameCoreOtherRegion | OrgLevel::SameCoreOtherTrade => Level::Related,
        OrgLevel::SameParentBranches | OrgLevel::BranchOf | OrgLevel::OrdinalConflict => Level::Conflict,
    }
}

/// What the parts of two persons' names say, as a level.
fn persons(level: PersonLevel) -> Level {
    match level {
        PersonLevel::Identical => Level::Exact,
        PersonLevel::Folded | PersonLevel::OrderSwapped => Level::Variant,
        PersonLevel::PinyinEqual | PersonLevel::Homophone | PersonLevel::LookAlike | PersonLevel::OneEdit => {
            Level::Close
        }
        PersonLevel::Initials => Level::Partial,
        PersonLevel::ShortEdit => Level::Similar,
        PersonLevel::Missing => Level::Missing,
        PersonLevel::Different => Level::Different,
    }
}

/// What the parts of two addresses say, as a level: other rooms of one building are neighbours.
fn places(agreement: AddressAgreement) -> Level {
    match agreement.level {
        AddressLevel::Identical => Level::Exact,
        AddressLevel::SameRoom => Level::Variant,
        AddressLevel::SameBuilding | AddressLevel::SameNumber if agreement.rooms_differ => Level::Related,
        AddressLevel::SameBuilding => Level::Close,
        AddressLevel::SameNumber => Level::Partial,
        AddressLevel::SameRoad => Level::Related,
        AddressLevel::Missing => Level::Missing,
        AddressLevel::SamePlace | AddressLevel::Different => Level::Different,
    }
}

/// Addresses as letters and digits: one within the other (the province left out), a slip that leaves the
/// numbers alone, or the same street with other numbers.
fn addresses((x, y): (u64, u64), a: &[u16], b: &[u16]) -> Level {
    let digits =
        |text: &[u16]| -> Vec<u16> { text.iter().copied().filter(|s| (48..58).contains(s)).collect() };
    let (m, n) = (digits(a), digits(b));
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() >= 6 && m == n && (long.ends_with(short) || long.starts_with(short)) {
        return Level::Variant;
    }
    let (close, similar) = allowed(FieldKind::Address, a, b);
    if (x ^ y).count_ones() > 2 * similar {
        return Level::Different;
    }
    match distance_at_most(a, b, similar) {
        Some(d) if m == n && d <= close => Level::Close,
        Some(_) if m == n => Level::Similar,
        Some(_) if m.starts_with(&n) || n.starts_with(&m) => Level::Partial,
        Some(_) => Level::Related,
        None => Level::Different,
    }
}

/// Edits allowed for `close` and for `similar`, by kind and length of the longer text.
fn allowed(kind: FieldKind, a: &[u16], b: &[u16]) -> (u32, u32) {
    let longest = a.len().max(b.len()) as u32;
    let han = a.iter().chain(b).any(|s| *s >= HAN);
    match kind {
        FieldKind::HouseNumber => (u32::from(longest >= 2), 0),
        FieldKind::Postcode => (u32::from(longest >= 3), 0),
        FieldKind::Uscc | FieldKind::IdNumber | FieldKind::Code | FieldKind::Account => {
            (u32::from(longest >= 5), if longest >= 6 { 2 } else { 0 })
        }
        FieldKind::AddressLine | FieldKind::Address => ((longest / 6).clamp(1, 3), longest / 3),
        _ if han => (u32::from(longest >= 4), longest / 3),
        _ => (
            match longest {
                0..=2 => 0,
                3..=6 => 1,
                _ => 2,
            },
            match longest {
                0..=3 => 0,
                4..=5 => 2,
                _ => (longest / 3).max(3),
            },
        ),
    }
}

fn near(x: u64, y: u64, a: &[u16], b: &[u16], most: u32) -> bool {
    most > 0 && (x ^ y).count_ones() <= 2 * most && distance_at_most(a, b, most).is_some()
}

fn texts(kind: FieldKind, (x, y): (u64, u64), a: &[u16], b: &[u16]) -> Level {
    let (close, similar) = allowed(kind, a, b);
    let most = close.max(similar);
    if (x ^ y).count_ones() <= 2 * most
        && let Some(distance) = distance_at_most(a, b, most)
    {
        return match distance {
            0 => Level::Exact,
            d if d <= close => Level::Close,
            _ => Level::Similar,
        };
    }
    let part = matches!(
        kind,
        FieldKind::GivenName
            | FieldKind::Surname
            | FieldKind::PersonName
            | FieldKind::AddressLine
            | FieldKind::Place
            | FieldKind::Text
    );
    if part && is_prefix(a, b, 3) {
        return Level::Partial;
    }
    Level::Different
}

/// Days: swapped day and month, one slip, two slips, one year.
fn dates(a: &[u16], b: &[u16]) -> Level {
    if a.len() == 8 && b.len() == 8 && a[..4] == b[..4] && a[4..6] == b[6..8] && a[6..8] == b[4..6] {
        return Level::Variant;
    }
    match distance_at_most(a, b, 2) {
        Some(0..=1) => Level::Close,
        Some(_) => Level::Similar,
        None if a.len() >= 4 && b.len() >= 4 && a[..4] == b[..4] => Level::Related,
        None => Level::Different,
    }
}

/// Phones: one slip, or the area code is missing.
fn phones((x, y): (u64, u64), a: &[u16], b: &[u16]) -> Level {
    if near(x, y, a, b, 1) {
        return Level::Close;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() >= 7 && short.len() < long.len() && long.ends_with(short) {
        return Level::Partial;
    }
    Level::Different
}

/// E-mail addresses: a slip, or one user at two hosts.
fn emails((x, y): (u64, u64), a: &[u16], b: &[u16]) -> Level {
    if near(x, y, a, b, 2) {
        return Level::Close;
    }
    let user = |text: &[u16]| {
        text.iter()
            .position(|s| *s == u16::from(b'@'))
            .unwrap_or(text.len())
    };
    let (m, n) = (user(a), user(b));
    if m == n && m >= 5 && a[..m] == b[..n] {
        return Level::Partial;
    }
    Level::Different
}

/// Whether two names consist of the same words in another order.
fn same_tokens(a: &str, b: &str) -> bool {
    if a.len() != b.len() || !a.contains(' ') {
        return false;
    }
    let sorted = |text: &str| {
        let mut tokens: Vec<String> = text.split(' ').map(str::to_owned).collect();
        tokens.sort_unstable();
        tokens
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::schema::{Field, Schema};

    #[track_caller]
    fn check(kind: FieldKind, a: &str, b: &str, want: Level) {
        let schema = Schema {
            fields: vec![Field {
                name: "x".to_owned(),
                kind,
            }],
        };
        let mut records = Records::new(schema);
        records.extend(0, &[vec![a, b]]);
        let comparator = Comparator::new(&records, 0, None);
        let (level, _) = comparator.level(records.row(0), records.row(1));
        assert_eq!(level, want, "{a} {b}");
        let (back, _) = comparator.level(records.row(1), records.row(0));
        assert_eq!(back, want, "the other way round: {a} {b}");
        assert!(level == Level::Missing || kind.levels(false).contains(&level));
    }

    #[test]
    fn each_kind_has_its_slips() {
        use FieldKind::*;
        for (kind, a, b, want) in [
            (Date, "19650307", "19650703", Level::Variant),
            (Date, "19650307", "19650317", Level::Close),
            (Date, "19650307", "19561128", Level::Different),
            (Date, "19650307", "19651128", Level::Related),
            (Code, "1804974", "1840974", Level::Close),
            (Code, "1804974", "9144092", Level::Different),
            (GivenName, "mitchell", "mitchlel", Level::Close),
            (GivenName, "jon", "jonathan", Level::Partial),
            (GivenName, "braid en", "braiden", Level::Exact),
            (GivenName, "伟", "娜", Level::Different),
            (Phone, "057188001234", "88001234", Level::Partial),
            (Phone, "13812345678", "13812345687", Level::Close),
            (Email, "sales@kangrui.cn", "sales@kangrui.com", Level::Close),
            (Uscc, "91330100MA2W1X2Y3X", "914403001922038216", Level::Conflict),
            (Uscc, "91330100MA2W1X2Y3X", "91330100MA2W1X2Y3Z", Level::Close),
            (PersonName, "Smith John", "john smith", Level::Variant),
            (Category, "nsw", "", Level::Missing),
        ] {
            check(kind, a, b, want);
        }
    }

    #[test]
    fn swapped_fields_are_seen() {
        let field = |name: &str, kind| Field {
            name: name.to_owned(),
            kind,
        };
        let schema = Schema {
            fields: vec![
                field("given_name", FieldKind::GivenName),
                field("surname", FieldKind::Surname),
            ],
        };
        let mut records = Records::new(schema);
        records.extend(0, &[vec!["mikhayla", "hannagan"], vec!["hannagan", "mikhaila"]]);
        let given = Comparator::new(&records, 0, Some(1));
        let (level, value) = given.level(records.row(0), records.row(1));
        assert_eq!(level, Level::SwappedClose);
        assert_eq!(records.values(0).text(value), "mikhayla");
        let surname = Comparator::new(&records, 1, Some(0));
        assert_eq!(
            surname.level(records.row(0), records.row(1)).0,
            Level::SwappedExact
        );
    }
}
