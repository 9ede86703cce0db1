//! The documented example is read exactly as `expected.json` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::harness::{Outcome, read};

#[derive(Deserialize)]
struct Expected {
    rows: BTreeMap<String, usize>,
    quarantined: BTreeMap<String, Vec<String>>,
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/first-hospital")
}

fn outcome() -> Outcome {
    let dir = example();
    read(&dir.join("files"), Some(&dir.join("mapping.toml")))
}

#[test]
fn rows_and_quarantine_are_as_expected() {
    let expected: Expected =
        serde_json::from_str(&std::fs::read_to_string(example().join("expected.json")).unwrap()).unwrap();
    let outcome = outcome();
    for (dataset, rows) in &expected.rows {
        assert_eq!(outcome.count(dataset), *rows, "{dataset}");
    }
    for (dataset, count) in [
        ("hospitals", 1),
        ("suppliers", 7),
        ("staff", 3),
        ("declarations", 1),
        ("relations", 3),
        ("procurement_thresholds", 1),
    ] {
        assert_eq!(outcome.count(dataset), count, "{dataset}");
    }
    let quarantined = &expected.quarantined["purchase_orders"];
    assert_eq!(outcome.rejected.len(), quarantined.len());
    for (rejected, order) in outcome.rejected.iter().zip(quarantined) {
        assert_eq!(&*rejected.dataset, "purchase_orders");
        let raw = encoding_rs::GB18030.decode(&rejected.raw).0;
        assert!(raw.contains(order.as_str()), "{raw}");
    }
    assert_eq!(
        outcome.reasons(),
        [
            (53, Some("ordered_at"), "BAD_TIMESTAMP"),
            (54, Some("quantity"), "BAD_DECIMAL")
        ]
    );
}

#[test]
fn nothing_is_left_over_or_passed_over_unsaid() {
    let outcome = outcome();
    let codes: Vec<(&str, &str, u64)> = outcome
        .notices
        .iter()
        .map(|n| (n.code.as_str(), n.place.as_str(), n.count))
        .collect();
    assert_eq!(
        codes,
        [
            ("DATE_TO_MONTH", "人员.csv: post_since", 2),
            ("LINES_ABOVE_HEADER", "廉洁协议台账.xlsx#廉洁购销协议", 1),
            ("LINES_ABOVE_HEADER", "采购订单2024.csv", 2),
            ("NOT_DATA_ROWS", "采购订单2024.csv", 1),
        ]
    );
}

