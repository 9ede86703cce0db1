//! SUP-01 to SUP-04: papers not signed, signed late or run out, and suppliers under a ban.

use crate::calendar::{date, day, plus};
use crate::names::Class;
use crate::province::{AGREEMENT, COMMITMENT, ELSEWHERE, Entry, PROVINCE, Province};
use crate::truth::RowKey;

pub(crate) fn plant(province: &mut Province, copy: usize) {
    unsigned(province, copy);
    signed_otherwise(province, copy);
    late(province, copy);
    expired(province, copy);
    banned(province, copy);
    banned_elsewhere(province, copy);
}

fn place(copy: usize, n: usize) -> usize {
    (copy * 3 + n + 4) % 10
}

fn on(copy: usize, n: u32) -> u32 {
    100 + (copy as u32 * 113 + n * 31) % 500
}

/// A supplier with one drug and no papers.
fn stranger(province: &mut Province) -> (usize, usize) {
    let supplier = province.supplier();
    let product = province.product(supplier, Class::Drug, 88_000, 1);
    (supplier, product)
}

/// Two lawful platform lines, a month apart, the first on `first`.
fn two_purchases(
    province: &mut Province,
    hospital: usize,
    supplier: usize,
    product: usize,
    first: u32,
) -> Vec<RowKey> {
    [first, first + 30]
        .into_iter()
        .map(|at| {
            let line = province.buy(hospital, supplier, product, at, 50);
            province.enter(line)
        })
        .collect()
}

/// SUP-01: one of the two papers, or both, are missing.
fn unsigned(province: &mut Province, copy: usize) {
    let hospital = place(copy, 0);
    let from = (date(2023, 1, 1), None);
    let signed = date(2022, 12, 12);

    let (supplier, product) = stranger(province);
    let rows = two_purchases(province, hospital, supplier, product, on(copy, 0));
    province.plant(
        "SUP-01",
        "nothing_signed",
        rows,
        "neither agreement nor commitment",
    );

    for (variant, kind) in [("no_commitment", AGREEMENT), ("no_agreement", COMMITMENT)] {
        let (supplier, product) = stranger(province);
        province.agreement(hospital, supplier, kind, signed, from, false);
        let rows = two_purchases(province, hospital, supplier, product, on(copy, 1));
        province.plant("SUP-01", variant, rows, "only one of the two papers");
    }

    let (supplier, product) = stranger(province);
    province.agree((hospital + 1) % 10, supplier);
    let rows = two_purchases(province, hospital, supplier, product, on(copy, 2));
    province.plant(
        "SUP-01",
        "signed_with_other_hospital",
        rows,
        "signed with another hospital only",
    );

    // 杭州康源医药 signed; 杭州康源医药科技 is another company.
    let (signer, _) = stranger(province);
    let name = province.suppliers[signer].name.clone();
    let stem = name
        .trim_end_matches("有限责任公司")
        .trim_end_matches("股份有限公司")
        .trim_end_matches("有限公司");
    let look_alike = format!("{stem}科技发展有限公司");
    province.agree(hospital, signer);
    let supplier = province.supplier_with(Entry {
        name: Some(look_alike),
        ..Entry::default()
    });
    let product = province.product(supplier, Class::Drug, 88_000, 1);
    let rows = two_purchases(province, hospital, supplier, product, on(copy, 3));
    province.plant(
        "SUP-01",
        "look_alike_signed",
        rows,
        "a company of a similar name signed, this one did not",
    );
}

