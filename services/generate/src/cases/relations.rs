//! REL-01, REL-02, REL-05: staff, their relatives and the companies that sell to their hospitals.

use chrono::NaiveDate;

use crate::calendar::{date, day};
use crate::province::{Company, Entry, Person, Province};
use crate::truth::RowKey;

pub(crate) fn plant(province: &mut Province, copy: usize) {
    staff_owns(province, copy);
    listed_shares(province, copy);
    staff_does_not(province, copy);
    relative_owns(province, copy);
    relative_does_not(province, copy);
    chains(province, copy);
    broken_chains(province, copy);
}

fn place(copy: usize, n: usize) -> usize {
    (copy * 3 + n + 2) % 10
}

fn on(copy: usize, n: u32) -> u32 {
    120 + (copy as u32 * 97 + n * 23) % 500
}

const SINCE: (i32, u32, u32) = (2018, 6, 1);

fn since() -> (Option<NaiveDate>, Option<NaiveDate>) {
    (Some(date(SINCE.0, SINCE.1, SINCE.2)), None)
}

/// A supplier that sells to the hospital; returns it and the key of a lawful purchase from it.
fn seller(province: &mut Province, hospital: usize, at: u32) -> (usize, RowKey) {
    let (supplier, product) = province.partner(hospital);
    let line = province.buy(hospital, supplier, product, at, 25);
    let key = province.enter(line);
    (supplier, key)
}

fn owns(
    province: &mut Province,
    person: &Person,
    company: &Company,
    relation: &'static str,
    share: Option<i64>,
) -> RowKey {
    province.relation(
        ("个人", &person.id_number, &person.name),
        company,
        relation,
        share,
        since(),
    )
}

/// An alert of REL-05 about a path of two hops says the same thing again, and may.
fn also_a_path(province: &mut Province, rows: &[RowKey]) {
    province.allow("REL-05", rows.to_vec(), "the same interest, told as a path");
}

fn staff_owns(province: &mut Province, copy: usize) {
    let h = place(copy, 0);
    for (variant, relation, share) in [
        ("shareholder", "股东", Some(300_000)),
        ("director", "董事", None),
        ("supervisor", "监事", None),
        ("beneficial_owner", "实际控制人", None),
    ] {
        let staff = province.staff(h, None);
        let (supplier, purchase) = seller(province, h, on(copy, 0));
        let company = province.as_company(supplier);
        let edge = owns(province, &staff, &company, relation, share);
        also_a_path(province, &[edge.clone(), purchase]);
        province.plant(
            "REL-01",
            variant,
            vec![edge],
            &format!("{} of the hospital, {relation}", staff.staff_id),
        );
    }

    let staff = province.staff(h, None);
    let supplier = province.supplier_with(Entry {
        legal: Some(staff.clone()),
        ..Entry::default()
    });
    let product = province.product(supplier, crate::names::Class::Drug, 66_000, 1);
    province.agree(h, supplier);
    let line = province.buy(h, supplier, product, on(copy, 1), 25);
    let purchase = province.enter(line);
    let register = RowKey::new("suppliers", "supplier_id", &province.suppliers[supplier].id);
    also_a_path(province, &[register.clone(), purchase]);
    province.plant(
        "REL-01",
        "legal_representative",
        vec![register],
        "staff is legal representative of a supplier",
    );
}

/// A company limited by shares, whose shares may have been bought on the exchange.
fn joint_stock_seller(province: &mut Province, hospital: usize, at: u32) -> (usize, RowKey) {
    let company = province.company();
    let stem = ["股份有限公司", "有限责任公司", "有限公司"]
        .iter()
        .find_map(|form| company.name.strip_suffix(form))
        .unwrap_or(&company.name);
    let name = format!("{stem}股份有限公司");
    let supplier = province.supplier_with(Entry {
        name: Some(name),
        ..Entry::default()
    });
    let product = province.product(supplier, crate::names::Class::Drug, 71_000, 1);
    province.agree(hospital, supplier);
    let line = province.buy(hospital, supplier, product, at, 25);
    let key = province.enter(line);
    (supplier, key)
}

/// Less than 5 % of a company limited by shares is anybody's; 5 % is not.
fn listed_shares(province: &mut Province, copy: usize) {
    let h = place(copy, 6);
    for (share, lawful) in [(50_000, false), (49_999, true)] {
        let staff = province.staff(h, None);
        let (supplier, purchase) = joint_stock_seller(province, h, on(copy, 14));
        let company = province.as_company(supplier);
        let edge = owns(province, &staff, &company, "股东", Some(share));
        if lawful {
            province.decoy(
                "REL-01",
                "small_share",
                vec![edge, purchase],
                "less than 5 % of a company limited by shares",
            );
        } else {
            also_a_path(province, &[edge.clone(), purchase]);
            province.plant(
                "REL-01",
                "five_percent",
                vec![edge],
                "5 % of a company limited by shares",
            );
        }
    }
}

