//! Finds what is wrong with rules, views and the lock without running them on data.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use domain::rule::{EvidenceSpec, RuleSpec};

use crate::cases::{CaseFile, CaseKind};
use crate::data::{MemorySnapshot, Snapshot};
use crate::error::Result;
use crate::graphs::{self, Graphs};
use crate::rules::{Bundle, LoadedRule};
use crate::run::{rule, views};
use crate::session::{self, Limits, SessionOptions};
use crate::values::has_float;

/// All problems, each with its place, in the order of places. Empty when all is well.
pub async fn lint(runtime: &Arc<RuntimeEnv>, bundle: &Bundle) -> Result<Vec<String>> {
    let snapshot: Arc<dyn Snapshot> = Arc::new(MemorySnapshot::new("lint", &[])?);
    let options = SessionOptions {
        threads: 1,
        ..SessionOptions::default()
    };
    let context = session::open(runtime.clone(), &snapshot, options, None).await?;
    graphs::register(&context, &snapshot, &Graphs::default()).await?;
    let queries: Vec<_> = bundle
        .rules
        .values()
        .map(|r| &r.query)
        .chain(bundle.views.values().map(|v| &v.query))
        .collect();
    let as_of = NaiveDate::default();
    let opened = views::open(&context, bundle, &queries, as_of, &Limits::default(), async {
        Ok(())
    })
    .await?;

    let mut problems = Vec::new();
    for (name, view) in &bundle.views {
        let mut say = |problem: String| problems.push(format!("{}: {problem}", view.place));
        if let Some(problem) = opened.failed.get(name) {
            say(problem.clone());
        }
        if blank(&view.spec.title) {
            say("title needs a text in both languages".into());
        }
        if !bundle
            .rules
            .values()
            .any(|r| bundle.views_under(&r.query).contains(name))
        {
            say(format!("no rule reads the view {name}"));
        }
        if domain::dataset(name).is_some() || name == "parties" {
            say(format!("{name} is the name of a dataset"));
        }
        view.query.unordered.iter().for_each(|f| say(no_order(f)));
    }
    for rule in bundle.rules.values() {
        let mut found = front_matter(&rule.spec);
        found.extend(reads(bundle, rule));
        found.extend(rule.query.unordered.iter().map(|f| no_order(f)));
        found.extend(cases(rule));
        if bundle.locked_places.contains(&rule.place) {
            found.extend(bundle.lock.problem(&rule.spec.id, rule.spec.version, &rule.hash));
        }
        let broken_view = bundle
            .views_under(&rule.query)
            .into_iter()
            .find(|v| opened.failed.contains_key(v));
        if broken_view.is_none() {
            found.extend(planned(&context, rule, as_of).await);
        }
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{}: {problem}", rule.place)),
        );
    }
    for id in bundle.lock.0.keys().filter(|id| !bundle.rules.contains_key(*id)) {
        problems.push(format!("rules.lock: there is no rule {id}; run `rules lock`"));
    }
    problems.sort();
    Ok(problems)
}

fn no_order(function: &str) -> String {
    format!("{function} without `order by` gives another answer with another order of rows")
}

fn blank(text: &domain::Bilingual) -> bool {
    text.zh.trim().is_empty() || text.en.trim().is_empty()
}

/// What the front matter lacks or contradicts, by itself.
fn front_matter(spec: &RuleSpec) -> Vec<String> {
    let mut problems = Vec::new();
    let mut need = |holds: bool, problem: String| {
        if !holds {
            problems.push(problem);
        }
    };
    need(
        !spec.legal_basis.is_empty(),
        "legal_basis is empty; name the law and article".into(),
    );
    need(
        !spec.lawful_explanations.is_empty(),
        "lawful_explanations is empty; say what to look for first".into(),
    );
    need(!spec.identity.is_empty(), "identity is empty".into());
    need(!spec.subject.is_empty(), "subject is empty".into());
    need(!spec.evidence.is_empty(), "evidence is empty".into());
    need(!spec.inputs.is_empty(), "inputs is empty".into());
    need(spec.limits.max_hits > 0, "limits.max_hits must be above 0".into());
    for column in spec.identity.iter().filter(|c| c.ends_with("party_id")) {
        need(
            false,
            format!("identity names {column}; party ids change, use the <slot>_key"),
        );
    }
    let mut texts = vec![
        ("title", &spec.title),
        ("why", &spec.why),
        ("message", &spec.message),
    ];
    texts.extend(
        spec.lawful_explanations
            .iter()
            .map(|t| ("lawful_explanations", t)),
    );
    texts.extend(spec.known_gaps.iter().map(|t| ("known_gaps", t)));
    for (key, text) in texts {
        need(!blank(text), format!("{key} needs a text in both languages"));
    }
    for basis in &spec.legal_basis {
        let named = !basis.law.trim().is_empty() && !basis.article.trim().is_empty();
        need(named, "legal_basis needs a law and an article".into());
        let ordered = basis.effective_to.is_none_or(|to| basis.effective_from < to);
        need(
            ordered,
            format!(
                "legal_basis {}: effective_to is not after effective_from",
                basis.law
            ),
        );
    }
    let mut inputs = BTreeSet::new();
    for input in &spec.inputs {
        need(
            inputs.insert(&input.dataset),
            format!("inputs names {} twice", input.dataset),
        );
        match domain::dataset(&input.dataset) {
            None => need(false, format!("inputs: there is no dataset {}", input.dataset)),
            Some(dataset) => {
                for column in input.required.iter().filter(|c| dataset.column(c).is_none()) {
                    need(
                        false,
                        format!("inputs.{}: there is no column {column}", input.dataset),
                    );
                }
            }
        }
    }
    for evidence in &spec.evidence {
        match domain::dataset(&evidence.dataset) {
            None => need(
                false,
                format!("evidence: there is no dataset {}", evidence.dataset),
            ),
            Some(dataset) => need(
                dataset.key == evidence.key,
                format!(
                    "evidence of {0}: the key of {0} is [{1}]",
                    evidence.dataset,
                    dataset.key.join(", ")
                ),
            ),
        }
        need(
            inputs.contains(&evidence.dataset),
            format!("evidence of {} needs it among the inputs", evidence.dataset),
        );
    }
    problems
}

