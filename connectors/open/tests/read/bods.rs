//! BODS statements: 0.4 records and flat 0.3 statements.

use crate::harness::{Dir, read};

const V04: &str = r#"[
 {"statementId": "s1", "recordId": "E1", "recordType": "entity", "recordStatus": "new", "statementDate": "2024-01-01",
  "recordDetails": {"isComponent": false, "entityType": {"type": "registeredEntity"}, "name": "杭州康瑞医药有限公司",
   "identifiers": [{"scheme": "XI-LEI", "id": "5493001KJTIIGC8Y1R12"}, {"scheme": "CN-USCC", "id": "91330100MA2A1B2C3T"}], "foundingDate": "2010-02-03"}},
 {"statementId": "s2", "recordId": "P1", "recordType": "person", "recordStatus": "new", "statementDate": "2024-01-01",
  "recordDetails": {"personType": "knownPerson", "names": [{"type": "legal", "familyName": "王", "givenName": "小五"}],
   "identifiers": [{"scheme": "CHN-IDCARD", "id": "11010519491231002X"}]}},
 {"statementId": "s3", "recordId": "E2", "recordType": "entity", "recordDetails": {"name": "控股公司"}},
 {"statementId": "s4", "recordId": "R1", "recordType": "relationship", "recordStatus": "new", "statementDate": "2024-01-01",
  "recordDetails": {"subject": "E1", "interestedParty": "P1", "interests": [
   {"type": "shareholding", "directOrIndirect": "direct", "share": {"exact": 51.25}, "startDate": "2020-01-01"},
   {"type": "votingRights", "share": {"minimum": 25, "maximum": 50}},
   {"type": "shareholding", "directOrIndirect": "indirect", "share": {"minimum": 25, "exclusiveMaximum": 50}},
   {"type": "boardChair", "startDate": "2021-05-01", "endDate": "2023-05-01"},
   {"type": "somethingNew"}]}},
 {"statementId": "s5", "recordId": "R2", "recordType": "relationship", "statementDate": "2023-01-01", "recordStatus": "new",
  "recordDetails": {"subject": "E1", "interestedParty": "E2", "interests": [{"type": "shareholding", "share": {"exact": "40"}}]}},
 {"statementId": "s6", "recordId": "R2", "recordType": "relationship", "statementDate": "2024-02-01", "recordStatus": "closed",
  "recordDetails": {"subject": "E1", "interestedParty": "E2"}},
 {"statementId": "s7", "recordId": "R3", "recordType": "relationship",
  "recordDetails": {"subject": "E1", "interestedParty": {"reason": "noBeneficialOwners"}, "interests": []}},
 {"statementId": "s8", "recordId": "R4", "recordType": "relationship",
  "recordDetails": {"subject": "E1", "interestedParty": "gone", "interests": [{"type": "seniorManagingOfficial"}]}},
 {"statementId": "s9", "recordId": "R5", "recordType": "relationship", "recordDetails": {"subject": "E1", "interestedParty": "E2", "interests": []}},
 {"statementId": "s10", "recordId": "X", "recordType": "spaceship", "recordDetails": {}},
 {"recordType": "entity"}, 5]"#;

#[test]
fn statements_of_0_4() {
    let outcome = read(
        "kind = \"bods\"\n[bods]\ncompanies_as_suppliers = true\n",
        "b.json",
        V04,
    );
    insta::assert_snapshot!("bods_0_4", outcome.golden());
}

#[test]
fn a_range_by_its_other_end_or_not_at_all() {
    for (bound, want) in [("minimum", "25.0000"), ("maximum", "50.0000"), ("none", "-")] {
        let config = format!(
            "kind = \"bods\"\n[bods]\nshare_range = \"{bound}\"\ninterests = {{ somethingNew = \"agent\" }}\n"
        );
        let outcome = read(&config, "b.json", V04);
        assert_eq!(outcome.column("relations", "share_percent")[2], want);
        assert!(
            outcome
                .column("relations", "relation")
                .contains(&"agent".to_owned())
        );
    }
}

#[test]
fn statements_of_0_3_over_files() {
    let entity = r#"{"statementID": "e1", "statementType": "entityStatement", "entityType": "registeredEntity", "name": "甲公司"}"#;
    let person =
        r#"{"statementID": "p1", "statementType": "personStatement", "names": [{"fullName": "李四"}]}"#;
    let old = r#"{"statementID": "o1", "statementType": "ownershipOrControlStatement", "subject": {"describedByEntityStatement": "e1"},
        "interestedParty": {"describedByPersonStatement": "p1"}, "interests": [{"type": "shareholding", "share": {"exact": 10}}]}"#;
    let new = r#"{"statementID": "o2", "statementType": "ownershipOrControlStatement", "replacesStatements": ["o1"],
        "subject": {"describedByEntityStatement": "e1"}, "interestedParty": {"describedByPersonStatement": "p1"},
        "interests": [{"type": "voting-rights", "interestLevel": "direct"}, {"type": "shareholding", "interestLevel": "direct", "share": {"exact": 20}}]}"#;
    let nobody = r#"{"statementID": "o3", "statementType": "ownershipOrControlStatement", "subject": {"describedByEntityStatement": "e1"},
        "interestedParty": {"unspecified": {"reason": "unknown"}}}"#;
    let line = |text: &str| format!("{}\n", text.replace('\n', " "));
    let outcome = Dir::new("kind = \"bods\"\n")
        .file("a.jsonl", line(new) + &line(old) + &line(nobody))
        .file("b.jsonl", line(entity) + &line(person))
        .read();
    assert_eq!(
        outcome.column("relations", "relation"),
        ["beneficial_owner", "shareholder"]
    );
    assert_eq!(outcome.column("relations", "from_name"), ["李四", "李四"]);
    assert_eq!(outcome.column("relations", "from_type"), ["person", "person"]);
    assert_eq!(outcome.column("relations", "to_name"), ["甲公司", "甲公司"]);
    assert_eq!(outcome.column("relations", "share_percent"), ["-", "20.0000"]);
    assert_eq!(
        (outcome.told("SUPERSEDED"), outcome.told("UNSPECIFIED_PARTY")),
        (1, 1)
    );
    assert_eq!(outcome.reasons(), []);
}
