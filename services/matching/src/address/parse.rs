//! From a text to the levels of an address.

use std::borrow::Cow;

use super::{Address, AddressKeys};
use crate::han::{is_common, is_han, is_numeral, numeral, simplified, tidy};
use crate::hash;
use crate::places;

/// Which level a number belongs to, told by the word behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Number,
    Building,
    Unit,
    Floor,
    Room,
}

/// Words behind numbers, longer before shorter.
const UNITS: &[(&str, Level)] = &[
    ("号楼", Level::Building),
    ("号库", Level::Building),
    ("号厂房", Level::Building),
    ("号院", Level::Number),
    ("单元", Level::Unit),
    ("号", Level::Number),
    ("弄", Level::Number),
    ("栋", Level::Building),
    ("幢", Level::Building),
    ("座", Level::Building),
    ("区", Level::Building),
    ("层", Level::Floor),
    ("楼", Level::Floor),
    ("室", Level::Room),
    ("房", Level::Room),
    ("铺", Level::Room),
    ("F", Level::Floor),
];

/// Words that end the name of a road or of what stands in its place; the longest first.
const ROADS: &[&str] = &["大道", "大街", "公路", "胡同", "路", "街", "道", "巷", "村", "里"];

/// Words that end the name of an estate, tower or park.
const SITES: &[&str] = &[
    "大厦",
    "大楼",
    "广场",
    "中心",
    "工业园区",
    "工业园",
    "产业园",
    "科技园",
    "创业园",
    "软件园",
    "物流园",
    "园区",
    "花园",
    "小区",
    "公寓",
    "商城",
    "市场",
    "开发区",
    "高新区",
    "新城",
    "国际城",
    "家园",
    "苑",
    "城",
    "园",
    "座",
];

