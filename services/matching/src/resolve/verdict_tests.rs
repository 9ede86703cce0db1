//! Reviewers' verdicts bind, are refused where codes contradict, and leave no trace when taken back.

use proptest::prelude::*;

use super::*;
use crate::party::{CERTAIN_BP, Facts, Judged, Unobeyed, Verdict};

const A: &str = "91330100MA2W1X2Y3X";
const B: &str = "91330100MA2N4P5Q6E";

fn order(reference: i64, name: &str, code: &str) -> Mention {
    Mention {
        reference,
        kind: PartyKind::Company,
        id: None,
        name: Some(name.to_owned()),
        code: (!code.is_empty()).then(|| code.to_owned()),
        dataset: "purchase_orders".into(),
        slot: "supplier".into(),
        context: String::new(),
    }
}

fn person(reference: i64, dataset: &str, slot: &str, id: &str, number: &str) -> Mention {
    let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    Mention {
        reference,
        kind: PartyKind::Person,
        id: text(id),
        name: Some("王伟".into()),
        code: text(number),
        dataset: dataset.into(),
        slot: slot.into(),
        context: format!("{dataset}:{reference}"),
    }
}

fn same(a: &str, b: &str) -> Judged {
    Judged {
        verdict: Verdict::Same,
        a: a.to_owned(),
        b: b.to_owned(),
    }
}

fn different(a: &str, b: &str) -> Judged {
    Judged {
        verdict: Verdict::Different,
        ..same(a, b)
    }
}

fn judged(mentions: &[Mention], judged: &[Judged]) -> Resolution {
    resolve_known(Known {
        mentions,
        judged,
        ..Known::default()
    })
}

/// The party keys of the references, in order.
fn keys(resolution: &Resolution) -> Vec<&str> {
    resolution.refs.iter().map(|r| r.party_key.as_str()).collect()
}

#[test]
fn a_short_name_that_nothing_tells_joins_on_a_reviewers_word() {
    let mentions = [order(1, "国药控股股份有限公司", A), order(2, "国控", "")];
    assert_eq!(keys(&judged(&mentions, &[])), [A, "name:国控"]);
    let found = judged(&mentions, &[same(A, "name:国控")]);
    assert_eq!(keys(&found), [A, A]);
    assert_eq!(found.unobeyed, []);
    assert_eq!(
        (found.parties.len(), found.parties[0].uscc.as_deref()),
        (1, Some(A))
    );
    assert_eq!(found.refs[1].certainty_bp, CERTAIN_BP);
}

#[test]
fn an_alias_on_a_reviewers_word_is_a_name_like_others() {
    // The short form of a former name joins through the alias that a reviewer gave.
    let mentions = [
        order(1, "国药控股股份有限公司", A),
        order(2, "杭州康瑞医药有限公司", ""),
        order(3, "杭州康瑞医药", ""),
    ];
    let found = judged(&mentions, &[same(A, "name:杭州康瑞医药有限公司")]);
    assert_eq!(keys(&found), [A, A, A]);
    assert!(found.refs[2].certainty_bp < CERTAIN_BP);
}

#[test]
fn different_keeps_a_name_from_the_firm_that_it_fits() {
    let mentions = [order(1, "杭州康瑞医药有限公司", A), order(2, "杭州康瑞医药", "")];
    assert_eq!(keys(&judged(&mentions, &[])), [A, A]);
    let found = judged(&mentions, &[different(A, "name:杭州康瑞医药")]);
    assert_eq!(keys(&found), [A, "name:杭州康瑞医药"]);
    assert_eq!(found.unobeyed, []);
}

#[test]
fn two_names_told_apart_do_not_both_join_one_firm_by_resemblance() {
    let mentions = [
        order(1, "杭州康瑞医药有限公司", A),
        order(2, "杭州康瑞医药", ""),
        order(3, "康瑞医药有限公司", ""),
    ];
    assert_eq!(keys(&judged(&mentions, &[])), [A, A, A]);
    let found = judged(
        &mentions,
        &[different("name:杭州康瑞医药", "name:康瑞医药有限公司")],
    );
    assert_eq!(keys(&found), [A, "name:杭州康瑞医药", "name:康瑞医药有限公司"]);
    assert!(found.notices.iter().any(|n| n.code == "NAME_RESEMBLES"));
}

