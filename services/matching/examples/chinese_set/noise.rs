//! The records that lists hold of a firm: its name, code, telephone and address as people write them.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::words::{HOMOPHONES, LOOK_ALIKES, RADICALS, SAME_TRADE, SHORT_TRADES, TRADITIONAL};
use super::world::{Firm, Pattern};

/// How much of what: the shares of noise and of fields that are filled.
pub struct Mix {
    /// Records of one firm, one of these.
    pub records: &'static [usize],
    /// Ways of writing laid over a name, one of these.
    pub rewrites: &'static [usize],
    /// Share of names written in full that are thrown again.
    pub again: f64,
    /// Share of codes left out, beyond those that [`code`] leaves out.
    pub no_code: f64,
    pub person: f64,
    pub phone: f64,
    pub address: f64,
    pub email: f64,
}

/// The mix that the matcher's rules were looked at with.
pub const SEEN: Mix = Mix {
    records: &[1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6],
    rewrites: &[0, 1, 1, 1, 2],
    again: 0.0,
    no_code: 0.0,
    person: 0.72,
    phone: 0.7,
    address: 0.7,
    email: 0.35,
};

/// Another, for measuring on what was never looked at: noisier names, fewer codes and fields, larger clusters.
pub const HELD_OUT: Mix = Mix {
    records: &[1, 1, 2, 3, 3, 4, 5, 7],
    rewrites: &[0, 1, 2, 2, 3],
    again: 0.35,
    no_code: 0.25,
    person: 0.65,
    phone: 0.62,
    address: 0.6,
    email: 0.25,
};

/// Records of a firm: name, uscc, legal_representative, phone, address, email, truth.
pub fn records(firm: &Firm, mix: &Mix, rng: &mut ChaCha8Rng, out: &mut Vec<[String; 7]>) {
    let count = *mix.records.choose(rng).unwrap_or(&1);
    for _ in 0..count {
        let name = name(firm, mix, rng);
        let mut code = code(firm, rng);
        if mix.no_code > 0.0 && rng.random_bool(mix.no_code) {
            code.clear();
        }
        let mut person = if rng.random_bool(mix.person) {
            person(firm, rng)
        } else {
            String::new()
        };
        let phone = if rng.random_bool(mix.phone) {
            phone(firm, rng)
        } else {
            String::new()
        };
        let address = if rng.random_bool(mix.address) {
            address(firm, rng)
        } else {
            String::new()
        };
        let email = if rng.random_bool(mix.email) {
            email(firm, rng)
        } else {
            String::new()
        };
        if code.is_empty() && person.is_empty() && phone.is_empty() {
            // A bare name is what no matcher can decide; give it what the list's other columns had.
            if rng.random_bool(0.5) {
                code.clone_from(&firm.uscc);
            } else {
                person.clone_from(&firm.representative);
            }
        }
        out.push([name, code, person, phone, address, email, firm.truth.clone()]);
    }
}

fn name(firm: &Firm, mix: &Mix, rng: &mut ChaCha8Rng) -> String {
    let mut name = said(firm, rng);
    if mix.again > 0.0 && name == firm.name() && rng.random_bool(mix.again) {
        name = said(firm, rng);
    }
    for _ in 0..*mix.rewrites.choose(rng).unwrap_or(&1) {
        name = written(&name, rng);
    }
    name
}

