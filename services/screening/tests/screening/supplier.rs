//! LISTS, AGREEMENT and RELATIONS.

use domain::screening::CheckKind::{Agreement, Lists, Relations};
use domain::screening::Verdict::{Clean, Hit, NotComputed};
use screening::ScreeningInput;

use crate::fixture::*;

fn with_records(records: Vec<screening::CreditRecord>) -> ScreeningInput {
    ScreeningInput {
        credit_records: records,
        ..input()
    }
}

#[test]
fn a_ban_begins_on_the_day_of_the_listing_and_ends_after_two_years() {
    let listed = || {
        with_records(vec![record(
            "C1",
            "bribery_blacklist",
            Some("330000"),
            "2024-03-01",
        )])
    };
    assert_eq!(check(listed(), Lists, "2024-02-29"), (Clean, "NOT_LISTED"));
    assert_eq!(check(listed(), Lists, "2024-03-01"), (Hit, "BANNED_IN_PROVINCE"));
    // The day before two years are over needs lists of that time.
    let mut fresh = listed();
    fresh
        .datasets
        .get_mut("credit_records")
        .expect("synced")
        .last_synced = None;
    assert_eq!(
        check(fresh.clone(), Lists, "2026-02-28"),
        (Hit, "BANNED_IN_PROVINCE")
    );
    assert_eq!(check(fresh, Lists, "2026-03-01"), (Clean, "BAN_ENDED"));
}

#[test]
fn an_expiry_in_the_register_goes_before_the_two_years() {
    let mut lifted = record("C1", "bribery_blacklist", Some("330000"), "2024-03-01");
    lifted.expires_on = Some(day("2025-01-01"));
    let lifted = || with_records(vec![lifted.clone()]);
    assert_eq!(check(lifted(), Lists, "2024-12-31").0, Hit);
    assert_eq!(check(lifted(), Lists, "2025-01-01"), (Clean, "BAN_ENDED"));
}

#[test]
fn one_listing_bans_in_its_province_only() {
    let elsewhere = || {
        with_records(vec![record(
            "C1",
            "bribery_blacklist",
            Some("340000"),
            "2025-01-01",
        )])
    };
    assert_eq!(
        check(elsewhere(), Lists, "2025-06-30"),
        (Clean, "LISTED_ELSEWHERE")
    );
    let mut nowhere = elsewhere();
    nowhere.hospitals[0].region_code = None;
    assert_eq!(
        check(nowhere, Lists, "2025-06-30"),
        (NotComputed, "HOSPITAL_REGION_UNKNOWN")
    );
    let unsaid = with_records(vec![record("C1", "bribery_blacklist", None, "2025-01-01")]);
    assert_eq!(
        check(unsaid, Lists, "2025-06-30"),
        (NotComputed, "LISTING_WITHOUT_PROVINCE")
    );
    // Without a hospital a ban anywhere is told.
    let mut any = request("2025-06-30");
    any.hospital_id = None;
    assert_eq!(
        verdict(&ask(elsewhere(), &any), Lists),
        (Hit, "BANNED_IN_PROVINCE")
    );
}

#[test]
fn a_second_listing_within_five_years_to_the_day_bans_nationwide() {
    let twice = |earlier: &str| {
        with_records(vec![
            record("C0", "bribery_blacklist", Some("340000"), earlier),
            record("C1", "bribery_blacklist", Some("350000"), "2025-05-10"),
        ])
    };
    assert_eq!(
        check(twice("2020-05-10"), Lists, "2025-06-30"),
        (Hit, "BANNED_NATIONWIDE")
    );
    assert_eq!(check(twice("2020-05-09"), Lists, "2025-06-30").0, Clean);
    // Not yet on the day before the second.
    assert_eq!(
        check(twice("2024-05-10"), Lists, "2025-05-09"),
        (Clean, "LISTED_ELSEWHERE")
    );
    let screening = ask(twice("2024-05-10"), &request("2025-06-30"));
    let cited: Vec<String> = of(&screening, Lists).reasons[0]
        .evidence
        .iter()
        .map(|e| e.key["record_id"].to_string())
        .collect();
    assert_eq!(cited, ["C0", "C1"]);
}

#[test]
fn one_listing_entered_twice_is_one() {
    let twin = || record("C1", "bribery_blacklist", Some("340000"), "2025-05-10");
    let mut other = twin();
    other.row.key = "C2".into();
    let entered_twice = with_records(vec![twin(), other]);
    assert_eq!(
        check(entered_twice, Lists, "2025-06-30"),
        (Clean, "LISTED_ELSEWHERE")
    );
}