/// Declared inputs and parameters against those that are used.
fn reads(bundle: &Bundle, rule: &LoadedRule) -> Vec<String> {
    let mut problems = Vec::new();
    let (tables, functions) = bundle.reads(&rule.query);
    let over_graph = graphs::are_asked(&functions);
    let declared: BTreeSet<&str> = rule.spec.inputs.iter().map(|i| i.dataset.as_str()).collect();
    for table in tables
        .iter()
        .filter(|t| domain::dataset(t).is_some() && !declared.contains(t.as_str()))
    {
        problems.push(format!("the SQL reads {table}, which inputs does not declare"));
    }
    for input in declared.iter().filter(|d| !tables.contains(**d)) {
        if !(over_graph && graphs::DATASETS.contains(input)) {
            problems.push(format!("inputs declares {input}, which the SQL does not read"));
        }
    }
    let used: BTreeSet<&str> = rule
        .query
        .params
        .iter()
        .map(String::as_str)
        .filter(|p| *p != "as_of")
        .collect();
    let given: BTreeSet<&str> = rule.spec.params.keys().map(String::as_str).collect();
    problems.extend(
        used.difference(&given)
            .map(|p| format!("the SQL uses ${p}, which params does not declare")),
    );
    problems.extend(
        given
            .difference(&used)
            .map(|p| format!("params declares {p}, which the SQL does not use")),
    );
    if given.contains("as_of") {
        problems.push("params declares as_of, which is always there".into());
    }
    problems
}

/// The test file: readable, and with a case of each kind.
fn cases(rule: &LoadedRule) -> Vec<String> {
    let Some((place, text)) = &rule.cases else {
        return vec!["there is no test file beside it".into()];
    };
    match CaseFile::parse(place, text) {
        Err(error) => vec![error.to_string()],
        Ok(file) => CaseKind::ALL
            .into_iter()
            .filter(|kind| !file.cases.iter().any(|c| c.kind == *kind))
            .map(|kind| format!("its test file has no case of kind {}", kind.name()))
            .collect(),
    }
}

/// What planning tells: unknown names, missing output columns, floats, evidence of the wrong shape.
async fn planned(context: &SessionContext, rule: &LoadedRule, as_of: NaiveDate) -> Vec<String> {
    let mut values = rule.spec.params.clone();
    for name in rule.query.params.iter().filter(|p| *p != "as_of") {
        // An undeclared one is told already; any value lets the rest be planned.
        values.entry(name.clone()).or_insert(domain::Value::Int(1));
    }
    let frame = match rule::plan(context, &rule.spec, &rule.query, &values, as_of).await {
        Ok(frame) => frame,
        Err(error) => return vec![error.to_string()],
    };
    let mut problems = Vec::new();
    if let Some(column) = float_inside(frame.logical_plan()) {
        problems.push(format!(
            "{column} is computed as a binary float; cast its parts to decimals"
        ));
    }
    for spec in &rule.spec.evidence {
        if let Ok(field) = frame.schema().inner().field_with_name(&spec.column)
            && let Err(problem) = holds_keys(spec, field.data_type())
        {
            problems.push(problem);
        }
    }
    if let Err(error) = frame.create_physical_plan().await {
        problems.push(
            error
                .strip_backtrace()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    problems
}

/// A column, anywhere in the plan, that is a binary float.
fn float_inside(plan: &LogicalPlan) -> Option<String> {
    let mut found = None;
    let visited = plan.apply_with_subqueries(|node| {
        found = node
            .schema()
            .fields()
            .iter()
            .find(|f| has_float(f.data_type()))
            .map(|f| f.name().clone());
        Ok(if found.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    visited.ok().and(found)
}

/// Whether a column of this type can hold the keys of the evidence.
fn holds_keys(spec: &EvidenceSpec, ty: &DataType) -> std::result::Result<(), String> {
    match ty {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            holds_keys(spec, item.data_type())
        }
        DataType::Struct(fields) => match spec.key.iter().find(|k| !fields.iter().any(|f| f.name() == *k)) {
            Some(key) => Err(format!(
                "evidence of {}: the struct in {} has no {key}",
                spec.dataset, spec.column
            )),
            None => Ok(()),
        },
        _ if spec.key.len() == 1 => Ok(()),
        _ => Err(format!(
            "evidence of {}: {} must hold structs of [{}]",
            spec.dataset,
            spec.column,
            spec.key.join(", ")
        )),
    }
}