/// A piece of an address: a name, a number with the word behind it, or a number alone.
#[derive(Debug)]
enum Piece<'t> {
    Text(String),
    Number(Cow<'t, str>, Level),
    Bare(&'t str),
}

impl Address {
    /// Reads an address. Never fails: a text that is none gives one without keys, see [`Address::is_empty`].
    pub fn parse(text: &str) -> Address {
        let tidy = tidy(text).text;
        let simple = simplified(&tidy);
        let simple = match simple.split_once(':') {
            Some((label, rest)) if label.chars().count() <= 6 => rest.trim(),
            _ => &*simple,
        };
        if crate::name::says_nothing(simple)
            || simple
                .chars()
                .filter(|c| is_common(*c) || c.is_alphanumeric())
                .nth(1)
                .is_none()
        {
            return Address::default();
        }
        if simple.chars().any(is_han) {
            Self::chinese(simple)
        } else {
            Self::foreign(simple)
        }
    }

    fn chinese(text: &str) -> Address {
        const LEFT_OUT: [char; 6] = [' ', '(', ')', ',', '、', '·'];
        let text: String = text.split(LEFT_OUT).collect();
        let mut address = Address::default();
        let mut rest = text.as_str();
        for country in ["中华人民共和国", "中国"] {
            rest = rest.strip_prefix(country).unwrap_or(rest);
        }
        if let Some(found) = places::front(rest, None) {
            address.place = Some(found.place);
            rest = &rest[found.length..];
        }
        if let Some((town, after)) = town(rest) {
            address.town = town.into();
            rest = after;
        }
        address.read(pieces(rest));
        address.key(&text);
        address.display = text.into();
        address
    }

    fn read(&mut self, pieces: Vec<Piece<'_>>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.name(&text),
                Piece::Number(value, Level::Number) => {
                    if self.number.is_empty() {
                        self.number = (*value).into();
                    } else if self.building.is_empty() {
                        self.building = (*value).into();
                    } else if self.room.is_empty() {
                        self.room = (*value).into();
                    }
                }
                Piece::Number(value, level) => {
                    let slot = match level {
                        Level::Building => &mut self.building,
                        Level::Unit => &mut self.unit,
                        Level::Floor => &mut self.floor,
                        Level::Room | Level::Number => &mut self.room,
                    };
                    if slot.is_empty() {
                        *slot = (*value).into();
                    }
                }
                Piece::Bare(value) => {
                    // A number alone is the house's before there is one, then the room's.
                    let slot = if self.number.is_empty() && self.site.is_empty() && !self.road.is_empty() {
                        &mut self.number
                    } else {
                        &mut self.room
                    };
                    if slot.is_empty() {
                        *slot = value.into();
                    }
                }
            }
        }
    }

    /// Puts a name to road or site.
    fn name(&mut self, text: &str) {
        let mut text = text;
        if self.road.is_empty()
            && let Some(end) = last_end(text, ROADS, 1)
        {
            self.road = text[..end].into();
            text = &text[end..];
        }
        if text.is_empty() {
            return;
        }
        match last_end(text, SITES, 0) {
            Some(end) if self.site.is_empty() => self.site = text[..end].into(),
            None if self.road.is_empty() && self.number.is_empty() => self.road = text.into(),
            None if self.site.is_empty() && text.chars().count() >= 2 => self.site = text.into(),
            _ => {}
        }
    }

    fn key(&mut self, text: &str) {
        let inside = if self.unit.is_empty() && self.floor.is_empty() && self.room.is_empty() {
            String::new()
        } else {
            [&*self.unit, "|", &*self.floor, "|", &*self.room].concat()
        };
        self.keys = AddressKeys {
            all: hash::key(text),
            city: self
                .place
                .map_or(0, |place| place.prefecture().unwrap_or(place.province()).code()),
            road_length: self.road.len() as u32,
            road_mask: self
                .road
                .chars()
                .fold(0, |mask, c| mask | 1 << (u32::from(c) % 61)),
            road: hash::key(&self.road),
            number: hash::key(&self.number),
            site: hash::key(&self.site),
            building: hash::key(&self.building),
            inside: hash::key(&inside),
        };
    }

    fn foreign(text: &str) -> Address {
        let upper = text.to_uppercase();
        let mut words: Vec<Box<str>> = upper
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty() && !matches!(*word, "NO" | "THE" | "OF"))
            .map(|word| abbreviated(word).into())
            .collect();
        words.sort_unstable();
        words.dedup();
        let all = words.join(" ");
        Address {
            display: text.into(),
            keys: AddressKeys {
                all: hash::key(&all),
                ..AddressKeys::default()
            },
            words: words.into(),
            ..Address::default()
        }
    }
}

/// The last place in a text where one of the words ends, of those that begin at byte `from` or behind it.
fn last_end(text: &str, words: &[&str], from: usize) -> Option<usize> {
    text.char_indices().rev().find_map(|(at, last)| {
        let before = &text[..at + last.len_utf8()];
        let ends =
            |word: &&str| word.ends_with(last) && before.ends_with(word) && before.len() - word.len() >= from;
        words.iter().any(ends).then_some(before.len())
    })
}

/// Words of English addresses in their usual short form.
fn abbreviated(word: &str) -> &str {
    match word {
        "ROAD" => "RD",
        "STREET" => "ST",
        "AVENUE" => "AVE",
        "BOULEVARD" => "BLVD",
        "DRIVE" => "DR",
        "LANE" => "LN",
        "COURT" => "CT",
        "PLACE" => "PL",
        "BUILDING" => "BLDG",
        "ROOM" => "RM",
        "FLOOR" => "FL",
        "DISTRICT" => "DIST",
        "PROVINCE" => "PROV",
        "NORTH" => "N",
        "SOUTH" => "S",
        "EAST" => "E",
        "WEST" => "W",
        "APARTMENT" => "APT",
        "SUITE" => "STE",
        word => word,
    }
}