/// What the record says: the name, a former or a short one, regions left out or moved.
fn said(firm: &Firm, rng: &mut ChaCha8Rng) -> String {
    let full = firm.name();
    let region = firm.region();
    let (brand, trade, form) = (&firm.brand, firm.trade, firm.form);
    if !firm.branch.is_empty() {
        return match rng.random_range(0..10) {
            0 => full.replace("分公司", "分部"),
            1 => format!(
                "{}({})",
                full.strip_suffix(&firm.branch).unwrap_or(&full),
                firm.branch
            ),
            _ => full,
        };
    }
    let regional = firm.pattern != Pattern::NoRegion;
    if let Some(former) = &firm.former_brand
        && rng.random_bool(0.4)
    {
        // A former name, told beside the present one, or alone in an older list.
        let old = firm.name_with(former, trade);
        return if rng.random_bool(0.6) {
            format!("{full}（曾用名：{old}）")
        } else {
            old
        };
    }
    match rng.random_range(0..100) {
        0..46 => full,
        // 有限责任公司 and 有限公司.
        46..53 => full.replace("有限公司", "有限责任公司"),
        // The end left out or cut off.
        53..59 => full.strip_suffix(form).unwrap_or(&full).to_owned(),
        59..61 => full.strip_suffix("公司").unwrap_or(&full).to_owned(),
        // The region in brackets, or in front again.
        61..66 if regional => match firm.pattern {
            Pattern::Bracket => format!("{region}{brand}{trade}{form}"),
            _ => format!("{brand}{trade}（{region}）{form}"),
        },
        // With 省 or 市, or both.
        66..71 if firm.pattern == Pattern::CityFirst => {
            format!(
                "{}{}{brand}{trade}{form}",
                if rng.random_bool(0.4) {
                    firm.city.province
                } else {
                    ""
                },
                firm.city.name
            )
        }
        // Without the region.
        71..75 if regional => format!("{brand}{trade}{form}"),
        // A short form.
        75..80 => match SHORT_TRADES.iter().find(|short| trade.starts_with(*short)) {
            Some(short) if !trade.starts_with("医学") && !trade.starts_with("医院") => {
                if rng.random_bool(0.5) {
                    format!("{brand}{short}")
                } else {
                    format!("{region}{brand}{short}")
                }
            }
            _ => full,
        },
        // A synonym of the trade.
        80..84 => match SAME_TRADE.iter().find(|(from, _)| *from == trade) {
            Some((_, to)) => firm.name_with(brand, to),
            None => full,
        },
        84..88 => format!("{full}（已注销）"),
        // A slip in the brand.
        88..93 => firm.name_with(&exchanged(brand, HOMOPHONES, rng), trade),
        93..97 => firm.name_with(&exchanged(brand, LOOK_ALIKES, rng), trade),
        _ => full,
    }
}

/// One character exchanged by the table, or the text as it is.
fn exchanged(text: &str, table: &[(char, char)], rng: &mut ChaCha8Rng) -> String {
    let chars: Vec<char> = text.chars().collect();
    let open: Vec<(usize, char)> = chars
        .iter()
        .enumerate()
        .filter_map(|(at, c)| table.iter().find(|(from, _)| from == c).map(|(_, to)| (at, *to)))
        .collect();
    match open.choose(rng) {
        Some((at, to)) => chars
            .iter()
            .enumerate()
            .map(|(i, c)| if i == *at { *to } else { *c })
            .collect(),
        None => text.to_owned(),
    }
}

fn mapped(text: &str, table: &[(char, char)]) -> String {
    text.chars()
        .map(|c| table.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to))
        .collect()
}

/// How the record writes it.
fn written(name: &str, rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..13) {
        0 => name.replace('(', "（").replace(')', "）"),
        1 => name.replace(['(', '（'], "〔").replace([')', '）'], "〕"),
        2 => name.replace(['(', '（'], "【").replace([')', '）'], "】"),
        3 => mapped(name, TRADITIONAL),
        4 => mapped(name, RADICALS),
        5 => inserted(
            name,
            *['\u{200b}', '\u{feff}', '\u{ad}', '\u{fe0f}']
                .choose(rng)
                .unwrap_or(&'\u{200b}'),
            rng,
        ),
        6 => inserted(
            name,
            *[' ', '\u{3000}', '\u{a0}'].choose(rng).unwrap_or(&' '),
            rng,
        ),
        7 => format!(
            "{}{name}",
            ["1-", "2、", "(3)", "甲方：", "供应商："][rng.random_range(0..5)]
        ),
        8 => format!("“{name}”"),
        9 => format!(" {name} "),
        10 => format!("{name}(盖章)"),
        _ => name.to_owned(),
    }
}

fn inserted(text: &str, what: char, rng: &mut ChaCha8Rng) -> String {
    let at = rng.random_range(1..text.chars().count().max(2));
    text.chars()
        .enumerate()
        .flat_map(|(i, c)| [(i == at).then_some(what), Some(c)])
        .flatten()
        .collect()
}

