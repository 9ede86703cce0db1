//! FollowTheMoney entities.

use crate::harness::read;

const ENTITIES: &[&str] = &[
    r#"{"id": "own1", "schema": "Ownership", "properties": {"owner": ["p1"], "asset": ["c1"], "percentage": ["51%"], "startDate": ["2019"]}}"#,
    r#"{"id": "own2", "schema": "Ownership", "properties": {"owner": ["c2", "p1"], "asset": ["c1"], "percentage": ["25-50"], "endDate": ["2022-03-01", "2023-03-01"]}}"#,
    r#"{"id": "own3", "schema": "Ownership", "properties": {"owner": ["c2"], "asset": ["c1"], "percentage": ["half"]}}"#,
    r#"{"id": "own4", "schema": "Ownership", "properties": {"owner": ["p1"], "asset": ["c1"], "ownershipType": ["Beneficial ownership"]}}"#,
    r#"{"id": "dir1", "schema": "Directorship", "properties": {"director": ["p1"], "organization": ["c1"], "role": ["法定代表人"]}}"#,
    r#"{"id": "dir2", "schema": "Directorship", "properties": {"director": ["p1"], "organization": ["gone"]}}"#,
    r#"{"id": "fam1", "schema": "Family", "properties": {"person": ["p1"], "relative": ["p2"], "relationship": ["wife"]}}"#,
    r#"{"id": "ass1", "schema": "Associate", "properties": {"person": ["p1"], "associate": ["p2"], "relationship": ["friend"]}}"#,
    r#"{"id": "ass2", "schema": "Associate", "properties": {"person": [], "associate": ["p2"], "relationship": ["brother"]}}"#,
    r#"{"id": "c1", "schema": "Company", "caption": "甲公司", "datasets": ["cn_ccgp"], "properties": {"name": ["甲公司", "Jia Co"], "uscCode": ["91330100MA2A1B2C3T"],
        "sanctions": [{"id": "sa2", "schema": "Sanction", "datasets": ["cn_ccgp"], "properties": {"entity": ["c1"], "reason": ["围标"], "listingDate": ["2024-02-03"]}}]}}"#,
    r#"{"id": "c2", "schema": "Organization", "caption": "乙", "properties": {}}"#,
    r#"{"id": "p1", "schema": "Person", "properties": {"name": ["王五"], "idNumber": ["x", "11010519491231002X"]}}"#,
    r#"{"id": "p2", "schema": "Person", "properties": {"name": "赵六"}}"#,
    r#"{"id": "sa1", "schema": "Sanction", "properties": {"entity": ["c2"], "program": ["Debarment"], "startDate": ["2020-01-01"], "endDate": ["2023-01-01"]}}"#,
    r#"{"id": "sa3", "schema": "Sanction", "properties": {"entity": ["p1"]}}"#,
    r#"{"id": "sa4", "schema": "Sanction", "properties": {}}"#,
    r#"{"id": "ad1", "schema": "Address", "properties": {"full": ["x"]}}"#,
    r#"{"schema": "Company"}"#,
    r#"{"id": "n1"}"#,
    r#"{"id": "n2", "schema": "Company", "properties": [1]}"#,
];

fn lines() -> String {
    ENTITIES
        .iter()
        .map(|e| format!("{}\n", e.replace('\n', " ")))
        .collect()
}

#[test]
fn entities_become_relations_and_records() {
    let config = "kind = \"ftm\"\n[ftm]\nrecord_type = \"court\"\nregion_code = \"330000\"\n\
        record_types = { cn_ccgp = \"penalty\", Debarment = \"bribery_blacklist\" }\n";
    insta::assert_snapshot!("ftm", read(config, "entities.ftm.json", lines()).golden());
}

#[test]
fn what_the_configuration_adds() {
    let config = "kind = \"ftm\"\n[ftm]\nassociate = \"other_relative\"\ncompanies_as_suppliers = true\n\
        relationships = { friend = \"agent\" }\nroles = { \"法定代表人\" = \"manager\" }\n";
    let outcome = read(config, "e.jsonl", lines());
    let rows = &outcome.rows["relations"];
    let of = |id: &str| rows.iter().find(|r| r["relation_id"] == id).unwrap()["relation"].clone();
    assert_eq!((of("ass1").as_str(), of("dir1").as_str()), ("agent", "manager"));
    assert_eq!(outcome.column("suppliers", "name"), ["甲公司", "乙"]);
}

#[test]
fn a_list_of_debarments_reads_sanctions_only() {
    let outcome = read(
        "kind = \"debarment\"\n[debarment]\nrecord_type = \"bribery_blacklist\"\n",
        "e.jsonl",
        lines(),
    );
    assert_eq!(outcome.count("relations"), 0);
    assert_eq!(outcome.column("credit_records", "record_id"), ["sa2", "sa1"]);
    assert_eq!(
        outcome.column("credit_records", "record_type"),
        ["bribery_blacklist", "bribery_blacklist"]
    );
    assert_eq!(
        outcome.column("credit_records", "supplier_uscc"),
        ["91330100MA2A1B2C3T", "-"]
    );
}
