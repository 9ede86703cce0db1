//! OFF-01: purchases of listed goods that went past the platform, and those that only look so.

use crate::calendar::{day, plus};
use crate::names::Class;
use crate::province::{Channel, Line, Province};
use crate::truth::RowKey;

/// A hospital for the `n`-th case of a copy, and another one.
fn hospitals(province: &Province, copy: usize, n: usize) -> (usize, usize) {
    let count = 10.min(province.hospitals.len());
    let first = (copy * 3 + n) % count;
    (first, (first + 1) % count)
}

pub(crate) fn plant(province: &mut Province, copy: usize) {
    without_order(province, copy);
    wrong_order(province, copy);
    quantities(province, copy);
    two_numbers(province, copy);
    unnumbered(province, copy);
    filings(province, copy);
    exempt(province, copy);
}

fn on(copy: usize, n: u32) -> u32 {
    60 + (copy as u32 * 131 + n * 29) % 600
}

/// A line that was never ordered on the platform.
fn without_order(province: &mut Province, copy: usize) {
    let (hospital, _) = hospitals(province, copy, 0);
    let (supplier, product) = province.partner(hospital);
    let price = province.products[product].price;
    let mut line = province.line(hospital, supplier, product, on(copy, 0), 300, price);
    line.channel = Channel::Offline;
    let key = province.enter(line);
    province.plant(
        "OFF-01",
        "no_platform_order",
        vec![key],
        "bought offline, nothing on the platform, not filed",
    );

    let (supplier, product) = province.partner(hospital);
    let price = province.products[product].price;
    let line = province.line(hospital, supplier, product, on(copy, 1), 120, price);
    let key = province.enter(line);
    province.plant(
        "OFF-01",
        "platform_claimed",
        vec![key],
        "said to be a platform purchase, nothing there",
    );
}

/// The number given is of no order, of another hospital's, or of a cancelled one.
fn wrong_order(province: &mut Province, copy: usize) {
    let (hospital, other) = hospitals(province, copy, 1);

    let (supplier, product) = province.partner(hospital);
    let price = province.products[product].price;
    let mut ghost = province.line(hospital, supplier, product, on(copy, 2), 40, price);
    ghost.platform_order_id = province.platform_number(on(copy, 2));
    let key = province.enter(ghost);
    province.plant(
        "OFF-01",
        "ghost_order",
        vec![key],
        "the platform knows no order of this number",
    );

    let (supplier, product) = province.partner(hospital);
    province.agree(other, supplier);
    let owner = province.buy(other, supplier, product, on(copy, 3), 80);
    let mut borrowed = owner.clone();
    borrowed.hospital = hospital;
    borrowed.order_id = province.order_number(on(copy, 3));
    let foreign = borrowed.platform_order_id.clone();
    let key = province.enter(borrowed);
    province.plant(
        "OFF-01",
        "foreign_order",
        vec![key],
        &format!("platform order {foreign} is another hospital's"),
    );
    let owner = province.enter(owner);
    province.decoy(
        "OFF-01",
        "owner_of_borrowed_order",
        vec![owner],
        "the hospital whose order was borrowed",
    );

    let (supplier, product) = province.partner(hospital);
    let line = province.buy(hospital, supplier, product, on(copy, 4), 60);
    if let Some(order) = province.platform_orders.last_mut() {
        order.status = if copy.is_multiple_of(2) {
            "已取消"
        } else {
            "作废"
        };
    }
    let key = province.enter(line);
    province.plant(
        "OFF-01",
        "cancelled_order",
        vec![key],
        "the platform order was cancelled",
    );
}