#[test]
fn two_valid_codes_are_never_the_same_also_through_a_third() {
    let mentions = [
        order(1, "杭州康瑞医药有限公司", A),
        order(2, "宁波康瑞医药有限公司", B),
        order(3, "康瑞", ""),
    ];
    let direct = judged(&mentions, &[same(A, B)]);
    assert_eq!(keys(&direct), [A, B, "name:康瑞"]);
    let [(0, why @ Unobeyed::TwoCodes(..))] = &direct.unobeyed[..] else {
        panic!("{:?}", direct.unobeyed)
    };
    let said = why.to_string();
    assert!(said.contains(A) && said.contains(B), "{said}");
    let through = judged(&mentions, &[same(A, "name:康瑞"), same(B, "name:康瑞")]);
    assert_eq!(keys(&through), [A, B, "name:康瑞"]);
    assert_eq!(through.unobeyed.len(), 2);
}

#[test]
fn what_contradicts_or_speaks_of_nobody_is_told_and_changes_nothing() {
    let mentions = [
        order(1, "甲地康瑞医药有限公司", ""),
        order(2, "乙地恒泰器械有限公司", ""),
        order(3, "丙地安德商贸有限公司", ""),
    ];
    let (x, y, z) = (
        "name:甲地康瑞医药有限公司",
        "name:乙地恒泰器械有限公司",
        "name:丙地安德商贸有限公司",
    );
    let all = [same(x, y), same(y, z), different(x, z)];
    let found = judged(&mentions, &all);
    assert_eq!(keys(&found), [x, y, z]);
    assert_eq!(found.unobeyed.len(), 3);
    assert!(
        found
            .unobeyed
            .iter()
            .all(|(_, w)| matches!(w, Unobeyed::Contradicted(..)))
    );
    let found = judged(&mentions, &[same(x, "name:没有这家"), same(x, x)]);
    assert!(matches!(found.unobeyed[0], (0, Unobeyed::NoMention(_))));
    assert!(matches!(found.unobeyed[1], (1, Unobeyed::OneParty(..))));
}

#[test]
fn persons_join_on_a_reviewers_word_and_never_two_numbers() {
    let mentions = [
        person(1, "staff", "staff", "S1", "990106197507153423"),
        person(2, "suppliers", "legal_representative", "", ""),
        person(3, "staff", "staff", "S2", "99010619750315121X"),
        order(4, "杭州康瑞医药有限公司", A),
    ];
    let before = judged(&mentions, &[]);
    let lone = before.refs[1].party_key.clone();
    assert!(lone.starts_with("ref:"));
    let found = judged(&mentions, &[same("staff:S1", &lone)]);
    assert_eq!(keys(&found), ["staff:S1", "staff:S1", "staff:S2", A]);
    let refused = judged(&mentions, &[same("staff:S1", "staff:S2")]);
    let (0, why @ Unobeyed::TwoCodes(..)) = &refused.unobeyed[0] else {
        panic!("{:?}", refused.unobeyed)
    };
    assert!(!why.to_string().contains("19750715"), "numbers are masked: {why}");
    let refused = judged(&mentions, &[same("staff:S1", A)]);
    assert!(matches!(refused.unobeyed[0], (0, Unobeyed::UnlikeKinds(..))));
}

#[test]
fn fields_of_the_register_confirm_a_slip() {
    let register = |reference, name, code| Mention {
        dataset: "suppliers".into(),
        id: Some(format!("S{reference}")),
        ..order(reference, name, code)
    };
    let mentions = [
        register(1, "杭州康瑞医药有限公司", A),
        register(2, "杭州康端医药有限公司", ""),
        order(3, "杭州康端医药有限公司", ""),
    ];
    let facts = |reference, phone: &str, representative: &str| Facts {
        reference,
        legal_representative: Some(representative.to_owned()),
        phone: Some(phone.to_owned()),
        address: Some("杭州市西湖区文三路199号2幢301室".to_owned()),
        ..Facts::default()
    };
    let told = |facts: &[Facts]| {
        let found = resolve_known(Known {
            mentions: &mentions,
            facts,
            judged: &[],
        });
        let keys: Vec<String> = found.refs.iter().map(|r| r.party_key.clone()).collect();
        (keys, found.refs[1].certainty_bp)
    };
    let (joined, sure) = told(&[facts(1, "13805711234", "王伟"), facts(2, "138 0571 1234", "王伟")]);
    assert_eq!(joined, [A, A, A]);
    assert!((9_500..10_000).contains(&sure), "{sure}");
    let other = Facts {
        address: Some("杭州市滨江区江南大道8号".to_owned()),
        ..facts(2, "13957170000", "李娜")
    };
    let (apart, _) = told(&[facts(1, "13805711234", "王伟"), other]);
    assert_eq!(
        apart,
        [A, "name:杭州康端医药有限公司", "name:杭州康端医药有限公司"]
    );
    let (unknown, _) = told(&[]);
    assert_eq!(unknown[1], "name:杭州康端医药有限公司");
}

