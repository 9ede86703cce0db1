//! Keeps batches as small as the rows in them. A text view points into the buffers its rows were read from and
//! keeps all of them, so that a few rows out of millions, once through a join, seem to hold gigabytes: sorts then
//! refuse them and joins carry thousands of buffers along. Before an operator that keeps rows, what they hold is
//! copied together where that is much less than what they keep.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use datafusion::arrow::datatypes::{ByteViewType, DataType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// Kept bytes of a column below which nothing is copied, where all rows are kept.
pub const KEPT_BYTES_MIN: usize = 64 << 10;
/// The same before an exchange, which keeps a few batches: only what a join left behind is worth a copy there.
const EXCHANGED_BYTES_MIN: usize = 8 << 20;
/// Copied when a column keeps this many times what its rows hold.
const WASTE_MIN: usize = 2;

/// Puts a [`CompactExec`] before sorts, exchanges and what joins keep.
#[derive(Debug)]
pub struct CompactViews;

impl PhysicalOptimizerRule for CompactViews {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let node_ref: &dyn ExecutionPlan = node.as_ref();
            let keeps_left = node_ref.is::<HashJoinExec>()
                || node_ref.is::<NestedLoopJoinExec>()
                || node_ref.is::<CrossJoinExec>();
            let bytes_min = if node_ref.is::<SortExec>() || keeps_left {
                KEPT_BYTES_MIN
            } else if node_ref.is::<RepartitionExec>() {
                EXCHANGED_BYTES_MIN
            } else {
                return Ok(Transformed::no(node));
            };
            let mut children: Vec<_> = node.children().into_iter().cloned().collect();
            match children.first_mut() {
                Some(first) if holds_views(first) => {
                    *first = Arc::new(CompactExec {
                        input: first.clone(),
                        bytes_min,
                    });
                }
                _ => return Ok(Transformed::no(node)),
            }
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(node.replace_children(children, options)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "compact_views"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn holds_views(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let is_view = |ty: &DataType| matches!(ty, DataType::Utf8View | DataType::BinaryView);
    plan.schema().fields().iter().any(|f| is_view(f.data_type()))
}

/// Passes rows on unchanged, with no more buffers than they need.
#[derive(Debug, Clone)]
struct CompactExec {
    input: Arc<dyn ExecutionPlan>,
    bytes_min: usize,
}

impl DisplayAs for CompactExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactExec")
    }
}

impl ExecutionPlan for CompactExec {
    fn name(&self) -> &str {
        "CompactExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            input: children.swap_remove(0),
            bytes_min: self.bytes_min,
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let bytes_min = self.bytes_min;
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let compacted = rows.map(move |batch| compact(batch?, bytes_min));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, compacted)))
    }
}

/// The batch with each text column that keeps `bytes_min` or more, and much more than its rows hold, copied.
pub fn compact(batch: RecordBatch, bytes_min: usize) -> Result<RecordBatch> {
    let compacted: Vec<Option<ArrayRef>> = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => smaller(column.as_string_view(), bytes_min),
            DataType::BinaryView => smaller(column.as_binary_view(), bytes_min),
            _ => None,
        })
        .collect();
    if compacted.iter().all(Option::is_none) {
        return Ok(batch);
    }
    let columns = compacted
        .into_iter()
        .zip(batch.columns())
        .map(|(new, old)| new.unwrap_or_else(|| old.clone()))
        .collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// The column copied together, if that is worth it.
fn smaller<T: ByteViewType>(views: &GenericByteViewArray<T>, bytes_min: usize) -> Option<ArrayRef> {
    let kept: usize = views.data_buffers().iter().map(|b| b.capacity()).sum();
    (kept >= bytes_min && kept >= WASTE_MIN * views.total_buffer_bytes_used())
        .then(|| Arc::new(views.gc()) as ArrayRef)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::StringViewArray;

    use super::*;

    #[test]
    fn a_few_rows_of_a_large_column_keep_only_their_own_text() {
        let large: StringViewArray = (0..20_000)
            .map(|n| Some(format!("a text of some length, number {n}")))
            .collect();
        let few = large.slice(7, 3);
        let batch = RecordBatch::try_from_iter([("t", Arc::new(few.clone()) as ArrayRef)]).unwrap();
        let compacted = compact(batch.clone(), 1024).unwrap();
        assert_eq!(batch, compacted);
        assert!(compacted.get_array_memory_size() * 100 < batch.get_array_memory_size());
        let left_alone = compact(batch.clone(), usize::MAX).unwrap();
        assert_eq!(left_alone.get_array_memory_size(), batch.get_array_memory_size());
    }
}