/// Two lines over one platform order, a line more than its platform order.
fn quantities(province: &mut Province, copy: usize) {
    let (hospital, _) = hospitals(province, copy, 2);

    let (supplier, product) = province.partner(hospital);
    let mut line = province.buy(hospital, supplier, product, on(copy, 5), 100);
    line.quantity = 130;
    let key = province.enter(line);
    province.plant(
        "OFF-01",
        "quantity_over_order",
        vec![key],
        "130 bought, 100 ordered on the platform",
    );

    for (second, lawful) in [(50, false), (40, true)] {
        let (supplier, product) = province.partner(hospital);
        let mut first = province.line(hospital, supplier, product, on(copy, 6), 60, 125_000);
        first.platform_order_id = province.platform_order(&first, on(copy, 6), 100);
        let mut next = first.clone();
        next.line_no = 2;
        next.quantity = second;
        let rows = vec![province.enter(first), province.enter(next)];
        if lawful {
            province.decoy(
                "OFF-01",
                "two_lines_one_order",
                rows,
                "60 and 40 bought, 100 ordered",
            );
        } else {
            province.plant(
                "OFF-01",
                "two_lines_over_one_order",
                rows,
                "60 and 50 bought, 100 ordered",
            );
        }
    }
}

/// Two numbers in one cell, as people write a purchase that was delivered in two orders.
fn two_numbers(province: &mut Province, copy: usize) {
    let (hospital, _) = hospitals(province, copy, 6);
    let at = on(copy, 10);
    for (second, lawful) in [(40, true), (25, false)] {
        let (supplier, product) = province.partner(hospital);
        let mut line = province.line(hospital, supplier, product, at, 100, 125_000);
        let numbers = [
            province.platform_order(&line, at, 60),
            province.platform_order(&line, at + 2, second),
        ];
        line.platform_order_id = numbers.join(";");
        let key = province.enter(line);
        if lawful {
            province.decoy(
                "OFF-01",
                "two_numbers_in_a_cell",
                vec![key],
                "100 bought, 60 and 40 ordered, both numbers given",
            );
        } else {
            province.plant(
                "OFF-01",
                "two_numbers_too_little",
                vec![key],
                "100 bought, 60 and 25 ordered, both numbers given",
            );
        }
    }
}

/// Lines without a platform number, which hospital, product, supplier, date and quantity must find.
fn unnumbered(province: &mut Province, copy: usize) {
    let (hospital, other) = hospitals(province, copy, 3);
    let start = on(copy, 7);

    // One line delivered by two platform orders: in all, or ten short.
    for (second, lawful) in [(40, true), (30, false)] {
        let (supplier, product) = province.partner(hospital);
        let line = province.line(hospital, supplier, product, start, 100, 125_000);
        province.platform_order(&line, start, 60);
        province.platform_order(&line, start + 6, second);
        let key = province.enter(line);
        if lawful {
            province.decoy(
                "OFF-01",
                "one_line_two_orders",
                vec![key],
                "100 bought, 60 and 40 ordered",
            );
        } else {
            province.plant(
                "OFF-01",
                "one_line_short_orders",
                vec![key],
                "100 bought, 60 and 30 ordered",
            );
        }
    }

    // The same, 15 days off (within the limit) and 16.
    for (days, lawful) in [(15, true), (16, false)] {
        let (supplier, product) = province.partner(hospital);
        let line = province.line(hospital, supplier, product, start, 25, 125_000);
        province.platform_order(&line, start + days, 25);
        let key = province.enter(line);
        if lawful {
            province.decoy(
                "OFF-01",
                "fifteen_days_apart",
                vec![key],
                "platform order 15 days later",
            );
        } else {
            province.plant(
                "OFF-01",
                "sixteen_days_apart",
                vec![key],
                "platform order 16 days later",
            );
        }
    }

    // The platform order is for another hospital, of another supplier, for another product.
    for variant in [
        "unnumbered_other_hospital",
        "unnumbered_other_supplier",
        "unnumbered_other_product",
    ] {
        let (supplier, product) = province.partner(hospital);
        let line = province.line(hospital, supplier, product, start + 9, 35, 125_000);
        let mut elsewhere = line.clone();
        match variant {
            "unnumbered_other_hospital" => elsewhere.hospital = other,
            "unnumbered_other_supplier" => elsewhere.supplier = province.partner(hospital).0,
            _ => elsewhere.product = province.product(supplier, Class::Drug, 125_000, 1),
        }
        province.platform_order(&elsewhere, start + 9, 35);
        let key = province.enter(line);
        province.plant(
            "OFF-01",
            variant,
            vec![key],
            "the only platform order near is another's",
        );
    }

    let (supplier, product) = province.partner(hospital);
    let line = province.line(hospital, supplier, product, start + 3, 18, 125_000);
    province.platform_order(&line, start + 1, 18);
    let key = province.enter(line);
    province.decoy(
        "OFF-01",
        "number_not_kept",
        vec![key],
        "the number was not kept, the order is there",
    );
}

