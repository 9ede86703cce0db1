//! Names as hospitals write them, kind by kind, among sister companies: each kind is found, and no row of a sister, be
//! it registered or not, goes to another firm.

use super::*;
use crate::party::Facts;

const CITIES: [(&str, &str); 6] = [
    ("浙江", "杭州"),
    ("浙江", "宁波"),
    ("江苏", "南京"),
    ("广东", "广州"),
    ("四川", "成都"),
    ("湖北", "武汉"),
];
/// 字号, and the same with a look-alike.
const BRANDS: [(&str, &str); 8] = [
    ("康瑞", "康端"),
    ("恒泰", "恒秦"),
    ("安德", "按德"),
    ("博远", "搏远"),
    ("康瑞恒泰", "康端恒泰"),
    ("安德博远", "安德搏远"),
    ("华诺迈科", "华诺迈料"),
    ("仁济盛嘉", "仁挤盛嘉"),
];
const TRADES: [(&str, &str); 3] = [("医药", "医药"), ("医疗器械", "器械"), ("生物科技", "生物")];
const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A code with a right check character (GB 32100-2015).
fn code(number: usize) -> String {
    let mut text = format!("91330100{number:09}");
    let sum: usize = text
        .bytes()
        .zip([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])
        .map(|(c, w)| ALPHABET.iter().position(|a| *a == c).unwrap() * w)
        .sum();
    text.push(char::from(ALPHABET[(31 - sum % 31) % 31]));
    text
}

#[derive(Clone, Copy)]
struct Firm {
    city: usize,
    brand: usize,
    trade: usize,
}

impl Firm {
    fn name(&self) -> String {
        self.of(CITIES[self.city].1, BRANDS[self.brand].0, "有限公司")
    }

    fn of(&self, region: &str, brand: &str, form: &str) -> String {
        format!("{region}{brand}{}{form}", TRADES[self.trade].0)
    }
}

fn company(reference: i64, dataset: &str, name: &str, code: Option<String>) -> Mention {
    Mention {
        reference,
        kind: PartyKind::Company,
        id: None,
        name: Some(name.to_owned()),
        code,
        dataset: dataset.into(),
        slot: "supplier".into(),
        context: String::new(),
    }
}

/// Takes `written` for somebody among registered firms: the party key of the mention, and whether it was told as
/// resembling one.
fn taken_for(registered: &[Firm], written: &str, wrong_code: Option<String>) -> (String, bool) {
    let mut mentions: Vec<Mention> = (1..)
        .zip(registered)
        .map(|(n, firm)| company(n, "suppliers", &firm.name(), Some(code(n as usize))))
        .collect();
    mentions.push(company(0, "invoices", written, wrong_code));
    let found = resolve(&mentions);
    let key = found
        .refs
        .iter()
        .find(|r| r.reference == 0)
        .unwrap()
        .party_key
        .clone();
    (key, found.notices.iter().any(|n| n.code == "NAME_RESEMBLES"))
}

/// What everybody may write of a firm, with the kind of noise.
fn certain_kinds(firm: Firm) -> Vec<(&'static str, String)> {
    let (province, city) = CITIES[firm.city];
    let (brand, look_alike) = BRANDS[firm.brand];
    let full = firm.name();
    let mut kinds = vec![
        ("no form", firm.of(city, brand, "")),
        ("cut form", firm.of(city, brand, "有限")),
        ("other spelling of the form", firm.of(city, brand, "有限责任公司")),
        (
            "region in brackets",
            format!("{brand}{}（{city}）有限公司", TRADES[firm.trade].0),
        ),
        ("city in full", firm.of(&format!("{city}市"), brand, "有限公司")),
        (
            "province too",
            firm.of(&format!("{province}省{city}市"), brand, "有限公司"),
        ),
        (
            "traditional",
            full.replace("华", "華")
                .replace("医", "醫")
                .replace("药", "藥")
                .replace("术", "術")
                .replace("广", "廣")
                .replace("汉", "漢")
                .replace("宁", "寧")
                .replace("诺", "諾"),
        ),
        ("spaces", full.replace(brand, &format!(" {brand}\u{200b}　"))),
        (
            "radical for a character",
            full.replace('生', "⽣")
                .replace('长', "⻓")
                .replace('瑞', "瑞\u{fe0f}"),
        ),
        (
            "former name told",
            format!("{city}旧号商贸有限公司（现名：{full}）（曾用名：{full}）"),
        ),
        ("remark", format!("1-{full}(已注销)")),
        ("slip in the form", firm.of(city, brand, "有限公词")),
        ("homophone in the form", full.replace("有限", "有线")),
        ("character left out of the form", full.replace("有限", "限")),
    ];
    if brand.chars().count() >= 4 {
        kinds.push(("look-alike in a long 字号", firm.of(city, look_alike, "有限公司")));
    }
    kinds
}

fn all_firms() -> impl Iterator<Item = Firm> {
    (0..CITIES.len()).flat_map(|city| {
        (0..BRANDS.len())
            .flat_map(move |brand| (0..TRADES.len()).map(move |trade| Firm { city, brand, trade }))
    })
}

