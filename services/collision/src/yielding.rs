//! Lets go of the thread between the batches of a join. A join makes many batches of few, and who reads them (a count, a
//! sort) asks for one after the other without a pause: nothing could stop it.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};

/// Puts a [`CooperativeExec`] above every join.
#[derive(Debug)]
pub struct YieldAboveJoins;

impl PhysicalOptimizerRule for YieldAboveJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let join: &dyn ExecutionPlan = node.as_ref();
            let is_join =
                join.is::<HashJoinExec>() || join.is::<NestedLoopJoinExec>() || join.is::<CrossJoinExec>();
            Ok(match is_join {
                true => Transformed::yes(Arc::new(CooperativeExec::new(node)) as _),
                false => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "yield_above_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
