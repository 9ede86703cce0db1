//! The lawful everyday of a province: hospitals, suppliers, papers, honest tenders. Nothing in it breaks
//! a rule, so that an alert about it is a mistake of whoever raised it.

use rand::Rng;

use crate::calendar::{date, day, plus, workday, workdays_after};
use crate::ink::{Cell, text};
use crate::names::{self, Class};
use crate::province::{AGREEMENT, COMMITMENT, Entry, PROVINCE, Province, moment};
use crate::stream::{Everyday, window_supplier};
use crate::tendering::{Bid, Tender};

/// Staff of a hospital who ask for and approve purchases.
pub(crate) const EVERYDAY_STAFF: usize = 40;

/// How large a province is, by its number of order lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) hospitals: usize,
    pub(crate) suppliers: usize,
    pub(crate) window: usize,
    pub(crate) tenders: usize,
    /// How often each planted variant is told.
    pub(crate) copies: usize,
}

impl Scale {
    pub(crate) fn of(orders: u64) -> Self {
        let hospitals = (orders / 50_000).clamp(10, 600) as usize;
        let suppliers = (hospitals * 6).clamp(80, 1200);
        Self {
            hospitals,
            suppliers,
            window: suppliers.min(60),
            tenders: (orders / 500).clamp(60, 20_000) as usize,
            copies: match orders {
                0..100_000 => 1,
                100_000..2_000_000 => 2,
                2_000_000..20_000_000 => 3,
                _ => 4,
            },
        }
    }
}

/// Cities of the province; some hospitals belong to the province itself.
pub(crate) const CITIES: [&str; 4] = [PROVINCE, "990100", "990200", "990300"];

/// Fills the registers and says where the everyday trade takes place.
pub(crate) fn fill(province: &mut Province, scale: Scale) -> Everyday {
    calendar_rows(province);
    threshold_rows(province);
    for n in 0..scale.hospitals {
        province.hospital(CITIES[n % CITIES.len()], EVERYDAY_STAFF);
    }
    for _ in 0..scale.suppliers {
        let supplier = province.supplier();
        stock(province, supplier, 12);
    }
    let unnumbered = (province.suppliers.len(), 10);
    for _ in 0..unnumbered.1 {
        let supplier = province.supplier();
        stock(province, supplier, 20);
    }
    let goods = (province.suppliers.len(), 5);
    for _ in 0..goods.1 {
        let supplier = province.supplier();
        for _ in 0..8 {
            let price = province.rng.random_range(20..4_000_i64) * 5_000;
            province.product(supplier, Class::Goods, price, 1);
        }
    }
    let everyday = Everyday {
        hospitals: scale.hospitals,
        suppliers: scale.suppliers,
        window: scale.window,
        unnumbered,
        goods,
    };
    papers(province, &everyday);
    owners(province, scale.suppliers);
    declarations(province, scale.hospitals);
    records(province, &everyday);
    tenders(province, &everyday, scale.tenders);
    everyday
}

/// Products of all three classes that the platform lists.
fn stock(province: &mut Province, supplier: usize, count: usize) {
    for n in 0..count {
        let class = [Class::Drug, Class::Consumable, Class::Reagent, Class::Drug][n % 4];
        // 0.35 to 6,000 yuan, in cents; a few prices have four decimals, as tablets have.
        let mut price = province.rng.random_range(35..60_000_i64) * 100;
        if n % 6 == 5 {
            price = province.rng.random_range(3_500..20_000_i64) + 7;
        }
        let pack = [1, 1, 10, 20][n % 4];
        province.product(supplier, class, price, pack);
    }
}

fn calendar_rows(province: &mut Province) {
    for n in 0..1096 {
        let on = plus(date(2023, 1, 1), n);
        let (worked, note) = workday(on);
        province.put(
            "workdays",
            vec![
                ("day", Cell::Text(on.to_string())),
                ("is_workday", Cell::Bool(worked)),
                ("note", note.map_or(Cell::Null, text)),
            ],
        );
    }
}

/// Money in cents of so many yuan.
pub(crate) const fn yuan(n: i64) -> i64 {
    n * 100
}

