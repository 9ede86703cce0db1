//! OCDS as it should be: releases, records, packages, JSON Lines; merging; the mapping.

use crate::harness::{Dir, read};

/// A compiled release with everything that is read.
pub const FULL: &str = r#"{
  "ocid": "ocds-test-1", "id": "r1", "date": "2024-06-30T12:00:00Z", "tag": ["compiled"], "language": "zh",
  "parties": [
    {"id": "H001", "name": "第一人民医院", "identifier": {"scheme": "CN-USCC", "id": "12330000470051726F"},
     "roles": ["buyer"]},
    {"id": "A1", "name": "浙江公诚招标代理", "roles": ["procuringEntity"]},
    {"id": "CN-USCC-91330100MA2A1B2C3T", "name": "杭州康瑞医药有限公司",
     "address": {"streetAddress": "滨江路1号", "locality": "杭州", "countryName": "CN"},
     "contactPoint": {"name": "王五", "telephone": "0571-88", "email": "w@example.org"}, "roles": ["tenderer", "supplier"]},
    {"id": "S2", "name": "宁波恒泰医疗器械有限公司", "additionalIdentifiers": [{"scheme": "CN-SAIC", "id": "91330200MA2B1C2D3E"}],
     "roles": ["tenderer"]}
  ],
  "buyer": {"id": "H001", "name": "第一人民医院"},
  "planning": {"budget": {"amount": {"amount": 2000000, "currency": "CNY"}}},
  "tender": {
    "id": "T1", "title": "CT采购", "status": "complete", "procuringEntity": {"id": "A1", "name": "浙江公诚招标代理"},
    "value": {"amount": 1800000.50, "currency": "CNY"}, "procurementMethod": "open",
    "procurementMethodDetails": "公开招标", "procurementMethodRationale": "达到限额", "mainProcurementCategory": "services",
    "tenderPeriod": {"startDate": "2024-03-01", "endDate": "2024-03-21T09:00:00+08:00"},
    "bidOpening": {"date": "2024-03-21T01:30:00Z"},
    "items": [{"id": "1", "classification": {"scheme": "X", "id": "A0232"}}, {"id": "2", "classification": {"id": "A0232"}}]
  },
  "bids": {"details": [
    {"id": "b1", "date": "2024-03-20T10:00:00+08:00", "status": "valid", "value": {"amount": "1,700,000.00", "currency": "CNY"},
     "tenderers": [{"id": "CN-USCC-91330100MA2A1B2C3T", "name": "杭州康瑞医药有限公司"}]},
    {"id": "b2", "date": "2024-03-20", "status": "disqualified", "value": {"amount": 1750000},
     "tenderers": [{"id": "S2"}]}
  ]},
  "awards": [{"id": "w1", "title": "CT采购中标", "status": "active", "date": "2024-04-01T00:00:00+08:00",
    "value": {"amount": 1700000, "currency": "CNY"}, "suppliers": [{"id": "CN-USCC-91330100MA2A1B2C3T"}]}],
  "contracts": [{"id": "c1", "awardID": "w1", "dateSigned": "2024-04-10T16:30:00Z", "status": "active",
    "period": {"startDate": "2024-05-01", "endDate": "2025-05-01"}, "value": {"amount": 1700000, "currency": "CNY"},
    "amendments": [{"id": "m1"}],
    "implementation": {"transactions": [{"id": "t1", "date": "2024-06-01", "value": {"amount": 850000, "currency": "CNY"},
      "payee": {"id": "CN-USCC-91330100MA2A1B2C3T"}}]}}],
  "secretExtension": {"x": 1}
}"#;

pub fn line(text: &str) -> String {
    text.replace('\n', " ")
}