#[test]
fn every_kind_of_noise_finds_its_firm_among_all_sisters() {
    // Every 字号 in every city and trade is registered: whatever is left unsaid would be ambiguous.
    let registered: Vec<Firm> = all_firms().collect();
    let mut mentions: Vec<Mention> = (1..)
        .zip(&registered)
        .map(|(n, firm)| company(n, "suppliers", &firm.name(), Some(code(n as usize))))
        .collect();
    let mut wanted = Vec::new();
    for (n, firm) in registered.iter().enumerate() {
        for (kind, written) in certain_kinds(*firm) {
            let reference = 10_000 + wanted.len() as i64;
            mentions.push(company(reference, "invoices", &written, None));
            wanted.push((reference, kind, written, code(n + 1)));
        }
    }
    let found = resolve(&mentions);
    let key_of: HashMap<i64, &str> = found
        .refs
        .iter()
        .map(|r| (r.reference, r.party_key.as_str()))
        .collect();
    let wrong: Vec<_> = wanted
        .iter()
        .filter(|(reference, _, _, code)| key_of[reference] != code)
        .map(|(reference, kind, written, _)| (kind, written, key_of[reference]))
        .collect();
    let accused: Vec<_> = wrong
        .iter()
        .filter(|(_, _, key)| !key.starts_with("name:"))
        .collect();
    assert!(accused.is_empty(), "rows went to a sister: {accused:?}");
    assert!(
        wrong.is_empty(),
        "{} of {}: {:?}",
        wrong.len(),
        wanted.len(),
        &wrong[..wrong.len().min(20)]
    );
}

#[test]
fn what_leaves_out_the_region_or_the_trade_joins_only_where_it_can_be_one() {
    let firm = Firm {
        city: 0,
        brand: 0,
        trade: 1,
    };
    let (brand, short) = (BRANDS[0].0, TRADES[1].1);
    for written in [
        firm.of("", brand, "有限公司"),
        firm.of("", brand, ""),
        format!("{brand}{short}"),
    ] {
        assert_eq!(taken_for(&[firm], &written, None).0, code(1), "{written}");
        for sister in [Firm { city: 1, ..firm }, Firm { trade: 0, ..firm }] {
            let (key, _) = taken_for(&[firm, sister], &written, None);
            let sure = sister.trade != firm.trade && key == code(1) && written.contains(TRADES[1].0);
            assert!(
                sure || key.starts_with("name:"),
                "{written} beside {}: {key}",
                sister.name()
            );
        }
    }
}

#[test]
fn sisters_that_nobody_registered_are_not_taken_for_the_one_that_is() {
    for firm in all_firms() {
        let (brand, look_alike) = BRANDS[firm.brand];
        let city = CITIES[firm.city].1;
        let mut others = vec![
            Firm {
                city: (firm.city + 1) % CITIES.len(),
                ..firm
            }
            .name(),
            Firm {
                trade: (firm.trade + 1) % TRADES.len(),
                ..firm
            }
            .name(),
            Firm {
                brand: (firm.brand + 1) % BRANDS.len(),
                ..firm
            }
            .name(),
            firm.of(city, &format!("{brand}第二"), "有限公司"),
            firm.of(city, brand, "股份有限公司"),
            firm.of(city, brand, "有限公司温州分公司"),
            firm.of(&format!("{city}新"), brand, "有限公司"),
            firm.of(city, brand, "厂"),
        ];
        if brand.chars().count() < 4 {
            others.push(firm.of(city, look_alike, "有限公司"));
        }
        for other in others {
            let (key, _) = taken_for(&[firm], &other, None);
            assert_ne!(key, code(1), "{other} was taken for {}", firm.name());
        }
    }
}

#[test]
fn a_look_alike_in_a_short_name_is_told_and_joins_when_a_code_nearly_agrees() {
    for firm in all_firms().filter(|f| BRANDS[f.brand].0.chars().count() == 2) {
        let written = firm.of(CITIES[firm.city].1, BRANDS[firm.brand].1, "有限公司");
        let (key, told) = taken_for(&[firm], &written, None);
        assert!(key.starts_with("name:") && told, "{written}: {key} {told}");
        let mut misread = code(1);
        misread.replace_range(17.., if misread.ends_with('0') { "1" } else { "0" });
        assert_eq!(
            taken_for(&[firm], &written, Some(misread)).0,
            code(1),
            "{written}"
        );
    }
}

#[test]
fn an_agents_telephone_confirms_nothing() {
    // A register where one agent filed for fifty firms: a look-alike with the agent's number is left apart.
    let firms: Vec<Firm> = all_firms().take(50).collect();
    let mut mentions: Vec<Mention> = (1..)
        .zip(&firms)
        .map(|(n, firm)| company(n, "suppliers", &firm.name(), Some(code(n as usize))))
        .collect();
    let look_alike = firms[0].of(CITIES[0].1, BRANDS[0].1, "有限公司");
    mentions.push(company(100, "suppliers", &look_alike, None));
    let facts: Vec<Facts> = (1..=50)
        .chain([100])
        .map(|reference| Facts {
            reference,
            phone: Some("13805710000".into()),
            ..Facts::default()
        })
        .collect();
    let taken = |facts: &[Facts]| {
        let found = resolve_known(Known {
            mentions: &mentions,
            facts,
            judged: &[],
        });
        found
            .refs
            .iter()
            .find(|r| r.reference == 100)
            .unwrap()
            .party_key
            .clone()
    };
    assert!(taken(&facts).starts_with("name:"));
    let mut own = facts.clone();
    for at in [0, 50] {
        own[at].phone = Some("13911112222".into());
        own[at].bank_account = Some("6222020200112233445".into());
    }
    assert_eq!(taken(&own), code(1));
}