/// SUP-01's near misses: signed, though it takes a second look to see it.
fn signed_otherwise(province: &mut Province, copy: usize) {
    let hospital = place(copy, 1);

    // In force from the day of the first purchase.
    let (supplier, product) = stranger(province);
    let at = on(copy, 4);
    let valid = (day(at), None);
    let mut rows = two_purchases(province, hospital, supplier, product, at);
    for kind in [AGREEMENT, COMMITMENT] {
        rows.push(province.agreement(hospital, supplier, kind, day(at), valid, false));
    }
    province.decoy(
        "SUP-01",
        "in_force_from_first_day",
        rows,
        "both papers begin on the day of purchase",
    );

    // One day later than that: the first line is not covered.
    let (supplier, product) = stranger(province);
    let valid = (plus(day(at), 1), None);
    let papers: Vec<RowKey> = [AGREEMENT, COMMITMENT]
        .into_iter()
        .map(|kind| province.agreement(hospital, supplier, kind, plus(day(at), 1), valid, false))
        .collect();
    let first = province.buy(hospital, supplier, product, at, 50);
    let first = province.enter(first);
    let second = province.buy(hospital, supplier, product, at + 30, 50);
    let second = province.enter(second);
    province.plant(
        "SUP-01",
        "in_force_a_day_later",
        vec![first],
        "bought the day before the papers begin",
    );
    province.decoy(
        "SUP-01",
        "covered_after_a_late_start",
        vec![second],
        "bought when the papers were in force",
    );
    province.allow(
        "SUP-01",
        papers,
        "papers that begin too late may be shown beside the purchase",
    );

    // Signed a day after the period starts, still before the first purchase.
    let (supplier, product) = stranger(province);
    let mut rows = Vec::new();
    for kind in [AGREEMENT, COMMITMENT] {
        let valid = (plus(day(at), -40), None);
        rows.push(province.agreement(hospital, supplier, kind, plus(day(at), -39), valid, false));
    }
    rows.extend(two_purchases(province, hospital, supplier, product, at));
    province.decoy(
        "SUP-01",
        "signed_before_first_purchase",
        rows,
        "signed after the period begins, before any purchase",
    );

    // The head office signed for its branch.
    let (parent, _) = stranger(province);
    let name = format!("{}杭州分公司", province.suppliers[parent].name);
    let branch = province.supplier_with(Entry {
        name: Some(name),
        ..Entry::default()
    });
    let product = province.product(branch, Class::Drug, 88_000, 1);
    let mut rows = province.agree(hospital, parent).to_vec();
    rows.extend(two_purchases(province, hospital, branch, product, at));
    province.decoy(
        "SUP-01",
        "parent_signed_for_branch",
        rows,
        "the company signed, its branch delivers",
    );

    // The same, where the register of relations names the branch and its name does not.
    let (parent, _) = stranger(province);
    let branch = registered_branch(province, parent);
    let product = province.product(branch, Class::Drug, 88_000, 1);
    let mut rows = province.agree(hospital, parent).to_vec();
    rows.extend(two_purchases(province, hospital, branch, product, at));
    province.decoy(
        "SUP-01",
        "parent_signed_for_registered_branch",
        rows,
        "the company signed, its registered branch delivers",
    );

    // Renewed each year without a gap.
    let (supplier, product) = stranger(province);
    let mut rows = Vec::new();
    for kind in [AGREEMENT, COMMITMENT] {
        for year in 2023..=2025 {
            let from = date(year, 1, 1);
            let valid = (from, Some(date(year + 1, 1, 1)));
            rows.push(province.agreement(hospital, supplier, kind, plus(from, -5), valid, false));
        }
    }
    // 2023-12-31 and 2024-01-01.
    for at in [333, 334] {
        let line = province.buy(hospital, supplier, product, at, 10);
        rows.push(province.enter(line));
    }
    province.decoy(
        "SUP-03",
        "renewed_in_time",
        rows,
        "bought on the last day of one paper and the first of the next",
    );
}

/// A supplier that the register of relations calls a branch of `parent`.
fn registered_branch(province: &mut Province, parent: usize) -> usize {
    let branch = province.supplier();
    let from = province.as_company(parent);
    let to = province.as_company(branch);
    let since = (Some(date(2017, 4, 1)), None);
    province.relation(("企业", &from.uscc, &from.name), &to, "分支机构", None, since);
    branch
}