#[test]
fn values_mean_what_they_mean() {
    let outcome = outcome();
    let find = |dataset: &str, key: &str, value: &str| {
        let row = outcome.rows[dataset]
            .iter()
            .find(|r| r.get(key).is_some_and(|v| v == value));
        row.unwrap_or_else(|| panic!("{dataset} {value}")).clone()
    };
    let value = |row: &BTreeMap<String, String>, column: &str| row.get(column).cloned().unwrap_or_default();

    let order = find("purchase_orders", "order_id", "CG202400009");
    assert_eq!(value(&order, "amount"), "2500.00");
    assert_eq!(value(&order, "ordered_at"), "2024-03-11T16:00:00");
    assert_eq!(value(&order, "channel"), "platform");
    assert_eq!(
        (value(&order, "hospital_id"), value(&order, "line_no")),
        ("H0001".into(), "1".into())
    );
    assert_eq!(value(&order, "#"), "13");
    let herbs = find("purchase_orders", "order_id", "CG2024A0004");
    assert_eq!(
        (value(&herbs, "national_code"), value(&herbs, "platform_order_id")),
        (String::new(), String::new())
    );
    assert_eq!(
        value(
            &find("purchase_orders", "order_id", "CG202400016"),
            "supplier_name"
        ),
        "嘉兴信安医用材料有限公司"
    );
    assert_eq!(
        value(
            &find("purchase_orders", "order_id", "CG202400011"),
            "supplier_name"
        ),
        "浙江 同德生物科技股份有限公司"
    );

    let platform = find("platform_orders", "platform_order_id", "PT24000001");
    assert_eq!(
        (value(&platform, "unit_price"), value(&platform, "amount")),
        ("12.5000".into(), "2500.00".into())
    );
    assert_eq!(value(&platform, "ordered_at"), "2024-01-08T02:30:00");
    assert_eq!(value(&platform, "status"), "received");
    assert_eq!(value(&platform, "supplier_uscc"), "91330100MA2A1B2C3T");

    let agreements = &outcome.rows["agreements"];
    let of = |name: &str, kind: &str| {
        agreements
            .iter()
            .find(|r| r["supplier_name"] == name && r["kind"] == kind)
            .unwrap()
            .clone()
    };
    let first = of("杭州康瑞医药有限公司", "integrity_agreement");
    assert_eq!(
        (value(&first, "signed_on"), value(&first, "valid_to")),
        ("2023-12-20".into(), String::new())
    );
    assert_eq!(value(&first, "is_retroactive"), "false");
    assert_eq!(
        value(&first, "agreement_id"),
        "廉洁购销协议-杭州康瑞医药有限公司-2023-12-20"
    );
    let late = of("绍兴鼎新医疗设备有限公司", "integrity_agreement");
    assert_eq!(
        (value(&late, "is_retroactive"), value(&late, "valid_to")),
        ("true".into(), "2025-12-31".into())
    );
    assert_eq!(
        value(&of("台州仁和药业有限公司", "integrity_agreement"), "signed_on"),
        "2023-12-25"
    );
    assert_eq!(
        value(
            &of("台州仁和药业有限公司", "integrity_commitment"),
            "supplier_uscc"
        ),
        "91330100ma2r7t8u9g"
    );

    let tender = find("tenders", "tender_id", "XM24001");
    assert_eq!(
        (value(&tender, "budget"), value(&tender, "method")),
        ("3200000.00".into(), "public".into())
    );
    assert_eq!(value(&tender, "published_at"), "2024-03-01T01:00:00");
    assert_eq!(value(&tender, "catalogue_code"), "A02320300");
    let bid = find("bids", "bid_id", "XM24001-宁波恒泰医疗器械有限责任公司");
    assert_eq!(
        (value(&bid, "amount"), value(&bid, "is_winner")),
        ("3098000.00".into(), "true".into())
    );
    assert_eq!(
        (value(&bid, "mac_address"), value(&bid, "deposit_account")),
        ("00:1b:44:11:3a:b7".into(), "6222000000000000001".into())
    );

    let threshold = &outcome.rows["procurement_thresholds"][0];
    assert_eq!(
        (value(threshold, "amount"), value(threshold, "measure")),
        ("2000000.00".into(), "public_tender".into())
    );
    assert_eq!(
        (value(threshold, "kind"), value(threshold, "effective_from")),
        ("goods".into(), "2020-01-01".into())
    );
    let listing = find("platform_listings", "listing_id", "GW0004");
    assert_eq!(
        (value(&listing, "listed_price"), value(&listing, "listed_from")),
        ("1.3500".into(), "2023-07-01".into())
    );

    assert_eq!(
        value(&find("staff", "staff_id", "E0003"), "post_since"),
        "2016-09-01"
    );
    let relation = find("relations", "from_name", "王某四");
    assert_eq!(
        (value(&relation, "share_percent"), value(&relation, "relation")),
        ("40.0000".into(), "shareholder".into())
    );
    assert_eq!(
        (value(&relation, "from_id"), value(&relation, "to_id")),
        ("990106197809224880".into(), "91330100MA2N4P5Q6E".into())
    );
    assert_eq!(
        value(&find("declarations", "relative_name", "王某四"), "relation"),
        "spouse"
    );
    assert_eq!(value(&outcome.rows["hospitals"][0], "region_code"), "330000");
}
