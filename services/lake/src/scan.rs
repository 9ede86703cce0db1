//! A lake table at a snapshot as DataFusion sees it: a bare Parquet scan with exact row counts, in which
//! deleted rows are never decoded.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result as EngineResult, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::object_store::{self, ObjectMeta};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use crate::catalogue::{DataFile, TableInfo};
use crate::error::{LakeError, Result};
use crate::parquet_file::read_deletes;
use crate::shape::{LakeType, Shape};
use crate::stats::ColumnStats;

/// Which rows of files with deletes are there, by delete file. Delete files never change.
#[derive(Debug, Default)]
pub struct DeleteCache(Mutex<HashMap<i64, RowSelection>>);

impl DeleteCache {
    /// The rows of a file that are there; `None` when all are. Blocking.
    pub fn selection(&self, file: &DataFile) -> Result<Option<RowSelection>> {
        let Some(delete) = &file.delete else {
            return Ok(None);
        };
        let held = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(selection) = held().get(&delete.delete_file_id) {
            return Ok(Some(selection.clone()));
        }
        let selection = live_rows(&read_deletes(&delete.path)?, file.record_count);
        held().insert(delete.delete_file_id, selection.clone());
        Ok(Some(selection))
    }
}

/// All positions below `rows` but those in `gone` (sorted, distinct).
fn live_rows(gone: &[u32], rows: u64) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0u64;
    for &position in gone {
        let position = u64::from(position);
        if position > next {
            selectors.push(RowSelector::select((position - next) as usize));
        }
        selectors.push(RowSelector::skip(1));
        next = position + 1;
    }
    if rows > next {
        selectors.push(RowSelector::select((rows - next) as usize));
    }
    RowSelection::from(selectors)
}

/// Statistics by data file id and column id.
pub type FileStats = HashMap<i64, HashMap<i64, ColumnStats>>;

/// A table at a snapshot.
#[derive(Debug)]
pub struct LakeTable {
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    statistics: Statistics,
}

impl LakeTable {
    /// `stats` are by data file id and column id. Blocking: reads the delete files.
    pub fn new(table: &TableInfo, stats: &FileStats, deletes: &DeleteCache) -> Result<Self> {
        let live = |file| Ok((file, deletes.selection(file)?));
        Self::of_rows(table, stats, table.files.iter().map(live).collect::<Result<_>>()?)
    }

    /// Some rows of the table's files: of each file those that are selected, all where nothing is.
    pub fn of_rows(
        table: &TableInfo,
        stats: &FileStats,
        rows: Vec<(&DataFile, Option<RowSelection>)>,
    ) -> Result<Self> {
        let columns = table.columns.iter().map(|(_, c)| c.clone()).collect();
        let schema = Shape {
            table: table.name.clone(),
            columns,
        }
        .read_schema();
        let none = HashMap::new();
        let mut files = Vec::new();
        let mut all = Vec::new();
        for (file, selection) in rows {
            let selected = selection.as_ref().map(|s| s.row_count() as u64);
            if selected.unwrap_or(file.record_count) == 0 {
                continue;
            }
            let statistics = Arc::new(file_statistics(
                table,
                file,
                selected,
                stats.get(&file.data_file_id).unwrap_or(&none),
            ));
            let mut partitioned = partitioned_file(&file.path, file.size_bytes)?;
            if let Some(selection) = selection {
                partitioned = partitioned.with_extension(ParquetRowSelection::new(selection));
            }
            files.push(partitioned.with_statistics(statistics.clone()));
            all.push(statistics);
        }
        if files.is_empty() {
            return Ok(Self::without_rows(schema));
        }
        // Statistics that do not fit together only mean a less informed optimiser.
        let statistics = Statistics::try_merge_iter(all.iter().map(|s| &**s), &schema)
            .unwrap_or_else(|_| Statistics::new_unknown(&schema));
        Ok(Self {
            schema,
            files,
            statistics,
        })
    }

    /// A table that was never synced: its columns and no row.
    pub fn empty(shape: &Shape) -> Self {
        Self::without_rows(shape.read_schema())
    }

    /// Whether no row of the files can fail this filter: such a filter would only cost time. Bounds and counts of
    /// files with deleted rows are those of all their rows, so that they prove as much.
    fn holds_for_all(&self, filter: &Expr) -> bool {
        match filter {
            Expr::IsNotNull(inner) => self.known(inner).is_some_and(no_nulls),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (op, &**left, &**right) {
                (Operator::And, ..) => self.holds_for_all(left) && self.holds_for_all(right),
                (Operator::Or, ..) => self.holds_for_all(left) || self.holds_for_all(right),
                (_, _, Expr::Literal(value, _)) => self.known(left).is_some_and(|c| always(c, *op, value)),
                (_, Expr::Literal(value, _), _) => op
                    .swap()
                    .is_some_and(|op| self.known(right).is_some_and(|c| always(c, op, value))),
                _ => false,
            },
            _ => false,
        }
    }

