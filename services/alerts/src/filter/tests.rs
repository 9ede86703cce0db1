//! What filters accept, what they match, and what they say when they do not understand.

use std::collections::BTreeMap;

use domain::alert::AlertState;
use domain::rule::Severity;
use domain::{Bilingual, Value};
use proptest::prelude::*;

use super::*;
use crate::error::Error;

fn facts() -> Facts {
    Facts {
        rule_version: 1,
        severity: Severity::Medium,
        hospital_id: Some("H1".into()),
        identity: BTreeMap::from([("tender_id".to_owned(), Value::text("T-9"))]),
        subject: BTreeMap::from([
            ("supplier".to_owned(), Value::text("91310000")),
            (
                "supplier_name".to_owned(),
                Value::List(vec![Value::text("华润医药"), Value::text("Acme Pharma")]),
            ),
            ("other_supplier_key".to_owned(), Value::text("91440101")),
            ("staff_id".to_owned(), Value::Int(17)),
        ]),
        amount_at_risk: Some("1234.50".into()),
        message: Bilingual::new("疑似拆分采购", "Looks split below the threshold"),
    }
}

fn matches_with(filter: &str, facts: &Facts) -> bool {
    Filter::parse(filter)
        .unwrap_or_else(|e| panic!("{filter}: {e}"))
        .matches(&Candidate {
            alert_id: "A-0123-1",
            rule_id: "TEN-04",
            state: AlertState::Open,
            first_seen: "2024-03-01".parse().unwrap(),
            last_seen: "2024-03-05".parse().unwrap(),
            facts,
        })
}

#[track_caller]
fn check(filter: &str, expected: bool) {
    assert_eq!(matches_with(filter, &facts()), expected, "{filter}");
}

#[test]
fn every_field_and_operator() {
    for (filter, expected) in [
        ("", true),
        ("  ", true),
        ("rule_id = TEN-04", true),
        ("rule_id=\"TEN-04\"", true),
        ("rule_id = 'TEN-05'", false),
        ("rule_id != TEN-05", true),
        ("rule_id = TEN-*", true),
        ("rule_id = *-04", true),
        ("rule_id = *N-0*", true),
        ("rule_id = \"TEN\"", false),
        ("rule_id : ten", true),
        ("rule_id >= TEN-04", true),
        ("rule_id > TEN-04", false),
        ("alert_id = A-0123-1", true),
        ("severity = medium", true),
        ("severity >= MEDIUM", true),
        ("severity > MEDIUM", false),
        ("severity < HIGH", true),
        ("state = OPEN", true),
        ("state != CLOSED", true),
        ("state = closed", false),
        ("hospital_id = H1", true),
        ("hospital_id:*", true),
        ("first_seen <= 2024-03-01", true),
        ("first_seen < 2024-03-01", false),
        ("last_seen > 2024-03-01", true),
        ("amount_at_risk = 1234.5", true),
        ("amount_at_risk > 1234.49", true),
        ("amount_at_risk > 1234.50", false),
        ("amount_at_risk > 200", true),
        ("amount_at_risk > -5", true),
        ("amount_at_risk:*", true),
        ("supplier = 91310000", true),
        ("supplier = 91440101", true),
        ("supplier : 华润", true),
        ("supplier : \"acme ph\"", true),
        ("supplier != 91310000", false),
        ("supplier != X", true),
        ("subject.staff_id = 17", true),
        ("subject.nobody : *", false),
        ("subject.nobody != 1", true),
        ("subject.nobody = 1", false),
        ("identity.tender_id = T-9", true),
        ("text : 拆分", true),
        ("text : SPLIT", true),
        ("text : t-9", true),
        ("text : nothing", false),
    ] {
        check(filter, expected);
    }
}

#[test]
fn or_binds_closer_than_and_and_not_closest() {
    check("rule_id = X AND state = OPEN OR severity = MEDIUM", false);
    check("(rule_id = X AND state = OPEN) OR severity = MEDIUM", true);
    check("NOT rule_id = X AND state = OPEN", true);
    check("-rule_id = X", true);
    check("NOT (rule_id = TEN-04 OR state = CLOSED)", false);
    check("NOT NOT state = OPEN", true);
}

