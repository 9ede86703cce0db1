//! COL-01, -03, -04, -06, -08, -10: bidders of one tender who share what independent bidders do not.

use crate::calendar::{date, plus};
use crate::cases::tenders::holds;
use crate::everyday::{agency, yuan};
use crate::names::person;
use crate::province::{Entry, Province};
use crate::tendering::{Bid, Tender};
use crate::truth::RowKey;

pub(crate) fn plant(province: &mut Province, copy: usize) {
    machines(province, copy);
    accounts(province, copy);
    agents(province, copy);
    authors(province, copy);
    prices(province, copy);
    related(province, copy);
    state_owned(province, copy);
}

/// A public tender of goods, or of works.
fn tender(province: &mut Province, copy: usize, works: bool) -> Tender {
    let number = province.next();
    let published = plus(date(2023, 6, 5), (number * 13 + copy as u64) as i64 % 480);
    Tender {
        hospital: (copy * 5 + number as usize) % 10,
        title: (if works {
            "住院楼修缮工程"
        } else {
            "超声设备采购"
        })
        .to_owned(),
        category: if works { "工程" } else { "设备" },
        budget_item: format!("YS{}-C{number:05}", published.format("%y")),
        catalogue: if works { "B08010000" } else { "A02320500" },
        method: "公开招标",
        budget: yuan(7_800_000),
        published,
        opened: plus(published, 25),
        awarded: plus(published, 31),
        ..Tender::default()
    }
}

/// Bids of these suppliers and of one more, each at its own price; `change` is told the place of a bid.
fn bids(province: &mut Province, suppliers: &[usize], change: impl Fn(usize, &mut Bid)) -> Vec<Bid> {
    let mut all: Vec<usize> = suppliers.to_vec();
    all.push(province.supplier());
    all.iter()
        .enumerate()
        .map(|(n, supplier)| {
            let step = n as i64;
            let mut bid = Bid {
                supplier: *supplier,
                amount: yuan(7_300_000 + step * step * 31_000 + step * 57_000) + 100 * step + 37,
                winner: n == 0,
                ..Bid::default()
            };
            if n < suppliers.len() {
                change(n, &mut bid);
            }
            bid
        })
        .collect()
}

/// Enters a tender with two new suppliers whose bids `change` makes alike; returns the keys of the two.
fn two_alike(province: &mut Province, copy: usize, change: impl Fn(usize, &mut Bid)) -> Vec<RowKey> {
    let suppliers = [province.supplier(), province.supplier()];
    let tender = tender(province, copy, false);
    let bids = bids(province, &suppliers, change);
    let mut told = province.tender(&tender, bids);
    told.bids.truncate(2);
    told.bids
}

/// The same value in bids of two suppliers, each in a tender of its own.
fn apart(province: &mut Province, copy: usize, change: impl Fn(usize, &mut Bid)) -> Vec<RowKey> {
    let mut rows = Vec::new();
    for _ in 0..2 {
        let supplier = province.supplier();
        let tender = tender(province, copy, false);
        let bids = bids(province, &[supplier], &change);
        let told = province.tender(&tender, bids);
        rows.extend(told.bids.into_iter().take(1));
    }
    rows
}

fn machines(province: &mut Province, copy: usize) {
    let mac = province.mint.mac();
    let rows = two_alike(province, copy, |_, b| b.mac = Some(mac.clone()));
    province.plant(
        "COL-01",
        "one_machine",
        rows,
        "one network card, written in two ways",
    );

    let mac = province.mint.mac();
    let rows = apart(province, copy, |_, b| b.mac = Some(mac.clone()));
    province.decoy(
        "COL-01",
        "one_machine_two_tenders",
        rows,
        "the same card, in two tenders",
    );

    for (variant, mac) in [
        ("virtual_machine", "005056A1B2C3"),
        ("virtual_box", "0800270F1E2D"),
        ("null_address", "000000000000"),
        ("broadcast_address", "FFFFFFFFFFFF"),
        ("not_an_address", "无"),
    ] {
        let rows = two_alike(province, copy, |_, b| b.mac = Some(mac.to_owned()));
        province.decoy("COL-01", variant, rows, "an address that identifies no machine");
    }
}

