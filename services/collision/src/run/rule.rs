//! One rule on one session: planned, bounded in time and rows, its hits gathered in order of identity.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use datafusion::common::runtime::SpawnedTask;
use datafusion::logical_expr::ident;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{DataFrame, SessionContext};
use domain::Value;
use domain::rule::RuleSpec;
use futures::StreamExt;

use super::hits::{Collector, RawHit, check_schema};
use crate::error::{CollisionError, Result};
use crate::rules::file::duration_seconds;
use crate::sql::{Query, params};

/// What a rule yields before its evidence is fetched.
#[derive(Debug, Default)]
pub struct RuleOutput {
    pub hits: Vec<RawHit>,
    pub capped: u64,
    pub repeated: Vec<Vec<Value>>,
}

/// Plans the rule and checks that its output has what the front matter speaks of.
pub async fn plan(
    context: &SessionContext,
    rule: &RuleSpec,
    query: &Query,
    values: &BTreeMap<String, Value>,
    as_of: NaiveDate,
) -> Result<DataFrame> {
    let statement = query.bind(&params::literals(values, as_of)?)?;
    let plan = context
        .state()
        .statement_to_plan(statement)
        .await
        .map_err(CollisionError::engine(format!("rule {}", rule.id)))?;
    let frame = DataFrame::new(context.state(), plan);
    check_schema(rule, frame.schema().inner()).map_err(|problems| CollisionError::BadOutput {
        rule: rule.id.clone(),
        problem: problems.join("; "),
    })?;
    Ok(frame)
}

/// Runs the rule within its time; a panic inside becomes an error. Dropping the future stops the work.
pub async fn run(
    context: &SessionContext,
    rule: Arc<RuleSpec>,
    query: Query,
    values: BTreeMap<String, Value>,
    as_of: NaiveDate,
    evidence_rows_max: usize,
) -> Result<RuleOutput> {
    let seconds = duration_seconds(&rule.limits.timeout).unwrap_or(120);
    let id = rule.id.clone();
    let context = context.clone();
    let work = SpawnedTask::spawn(async move {
        let frame = plan(&context, &rule, &query, &values, as_of).await?;
        gather(frame, &rule, evidence_rows_max).await
    });
    match tokio::time::timeout(Duration::from_secs(seconds), work.join()).await {
        Ok(Ok(result)) => result,
        Ok(Err(stopped)) => Err(CollisionError::Panicked {
            what: format!("rule {id}"),
            detail: panic_text(stopped),
        }),
        Err(_) => Err(CollisionError::TimedOut {
            what: format!("rule {id}"),
            seconds,
        }),
    }
}

async fn gather(frame: DataFrame, rule: &RuleSpec, evidence_rows_max: usize) -> Result<RuleOutput> {
    let what = || format!("rule {}", rule.id);
    let order = rule.identity.iter().map(|c| ident(c).sort(true, true)).collect();
    let frame = frame.sort(order).map_err(CollisionError::engine(what()))?;
    let task = Arc::new(frame.task_ctx());
    let plan = frame
        .create_physical_plan()
        .await
        .map_err(CollisionError::engine(what()))?;
    let mut stream = execute_stream(plan.clone(), task).map_err(CollisionError::engine(what()))?;
    let mut collector = Collector::new(rule, evidence_rows_max);
    let mut end = Ok(());
    while let Some(batch) = stream.next().await {
        end = batch
            .map_err(CollisionError::engine(what()))
            .and_then(|batch| collector.add(&batch));
        if end.is_err() {
            break;
        }
    }
    // Told of rules that fail, too: that is when whoever wrote the rule needs it.
    tracing::debug!(
        rule = rule.id,
        plan = %DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(false),
        "rule.plan"
    );
    end?;
    Ok(RuleOutput {
        hits: collector.hits,
        capped: collector.capped,
        repeated: collector.repeated,
    })
}

fn panic_text(stopped: tokio::task::JoinError) -> String {
    if !stopped.is_panic() {
        return "cancelled".into();
    }
    let payload = stopped.into_panic();
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".into())
}