#[test]
fn what_has_no_value_matches_only_unequal() {
    let bare = Facts {
        hospital_id: None,
        amount_at_risk: None,
        ..facts()
    };
    for (filter, expected) in [
        ("hospital_id = H1", false),
        ("hospital_id != H1", true),
        ("hospital_id : *", false),
        ("hospital_id < Z", false),
        ("amount_at_risk < 5", false),
        ("amount_at_risk != 5", true),
        ("amount_at_risk:*", false),
        ("NOT amount_at_risk < 5", true),
    ] {
        assert_eq!(matches_with(filter, &bare), expected, "{filter}");
    }
}

#[test]
fn escapes_in_quotes() {
    let mut some = facts();
    some.hospital_id = Some("a\"b\\c'd".into());
    assert!(matches_with(r#"hospital_id = "a\"b\\c'd""#, &some));
    assert!(matches_with(r#"hospital_id = 'a"b\\c\'d'"#, &some));
}

#[test]
fn errors_say_which_character_and_what_was_expected() {
    for (filter, position, part) in [
        ("rule = 1", 1, "unknown field \"rule\""),
        ("state = OPEN AND  colour = red", 19, "unknown field \"colour\""),
        ("state", 6, "after state, but the filter ends"),
        ("state =", 8, "expected a value after =, but the filter ends"),
        ("state = OPEN state = OPEN", 14, "join comparisons with AND or OR"),
        ("state = OPEN and severity = LOW", 14, "\"and\" is unexpected"),
        ("(state = OPEN", 1, "not closed"),
        ("state = OPEN)", 13, "\")\" is unexpected"),
        ("state = OPENED", 9, "is not a state"),
        ("state > OPEN", 7, "state takes = or !="),
        ("severity = SEVERE", 12, "is not a severity"),
        ("severity : HIGH", 10, "severity takes"),
        ("first_seen > 2024-13-01", 14, "is not a date"),
        ("amount_at_risk > 1万", 18, "is not a decimal"),
        ("text = x", 6, "text takes : only"),
        ("hospital_id = \"H1", 15, "does not end"),
        ("hospital_id ! H1", 13, "stands alone"),
        ("AND state = OPEN", 1, "expected a field"),
        ("subject. = 1", 1, "unknown field"),
    ] {
        match Filter::parse(filter) {
            Err(Error::Filter {
                position: at,
                message,
            }) => {
                assert!(message.contains(part), "{filter}: {message}");
                assert_eq!(at, position, "{filter}: {message}");
            }
            other => panic!("{filter}: {other:?}"),
        }
    }
}

#[test]
fn depth_and_length_are_limited() {
    let deep = format!("{}state = OPEN{}", "(".repeat(100), ")".repeat(100));
    assert!(matches!(Filter::parse(&deep), Err(Error::Filter { .. })));
    let nots = format!("{}state = OPEN", "NOT ".repeat(100));
    assert!(matches!(Filter::parse(&nots), Err(Error::Filter { .. })));
    let wide = vec!["state = OPEN"; 1000].join(" OR ");
    assert!(matches!(
        Filter::parse(&wide),
        Err(Error::Filter { position: 4097, .. })
    ));
    let many = vec!["state = OPEN"; 200].join(" OR ");
    assert!(matches_with(&many, &facts()));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z_.=!<>:()\"'\\\\ *\\-AND0-9万]{0,60}") {
        let length = text.chars().count();
        if let Err(Error::Filter { position, .. }) = Filter::parse(&text) {
            prop_assert!((1..=length + 1).contains(&position), "{position} of {length}");
        }
    }

    #[test]
    fn not_is_always_the_opposite(field in "(rule_id|hospital_id|supplier|amount_at_risk|severity)", op in "(=|!=|<|>=)") {
        let value = match field.as_str() { "amount_at_risk" => "1234.5", "severity" => "HIGH", _ => "H1" };
        let plain = format!("{field} {op} {value}");
        prop_assert_ne!(matches_with(&plain, &facts()), matches_with(&format!("NOT {plain}"), &facts()));
    }
}
