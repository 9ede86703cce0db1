//! PRICE, THRESHOLD and CHANNEL.

use domain::screening::CheckKind::{self, Channel, Price, Threshold};
use domain::screening::Verdict::{Clean, Hit, NotComputed};
use domain::screening::{ScreenOrder, Verdict};
use screening::{ProductRow, ScreeningInput};

use crate::fixture::*;

fn judge(input: ScreeningInput, order: ScreenOrder, kind: CheckKind, as_of: &str) -> (Verdict, &'static str) {
    let mut asked = request(as_of);
    asked.order = Some(order);
    verdict(&ask(input, &asked), kind)
}

fn listed() -> ScreeningInput {
    ScreeningInput {
        listings: vec![listing("L1", "100.00", Some("330000"), None)],
        ..input()
    }
}

#[test]
fn a_price_above_the_listing_is_a_hit_and_an_equal_one_is_not() {
    let at = |price: &str| judge(listed(), order(price), Price, "2025-06-30");
    assert_eq!(at("100"), (Clean, "WITHIN_LISTING"));
    assert_eq!(at("100.0001"), (Hit, "PRICE_ABOVE_LISTING"));
}

#[test]
fn a_listing_counts_from_its_first_day_to_before_its_last() {
    let on = |as_of: &str| judge(listed(), order("100"), Price, as_of);
    assert_eq!(on("2024-12-31"), (NotComputed, "NO_LISTING_THAT_DAY"));
    assert_eq!(on("2025-01-01"), (Clean, "WITHIN_LISTING"));
    assert_eq!(on("2025-06-30"), (Clean, "WITHIN_LISTING"));
    assert_eq!(on("2025-07-01"), (NotComputed, "NO_LISTING_THAT_DAY"));
}

#[test]
fn the_supplier_s_own_listing_decides() {
    let mut two = listed();
    two.listings
        .push(listing("L2", "80.00", Some("330000"), Some("c1")));
    assert_eq!(
        judge(two.clone(), order("90"), Price, "2025-06-30"),
        (Hit, "PRICE_ABOVE_LISTING")
    );
    two.listings[1].party_id = Some("c7".into());
    assert_eq!(
        judge(two, order("90"), Price, "2025-06-30"),
        (Clean, "WITHIN_LISTING")
    );
}

#[test]
fn without_a_province_only_what_holds_everywhere_is_said() {
    let mut two = listed();
    two.listings.push(listing("L2", "80.00", Some("340000"), None));
    two.hospitals[0].region_code = None;
    let at = |price: &str| judge(two.clone(), order(price), Price, "2025-06-30");
    assert_eq!(at("80"), (Clean, "WITHIN_LISTING"));
    assert_eq!(at("90"), (NotComputed, "WHICH_LISTING_UNKNOWN"));
    assert_eq!(at("101"), (Hit, "PRICE_ABOVE_LISTING"));
}

#[test]
fn pack_sizes_are_brought_to_one_unit() {
    let product = |id: &str, pack: &str| ProductRow {
        product_id: id.into(),
        national_code: Some("C0101000000000000001".into()),
        pack_size: Some(dec(pack)),
    };
    let mut packed = listed();
    packed.products = vec![product("P10", "10"), product("P1", "1")];
    packed.listings[0].product_id = Some("P10".into());
    let at = |price: &str| {
        let mut asked = order(price);
        asked.lines[0].product_id = Some("P1".into());
        judge(packed.clone(), asked, Price, "2025-06-30")
    };
    assert_eq!(at("10"), (Clean, "WITHIN_LISTING"));
    assert_eq!(at("10.01"), (Hit, "PRICE_ABOVE_LISTING"));
}

#[test]
fn a_line_without_code_or_price_is_not_clean() {
    let mut asked = order("100");
    asked.lines[0].national_code = None;
    assert_eq!(
        judge(listed(), asked, Price, "2025-06-30"),
        (NotComputed, "LINE_WITHOUT_CODE")
    );
    let mut asked = order("100");
    asked.lines[0].unit_price = None;
    assert_eq!(
        judge(listed(), asked, Price, "2025-06-30"),
        (NotComputed, "LINE_WITHOUT_PRICE")
    );
}

fn limited() -> ScreeningInput {
    ScreeningInput {
        thresholds: vec![threshold("T1", "330000", "2000000")],
        tenders: vec![tender("X1", "1500000", "2025-02-01")],
        ..input()
    }
}

fn of_amount(amount: &str) -> ScreenOrder {
    ScreenOrder {
        amount: Some(amount.into()),
        ..order("1")
    }
}

#[test]
fn the_standard_itself_is_reached() {
    let mut alone = limited();
    alone.tenders.clear();
    let at = |amount: &str| judge(alone.clone(), of_amount(amount), Threshold, "2025-06-30");
    assert_eq!(at("1999999.99"), (Clean, "BELOW_STANDARD"));
    assert_eq!(at("2000000"), (Hit, "AT_OR_ABOVE_STANDARD"));
}

#[test]
fn a_sum_has_to_go_beyond_the_standard() {
    let at = |amount: &str| judge(limited(), of_amount(amount), Threshold, "2025-06-30");
    assert_eq!(at("500000"), (Clean, "BELOW_STANDARD"));
    assert_eq!(at("500000.01"), (Hit, "SPLIT_ABOVE_STANDARD"));
}

