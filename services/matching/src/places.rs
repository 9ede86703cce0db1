//! The administrative divisions of China: codes of GB/T 2260 and the names people write for them.
//!
//! `data/places.txt` has one line a province (`33 浙江省`) and, indented, one a prefecture with its counties
//! (` 01 杭州市 02上城区 …`), codes without the digits of what is above them.

use std::fmt;
use std::sync::OnceLock;

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

const TABLE: &str = include_str!("../data/places.txt");

/// A division by its six-digit code (GB/T 2260); `330000` is a province, `330100` a prefecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place(u32);

impl Place {
    /// The whole country, as `中国` or `全国` in a name says.
    pub const CHINA: Place = Place(100_000);

    /// The six digits.
    pub fn code(self) -> u32 {
        self.0
    }

    /// Whether `other` lies in `self` and is not `self`. The country contains none: 中国医药 is not the
    /// wider form of 浙江医药.
    pub fn contains(self, other: Place) -> bool {
        let (a, b) = (self.0, other.0);
        a != b
            && (a.is_multiple_of(10_000) && a / 10_000 == b / 10_000
                || a.is_multiple_of(100) && !a.is_multiple_of(10_000) && a / 100 == b / 100)
    }

    /// The province it lies in (or is).
    pub fn province(self) -> Place {
        Place(self.0 / 10_000 * 10_000)
    }

    /// The prefecture it lies in (or is); `None` for provinces and for what the province runs directly.
    pub fn prefecture(self) -> Option<Place> {
        let city = Place(self.0 / 100 * 100);
        (city != self.province() && gazetteer().names.contains_key(&city)).then_some(city)
    }

    /// The county or district; `None` for what is above.
    pub fn county(self) -> Option<Place> {
        (!self.0.is_multiple_of(100)).then_some(self)
    }

    /// The official name, without what it lies in; empty for a code not in the table.
    pub fn name(self) -> &'static str {
        gazetteer().names.get(&self).copied().unwrap_or_default()
    }

    /// The name without 省, 市, 区, 县 and the peoples of autonomous areas.
    pub fn short_name(self) -> &'static str {
        short(self.name())
    }

    /// All provinces, then all prefectures, each in the order of their codes.
    pub fn provinces_and_prefectures() -> impl Iterator<Item = Place> {
        let mut all: Vec<Place> = gazetteer()
            .names
            .keys()
            .copied()
            .filter(|place| place.0.is_multiple_of(100) && *place != Place::CHINA)
            .collect();
        all.sort_by_key(|place| (!place.0.is_multiple_of(10_000), place.0));
        all.into_iter()
    }

    /// The code of digits, when the table has it.
    pub fn from_code(code: u32) -> Option<Place> {
        gazetteer()
            .names
            .contains_key(&Place(code))
            .then_some(Place(code))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct Gazetteer {
    names: HashMap<Place, &'static str>,
    /// Every written form by its first two characters, which rule most texts out; the longest first.
    forms: HashMap<[char; 2], Vec<Form>>,
    /// The last characters of all written forms.
    endings: HashSet<char>,
}

/// What people write for a division.
struct Form {
    text: &'static str,
    /// The places that it may mean, and whether it needs one above it to be believed.
    places: Vec<(Place, bool)>,
}

/// Counties whose name without 市 is an ordinary 字号.
const WEAK: &[&str] = &[
    "东方", "同仁", "永安", "福安", "瑞安", "永康", "安宁", "大安", "万宁", "德兴", "乐平", "兴平", "新星",
    "双河", "新民", "华亭", "金山", "天长", "高平", "平安", "海林", "灵宝", "长葛", "仁怀", "福泉", "安国",
    "凤城", "康定", "临海", "宁安",
];

/// Prefectures of the same kind.
const WEAK_PREFECTURES: &[&str] = &["和田", "海东", "阿里", "兴安"];

fn gazetteer() -> &'static Gazetteer {
    static GAZETTEER: OnceLock<Gazetteer> = OnceLock::new();
    GAZETTEER.get_or_init(|| {
        let mut g = Gazetteer {
            names: HashMap::new(),
            forms: HashMap::new(),
            endings: HashSet::new(),
        };
        g.add(
            Place::CHINA,
            "中国",
            &[("中国", false), ("全国", false), ("中华人民共和国", false)],
        );
        let mut province = 0;
        for line in TABLE.lines() {
            let Some((code, rest)) = line.trim_start().split_once(' ') else {
                continue;
            };
            let Ok(code) = code.parse::<u32>() else { continue };
            if !line.starts_with(' ') {
                province = code * 10_000;
                g.add(Place(province), rest, &[(rest, false), (short(rest), false)]);
                continue;
            }
            let prefecture = province + code * 100;
            let mut parts = rest.split(' ');
            let name = parts.next().unwrap_or_default();
            let real = name.ends_with(['市', '州', '盟']) || name.ends_with("地区");
            if real {
                let weak = WEAK_PREFECTURES.contains(&short(name));
                g.add(Place(prefecture), name, &[(name, false), (short(name), weak)]);
            }
            for part in parts {
                let Some((digits, name)) = part.split_at_checked(2) else {
                    continue;
                };
                let Ok(digits) = digits.parse::<u32>() else {
                    continue;
                };
                let place = Place(prefecture + digits);
                if g.names.contains_key(&place) {
                    continue;
                }
                let short_form = short(name);
                let weak = !name.ends_with('市') || WEAK.contains(&short_form);
                g.add(place, name, &[(name, false), (short_form, weak)]);
            }
        }
        for (form, code) in EXTRA {
            g.form(form, Place(*code), false);
        }
        for forms in g.forms.values_mut() {
            forms.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
        }
        g
    })
}

