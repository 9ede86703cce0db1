//! The firms themselves, and beside them those that are easily taken for them.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::words::{BRAND, CITIES, City, GIVEN, LETTERS, LOOK_ALIKES, ROADS, SITES, SURNAMES, TRADES};

/// How a firm's name is put together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// 杭州康瑞医药有限公司
    CityFirst,
    /// 浙江康瑞医药有限公司
    ProvinceFirst,
    /// 康瑞医药(杭州)有限公司
    Bracket,
    /// 康瑞医药有限公司
    NoRegion,
}

#[derive(Clone)]
pub struct Firm {
    pub truth: String,
    /// Where the name says it is.
    pub city: &'static City,
    /// Where it is; another city for a branch.
    pub seat: &'static City,
    pub pattern: Pattern,
    pub brand: String,
    pub trade: &'static str,
    pub form: &'static str,
    /// `杭州分公司` and the like; empty for a whole firm.
    pub branch: String,
    pub former_brand: Option<String>,
    pub uscc: String,
    pub representative: String,
    pub mobile: String,
    pub landline: String,
    pub district: &'static str,
    pub road: &'static str,
    pub number: u32,
    pub site: &'static str,
    pub building: u32,
    pub room: u32,
    pub email: String,
}

impl Firm {
    pub fn region(&self) -> &'static str {
        match self.pattern {
            Pattern::ProvinceFirst if !self.city.province.is_empty() => {
                self.city.province.trim_end_matches('省')
            }
            _ => self.city.name.trim_end_matches('市'),
        }
    }

    pub fn name_with(&self, brand: &str, trade: &str) -> String {
        let (region, form) = (self.region(), self.form);
        let branch = &self.branch;
        match self.pattern {
            Pattern::CityFirst | Pattern::ProvinceFirst => format!("{region}{brand}{trade}{form}{branch}"),
            Pattern::Bracket => format!("{brand}{trade}({region}){form}{branch}"),
            Pattern::NoRegion => format!("{brand}{trade}{form}{branch}"),
        }
    }

    pub fn name(&self) -> String {
        self.name_with(&self.brand, self.trade)
    }
}

