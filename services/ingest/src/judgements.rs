//! Reviewers' verdicts on who is who: taken or withdrawn together with the parties that obey them, in one commit.

use async_trait::async_trait;
use domain::judgements::{
    JudgeParties, JudgementDone, JudgementPort, PartyEvent, PartyJudgement, Withdrawal,
};
use domain::{Failure, FailureKind, ports};
use lake::{JudgementChange, PartyTables, Prepared, SyncStart};
use matching::identifier::IdNumber;
use matching::{Unobeyed, Uscc, Verdict, strict_key};

use crate::Ingest;
use crate::error::Result;
use crate::host::{Host, JUDGED};

/// Events of one verdict that are told, at most.
const EVENTS_MAX: usize = 1_000;
/// Longest name of a reviewer and longest reason, in characters.
const BY_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 2_000;

#[async_trait]
impl JudgementPort for Ingest {
    async fn judge(&self, request: JudgeParties) -> ports::Result<JudgementDone> {
        let verdict = Verdict::parse(&request.verdict).ok_or_else(|| {
            field(
                "verdict",
                format!("verdict is {:?}; it is SAME or DIFFERENT", request.verdict),
            )
        })?;
        let by = required("by", &request.by, BY_CHARS_MAX)?;
        let reason = required("reason", &request.reason, REASON_CHARS_MAX)?;
        let host = self.host();
        let prepared = prepared(host).await?;
        let before = prepared.parties_before().await.map_err(Host::in_lake(JUDGED))?;
        let (mut a, mut b) = (
            (side(&before, &request.a)?, request.a.trim().to_owned()),
            (side(&before, &request.b)?, request.b.trim().to_owned()),
        );
        if a.0 == b.0 {
            return Err(one_party(&a.1, &b.1));
        }
        if a.0 > b.0 {
            std::mem::swap(&mut a, &mut b);
        }
        let in_lake = Host::in_lake(JUDGED);
        let mut verdicts = host.lake.judgements(false, usize::MAX).await.map_err(&in_lake)?;
        if let Some(earlier) = verdicts.iter().find(|j| j.a == a.0 && j.b == b.0) {
            return Err(Failure::new(
                FailureKind::Conflict,
                "JUDGED_BEFORE",
                format!(
                    "{} already found these two {}, on {}'s word; withdraw it first: lianjing party unjudge {}",
                    earlier.judgement_id, earlier.verdict, earlier.by, earlier.judgement_id
                ),
            )
            .with("judgement_id", &earlier.judgement_id));
        }
        let judgement = PartyJudgement {
            judgement_id: host.lake.next_judgement_id().await.map_err(&in_lake)?,
            verdict: verdict.as_str().to_owned(),
            a: a.0,
            b: b.0,
            a_told: a.1,
            b_told: b.1,
            by,
            reason,
            at: host.clock.now().timestamp_micros(),
            withdrawn: None,
        };
        verdicts.push(judgement.clone());
        let message = format!(
            "judged {}: {} and {}",
            judgement.verdict, judgement.a_told, judgement.b_told
        );
        commit(
            host,
            prepared,
            verdicts,
            JudgementChange::Add(judgement),
            &message,
        )
        .await
    }

    async fn withdraw(&self, judgement_id: &str, by: &str, reason: &str) -> ports::Result<JudgementDone> {
        let by = required("by", by, BY_CHARS_MAX)?;
        let reason = required("reason", reason, REASON_CHARS_MAX)?;
        let host = self.host();
        let prepared = prepared(host).await?;
        let in_lake = Host::in_lake(JUDGED);
        let id = judgement_id.trim();
        let found = host.lake.judgement(id).await.map_err(&in_lake)?;
        match found {
            None => {
                return Err(Failure::not_found(
                    "NO_SUCH_JUDGEMENT",
                    format!("there is no judgement {id:?}; `lianjing party judgements` lists them"),
                ));
            }
            Some(PartyJudgement {
                withdrawn: Some(earlier),
                ..
            }) => {
                return Err(Failure::new(
                    FailureKind::Precondition,
                    "WITHDRAWN_BEFORE",
                    format!("judgement {id} was withdrawn by {} already", earlier.by),
                ));
            }
            Some(_) => {}
        }
        let mut verdicts = host.lake.judgements(false, usize::MAX).await.map_err(&in_lake)?;
        verdicts.retain(|j| j.judgement_id != id);
        let change = JudgementChange::Withdraw {
            judgement_id: id.to_owned(),
            withdrawal: Withdrawal {
                by,
                reason,
                at: host.clock.now().timestamp_micros(),
            },
        };
        commit(
            host,
            prepared,
            verdicts,
            change,
            &format!("withdrew judgement {id}"),
        )
        .await
    }

    async fn judgements(&self, with_withdrawn: bool, limit: usize) -> ports::Result<Vec<PartyJudgement>> {
        let found = self.host().lake.judgements(with_withdrawn, limit).await;
        Ok(found.map_err(Host::in_lake(JUDGED))?)
    }

