//! `lianjing screen` over files that were synced: the three answers, the rows cited, the exit status.

use std::path::PathBuf;

use integration_tests::{Office, text};
use serde_json::Value;

const AS_OF: &str = "2024-06-30";
const BANNED: &str = "杭州康瑞医疗器械有限公司";
const FINE: &str = "宁波和众生物科技有限公司";

/// Two suppliers: one listed for bribery in the hospital's province, one with both agreements.
fn synced() -> Office {
    let office = Office::new();
    let files = office.dir.path().join("files");
    std::fs::create_dir_all(&files).unwrap();
    let write = |name: &str, csv: String| std::fs::write(files.join(format!("{name}.csv")), csv).unwrap();
    write(
        "hospitals",
        "hospital_id,name,region_code\nH1,甲医院,330100\n".into(),
    );
    write("suppliers", format!("supplier_id,name\nS1,{BANNED}\nS2,{FINE}\n"));
    write(
        "credit_records",
        format!(
            "record_id,supplier_name,record_type,region_code,issued_on\nC1,{BANNED},不良记录,330000,2024-05-01\n"
        ),
    );
    write(
        "agreements",
        format!(
            "agreement_id,hospital_id,supplier_name,kind,signed_on,valid_from,valid_to\n\
             A1,H1,{FINE},廉洁协议,2024-01-01,2024-01-01,2025-01-01\n\
             A2,H1,{FINE},承诺书,2024-01-01,2024-01-01,2025-01-01\n"
        ),
    );
    office
        .run(&["sync", "--files", files.to_str().unwrap()])
        .expect(&[0, 3]);
    office
}

fn screen(office: &Office, args: &[&str], codes: &[i32]) -> Vec<Value> {
    let all = [
        &["screen", "--as-of", AS_OF, "--hospital", "H1", "--format", "json"],
        args,
    ]
    .concat();
    office.run(&all).expect(codes).json_lines()
}

#[test]
fn a_listed_supplier_is_a_hit_that_cites_its_row() {
    let office = synced();
    let answers = screen(&office, &[BANNED, "--check", "lists"], &[0]);
    assert_eq!(answers[0]["verdict"], "HIT");
    let reason = &answers[0]["checks"][0]["reasons"][0];
    assert_eq!(reason["code"], "BANNED_IN_PROVINCE");
    assert_eq!(
        (text(&reason["valid_from"]), text(&reason["valid_to"])),
        ("2024-05-01".into(), "2026-05-01".into())
    );
    assert_eq!(reason["evidence"][0]["key"]["record_id"], "C1");
    assert_ne!(reason["lawful_explanation"]["zh"], "");
    // A name without its legal form is the same firm.
    let short = screen(&office, &["杭州康瑞医疗器械", "--check", "lists"], &[0]);
    assert_eq!(short[0]["verdict"], "HIT");
}

#[test]
fn a_clean_supplier_is_clean_and_what_lacks_data_is_not() {
    let office = synced();
    let answers = screen(&office, &[FINE, "--check", "lists", "--check", "agreement"], &[0]);
    assert_eq!(
        (answers[0]["verdict"].as_str(), answers[0]["complete"].as_bool()),
        (Some("CLEAN"), Some(true))
    );
    // No staff and no relations were synced.
    let answers = screen(&office, &[FINE, "--check", "relations"], &[3]);
    assert_eq!(answers[0]["verdict"], "NOT_COMPUTED");
    assert_eq!(answers[0]["checks"][0]["reasons"][0]["code"], "INPUT_MISSING");
}

#[test]
fn an_empty_lake_is_never_clean() {
    let office = Office::new();
    for answer in screen(&office, &[FINE], &[3]) {
        for check in answer["checks"].as_array().unwrap() {
            assert_ne!(check["verdict"], "CLEAN", "{check}");
        }
    }
}

#[test]
fn orders_come_from_a_file_and_bad_ones_are_told_by_line() {
    let office = synced();
    let file: PathBuf = office.dir.path().join("orders.jsonl");
    let good = format!(
        r#"{{"order_id": "PO-1", "supplier_name": "{FINE}", "channel": "platform", "lines": [{{"unit_price": "1.50"}}]}}"#
    );
    std::fs::write(&file, format!("{good}\n\n{good}\n")).unwrap();
    let path = file.to_str().unwrap();
    let answers = screen(&office, &["--order", path, "--check", "channel"], &[0]);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["reference"], "PO-1");
    std::fs::write(&file, format!("{good}\n{{\"amount\": 1.5}}\n")).unwrap();
    let done = office.run(&["screen", "--order", path]).expect(&[2]);
    assert!(done.stderr.contains("line 2"), "{}", done.stderr);
}