#[test]
fn a_listing_holds_for_branches_while_they_are_such() {
    let of_parent = |since: Option<&str>, until: Option<&str>| {
        let mut listed = record("C1", "bribery_blacklist", Some("330000"), "2024-03-01");
        listed.party_id = "c2".into();
        ScreeningInput {
            branches: branch("c2", since, until),
            ..with_records(vec![listed])
        }
    };
    assert_eq!(check(of_parent(None, None), Lists, "2025-06-30").0, Hit);
    assert_eq!(
        check(of_parent(Some("2026-02-28"), None), Lists, "2025-06-30").0,
        Hit
    );
    assert_eq!(
        check(of_parent(Some("2026-03-01"), None), Lists, "2025-06-30").0,
        Clean
    );
    assert_eq!(
        check(of_parent(None, Some("2024-03-02")), Lists, "2025-06-30").0,
        Hit
    );
    assert_eq!(
        check(of_parent(None, Some("2024-03-01")), Lists, "2025-06-30").0,
        Clean
    );
    let screening = ask(of_parent(None, None), &request("2025-06-30"));
    let datasets: Vec<_> = of(&screening, Lists).reasons[0]
        .evidence
        .iter()
        .map(|e| e.dataset.as_str())
        .collect();
    assert_eq!(datasets, ["credit_records", "relations"]);
}

#[test]
fn ratings_are_judged_by_grade_and_the_newest_counts() {
    let rated = |level: &str, region: &str, issued: &str| {
        let mut row = record(issued, "credit_rating", Some(region), issued);
        row.level = Some(level.into());
        row
    };
    let now = |records| check(with_records(records), Lists, "2025-06-30");
    assert_eq!(
        now(vec![rated("严重失信", "330000", "2025-01-01")]),
        (Hit, "CREDIT_SERIOUS")
    );
    assert_eq!(
        now(vec![rated("严重失信", "340000", "2025-01-01")]),
        (Clean, "CREDIT_NOTED")
    );
    assert_eq!(
        now(vec![rated("特别严重失信", "340000", "2025-01-01")]),
        (Hit, "CREDIT_SERIOUS")
    );
    assert_eq!(
        now(vec![rated("失信", "330000", "2025-01-01")]),
        (Clean, "CREDIT_NOTED")
    );
    assert_eq!(
        now(vec![rated("BBB+", "330000", "2025-01-01")]),
        (NotComputed, "RATING_UNREADABLE")
    );
    let repaired = vec![
        rated("严重", "330000", "2024-01-01"),
        rated("守信", "330000", "2025-01-01"),
    ];
    assert_eq!(now(repaired), (Clean, "CREDIT_NOTED"));
}

#[test]
fn a_penalty_counts_for_three_years() {
    let punished = |issued: &str| {
        check(
            with_records(vec![record("P", "penalty", None, issued)]),
            Lists,
            "2025-06-30",
        )
    };
    assert_eq!(punished("2022-07-01"), (Hit, "PENALTY_WITHIN_YEARS"));
    assert_eq!(punished("2022-06-30"), (Clean, "NOT_LISTED"));
}

#[test]
fn a_record_without_date_or_type_is_not_computed() {
    let mut undated = record("C1", "bribery_blacklist", Some("330000"), "2025-01-01");
    undated.issued_on = None;
    assert_eq!(
        check(with_records(vec![undated]), Lists, "2025-06-30"),
        (NotComputed, "RECORD_INCOMPLETE")
    );
    let mut untyped = record("C1", "penalty", None, "2025-01-01");
    untyped.record_type = None;
    assert_eq!(
        check(with_records(vec![untyped]), Lists, "2025-06-30"),
        (NotComputed, "RECORD_INCOMPLETE")
    );
}

fn with_agreements(agreements: Vec<screening::AgreementRow>) -> ScreeningInput {
    ScreeningInput {
        agreements,
        ..input()
    }
}

#[test]
fn an_agreement_binds_from_its_first_day_to_before_its_last() {
    let signed = || with_agreements(both("2025-01-01", "2025-06-30"));
    assert_eq!(
        check(signed(), Agreement, "2024-12-31"),
        (Hit, "AGREEMENT_NOT_YET")
    );
    assert_eq!(check(signed(), Agreement, "2025-01-01"), (Clean, "IN_FORCE"));
    assert_eq!(check(signed(), Agreement, "2025-05-30"), (Clean, "IN_FORCE"));
    assert_eq!(check(signed(), Agreement, "2025-05-31"), (Clean, "ENDS_SOON"));
    assert_eq!(check(signed(), Agreement, "2025-06-29"), (Clean, "ENDS_SOON"));
    assert_eq!(
        check(signed(), Agreement, "2025-06-30"),
        (Hit, "AGREEMENT_EXPIRED")
    );
}

#[test]
fn both_documents_are_needed() {
    let mut rows = both("2025-01-01", "2026-01-01");
    rows.pop();
    let screening = ask(with_agreements(rows), &request("2025-06-30"));
    assert_eq!(codes(&screening, Agreement), ["AGREEMENT_MISSING", "IN_FORCE"]);
    assert_eq!(of(&screening, Agreement).verdict, Hit);
}

#[test]
fn a_late_signature_heals_nothing_backwards() {
    let mut rows = both("2025-01-01", "2026-01-01");
    rows.iter_mut()
        .for_each(|r| r.signed_on = Some(day("2025-06-15")));
    let signed = || with_agreements(rows.clone());
    assert_eq!(
        check(signed(), Agreement, "2025-06-14"),
        (Hit, "AGREEMENT_NOT_YET")
    );
    assert_eq!(check(signed(), Agreement, "2025-06-15"), (Clean, "IN_FORCE"));
}