/// Names near and far, three with codes.
fn world() -> Vec<Mention> {
    [
        ("杭州康瑞医药有限公司", A),
        ("宁波康瑞医药有限公司", B),
        ("杭州康瑞医药", ""),
        ("康瑞医药有限公司", ""),
        ("康瑞", ""),
        ("苏州恒泰医疗器械有限公司", "91330100MA2A1B2C3T"),
        ("苏州恒泰医疗器械", ""),
        ("恒泰", ""),
    ]
    .iter()
    .zip(1..)
    .map(|((name, code), reference)| order(reference, name, code))
    .collect()
}

fn side() -> impl Strategy<Value = String> {
    let names = [
        "杭州康瑞医药",
        "康瑞医药有限公司",
        "康瑞",
        "苏州恒泰医疗器械",
        "恒泰",
        "无人",
    ];
    let keys = names.map(|n| format!("name:{n}"));
    prop::sample::select([vec![A.to_owned(), B.to_owned()], keys.to_vec()].concat())
}

fn verdict() -> impl Strategy<Value = Judged> {
    (any::<bool>(), side(), side())
        .prop_map(|(alike, a, b)| if alike { same(&a, &b) } else { different(&a, &b) })
}

proptest! {
    /// Verdicts that are taken one by one, each refused that cannot be obeyed: the order in which those that were
    /// taken stand does not matter; taking one and giving it back leaves what was before; and no two codes ever
    /// become one party.
    #[test]
    fn verdicts_are_a_set_and_reversible(all in prop::collection::vec(verdict(), 1..8), seed in any::<u64>()) {
        let mentions = world();
        let mut taken: Vec<Judged> = Vec::new();
        for one in all {
            let before = judged(&mentions, &taken);
            taken.push(one);
            let after = judged(&mentions, &taken);
            if after.unobeyed.iter().any(|(at, _)| *at == taken.len() - 1) {
                taken.pop();
            }
            let kept = judged(&mentions, &taken);
            let codes: HashSet<&str> = kept.parties.iter().filter_map(|p| p.uscc.as_deref()).collect();
            prop_assert_eq!(codes.len(), 3);
            if let Some(last) = taken.pop() {
                // What the verdict did is undone without it.
                if kept.refs != before.refs {
                    prop_assert_eq!(judged(&mentions, &taken), before);
                }
                taken.push(last);
            }
        }
        let forward = judged(&mentions, &taken);
        prop_assert_eq!(&forward.unobeyed, &vec![]);
        let mut shuffled = taken.clone();
        shuffled.sort_by_key(|j| crate::hash::key(&format!("{j:?}{seed}")));
        let mut turned = mentions.clone();
        turned.reverse();
        let other = judged(&turned, &shuffled);
        prop_assert_eq!(&forward.refs, &other.refs);
        prop_assert_eq!(&forward.parties, &other.parties);
        // Every verdict that was taken is obeyed: same ones share a party, different ones do not.
        let party = |key: &str| {
            let found = match key.strip_prefix("name:") {
                Some(name) => mentions.iter().find(|m| m.name.as_deref() == Some(name)),
                None => mentions.iter().find(|m| m.code.as_deref() == Some(key)),
            };
            let reference = found.map(|m| m.reference)?;
            other.refs.iter().find(|r| r.reference == reference).map(|r| r.party_id.clone())
        };
        for j in &taken {
            prop_assert_eq!(party(&j.a) == party(&j.b), j.verdict == Verdict::Same, "{:?}", j);
        }
    }
}