#[test]
fn what_is_approved_void_public_or_of_another_year_item_or_class_is_not_summed() {
    type Change = fn(&mut screening::TenderRow);
    let changes: [Change; 8] = [
        |t| t.is_approved = true,
        |t| t.is_void = true,
        |t| t.method = Some("public".into()),
        |t| t.method = Some("framework".into()),
        |t| t.started_on = day("2024-12-31"),
        |t| t.started_on = day("2025-07-01"),
        |t| t.class_code = "A0233".into(),
        |t| t.hospital_id = "H2".into(),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut changed = limited();
        change(&mut changed.tenders[0]);
        let found = judge(changed, of_amount("600000"), Threshold, "2025-06-30");
        assert_eq!(found, (Clean, "BELOW_STANDARD"), "change {n}");
    }
    // The order's own record is not counted beside it.
    let mut own = limited();
    own.tenders[0].row.key = "PO-1".into();
    assert_eq!(judge(own, of_amount("600000"), Threshold, "2025-06-30").0, Clean);
}

#[test]
fn the_nearest_place_that_has_a_standard_decides() {
    let mut near = limited();
    near.tenders.clear();
    near.thresholds.push(threshold("T2", "330100", "1000000"));
    near.thresholds.push(threshold("T3", "000000", "4000000"));
    assert_eq!(
        judge(near, of_amount("1000000"), Threshold, "2025-06-30"),
        (Hit, "AT_OR_ABOVE_STANDARD")
    );
}

#[test]
fn a_standard_counts_while_it_is_in_force() {
    let mut dated = limited();
    dated.tenders.clear();
    dated.thresholds[0].effective_from = Some(day("2025-06-01"));
    dated.thresholds[0].effective_to = Some(day("2025-07-01"));
    let on = |as_of: &str| judge(dated.clone(), of_amount("1"), Threshold, as_of);
    assert_eq!(on("2025-05-31"), (NotComputed, "NO_STANDARD_THAT_DAY"));
    assert_eq!(on("2025-06-01"), (Clean, "BELOW_STANDARD"));
    assert_eq!(on("2025-07-01"), (NotComputed, "NO_STANDARD_THAT_DAY"));
}

#[test]
fn a_public_tender_and_an_approved_method_need_no_standard() {
    let public = ScreenOrder {
        method: Some("public".into()),
        ..of_amount("9000000")
    };
    assert_eq!(
        judge(limited(), public, Threshold, "2025-06-30"),
        (Clean, "PUBLIC_TENDER")
    );
    let approved = ScreenOrder {
        method_approval_no: Some("浙财采〔2025〕1号".into()),
        ..of_amount("9000000")
    };
    assert_eq!(
        judge(limited(), approved, Threshold, "2025-06-30"),
        (Clean, "METHOD_APPROVED")
    );
    let unsaid = ScreenOrder {
        method: None,
        ..of_amount("9000000")
    };
    assert_eq!(
        judge(limited(), unsaid, Threshold, "2025-06-30"),
        (NotComputed, "METHOD_NOT_GIVEN")
    );
}

fn offline(filing_no: Option<&str>) -> ScreenOrder {
    ScreenOrder {
        channel: Some("offline".into()),
        filing_no: filing_no.map(str::to_owned),
        ..order("1")
    }
}

#[test]
fn a_listed_consumable_off_the_platform_needs_a_filing() {
    assert_eq!(
        judge(listed(), order("1"), Channel, "2025-06-30"),
        (Clean, "ON_PLATFORM")
    );
    assert_eq!(
        judge(listed(), offline(None), Channel, "2025-06-30"),
        (Hit, "OFFLINE_WITHOUT_FILING")
    );
    assert_eq!(
        judge(listed(), offline(Some("F1")), Channel, "2025-06-30"),
        (Hit, "FILING_NOT_FOUND")
    );
    let mut filed = listed();
    filed.filings = vec![filing("2025-06-01", "2025-07-01")];
    let on = |as_of: &str| judge(filed.clone(), offline(Some("F1")), Channel, as_of);
    assert_eq!(on("2025-05-31"), (Hit, "FILING_DOES_NOT_COVER"));
    assert_eq!(on("2025-06-01"), (Clean, "FILED"));
    assert_eq!(on("2025-06-30"), (Clean, "FILED"));
    assert_eq!(on("2025-07-01"), (Hit, "FILING_DOES_NOT_COVER"));
}

#[test]
fn what_the_platform_does_not_trade_may_be_bought_off_it() {
    let mut decoction = offline(None);
    decoction.lines[0].product_name = Some("中药饮片 黄芪".into());
    assert_eq!(
        judge(listed(), decoction, Channel, "2025-06-30"),
        (Clean, "OUT_OF_SCOPE")
    );
    let mut uncoded = offline(None);
    uncoded.lines[0].national_code = None;
    assert_eq!(
        judge(listed(), uncoded.clone(), Channel, "2025-06-30"),
        (NotComputed, "LINE_WITHOUT_CODE")
    );
    uncoded.category = Some("equipment".into());
    assert_eq!(
        judge(listed(), uncoded, Channel, "2025-06-30"),
        (Clean, "OUT_OF_SCOPE")
    );
}
