//! Judgements without a lake: what is asked for is kept, and nothing resolved.

use async_trait::async_trait;
use domain::Failure;
use domain::judgements::{
    JudgeParties, JudgementDone, JudgementPort, PartyEvent, PartyEventKind, PartyJudgement, Withdrawal,
};
use domain::ports::Result;

use crate::fakes::World;

fn event(n: i64) -> PartyEvent {
    PartyEvent {
        snapshot: n,
        at: 1_000 + n,
        kind: PartyEventKind::Merged,
        from: format!("c{n}"),
        from_name: "康瑞".into(),
        into: "c0".into(),
        into_name: "杭州康瑞医药有限公司".into(),
        mentions: 2,
    }
}

#[async_trait]
impl JudgementPort for World {
    async fn judge(&self, request: JudgeParties) -> Result<JudgementDone> {
        let mut all = self.judgements.lock().expect("not poisoned");
        let judgement = PartyJudgement {
            judgement_id: format!("J{:06}", all.len() + 1),
            verdict: request.verdict,
            a: request.a.clone(),
            b: request.b.clone(),
            a_told: request.a,
            b_told: request.b,
            by: request.by,
            reason: request.reason,
            at: 1_000,
            withdrawn: None,
        };
        all.push(judgement.clone());
        Ok(JudgementDone {
            judgement,
            snapshot: 2,
            events: vec![event(1)],
        })
    }

    async fn withdraw(&self, judgement_id: &str, by: &str, reason: &str) -> Result<JudgementDone> {
        let mut all = self.judgements.lock().expect("not poisoned");
        let found = all.iter_mut().find(|j| j.judgement_id == judgement_id);
        let judgement = found.ok_or_else(|| Failure::not_found("NO_SUCH_JUDGEMENT", "there is none"))?;
        judgement.withdrawn = Some(Withdrawal {
            by: by.to_owned(),
            reason: reason.to_owned(),
            at: 2_000,
        });
        Ok(JudgementDone {
            judgement: judgement.clone(),
            snapshot: 3,
            events: Vec::new(),
        })
    }

    async fn judgements(&self, with_withdrawn: bool, limit: usize) -> Result<Vec<PartyJudgement>> {
        let all = self.judgements.lock().expect("not poisoned");
        let shown = all.iter().filter(|j| with_withdrawn || j.withdrawn.is_none());
        Ok(shown.take(limit).cloned().collect())
    }

    async fn party_events(&self, party: Option<&str>, limit: usize) -> Result<Vec<PartyEvent>> {
        let all = (1..=3).rev().map(event);
        let named = |e: &PartyEvent| party.is_none_or(|id| e.from == id || e.into == id);
        Ok(all.filter(named).take(limit).collect())
    }
}
