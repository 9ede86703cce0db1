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

/// How many cases run at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs all cases of these rules, as many at once as there are cores. A test file that cannot be read is one failed
/// case of its rule.
pub async fn run_all(
    runtime: &Arc<RuntimeEnv>,
    bundle: &Arc<Bundle>,
    rules: &[&LoadedRule],
) -> Vec<RuleCaseResult> {
    let mut work = Vec::new();
    for rule in rules {
        let file = match &rule.cases {
            Some((place, text)) => CaseFile::parse(place, text)
                .map(|file| (place, file))
                .map_err(|e| e.to_string()),
            None => Err(format!("{} has no cases", rule.place)),
        };
        let rule = Arc::new((*rule).clone());
        match file {
            Ok((place, file)) => work.extend(file.cases.into_iter().map(|case| {
                let place = place.clone();
                (rule.clone(), case.name.clone(), Ok((place, case)))
            })),
            Err(problem) => work.push((rule, "(test file)".to_owned(), Err(problem))),
        }
    }
    let results = work.into_iter().map(|(rule, name, case)| {
        let (runtime, bundle) = (runtime.clone(), bundle.clone());
        async move {
            let id = rule.spec.id.clone();
            let problems = match case {
                Ok((place, case)) => {
                    let running = async move { problems_of(&runtime, &bundle, &rule, &place, case).await };
                    let stopped = |error| vec![format!("stopped unexpectedly: {error}")];
                    SpawnedTask::spawn(running).join().await.unwrap_or_else(stopped)
                }
                Err(problem) => vec![problem],
            };
            result(&id, &name, problems)
        }
    });
    let results: Vec<_> = results.collect();
    futures::stream::iter(results).buffered(cores()).collect().await
}

async fn problems_of(
    runtime: &Arc<RuntimeEnv>,
    bundle: &Arc<Bundle>,
    rule: &LoadedRule,
    place: &str,
    case: Case,
) -> Vec<String> {
    let problems = match ReadyCase::open(runtime, bundle, rule, place, case).await {
        Ok(ready) => ready.problems(rule).await,
        Err(error) => Err(error),
    };
    problems.unwrap_or_else(|error| vec![error.to_string()])
}

fn result(rule: &str, case: &str, problems: Vec<String>) -> RuleCaseResult {
    RuleCaseResult {
        rule_id: rule.to_owned(),
        case: case.to_owned(),
        passed: problems.is_empty(),
        detail: problems.join("\n"),
    }
}