    /// What is known of a bare column.
    fn known(&self, expr: &Expr) -> Option<&ColumnStatistics> {
        let Expr::Column(column) = expr else { return None };
        let place = self.schema.index_of(column.name()).ok()?;
        self.statistics.column_statistics.get(place)
    }

    fn without_rows(schema: SchemaRef) -> Self {
        let statistics = Statistics {
            num_rows: Precision::Exact(0),
            total_byte_size: Precision::Exact(0),
            column_statistics: Statistics::unknown_column(&schema),
        };
        Self {
            schema,
            files: Vec::new(),
            statistics,
        }
    }
}

fn no_nulls(column: &ColumnStatistics) -> bool {
    column.null_count.get_value() == Some(&0)
}

/// Whether every value of the column compares so with `value`. Bounds of text may have been cut, and prove nothing.
fn always(column: &ColumnStatistics, op: Operator, value: &ScalarValue) -> bool {
    let bound = match op {
        Operator::Lt | Operator::LtEq => column.max_value.get_value(),
        Operator::Gt | Operator::GtEq => column.min_value.get_value(),
        _ => None,
    };
    let Some(bound) = bound.filter(|b| b.data_type() == value.data_type() && b.data_type().is_primitive())
    else {
        return false;
    };
    let holds = match bound.partial_cmp(value) {
        Some(Ordering::Less) => matches!(op, Operator::Lt | Operator::LtEq),
        Some(Ordering::Greater) => matches!(op, Operator::Gt | Operator::GtEq),
        Some(Ordering::Equal) => matches!(op, Operator::LtEq | Operator::GtEq),
        None => false,
    };
    holds && no_nulls(column)
}

/// Files never change once written, so the cache of footers may use one time for all.
fn partitioned_file(path: &Path, size: u64) -> Result<PartitionedFile> {
    let location = object_store::path::Path::from_absolute_path(path).map_err(|e| LakeError::Unreadable {
        what: format!("{} is no path the engine can open: {e}", path.display()),
    })?;
    Ok(PartitionedFile::new_from_meta(ObjectMeta {
        location,
        last_modified: DateTime::<Utc>::UNIX_EPOCH,
        size,
        e_tag: None,
        version: None,
    }))
}

/// Of the rows that are selected, or of all.
fn file_statistics(
    table: &TableInfo,
    file: &DataFile,
    selected: Option<u64>,
    stats: &HashMap<i64, ColumnStats>,
) -> Statistics {
    let whole = selected.is_none();
    let live = usize::try_from(selected.unwrap_or(file.record_count)).unwrap_or(usize::MAX);
    let precision = |value| {
        if whole {
            Precision::Exact(value)
        } else {
            Precision::Inexact(value)
        }
    };
    let column_statistics = table
        .columns
        .iter()
        .map(|(id, column)| {
            let mut known = ColumnStatistics::new_unknown();
            let Some(stats) = stats.get(id) else { return known };
            if let Some(nulls) = stats.null_count.and_then(|n| usize::try_from(n).ok()) {
                known.null_count = precision(nulls);
            }
            if let Some((min, max)) = &stats.bounds
                && let (Some(min), Some(max)) = (min.to_scalar(column.ty), max.to_scalar(column.ty))
            {
                let bound = |value| {
                    if whole {
                        Precision::Exact(value)
                    } else {
                        Precision::Inexact(value)
                    }
                };
                known.min_value = bound(min);
                known.max_value = bound(max);
            }
            known.byte_size = width(column.ty).map_or(Precision::Absent, |w| Precision::Exact(w * live));
            known
        })
        .collect();
    Statistics {
        num_rows: Precision::Exact(live),
        total_byte_size: Precision::Inexact(usize::try_from(file.size_bytes).unwrap_or(usize::MAX)),
        column_statistics,
    }
}

/// Bytes of one value in memory, where that is fixed.
fn width(ty: LakeType) -> Option<usize> {
    match ty {
        LakeType::Date => Some(4),
        LakeType::Timestamp | LakeType::Int => Some(8),
        LakeType::Decimal(..) => Some(16),
        LakeType::Text | LakeType::Bytes | LakeType::Bool => None,
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics.clone())
    }

    /// A filter that the statistics show to hold for every row is done with; of the others the scan leaves out what
    /// is out of range, and the engine filters the rest.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match self.holds_for_all(filter) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = datafusion::common::project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let groups = FileGroup::new(self.files.clone())
            .split_files(state.config_options().execution.target_partitions);
        let format = ParquetFormat::default().with_options(state.default_table_options().parquet);
        let source = format.file_source(self.schema.clone().into());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_statistics(self.statistics.clone())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}
