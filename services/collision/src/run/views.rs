//! Puts the views that a run needs into its session: read in place, or computed once and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::NaiveDate;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::view::ViewTable;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tempfile::TempDir;

use crate::compact::{KEPT_BYTES_MIN, compact};
use crate::error::{CollisionError, Result};
use crate::graphs;
use crate::rules::Bundle;
use crate::session::{Limits, register};
use crate::sql::{Query, params};

/// The views of a session. Holds what kept views rest on; drop it after the last query.
#[derive(Debug, Default)]
pub struct OpenedViews {
    /// Views that could not be planned or computed, with the error: the rules that read them fail, the others
    /// do not.
    pub failed: BTreeMap<String, String>,
    /// Views that were computed once.
    pub kept: BTreeSet<String>,
    folders: Vec<TempDir>,
    reserved: Vec<MemoryReservation>,
}

/// Views computed at the same time, beside the graph.
const CONCURRENT_VIEWS_MAX: usize = 2;

/// Registers every view that one of the queries reads. One that joins, aggregates, sorts or unites and is read
/// twice or more is computed here, once; the others are read in place. Views over the graph wait for `graph`,
/// which registers its functions; the others do not.
pub async fn open(
    context: &SessionContext,
    bundle: &Bundle,
    queries: &[&Query],
    as_of: NaiveDate,
    limits: &Limits,
    graph: impl Future<Output = Result<()>>,
) -> Result<OpenedViews> {
    let mut opened = OpenedViews::default();
    let order = in_order(bundle, queries);
    let over_graph: BTreeSet<&str> = order
        .iter()
        .filter(|name| graphs::are_asked(&bundle.reads(&bundle.views[*name].query).1))
        .map(String::as_str)
        .collect();
    // What the graph answers is never for nothing.
    let mut heavy: BTreeSet<String> = over_graph.iter().map(|name| (*name).to_owned()).collect();
    for name in order.iter().filter(|name| !over_graph.contains(name.as_str())) {
        match inline(context, bundle, name, as_of).await {
            Ok(plan) if is_heavy(&plan) => drop(heavy.insert(name.clone())),
            Ok(_) => {}
            Err(error) => drop(opened.failed.insert(name.clone(), error.to_string())),
        }
    }
    let shared = shared(bundle, queries, &order, &heavy);
    let mut waiting: Vec<&str> = order
        .iter()
        .map(String::as_str)
        .filter(|name| !opened.failed.contains_key(*name))
        .collect();
    let mut unfinished: BTreeSet<&str> = waiting.iter().copied().collect();
    let mut graph = std::pin::pin!(graph.fuse());
    let mut graph_is_there = false;
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < CONCURRENT_VIEWS_MAX {
            let ready = waiting.iter().position(|name| {
                let below = &bundle.views[*name].query.tables;
                (graph_is_there || !over_graph.contains(name))
                    && !below.iter().any(|b| unfinished.contains(b.as_str()))
            });
            let Some(place) = ready else { break };
            let name = waiting.remove(place);
            let used = opened.reserved.iter().map(MemoryReservation::size).sum();
            let is_shared = shared.contains(name);
            running.push(async move {
                // Planned anew, because a view below may be kept by now.
                let done = match inline(context, bundle, name, as_of).await {
                    Ok(plan) if is_shared && is_heavy(&plan) => {
                        keep(context, name, plan, limits, used).await.map(Some)
                    }
                    Ok(_) => Ok(None),
                    Err(error) => Err(error),
                };
                (name, done)
            });
        }
        tokio::select! {
            Some((name, done)) = running.next(), if !running.is_empty() => {
                unfinished.remove(name);
                match done {
                    Ok(None) => {}
                    Ok(Some(kept)) => {
                        opened.kept.insert(name.to_owned());
                        opened.folders.extend(kept.folder);
                        opened.reserved.extend(kept.reservation);
                    }
                    Err(error) => drop(opened.failed.insert(name.to_owned(), error.to_string())),
                }
            }
            done = &mut graph, if !graph_is_there => {
                done?;
                graph_is_there = true;
            }
            else => break,
        }
    }
    Ok(opened)
}

/// The views under the queries, each after those that it reads.
fn in_order(bundle: &Bundle, queries: &[&Query]) -> Vec<String> {
    let mut order = Vec::new();
    for query in queries {
        visit(bundle, query, &mut order);
    }
    order
}