/// Forms that dropping the suffix does not give.
const EXTRA: &[(&str, u32)] = &[
    ("内蒙", 150_000),
    ("延边州", 222_400),
    ("恩施州", 422_800),
    ("湘西州", 433_100),
    ("凉山州", 513_400),
    ("大理州", 532_900),
    ("红河州", 532_500),
    ("西双版纳州", 532_800),
    ("黔南州", 522_700),
    ("黔东南州", 522_600),
    ("黔西南州", 522_300),
];

impl Gazetteer {
    fn add(&mut self, place: Place, name: &'static str, forms: &[(&'static str, bool)]) {
        self.names.insert(place, name);
        for (form, weak) in forms {
            self.form(form, place, *weak);
        }
    }

    fn form(&mut self, form: &'static str, place: Place, weak: bool) {
        let Some(opening) = opening(form) else { return };
        self.endings.extend(form.chars().next_back());
        let forms = self.forms.entry(opening).or_default();
        let at = forms
            .iter()
            .position(|known| known.text == form)
            .unwrap_or(forms.len());
        if at == forms.len() {
            forms.push(Form {
                text: form,
                places: Vec::new(),
            });
        }
        let places = &mut forms[at].places;
        if !places.iter().any(|(known, _)| *known == place) {
            places.push((place, weak));
        }
    }
}

/// The first two characters.
fn opening(text: &str) -> Option<[char; 2]> {
    let mut chars = text.chars();
    Some([chars.next()?, chars.next()?])
}

const PEOPLES: &[&str] = &[
    "蒙古族",
    "回族",
    "藏族",
    "维吾尔",
    "苗族",
    "彝族",
    "壮族",
    "布依族",
    "朝鲜族",
    "满族",
    "侗族",
    "瑶族",
    "白族",
    "土家族",
    "哈尼族",
    "哈萨克",
    "傣族",
    "黎族",
    "傈僳族",
    "佤族",
    "畲族",
    "拉祜族",
    "水族",
    "东乡族",
    "纳西族",
    "景颇族",
    "柯尔克孜",
    "土族",
    "达斡尔族",
    "仫佬族",
    "羌族",
    "布朗族",
    "撒拉族",
    "毛南族",
    "仡佬族",
    "锡伯",
    "普米族",
    "塔吉克",
    "怒族",
    "鄂温克族",
    "裕固族",
    "保安族",
    "独龙族",
    "各族",
    "蒙古",
];

fn short(name: &'static str) -> &'static str {
    let stem = [
        "特别行政区",
        "自治区",
        "自治州",
        "自治县",
        "自治旗",
        "地区",
        "林区",
        "矿区",
        "新区",
        "省",
        "市",
        "区",
        "县",
        "盟",
        "旗",
        "州",
    ]
    .iter()
    .find_map(|end| name.strip_suffix(end).filter(|s| s.chars().count() >= 2))
    .unwrap_or(name);
    if stem.len() == name.len() || name.ends_with(['市', '省', '县', '盟']) && !name.ends_with("自治县")
    {
        return stem;
    }
    let mut stem = stem;
    while let Some(rest) = PEOPLES
        .iter()
        .find_map(|people| stem.strip_suffix(people).filter(|s| s.chars().count() >= 2))
    {
        stem = rest;
    }
    stem
}

/// A place read at the front of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The smallest division that was named.
    pub place: Place,
    /// Bytes read.
    pub length: usize,
    /// Bytes of the last written form (of several divisions in a row).
    pub last: usize,
}

