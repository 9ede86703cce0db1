//! Addresses down to the building and the room.
//!
//! [`Address::parse`] reads Chinese addresses by the words that end their levels (路, 号, 幢, 室) and others as
//! a set of words; [`compare_addresses`] compares level by level, tolerating levels that one leaves out.

mod compare;
mod parse;

#[cfg(test)]
mod tests;

pub use compare::{AddressAgreement, AddressLevel, compare_addresses};

use crate::hash;
use crate::places::Place;

/// An address and its levels. Numbers are kept as they are written, in ASCII and upper case (`12-3`, `A`).
#[derive(Debug, Clone, Default)]
pub struct Address {
    /// One writing, simplified.
    pub display: Box<str>,
    /// The smallest division it names.
    pub place: Option<Place>,
    /// 街道, 镇, 乡.
    pub town: Box<str>,
    /// The road, or what stands in its place (village, development zone).
    pub road: Box<str>,
    /// The house number of the road (`478` of 文三路478号), or the lane's (弄, 巷).
    pub number: Box<str>,
    /// A named estate, tower or park.
    pub site: Box<str>,
    /// Building within the site or number (`3` of 3幢, `A` of A座).
    pub building: Box<str>,
    pub unit: Box<str>,
    pub floor: Box<str>,
    pub room: Box<str>,
    /// Words of an address that is not Chinese, sorted.
    pub words: Box<[Box<str>]>,
    pub(crate) keys: AddressKeys,
}

/// Zero means "none".
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AddressKeys {
    pub all: u64,
    /// The code of the prefecture, or of the province where there is none between.
    pub city: u32,
    /// Bytes of the road's name, and a bit for each of its characters.
    pub road_length: u32,
    pub road_mask: u64,
    pub road: u64,
    pub number: u64,
    pub site: u64,
    pub building: u64,
    /// Unit, floor and room.
    pub inside: u64,
}

/// What a blocking key of an address is made of. Keys of different kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AddressKeyKind {
    /// Road and number without the city, which many leave out.
    RoadNumber,
    /// A named estate or tower and the building in it.
    Site,
    /// All words.
    Whole,
}

impl AddressKeyKind {
    /// The code in models and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoadNumber => "address_road_number",
            Self::Site => "address_site",
            Self::Whole => "address_whole",
        }
    }
}

impl Address {
    /// Whether the text holds no address at all.
    pub fn is_empty(&self) -> bool {
        self.keys.all == 0
    }

    /// The key down to the building: prefecture, road, number or site, building; zero when the address does
    /// not reach a number or a site. Many firms share one (agents' offices): use its frequency.
    pub fn building_hash(&self) -> u64 {
        let k = &self.keys;
        if k.number == 0 && k.site == 0 {
            return 0;
        }
        // With a number, the name of the tower on it says nothing new.
        let site = if k.number == 0 { k.site } else { 0 };
        hash::join(&[u64::from(k.city), k.road, k.number, site, k.building])
    }

    /// The keys to block by; none for a text that is no address or reaches no number.
    pub fn blocking_keys(&self) -> impl Iterator<Item = (AddressKeyKind, u64)> {
        let k = &self.keys;
        let mut keys = [
            (AddressKeyKind::Whole, k.all),
            (AddressKeyKind::RoadNumber, 0),
            (AddressKeyKind::Site, 0),
        ];
        if k.road != 0 && k.number != 0 {
            keys[1].1 = hash::join(&[k.road, k.number]);
        }
        if k.site != 0 {
            keys[2].1 = hash::join(&[k.site, k.building]);
        }
        keys.into_iter().filter(|(_, key)| *key != 0)
    }
}
