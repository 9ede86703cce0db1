//! CollisionService: rules, their cases, and runs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use domain::Failure;
use domain::ports::{BacktestRequest, CollisionPort, EvidenceCheck, EvidenceRef, Rule, RunRequest};
use proto::v1 as pb;
use proto::v1::collision_service_server::CollisionService;
use tonic::{Request, Response};

use super::{Answer, Services};
use crate::convert;
use crate::operations::{Kind, Outcome};
use crate::paging::Page;
use crate::status::to_status;

const THREADS_MAX: u32 = 1_024;
/// Days from one look of a backtest to the next, where nothing else is asked for.
const BACKTEST_STEP_DAYS: u32 = 30;
const BACKTEST_LOOKS_MAX: i64 = 120;

#[async_trait]
impl CollisionService for Services {
    async fn list_rules(&self, request: Request<pb::ListRulesRequest>) -> Answer<pb::ListRulesResponse> {
        let request = request.into_inner();
        let page = Page::new("rules", request.page_size, &request.page_token).map_err(to_status)?;
        let mut rules = self.ports.collision.rules();
        rules.sort_by(|a, b| a.spec.id.cmp(&b.spec.id));
        let (rules, next_page_token) = page.cut(rules.iter().map(|r| convert::rule_to_proto(r, false)));
        Ok(Response::new(pb::ListRulesResponse {
            rules,
            next_page_token,
        }))
    }

    async fn get_rule(&self, request: Request<pb::GetRuleRequest>) -> Answer<pb::GetRuleResponse> {
        let rule = find_rule(&*self.ports.collision, &request.into_inner().rule_id).map_err(to_status)?;
        Ok(Response::new(pb::GetRuleResponse {
            rule: Some(convert::rule_to_proto(&rule, true)),
        }))
    }