#[test]
fn a_full_release_in_every_wrapping() {
    let package =
        format!(r#"{{"uri": "x", "version": "1.1", "publisher": {{"name": "P"}}, "releases": [{FULL}]}}"#);
    let record = format!(
        r#"{{"records": [{{"ocid": "ocds-test-1", "releases": [{{"url": "u"}}], "compiledRelease": {FULL}}}]}}"#
    );
    let list = format!("[{FULL}]");
    let lines = format!("{}\n", line(FULL));
    let of_lines = format!("{}\n", line(&package));
    let golden = read("kind = \"ocds\"\n", "a.json", FULL).golden();
    insta::assert_snapshot!("full_release", golden);
    for (name, text) in [
        ("a.json", &package),
        ("a.json", &record),
        ("a.json", &list),
        ("a.jsonl", &lines),
        ("a.ndjson", &of_lines),
    ] {
        let other = read("kind = \"ocds\"\n", name, text).golden();
        assert_eq!(
            other.replace("a.jsonl", "a.json").replace("a.ndjson", "a.json"),
            golden,
            "{text}"
        );
    }
}

#[test]
fn releases_of_one_process_are_merged_over_files() {
    let tender = r#"{"ocid": "P1", "id": "1", "date": "2024-01-01T00:00:00Z", "tag": ["tender"],
        "buyer": {"id": "H1", "name": "医院"}, "tender": {"title": "旧", "procurementMethod": "open", "description": "d"}}"#;
    let update = r#"{"ocid": "P1", "id": "2", "date": "2024-02-01T00:00:00Z", "tag": ["tenderUpdate"],
        "tender": {"title": "新", "description": null}}"#;
    let award = r#"{"ocid": "P1", "id": "3", "date": "2024-03-01T00:00:00Z", "tag": ["award"],
        "awards": [{"id": 1, "status": "active", "date": "2024-03-01", "suppliers": [{"id": "S1", "name": "甲"}]}]}"#;
    let outcome = Dir::new("kind = \"ocds\"\n")
        .file("a.json", format!(r#"{{"releases": [{award}]}}"#))
        .file("b.json", format!(r#"{{"releases": [{update}, {tender}]}}"#))
        .read();
    assert_eq!(outcome.column("tenders", "title"), ["新"]);
    assert_eq!(outcome.column("tenders", "method"), ["public"]);
    assert_eq!(outcome.column("tenders", "hospital_id"), ["H1"]);
    assert_eq!(outcome.column("tenders", "awarded_at"), ["2024-02-29T16:00:00"]);
    assert_eq!(outcome.column("suppliers", "name"), ["甲"]);
    assert_eq!(outcome.reasons(), []);
    // A record with embedded releases is merged likewise.
    let record = format!(r#"{{"records": [{{"ocid": "P1", "releases": [{tender}, {update}]}}]}}"#);
    let outcome = read("kind = \"ocds\"\n", "r.json", record);
    assert_eq!(outcome.column("tenders", "title"), ["新"]);
}

#[test]
fn what_cannot_be_merged_is_rejected_by_itself() {
    let releases = r#"[
        {"ocid": "P1", "tag": ["tender"], "date": "2024-01-01", "tender": {"title": "a"}},
        {"ocid": "P1", "tag": ["award"], "tender": {"title": "no date"}},
        {"ocid": "P1", "tag": ["award"], "date": "soon"},
        {"ocid": "P2", "tag": ["tender"], "tender": {"title": "alone, no date"}},
        {"url": "https://example.org/r.json", "date": "2024-01-01"},
        {"ocid": "P3", "versionedRelease": {"x": []}}]"#;
    let outcome = read("kind = \"ocds\"\n", "a.json", releases);
    assert_eq!(outcome.column("tenders", "tender_id"), ["P1", "P2"]);
    let mut reasons = outcome.reasons();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            ("tenders", 2, Some("date"), "BAD_DATE"),
            ("tenders", 3, Some("date"), "BAD_DATE"),
            ("tenders", 5, None, "MISSING_PART"),
            ("tenders", 6, None, "MISSING_PART"),
        ]
    );
}

#[test]
fn version_1_0_has_its_organisations_inline() {
    let release = r#"{"ocid": "P1", "tag": ["compiled"], "buyer": {"identifier": {"scheme": "CN-USCC", "id": "12330000470051726F"}, "name": "医院"},
        "tender": {"tenderers": [{"identifier": {"scheme": "CN-USCC", "id": "91330100MA2A1B2C3T", "legalName": "甲公司"}}, {"name": "乙公司"}, {}]},
        "awards": [{"id": "1", "suppliers": [{"name": "乙公司"}]}],
        "contracts": [{"id": "1", "awardID": "1", "amendment": {"date": "2024-01-01"}, "implementation": {"transactions":
            [{"id": "t", "amount": {"amount": 5}, "receiverOrganization": {"id": "R1", "name": "丙"}}]}}]}"#;
    let outcome = read("kind = \"ocds\"\n", "a.json", release);
    assert_eq!(
        outcome.column("hospitals", "hospital_id"),
        ["CN-USCC-12330000470051726F"]
    );
    assert_eq!(outcome.column("hospitals", "uscc"), ["12330000470051726F"]);
    assert_eq!(outcome.column("bids", "supplier_name"), ["甲公司", "乙公司"]);
    assert_eq!(
        outcome.column("bids", "supplier_uscc"),
        ["91330100MA2A1B2C3T", "-"]
    );
    assert_eq!(outcome.column("bids", "is_winner"), ["false", "true"]);
    assert_eq!(outcome.reasons(), [("bids", 1, Some("bid_id"), "MISSING_KEY")]);
    assert_eq!(outcome.column("contracts", "amendments"), ["1"]);
    assert_eq!(outcome.column("payments", "supplier_name"), ["丙"]);
    assert_eq!(outcome.column("payments", "amount"), ["5.00"]);
    assert!(outcome.told("SUPPLIER_WITHOUT_ID") > 0);
}