fn visit(bundle: &Bundle, query: &Query, order: &mut Vec<String>) {
    for name in &query.tables {
        if let Some(view) = bundle.views.get(name)
            && !order.contains(name)
        {
            visit(bundle, &view.query, order);
            order.push(name.clone());
        }
    }
}

/// The heavy views that are read more than once: by several rules, by one rule several times, or through views
/// that are read in place.
fn shared(
    bundle: &Bundle,
    queries: &[&Query],
    order: &[String],
    heavy: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for query in queries {
        query
            .times_read
            .iter()
            .for_each(|(name, count)| add(bundle, &mut times, name, *count));
    }
    let mut shared = BTreeSet::new();
    for name in order.iter().rev() {
        let mut readers = times.get(name.as_str()).copied().unwrap_or_default();
        if readers > 1 && heavy.contains(name) {
            shared.insert(name.clone());
            readers = 1;
        }
        for (below, count) in &bundle.views[name].query.times_read {
            add(bundle, &mut times, below, count.saturating_mul(readers));
        }
    }
    shared
}

/// Counts reads of a name if it is a view.
fn add<'b>(bundle: &'b Bundle, times: &mut BTreeMap<&'b str, u64>, name: &str, count: u64) {
    if let Some((name, _)) = bundle.views.get_key_value(name) {
        let total = times.entry(name).or_default();
        *total = total.saturating_add(count);
    }
}