const USCC: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A valid code: eight digits of authority and place, a checked organisation code, the check character.
pub fn uscc(code: u32, rng: &mut ChaCha8Rng) -> String {
    let mut text = format!("91{code:06}");
    let body: String = (0..8)
        .map(|at| {
            if at < 2 {
                ["M", "A"][at].to_owned()
            } else {
                rng.random_range(0..10).to_string()
            }
        })
        .collect();
    let weights = [3u32, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .chars()
        .zip(weights)
        .map(|(c, w)| c.to_digit(36).unwrap_or(0) * w)
        .sum();
    let check = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        n => char::from_digit(n, 10).unwrap_or('0'),
    };
    text.push_str(&body);
    text.push(check);
    let mut weight = 1u32;
    let mut sum = 0u32;
    for c in text.bytes() {
        let value = USCC.iter().position(|d| *d == c).unwrap_or(0) as u32;
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    text.push(char::from(USCC[((31 - sum % 31) % 31) as usize]));
    text
}

fn person(rng: &mut ChaCha8Rng) -> String {
    let mut name = SURNAMES.choose(rng).copied().unwrap_or("王").to_owned();
    for _ in 0..rng.random_range(1..=2) {
        name.extend(GIVEN.choose(rng));
    }
    name
}

fn brand(rng: &mut ChaCha8Rng) -> String {
    let length = if rng.random_bool(0.72) { 2 } else { 3 };
    (0..length).filter_map(|_| BRAND.choose(rng)).collect()
}

fn firm(number: usize, rng: &mut ChaCha8Rng) -> Firm {
    let city = CITIES.choose(rng).unwrap_or(&CITIES[0]);
    let pattern = match rng.random_range(0..100) {
        0..68 => Pattern::CityFirst,
        68..82 => Pattern::ProvinceFirst,
        82..93 => Pattern::Bracket,
        _ => Pattern::NoRegion,
    };
    let brand = brand(rng);
    let host: String = brand
        .chars()
        .map(|c| {
            LETTERS
                .iter()
                .find(|(from, _)| *from == c)
                .map_or("x", |(_, to)| to)
        })
        .collect();
    let form = match rng.random_range(0..100) {
        0..84 => "有限公司",
        84..92 => "股份有限公司",
        92..96 => "集团有限公司",
        _ => "(普通合伙)",
    };
    Firm {
        truth: format!("o{number:06}"),
        city,
        seat: city,
        pattern,
        former_brand: rng.random_bool(0.18).then(|| self::brand(rng)),
        brand,
        trade: TRADES.choose(rng).copied().unwrap_or("医药"),
        form,
        branch: String::new(),
        uscc: uscc(city.code, rng),
        representative: person(rng),
        mobile: format!(
            "1{}{:08}",
            [38, 39, 58, 86, 77][rng.random_range(0..5)],
            rng.random_range(0..100_000_000)
        ),
        landline: format!("{}-{:08}", city.area, rng.random_range(20_000_000..89_999_999)),
        district: city.districts.choose(rng).copied().unwrap_or(""),
        road: ROADS.choose(rng).copied().unwrap_or("人民路"),
        number: rng.random_range(1..999),
        site: if rng.random_bool(0.3) {
            SITES.choose(rng).copied().unwrap_or("")
        } else {
            ""
        },
        building: rng.random_range(0..9),
        room: rng.random_range(101..2999),
        email: format!(
            "{}{}@{host}{}.com",
            ["sales", "info", "office"][rng.random_range(0..3)],
            rng.random_range(1..99),
            number % 97
        ),
    }
}

/// `count` firms; about a third stand beside one that they are easily taken for.
pub fn firms(count: usize, rng: &mut ChaCha8Rng) -> Vec<Firm> {
    let mut all: Vec<Firm> = Vec::with_capacity(count);
    while all.len() < count {
        let mut base = firm(all.len(), rng);
        // One person may stand behind several firms that are otherwise unlike.
        if rng.random_bool(0.06)
            && let Some(other) = all.choose(rng)
        {
            base.representative = other.representative.clone();
            if rng.random_bool(0.4) {
                base.mobile = other.mobile.clone();
            }
        }
        let beside = beside(&base, all.len() + 1, rng);
        all.push(base);
        all.extend(beside);
    }
    all.truncate(count);
    all
}

/// A firm that is easily taken for `base` and is another.
fn beside(base: &Firm, number: usize, rng: &mut ChaCha8Rng) -> Option<Firm> {
    let mut other = firm(number, rng);
    let kind = rng.random_range(0..100);
    match kind {
        // Sister: one 字号 and trade in another city.
        0..10 => {
            other.brand.clone_from(&base.brand);
            other.trade = base.trade;
            other.form = base.form;
            other.pattern = if base.pattern == Pattern::NoRegion {
                Pattern::CityFirst
            } else {
                base.pattern
            };
            if other.region() == base.region() {
                return None;
            }
            if rng.random_bool(0.4) {
                other.representative.clone_from(&base.representative);
            }
            if rng.random_bool(0.2) {
                other.mobile.clone_from(&base.mobile);
            }
        }
        // The same brand in another trade, often one owner, sometimes one address.
        10..18 => {
            if other.trade == base.trade {
                return None;
            }
            let trade = other.trade;
            other = Firm {
                trade,
                uscc: other.uscc,
                truth: other.truth,
                room: other.room,
                mobile: other.mobile,
                representative: other.representative,
                former_brand: None,
                ..base.clone()
            };
            if rng.random_bool(0.6) {
                other.representative.clone_from(&base.representative);
            }
            if !rng.random_bool(0.3) {
                other.number = rng.random_range(1..999);
                other.landline = format!(
                    "{}-{:08}",
                    base.city.area,
                    rng.random_range(20_000_000..89_999_999)
                );
                other.email = format!("x{}", other.email);
            }
        }
        // An imitator: one character of the 字号 looks alike, other owner, other code.
        18..23 => {
            let swapped = base.brand.chars().enumerate().find_map(|(at, c)| {
                let (_, to) = LOOK_ALIKES.iter().find(|(from, _)| *from == c)?;
                Some((at, *to))
            });
            let (at, to) = swapped?;
            other.brand = base
                .brand
                .chars()
                .enumerate()
                .map(|(i, c)| if i == at { to } else { c })
                .collect();
            other.trade = base.trade;
            other.city = base.city;
            other.seat = base.city;
            other.uscc = uscc(base.city.code, rng);
            other.district = base.district;
            other.pattern = base.pattern;
            other.form = base.form;
            other.landline = format!(
                "{}-{:08}",
                base.city.area,
                rng.random_range(20_000_000..89_999_999)
            );
        }
        // A branch: a registration of its own, often with the parent's telephone.
        23..31 => {
            let place = other.city.name.trim_end_matches('市');
            other = Firm {
                brand: base.brand.clone(),
                trade: base.trade,
                form: base.form,
                pattern: base.pattern,
                branch: format!("{place}分公司"),
                former_brand: None,
                ..other
            };
            // The name's region is the parent's, the address the branch's own.
            let own = other.city;
            other.city = base.city;
            other.uscc = uscc(own.code, rng);
            if rng.random_bool(0.3) {
                other.mobile.clone_from(&base.mobile);
            }
        }
        _ => return None,
    }
    Some(other)
}
