//! Debarment lists in CSV.

use crate::harness::read;

#[test]
fn a_list_with_usual_headers_and_none_of_its_own_ids() {
    let list = "Firm Name,Address,Country,From Date,To Date,Grounds\n\
        \"ACME, Inc.\",1 Main St,US,05-MAR-2020,04-MAR-2025,\"Corrupt practice, 1.16\"\n\
        Beta Ltd,,GB,01-JAN-2021,Permanent,Fraud\n\
        Gamma,,GB,2021-13-01,,Fraud\n\
        Delta,,GB\n\n";
    let config = "kind = \"debarment\"\n[debarment]\nrecord_type = \"bribery_blacklist\"\nregion_code = \"WB\"\nignore = [\"Address\"]\n";
    let outcome = read(config, "wb.csv", list);
    assert_eq!(
        outcome.column("credit_records", "supplier_name"),
        ["ACME, Inc.", "Beta Ltd"]
    );
    assert_eq!(
        outcome.column("credit_records", "issued_on"),
        ["2020-03-05", "2021-01-01"]
    );
    assert_eq!(
        outcome.column("credit_records", "expires_on"),
        ["2025-03-04", "-"]
    );
    assert_eq!(
        outcome.column("credit_records", "record_type"),
        ["bribery_blacklist"; 2]
    );
    assert_eq!(outcome.column("credit_records", "region_code"), ["WB", "WB"]);
    assert_eq!(
        outcome.reasons(),
        [
            ("credit_records", 4, Some("issued_on"), "BAD_DATE"),
            ("credit_records", 5, None, "WRONG_CELL_COUNT")
        ]
    );
    assert_eq!(outcome.told("COLUMN_IGNORED"), 1);
    let ids = outcome.column("credit_records", "record_id");
    assert_eq!(
        ids,
        read(config, "other.csv", list).column("credit_records", "record_id")
    );
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_chinese_list_with_types_of_its_own() {
    let list = "编号,单位名称,统一社会信用代码,记录类型,处罚日期,列入原因\n1,甲公司,91330100MA2A1B2C3T,行政处罚,2024年3月5日,串通投标\n\
        2,乙公司,,商业贿赂,2024-03-05,行贿\n3,丙公司,,其他,2024-03-05,x\n";
    let config = "kind = \"debarment\"\n[debarment]\ncolumns = { record_id = \"编号\" }\nrecord_types = { \"商业贿赂\" = \"bribery_blacklist\" }\n";
    let bytes = encoding_rs::GB18030.encode(list).0;
    let outcome = read(config, "名单.csv", &bytes);
    assert_eq!(
        outcome.column("credit_records", "record_type"),
        ["penalty", "bribery_blacklist"]
    );
    assert_eq!(outcome.column("credit_records", "record_id"), ["1", "2"]);
    assert_eq!(
        outcome.reasons(),
        [("credit_records", 4, Some("record_type"), "UNKNOWN_CODE")]
    );
}

#[test]
fn lists_that_cannot_be_read() {
    for (list, field, reason) in [
        ("a,b\n1,2\n", Some("supplier_name"), "MISSING_HEADER"),
        ("Firm Name,name\n1,2\n", Some("supplier_name"), "DUPLICATE_COLUMN"),
        ("", None, "EMPTY_FILE"),
    ] {
        let outcome = read("kind = \"debarment\"\n", "a.csv", list);
        assert_eq!(
            outcome.reasons(),
            [("credit_records", 0, field, reason)],
            "{list}"
        );
        assert!(!outcome.rejected[0].detail.is_empty(), "{reason} has no words");
    }
}