/// SUP-02: signed long after the first purchase.
fn late(province: &mut Province, copy: usize) {
    let hospital = place(copy, 2);
    let at = on(copy, 5);
    for (days, variant) in [
        (45, "made_up_after_45_days"),
        (31, "made_up_after_31_days"),
        (60, "backdated"),
        (30, ""),
    ] {
        let (supplier, product) = stranger(province);
        province.agreement(
            hospital,
            supplier,
            COMMITMENT,
            date(2022, 12, 12),
            (date(2023, 1, 1), None),
            false,
        );
        let signed = plus(day(at), days);
        // A paper that claims to hold from before the purchase was still not there.
        let from = if variant == "backdated" {
            plus(day(at), -5)
        } else {
            signed
        };
        let paper = province.agreement(hospital, supplier, AGREEMENT, signed, (from, None), true);
        let line = province.buy(hospital, supplier, product, at, 50);
        let gap = province.enter(line);
        let line = province.buy(hospital, supplier, product, at + 60, 50);
        let after = province.enter(line);
        province.allow(
            "SUP-01",
            vec![gap, paper.clone()],
            "what was bought before a late signature was not covered",
        );
        if variant.is_empty() {
            province.decoy(
                "SUP-02",
                "made_up_in_thirty_days",
                vec![paper, after],
                "made up within 30 days",
            );
        } else {
            province.plant(
                "SUP-02",
                variant,
                vec![paper],
                "made up later than 30 days after the first purchase",
            );
        }
    }
}

/// SUP-03: bought after the papers ran out.
fn expired(province: &mut Province, copy: usize) {
    let hospital = place(copy, 3);
    let at = on(copy, 6);
    for (days_after, variant) in [(5, "expired_five_days"), (0, "expired_that_day")] {
        let (supplier, product) = stranger(province);
        let end = plus(day(at), -days_after);
        let valid = (date(2023, 1, 1), Some(end));
        for kind in [AGREEMENT, COMMITMENT] {
            province.agreement(hospital, supplier, kind, date(2022, 12, 12), valid, false);
        }
        let line = province.buy(hospital, supplier, product, at - 40, 50);
        province.enter(line);
        let line = province.buy(hospital, supplier, product, at, 50);
        let key = province.enter(line);
        province.plant(
            "SUP-03",
            variant,
            vec![key.clone()],
            "the papers had run out and were not renewed",
        );
        province.allow("SUP-01", vec![key], "no paper was in force that day");
    }

    let (supplier, product) = stranger(province);
    let valid = (date(2023, 1, 1), Some(plus(day(at), 1)));
    let mut rows = Vec::new();
    for kind in [AGREEMENT, COMMITMENT] {
        rows.push(province.agreement(hospital, supplier, kind, date(2022, 12, 12), valid, false));
    }
    let line = province.buy(hospital, supplier, product, at, 50);
    rows.push(province.enter(line));
    province.decoy(
        "SUP-03",
        "last_day_in_force",
        rows,
        "bought on the last day before the papers end",
    );
}

const BAN: &str = "商业贿赂不良记录";