/// An offline line with a filing number on it.
fn filed(province: &mut Province, hospital: usize, at: u32) -> Line {
    let (supplier, product) = province.partner(hospital);
    let mut line = province.line(hospital, supplier, product, at, 20, 125_000);
    line.channel = Channel::FiledOffline;
    line
}

fn filings(province: &mut Province, copy: usize) {
    let (hospital, other) = hospitals(province, copy, 4);
    let at = on(copy, 8);
    let today = day(at);

    // Valid from that very day; valid until the day after (the end is not included).
    for (variant, valid) in [
        ("filed", (plus(today, -20), plus(today, 40))),
        ("filed_from_today", (today, plus(today, 30))),
        ("filed_until_tomorrow", (plus(today, -30), plus(today, 1))),
    ] {
        let mut line = filed(province, hospital, at);
        let (no, filing) = province.filing(hospital, line.product, 20, valid);
        line.filing_no = no;
        let key = province.enter(line);
        province.decoy(
            "OFF-01",
            variant,
            vec![key, filing],
            "filed, and the filing was in force",
        );
    }

    for (variant, valid) in [
        ("filing_ended_today", (plus(today, -30), today)),
        ("filing_expired", (plus(today, -90), plus(today, -30))),
        ("filing_not_yet_in_force", (plus(today, 1), plus(today, 60))),
    ] {
        let mut line = filed(province, hospital, at);
        let (no, _) = province.filing(hospital, line.product, 20, valid);
        line.filing_no = no;
        let key = province.enter(line);
        province.plant(
            "OFF-01",
            variant,
            vec![key],
            "the filing was not in force that day",
        );
    }

    let mut line = filed(province, hospital, at);
    let (no, _) = province.filing(other, line.product, 20, (plus(today, -20), plus(today, 40)));
    line.filing_no = no;
    let key = province.enter(line);
    province.plant(
        "OFF-01",
        "filing_of_other_hospital",
        vec![key],
        "the filing is another hospital's",
    );

    let mut line = filed(province, hospital, at);
    line.filing_no = format!("备案{}-{:06}", today.format("%Y"), 900_000 + province.next());
    let key = province.enter(line);
    province.plant("OFF-01", "ghost_filing", vec![key], "no filing has this number");
}

/// Channels and goods that need no platform.
fn exempt(province: &mut Province, copy: usize) {
    let (hospital, _) = hospitals(province, copy, 5);
    let at = on(copy, 9);

    let (supplier, product) = province.partner(hospital);
    let mut urgent = province.line(hospital, supplier, product, at, 2, 125_000);
    urgent.channel = Channel::Emergency;
    let key = province.enter(urgent);
    province.decoy(
        "OFF-01",
        "emergency",
        vec![key],
        "bought to save a life, approved",
    );

    for (variant, class) in [("herbal", Class::Herbal), ("office_goods", Class::Goods)] {
        let (supplier, _) = province.partner(hospital);
        let product = province.product(supplier, class, 86_0000, 1);
        let mut line = province.line(hospital, supplier, product, at, 30, 86_0000);
        line.channel = Channel::Offline;
        let key: RowKey = province.enter(line);
        province.decoy("OFF-01", variant, vec![key], "not a matter of the platform");
    }
}