/// Whether computing a view costs more than keeping its rows: it does more than pick, filter and compute row by
/// row.
fn is_heavy(plan: &LogicalPlan) -> bool {
    let mut heavy = false;
    let visited = plan.apply_with_subqueries(|node| {
        heavy = matches!(
            node,
            LogicalPlan::Join(_)
                | LogicalPlan::Aggregate(_)
                | LogicalPlan::Window(_)
                | LogicalPlan::Sort(_)
                | LogicalPlan::Union(_)
                | LogicalPlan::Distinct(_)
                | LogicalPlan::Unnest(_)
                | LogicalPlan::Limit(_)
                | LogicalPlan::RecursiveQuery(_)
        );
        Ok(if heavy {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    visited.is_ok() && heavy
}

async fn inline(
    context: &SessionContext,
    bundle: &Bundle,
    name: &str,
    as_of: NaiveDate,
) -> Result<LogicalPlan> {
    let what = || format!("view {name}");
    let statement = bundle.views[name]
        .query
        .bind(&params::literals(&BTreeMap::new(), as_of)?)?;
    let plan = context
        .state()
        .statement_to_plan(statement)
        .await
        .map_err(CollisionError::engine(what()))?;
    register(context, name, Arc::new(ViewTable::new(plan.clone(), None)))?;
    Ok(plan)
}

/// What the rows of a computed view rest on.
#[derive(Default)]
struct Kept {
    folder: Option<TempDir>,
    reservation: Option<MemoryReservation>,
}

/// Computes a view and registers its rows: in memory while they fit the share for views, of which `used` bytes are
/// taken, else in Parquet files.
async fn keep(
    context: &SessionContext,
    name: &str,
    plan: LogicalPlan,
    limits: &Limits,
    used: usize,
) -> Result<Kept> {
    let what = || format!("view {name}");
    let started = Instant::now();
    let frame = DataFrame::new(context.state(), plan);
    let logical = frame.schema().inner().clone();
    let parts = frame
        .execute_stream_partitioned()
        .await
        .map_err(CollisionError::engine(what()))?;
    // The planner settles the types of a union's columns only after the logical plan was made.
    let schema = nullable(&parts.first().map_or(logical, |rows| rows.schema()));
    let folder = match &limits.spill_dir {
        Some(dir) => TempDir::new_in(dir),
        None => TempDir::new(),
    }
    .map_err(|source| CollisionError::ReadFile {
        place: "the folder for temporary files".into(),
        source,
    })?;
    let used = Arc::new(AtomicUsize::new(used));
    let mut kept = Kept::default();
    // One task each: partitions polled by one task would share one thread.
    let work: Vec<_> = parts
        .into_iter()
        .enumerate()
        .map(|(n, rows)| {
            let path = folder.path().join(format!("{n}.parquet"));
            SpawnedTask::spawn(drain(rows, path, used.clone(), limits.view_bytes_max)).join()
        })
        .collect();
    let parts: Vec<Part> = futures::future::try_join_all(work)
        .await
        .map_err(|e| CollisionError::engine(what())(DataFusionError::ExecutionJoin(Box::new(e))))?
        .into_iter()
        .collect::<std::result::Result<_, DataFusionError>>()
        .map_err(CollisionError::engine(what()))?;
    if parts.iter().all(|part| part.file.is_none()) {
        let rows: Vec<Vec<RecordBatch>> = parts
            .into_iter()
            .map(|part| part.rows.iter().map(|batch| conform(batch, &schema)).collect())
            .collect::<std::result::Result<_, DataFusionError>>()
            .map_err(CollisionError::engine(what()))?;
        let reservation = MemoryConsumer::new(what()).register(&context.runtime_env().memory_pool);
        reservation.grow(
            rows.iter()
                .flatten()
                .map(RecordBatch::get_array_memory_size)
                .sum(),
        );
        kept.reservation = Some(reservation);
        let table = MemTable::try_new(schema, rows).map_err(CollisionError::engine(what()))?;
        register(context, name, Arc::new(table))?;
    } else {
        finish_files(folder.path(), parts, &schema).map_err(CollisionError::engine(what()))?;
        context
            .deregister_table(name)
            .map_err(CollisionError::engine(what()))?;
        context
            .register_parquet(
                name,
                folder.path().to_string_lossy(),
                ParquetReadOptions::default().schema(&schema),
            )
            .await
            .map_err(CollisionError::engine(what()))?;
        kept.folder = Some(folder);
    }
    tracing::debug!(
        view = name,
        elapsed_ms = started.elapsed().as_millis() as u64,
        in_files = kept.folder.is_some(),
        "view.kept"
    );
    Ok(kept)
}

/// The schema with every column nullable: what a plan promises of nulls and what its operators emit may differ.
fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    Arc::new(datafusion::arrow::datatypes::Schema::new(fields))
}

/// The batch under the view's schema; columns whose inner types differ in nullability are cast.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> std::result::Result<RecordBatch, DataFusionError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(column.clone()),
            false => Ok(datafusion::arrow::compute::cast(column, field.data_type())?),
        })
        .collect::<std::result::Result<Vec<_>, DataFusionError>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// One partition of a kept view: its rows, or those not yet in its file.
#[derive(Default)]
struct Part {
    rows: Vec<RecordBatch>,
    file: Option<ArrowWriter<File>>,
}

async fn drain(
    mut stream: SendableRecordBatchStream,
    path: std::path::PathBuf,
    used: Arc<AtomicUsize>,
    bytes_max: usize,
) -> std::result::Result<Part, DataFusionError> {
    let mut part = Part::default();
    let schema = stream.schema();
    while let Some(batch) = stream.next().await {
        // A few rows that a late filter left would keep all that was read with them.
        let batch = compact(batch?, KEPT_BYTES_MIN)?;
        if let Some(file) = &mut part.file {
            file.write(&batch)?;
            continue;
        }
        let size = batch.get_array_memory_size();
        part.rows.push(batch);
        if used.fetch_add(size, Ordering::Relaxed) + size > bytes_max {
            let mut file = writer(&path, &schema)?;
            for batch in part.rows.drain(..) {
                used.fetch_sub(batch.get_array_memory_size(), Ordering::Relaxed);
                file.write(&batch)?;
            }
            part.file = Some(file);
        }
    }
    Ok(part)
}

fn writer(path: &Path, schema: &SchemaRef) -> std::result::Result<ArrowWriter<File>, DataFusionError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .build();
    Ok(ArrowWriter::try_new(
        File::create(path)?,
        schema.clone(),
        Some(properties),
    )?)
}

/// Once one partition is in a file, all are.
fn finish_files(
    folder: &Path,
    parts: Vec<Part>,
    schema: &SchemaRef,
) -> std::result::Result<(), DataFusionError> {
    for (n, part) in parts.into_iter().enumerate() {
        let mut file = match part.file {
            Some(file) => file,
            None => writer(&folder.join(format!("{n}.parquet")), schema)?,
        };
        for batch in &part.rows {
            file.write(batch)?;
        }
        file.close()?;
    }
    Ok(())
}