    async fn run_rules(&self, request: Request<pb::RunRulesRequest>) -> Answer<pb::RunRulesResponse> {
        let request = request.into_inner();
        let asked = format!(
            "RunRules {:?}",
            pb::RunRulesRequest {
                request_id: String::new(),
                ..request.clone()
            }
        );
        let request_id = request.request_id.clone();
        let only_preview = request.validate_only;
        let run = self.parse_run(request).map_err(to_status)?;
        let (collision, alerts) = (self.ports.collision.clone(), self.ports.alerts.clone());
        let operation = self
            .operations
            .start(Kind::RunRules, &request_id, asked, move |progress| async move {
                let output = collision.run(run, progress).await?;
                let rows = EvidenceRows(collision);
                Ok(match only_preview {
                    true => Outcome::Preview(alerts.preview(&output, &rows).await?),
                    false => Outcome::Run(alerts.record(&output, &rows).await?),
                })
            })
            .map_err(to_status)?;
        Ok(Response::new(pb::RunRulesResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn list_runs(&self, request: Request<pb::ListRunsRequest>) -> Answer<pb::ListRunsResponse> {
        let request = request.into_inner();
        let page = Page::new("runs", request.page_size, &request.page_token).map_err(to_status)?;
        let runs = self.ports.alerts.runs(page.fetch()).await.map_err(to_status)?;
        let (runs, next_page_token) = page.cut(runs.iter().map(convert::run_to_proto));
        Ok(Response::new(pb::ListRunsResponse {
            runs,
            next_page_token,
        }))
    }

    async fn backtest_rule(
        &self,
        request: Request<pb::BacktestRuleRequest>,
    ) -> Answer<pb::BacktestRuleResponse> {
        let backtest = self.parse_backtest(request.into_inner()).map_err(to_status)?;
        let collision = self.ports.collision.clone();
        let operation = self
            .operations
            .start(
                Kind::BacktestRule,
                "",
                String::new(),
                move |progress| async move {
                    collision
                        .backtest(backtest, progress)
                        .await
                        .map(Outcome::Backtest)
                },
            )
            .map_err(to_status)?;
        Ok(Response::new(pb::BacktestRuleResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn test_rules(&self, request: Request<pb::TestRulesRequest>) -> Answer<pb::TestRulesResponse> {
        let rule = self.one_or_all(request.into_inner().rule_id).map_err(to_status)?;
        let cases = self.ports.collision.test_rules(rule).await.map_err(to_status)?;
        Ok(Response::new(pb::TestRulesResponse {
            cases: cases.into_iter().map(convert::case_to_proto).collect(),
        }))
    }

    async fn mutate_rules(
        &self,
        request: Request<pb::MutateRulesRequest>,
    ) -> Answer<pb::MutateRulesResponse> {
        let rule = self.one_or_all(request.into_inner().rule_id).map_err(to_status)?;
        let collision = self.ports.collision.clone();
        let operation = self
            .operations
            .start(Kind::MutateRules, "", String::new(), move |_| async move {
                collision.mutate_rules(rule).await.map(Outcome::Mutation)
            })
            .map_err(to_status)?;
        Ok(Response::new(pb::MutateRulesResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn lint_rules(&self, _: Request<pb::LintRulesRequest>) -> Answer<pb::LintRulesResponse> {
        let problems = self.ports.collision.lint_rules().await.map_err(to_status)?;
        Ok(Response::new(pb::LintRulesResponse { problems }))
    }
}

/// Earliest day that a run may look from: before the oldest law that a rule rests on.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a day of the calendar");

impl Services {
    fn parse_run(&self, request: pb::RunRulesRequest) -> Result<RunRequest, Failure> {
        let known: HashSet<String> = self
            .ports
            .collision
            .rules()
            .iter()
            .map(|r| r.spec.id.clone())
            .collect();
        for id in request.rule_ids.iter().chain(request.params.keys()) {
            if !known.contains(id) {
                return Err(no_such_rule(id));
            }
        }
        if request.threads > THREADS_MAX {
            return Err(Failure::invalid(
                "INVALID_FIELD",
                format!("threads is {}; it takes 0 to {THREADS_MAX}", request.threads),
            )
            .with("field", "threads"));
        }
        if let Some(snapshot) = request.snapshot.filter(|s| *s < 0) {
            return Err(Failure::invalid(
                "INVALID_FIELD",
                format!("snapshot is {snapshot}; they count from 0"),
            )
            .with("field", "snapshot"));
        }
        let today = self.ports.clock.today();
        let as_of = convert::date_of_request("as_of", &request.as_of)?.unwrap_or(today);
        // A later day would make alerts stale that no run of today could open again.
        if as_of > today || as_of < FIRST_DAY {
            return Err(Failure::invalid(
                "INVALID_FIELD",
                format!("as_of is {as_of}; it takes {FIRST_DAY} to {today} (today in China)"),
            )
            .with("field", "as_of"));
        }
        let mut rules = request.rule_ids;
        rules.sort();
        rules.dedup();
        Ok(RunRequest {
            rules,
            as_of,
            snapshot: request.snapshot,
            threads: match request.threads {
                0 => self.options.threads,
                n => n as usize,
            },
            params: request
                .params
                .into_iter()
                .map(|(rule, params)| (rule, convert::map_from_proto(params.entries)))
                .collect::<BTreeMap<_, _>>(),
        })
    }

    /// The days are counted back from the last one.
    fn parse_backtest(&self, request: pb::BacktestRuleRequest) -> Result<BacktestRequest, Failure> {
        let invalid =
            |field: &str, text: String| Failure::invalid("INVALID_FIELD", text).with("field", field);
        let first = convert::date_of_request("first_day", &request.first_day)?
            .ok_or_else(|| invalid("first_day", "first_day is missing; give YYYY-MM-DD".to_owned()))?;
        if first < FIRST_DAY {
            let text = format!("first_day is {first}; it takes {FIRST_DAY} or later");
            return Err(invalid("first_day", text));
        }
        // The last day must be one that a run may look from.
        let run = self.parse_run(pb::RunRulesRequest {
            rule_ids: vec![request.rule_id.clone()],
            as_of: request.last_day,
            snapshot: request.snapshot,
            threads: request.threads,
            ..Default::default()
        })?;
        let last = run.as_of;
        if last < first {
            let text = format!("last_day {last} is before first_day {first}");
            return Err(invalid("last_day", text));
        }
        let step = match request.step_days {
            0 => BACKTEST_STEP_DAYS,
            days => days,
        };
        let looks = (last - first).num_days() / i64::from(step) + 1;
        if looks > BACKTEST_LOOKS_MAX {
            let text = format!(
                "{first} to {last} in steps of {step} days are {looks} looks, at most {BACKTEST_LOOKS_MAX} are taken; \
                 take longer steps or a shorter time"
            );
            return Err(invalid("step_days", text));
        }
        let before = |look: i64| last - TimeDelta::days(look * i64::from(step));
        Ok(BacktestRequest {
            rule_id: request.rule_id,
            days: (0..looks).rev().map(before).collect(),
            snapshot: run.snapshot,
            threads: run.threads,
            params: convert::map_from_proto(request.params),
        })
    }

    fn one_or_all(&self, rule_id: String) -> Result<Option<String>, Failure> {
        if rule_id.is_empty() {
            return Ok(None);
        }
        find_rule(&*self.ports.collision, &rule_id)?;
        Ok(Some(rule_id))
    }
}

fn find_rule(collision: &dyn CollisionPort, id: &str) -> Result<Rule, Failure> {
    collision
        .rules()
        .into_iter()
        .find(|r| r.spec.id == id)
        .ok_or_else(|| no_such_rule(id))
}

fn no_such_rule(id: &str) -> Failure {
    Failure::not_found(
        "RULE_NOT_FOUND",
        format!("there is no rule {id:?}; `lianjing rules list` shows all"),
    )
    .with("rule_id", id)
}

/// Asks the engine for the alert store whether evidence still stands.
pub(crate) struct EvidenceRows(pub(crate) Arc<dyn CollisionPort>);

#[async_trait]
impl EvidenceCheck for EvidenceRows {
    async fn unchanged(&self, rows: Vec<EvidenceRef>) -> Result<Vec<bool>, Failure> {
        self.0.rows_unchanged(rows).await
    }
}
