//! The documented example: one hospital's messy exports give exactly what its `expected.json` says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use integration_tests::{Office, evidence, root, text};
use serde_json::Value;

fn example() -> PathBuf {
    root().join("docs/examples/first-hospital")
}

fn synced() -> Office {
    let office = Office::new();
    office.sync_first_hospital();
    office
}

fn expected() -> Value {
    let text =
        std::fs::read_to_string(example().join("expected.json")).expect("expected.json lies beside the data");
    serde_json::from_str(&text).expect("expected.json is JSON")
}

/// What an alert is about, in the words of expected.json.
fn subject(alert: &Value) -> String {
    let identity = |name: &str| text(&alert["identity"][name]);
    let keys = |dataset: &str| {
        let found: BTreeSet<String> = evidence(alert)
            .into_iter()
            .filter(|(d, _)| d == dataset)
            .map(|(_, key)| key)
            .collect();
        found.into_iter().collect::<Vec<_>>().join("|")
    };
    match alert["rule_id"].as_str().unwrap_or_default() {
        "OFF-01" | "PRC-03" => identity("order_id"),
        "SUP-01" | "SUP-02" => format!("{}|{}", identity("hospital_id"), identity("supplier_key")),
        "REL-01" | "REL-02" => format!("{}|{}", identity("staff_id"), identity("supplier_key")),
        "COL-01" => identity("tender_id"),
        _ => keys("tenders"),
    }
}

#[test]
fn row_counts_and_quarantine_are_as_expected() {
    let office = synced();
    let expected = expected();
    for (dataset, rows) in expected["rows"].as_object().unwrap() {
        let found = office.sql(&format!("select count(*) as n from {dataset}"));
        assert_eq!(&found[0]["n"], rows, "{dataset}");
    }
    for (dataset, keys) in expected["quarantined"].as_object().unwrap() {
        let raw: Vec<String> = office
            .sql("select dataset, raw from _quarantine")
            .iter()
            .filter(|r| r["dataset"] == dataset.as_str())
            .map(|r| text(&r["raw"]))
            .collect();
        assert_eq!(raw.len(), keys.as_array().unwrap().len(), "{dataset}: {raw:?}");
        for key in keys.as_array().unwrap() {
            // Raw bytes are shown in hex: the file is GB18030.
            let hex: String = key
                .as_str()
                .unwrap()
                .bytes()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert!(raw.iter().any(|r| r.contains(&hex)), "{key} not in {raw:?}");
        }
    }
}

#[test]
fn alerts_are_exactly_the_expected_ones() {
    let office = synced();
    let run = office.run(&["run", "--as-of", "2025-01-31"]).expect(&[0, 3]);
    let alerts = office.alerts();
    let expected = expected();
    for (rule, subjects) in expected["alerts"].as_object().unwrap() {
        let want: BTreeSet<String> = subjects.as_array().unwrap().iter().map(text).collect();
        let mut found: BTreeSet<String> = alerts
            .iter()
            .filter(|a| a["rule_id"] == rule.as_str())
            .map(subject)
            .collect();
        if rule == "SUP-01" {
            // "SUP-01 may also name e for what was bought before 2024-05-10".
            found.remove("H0001|91330100MA2N4P5Q6E");
        }
        assert_eq!(found, want, "{rule}\n{}\n{}", run.stdout, run.stderr);
    }
    for (rule, near_misses) in expected["silent"].as_object().unwrap() {
        for near_miss in near_misses.as_array().unwrap() {
            let subject_text = text(near_miss);
            let quiet = subject_text.split(' ').next().unwrap();
            for alert in alerts.iter().filter(|a| a["rule_id"] == rule.as_str()) {
                assert_ne!(subject(alert), quiet, "{rule} must be silent on {near_miss}");
            }
        }
    }
}