/// Public tendering of goods and services was due from this many yuan, before and since 2024.
pub(crate) const PUBLIC_2023: i64 = yuan(2_000_000);
pub(crate) const PUBLIC_2024: i64 = yuan(4_000_000);
/// Works must be tendered from this amount.
pub(crate) const WORKS: i64 = yuan(4_000_000);

fn threshold_rows(province: &mut Province) {
    let since = date(2024, 1, 1);
    let old = date(2020, 1, 1);
    let rows = [
        ("货物", "公开招标数额标准", PUBLIC_2023, old, Some(since)),
        ("货物", "公开招标数额标准", PUBLIC_2024, since, None),
        ("services", "公开招标数额标准", PUBLIC_2023, old, Some(since)),
        ("services", "公开招标数额标准", PUBLIC_2024, since, None),
        ("工程", "必须招标", WORKS, date(2018, 6, 1), None),
    ];
    for (n, (kind, measure, amount, from, to)) in rows.into_iter().enumerate() {
        province.put(
            "procurement_thresholds",
            vec![
                ("threshold_id", text(format!("XE{:03}", n + 1))),
                ("region_code", text(PROVINCE)),
                ("level", text("省级")),
                ("kind", text(kind)),
                ("measure", text(measure)),
                ("amount", Cell::Money(amount)),
                ("effective_from", Cell::Date(from)),
                ("effective_to", to.map_or(Cell::Null, Cell::Date)),
                ("source", text("示例省集中采购目录及标准")),
            ],
        );
    }
}

/// Both papers for each hospital and each of its suppliers: open ended, for the whole period, or renewed
/// each new year in time.
fn papers(province: &mut Province, everyday: &Everyday) {
    for hospital in 0..everyday.hospitals {
        let mut partners: Vec<usize> = (0..everyday.window)
            .map(|pick| window_supplier(hospital, pick, everyday))
            .collect();
        partners.extend(everyday.unnumbered.0..everyday.unnumbered.0 + everyday.unnumbered.1);
        partners.extend(everyday.goods.0..everyday.goods.0 + everyday.goods.1);
        for supplier in partners {
            match province.rng.random_range(0..8) {
                0 => {
                    for year in 2023..=2025 {
                        let from = date(year, 1, 1);
                        let until = Some(date(year + 1, 1, 1));
                        for kind in [AGREEMENT, COMMITMENT] {
                            province.agreement(
                                hospital,
                                supplier,
                                kind,
                                plus(from, -12),
                                (from, until),
                                false,
                            );
                        }
                    }
                }
                1..=3 => {
                    let valid = (date(2023, 1, 1), Some(date(2026, 1, 1)));
                    for kind in [AGREEMENT, COMMITMENT] {
                        province.agreement(hospital, supplier, kind, date(2022, 12, 20), valid, false);
                    }
                }
                _ => {
                    province.agree(hospital, supplier);
                }
            }
        }
    }
}

/// Shareholders and directors, none of whom works at a hospital. Many share a name with somebody who does.
fn owners(province: &mut Province, suppliers: usize) {
    for supplier in 0..suppliers {
        let to = province.as_company(supplier);
        let first = province.rng.random_range(51..80_i64);
        for (relation, share) in [("股东", Some(first)), ("股东", Some(100 - first)), ("董事", None)] {
            let person = province.person();
            let since = plus(
                date(2010, 1, 1),
                i64::from(province.rng.random_range(0..4_000_u32)),
            );
            province.relation(
                ("个人", &person.id_number, &person.name),
                &to,
                relation,
                share.map(|s| s * 10_000),
                (Some(since), None),
            );
        }
    }
}

/// Staff who declare a relative's business that sells nothing to hospitals, or none at all.
fn declarations(province: &mut Province, hospitals: usize) {
    for hospital in 0..hospitals {
        for n in 0..6 {
            let staff = province.hospitals[hospital].staff[n].clone();
            let relative = province.person();
            let company = (n % 2 == 0).then(|| province_shop(province));
            let relation = ["配偶", "子女", "父母", "兄弟姐妹"][n % 4];
            province.declare(
                &staff,
                relation,
                Some(&relative),
                company.as_ref(),
                Some(40 * 10_000),
            );
        }
    }
}

