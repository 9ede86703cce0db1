//! Read-only questions in SQL over one snapshot.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::DataFrame;
use domain::Value;
use domain::ports::QueryItem;
use futures::stream::{BoxStream, StreamExt};

use crate::data::Snapshot;
use crate::error::{CollisionError, Result};
use crate::graphs::{self, Graphs};
use crate::rules::Bundle;
use crate::run::views;
use crate::session::{self, Limits, SessionOptions};
use crate::sql::{Query, params};
use crate::values::value_at;

const WHAT: &str = "the question";

/// Answers one query: its columns, then rows in chunks, then whether the limit cut them. Nothing is read
/// before the stream is; dropping it stops the work. `$as_of` is the day of the snapshot.
pub async fn answer(
    runtime: Arc<RuntimeEnv>,
    snapshot: &Arc<dyn Snapshot>,
    bundle: &Bundle,
    sql: &str,
    rows_max: u64,
    limits: &Limits,
    graphs: &Graphs,
) -> Result<BoxStream<'static, Result<QueryItem>>> {
    let query = Query::parse(sql, true).map_err(CollisionError::NotAQuery)?;
    if let Some(name) = query.params.iter().find(|p| *p != "as_of") {
        return Err(CollisionError::NotAQuery(format!(
            "it uses ${name}; only $as_of is known here"
        )));
    }
    let options = SessionOptions {
        for_questions: true,
        late_columns: true,
        ..SessionOptions::default()
    };
    let context = session::open(runtime, snapshot, options, None).await?;
    let over_graph = graphs::are_asked(&bundle.reads(&query).1);
    let graph = async {
        if over_graph {
            graphs::register(&context, snapshot, graphs).await?;
        }
        Ok(())
    };
    let as_of = snapshot.taken_on();
    let opened = views::open(&context, bundle, &[&query], as_of, limits, graph).await?;
    if let Some((view, problem)) = opened.failed.first_key_value() {
        return Err(CollisionError::NotAQuery(format!(
            "it reads the view {view}, which is broken: {problem}"
        )));
    }
    let statement = query.bind(&params::literals(&Default::default(), as_of)?)?;
    let plan = context
        .state()
        .statement_to_plan(statement)
        .await
        .map_err(CollisionError::engine(WHAT))?;
    let limit = usize::try_from(rows_max).unwrap_or(usize::MAX);
    let rows = DataFrame::new(context.state(), plan)
        .limit(0, Some(limit.saturating_add(1)))
        .map_err(CollisionError::engine(WHAT))?
        .execute_stream()
        .await
        .map_err(CollisionError::engine(WHAT))?;
    Ok(items(rows, rows_max).boxed())
}

fn items(
    rows: SendableRecordBatchStream,
    rows_max: u64,
) -> impl futures::Stream<Item = Result<QueryItem>> + Send {
    let columns = rows
        .schema()
        .fields()
        .iter()
        .map(|f| (f.name().clone(), f.data_type().to_string()))
        .collect();
    let head = futures::stream::iter([Ok(QueryItem::Columns(columns))]);
    let body = futures::stream::try_unfold(
        (rows, rows_max, false),
        move |(mut rows, left, ended)| async move {
            if ended {
                return Ok(None);
            }
            let Some(batch) = rows.next().await else {
                return Ok(None);
            };
            let batch = batch.map_err(CollisionError::engine(WHAT))?;
            let take = batch.num_rows().min(usize::try_from(left).unwrap_or(usize::MAX));
            if take == 0 && batch.num_rows() > 0 {
                return Ok(Some((QueryItem::Truncated { limit: rows_max }, (rows, 0, true))));
            }
            let mut values = Vec::with_capacity(take);
            for n in 0..take {
                let row: Vec<Value> = batch
                    .columns()
                    .iter()
                    .map(|c| value_at(c.as_ref(), n))
                    .collect::<std::result::Result<_, _>>()
                    .map_err(CollisionError::engine(WHAT))?;
                values.push(row);
            }
            // What is beyond the limit in this batch is read again as a batch of its own, to say so.
            let cut = take < batch.num_rows();
            let next: SendableRecordBatchStream = if cut {
                let rest = batch.slice(take, batch.num_rows() - take);
                let schema = batch.schema();
                Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(
                    schema,
                    futures::stream::iter([Ok(rest)]),
                ))
            } else {
                rows
            };
            Ok(Some((QueryItem::Rows(values), (next, left - take as u64, false))))
        },
    );
    head.chain(body)
}
