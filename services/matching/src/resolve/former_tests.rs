//! Former names: whom a name that was given up leads to, with one firm and with two.

use super::*;

const A: &str = "91330100MA2W1X2Y3X";
const B: &str = "91330100MA2N4P5Q6E";
const NEW: &str = "杭州康瑞医药有限公司";
const OLD: &str = "杭州瑞康商贸有限公司";

fn firm(reference: i64, name: &str, code: Option<&str>) -> Mention {
    Mention {
        reference,
        kind: PartyKind::Company,
        id: None,
        name: Some(name.to_owned()),
        code: code.map(str::to_owned),
        dataset: "purchase_orders".into(),
        slot: "supplier".into(),
        context: String::new(),
    }
}

/// Who each mention is ("A", "B", another party's key) and how surely, and the codes of the notices; in any order of
/// mentions.
fn told(known: Known<'_>) -> (Vec<(String, u16)>, Vec<String>) {
    let forward = resolve_known(known);
    let mut mentions = known.mentions.to_vec();
    mentions.reverse();
    let backward = resolve_known(Known {
        mentions: &mentions,
        ..known
    });
    assert_eq!(forward, backward, "the order of mentions does not matter");
    let name = |key: &str| match key {
        A => "A".to_owned(),
        B => "B".to_owned(),
        other => other.to_owned(),
    };
    let parties = forward.refs.iter().map(|r| (name(&r.party_key), r.certainty_bp));
    let notices = forward.notices.iter().map(|n| n.code.clone());
    (parties.collect(), notices.collect())
}

fn of(mentions: &[Mention]) -> (Vec<(String, u16)>, Vec<String>) {
    told(Known {
        mentions,
        ..Known::default()
    })
}

#[test]
fn a_former_name_leads_to_the_firm_that_a_text_says_went_by_it() {
    for remark in [
        "（曾用名：杭州瑞康商贸有限公司）",
        "（曾用名：杭州瑞康商贸有限公司，2019年5月6日变更）",
        " 曾用名：杭州瑞康商贸有限公司",
        "（原杭州瑞康商贸有限公司）",
    ] {
        let telling = format!("{NEW}{remark}");
        let (parties, notices) = of(&[firm(1, &telling, Some(A)), firm(2, OLD, None)]);
        assert_eq!(parties, [("A".into(), 10_000), ("A".into(), 9_900)], "{remark}");
        assert_eq!(notices, ["NAME_JOINED"]);
    }
    // Whichever spelling of the name tells it; the code may stand in another row.
    let telling = format!("{NEW}（曾用名：{OLD}）");
    let (parties, _) = of(&[
        firm(1, NEW, Some(A)),
        firm(2, &telling, None),
        firm(3, "「杭州康瑞医药有限公司」", None),
        firm(4, OLD, None),
    ]);
    let keys: Vec<&str> = parties.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["A", "A", "A", "A"]);
    assert_eq!(parties[3].1, 9_900);
    // Nobody said so.
    let (parties, _) = of(&[firm(1, NEW, Some(A)), firm(2, OLD, None)]);
    assert_eq!(parties[1], (format!("name:{OLD}"), 10_000));
}

#[test]
fn a_name_that_another_firm_has_taken_is_of_neither_and_is_told() {
    let telling = format!("{NEW}（曾用名：{OLD}）");
    let both = [firm(1, &telling, Some(A)), firm(2, OLD, Some(B))];
    let with = |more: &[Mention]| of(&[&both[..], more].concat());
    let (parties, notices) = with(&[firm(3, OLD, None)]);
    assert_eq!(
        parties,
        [
            ("A".into(), 10_000),
            ("B".into(), 10_000),
            (format!("name:{OLD}"), 10_000)
        ]
    );
    assert_eq!(notices, ["FORMER_NAME_TAKEN"]);
    // Nor does a spelling that resembles it lead to either.
    for near in ["杭州瑞康商贸", "杭州瑞康商貿有限公司", "瑞康商贸有限公司"] {
        let (parties, notices) = with(&[firm(3, near, None)]);
        assert!(parties[2].0.starts_with("name:"), "{near}: {parties:?}");
        assert_eq!(notices, ["NAME_RESEMBLES"], "{near}");
    }
    // Who writes a code says whom he means.
    let (parties, notices) = with(&[firm(3, OLD, Some(A)), firm(4, OLD, Some(B))]);
    assert_eq!((parties[2].0.as_str(), parties[3].0.as_str()), ("A", "B"));
    assert!(notices.is_empty(), "{notices:?}");
}

#[test]
fn a_second_field_or_a_reviewer_tells_whose_a_taken_name_is() {
    let telling = format!("{NEW}（曾用名：{OLD}）");
    let both = [firm(1, &telling, Some(A)), firm(2, OLD, Some(B))];
    let mut mentions = both.to_vec();
    let mut misread = firm(3, OLD, Some("91330100MA2W1X2Y30"));
    misread.dataset = "bids".into();
    mentions.push(misread);
    let (parties, notices) = of(&mentions);
    assert_eq!(parties[2], ("A".into(), 9_500), "{notices:?}");

    let mut mentions = both.to_vec();
    mentions.push(firm(3, OLD, None));
    let judged = [crate::party::Judged {
        verdict: crate::party::Verdict::Same,
        a: format!("name:{OLD}"),
        b: A.to_owned(),
    }];
    let known = Known {
        mentions: &mentions,
        judged: &judged,
        ..Known::default()
    };
    assert_eq!(told(known).0[2], ("A".into(), 10_000));
}

#[test]
fn a_registered_id_says_whose_a_taken_name_is() {
    let telling = format!("{NEW}（曾用名：{OLD}）");
    let mut registered = firm(1, &telling, Some(A));
    registered.dataset = "suppliers".into();
    registered.id = Some("S1".into());
    let mut by_id = firm(3, OLD, None);
    by_id.id = Some("S1".into());
    let (parties, _) = of(&[registered, firm(2, OLD, Some(B)), by_id]);
    assert_eq!(parties[2].0, "A");
}

#[test]
fn a_firm_that_was_renamed_and_has_its_old_name_in_old_rows_is_one() {
    let telling = format!("{NEW}（曾用名：{OLD}）");
    let (parties, notices) = of(&[
        firm(1, &telling, Some(A)),
        firm(2, OLD, Some(A)),
        firm(3, OLD, None),
    ]);
    assert!(parties.iter().all(|(key, sure)| key == "A" && *sure == 10_000));
    assert!(notices.is_empty(), "{notices:?}");
}
