//! IDENTITY: codes, names, and what is never guessed.

use domain::screening::CheckKind::{Agreement, Identity, Lists, Relations};
use domain::screening::Verdict::{Clean, Hit, NotComputed};
use domain::screening::{ScreenSubject, Screening};
use screening::{PartyRow, ScreeningInput};

use crate::fixture::*;

fn about(parties: Vec<PartyRow>, name: Option<&str>, uscc: Option<String>) -> Screening {
    let mut asked = request("2025-06-30");
    asked.subject = ScreenSubject {
        party_id: None,
        name: name.map(str::to_owned),
        uscc,
    };
    let input = ScreeningInput { parties, ..input() };
    ask(input, &asked)
}

fn one() -> Vec<PartyRow> {
    vec![party("c1", FIRM, Some(code(1)))]
}

#[test]
fn a_code_goes_before_a_name_and_the_name_has_to_fit() {
    let fits = about(one(), Some(FIRM), Some(code(1)));
    assert_eq!(verdict(&fits, Identity), (Clean, "NAME_FITS"));
    assert_eq!(fits.party.expect("known").level, "uscc");
    let other = about(one(), Some("上海和众生物科技有限公司"), Some(code(1)));
    assert_eq!(verdict(&other, Identity), (Hit, "NAME_CODE_MISMATCH"));
    // Nothing is clean on a doubtful identity.
    assert_eq!(of(&other, Lists).verdict, NotComputed);
    assert_eq!(of(&other, Relations).verdict, NotComputed);
}

#[test]
fn a_wrong_check_character_is_told_and_nothing_is_clean_on_it() {
    let mut wrong = code(1);
    let last = if wrong.ends_with('0') { '1' } else { '0' };
    wrong.pop();
    wrong.push(last);
    let screening = about(one(), Some(FIRM), Some(wrong));
    assert_eq!(verdict(&screening, Identity), (Hit, "USCC_INVALID"));
    assert_eq!(screening.party.as_ref().expect("by name").party_id, "c1");
    assert_eq!(of(&screening, Lists).verdict, NotComputed);
}

#[test]
fn a_name_that_one_firm_bears_and_another_bore_is_not_guessed() {
    let renamed = format!("上海和众生物科技有限公司（曾用名：{FIRM}）");
    let both = vec![
        party("c1", FIRM, Some(code(1))),
        party("c2", &renamed, Some(code(2))),
    ];
    let screening = about(both.clone(), Some(FIRM), None);
    assert_eq!(verdict(&screening, Identity), (NotComputed, "FORMER_NAME_TAKEN"));
    assert!(screening.party.is_none());
    assert_eq!(screening.candidates.len(), 2);
    assert_eq!(verdict(&screening, Lists), (NotComputed, "PARTY_UNDECIDED"));
    // The code decides, and so does the name that nobody else bears.
    let by_code = about(both.clone(), Some(FIRM), Some(code(1)));
    assert_eq!(by_code.party.expect("known").party_id, "c1");
    for name in ["上海和众生物科技有限公司", &renamed] {
        let by_name = about(both.clone(), Some(name), None);
        assert_eq!(by_name.party.expect("known").party_id, "c2", "{name}");
    }
    // Nobody has taken it: it is the one firm's.
    let alone = about(both[1..].to_vec(), Some(FIRM), None);
    assert_eq!(alone.party.expect("known").party_id, "c2");
}

#[test]
fn a_name_that_two_firms_bear_is_not_guessed() {
    let twins = vec![party("c1", FIRM, Some(code(1))), party("c2", FIRM, Some(code(2)))];
    let screening = about(twins.clone(), Some(FIRM), None);
    assert_eq!(verdict(&screening, Identity), (NotComputed, "AMBIGUOUS_NAME"));
    assert!(screening.party.is_none());
    assert_eq!(screening.candidates.len(), 2);
    for kind in [Lists, Agreement, Relations] {
        assert_eq!(verdict(&screening, kind), (NotComputed, "PARTY_UNDECIDED"));
    }
    // The code decides.
    let decided = about(twins, Some(FIRM), Some(code(2)));
    assert_eq!(decided.party.expect("known").party_id, "c2");
}

#[test]
fn a_missing_legal_form_is_found_and_said() {
    let screening = about(one(), Some("杭州康瑞医疗器械"), None);
    assert_eq!(verdict(&screening, Identity), (Clean, "NAME_KNOWN"));
    let party = screening.party.expect("found");
    assert_eq!(party.party_id, "c1");
    assert!(!party.explanation.zh.is_empty() && !party.explanation.en.is_empty());
}

#[test]
fn an_alias_finds_its_party() {
    let mut parties = one();
    parties[0].aliases.push("杭州旧名贸易有限公司".into());
    let screening = about(parties, Some("杭州旧名贸易有限公司"), None);
    assert_eq!(screening.party.expect("found").party_id, "c1");
}

#[test]
fn a_sister_in_another_city_is_another_firm() {
    let screening = about(one(), Some("成都康瑞医疗器械有限公司"), None);
    assert!(screening.party.is_none());
    assert_eq!(verdict(&screening, Identity).0, NotComputed);
}

#[test]
fn a_new_code_with_a_known_name_is_a_mismatch() {
    let screening = about(one(), Some(FIRM), Some(code(9)));
    assert_eq!(verdict(&screening, Identity), (Hit, "NAME_CODE_MISMATCH"));
    assert!(screening.party.is_none());
}

#[test]
fn a_look_alike_with_a_valid_code_of_its_own_is_told() {
    // 瑞 and 端: one look-alike character in the trade name.
    let screening = about(one(), Some("杭州康端医疗器械有限公司"), Some(code(9)));
    assert_eq!(verdict(&screening, Identity), (Hit, "LOOK_ALIKE"));
    assert_ne!(of(&screening, Lists).verdict, Clean);
}

#[test]
fn a_firm_nobody_spoke_of_is_on_no_list_but_its_owners_are_unknown() {
    let screening = about(one(), Some("上海和众生物科技有限公司"), Some(code(9)));
    assert_eq!(verdict(&screening, Identity), (Clean, "NEW_PARTY"));
    assert_eq!(verdict(&screening, Lists), (Clean, "NOT_LISTED"));
    assert_eq!(verdict(&screening, Agreement), (Hit, "AGREEMENT_MISSING"));
    assert_eq!(verdict(&screening, Relations), (NotComputed, "OWNERS_UNKNOWN"));
    // With the code alone a list that carries names could still mean it.
    let by_code = about(one(), None, Some(code(9)));
    assert_eq!(verdict(&by_code, Identity), (NotComputed, "CODE_UNKNOWN"));
    assert_eq!(of(&by_code, Lists).verdict, NotComputed);
}

#[test]
fn an_unregistered_branch_is_judged_with_its_parent() {
    let screening = about(one(), Some("杭州康瑞医疗器械有限公司宁波分公司"), None);
    assert_eq!(verdict(&screening, Identity), (Clean, "ONE_LEGAL_PERSON"));
    assert_eq!(screening.party.expect("the parent").party_id, "c1");
}

#[test]
fn what_is_no_name_or_no_party_is_not_computed() {
    for name in ["无", "-", "123"] {
        assert_eq!(
            verdict(&about(one(), Some(name), None), Identity).0,
            NotComputed,
            "{name}"
        );
    }
    let mut asked = request("2025-06-30");
    asked.subject = ScreenSubject {
        party_id: Some("c9".into()),
        ..ScreenSubject::default()
    };
    assert_eq!(
        verdict(&ask(input(), &asked), Identity),
        (NotComputed, "PARTY_ID_UNKNOWN")
    );
}
