//! Verdicts over a real lake: they change parties at once, bind later syncs, are told, and leave no trace when
//! withdrawn.

use domain::judgements::{JudgeParties, JudgementPort, PartyEventKind};
use lake::PartyTables;

use super::tests::{Bench, batch};

const A: &str = "91330100MA2W1X2Y3X";
const B: &str = "91330100MA2N4P5Q6E";

/// Id of the bid, name and code of the supplier.
type Bid<'a> = (&'a str, &'a str, Option<&'a str>);

fn bids(rows: &[Bid<'_>]) -> connector::Message {
    let column =
        |pick: fn(&Bid<'_>) -> Option<String>| -> Vec<Option<String>> { rows.iter().map(pick).collect() };
    let (ids, names, codes) = (
        column(|r| Some(r.0.to_owned())),
        column(|r| Some(r.1.to_owned())),
        column(|r| r.2.map(str::to_owned)),
    );
    fn texts(column: &[Option<String>]) -> Vec<Option<&str>> {
        column.iter().map(Option::as_deref).collect()
    }
    batch(
        "bids",
        &[
            ("bid_id", &texts(&ids)),
            ("supplier_name", &texts(&names)),
            ("supplier_uscc", &texts(&codes)),
        ],
    )
}

fn judge(verdict: &str, a: &str, b: &str) -> JudgeParties {
    JudgeParties {
        verdict: verdict.to_owned(),
        a: a.to_owned(),
        b: b.to_owned(),
        by: "李审核".to_owned(),
        reason: "电话核实".to_owned(),
    }
}

async fn parties(bench: &Bench) -> PartyTables {
    let head = bench.lake.head().await.unwrap();
    bench.lake.parties(head).await.unwrap()
}

/// Names of the party with that code.
async fn names_of(bench: &Bench, code: &str) -> Vec<String> {
    let tables = parties(bench).await;
    let party = tables.parties.iter().find(|p| p.uscc.as_deref() == Some(code));
    let party = party.expect("the code is there");
    let mut names = party.aliases.clone();
    names.push(party.name.clone());
    names.sort();
    names
}

#[tokio::test]
async fn a_verdict_changes_parties_at_once_binds_later_syncs_and_can_be_taken_back() {
    let bench = Bench::new().await;
    let first = bids(&[("b1", "国药控股股份有限公司", Some(A)), ("b2", "国控", None)]);
    bench.sync(vec![first]).await.unwrap();
    let before = parties(&bench).await;
    let ingest = bench.ingest();

    let done = ingest.judge(judge("SAME", "国控", A)).await.unwrap();
    assert_eq!(done.judgement.judgement_id, "J000001");
    assert_eq!(
        (done.judgement.a.as_str(), done.judgement.b.as_str()),
        (A, "name:国控")
    );
    assert_eq!(done.snapshot, bench.lake.head().await.unwrap());
    let [event] = &done.events[..] else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (
            event.kind,
            event.from_name.as_str(),
            event.into_name.as_str(),
            event.mentions
        ),
        (PartyEventKind::Merged, "国控", "国药控股股份有限公司", 1)
    );
    assert_eq!(names_of(&bench, A).await, ["国控", "国药控股股份有限公司"]);

    // A later sync with more rows obeys.
    let more = bids(&[("b3", "国控", None), ("b4", "恒泰器械有限公司", None)]);
    bench.sync(vec![more]).await.unwrap();
    assert_eq!(names_of(&bench, A).await, ["国控", "国药控股股份有限公司"]);

    let done = ingest.withdraw("J000001", "王复核", "认错").await.unwrap();
    assert_eq!(done.judgement.withdrawn.as_ref().unwrap().by, "王复核");
    assert_eq!(done.events[0].kind, PartyEventKind::Split);
    assert_eq!(names_of(&bench, A).await, ["国药控股股份有限公司"]);
    let after = parties(&bench).await;
    let old_refs: Vec<_> = before.refs.iter().filter(|r| after.refs.contains(r)).collect();
    assert_eq!(old_refs.len(), before.refs.len(), "every party is who it was");

    // On record: what was said, and that it was taken back.
    assert_eq!(ingest.judgements(false, 10).await.unwrap(), []);
    let all = ingest.judgements(true, 10).await.unwrap();
    assert_eq!((all.len(), all[0].reason.as_str()), (1, "电话核实"));
    assert_eq!(ingest.party_events(None, 10).await.unwrap().len(), 2);
    let unknown = ingest.party_events(Some("cnobody"), 10).await.unwrap_err();
    assert_eq!(unknown.reason, "PARTY_NOT_FOUND");
    assert!(unknown.message.contains("cnobody"), "{unknown}");
    let refused = ingest.withdraw("J000001", "王复核", "再次").await.unwrap_err();
    assert_eq!(refused.reason, "WITHDRAWN_BEFORE");
}

#[tokio::test]
async fn what_cannot_be_obeyed_is_refused_with_the_reason_and_changes_nothing() {
    let bench = Bench::new().await;
    let rows = bids(&[
        ("b1", "杭州康瑞医药有限公司", Some(A)),
        ("b2", "宁波康瑞医药有限公司", Some(B)),
        ("b3", "康瑞", None),
    ]);
    bench.sync(vec![rows]).await.unwrap();
    let ingest = bench.ingest();
    let head = bench.lake.head().await.unwrap();
    let refused = |verdict: &'static str, a: &'static str, b: &'static str| {
        let ingest = &ingest;
        async move { ingest.judge(judge(verdict, a, b)).await.unwrap_err() }
    };
    let codes = refused("SAME", A, B).await;
    assert_eq!(codes.reason, "TWO_VALID_CODES");
    assert!(codes.message.contains(A) && codes.message.contains(B), "{codes}");
    assert_eq!(refused("SAME", "没有这家公司", A).await.reason, "NO_SUCH_PARTY");
    assert_eq!(refused("MAYBE", "康瑞", A).await.reason, "INVALID_FIELD");
    assert_eq!(refused("DIFFERENT", A, A).await.reason, "ONE_PARTY");
    assert_eq!(
        ingest.withdraw("J9", "甲", "乙").await.unwrap_err().reason,
        "NO_SUCH_JUDGEMENT"
    );
    let silent = JudgeParties {
        reason: " ".into(),
        ..judge("SAME", "康瑞", A)
    };
    assert_eq!(ingest.judge(silent).await.unwrap_err().reason, "INVALID_FIELD");
    assert_eq!(bench.lake.head().await.unwrap(), head);
    assert_eq!(ingest.judgements(true, 10).await.unwrap(), []);

    // Through a third party too, and what says the opposite of an earlier verdict.
    ingest.judge(judge("SAME", "康瑞", A)).await.unwrap();
    assert_eq!(refused("SAME", "康瑞", B).await.reason, "TWO_VALID_CODES");
    assert_eq!(refused("DIFFERENT", "康瑞", A).await.reason, "JUDGED_BEFORE");
    assert_eq!(names_of(&bench, A).await, ["康瑞", "杭州康瑞医药有限公司"]);
}

#[tokio::test]
async fn a_register_row_without_a_code_joins_when_its_fields_agree() {
    let bench = Bench::new().await;
    let suppliers = |phone: &str| {
        batch(
            "suppliers",
            &[
                ("supplier_id", &[Some("S1"), Some("S2")]),
                (
                    "name",
                    &[Some("杭州康瑞医药有限公司"), Some("杭州康端医药有限公司")],
                ),
                ("uscc", &[Some(A), None]),
                ("legal_representative", &[Some("王伟"), Some("王伟")]),
                ("phone", &[Some("13805711234"), Some(phone)]),
                (
                    "address",
                    &[
                        Some("杭州市西湖区文三路199号2幢301室"),
                        Some("西湖区文三路199号2幢301室"),
                    ],
                ),
            ],
        )
    };
    bench.sync(vec![suppliers("13805711234")]).await.unwrap();
    assert_eq!(names_of(&bench, A).await.len(), 2);
    let unsure: Vec<_> = parties(&bench)
        .await
        .refs
        .iter()
        .map(|r| r.certainty_bp)
        .filter(|c| *c < 10_000)
        .collect();
    assert_eq!(unsure.len(), 1);
}