/// The longest run of divisions at the front of `text` (`浙江省杭州市西湖区`, `杭州`), each within the one
/// before. A name that several counties bear is believed only below one of them; `within` is what is known
/// to lie above.
pub fn front(text: &str, within: Option<Place>) -> Option<Found> {
    let mut found: Option<Found> = None;
    let mut above = within;
    loop {
        let start = found.map_or(0, |f| f.length);
        let Some((place, length)) = one(&text[start..], above, found.is_some()) else {
            return found;
        };
        above = Some(place);
        found = Some(Found {
            place,
            length: start + length,
            last: length,
        });
    }
}

/// Whether the text ends as some written form does: else no division ends it.
pub(crate) fn may_end(text: &str) -> bool {
    text.chars()
        .next_back()
        .is_some_and(|last| gazetteer().endings.contains(&last))
}

/// One division at the front; with `below`, only one that lies in `above`.
fn one(text: &str, above: Option<Place>, below: bool) -> Option<(Place, usize)> {
    let forms = gazetteer().forms.get(&opening(text)?)?;
    for form in forms.iter().filter(|form| text.starts_with(form.text)) {
        let (places, end) = (&form.places, form.text.len());
        let inside = above.and_then(|above| {
            places
                .iter()
                .find(|(place, _)| above.contains(*place) || above == *place && !below)
        });
        if let Some((place, _)) = inside {
            return Some((*place, end));
        }
        if below {
            // "吉林省吉林市" and "上海市上海…": the same place again says nothing new.
            if let Some((place, _)) = places.iter().find(|(place, _)| above == Some(*place))
                && form.text.ends_with(['市', '省', '区', '县'])
            {
                return Some((*place, end));
            }
            continue;
        }
        // A province or prefecture goes before a county of the same name.
        let mut strong = places.iter().filter(|(_, weak)| !weak).map(|(place, _)| *place);
        let first = strong.next();
        match (first, strong.next()) {
            (Some(place), None) => return Some((place, end)),
            (Some(place), Some(_)) if place.0.is_multiple_of(100) => return Some((place, end)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<(u32, &str)>) {
        let found = front(text, None).map(|f| (f.place.code(), &text[f.length..]));
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn places_with_and_without_their_suffixes() {
        check("浙江省杭州市西湖区文三路", Some((330_106, "文三路")));
        check("杭州康瑞", Some((330_100, "康瑞")));
        check("杭州市康瑞", Some((330_100, "康瑞")));
        check("杭州西湖区康瑞", Some((330_106, "康瑞")));
        check("北京市朝阳区", Some((110_105, "")));
        check("义乌康瑞", Some((330_782, "康瑞")));
        check("吉林省吉林市康瑞", Some((220_200, "康瑞")));
        check("内蒙古康瑞", Some((150_000, "康瑞")));
        check("广西壮族自治区南宁市", Some((450_100, "")));
        check("恩施土家族苗族自治州", Some((422_800, "")));
        check("延边康瑞", Some((222_400, "康瑞")));
        check("中国医药", Some((100_000, "医药")));
        check("康瑞医药", None);
        check("东方医药", None);
        check("鼓楼区康瑞", None);
    }

    #[test]
    fn every_written_form_ends_as_one_may() {
        for form in gazetteer().forms.values().flatten() {
            assert!(may_end(form.text), "{}", form.text);
        }
        assert!(!may_end("康瑞医药") && !may_end(""));
    }

    #[test]
    fn containment() {
        let p = |code| Place::from_code(code).expect("in the table");
        assert!(p(330_000).contains(p(330_106)));
        assert!(p(330_100).contains(p(330_106)));
        assert!(!p(330_106).contains(p(330_100)));
        assert!(!p(330_100).contains(p(330_100)));
        assert!(!Place::CHINA.contains(p(330_100)));
        assert_eq!(p(330_106).prefecture(), Some(p(330_100)));
        assert_eq!(p(110_105).prefecture(), None);
        assert_eq!(p(330_106).short_name(), "西湖");
    }
}
