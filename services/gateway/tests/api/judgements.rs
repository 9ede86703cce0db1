//! Judgements over gRPC: what is asked for arrives, answers are paged, and a verdict must be named.

use proto::v1 as pb;
use tonic::Code;

use crate::fakes::World;
use crate::harness::{reason, serve};

fn judge(a: &str, verdict: pb::PartyVerdict) -> pb::JudgePartiesRequest {
    pb::JudgePartiesRequest {
        verdict: verdict.into(),
        a: a.into(),
        b: "91330100MA2W1X2Y3X".into(),
        actor: "李审核".into(),
        reason: "同一电话".into(),
    }
}

#[tokio::test]
async fn a_judgement_is_taken_listed_and_withdrawn() {
    let served = serve(World::new(0)).await;
    let done = served
        .graph()
        .judge_parties(judge("国控", pb::PartyVerdict::Same))
        .await
        .expect("is taken")
        .into_inner();
    let made = done.judgement.expect("always set");
    assert_eq!(made.verdict(), pb::PartyVerdict::Same);
    assert_eq!((made.a_told.as_str(), made.actor.as_str()), ("国控", "李审核"));
    assert_eq!((done.snapshot, done.events.len()), (2, 1));
    assert_eq!(done.events[0].kind(), pb::PartyEventKind::Merged);
    let request = pb::WithdrawPartyJudgementRequest {
        judgement_id: made.judgement_id,
        actor: "王复核".into(),
        reason: "看错".into(),
    };
    let back = served
        .graph()
        .withdraw_party_judgement(request)
        .await
        .expect("is withdrawn")
        .into_inner();
    let back = back.judgement.expect("always set");
    assert_eq!((back.withdrawn_by.as_str(), back.withdrawn_at), ("王复核", 2_000));
    let mut list = pb::ListPartyJudgementsRequest::default();
    let shown = served
        .graph()
        .list_party_judgements(list.clone())
        .await
        .expect("lists");
    assert!(shown.into_inner().judgements.is_empty());
    list.include_withdrawn = true;
    let shown = served.graph().list_party_judgements(list).await.expect("lists");
    assert_eq!(shown.into_inner().judgements.len(), 1);
}

#[tokio::test]
async fn a_verdict_must_be_named() {
    let served = serve(World::new(0)).await;
    let refused = served
        .graph()
        .judge_parties(judge("国控", pb::PartyVerdict::Unspecified))
        .await
        .expect_err("no verdict");
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "INVALID_FIELD")
    );
}

#[tokio::test]
async fn events_are_paged_and_narrowed() {
    let served = serve(World::new(0)).await;
    let mut request = pb::ListPartyEventsRequest {
        page_size: 2,
        ..Default::default()
    };
    let first = served
        .graph()
        .list_party_events(request.clone())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!(first.events.len(), 2);
    request.page_token = first.next_page_token;
    let last = served
        .graph()
        .list_party_events(request.clone())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!((last.events.len(), last.next_page_token.as_str()), (1, ""));
    request.party_id = "c2".into();
    let refused = served
        .graph()
        .list_party_events(request.clone())
        .await
        .expect_err("a token of another list");
    assert_eq!(reason(&refused), "INVALID_PAGE_TOKEN");
    request.page_token.clear();
    let one = served.graph().list_party_events(request).await.expect("lists");
    assert_eq!(one.into_inner().events.len(), 1);
}
