//! Who is who, case by case.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const A: &str = "91330100MA2A1B2C3T";
const B: &str = "91330100MA2W1X2Y3X";
/// A's code with another check character.
const A_WRONG: &str = "91330100MA2A1B2C3R";
const ID: &str = "990106197507153423";
const OTHER_ID: &str = "99010619750315121X";

fn mention(kind: PartyKind, slot: &str, id: &str, name: &str, code: &str) -> Mention {
    let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    let (dataset, slot) = slot.split_once('.').unwrap();
    Mention {
        reference: 0,
        kind,
        id: text(id),
        name: text(name),
        code: text(code),
        dataset: dataset.to_owned(),
        slot: slot.to_owned(),
        context: String::new(),
    }
}

fn company(slot: &str, id: &str, name: &str, code: &str) -> Mention {
    mention(PartyKind::Company, slot, id, name, code)
}

fn supplier(id: &str, name: &str, code: &str) -> Mention {
    company("suppliers.supplier", id, name, code)
}

fn order(id: &str, name: &str, code: &str) -> Mention {
    company("purchase_orders.supplier", id, name, code)
}

fn person(slot: &str, id: &str, name: &str, code: &str) -> Mention {
    mention(PartyKind::Person, slot, id, name, code)
}

/// Numbers the references 1, 2, ... and resolves.
fn resolved(mut mentions: Vec<Mention>) -> Resolution {
    for (n, m) in mentions.iter_mut().enumerate() {
        m.reference = n as i64 + 1;
        m.context = format!("row {}", n + 1);
    }
    resolve(&mentions)
}

/// The party keys in order of the mentions, "" where there is none.
fn keys(mentions: Vec<Mention>) -> Vec<String> {
    let count = mentions.len();
    let by_reference: BTreeMap<i64, String> = resolved(mentions)
        .refs
        .into_iter()
        .map(|r| (r.reference, r.party_key))
        .collect();
    (1..=count as i64)
        .map(|n| by_reference.get(&n).cloned().unwrap_or_default())
        .collect()
}

fn codes(resolution: &Resolution) -> Vec<&str> {
    resolution.notices.iter().map(|n| n.code.as_str()).collect()
}