fn staff_does_not(province: &mut Province, copy: usize) {
    let h = place(copy, 1);

    // Same name, no number; same name, another person's number.
    for with_number in [false, true] {
        let staff = province.staff(h, None);
        let (supplier, purchase) = seller(province, h, on(copy, 2));
        let company = province.as_company(supplier);
        let number = if with_number {
            province.mint.id_number()
        } else {
            String::new()
        };
        let edge = province.relation(
            ("个人", &number, &staff.name),
            &company,
            "股东",
            Some(400_000),
            since(),
        );
        let variant = if with_number { "namesake" } else { "name_only" };
        province.decoy(
            "REL-01",
            variant,
            vec![edge, purchase],
            "of one name is not one person",
        );
    }

    let at = on(copy, 3);
    let staff = province.staff(h, None);
    let (supplier, purchase) = seller(province, h, at);
    let company = province.as_company(supplier);
    let edge = province.relation(
        ("个人", &staff.id_number, &staff.name),
        &company,
        "股东",
        Some(200_000),
        (Some(date(2015, 1, 1)), Some(day(at))),
    );
    province.decoy(
        "REL-01",
        "sold_that_day",
        vec![edge, purchase],
        "the share was given up by the day of purchase",
    );

    let staff = province.staff(h, None);
    let idle = province.supplier();
    let company = province.as_company(idle);
    let edge = owns(province, &staff, &company, "股东", Some(200_000));
    province.decoy(
        "REL-01",
        "supplier_without_purchases",
        vec![edge],
        "the company sold nothing to any hospital",
    );

    let staff = province.staff(h, Some(date(2022, 11, 30)));
    let (supplier, purchase) = seller(province, h, on(copy, 4));
    let company = province.as_company(supplier);
    let edge = province.relation(
        ("个人", &staff.id_number, &staff.name),
        &company,
        "股东",
        Some(200_000),
        (Some(date(2023, 1, 1)), None),
    );
    province.decoy(
        "REL-01",
        "left_before",
        vec![edge, purchase],
        "left the hospital before buying the share",
    );
}

fn relative_owns(province: &mut Province, copy: usize) {
    let h = place(copy, 2);

    let staff = province.staff(h, None);
    let spouse = province.person();
    let (supplier, purchase) = seller(province, h, on(copy, 5));
    let company = province.as_company(supplier);
    let declared = province.declare(&staff, "配偶", Some(&spouse), None, None);
    let edge = owns(province, &spouse, &company, "股东", Some(400_000));
    also_a_path(province, &[edge.clone(), declared.clone(), purchase]);
    province.plant(
        "REL-02",
        "spouse_holds",
        vec![declared, edge],
        "the declared spouse holds 40 % of a supplier",
    );

    let staff = province.staff(h, None);
    let child = province.person();
    let (supplier, purchase) = seller(province, h, on(copy, 5));
    let company = province.as_company(supplier);
    let declared = province.declare(&staff, "子女", Some(&child), Some(&company), Some(350_000));
    also_a_path(province, &[declared.clone(), purchase]);
    province.plant(
        "REL-02",
        "declared_company",
        vec![declared],
        "the declared company is a supplier",
    );

    let staff = province.staff(h, None);
    let parent = province.person();
    let supplier = province.supplier_with(Entry {
        legal: Some(parent.clone()),
        ..Entry::default()
    });
    let product = province.product(supplier, crate::names::Class::Drug, 66_000, 1);
    province.agree(h, supplier);
    let line = province.buy(h, supplier, product, on(copy, 6), 25);
    let purchase = province.enter(line);
    let declared = province.declare(&staff, "父亲", Some(&parent), None, None);
    also_a_path(province, &[declared.clone(), purchase]);
    province.plant(
        "REL-02",
        "parent_leads",
        vec![declared],
        "the declared parent is a supplier's legal representative",
    );
}

fn relative_does_not(province: &mut Province, copy: usize) {
    let h = place(copy, 3);

    // The relative is told by name only, and a shareholder has that name.
    let staff = province.staff(h, None);
    let mut relative = province.person();
    relative.id_number.clear();
    let (supplier, purchase) = seller(province, h, on(copy, 7));
    let company = province.as_company(supplier);
    let owner = province.mint.id_number();
    let edge = province.relation(
        ("个人", &owner, &relative.name),
        &company,
        "股东",
        Some(400_000),
        since(),
    );
    let declared = province.declare(&staff, "配偶", Some(&relative), None, None);
    province.decoy(
        "REL-02",
        "relative_name_only",
        vec![declared, edge, purchase],
        "of one name is not one person",
    );

    let at = on(copy, 8);
    let staff = province.staff(h, None);
    let spouse = province.person();
    let (supplier, purchase) = seller(province, h, at);
    let company = province.as_company(supplier);
    let declared = province.declare(&staff, "配偶", Some(&spouse), None, None);
    let edge = province.relation(
        ("个人", &spouse.id_number, &spouse.name),
        &company,
        "股东",
        Some(400_000),
        (Some(date(2016, 1, 1)), Some(date(2022, 6, 30))),
    );
    province.decoy(
        "REL-02",
        "share_sold_before",
        vec![declared, edge, purchase],
        "the share was sold before any purchase",
    );

    let staff = province.staff(h, None);
    let sibling = province.person();
    let idle = province.supplier();
    let company = province.as_company(idle);
    let declared = province.declare(&staff, "兄弟", Some(&sibling), Some(&company), Some(500_000));
    province.decoy(
        "REL-02",
        "company_without_purchases",
        vec![declared],
        "the company sold nothing to any hospital",
    );
}