/// SUP-04 in the province of the ban: two years from its publication, branches included.
fn banned(province: &mut Province, copy: usize) {
    let hospital = place(copy, 4);
    let at = on(copy, 7);
    let today = day(at);

    for (variant, issued) in [
        ("banned_half_a_year_ago", plus(today, -180)),
        ("banned_that_day", today),
        ("last_day_of_ban", plus(two_years_before(today), 1)),
    ] {
        let (supplier, product) = province.partner(hospital);
        let record = province.credit_record(supplier, BAN, "", PROVINCE, issued);
        let line = province.buy(hospital, supplier, product, at, 15);
        let key = province.enter(line);
        province.plant(
            "SUP-04",
            variant,
            vec![key, record],
            "bought from a banned supplier",
        );
    }

    let (parent, _) = province.partner(hospital);
    let record = province.credit_record(parent, BAN, "", PROVINCE, plus(today, -90));
    let name = format!("{}宁波分公司", province.suppliers[parent].name);
    let branch = province.supplier_with(Entry {
        name: Some(name),
        ..Entry::default()
    });
    let product = province.product(branch, Class::Drug, 88_000, 1);
    province.agree(hospital, branch);
    let line = province.buy(hospital, branch, product, at, 15);
    let key = province.enter(line);
    province.plant(
        "SUP-04",
        "branch_of_banned",
        vec![key, record],
        "the branch of a banned company delivers",
    );

    let (parent, _) = province.partner(hospital);
    let record = province.credit_record(parent, BAN, "", PROVINCE, plus(today, -90));
    let branch = registered_branch(province, parent);
    let product = province.product(branch, Class::Drug, 88_000, 1);
    province.agree(hospital, branch);
    let line = province.buy(hospital, branch, product, at, 15);
    let key = province.enter(line);
    province.plant(
        "SUP-04",
        "registered_branch_of_banned",
        vec![key, record],
        "the registered branch of a banned company delivers",
    );

    for (variant, issued, kind) in [
        ("ban_ended_that_day", two_years_before(today), BAN),
        ("banned_the_next_day", plus(today, 1), BAN),
        ("rating_is_no_ban", plus(today, -180), "信用评价"),
        ("penalty_is_no_ban", plus(today, -180), "行政处罚"),
    ] {
        let (supplier, product) = province.partner(hospital);
        let level = if kind == "信用评价" { "一般" } else { "" };
        let record = province.credit_record(supplier, kind, level, PROVINCE, issued);
        let line = province.buy(hospital, supplier, product, at, 15);
        let key = province.enter(line);
        province.decoy(
            "SUP-04",
            variant,
            vec![key, record],
            "no ban was in force that day",
        );
    }
}

/// SUP-04 across provinces: only a second listing within five years closes the whole country.
fn banned_elsewhere(province: &mut Province, copy: usize) {
    let hospital = place(copy, 5);
    let at = on(copy, 8);
    let today = day(at);

    let (supplier, product) = province.partner(hospital);
    let first = province.credit_record(supplier, BAN, "", ELSEWHERE[0], plus(today, -1500));
    let second = province.credit_record(supplier, BAN, "", ELSEWHERE[1], plus(today, -100));
    let line = province.buy(hospital, supplier, product, at, 15);
    let key = province.enter(line);
    province.plant(
        "SUP-04",
        "listed_twice_elsewhere",
        vec![key, second, first],
        "listed twice within five years",
    );

    let (supplier, product) = province.partner(hospital);
    let record = province.credit_record(supplier, BAN, "", ELSEWHERE[0], plus(today, -100));
    let line = province.buy(hospital, supplier, product, at, 15);
    let key = province.enter(line);
    province.decoy(
        "SUP-04",
        "listed_once_elsewhere",
        vec![key, record],
        "listed once, in another province",
    );

    let (supplier, product) = province.partner(hospital);
    let first = province.credit_record(supplier, BAN, "", ELSEWHERE[0], plus(today, -2100));
    let second = province.credit_record(supplier, BAN, "", ELSEWHERE[1], plus(today, -100));
    let line = province.buy(hospital, supplier, product, at, 15);
    let key = province.enter(line);
    province.decoy(
        "SUP-04",
        "listings_over_five_years_apart",
        vec![key, first, second],
        "listed twice, over five years apart",
    );
}

/// The same day two years earlier: a ban published then has just ended.
fn two_years_before(day: chrono::NaiveDate) -> chrono::NaiveDate {
    use chrono::Datelike;
    day.with_year(day.year() - 2).unwrap_or_else(|| plus(day, -731))
}
