//! 100,000 made-up suppliers with lists, agreements, listings and ties, and questions about them. Shared by the examples
//! that measure screening.

use chrono::{DateTime, Days, NaiveDate};
use domain::screening::{ScreenOrder, ScreenOrderLine, ScreenRequest, ScreenSubject};
use rust_decimal::Decimal;
use screening::{
    AgreementRow, CreditRecord, DatasetState, HospitalRow, ListingRow, NEEDS, PartyRow, RowRef,
    ScreeningInput, ThresholdRow,
};

const REGIONS: [&str; 16] = [
    "杭州", "宁波", "温州", "上海", "南京", "苏州", "合肥", "济南", "青岛", "武汉", "长沙", "广州", "深圳",
    "成都", "重庆", "西安",
];
const SYLLABLES: [&str; 40] = [
    "康", "瑞", "华", "恒", "泰", "安", "和", "众", "信", "达", "博", "远", "嘉", "盛", "明", "德", "润",
    "诚", "天", "海", "金", "仁", "济", "福", "源", "同", "新", "广", "宏", "益", "佳", "美", "君", "科",
    "立", "正", "百", "万", "鼎", "凯",
];
const TRADES: [&str; 6] = ["医药", "医疗器械", "生物科技", "医疗科技", "药业", "医学检验"];
const FORMS: [&str; 2] = ["有限公司", "股份有限公司"];

fn pick<'a>(list: &[&'a str], n: usize) -> &'a str {
    list[n % list.len()]
}

/// The name of the n-th firm. Two firms may share one, as they do in life.
pub fn name(n: usize) -> String {
    let core = n / REGIONS.len();
    let third = if n.is_multiple_of(3) {
        pick(&SYLLABLES, n / 7 + 11)
    } else {
        ""
    };
    format!(
        "{}{}{}{third}{}{}",
        pick(&REGIONS, n),
        pick(&SYLLABLES, core),
        pick(&SYLLABLES, core / SYLLABLES.len() + n / 5),
        pick(&TRADES, n / 11),
        pick(&FORMS, usize::from(n.is_multiple_of(9))),
    )
}

/// Its code, with a check character that holds.
pub fn code(n: usize) -> String {
    let first = format!("91330100{:09}", n + 1);
    let check = matching::Uscc::check_character(first.as_bytes()).unwrap_or(b'0');
    format!("{first}{}", char::from(check))
}

fn row(dataset: &str, key: String) -> RowRef {
    RowRef {
        dataset: dataset.into(),
        key: key.into(),
        source: "made".into(),
        batch: "b".into(),
        row: 1,
    }
}

/// The day everything is asked for.
pub fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 6, 30).unwrap_or_default()
}

fn national_code(n: usize) -> String {
    format!("C{:019}", n % 20_000)
}

/// Everything synced that day. One firm in fifty is banned, two in three have agreements.
pub fn input(parties: usize) -> ScreeningInput {
    let state = DatasetState {
        last_synced: DateTime::from_timestamp(1_751_270_400, 0),
        has_rows: true,
        empty_columns: Vec::new(),
    };
    let mut input = ScreeningInput {
        snapshot: 1,
        datasets: NEEDS
            .iter()
            .map(|(name, _)| ((*name).into(), state.clone()))
            .collect(),
        ..ScreeningInput::default()
    };
    let year_ago = as_of().checked_sub_days(Days::new(365));
    let year_on = as_of().checked_add_days(Days::new(365));
    for n in 0..parties {
        let party_id: Box<str> = format!("c{n:06}").into();
        input.parties.push(PartyRow {
            name: name(n).into(),
            aliases: if n % 20 == 0 {
                vec![format!("{}曾用名", name(n + 1)).into()]
            } else {
                Vec::new()
            },
            uscc: (n % 10 != 3).then(|| code(n).into()),
            row: Some(row("suppliers", format!("S{n}"))),
            owners_known: n % 4 != 0,
            party_id: party_id.clone(),
        });
        if n % 50 == 0 {
            input.credit_records.push(CreditRecord {
                row: row("credit_records", format!("R{n}")),
                party_id: party_id.clone(),
                record_type: Some("bribery_blacklist".into()),
                level: None,
                region_code: Some(if n % 100 == 0 { "330000" } else { "310000" }.into()),
                issued_on: year_ago,
                expires_on: None,
            });
        }
        if n % 3 != 0 {
            for kind in ["integrity_agreement", "integrity_commitment"] {
                input.agreements.push(AgreementRow {
                    row: row("agreements", format!("A{n}-{kind}")),
                    party_id: party_id.clone(),
                    hospital_id: format!("H{}", n % 5).into(),
                    kind: kind.into(),
                    signed_on: year_ago,
                    valid_from: year_ago,
                    valid_to: year_on,
                });
            }
        }
        input.listings.push(ListingRow {
            row: row("platform_listings", format!("L{n}")),
            national_code: national_code(n).into(),
            party_id: Some(party_id),
            product_id: None,
            region_code: Some("330000".into()),
            listed_price: Decimal::new(10_000 + (n % 900) as i64, 2),
            listed_from: year_ago,
            listed_to: year_on,
        });
    }
    for n in 0..5 {
        input.hospitals.push(HospitalRow {
            row: row("hospitals", format!("H{n}")),
            hospital_id: format!("H{n}").into(),
            region_code: Some("330100".into()),
        });
    }
    input.thresholds.push(ThresholdRow {
        row: row("procurement_thresholds", "T1".to_owned()),
        region_code: "330000".into(),
        kind: "goods".into(),
        measure: "public_tender".into(),
        amount: Decimal::from(4_000_000),
        effective_from: year_ago,
        effective_to: None,
        source: None,
    });
    input
}

/// The n-th question: the name as it is, the code, a name cut short, one with a slip, one nobody bears; every third about
/// an order of two lines.
pub fn question(n: usize, parties: usize) -> ScreenRequest {
    let firm = n * 7_919 % parties;
    let full = name(firm);
    let mut subject = ScreenSubject::default();
    match n % 20 {
        0..=9 => subject.name = Some(full),
        10..=13 => {
            subject.uscc = Some(code(firm));
            subject.name = Some(full);
        }
        14..=16 => subject.name = full.strip_suffix("有限公司").map(str::to_owned).or(Some(full)),
        17 | 18 => subject.name = Some(full.replacen("医", "药", 1).replacen("康", "廉", 1)),
        _ => subject.name = Some(format!("{full}第{n}分店")),
    }
    let line = |at: usize| ScreenOrderLine {
        national_code: Some(national_code(firm + at)),
        quantity: Some("3".into()),
        unit_price: Some("101.5".into()),
        ..ScreenOrderLine::default()
    };
    let order = ScreenOrder {
        category: Some("consumable".into()),
        catalogue_code: Some("A02320000".into()),
        budget_item_code: Some("YS1".into()),
        method: Some("inquiry".into()),
        channel: Some("platform".into()),
        lines: vec![line(0), line(1)],
        ..ScreenOrder::default()
    };
    ScreenRequest {
        reference: n.to_string(),
        subject,
        hospital_id: Some(format!("H{}", firm % 5)),
        as_of: as_of(),
        order: (n.is_multiple_of(3)).then_some(order),
        checks: Vec::new(),
    }
}