#[test]
fn a_checked_code_decides_whatever_the_name() {
    let r = resolved(vec![
        supplier("S1", "杭州康瑞医药有限公司", A),
        order("S1", "杭州康端医药公司", &A.to_lowercase()),
        order("", "杭州康瑞药业有限公司", A),
        order("S2", "杭州康瑞药业有限公司", A),
    ]);
    let [party] = &r.parties[..] else {
        panic!("{:?}", r.parties)
    };
    assert_eq!(
        (party.name.as_str(), party.uscc.as_deref()),
        ("杭州康瑞医药有限公司", Some(A))
    );
    assert_eq!(
        party.aliases,
        ["杭州康瑞药业有限公司", "杭州康端医药公司"]
            .map(str::to_owned)
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert!(
        r.refs
            .iter()
            .all(|x| x.party_id == party.party_id && x.party_key == A)
    );
    assert_eq!(r.notices, []);
}

#[test]
fn a_name_that_one_code_goes_by_is_as_good_as_the_code() {
    let r = keys(vec![
        supplier("S1", "宁波恒泰医疗器械有限责任公司", A),
        company("agreements.supplier", "", "宁波恒泰医疗器械 有限公司", ""),
        company("agreements.supplier", "", "宁波恒泰医疗科技有限公司", ""),
    ]);
    assert_eq!(r, [A, A, "name:宁波恒泰医疗科技有限公司"]);
}

#[test]
fn a_name_with_two_codes_is_ambiguous_and_told() {
    let mentions = vec![
        order("", "康瑞医药有限公司", A),
        order("", "康瑞医药有限公司", B),
        order("", "康瑞医药有限责任公司", ""),
    ];
    assert_eq!(keys(mentions.clone()), [A, B, "name:康瑞医药有限公司"]);
    let r = resolved(mentions);
    assert_eq!(codes(&r), ["AMBIGUOUS_NAME"]);
    assert!(r.notices[0].message.en.contains("康瑞医药有限公司"));
    assert_eq!(r.parties.len(), 3);
}

#[test]
fn the_registered_id_tells_which_of_two_namesakes_it_is() {
    let mentions = vec![
        supplier("S1", "康瑞医药有限公司", A),
        supplier("S2", "康瑞医药有限公司", B),
        order("S2", "康瑞医药有限公司", ""),
    ];
    assert_eq!(keys(mentions.clone()), [A, B, B]);
    assert_eq!(resolved(mentions).notices, []);
}

#[test]
fn a_registered_id_leads_to_the_register_and_an_unknown_one_to_itself() {
    let r = keys(vec![
        supplier("S1", "杭州康瑞医药有限公司", A),
        order("S1", "", ""),
        order("S1", "杭州康端医药", ""),
        order("S9", "", ""),
        order("S9", "", ""),
        supplier("S3", "嘉兴信安有限公司", ""),
        order("S3", "", ""),
    ]);
    assert_eq!(
        r,
        [
            A,
            A,
            A,
            "id:S9",
            "id:S9",
            "name:嘉兴信安有限公司",
            "name:嘉兴信安有限公司"
        ]
    );
}

#[test]
fn an_id_without_a_register_is_whoever_all_its_other_mentions_are() {
    assert_eq!(
        keys(vec![order("S1", "康瑞医药有限公司", A), order("S1", "", "")]),
        [A, A]
    );
    let apart = keys(vec![
        order("S1", "康瑞医药有限公司", A),
        order("S1", "恒泰器械有限公司", ""),
        order("S1", "", ""),
    ]);
    assert_eq!(apart, [A, "name:恒泰器械有限公司", "id:S1"]);
}

#[test]
fn an_id_registered_twice_is_not_joined_on() {
    let mentions = vec![
        supplier("S1", "康瑞医药有限公司", A),
        supplier("S1", "恒泰器械有限公司", B),
        order("S1", "恒泰", ""),
    ];
    assert_eq!(keys(mentions.clone()), [A, B, "name:恒泰"]);
    assert_eq!(codes(&resolved(mentions)), ["AMBIGUOUS_ID", "NAME_RESEMBLES"]);
}

#[test]
fn a_code_beats_the_registered_id_and_that_is_told() {
    let mentions = vec![
        supplier("S1", "康瑞医药有限公司", A),
        order("S1", "恒泰器械有限公司", B),
    ];
    assert_eq!(keys(mentions.clone()), [A, B]);
    assert_eq!(codes(&resolved(mentions)), ["ID_CONTRADICTS_CODE"]);
}

#[test]
fn a_name_beats_the_registered_id_and_that_is_told() {
    let mentions = vec![
        supplier("S1", "康瑞医药有限公司", A),
        supplier("S2", "恒泰器械有限公司", B),
        order("S1", "恒泰器械有限公司", ""),
    ];
    assert_eq!(keys(mentions.clone()), [A, B, B]);
    assert_eq!(codes(&resolved(mentions)), ["ID_CONTRADICTS_NAME"]);
}

#[test]
fn a_code_in_the_place_of_the_id_is_a_code() {
    let r = keys(vec![
        supplier("S1", "康瑞医药有限公司", A),
        company("relations.to", A, "康瑞", ""),
        company("relations.to", "S1", "", ""),
        person("relations.from", ID, "林某二", ""),
        person("staff.staff", "E3", "林某二", ID),
    ]);
    assert_eq!(r, [A, A, A, "staff:E3", "staff:E3"]);
}

#[test]
fn a_wrong_check_character_is_told_and_joins_nothing() {
    let mentions = vec![
        supplier("S1", "康瑞医药有限公司", A_WRONG),
        order("", "恒泰器械有限公司", A_WRONG),
        order("", "", A_WRONG),
        company("relations.to", A_WRONG, "", ""),
    ];
    assert_eq!(
        keys(mentions.clone()),
        ["name:康瑞医药有限公司", "name:恒泰器械有限公司", "", ""]
    );
    let r = resolved(mentions);
    assert_eq!(codes(&r), ["BAD_USCC", "BAD_USCC", "BAD_USCC"]);
    let orders = r
        .notices
        .iter()
        .find(|n| n.place == "purchase_orders.supplier")
        .unwrap();
    assert_eq!(orders.count, 2);
    assert!(orders.message.zh.contains("row 2"));
    assert!(r.parties.iter().all(|p| p.uscc.is_none()));
}

#[test]
fn a_notice_quotes_an_organisation_and_never_a_person() {
    let bad = [
        order("", "康瑞医药有限公司", A_WRONG),
        person("reps.rep", "", "林某二", "990106197507153424"),
    ];
    let notices = resolve(&bad).notices;
    assert_eq!(notices.len(), 2);
    assert!(
        notices[0].message.en.ends_with("(e.g. 康瑞医药有限公司)"),
        "{notices:?}"
    );
    assert!(
        !notices[1].message.en.contains("林某二") && !notices[1].message.en.contains("9901"),
        "{notices:?}"
    );
}

#[test]
fn words_for_none_are_nobody() {
    assert_eq!(
        keys(vec![
            order("-", "无", "/"),
            order("0", "-", "无"),
            order("", "", "")
        ]),
        ["", "", ""]
    );
}

#[test]
fn hospitals_and_companies_share_identities() {
    let r = resolved(vec![
        mention(PartyKind::Hospital, "hospitals.hospital", "H1", "第一人民医院", A),
        company("invoices.buyer", "", "第一人民医院", ""),
        company("relations.to", "H1", "", ""),
    ]);
    let [party] = &r.parties[..] else {
        panic!("{:?}", r.parties)
    };
    assert_eq!(party.kind, PartyKind::Hospital);
    // The same number is another party as a supplier's id.
    let apart = keys(vec![
        company("hospitals.hospital", "1", "第一人民医院", ""),
        supplier("1", "康瑞医药有限公司", ""),
        mention(PartyKind::Hospital, "orders.hospital", "1", "", ""),
        order("1", "", ""),
    ]);
    assert_eq!(apart[2..], ["name:第一人民医院", "name:康瑞医药有限公司"]);
}

#[test]
fn persons_are_never_joined_by_name() {
    let r = resolved(vec![
        person("staff.staff", "E2", "陈某一", OTHER_ID),
        person("relations.from", "", "陈某一", ""),
        person("suppliers.legal_representative", "", "陈某一", ""),
        person("suppliers.legal_representative", "", "陈某一", ""),
    ]);
    assert_eq!(r.parties.len(), 4);
    assert_eq!(r.refs[0].party_key, "staff:E2");
    assert!(r.refs[1..].iter().all(|x| x.party_key.starts_with("ref:")));
}

#[test]
fn persons_are_joined_by_number_staff_id_and_the_sources_own_id() {
    let r = keys(vec![
        person("staff.staff", "E3", "林某二", ID),
        person("relations.from", "E3", "", ""),
        person("declarations.relative", "", "王某四", OTHER_ID),
        person("relations.from", &OTHER_ID.to_lowercase(), "王某四", ""),
        person("staff.staff", "E4", "何某三", ""),
        person("relations.from", "E4", "何", ""),
        person("relations.from", "P77", "周某", ""),
        person("relations.to", "P77", "周某", ""),
    ]);
    assert_eq!(r[0..2], ["staff:E3", "staff:E3"]);
    assert!(
        r[2].starts_with("pid:") && r[2].len() == 20 && r[2] == r[3],
        "{r:?}"
    );
    assert!(!r[2].contains(&OTHER_ID[..6]));
    assert_eq!(r[4..], ["staff:E4", "staff:E4", "src:P77", "src:P77"]);
}

#[test]
fn wrong_masked_and_old_id_numbers_join_nobody() {
    let wrong = "990106197507153424";
    let r = resolved(vec![
        person("staff.staff", "E3", "林某二", wrong),
        person("relations.from", wrong, "林某二", ""),
        person("relations.from", wrong, "林某二", ""),
        person("reps.rep", "", "林某二", "110105491231002"),
        person("reps.rep", "", "林某二", "990106********3423"),
        person("reps.rep", "", "林某二", "990106********3423"),
    ]);
    assert_eq!(r.parties.len(), 6);
    let told: Vec<(&str, u64)> = r.notices.iter().map(|n| (n.code.as_str(), n.count)).collect();
    assert_eq!(
        told,
        [
            ("BAD_ID_NUMBER", 2),
            ("BAD_ID_NUMBER", 2),
            ("BAD_ID_NUMBER", 1),
            ("OLD_ID_NUMBER", 1)
        ]
    );
    assert!(
        r.notices
            .iter()
            .all(|n| !n.message.en.contains("9901") && !n.message.zh.contains("9901"))
    );
}

#[test]
fn one_person_with_two_staff_ids_is_one_party_under_the_lesser_id() {
    let r = keys(vec![
        person("staff.staff", "E9", "林某二", ID),
        person("staff.staff", "E3", "林某二", ID),
    ]);
    assert_eq!(r, ["staff:E3", "staff:E3"]);
}

#[test]
fn branches_are_linked_and_never_merged() {
    let r = resolved(vec![
        supplier("S1", "国药控股股份有限公司", A),
        order("", "国药控股股份有限公司杭州分公司", B),
        order("", "国药控股股份有限公司杭州分公司余杭营业部", ""),
        order("", "仁和大药房连锁有限公司天河店", ""),
    ]);
    let id = |n: i64| r.refs.iter().find(|x| x.reference == n).unwrap().party_id.clone();
    let link = |b: i64, p: i64| Branch {
        branch_party_id: id(b),
        parent_party_id: id(p),
    };
    let want: BTreeSet<Branch> = [link(2, 1), link(3, 2)].into();
    assert_eq!(r.branches.iter().cloned().collect::<BTreeSet<_>>(), want);
    assert_eq!(r.parties.len(), 4);
}

#[test]
fn the_same_reference_twice_is_one_reference() {
    let mut a = supplier("S1", "康瑞医药有限公司", A);
    let mut b = order("S1", "康瑞医药有限公司", A);
    (a.reference, b.reference) = (7, 7);
    let r = resolve(&[a, b]);
    assert_eq!(r.refs.len(), 1);
}

fn any_mention() -> impl Strategy<Value = Mention> {
    let slot = prop::sample::select(vec![
        "suppliers.supplier",
        "purchase_orders.supplier",
        "relations.to",
    ]);
    let person_slot = prop::sample::select(vec!["staff.staff", "relations.from", "reps.rep"]);
    let id = prop::sample::select(vec!["", "S1", "S2", A, ID]);
    let name = prop::sample::select(vec![
        "",
        "康瑞医药有限公司",
        "康瑞医药有限责任公司",
        "康瑞 医药有限公司",
        "恒泰器械有限公司",
        "康瑞医药有限公司杭州分公司",
        "无",
    ]);
    let code = prop::sample::select(vec!["", A, B, A_WRONG]);
    let number = prop::sample::select(vec!["", ID, OTHER_ID, "990106197507153424"]);
    prop_oneof![
        3 => (slot, id.clone(), name.clone(), code).prop_map(|(s, i, n, c)| company(s, i, n, c)),
        1 => (person_slot, id, name, number).prop_map(|(s, i, n, c)| person(s, i, n, c)),
    ]
}

proptest! {
    #[test]
    fn the_order_of_mentions_changes_nothing(
        mentions in proptest::collection::vec(any_mention(), 0..24).prop_map(|mut all| {
            for (n, m) in all.iter_mut().enumerate() {
                m.reference = n as i64 - 5;
                m.context = format!("row {n}");
            }
            all
        }),
        seed in any::<u64>(),
    ) {
        let want = resolve(&mentions);
        let mut shuffled = mentions.clone();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            shuffled.swap(at, (state >> 33) as usize % (at + 1));
        }
        prop_assert_eq!(&resolve(&shuffled), &want);

        // Every reference leads to a party, every party to a reference, and no code is on two parties.
        let parties: BTreeSet<&str> = want.parties.iter().map(|p| p.party_id.as_str()).collect();
        let reached: BTreeSet<&str> = want.refs.iter().map(|r| r.party_id.as_str()).collect();
        prop_assert_eq!(&parties, &reached);
        prop_assert_eq!(parties.len(), want.parties.len());
        let codes: Vec<&String> = want.parties.iter().filter_map(|p| p.uscc.as_ref()).collect();
        prop_assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        for b in &want.branches {
            prop_assert!(parties.contains(b.branch_party_id.as_str()) && parties.contains(b.parent_party_id.as_str()));
        }
    }
}
