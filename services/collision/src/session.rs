//! A bounded DataFusion session over one snapshot, with the tables and functions of `docs/ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::compact::CompactViews;
use crate::data::{Snapshot, parties, tables};
use crate::error::{CollisionError, Result};
use crate::functions;
use crate::memory::EnginePool;
use crate::sql::compact_lists::CompactLists;
use crate::yielding::YieldAboveJoins;

/// What a run may use at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory of all queries of the engine together.
    pub memory_bytes_max: usize,
    /// Where queries spill; by default the system's folder for temporary files.
    pub spill_dir: Option<PathBuf>,
    pub spill_bytes_max: u64,
    /// Of that, for the rows of views that several rules read; beyond it they go to files.
    pub view_bytes_max: usize,
    /// Rules that run at the same time.
    pub concurrent_rules_max: usize,
    /// Rows that a question (`lianjing sql`) may return when it does not say.
    pub query_rows_default: u64,
    /// Evidence rows kept for one hit.
    pub evidence_rows_per_hit_max: usize,
    /// Time for the mutants of one rule or view; those beyond it are told as not tried.
    pub mutation_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 5 << 30,
            view_bytes_max: 1 << 30,
            spill_dir: None,
            spill_bytes_max: 50 << 30,
            concurrent_rules_max: 2,
            query_rows_default: 10_000,
            evidence_rows_per_hit_max: 1000,
            mutation_time_max: Duration::from_secs(1_800),
        }
    }
}

impl Limits {
    /// Memory and disk shared by all sessions of an engine.
    pub fn runtime(&self) -> Result<Arc<RuntimeEnv>> {
        let mut builder = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(EnginePool::new(self.memory_bytes_max)))
            .with_max_temp_directory_size(self.spill_bytes_max);
        if let Some(dir) = &self.spill_dir {
            builder = builder.with_temp_file_path(dir);
        }
        builder
            .build_arc()
            .map_err(CollisionError::engine("engine memory and spill folder"))
    }
}

/// How one session differs from another.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// 0: one per core.
    pub threads: usize,
    /// Off: joins by sorting, which can spill.
    pub hash_join: bool,
    /// Parquet columns that no filter needs are decoded for the rows that pass only: right where few do.
    pub late_columns: bool,
    /// `information_schema` and bookkeeping tables are there.
    pub for_questions: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            hash_join: true,
            late_columns: false,
            for_questions: false,
        }
    }
}

/// Opens a session that sees the datasets of the snapshot: those in `only`, or all.
pub async fn open(
    runtime: Arc<RuntimeEnv>,
    snapshot: &Arc<dyn Snapshot>,
    options: SessionOptions,
    only: Option<&BTreeSet<String>>,
) -> Result<SessionContext> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_information_schema(options.for_questions)
        .with_create_default_catalog_and_schema(true);
    let settings = config.options_mut();
    settings.sql_parser.parse_float_as_decimal = true;
    settings.optimizer.prefer_hash_join = options.hash_join;
    // Sharing the larger side out to threads means copying all its rows; a side of this size is built once instead.
    settings.optimizer.hash_join_single_partition_threshold_rows = 1 << 20;
    settings.optimizer.hash_join_single_partition_threshold = 64 << 20;
    // Rows are picked by a few columns before the others are decoded.
    settings.execution.parquet.pushdown_filters = options.late_columns;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(CompactViews))
        .with_physical_optimizer_rule(Arc::new(YieldAboveJoins))
        .build();
    let mut context = SessionContext::new_with_state(state);
    context
        .register_function_rewrite(Arc::new(CompactLists))
        .map_err(CollisionError::engine("the engine's settings"))?;
    for function in functions::scalars() {
        context.register_udf(function);
    }
    for function in functions::aggregates() {
        context.register_udaf(function);
    }
    let lookup = snapshot.parties().await?;
    let ids = parties::lookup_function(lookup.clone(), false);
    let keys = parties::lookup_function(lookup, true);
    for dataset in domain::catalogue()
        .iter()
        .filter(|d| only.is_none_or(|names| names.contains(&d.name)))
    {
        let stored = snapshot
            .dataset(&dataset.name)
            .await?
            .unwrap_or_else(|| tables::empty(dataset));
        let visible = tables::visible(dataset, stored, &ids, &keys)?;
        register(&context, &dataset.name, visible)?;
    }
    for (name, table) in snapshot.other_tables().await? {
        if options.for_questions || !name.starts_with('_') {
            register(&context, &name, table)?;
        }
    }
    Ok(context)
}

/// Puts a table under a name, over what was there.
pub fn register(
    context: &SessionContext,
    name: &str,
    table: Arc<dyn datafusion::catalog::TableProvider>,
) -> Result<()> {
    context
        .deregister_table(name)
        .map_err(CollisionError::engine(format!("table {name}")))?;
    context
        .register_table(name, table)
        .map_err(CollisionError::engine(format!("table {name}")))?;
    Ok(())
}
