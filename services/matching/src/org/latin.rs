//! Names of organisations in Latin letters: legal forms, places in pinyin, trades in English.

use std::sync::OnceLock;

use hashbrown::HashMap;

use super::form::OrgForm;
use super::parse::Parts;
use super::words::{Trades, trade_in_english};
use crate::pinyin;
use crate::places::Place;

/// Takes a name in one writing (upper case, words apart) to pieces.
pub(super) fn parts(text: &str) -> Parts {
    let mut parts = Parts {
        latin: true,
        ..Parts::default()
    };
    let text = text.to_uppercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '&')
        .filter(|word| !word.is_empty())
        .collect();
    let mut core: Vec<&str> = Vec::new();
    let mut places = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if let Some(form) = form(word)
            && at > 0
        {
            parts.form = stronger(parts.form, form);
            continue;
        }
        if matches!(*word, "THE" | "OF" | "AND" | "&" | "FOR") {
            continue;
        }
        if let Some(place) = place(word) {
            places.push(place);
            continue;
        }
        match trade_in_english(word) {
            Some(trade) if !core.is_empty() || at + 1 < words.len() && at > 0 => {
                parts.trades = parts.trades.with(trade)
            }
            _ => core.push(word),
        }
    }
    if core.is_empty() {
        // Nothing but places, trades and forms: the words themselves are the name.
        core = words.iter().copied().filter(|w| form(w).is_none()).collect();
        parts.trades = Trades::default();
        places.clear();
    }
    parts.region = places.first().copied();
    parts.second_region = places.get(1).copied();
    if let (Some(a), Some(b)) = (parts.region, parts.second_region)
        && (a == b || b.contains(a) || b == Place::CHINA || a.contains(b))
    {
        parts.region = Some(if a.contains(b) { b } else { a });
        parts.second_region = None;
    }
    parts.core = core.concat();
    parts.brand = brand(&parts.core);
    parts
}

fn stronger(a: OrgForm, b: OrgForm) -> OrgForm {
    match (a, b) {
        (OrgForm::Unsaid, b) => b,
        (OrgForm::Company, b) => b,
        (a, _) => a,
    }
}

fn form(word: &str) -> Option<OrgForm> {
    Some(match word {
        "LTD" | "LIMITED" | "LLC" | "GMBH" | "BV" | "SARL" | "SRL" | "PTE" | "PTY" | "COLTD" => {
            OrgForm::LimitedCompany
        }
        "PLC" | "AG" | "SA" | "SPA" | "NV" | "KK" | "AB" | "OYJ" => OrgForm::JointStockCompany,
        "CO" | "COMPANY" | "INC" | "INCORPORATED" | "CORP" | "CORPORATION" => OrgForm::Company,
        "LLP" | "LP" | "PARTNERSHIP" => OrgForm::Partnership,
        "FACTORY" | "WORKS" => OrgForm::Factory,
        "HOSPITAL" => OrgForm::Hospital,
        "CLINIC" => OrgForm::Clinic,
        "INSTITUTE" => OrgForm::Institute,
        _ => return None,
    })
}

/// A province or prefecture by the pinyin of its short name.
fn place(word: &str) -> Option<Place> {
    static PLACES: OnceLock<HashMap<String, Place>> = OnceLock::new();
    let places = PLACES.get_or_init(|| {
        let mut map = HashMap::new();
        for place in Place::provinces_and_prefectures() {
            map.entry(pinyin::joined(place.short_name()).to_uppercase())
                .or_insert(place);
        }
        let irregular = [
            ("CHINA", 100_000),
            ("PRC", 100_000),
            ("TIBET", 540_000),
            ("CHONGQING", 500_000),
            ("SHAANXI", 610_000),
            ("XIAMEN", 350_200),
            ("AMOY", 350_200),
            ("HARBIN", 230_100),
            ("URUMQI", 650_100),
            ("LHASA", 540_100),
            ("TAIWAN", 710_000),
            ("MACAO", 820_000),
            ("MACAU", 820_000),
            ("HONGKONG", 810_000),
            ("HOHHOT", 150_100),
            ("PEKING", 110_000),
            ("CANTON", 440_100),
            ("TSINGTAO", 370_200),
            ("CHANGCHUN", 220_100),
        ];
        for (name, code) in irregular {
            if let Some(place) = Place::from_code(code) {
                map.insert(name.to_owned(), place);
            }
        }
        map
    });
    places.get(word).copied()
}

/// English names under which makers of medicine and equipment are registered, and their Chinese 字号 where
/// that is no spelling of it.
const BRANDS: &[(&str, &str)] = &[
    ("MINDRAY", "迈瑞"),
    ("SINOPHARM", "国药"),
    ("FOSUN", "复星"),
    ("FOSUNPHARMA", "复星"),
    ("UNITEDIMAGING", "联影"),
    ("YUWELL", "鱼跃"),
    ("WEGO", "威高"),
    ("SNIBE", "新产业"),
    ("AUTOBIO", "安图"),
    ("NEUSOFT", "东软"),
    ("TASLY", "天士力"),
    ("HISUN", "海正"),
    ("SIEMENS", "西门子"),
    ("PHILIPS", "飞利浦"),
    ("ROCHE", "罗氏"),
    ("ABBOTT", "雅培"),
    ("MEDTRONIC", "美敦力"),
    ("PFIZER", "辉瑞"),
    ("NOVARTIS", "诺华"),
    ("BAYER", "拜耳"),
    ("SANOFI", "赛诺菲"),
    ("ASTRAZENECA", "阿斯利康"),
    ("MERCK", "默克"),
    ("MSD", "默沙东"),
    ("OLYMPUS", "奥林巴斯"),
    ("BOSTONSCIENTIFIC", "波士顿科学"),
    ("BECKMANCOULTER", "贝克曼库尔特"),
    ("SYSMEX", "希森美康"),
    ("STRYKER", "史赛克"),
    ("HAIER", "海尔"),
    ("LENOVO", "联想"),
    ("BOE", "京东方"),
];

fn brand(core: &str) -> Option<&'static str> {
    BRANDS
        .iter()
        .find(|(latin, _)| *latin == core)
        .map(|(_, han)| *han)
}
