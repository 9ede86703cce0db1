//! Runs small wrong versions of rules against their cases. A version that no case notices shows what the cases
//! leave unsaid.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::runtime_env::RuntimeEnv;
use domain::Value;
use domain::ports::MutantResult;
use futures::StreamExt;

use super::file::{Case, CaseFile};
use super::run::{ReadyCase, cores, load};
use crate::error::{CollisionError, Result};
use crate::rules::{Bundle, LoadedRule, View};
use crate::sql::mutants;
use crate::sql::params::{TextKind, text_kind};

/// Mutates each rule's query and parameters. Cases that fail as the rule stands are an error: first mend them.
pub async fn run_all(
    runtime: &Arc<RuntimeEnv>,
    bundle: &Arc<Bundle>,
    rules: &[&LoadedRule],
    time_max: Duration,
) -> Result<Vec<MutantResult>> {
    let mut results = Vec::new();
    for rule in rules {
        let cases = load(runtime, bundle, rule).await?;
        for case in &cases {
            let problems = case.problems(rule).await?;
            if let Some(problem) = problems.first() {
                return Err(CollisionError::BadFile {
                    place: rule.place.clone(),
                    problem: format!("case {:?} fails as the rule stands: {problem}", case.case.name),
                });
            }
        }
        let mut cases: Vec<Arc<ReadyCase>> = cases.into_iter().map(Arc::new).collect();
        let started = Instant::now();
        for (change, mutant) in mutants_of(rule) {
            let result = |mutation: String, killed| MutantResult {
                rule_id: rule.spec.id.clone(),
                mutation,
                killed,
            };
            if started.elapsed() > time_max {
                results.push(result(format!("not tried, no time left: {change}"), false));
                continue;
            }
            let mutant = Arc::new(mutant);
            let killed = noticed(&mut cases, |case| {
                let mutant = mutant.clone();
                async move { is_noticed(case.problems(&mutant).await) }
            });
            results.push(result(change, killed.await));
        }
    }
    Ok(results)
}

/// Mutates the query of a view. The cases of every rule that reads it may notice. A result's `rule_id` is
/// `view <name>`.
pub async fn run_view(
    runtime: &Arc<RuntimeEnv>,
    bundle: &Arc<Bundle>,
    name: &str,
    time_max: Duration,
) -> Result<Vec<MutantResult>> {
    let view = bundle
        .views
        .get(name)
        .ok_or_else(|| CollisionError::NoSuchRule(name.to_owned()))?;
    let mut cases: Vec<Arc<(LoadedRule, String, Case)>> = Vec::new();
    for rule in bundle
        .rules
        .values()
        .filter(|r| bundle.views_under(&r.query).contains(name))
    {
        if let Some((place, text)) = &rule.cases {
            let file = CaseFile::parse(place, text)?;
            let case = |case| Arc::new((rule.clone(), place.clone(), case));
            cases.extend(file.cases.into_iter().map(case));
        }
    }
    let started = Instant::now();
    let mut results = Vec::new();
    for mutant in mutants::of(&view.query) {
        let result = |mutation: String, killed| MutantResult {
            rule_id: format!("view {name}"),
            mutation,
            killed,
        };
        if started.elapsed() > time_max {
            results.push(result(
                format!("not tried, no time left: {}", mutant.change),
                false,
            ));
            continue;
        }
        let mut changed = bundle.as_ref().clone();
        changed.views.insert(
            name.to_owned(),
            View {
                query: mutant.query,
                ..view.clone()
            },
        );
        let changed = Arc::new(changed);
        let killed = noticed(&mut cases, |case| {
            let (runtime, changed) = (runtime.clone(), changed.clone());
            async move {
                let (rule, place, case) = case.as_ref();
                match ReadyCase::open(&runtime, &changed, rule, place, case.clone()).await {
                    Ok(ready) => is_noticed(ready.problems(rule).await),
                    Err(_) => true,
                }
            }
        });
        results.push(result(mutant.change, killed.await));
    }
    Ok(results)
}

/// A version that does not even run is noticed.
fn is_noticed(problems: Result<Vec<String>>) -> bool {
    problems.map_or(true, |problems| !problems.is_empty())
}

/// Whether some case notices; as many are asked at once as there are cores. The case that did comes first next time: it
/// is likely to notice again.
async fn noticed<T, F>(cases: &mut [Arc<T>], notices: impl Fn(Arc<T>) -> F) -> bool
where
    F: Future<Output = bool> + Send + 'static,
{
    let asked = cases.iter().enumerate().map(|(n, case)| {
        let answer = notices(case.clone());
        // One that stops unexpectedly has noticed.
        async move { (n, SpawnedTask::spawn(answer).join().await.unwrap_or(true)) }
    });
    let asked: Vec<_> = asked.collect();
    let first = futures::stream::iter(asked)
        .buffer_unordered(cores())
        .filter_map(async |(n, is_noticed)| is_noticed.then_some(n));
    let Some(first) = std::pin::pin!(first).next().await else {
        return false;
    };
    cases[..=first].rotate_right(1);
    true
}

fn mutants_of(rule: &LoadedRule) -> Vec<(String, LoadedRule)> {
    let mut all: Vec<(String, LoadedRule)> = mutants::of(&rule.query)
        .into_iter()
        .map(|m| {
            (
                m.change,
                LoadedRule {
                    query: m.query,
                    ..rule.clone()
                },
            )
        })
        .collect();
    for (name, value) in &rule.spec.params {
        for shifted in shifted(value) {
            let mut params: BTreeMap<String, Value> = rule.spec.params.clone();
            params.insert(name.clone(), shifted.clone());
            let mut spec = rule.spec.as_ref().clone();
            spec.params = params;
            let change = format!("${name}: {value} -> {shifted}");
            all.push((
                change,
                LoadedRule {
                    spec: Arc::new(spec),
                    ..rule.clone()
                },
            ));
        }
    }
    all
}

/// A parameter one unit up and down; a list without each of its items.
fn shifted(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(b) => vec![Value::Bool(!b)],
        Value::Int(i) => vec![Value::Int(i + 1), Value::Int(i - 1)],
        Value::Text(text) => match text_kind(text) {
            TextKind::Decimal(..) => mutants::shifted_number(text)
                .into_iter()
                .map(Value::Text)
                .collect(),
            TextKind::Date(day) => mutants::neighbours(day)
                .into_iter()
                .map(|d| Value::Text(d.to_string()))
                .collect(),
            TextKind::Text => vec![Value::Text(format!("{text}?"))],
        },
        Value::List(items) if items.len() > 1 => (0..items.len())
            .map(|n| {
                let mut items = items.clone();
                items.remove(n);
                Value::List(items)
            })
            .collect(),
        _ => Vec::new(),
    }
}