fn accounts(province: &mut Province, copy: usize) {
    let account = province.mint.account();
    let spaced: String = account
        .as_bytes()
        .chunks(4)
        .map(|c| c.iter().map(|b| char::from(*b)).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ");
    let ways = [account.clone(), spaced];
    let rows = two_alike(province, copy, |n, b| b.account = Some(ways[n].clone()));
    province.plant(
        "COL-03",
        "one_account",
        rows,
        "deposits from one account, once written with spaces",
    );

    let rows = apart(province, copy, |_, b| b.account = Some(account.clone()));
    province.decoy(
        "COL-03",
        "one_account_two_tenders",
        rows,
        "one account, in two tenders",
    );
    for (variant, nothing) in [("no_account", "无"), ("letter_of_guarantee", "保函")] {
        let rows = two_alike(province, copy, |_, b| b.account = Some(nothing.to_owned()));
        province.decoy("COL-03", variant, rows, "no account was given");
    }
}

fn agents(province: &mut Province, copy: usize) {
    let phone = province.mint.mobile();
    let ways = [
        phone.clone(),
        format!("{} {} {}", &phone[..3], &phone[3..7], &phone[7..]),
    ];
    let rows = two_alike(province, copy, |n, b| b.phone = Some(ways[n].clone()));
    province.plant(
        "COL-04",
        "one_contact_phone",
        rows,
        "one person's mobile number in both bids",
    );

    let name = person(&mut province.rng);
    let rows = two_alike(province, copy, |_, b| b.contact = Some(name.clone()));
    province.decoy(
        "COL-04",
        "namesakes",
        rows,
        "contact persons of the same name, other numbers",
    );
    let rows = two_alike(province, copy, |_, b| b.phone = Some("95588".to_owned()));
    province.decoy("COL-04", "hot_line", rows, "a public hot line");
    let (_, phone) = agency(province);
    let rows = two_alike(province, copy, |_, b| b.phone = Some(phone.clone()));
    province.decoy(
        "COL-04",
        "agency_phone",
        rows,
        "the tender agency's number in both bids",
    );
    let phone = province.mint.mobile();
    let rows = apart(province, copy, |_, b| b.phone = Some(phone.clone()));
    province.decoy(
        "COL-04",
        "one_phone_two_tenders",
        rows,
        "the same number, in two tenders",
    );
}

fn authors(province: &mut Province, copy: usize) {
    let author = format!("{}{}", person(&mut province.rng), province.next());
    let rows = two_alike(province, copy, |_, b| b.author = Some(author.clone()));
    province.plant(
        "COL-06",
        "one_author",
        rows,
        "both documents name the same author",
    );
    for (variant, generic) in [
        ("administrator", "Administrator"),
        ("user", "user"),
        ("wps", "WPS"),
        ("test", "test"),
    ] {
        let rows = two_alike(province, copy, |_, b| b.author = Some(generic.to_owned()));
        province.decoy("COL-06", variant, rows, "an author that programs fill in");
    }
    let author = format!("{}{}", person(&mut province.rng), province.next());
    let rows = apart(province, copy, |_, b| b.author = Some(author.clone()));
    province.decoy(
        "COL-06",
        "one_author_two_tenders",
        rows,
        "the same author, in two tenders",
    );
}

fn prices(province: &mut Province, copy: usize) {
    let rows = two_alike(province, copy, |_, b| b.amount = yuan(7_412_345));
    province.plant("COL-08", "identical_totals", rows, "the same total in both bids");
    let rows = two_alike(province, copy, |n, b| b.amount = yuan(7_412_345) + n as i64);
    province.decoy("COL-08", "a_fen_apart", rows, "totals a fen apart");
    let rows = apart(province, copy, |_, b| b.amount = yuan(7_412_345));
    province.decoy(
        "COL-08",
        "same_total_two_tenders",
        rows,
        "the same total, in two tenders",
    );
}

/// A tender in which these two bid; returns the keys of their bids.
fn both_bid(province: &mut Province, copy: usize, works: bool, pair: [usize; 2]) -> Vec<RowKey> {
    let tender = tender(province, copy, works);
    let bids = bids(province, &pair, |_, _| {});
    let mut told = province.tender(&tender, bids);
    told.bids.truncate(2);
    told.bids
}

fn related(province: &mut Province, copy: usize) {
    let boss = province.person();
    let lead = |p: &mut Province| {
        p.supplier_with(Entry {
            legal: Some(boss.clone()),
            ..Entry::default()
        })
    };
    let pair = [lead(province), lead(province)];
    let rows = both_bid(province, copy, false, pair);
    province.plant(
        "COL-10",
        "one_legal_representative",
        rows,
        "one person is legal representative of both",
    );

    let pair = [province.supplier(), province.supplier()];
    let edge = holds(province, pair[0], pair[1], 510_000, None);
    let mut rows = both_bid(province, copy, false, pair);
    rows.push(edge);
    province.plant("COL-10", "holder_and_held", rows, "one holds 51 % of the other");

    // Through a third: only the tender law for works looks that far.
    for works in [true, false] {
        let (top, middle, bottom) = (province.supplier(), province.supplier(), province.supplier());
        holds(province, top, middle, 600_000, None);
        holds(province, middle, bottom, 700_000, None);
        let rows = both_bid(province, copy, works, [top, bottom]);
        if works {
            province.plant(
                "COL-10",
                "held_through_a_third",
                rows,
                "works: control through a third company",
            );
        } else {
            province.decoy(
                "COL-10",
                "indirect_in_goods",
                rows,
                "goods: only direct control is forbidden",
            );
        }
    }

    for (variant, share, until, note) in [
        (
            "exactly_half",
            500_000,
            None,
            "one holds exactly half of the other",
        ),
        (
            "holding_ended",
            900_000,
            Some(date(2021, 3, 31)),
            "the holding ended before the tender",
        ),
        ("small_share", 100_000, None, "one holds a tenth of the other"),
    ] {
        let pair = [province.supplier(), province.supplier()];
        holds(province, pair[0], pair[1], share, until);
        let rows = both_bid(province, copy, false, pair);
        province.decoy("COL-10", variant, rows, note);
    }

    // Two legal representatives of one name: one register gives no number, the other another person's.
    let name = person(&mut province.rng);
    let mut namesakes = Vec::new();
    for without in [true, false] {
        let mut legal = province.person();
        legal.name.clone_from(&name);
        namesakes.push(province.supplier_with(Entry {
            legal: Some(legal),
            legal_without_number: without,
            ..Entry::default()
        }));
    }
    let rows = both_bid(province, copy, false, [namesakes[0], namesakes[1]]);
    province.decoy(
        "COL-10",
        "namesakes",
        rows,
        "legal representatives of one name, not one person",
    );

    let phone = format!("0571-8{:07}", 1_000_000 + province.next());
    let address = "示例省高新区孵化园1号楼".to_owned();
    let tenant = |p: &mut Province| {
        p.supplier_with(Entry {
            phone: Some(phone.clone()),
            address: Some(address.clone()),
            ..Entry::default()
        })
    };
    let pair = [tenant(province), tenant(province)];
    let rows = both_bid(province, copy, false, pair);
    province.decoy(
        "COL-10",
        "one_incubator",
        rows,
        "tenants of one incubator share address and switchboard",
    );
}

/// Companies that have only the state as common holder are not related for that alone.
fn state_owned(province: &mut Province, copy: usize) {
    for works in [false, true] {
        let pair = [province.supplier(), province.supplier()];
        let holder = province.mint.uscc("11");
        for supplier in pair {
            let to = province.as_company(supplier);
            province.relation(
                ("企业", &holder, "示例省人民政府国有资产监督管理委员会"),
                &to,
                "股东",
                Some(1_000_000),
                (Some(date(2015, 1, 1)), None),
            );
        }
        let rows = both_bid(province, copy, works, pair);
        let variant = if works { "state_owned_works" } else { "state_owned" };
        province.decoy(
            "COL-10",
            variant,
            rows,
            "both are held by the state, and by nobody else in common",
        );
    }
}