fn code(firm: &Firm, rng: &mut ChaCha8Rng) -> String {
    let code = &firm.uscc;
    match rng.random_range(0..100) {
        0..48 => code.clone(),
        48..80 => String::new(),
        80..84 => code.to_lowercase(),
        84..87 => format!("{} {}", &code[..8], &code[8..]),
        87..90 => code
            .chars()
            .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c))
            .collect(),
        // What scanners read.
        90..95 => code.replacen('0', "O", 1),
        95..98 => code.replacen('1', "I", 1),
        // A digit wrong.
        _ => {
            let at = rng.random_range(8..17);
            let other = if code[at..].starts_with('7') { "4" } else { "7" };
            format!("{}{other}{}", &code[..at], &code[at + 1..])
        }
    }
}

fn person(firm: &Firm, rng: &mut ChaCha8Rng) -> String {
    let name = &firm.representative;
    match rng.random_range(0..100) {
        0..82 => name.clone(),
        82..88 => mapped(name, TRADITIONAL),
        88..94 => inserted(name, ' ', rng),
        94..97 => exchanged(name, HOMOPHONES, rng),
        _ => format!("{name}先生"),
    }
}

fn phone(firm: &Firm, rng: &mut ChaCha8Rng) -> String {
    let mobile = &firm.mobile;
    match rng.random_range(0..10) {
        0..4 => mobile.clone(),
        4 => format!("+86 {}-{}-{}", &mobile[..3], &mobile[3..7], &mobile[7..]),
        5 => format!("{} {} {}", &mobile[..3], &mobile[3..7], &mobile[7..]),
        6 => firm.landline.clone(),
        7 => firm.landline.replace('-', ""),
        8 => format!(
            "({}){}",
            firm.landline.split('-').next().unwrap_or(""),
            firm.landline.split('-').nth(1).unwrap_or("")
        ),
        _ => format!("{mobile}/{}", firm.landline),
    }
}

fn chinese_number(n: u32) -> String {
    let digits: Vec<char> = "零一二三四五六七八九".chars().collect();
    match n {
        0..10 => digits[n as usize].to_string(),
        10 => "十".to_owned(),
        11..20 => format!("十{}", digits[(n - 10) as usize]),
        20..100 if n.is_multiple_of(10) => format!("{}十", digits[(n / 10) as usize]),
        20..100 => format!("{}十{}", digits[(n / 10) as usize], digits[(n % 10) as usize]),
        _ => n.to_string(),
    }
}

fn address(firm: &Firm, rng: &mut ChaCha8Rng) -> String {
    let mut text = String::new();
    if rng.random_bool(0.6) {
        text.push_str(firm.seat.province);
    }
    if rng.random_bool(0.9) {
        text.push_str(firm.seat.name);
    }
    if rng.random_bool(0.75) {
        text.push_str(firm.district);
    }
    text.push_str(firm.road);
    let number = if rng.random_bool(0.12) {
        chinese_number(firm.number)
    } else {
        firm.number.to_string()
    };
    text.push_str(&format!("{number}号"));
    if !firm.site.is_empty() && rng.random_bool(0.7) {
        text.push_str(firm.site);
    }
    if firm.building > 0 && rng.random_bool(0.7) {
        let word = ["号楼", "幢", "栋"][rng.random_range(0..3)];
        text.push_str(&format!("{}{word}", firm.building));
    }
    if rng.random_bool(0.6) {
        text.push_str(&format!(
            "{}{}",
            firm.room,
            ["室", "", "号"][rng.random_range(0..3)]
        ));
    }
    match rng.random_range(0..12) {
        0 => text
            .chars()
            .map(|c| {
                if c.is_ascii_digit() {
                    char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)
                } else {
                    c
                }
            })
            .collect(),
        1 => mapped(&text, TRADITIONAL),
        2 => inserted(&text, ' ', rng),
        _ => text,
    }
}

fn email(firm: &Firm, rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..10) {
        0..7 => firm.email.clone(),
        7 => firm.email.to_uppercase(),
        8 => format!(" {} ", firm.email),
        _ => firm.email.replace('@', "＠"),
    }
}
