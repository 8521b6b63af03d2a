//! Queries that make rows without reading any let other work have its turn, and can be stopped.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::unnest::UnnestExec;
use std::sync::Arc;

/// DataFusion makes scans count against a task's budget, so that a query pauses now and then. A join of a few rows with a few
/// rows can give any number of them without a further scan: here the outputs of such operators count as well.
#[derive(Debug)]
pub(super) struct CountMultiplied;

impl PhysicalOptimizerRule for CountMultiplied {
    fn name(&self) -> &'static str {
        "count_multiplied"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let multiplies = plan.children().len() > 1 || plan.is::<UnnestExec>();
            if multiplies {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>));
            }
            Ok(Transformed::no(plan))
        })
        .data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}