/// A shop that sells nothing to hospitals; its name is of another kind than the suppliers'.
fn province_shop(province: &mut Province) -> crate::province::Company {
    let n = province.next();
    let owner = names::person(&mut province.rng);
    crate::province::Company {
        name: format!("示例市{owner}便利店{n}号"),
        uscc: province.mint.uscc("92"),
    }
}

/// Credit ratings and penalties, which are no ban, and a ban that ended before the period.
fn records(province: &mut Province, everyday: &Everyday) {
    for n in 0..everyday.suppliers / 8 {
        let supplier = n * 8;
        let issued = plus(date(2020, 3, 1), n as i64 % 200);
        let (kind, level) = match n % 4 {
            0 => ("信用评价", "一般"),
            1 => ("行政处罚", ""),
            2 => ("信用评价", "中等"),
            _ => ("商业贿赂不良记录", ""),
        };
        province.credit_record(supplier, kind, level, PROVINCE, issued);
    }
}

/// Honest tenders: each with its own budget item, open to all when it is large, and bidders who have
/// nothing to do with one another.
fn tenders(province: &mut Province, everyday: &Everyday, count: usize) {
    for n in 0..count {
        let hospital = n % everyday.hospitals;
        let offset = (n as u64 * 640 / count as u64) as u32 + 20;
        let published = day(offset);
        let works = n % 7 == 3;
        let large = n % 3 != 1;
        let budget = if large {
            yuan(province.rng.random_range(4_600_000..9_000_000_i64))
        } else {
            yuan(province.rng.random_range(10_000..60_000_i64))
        };
        let opened = plus(published, 24);
        let tender = Tender {
            hospital,
            title: format!("第{}号{}项目", n + 1, if works { "病区改造" } else { "设备购置" }),
            category: if works { "工程" } else { "设备" },
            budget_item: format!("YS{}-{:05}", published.format("%y"), n + 1),
            catalogue: if works { "B06030000" } else { "A02320300" },
            method: if large { "公开招标" } else { "直接采购" },
            budget,
            published,
            opened,
            awarded: workdays_after(opened, 3),
            agency: (n % 2 == 0).then_some("示例招标咨询公司"),
            ..Tender::default()
        };
        let bidders = if large { 3 + n % 3 } else { 1 };
        let mut bids = Vec::new();
        for b in 0..bidders {
            let supplier = (hospital * 37 + n * 11 + b * 7) % everyday.suppliers;
            // 1 % and some cents apart, the first the cheapest: neither equal nor in a regular row.
            let cents = province.rng.random_range(1..40_000_i64);
            let amount = budget / 1000 * (920 + (b * b * 3 + b * 7) as i64) + cents;
            bids.push(Bid {
                supplier,
                amount,
                winner: b == 0,
                ..Bid::default()
            });
        }
        let told = province.tender(&tender, bids);
        let signed = plus(tender.awarded, 10);
        let start = works.then(|| plus(signed, 15));
        let contract = province.contract(&told, &tender, signed, start);
        if works {
            for (kind, after) in [("进场", 12), ("开工", 15), ("进度款", 45), ("竣工", 200)] {
                let on = plus(signed, after);
                if on <= day(crate::calendar::SPAN_DAYS - 1) {
                    province.works_event(&told.id, Some(&contract), kind, on, None);
                }
            }
        }
    }
}

/// An agency of tenders as the register of suppliers knows it.
pub(crate) fn agency(province: &mut Province) -> (usize, String) {
    let phone = province.mint.mobile();
    let entry = Entry {
        kind: Some("招标代理机构"),
        phone: Some(phone.clone()),
        ..Entry::default()
    };
    (province.supplier_with(entry), phone)
}

/// The wall-clock time at which most tenders are published.
pub(crate) fn morning(on: chrono::NaiveDate) -> Cell {
    moment(on, 9, 0)
}