#[test]
fn a_dry_run_tells_what_the_run_then_does_and_records_nothing() {
    let office = synced();
    let tried = office
        .run(&["run", "--as-of", "2025-01-31", "--dry-run", "--format", "json"])
        .expect(&[0, 3]);
    assert!(office.alerts().is_empty());
    let (rules, events): (Vec<_>, Vec<_>) = tried
        .json_lines()
        .into_iter()
        .partition(|line| line.get("kind").is_none());
    let run = office
        .run(&["run", "--as-of", "2025-01-31", "--format", "json"])
        .expect(&[0, 3]);
    let counts = |line: &serde_json::Value| (line["rule_id"].clone(), line["counts"].clone());
    assert_eq!(
        rules.iter().map(counts).collect::<Vec<_>>(),
        run.json_lines().iter().map(counts).collect::<Vec<_>>()
    );
    let alerts = office.alerts();
    assert_eq!(events.len(), alerts.len());
    let mut foretold: Vec<&str> = events
        .iter()
        .map(|e| e["alert"]["fingerprint"].as_str().unwrap())
        .collect();
    let mut opened: Vec<&str> = alerts
        .iter()
        .map(|a| a["fingerprint"].as_str().unwrap())
        .collect();
    foretold.sort_unstable();
    opened.sort_unstable();
    assert_eq!(foretold, opened);
    assert!(events.iter().all(|e| e["kind"] == "OPENED"));

    // Looked back from the same day, a rule finds what the run found, and nothing is recorded.
    let looked = office
        .run(&[
            "rules",
            "backtest",
            "OFF-01",
            "--from",
            "2024-12-31",
            "--to",
            "2025-01-31",
            "--step-days",
            "31",
            "--format",
            "json",
        ])
        .expect(&[0, 3]);
    let (points, hits): (Vec<_>, Vec<_>) = looked
        .json_lines()
        .into_iter()
        .partition(|line| line.get("as_of").is_some());
    let days: Vec<&str> = points.iter().map(|p| p["as_of"].as_str().unwrap()).collect();
    assert_eq!(days, ["2024-12-31", "2025-01-31"]);
    let off = |alert: &&serde_json::Value| alert["rule_id"] == "OFF-01";
    let found = alerts.iter().filter(off).count();
    assert_eq!(points[1]["hits"], found);
    let standing = hits.iter().filter(|h| h["last_day"] == "2025-01-31").count();
    assert_eq!(standing, found);
    assert_eq!(office.alerts().len(), alerts.len());

    // Wherever an alert goes, the law and the lawful explanations go along.
    for alert in &alerts {
        let rule = &alert["rule"];
        for member in ["legal_basis", "lawful_explanations"] {
            assert!(!rule[member].as_array().unwrap().is_empty(), "{rule}");
        }
    }
}

#[test]
fn an_alert_can_be_replayed_to_the_same_evidence() {
    let office = synced();
    office.run(&["run", "--as-of", "2025-01-31"]).expect(&[0, 3]);
    for alert in office.alerts() {
        office
            .run(&["replay", alert["alert_id"].as_str().unwrap()])
            .expect(&[0]);
    }
}

#[test]
fn a_second_sync_and_run_change_nothing() {
    let office = synced();
    office.run(&["run", "--as-of", "2025-01-31"]).expect(&[0, 3]);
    let before = office.run(&["alerts", "export", "--format", "json"]).stdout;
    let again = office.sync_first_hospital();
    assert!(again.stdout.contains("purchase_orders"), "{}", again.stdout);
    for row in office.sql(
        "select dataset, sum(inserted + updated) as changed from _syncs \
         where started_at = (select max(started_at) from _syncs) group by dataset",
    ) {
        assert_eq!(text(&row["changed"]), "0", "{row}");
    }
    office.run(&["run", "--as-of", "2025-01-31"]).expect(&[0, 3]);
    assert_eq!(
        before,
        office.run(&["alerts", "export", "--format", "json"]).stdout
    );
}
