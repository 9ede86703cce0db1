//! What of a value is looked at first: a few words side by side in memory, which tell most pairs apart.

use super::schema::FieldKind;
use crate::{Address, PersonName};

/// A value in brief.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sketch {
    /// The value's number.
    pub number: u32,
    /// Codes: 1 when the check digit holds. Names of organisations: the term. Persons' names in Han characters:
    /// how many and their sum. Addresses taken apart by level, phones of 7 to 64 digits: 1. Else 0.
    pub tag: u32,
    /// See [`super::similarity::mask`].
    pub mask: u64,
    /// Persons: the traits of the first characters. Addresses: keys of the whole, the number, the site, and the
    /// province. Phones: the first three digits and the last three.
    pub parts: [u32; 4],
}

/// What two sketches tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Glance {
    /// A value is missing.
    Missing,
    Equal,
    Conflict,
    Different,
    /// Related or different.
    AtMostRelated,
    /// Not equal, in no writing.
    Unequal,
    Unknown,
}

/// Number of glances.
pub const GLANCES: usize = Glance::Unknown as usize + 1;

impl Sketch {
    /// Takes over what a person's name tells.
    pub fn of_person(&mut self, name: &PersonName) {
        let keys = &name.keys;
        if name.is_han {
            self.tag = u32::from(keys.words) << 24 | keys.sum & 0xff_ffff;
            self.parts = keys.traits;
        }
    }

    /// Takes over what a phone tells.
    pub fn of_phone(&mut self, symbols: &[u16]) {
        let packed = |digits: &[u16]| digits.iter().fold(0, |all, digit| all << 10 | u32::from(*digit));
        if (7..=64).contains(&symbols.len()) {
            self.tag = 1;
            self.parts[0] = packed(&symbols[..3]);
            self.parts[1] = packed(&symbols[symbols.len() - 3..]);
        }
    }

    /// Takes over what an address tells.
    pub fn of_address(&mut self, address: &Address) {
        // Unequal parts are unequal keys; zero stays "none".
        let part = |key: u64| (key as u32).max(u32::from(key != 0));
        let keys = &address.keys;
        self.tag = u32::from(keys.all != 0 && address.words.is_empty());
        self.parts = [
            part(keys.all),
            part(keys.number),
            part(keys.site),
            address.place.map_or(0, |place| place.province().code()),
        ];
    }

    /// What the sketches of two values of a kind tell about their level. Never wrong, often [`Glance::Unknown`].
    #[inline(always)]
    pub fn glance(kind: FieldKind, a: &Self, b: &Self) -> Glance {
        if a.number == 0 || b.number == 0 {
            return Glance::Missing;
        }
        if a.number == b.number {
            return Glance::Equal;
        }
        match kind {
            FieldKind::Uscc | FieldKind::IdNumber if a.tag & b.tag == 1 => Glance::Conflict,
            // Two edits at most are close or similar.
            FieldKind::Uscc | FieldKind::IdNumber | FieldKind::Code | FieldKind::Account
                if (a.mask ^ b.mask).count_ones() > 4 =>
            {
                Glance::Different
            }
            FieldKind::Category => Glance::Different,
            FieldKind::Phone if phones_differ(a, b) || !may_be_phones((a.mask, b.mask)) => Glance::Different,
            FieldKind::Phone => Glance::Unequal,
            FieldKind::OrgName if a.tag != b.tag => Glance::Unequal,
            FieldKind::PersonName if a.tag >> 24 == 0 || b.tag >> 24 == 0 || a.tag == b.tag => {
                Glance::Unknown
            }
            FieldKind::PersonName if persons_differ(a, b) => Glance::Different,
            FieldKind::PersonName => Glance::Unequal,
            FieldKind::Address => Self::glance_at_addresses(a, b),
            _ => Glance::Unknown,
        }
    }

    fn glance_at_addresses(a: &Self, b: &Self) -> Glance {
        let agree = |at: usize| a.parts[at] == b.parts[at] && a.parts[at] != 0;
        if a.tag & b.tag == 0 || agree(0) {
            Glance::Unknown
        } else if agree(1) || agree(2) {
            Glance::Unequal
        } else if a.parts[3] != 0 && b.parts[3] != 0 && a.parts[3] != b.parts[3] {
            Glance::Different
        } else {
            // Without an equal number or site nothing below the road agrees.
            Glance::AtMostRelated
        }
    }
}

/// Whether two phones may be alike: a slip changes two bits, and an end has no bits of its own.
pub fn may_be_phones((x, y): (u64, u64)) -> bool {
    (x ^ y).count_ones() <= 2 || x & !y == 0 || y & !x == 0
}

/// Whether both the first three digits and the last three differ, which neither one slip nor a missing area code
/// does to phones of seven digits or more.
fn phones_differ(a: &Sketch, b: &Sketch) -> bool {
    a.tag & b.tag == 1 && a.parts[0] != b.parts[0] && a.parts[1] != b.parts[1]
}

/// Other numbers of characters, or other characters that are surely unlike.
fn persons_differ(a: &Sketch, b: &Sketch) -> bool {
    a.tag >> 24 != b.tag >> 24 || PersonName::traits_differ(&a.parts, &b.parts)
}