#[test]
fn winners_by_bid_by_lot_and_by_name() {
    let release = |awards: &str| {
        let text = format!(
            r#"{{"ocid": "P", "tag": ["compiled"], "bids": {{"details": [
            {{"id": "1", "tenderers": [{{"id": "A"}}], "relatedLots": ["l1"]}},
            {{"id": "2", "tenderers": [{{"id": "A"}}], "relatedLots": ["l2"]}},
            {{"id": "3", "tenderers": [{{"id": "B"}}, {{"id": "C"}}]}}]}}, "awards": {awards}}}"#
        );
        read("kind = \"ocds\"\n", "a.json", text).column("bids", "is_winner")
    };
    assert_eq!(release("[]"), ["-", "-", "-"]);
    assert_eq!(
        release(r#"[{"id": 1, "status": "cancelled", "suppliers": [{"id": "A"}]}]"#),
        ["-", "-", "-"]
    );
    assert_eq!(
        release(r#"[{"id": 1, "suppliers": [{"id": "A"}]}]"#),
        ["true", "true", "false"]
    );
    assert_eq!(
        release(r#"[{"id": 1, "suppliers": [{"id": "A"}], "relatedLots": ["l2"]}]"#),
        ["false", "true", "false"]
    );
    assert_eq!(
        release(r#"[{"id": 1, "suppliers": [{"id": "A"}], "relatedBid": "1"}]"#),
        ["true", "false", "false"]
    );
    assert_eq!(
        release(r#"[{"id": 1, "suppliers": [{"id": "C"}]}]"#),
        ["false", "false", "true"]
    );
}

#[test]
fn winners_without_bidders_become_rows_when_wanted() {
    let release = r#"{"ocid": "P", "tag": ["compiled"], "awards": [{"id": "w", "title": "t", "value": {"amount": 7}, "suppliers": [{"id": "A", "name": "甲"}]}]}"#;
    let outcome = read("kind = \"ocds\"\n", "a.json", release);
    assert_eq!((outcome.count("bids"), outcome.count("contracts")), (0, 0));
    assert_eq!(
        (
            outcome.told("BIDDERS_UNKNOWN"),
            outcome.told("AWARD_WITHOUT_CONTRACT")
        ),
        (1, 1)
    );
    let config = "kind = \"ocds\"\n[ocds]\nbids_from_awards = true\ncontracts_from_awards = true\n";
    let outcome = read(config, "a.json", release);
    assert_eq!(outcome.column("bids", "bid_id"), ["P/award/w/A"]);
    assert_eq!(outcome.column("bids", "is_winner"), ["true"]);
    assert_eq!(outcome.column("bids", "amount"), ["7.00"]);
    assert_eq!(outcome.column("contracts", "contract_id"), ["P/award/w"]);
    assert_eq!(outcome.column("contracts", "supplier_name"), ["甲"]);
}

#[test]
fn currencies() {
    let release = |currency: &str| {
        format!(
            r#"{{"ocid": "P", "tag": ["compiled"], "tender": {{"value": {{"amount": 10, "currency": "{currency}"}}}},
            "bids": {{"details": [{{"id": "1", "value": {{"amount": 9, "currency": "{currency}"}}}}]}},
            "contracts": [{{"id": "1", "value": {{"amount": 8}}}}]}}"#
        )
    };
    let outcome = read("kind = \"ocds\"\n", "a.json", release("USD"));
    assert_eq!(outcome.column("tenders", "budget"), ["-"]);
    assert_eq!(outcome.column("contracts", "amount"), ["8.00"]);
    assert_eq!(outcome.told("OTHER_CURRENCY"), 2);
    let config = "kind = \"ocds\"\n[ocds]\ncurrency = \"USD\"\n";
    let outcome = read(config, "a.json", release("USD"));
    assert_eq!(outcome.column("tenders", "budget"), ["10.00"]);
    assert_eq!(outcome.column("bids", "amount"), ["9.00"]);
    assert_eq!(outcome.reasons(), []);
    let outcome = read(config, "a.json", release("EUR"));
    assert_eq!(
        outcome.reasons(),
        [
            ("tenders", 1, Some("budget"), "OTHER_CURRENCY"),
            ("bids", 1, Some("amount"), "OTHER_CURRENCY")
        ]
    );
    assert_eq!(outcome.count("contracts"), 1);
    assert_eq!(
        read("kind = \"ocds\"\n", "a.json", release("人民币")).column("bids", "amount"),
        ["9.00"]
    );
}

#[test]
fn methods_and_statuses_by_configuration() {
    let release = r#"{"ocid": "P", "tag": ["compiled"], "tender": {"procurementMethod": "adjudicación", "procurementMethodDetails": "x"},
        "bids": {"details": [{"id": "1", "status": "aceptada"}, {"id": 2, "status": "pending"}, {"id": 3, "status": "invited"}]}}"#;
    let outcome = read("kind = \"ocds\"\n", "a.json", release);
    assert_eq!(
        outcome.reasons(),
        [
            ("tenders", 1, Some("method"), "UNKNOWN_CODE"),
            ("bids", 1, Some("status"), "UNKNOWN_CODE")
        ]
    );
    let config = "kind = \"ocds\"\n[ocds.methods]\n\"Adjudicación\" = \"direct\"\n[ocds.bid_statuses]\naceptada = \"valid\"\n";
    let outcome = read(config, "a.json", release);
    assert_eq!(outcome.column("tenders", "method"), ["direct"]);
    assert_eq!(outcome.column("bids", "bid_id"), ["P/1", "P/2"]);
    assert_eq!(outcome.column("bids", "status"), ["valid", "-"]);
    assert_eq!(outcome.told("INVITED_ONLY"), 1);
}