#[test]
fn a_seam_of_one_day_is_no_gap_and_two_days_are() {
    let renewed = |next: &str| {
        let mut rows = both("2025-01-01", "2025-05-31");
        rows.extend(both(next, "2026-05-31"));
        with_agreements(rows)
    };
    assert_eq!(
        check(renewed("2025-06-01"), Agreement, "2025-05-31"),
        (Clean, "IN_FORCE")
    );
    assert_eq!(
        check(renewed("2025-06-02"), Agreement, "2025-05-31"),
        (Hit, "AGREEMENT_EXPIRED")
    );
}

#[test]
fn another_hospital_s_agreement_is_none_and_a_parent_s_is_one() {
    let mut rows = both("2025-01-01", "2026-01-01");
    rows.iter_mut().for_each(|r| r.hospital_id = "H2".into());
    assert_eq!(
        check(with_agreements(rows), Agreement, "2025-06-30"),
        (Hit, "AGREEMENT_MISSING")
    );
    let of_parent = |until: Option<&str>| {
        let mut rows = both("2025-01-01", "2026-01-01");
        rows.iter_mut().for_each(|r| r.party_id = "c2".into());
        ScreeningInput {
            branches: branch("c2", None, until),
            ..with_agreements(rows)
        }
    };
    assert_eq!(
        check(of_parent(None), Agreement, "2025-06-30"),
        (Clean, "IN_FORCE")
    );
    assert_eq!(
        check(of_parent(Some("2025-06-30")), Agreement, "2025-06-30"),
        (Hit, "AGREEMENT_EXPIRED")
    );
}

fn with_tie(change: impl FnOnce(&mut screening::StaffTie)) -> ScreeningInput {
    let mut one = tie();
    change(&mut one);
    ScreeningInput {
        ties: vec![one],
        ..input()
    }
}

#[test]
fn a_tie_holds_from_its_first_day_to_before_its_last() {
    let on = |as_of| check(with_tie(|_| ()), Relations, as_of);
    assert_eq!(on("2023-12-31"), (Clean, "NO_TIE"));
    assert_eq!(on("2024-01-01"), (Hit, "KEY_STAFF_TIED"));
    assert_eq!(on("2025-06-30"), (Hit, "KEY_STAFF_TIED"));
    assert_eq!(on("2025-07-01"), (Clean, "NO_TIE"));
}

#[test]
fn staff_who_left_or_work_elsewhere_do_not_count() {
    let left = |text| check(with_tie(|t| t.left_on = Some(day(text))), Relations, "2025-06-30");
    assert_eq!(left("2025-07-01").0, Hit);
    assert_eq!(left("2025-06-30").0, Clean);
    let elsewhere = with_tie(|t| t.hospital_id = Some("H2".into()));
    assert_eq!(check(elsewhere.clone(), Relations, "2025-06-30").0, Clean);
    let mut any = request("2025-06-30");
    any.hospital_id = None;
    assert_eq!(verdict(&ask(elsewhere, &any), Relations).0, Hit);
}

#[test]
fn five_percent_of_a_listed_company_is_a_tie_and_less_is_anybody_s() {
    let held = |share: &str| {
        let input = with_tie(|t| {
            t.may_be_listed = true;
            t.share = Some(dec(share));
        });
        check(input, Relations, "2025-06-30")
    };
    assert_eq!(held("5.0000"), (Hit, "KEY_STAFF_TIED"));
    assert_eq!(held("4.9999"), (Clean, "SMALL_LISTED_HOLDING"));
}

#[test]
fn unknown_owners_and_a_cut_search_are_not_clean() {
    let mut unknown = input();
    unknown.parties[0].owners_known = false;
    assert_eq!(
        check(unknown, Relations, "2025-06-30"),
        (NotComputed, "OWNERS_UNKNOWN")
    );
    let mut cut = input();
    cut.ties_cut = true;
    assert_eq!(check(cut, Relations, "2025-06-30"), (NotComputed, "SEARCH_CUT"));
}

#[test]
fn stale_lists_are_not_clean_on_the_46th_day() {
    // Synced on 2025-06-30 08:00 UTC: 45 days later, at the end of the day in China, it is 16:00 UTC the day before.
    assert_eq!(check(input(), Lists, "2025-08-13").0, Clean);
    assert_eq!(check(input(), Lists, "2025-08-14"), (NotComputed, "INPUT_STALE"));
}

#[test]
fn of_a_hospital_that_no_row_knows_nothing_is_said() {
    let asked_of = |hospital: &str| {
        let mut asked = request("2025-06-30");
        asked.hospital_id = Some(hospital.to_owned());
        ask(input(), &asked)
    };
    let unknown = asked_of("H9");
    for kind in [Agreement, Relations] {
        assert_eq!(verdict(&unknown, kind), (NotComputed, "HOSPITAL_UNKNOWN"));
    }
    assert_eq!(verdict(&asked_of("H1"), Agreement), (Hit, "AGREEMENT_MISSING"));
}