/// A 街道, 镇 or 乡 at the front; not the front half of a road's name (`镇江路`).
fn town(text: &str) -> Option<(&str, &str)> {
    // One character is found much faster than a word.
    let street = text.contains('街').then(|| text.find("街道")).flatten();
    let ends = [
        street.map(|at| (at, at + "街道".len())),
        text.find('镇').map(|at| (at, at + '镇'.len_utf8())),
        text.find('乡').map(|at| (at, at + '乡'.len_utf8())),
    ];
    let (end, after) = ends.into_iter().flatten().filter(|(at, _)| *at > 0).min()?;
    let name = &text[..end];
    let short = name.chars().count() <= 6;
    let clean =
        name.chars().all(|c| is_han(c) && !is_numeral(c)) && !ROADS.iter().any(|road| name.contains(road));
    let rest = &text[after..];
    let road_follows = ["路", "街", "大道"].iter().any(|road| rest.starts_with(road));
    (short && clean && !road_follows && !rest.is_empty()).then_some((&text[..after], rest))
}

/// Cuts a text into names and numbers.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut name = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((value, level, length)) = number_with_unit(rest) {
            flush(&mut name, &mut pieces);
            pieces.push(Piece::Number(value, level));
            rest = &rest[length..];
        } else if c.is_ascii_digit() {
            flush(&mut name, &mut pieces);
            let length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .unwrap_or(rest.len());
            pieces.push(Piece::Bare(rest[..length].trim_end_matches('-')));
            rest = &rest[length..];
        } else {
            if !matches!(c, '-' | '#' | ';' | '。') {
                name.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    flush(&mut name, &mut pieces);
    pieces
}

fn flush(name: &mut String, pieces: &mut Vec<Piece<'_>>) {
    if !name.is_empty() {
        pieces.push(Piece::Text(std::mem::take(name)));
    }
}

/// A number or letters, and the word behind that tells its level: (value, level, bytes read).
fn number_with_unit(text: &str) -> Option<(Cow<'_, str>, Level, usize)> {
    let ascii = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .unwrap_or(text.len());
    let (value, length) = if ascii > 0 && !text.starts_with('-') {
        let value = &text[..ascii];
        let upper = !value.bytes().any(|b| b.is_ascii_lowercase());
        let value = if upper {
            Cow::Borrowed(value)
        } else {
            Cow::Owned(value.to_ascii_uppercase())
        };
        (value, ascii)
    } else {
        let length = text.find(|c: char| !is_numeral(c)).unwrap_or(text.len());
        let letter = text
            .chars()
            .next()
            .filter(|c| matches!(c, '甲' | '乙' | '丙' | '丁' | '东' | '西' | '南' | '北'));
        match (length, letter) {
            (1.., _) => (Cow::Owned(numeral(&text[..length])?.to_string()), length),
            (0, Some(letter)) => (Cow::Borrowed(&text[..letter.len_utf8()]), letter.len_utf8()),
            _ => return None,
        }
    };
    let after = &text[length..];
    if let Some(digits) = value.strip_suffix('F')
        && ascii > 0
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.is_empty()
    {
        return Some((Cow::Borrowed(&text[..digits.len()]), Level::Floor, length));
    }
    if let Some(after) = after.strip_prefix('#') {
        let end = if after.starts_with('楼') {
            length + 1 + '楼'.len_utf8()
        } else {
            length + 1
        };
        return Some((value, Level::Building, end));
    }
    let (word, level) = UNITS.iter().find(|(word, _)| after.starts_with(word))?;
    // 东区, 南座 count; 西路 and 东村 are names. Letters and digits before 区 count, numerals in 三区 too.
    let compass = "东西南北".contains(&*value);
    if compass && !matches!(*word, "区" | "座" | "楼" | "幢" | "栋") {
        return None;
    }
    let level = if *level == Level::Floor && value.bytes().all(|b| b.is_ascii_alphabetic()) || compass {
        Level::Building
    } else {
        *level
    };
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let value = if digits && value.starts_with('0') {
        let digits = value.trim_start_matches('0');
        Cow::Owned(if digits.is_empty() { "0" } else { digits }.to_owned())
    } else {
        value
    };
    Some((value, level, length + word.len()))
}
