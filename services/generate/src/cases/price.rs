//! PRC-03 and OFF-02: paid more than the listed price, through the platform or past it.

use crate::calendar::{day, plus};
use crate::names::Class;
use crate::province::{Channel, Province};
use crate::truth::RowKey;

pub(crate) fn plant(province: &mut Province, copy: usize) {
    on_the_platform(province, copy);
    listing_changed(province, copy);
    packs(province, copy);
    offline(province, copy);
}

fn place(copy: usize, n: usize) -> usize {
    (copy * 3 + n + 7) % 10
}

fn on(copy: usize, n: u32) -> u32 {
    90 + (copy as u32 * 127 + n * 37) % 560
}

/// A platform line at `price`, with the platform's record at the same price.
fn bought_at(province: &mut Province, hospital: usize, at: u32, price: i64) -> RowKey {
    let (supplier, product) = province.partner(hospital);
    let mut line = province.line(hospital, supplier, product, at, 80, price);
    line.platform_order_id = province.platform_order(&line, at, 80);
    province.enter(line)
}

fn on_the_platform(province: &mut Province, copy: usize) {
    let hospital = place(copy, 0);
    for (variant, price) in [("well_above", 162_000), ("a_fen_above", 125_100)] {
        let key = bought_at(province, hospital, on(copy, 0), price);
        province.plant("PRC-03", variant, vec![key], "listed at 12.50");
    }
    for (variant, price) in [("at_listed_price", 125_000), ("below_listed_price", 124_999)] {
        let key = bought_at(province, hospital, on(copy, 1), price);
        province.decoy("PRC-03", variant, vec![key], "listed at 12.50");
    }
}

/// A product whose listed price fell on one day: the day decides which price holds.
fn listing_changed(province: &mut Province, copy: usize) {
    let hospital = place(copy, 1);
    let at = on(copy, 2);
    let supplier = province.supplier();
    province.agree(hospital, supplier);
    // Listed at 20.00 until the day before, at 15.00 from `at` on.
    let code = format!("XJ09ZZ{:04}B001010{:06}", copy, province.next());
    let product = province.unlisted_product(supplier, Class::Drug, 150_000, 1, Some(code));
    province.list(supplier, product, 200_000, plus(day(at), -400), Some(day(at)));
    let listing = province.list(supplier, product, 150_000, day(at), None);

    let mut buy = |at: u32, price: i64| {
        let mut line = province.line(hospital, supplier, product, at, 30, price);
        line.platform_order_id = province.platform_order(&line, at, 30);
        province.enter(line)
    };
    let early = buy(at - 1, 200_000);
    let late = buy(at, 200_000);
    let cheap = buy(at + 1, 150_000);
    let listing = RowKey::new("platform_listings", "listing_id", &listing);
    province.plant(
        "PRC-03",
        "old_price_after_change",
        vec![late, listing],
        "the price fell to 15.00 that day",
    );
    province.decoy(
        "PRC-03",
        "old_price_before_change",
        vec![early],
        "20.00 was the listed price the day before",
    );
    province.decoy(
        "PRC-03",
        "new_price_after_change",
        vec![cheap],
        "bought at the new price",
    );
}

/// A box of ten against a listing by the piece.
fn packs(province: &mut Province, copy: usize) {
    let hospital = place(copy, 2);
    for (price, lawful) in [(1_250_000, true), (1_300_000, false)] {
        let supplier = province.supplier();
        province.agree(hospital, supplier);
        let piece = province.product(supplier, Class::Drug, 125_000, 1);
        let code = province.products[piece].national_code.clone();
        // The box carries the same code; only the piece is listed.
        let boxed = province.unlisted_product(supplier, Class::Drug, 1_250_000, 10, code);
        let at = on(copy, 3);
        let mut line = province.line(hospital, supplier, boxed, at, 12, price);
        line.platform_order_id = province.platform_order(&line, at, 12);
        let key = province.enter(line);
        if lawful {
            province.decoy(
                "PRC-03",
                "box_of_ten",
                vec![key],
                "125.00 a box of ten, listed at 12.50 a piece",
            );
        } else {
            province.plant(
                "PRC-03",
                "dear_box_of_ten",
                vec![key],
                "130.00 a box of ten, listed at 12.50 a piece",
            );
        }
    }
}

/// OFF-02: offline, filed or not, above the list. Each is above the list in any channel as well.
fn offline(province: &mut Province, copy: usize) {
    let hospital = place(copy, 3);
    let at = on(copy, 4);
    let today = day(at);

    for (variant, price) in [("filed_above_list", 158_000), ("filed_at_list", 125_000)] {
        let (supplier, product) = province.partner(hospital);
        let mut line = province.line(hospital, supplier, product, at, 20, price);
        line.channel = Channel::FiledOffline;
        let (no, filing) = province.filing(hospital, product, 20, (plus(today, -20), plus(today, 40)));
        line.filing_no = no;
        let key = province.enter(line);
        if price > 125_000 {
            province.plant(
                "OFF-02",
                variant,
                vec![key.clone()],
                "filed, but dearer than listed",
            );
            province.plant("PRC-03", variant, vec![key], "dearer than listed");
        } else {
            province.decoy("OFF-02", variant, vec![key, filing], "filed, at the listed price");
        }
    }

    let (supplier, product) = province.partner(hospital);
    let mut line = province.line(hospital, supplier, product, at + 3, 20, 158_000);
    line.channel = Channel::Offline;
    let key = province.enter(line);
    province.plant(
        "OFF-02",
        "offline_above_list",
        vec![key.clone()],
        "offline and dearer than listed",
    );
    province.plant(
        "PRC-03",
        "offline_above_list",
        vec![key.clone()],
        "dearer than listed",
    );
    province.plant("OFF-01", "offline_above_list", vec![key], "offline and not filed");

    // A lower listing that had ended by then.
    let (supplier, product) = province.partner(hospital);
    let mut line = province.line(hospital, supplier, product, at + 5, 20, 125_000);
    line.platform_order_id = province.platform_order(&line, at + 5, 20);
    province.list(
        supplier,
        product,
        90_000,
        plus(today, -300),
        Some(plus(today, -30)),
    );
    let key = province.enter(line);
    province.decoy(
        "PRC-03",
        "lower_listing_ended",
        vec![key],
        "a lower listing in the province ended before",
    );
}
