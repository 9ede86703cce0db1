//! The judgements of [`GraphService`](proto::v1::graph_service_server::GraphService): requests to the port, answers back.

use domain::Failure;
use domain::judgements::{JudgeParties, JudgementDone, PartyEvent, PartyEventKind, PartyJudgement};
use proto::v1 as pb;

use crate::Ports;
use crate::paging::Page;

type Result<T> = std::result::Result<T, Failure>;

pub(super) async fn judge(
    ports: &Ports,
    request: pb::JudgePartiesRequest,
) -> Result<pb::JudgePartiesResponse> {
    let verdict = match request.verdict() {
        pb::PartyVerdict::Same => "SAME",
        pb::PartyVerdict::Different => "DIFFERENT",
        pb::PartyVerdict::Unspecified => {
            let failure = Failure::invalid(
                "INVALID_FIELD",
                "verdict is not set; it is PARTY_VERDICT_SAME or PARTY_VERDICT_DIFFERENT",
            );
            return Err(failure.with("field", "verdict"));
        }
    };
    let done = ports
        .judgements
        .judge(JudgeParties {
            verdict: verdict.to_owned(),
            a: request.a,
            b: request.b,
            by: request.actor,
            reason: request.reason,
        })
        .await?;
    let JudgementDone {
        judgement: made,
        snapshot,
        events,
    } = done;
    Ok(pb::JudgePartiesResponse {
        judgement: Some(judgement(made)),
        snapshot,
        events: events.into_iter().map(event).collect(),
    })
}

pub(super) async fn withdraw(
    ports: &Ports,
    request: pb::WithdrawPartyJudgementRequest,
) -> Result<pb::WithdrawPartyJudgementResponse> {
    let done = ports
        .judgements
        .withdraw(&request.judgement_id, &request.actor, &request.reason)
        .await?;
    Ok(pb::WithdrawPartyJudgementResponse {
        judgement: Some(judgement(done.judgement)),
        snapshot: done.snapshot,
        events: done.events.into_iter().map(event).collect(),
    })
}

pub(super) async fn list(
    ports: &Ports,
    request: pb::ListPartyJudgementsRequest,
) -> Result<pb::ListPartyJudgementsResponse> {
    let scope = format!("party-judgements {}", request.include_withdrawn);
    let page = Page::new(scope, request.page_size, &request.page_token)?;
    let found = ports
        .judgements
        .judgements(request.include_withdrawn, page.fetch())
        .await?;
    let (found, next_page_token) = page.cut(found);
    Ok(pb::ListPartyJudgementsResponse {
        judgements: found.into_iter().map(judgement).collect(),
        next_page_token,
    })
}

pub(super) async fn events(
    ports: &Ports,
    request: pb::ListPartyEventsRequest,
) -> Result<pb::ListPartyEventsResponse> {
    let party = Some(request.party_id.trim()).filter(|id| !id.is_empty());
    let scope = format!("party-events {}", party.unwrap_or_default());
    let page = Page::new(scope, request.page_size, &request.page_token)?;
    let found = ports.judgements.party_events(party, page.fetch()).await?;
    let (found, next_page_token) = page.cut(found);
    Ok(pb::ListPartyEventsResponse {
        events: found.into_iter().map(event).collect(),
        next_page_token,
    })
}

fn judgement(of: PartyJudgement) -> pb::PartyJudgement {
    let verdict = match of.verdict.as_str() {
        "SAME" => pb::PartyVerdict::Same,
        "DIFFERENT" => pb::PartyVerdict::Different,
        _ => pb::PartyVerdict::Unspecified,
    };
    let (withdrawn_by, withdrawn_reason, withdrawn_at) = match of.withdrawn {
        Some(w) => (w.by, w.reason, w.at),
        None => (String::new(), String::new(), 0),
    };
    pb::PartyJudgement {
        judgement_id: of.judgement_id,
        verdict: verdict.into(),
        a: of.a,
        b: of.b,
        a_told: of.a_told,
        b_told: of.b_told,
        actor: of.by,
        reason: of.reason,
        judged_at: of.at,
        withdrawn_by,
        withdrawn_reason,
        withdrawn_at,
    }
}

fn event(of: PartyEvent) -> pb::PartyEvent {
    let kind = match of.kind {
        PartyEventKind::Merged => pb::PartyEventKind::Merged,
        PartyEventKind::Split => pb::PartyEventKind::Split,
        PartyEventKind::Moved => pb::PartyEventKind::Moved,
    };
    pb::PartyEvent {
        snapshot: of.snapshot,
        occurred_at: of.at,
        kind: kind.into(),
        from_party_id: of.from,
        from_name: of.from_name,
        into_party_id: of.into,
        into_name: of.into_name,
        mentions: of.mentions,
    }
}
