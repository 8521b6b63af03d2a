//! Unique Key and Aggregate Key tables: segments that have keys in common are not read as files but merged, so that a query
//! sees one row for each key.
//!
//! Conditions on value columns are evaluated on merged rows only. A segment cannot be pruned by them: what it holds of a row
//! that does not match may be what makes the row as a whole match, or not.

use super::prune::literal_value;
use crate::engine::views::TableViews;
use crate::error::EngineError;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::split_conjunction;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use std::sync::Arc;
use tablet::{CompareOp, GroupScan, Predicate, Schema, TabletView};

/// Segments of one tablet that have keys in common.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Position of the partition in the table.
    pub(super) partition: usize,
    /// Its bucket.
    pub(super) bucket: usize,
    /// The tablet.
    view: Arc<TabletView>,
    /// Places among the view's segments.
    pub(super) segments: Vec<usize>,
}

impl Group {
    /// Every group of a table that has to be merged.
    pub(super) fn of(views: &TableViews) -> Vec<Self> {
        if !views.schema.model().merges_on_read() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (partition, part) in views.partitions.iter().enumerate() {
            for (bucket, view) in part.tablets.iter().enumerate() {
                let groups = view.groups().into_iter().filter(|group| group.len() > 1);
                found.extend(groups.map(|segments| Self { partition, bucket, view: Arc::clone(view), segments }));
            }
        }
        found
    }

    fn len_bytes(&self) -> u64 {
        self.segments.iter().filter_map(|at| self.view.segments().get(*at)).map(|segment| segment.len_bytes).sum()
    }
}

/// Reads merged rows.
#[derive(Debug)]
pub(super) struct MergedScan {
    /// What comes out.
    schema: SchemaRef,
    columns: Vec<usize>,
    predicates: Vec<Predicate>,
}

impl MergedScan {
    /// `exposed` are the table's columns as queries see them; `projection` and `filter` are over those, and no projection
    /// means all.
    ///
    /// # Errors
    /// Arrow's, for a projection of columns that are not there.
    pub(super) fn new(
        table: &Schema,
        exposed: &SchemaRef,
        projection: Option<&Vec<usize>>,
        filter: Option<&Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let columns: Vec<usize> = projection.map_or_else(|| (0..table.columns().len()).collect(), Vec::clone);
        Ok(Self {
            schema: Arc::new(exposed.project(&columns)?),
            columns,
            predicates: filter.map(|filter| key_conditions(table, filter)).unwrap_or_default(),
        })
    }

    /// The plan that reads groups, of which there is at least one, in at most `many` streams of about the same length.
    ///
    /// # Errors
    /// DataFusion's.
    pub(super) fn plan(
        self,
        mut groups: Vec<Group>,
        many: usize,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        groups.sort_by_key(|group| std::cmp::Reverse(group.len_bytes()));
        let mut shares: Vec<(u64, Vec<Group>)> = vec![(0, Vec::new()); many.clamp(1, groups.len().max(1))];
        for group in groups {
            if let Some(least) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
                least.0 = least.0.saturating_add(group.len_bytes().max(1));
                least.1.push(group);
            }
        }
        let schema = Arc::clone(&self.schema);
        let scan = Arc::new(self);
        let streams = shares
            .into_iter()
            .map(|(_, groups)| Arc::new(Share { scan: Arc::clone(&scan), groups }) as Arc<dyn PartitionStream>);
        Ok(Arc::new(StreamingTableExec::try_new(schema, streams.collect(), None, [], false, limit)?))
    }
}

/// The groups of one stream.
#[derive(Debug)]
struct Share {
    scan: Arc<MergedScan>,
    groups: Vec<Group>,
}

impl PartitionStream for Share {
    fn schema(&self) -> &SchemaRef {
        &self.scan.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Rows {
            scan: Arc::clone(&self.scan),
            batch_rows: context.session_config().batch_size(),
            groups: self.groups.clone().into_iter(),
            open: None,
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.scan.schema), futures::stream::iter(rows)))
    }
}

/// Rows of one group after the other; ends after the first error.
struct Rows {
    scan: Arc<MergedScan>,
    batch_rows: usize,
    groups: std::vec::IntoIter<Group>,
    open: Option<GroupScan>,
}

impl Rows {
    fn step(&mut self) -> Result<Option<RecordBatch>, EngineError> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(batch) = open.next() {
                    return self.named(&batch?).map(Some);
                }
                self.open = None;
            }
            let Some(Group { view, segments, .. }) = self.groups.next() else { return Ok(None) };
            let (columns, predicates) = (&self.scan.columns, &self.scan.predicates);
            self.open = Some(view.scan_group(&segments, Some(columns), predicates, self.batch_rows)?);
        }
    }

    /// The rows under the names that queries have for the columns.
    fn named(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.scan.schema);
        Ok(RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &rows)?)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.open = None;
            self.groups = Vec::new().into_iter();
        }
        step.map_err(|failed| DataFusionError::External(Box::new(failed))).transpose()
    }
}

/// The comparisons of key columns with literals that all rows have to meet.
fn key_conditions(table: &Schema, filter: &Arc<dyn PhysicalExpr>) -> Vec<Predicate> {
    split_conjunction(filter).into_iter().filter_map(|condition| comparison(table, condition)).collect()
}

fn comparison(table: &Schema, condition: &Arc<dyn PhysicalExpr>) -> Option<Predicate> {
    let both = condition.downcast_ref::<BinaryExpr>()?;
    let column = |side: &Arc<dyn PhysicalExpr>| side.downcast_ref::<Column>().map(Column::index);
    let literal = |side: &Arc<dyn PhysicalExpr>| side.downcast_ref::<Literal>().map(|literal| literal.value().clone());
    let (column, operator, value) = match (column(both.left()), literal(both.right())) {
        (Some(column), Some(value)) => (column, *both.op(), value),
        _ => (column(both.right())?, both.op().swap()?, literal(both.left())?),
    };
    let of_key = table.key_columns().get(column)?;
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other operator compares a column with a value")]
    let op = match operator {
        Operator::Eq => CompareOp::Eq,
        Operator::Lt => CompareOp::Lt,
        Operator::LtEq => CompareOp::LtEq,
        Operator::Gt => CompareOp::Gt,
        Operator::GtEq => CompareOp::GtEq,
        _ => return None,
    };
    Some(Predicate { column, op, value: literal_value(&value, of_key.data_type)? })
}
