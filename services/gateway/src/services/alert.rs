//! AlertService: listing, explaining, replaying, closing, watching and exporting alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::alert::Alert;
use domain::hit::{RuleState, evidence_digest};
use domain::ports::{
    AlertExplanation, AlertPage, AlertsPort, ListAlertsRequest, NoProgress, RunRequest, WatchItem,
    WatchRequest,
};
use domain::{Bilingual, Failure};
use futures::{StreamExt as _, TryStreamExt as _};
use proto::v1 as pb;
use proto::v1::alert_service_server::AlertService;
use proto::v1::watch_alerts_response::Item;
use tonic::{Request, Response, Status};

use super::{Answer, BoxStream, Services, required};
use crate::convert;
use crate::status::to_status;

/// Alerts fetched at a time for an export.
const EXPORT_PAGE: i32 = 500;
/// Most events a slow watcher may leave undelivered.
const OUTSTANDING_MAX: usize = 100_000;

#[async_trait]
impl AlertService for Services {
    type WatchAlertsStream = BoxStream<pb::WatchAlertsResponse>;
    type ExportAlertsStream = BoxStream<pb::ExportAlertsResponse>;

    async fn list_alerts(&self, request: Request<pb::ListAlertsRequest>) -> Answer<pb::ListAlertsResponse> {
        let request = request.into_inner();
        let basic = request.view() == pb::AlertView::Basic;
        let page = self
            .ports
            .alerts
            .list(ListAlertsRequest {
                filter: request.filter,
                page_size: request.page_size,
                page_token: request.page_token,
            })
            .await
            .map_err(to_status)?;
        let in_view = |alert: Alert| match basic {
            true => convert::alert_to_proto(&Alert {
                evidence: Vec::new(),
                path: Vec::new(),
                ..alert
            }),
            false => convert::alert_to_proto(&alert),
        };
        Ok(Response::new(pb::ListAlertsResponse {
            alerts: page.alerts.into_iter().map(in_view).collect(),
            next_page_token: page.next_page_token,
            total_size: page.total,
        }))
    }

    async fn get_alert(&self, request: Request<pb::GetAlertRequest>) -> Answer<pb::GetAlertResponse> {
        let alert = self
            .ports
            .alerts
            .get(&request.into_inner().alert_id)
            .await
            .map_err(to_status)?;
        Ok(Response::new(pb::GetAlertResponse {
            alert: Some(convert::alert_to_proto(&alert)),
        }))
    }

    async fn explain_alert(
        &self,
        request: Request<pb::ExplainAlertRequest>,
    ) -> Answer<pb::ExplainAlertResponse> {
        let explanation = self
            .ports
            .alerts
            .explain(&request.into_inner().alert_id)
            .await
            .map_err(to_status)?;
        Ok(Response::new(convert::explanation_to_proto(&explanation)))
    }

    async fn replay_alert(
        &self,
        request: Request<pb::ReplayAlertRequest>,
    ) -> Answer<pb::ReplayAlertResponse> {
        let alert_id = request.into_inner().alert_id;
        Ok(Response::new(self.replay(&alert_id).await.map_err(to_status)?))
    }

    async fn close_alert(&self, request: Request<pb::CloseAlertRequest>) -> Answer<pb::CloseAlertResponse> {
        let request = request.into_inner();
        let actor = required("actor", request.actor.trim(), 128).map_err(to_status)?;
        let reason = required("reason", request.reason.trim(), 4_000).map_err(to_status)?;
        let alert = self
            .ports
            .alerts
            .close(&request.alert_id, actor, reason)
            .await
            .map_err(to_status)?;
        Ok(Response::new(pb::CloseAlertResponse {
            alert: Some(convert::alert_to_proto(&alert)),
        }))
    }

    async fn watch_alerts(
        &self,
        request: Request<pb::WatchAlertsRequest>,
    ) -> Answer<Self::WatchAlertsStream> {
        let request = request.into_inner();
        let max_outstanding = request.max_outstanding as usize;
        if max_outstanding > OUTSTANDING_MAX {
            let failure = Failure::invalid(
                "INVALID_FIELD",
                format!("max_outstanding is {max_outstanding}; it takes 0 to {OUTSTANDING_MAX}"),
            );
            return Err(to_status(failure.with("field", "max_outstanding")));
        }
        let watch = self
            .ports
            .alerts
            .watch(WatchRequest {
                filter: request.filter,
                resume_token: request.resume_token,
                send_initial_list: request.send_initial_list,
                max_outstanding,
            })
            .await
            .map_err(to_status)?;
        let items = watch.map(|item| item.map(watch_item).map_err(to_status));
        Ok(Response::new(self.until_shutdown(items)))
    }