/// A company that belongs to `share` of a percent's ten-thousandths to another.
fn held_by(
    province: &mut Province,
    holder: &Company,
    held: &Company,
    share: i64,
    valid: (Option<NaiveDate>, Option<NaiveDate>),
) -> RowKey {
    province.relation(
        ("企业", &holder.uscc, &holder.name),
        held,
        "股东",
        Some(share),
        valid,
    )
}

/// REL-05: staff, relative, one or two companies, supplier.
fn chains(province: &mut Province, copy: usize) {
    let h = place(copy, 4);
    for companies in [1, 2] {
        let staff = province.staff(h, None);
        let spouse = province.person();
        let (supplier, _) = seller(province, h, on(copy, 9));
        let target = province.as_company(supplier);
        let mut rows = vec![province.declare(&staff, "配偶", Some(&spouse), None, None)];
        let first = province.company();
        rows.push(owns(province, &spouse, &first, "股东", Some(800_000)));
        let mut holder = first;
        if companies == 2 {
            let second = province.company();
            rows.push(held_by(province, &holder, &second, 900_000, since()));
            holder = second;
        }
        rows.push(held_by(province, &holder, &target, 600_000, since()));
        let variant = if companies == 1 { "three_hops" } else { "four_hops" };
        province.plant("REL-05", variant, rows, "spouse, holding company, supplier");
    }

    let staff = province.staff(h, None);
    let (supplier, _) = seller(province, h, on(copy, 10));
    let target = province.as_company(supplier);
    let holding = province.company();
    let rows = vec![
        owns(province, &staff, &holding, "股东", Some(700_000)),
        held_by(province, &holding, &target, 550_000, since()),
    ];
    province.plant(
        "REL-05",
        "own_holding",
        rows,
        "a holding company of the staff member's own",
    );
}

fn broken_chains(province: &mut Province, copy: usize) {
    let h = place(copy, 5);

    // Five hops: one more than is looked at.
    let staff = province.staff(h, None);
    let spouse = province.person();
    let (supplier, purchase) = seller(province, h, on(copy, 11));
    let target = province.as_company(supplier);
    let mut rows = vec![
        purchase,
        province.declare(&staff, "配偶", Some(&spouse), None, None),
    ];
    let mut holder = province.company();
    rows.push(owns(province, &spouse, &holder, "股东", Some(800_000)));
    for _ in 0..2 {
        let next = province.company();
        rows.push(held_by(province, &holder, &next, 800_000, since()));
        holder = next;
    }
    rows.push(held_by(province, &holder, &target, 800_000, since()));
    province.decoy("REL-05", "five_hops", rows, "one hop more than is looked at");

    // The middle link ended; or began only after the last one had ended.
    for (variant, middle, last) in [
        (
            "middle_link_ended",
            (Some(date(2016, 1, 1)), Some(date(2020, 1, 1))),
            since(),
        ),
        (
            "links_never_at_once",
            (Some(date(2022, 1, 1)), None),
            (Some(date(2016, 1, 1)), Some(date(2022, 1, 1))),
        ),
    ] {
        let staff = province.staff(h, None);
        let spouse = province.person();
        let (supplier, purchase) = seller(province, h, on(copy, 12));
        let target = province.as_company(supplier);
        let holding = province.company();
        let declared = province.declare(&staff, "配偶", Some(&spouse), None, None);
        let first = province.relation(
            ("个人", &spouse.id_number, &spouse.name),
            &holding,
            "股东",
            Some(800_000),
            middle,
        );
        let second = held_by(province, &holding, &target, 600_000, last);
        province.decoy(
            "REL-05",
            variant,
            vec![purchase, declared, first, second],
            "the links did not hold at one time",
        );
    }

    // The holding company's shareholder is only a namesake of the spouse.
    let staff = province.staff(h, None);
    let spouse = province.person();
    let (supplier, purchase) = seller(province, h, on(copy, 13));
    let target = province.as_company(supplier);
    let holding = province.company();
    let declared = province.declare(&staff, "配偶", Some(&spouse), None, None);
    let number = province.mint.id_number();
    let first = province.relation(
        ("个人", &number, &spouse.name),
        &holding,
        "股东",
        Some(800_000),
        since(),
    );
    let second = held_by(province, &holding, &target, 600_000, since());
    province.decoy(
        "REL-05",
        "namesake_in_chain",
        vec![purchase, declared, first, second],
        "of one name is not one person",
    );
}