    async fn party_events(&self, party: Option<&str>, limit: usize) -> ports::Result<Vec<PartyEvent>> {
        let (lake, in_lake) = (&self.host().lake, Host::in_lake(JUDGED));
        let found = lake.party_events(party, limit).await.map_err(&in_lake)?;
        let Some(party) = party.filter(|_| found.is_empty() && limit > 0) else {
            return Ok(found);
        };
        // A party that is there has no event yet; any other id is a mistake.
        let head = lake.head().await.map_err(&in_lake)?;
        let tables = lake.parties(head).await.map_err(&in_lake)?;
        match tables.parties.iter().any(|p| p.party_id == party) {
            true => Ok(found),
            false => Err(Failure::not_found(
                "PARTY_NOT_FOUND",
                format!(
                    "party events: no party has or had the id {party:?}; give a party id, which `lianjing party NAME` shows"
                ),
            )),
        }
    }
}

/// A commit that brings no rows. No sync begins before it is over.
async fn prepared(host: &Host) -> Result<Prepared> {
    let in_lake = Host::in_lake(JUDGED);
    let start = SyncStart {
        source: JUDGED.to_owned(),
        started_at: host.clock.now(),
    };
    let sync = host.lake.begin(start).await.map_err(&in_lake)?;
    sync.finish().await.map_err(&in_lake)
}

async fn commit(
    host: &Host,
    mut prepared: Prepared,
    verdicts: Vec<PartyJudgement>,
    change: JudgementChange,
    message: &str,
) -> ports::Result<JudgementDone> {
    let resolved = host.resolved(&prepared, verdicts.clone()).await?;
    if matches!(change, JudgementChange::Add(_)) {
        // The new verdict comes last; an old one may wait for its rows.
        let new = verdicts.len().saturating_sub(1);
        if let Some((_, why)) = resolved.unobeyed.into_iter().find(|(at, _)| *at == new) {
            return Err(refused(why));
        }
    }
    let id = match &change {
        JudgementChange::Add(judgement) => judgement.judgement_id.clone(),
        JudgementChange::Withdraw { judgement_id, .. } => judgement_id.clone(),
    };
    prepared.set_parties(resolved.tables);
    prepared.set_judgement(change);
    let in_lake = Host::in_lake(JUDGED);
    let snapshot = prepared.commit(message).await.map_err(&in_lake)?;
    let mut events = host.lake.party_events(None, EVENTS_MAX).await.map_err(&in_lake)?;
    events.retain(|e| e.snapshot == snapshot);
    let judgement = host.lake.judgement(&id).await.map_err(&in_lake)?.ok_or_else(|| {
        Failure::new(
            FailureKind::Internal,
            "INTERNAL",
            format!("judgement {id} was committed and is not there"),
        )
    })?;
    Ok(JudgementDone {
        judgement,
        snapshot,
        events,
    })
}

/// The business key that a reviewer's words stand for.
fn side(before: &PartyTables, text: &str) -> ports::Result<String> {
    const KEYS: [&str; 6] = ["name:", "id:", "staff:", "pid:", "src:", "ref:"];
    let text = required("party", text, 300)?;
    if let Ok(code) = Uscc::parse(&text) {
        return Ok(code.to_string());
    }
    if let Ok(number) = IdNumber::parse(&text) {
        let number = number.as_str();
        let party = before
            .parties
            .iter()
            .find(|p| p.id_number.as_deref() == Some(number));
        return match party {
            Some(party) => key_of(before, &party.party_id),
            None => Err(nobody("this ID number")),
        };
    }
    if KEYS.iter().any(|prefix| text.starts_with(prefix)) {
        return Ok(text);
    }
    if before.parties.iter().any(|p| p.party_id == text) {
        return key_of(before, &text);
    }
    match strict_key(&text) {
        key if key.is_empty() => Err(nobody(&text)),
        key => Ok(format!("name:{key}")),
    }
}

fn key_of(before: &PartyTables, party_id: &str) -> ports::Result<String> {
    let reference = before.refs.iter().find(|r| r.party_id == party_id);
    reference
        .map(|r| r.party_key.clone())
        .ok_or_else(|| nobody(party_id))
}

fn required(name: &'static str, text: &str, chars_max: usize) -> ports::Result<String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(field(name, format!("{name} is empty; it must be given"))),
        n if n > chars_max => Err(field(
            name,
            format!("{name} has {n} characters; it takes {chars_max} at most"),
        )),
        _ => Ok(text.to_owned()),
    }
}

fn field(name: &str, message: String) -> Failure {
    Failure::invalid("INVALID_FIELD", message).with("field", name)
}

fn nobody(text: &str) -> Failure {
    Failure::not_found(
        "NO_SUCH_PARTY",
        format!("no row speaks of {text}; `lianjing party NAME` finds parties"),
    )
}

fn one_party(a: &str, b: &str) -> Failure {
    Failure::new(
        FailureKind::Precondition,
        "ONE_PARTY",
        format!("{a} and {b} are one party already"),
    )
}

fn refused(why: Unobeyed) -> Failure {
    let reason = match &why {
        Unobeyed::NoMention(text) => return nobody(text),
        Unobeyed::Ambiguous(_) => "AMBIGUOUS_PARTY",
        Unobeyed::OneParty(..) => "ONE_PARTY",
        Unobeyed::UnlikeKinds(..) => "UNLIKE_KINDS",
        Unobeyed::TwoCodes(..) => "TWO_VALID_CODES",
        Unobeyed::Contradicted(..) => "CONTRADICTED",
    };
    Failure::new(
        FailureKind::Precondition,
        reason,
        format!("the verdict cannot be taken: {why}"),
    )
}