    async fn export_alerts(
        &self,
        request: Request<pb::ExportAlertsRequest>,
    ) -> Answer<Self::ExportAlertsStream> {
        let filter = request.into_inner().filter;
        // The first page is read before the stream opens, so that a wrong filter fails the call itself.
        let first = page_of(&*self.ports.alerts, &filter, String::new())
            .await
            .map_err(to_status)?;
        let alerts = self.ports.alerts.clone();
        let pages = futures::stream::try_unfold(Some(Next::Ready(first)), move |next| {
            let (alerts, filter) = (alerts.clone(), filter.clone());
            async move {
                let page = match next {
                    None => return Ok::<_, Status>(None),
                    Some(Next::Ready(page)) => page,
                    Some(Next::Token(token)) => page_of(&*alerts, &filter, token).await.map_err(to_status)?,
                };
                let next = Some(page.next_page_token)
                    .filter(|t| !t.is_empty())
                    .map(Next::Token);
                let part = page
                    .alerts
                    .into_iter()
                    .map(|alert| Ok(export_item(&alert)))
                    .collect::<Vec<_>>();
                Ok(Some((futures::stream::iter(part), next)))
            }
        });
        Ok(Response::new(self.until_shutdown(pages.try_flatten())))
    }
}

/// Where an export goes on.
enum Next {
    Ready(AlertPage),
    Token(String),
}

async fn page_of(alerts: &dyn AlertsPort, filter: &str, page_token: String) -> Result<AlertPage, Failure> {
    alerts
        .list(ListAlertsRequest {
            filter: filter.to_owned(),
            page_size: EXPORT_PAGE,
            page_token,
        })
        .await
}

fn export_item(alert: &Alert) -> pb::ExportAlertsResponse {
    pb::ExportAlertsResponse {
        alert: Some(convert::alert_to_proto(alert)),
    }
}

fn watch_item(item: WatchItem) -> pb::WatchAlertsResponse {
    match item {
        WatchItem::Event { event, resume_token } => pb::WatchAlertsResponse {
            item: Some(Item::Event(convert::alert_event_to_proto(&event))),
            resume_token,
        },
        WatchItem::Bookmark {
            revision,
            initial_list_end,
            resume_token,
        } => pb::WatchAlertsResponse {
            item: Some(Item::Bookmark(pb::Bookmark {
                revision,
                initial_list_end,
            })),
            resume_token,
        },
    }
}

impl Services {
    /// Runs the alert's rule as it was run then, and compares what it gives.
    async fn replay(&self, alert_id: &str) -> Result<pb::ReplayAlertResponse, Failure> {
        let recorded = self.ports.alerts.explain(alert_id).await?;
        let rule_id = recorded.alert.rule_id.clone();
        let request = RunRequest {
            rules: vec![rule_id.clone()],
            as_of: recorded.as_of,
            snapshot: Some(recorded.snapshot),
            threads: self.options.threads,
            params: BTreeMap::from([(rule_id.clone(), recorded.params.clone())]),
        };
        let output = self.ports.collision.run(request, Arc::new(NoProgress)).await?;
        let outcome = output.outcomes.iter().find(|o| o.rule.id == rule_id);
        let hit = outcome.and_then(|o| {
            o.hits.iter().find(|hit| {
                hit.identity.iter().cloned().collect::<BTreeMap<_, _>>() == recorded.alert.identity
            })
        });
        let replayed_digest = hit.map(|h| evidence_digest(&h.evidence)).unwrap_or_default();
        let same_rule = outcome.is_some_and(|o| o.rule_hash == recorded.rule_hash);
        let same_evidence = replayed_digest == recorded.evidence_digest;
        let difference = match (outcome, same_rule) {
            (None, _) => Some(Bilingual::new("该规则已不存在。", "The rule no longer exists.")),
            (Some(o), _) if !matches!(o.state, RuleState::Evaluated | RuleState::Capped) => {
                let (_, why) = o.reason.clone().unwrap_or_default();
                Some(Bilingual::new(
                    format!("该规则现在无法评估：{}", why.zh),
                    format!("The rule cannot be evaluated now: {}", why.en),
                ))
            }
            (Some(o), false) => Some(Bilingual::new(
                format!(
                    "规则文本已变更（当时版本 {}，现版本 {}）。",
                    recorded.alert.rule_version, o.rule.version
                ),
                format!(
                    "The rule's text has changed (version {} then, {} now).",
                    recorded.alert.rule_version, o.rule.version
                ),
            )),
            (Some(_), true) if hit.is_none() => Some(Bilingual::new(
                "规则未再命中该预警。",
                "The rule did not give this alert again.",
            )),
            (Some(_), true) if !same_evidence => Some(Bilingual::new(
                "证据行与当时不同。",
                "The evidence rows differ from those recorded.",
            )),
            (Some(_), true) => None,
        };
        Ok(pb::ReplayAlertResponse {
            reproduced: same_rule && same_evidence,
            explanation: Some(convert::bilingual_to_proto(&explanation(&recorded, difference))),
            recorded_digest: recorded.evidence_digest,
            replayed_digest,
            snapshot: recorded.snapshot,
            as_of: recorded.as_of.to_string(),
            rule_id,
        })
    }
}

fn explanation(recorded: &AlertExplanation, difference: Option<Bilingual>) -> Bilingual {
    let (rule, snapshot, as_of) = (&recorded.alert.rule_id, recorded.snapshot, recorded.as_of);
    let result = difference.unwrap_or_else(|| {
        Bilingual::new(
            "得到相同的预警和相同的证据摘要。",
            "It gave the same alert with the same evidence digest.",
        )
    });
    Bilingual::new(
        format!(
            "在快照 {snapshot} 上以 {as_of} 为基准日重新运行规则 {rule}。{}",
            result.zh
        ),
        format!(
            "Rule {rule} was run again on snapshot {snapshot} as of {as_of}. {}",
            result.en
        ),
    )
}
