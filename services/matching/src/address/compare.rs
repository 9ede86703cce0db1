//! How two addresses stand to each other.

use super::{Address, AddressKeys};
use crate::org::single_edit_is_slip;

/// From "elsewhere" to "equal": how far down the two agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AddressLevel {
    /// Other cities, or nothing in common.
    Different,
    /// One of the two texts is no address.
    Missing,
    /// The same city or district, and no more is known to agree.
    SamePlace,
    /// The same road, other or unknown numbers.
    SameRoad,
    /// The same number of the road, other buildings.
    SameNumber,
    /// The same building; rooms differ or are not told by both.
    SameBuilding,
    /// The same room (or both tell none and all else agrees).
    SameRoom,
    Identical,
}

impl AddressLevel {
    /// All levels, weakest first.
    pub const ALL: [AddressLevel; 8] = [
        Self::Different,
        Self::Missing,
        Self::SamePlace,
        Self::SameRoad,
        Self::SameNumber,
        Self::SameBuilding,
        Self::SameRoom,
        Self::Identical,
    ];

    /// The code in models and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Missing => "missing",
            Self::SamePlace => "same_place",
            Self::SameRoad => "same_road",
            Self::SameNumber => "same_number",
            Self::SameBuilding => "same_building",
            Self::SameRoom => "same_room",
            Self::Identical => "identical",
        }
    }

    /// Chinese and English words for it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Different => ("地址不同", "different addresses"),
            Self::Missing => ("地址缺失", "no address"),
            Self::SamePlace => ("同一地区", "same city or district"),
            Self::SameRoad => ("同一道路", "same road"),
            Self::SameNumber => ("同一门牌号、不同楼栋", "same number, other buildings"),
            Self::SameBuilding => ("同一楼栋", "same building"),
            Self::SameRoom => ("同一房间", "same room"),
            Self::Identical => ("完全一致", "identical"),
        }
    }
}

/// A level and whether the rooms contradict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressAgreement {
    pub level: AddressLevel,
    /// Both tell a room (or floor, or unit) and they differ.
    pub rooms_differ: bool,
}

impl AddressAgreement {
    /// The reasons in Chinese.
    pub fn explain_zh(&self) -> String {
        let rooms = if self.rooms_differ { "；房间不同" } else { "" };
        format!("{}{rooms}", self.level.words().0)
    }

    /// The reasons in English.
    pub fn explain_en(&self) -> String {
        let rooms = if self.rooms_differ { "; rooms differ" } else { "" };
        format!("{}{rooms}", self.level.words().1)
    }
}

/// Compares two addresses. Symmetric; levels that one leaves out are no contradiction.
pub fn compare_addresses(a: &Address, b: &Address) -> AddressAgreement {
    let (x, y) = (&a.keys, &b.keys);
    let at = |level| AddressAgreement {
        level,
        rooms_differ: false,
    };
    if x.all == 0 || y.all == 0 {
        return at(AddressLevel::Missing);
    }
    if x.all == y.all {
        return at(AddressLevel::Identical);
    }
    if !a.words.is_empty() || !b.words.is_empty() {
        return at(words(&a.words, &b.words));
    }
    let place = match (a.place, b.place) {
        (Some(p), Some(q)) => {
            let nested = p == q || p.contains(q) || q.contains(p);
            // Districts are left out or renamed; the same road and number in one city are one.
            if !nested && x.city != y.city {
                return at(AddressLevel::Different);
            }
            true
        }
        _ => false,
    };
    let road = x.road != 0
        && (x.road == y.road || y.road != 0 && may_be_one_road(x, y) && same_road(&a.road, &b.road));
    let differ = |p: u64, q: u64| p != 0 && q != 0 && p != q;
    let agree = |p: u64, q: u64| p != 0 && p == q;
    let at_site = agree(x.site, y.site) && !differ(x.number, y.number);
    let at_number = road && agree(x.number, y.number);
    if !at_number && !at_site {
        return at(match (road, place) {
            (true, _) => AddressLevel::SameRoad,
            (false, true) => AddressLevel::SamePlace,
            (false, false) => AddressLevel::Different,
        });
    }
    if differ(x.building, y.building) {
        return at(AddressLevel::SameNumber);
    }
    let rooms_differ = differ(x.inside, y.inside)
        && (differs(&a.room, &b.room) || differs(&a.floor, &b.floor) || differs(&a.unit, &b.unit));
    let same_rooms = !rooms_differ && (x.inside == y.inside || !a.room.is_empty() && a.room == b.room);
    AddressAgreement {
        level: if same_rooms {
            AddressLevel::SameRoom
        } else {
            AddressLevel::SameBuilding
        },
        rooms_differ,
    }
}

fn differs(a: &str, b: &str) -> bool {
    !a.is_empty() && !b.is_empty() && a != b
}

/// Whether [`same_road`] may hold: one character replaced, or one name the end of the other.
fn may_be_one_road(x: &AddressKeys, y: &AddressKeys) -> bool {
    let (short, long) = if x.road_length <= y.road_length {
        (x.road_mask, y.road_mask)
    } else {
        (y.road_mask, x.road_mask)
    };
    short & !long == 0 || (short ^ long).count_ones() <= 2
}

/// Roads that differ by a look-alike or homophone, or by what stands before them (a zone, a village).
fn same_road(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short.chars().count() >= 3 && (long.ends_with(short) || single_edit_is_slip(short, long))
}

/// Addresses as sets of words: equal numbers and four words in five.
fn words(a: &[Box<str>], b: &[Box<str>]) -> AddressLevel {
    let common = a.iter().filter(|word| b.binary_search(word).is_ok()).count();
    let all = a.len() + b.len() - common;
    let numbers = |words: &[Box<str>]| -> Vec<String> {
        let mut all: Vec<String> = words
            .iter()
            .filter(|w| w.bytes().any(|b| b.is_ascii_digit()))
            .map(|w| w.to_string())
            .collect();
        all.sort_unstable();
        all
    };
    let (x, y) = (numbers(a), numbers(b));
    let fewer = if x.len() <= y.len() { &x } else { &y };
    let shared = x.iter().filter(|n| y.contains(n)).count();
    match () {
        () if common == 0 => AddressLevel::Different,
        () if x == y && common * 5 >= all * 4 => AddressLevel::SameRoom,
        () if !fewer.is_empty() && shared == fewer.len() && common * 2 >= all => AddressLevel::SameBuilding,
        () if common * 2 >= all => AddressLevel::SameRoad,
        () if common * 4 >= all => AddressLevel::SamePlace,
        () => AddressLevel::Different,
    }
}
