//! Runs the cases of a rule on snapshots made of their rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::runtime_env::RuntimeEnv;
use domain::hit::{RuleOutcome, RuleState};
use domain::ports::{NoProgress, RuleCaseResult, RunRequest};
use futures::StreamExt;

use super::compare::differences;
use super::file::{Case, CaseFile, Outcome};
use crate::data::MemorySnapshot;
use crate::error::Result;
use crate::rules::{Bundle, LoadedRule};
use crate::run::runner::{Opened, Runner};
use crate::session::Limits;
use crate::sql::params;

/// A case with its snapshot opened; can run against any version of the rule that reads the same views.
#[derive(Debug)]
pub struct ReadyCase {
    pub case: Case,
    runner: Runner,
    request: RunRequest,
    opened: Opened,
}

impl ReadyCase {
    /// Builds the snapshot of the case and opens it for the rule.
    pub async fn open(
        runtime: &Arc<RuntimeEnv>,
        bundle: &Arc<Bundle>,
        rule: &LoadedRule,
        place: &str,
        case: Case,
    ) -> Result<Self> {
        let place = format!("{place}: case {:?}", case.name);
        let id = rule.spec.id.clone();
        params::in_force(&id, &rule.spec.params, &case.params)?;
        let runner = Runner {
            runtime: runtime.clone(),
            limits: Limits::default(),
            bundle: bundle.clone(),
            snapshot: Arc::new(MemorySnapshot::new(&place, &case.datasets)?),
            graphs: Arc::default(),
        };
        let request = RunRequest {
            rules: vec![id.clone()],
            as_of: case.as_of,
            snapshot: None,
            threads: 1,
            params: BTreeMap::from([(id, case.params.clone())]),
        };
        let opened = runner.open(&[rule], &request).await?;
        Ok(Self {
            case,
            runner,
            request,
            opened,
        })
    }

    /// What differs from the expectation; empty when the case passes.
    pub async fn problems(&self, rule: &LoadedRule) -> Result<Vec<String>> {
        let output = self
            .runner
            .run_on(&self.opened, &[rule], &self.request, &NoProgress)
            .await?;
        let Some(outcome) = output.outcomes.first() else {
            return Ok(vec!["the rule did not run".into()]);
        };
        let mut problems = self.judge(outcome);
        let parties = self.runner.snapshot.parties().await?;
        for (name, value) in outcome.hits.iter().flat_map(|h| &h.identity) {
            if value.as_str().is_some_and(|id| parties.is_party_id(id)) {
                problems.push(format!(
                    "identity {name} is a party id ({value}); use the <slot>_key instead"
                ));
            }
        }
        problems.dedup();
        Ok(problems)
    }

    fn judge(&self, outcome: &RuleOutcome) -> Vec<String> {
        let reason = match &outcome.reason {
            Some((code, text)) => format!("{code} ({})", text.en),
            None => String::new(),
        };
        match (&self.case.outcome, outcome.state) {
            (Outcome::Alerts(_), RuleState::Evaluated) if outcome.reason.is_some() => vec![reason],
            (Outcome::Alerts(expected), RuleState::Evaluated) => differences(expected, &outcome.hits),
            (Outcome::NotEvaluable(code), RuleState::NotEvaluable)
                if outcome.reason.as_ref().is_some_and(|(c, _)| c == code) =>
            {
                Vec::new()
            }
            (Outcome::NotEvaluable(code), RuleState::Evaluated) => {
                vec![format!(
                    "should be NOT_EVALUABLE {code}, but gave {} alerts",
                    outcome.hits.len()
                )]
            }
            (Outcome::NotEvaluable(code), _) => {
                vec![format!("should be NOT_EVALUABLE {code}, but is {reason}")]
            }
            (_, RuleState::NotEvaluable) => vec![format!("NOT_EVALUABLE {reason}")],
            (_, _) => vec![format!("the rule did not finish: {reason}")],
        }
    }
}

/// The cases of a rule, opened.
pub async fn load(
    runtime: &Arc<RuntimeEnv>,
    bundle: &Arc<Bundle>,
    rule: &LoadedRule,
) -> Result<Vec<ReadyCase>> {
    let Some((place, text)) = &rule.cases else {
        return Ok(Vec::new());
    };
    let mut ready = Vec::new();
    for case in CaseFile::parse(place, text)?.cases {
        ready.push(ReadyCase::open(runtime, bundle, rule, place, case).await?);
    }
    Ok(ready)
}

/// Runs all cases of these rules, as many rules at once as there are cores. A test file that cannot be read is
/// one failed case of its rule.
pub async fn run_all(
    runtime: &Arc<RuntimeEnv>,
    bundle: &Arc<Bundle>,
    rules: &[&LoadedRule],
) -> Vec<RuleCaseResult> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = rules.iter().map(|rule| {
        let (runtime, bundle, rule) = (runtime.clone(), bundle.clone(), (*rule).clone());
        async move {
            let id = rule.spec.id.clone();
            match SpawnedTask::spawn(async move { run_rule(&runtime, &bundle, &rule).await })
                .join()
                .await
            {
                Ok(results) => results,
                Err(stopped) => vec![result(
                    &id,
                    "(all cases)",
                    vec![format!("stopped unexpectedly: {stopped}")],
                )],
            }
        }
    });
    let work: Vec<_> = work.collect();
    futures::stream::iter(work)
        .buffered(cores)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect()
}

fn result(rule: &str, case: &str, problems: Vec<String>) -> RuleCaseResult {
    RuleCaseResult {
        rule_id: rule.to_owned(),
        case: case.to_owned(),
        passed: problems.is_empty(),
        detail: problems.join("\n"),
    }
}

async fn run_rule(runtime: &Arc<RuntimeEnv>, bundle: &Arc<Bundle>, rule: &LoadedRule) -> Vec<RuleCaseResult> {
    let id = &rule.spec.id;
    let Some((place, text)) = &rule.cases else {
        return vec![result(
            id,
            "(test file)",
            vec![format!("{} has no cases", rule.place)],
        )];
    };
    let file = match CaseFile::parse(place, text) {
        Ok(file) => file,
        Err(error) => return vec![result(id, "(test file)", vec![error.to_string()])],
    };
    let mut results = Vec::new();
    for case in file.cases {
        let name = case.name.clone();
        let problems = match ReadyCase::open(runtime, bundle, rule, place, case).await {
            Ok(ready) => ready
                .problems(rule)
                .await
                .unwrap_or_else(|error| vec![error.to_string()]),
            Err(error) => vec![error.to_string()],
        };
        results.push(result(id, &name, problems));
    }
    results
}
