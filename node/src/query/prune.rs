//! Which partitions and buckets a filter can find rows in.

use crate::engine::views::TableViews;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{Guarantee, LiteralGuarantee};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tablet::{Bounds, Datum, Router};

/// Combinations of values of the bucketing columns that are looked up; a filter with more reads all buckets.
const COMBINATIONS_MAX: usize = 64;

/// What a scan may leave out.
pub(super) struct Pruner {
    /// By position in the table.
    partitions: Vec<bool>,
    /// By position of the partition: the buckets that can have rows; `None` means all.
    buckets: Vec<Option<BTreeSet<u32>>>,
}

impl Pruner {
    /// `only` limits to partitions of these names.
    pub(super) fn new(
        views: &TableViews,
        exposed: &SchemaRef,
        filter: Option<&Arc<dyn PhysicalExpr>>,
        only: Option<&[String]>,
    ) -> Self {
        let count = views.partitions.len();
        let mut partitions = filter
            .and_then(|filter| prune_partitions(views, exposed, filter))
            .filter(|kept| kept.len() == count)
            .unwrap_or_else(|| vec![true; count]);
        if let Some(only) = only {
            for (kept, partition) in partitions.iter_mut().zip(&views.partitions) {
                *kept = *kept && only.contains(&partition.entry.name);
            }
        }
        let buckets = filter.and_then(|filter| prune_buckets(views, filter)).unwrap_or_else(|| vec![None; count]);
        Self { partitions, buckets }
    }

    pub(super) fn keeps(&self, partition: usize, bucket: usize) -> bool {
        if !self.partitions.get(partition).copied().unwrap_or(true) {
            return false;
        }
        match self.buckets.get(partition) {
            Some(Some(buckets)) => u32::try_from(bucket).is_ok_and(|bucket| buckets.contains(&bucket)),
            Some(None) | None => true,
        }
    }
}

fn prune_partitions(views: &TableViews, exposed: &SchemaRef, filter: &Arc<dyn PhysicalExpr>) -> Option<Vec<bool>> {
    let columns = snapshot::schema::partition_columns(&views.record).ok()?;
    if columns.is_empty() {
        return None;
    }
    let columns = columns.iter().filter_map(|at| {
        let field = exposed.fields().get(*at)?;
        Some((field.name().clone(), views.schema.columns().get(*at)?.data_type))
    });
    let statistics = PartitionStatistics { views, columns: columns.collect() };
    let predicate =
        PruningPredicateBuilder::new().with_file_schema(Arc::clone(exposed)).try_build(Arc::clone(filter)).ok()?;
    predicate.prune(&statistics).ok()
}

/// What the bounds say about the values in each partition.
struct PartitionStatistics<'a> {
    views: &'a TableViews,
    /// Name in lower case and type of each partition column.
    columns: Vec<(String, tablet::ColumnType)>,
}

impl PartitionStatistics<'_> {
    fn position(&self, column: &Column) -> Option<usize> {
        self.columns.iter().position(|(name, _)| *name == column.name)
    }

    fn array(&self, column: &Column, value: impl Fn(&Bounds, usize) -> Option<Datum>) -> Option<ArrayRef> {
        let position = self.position(column)?;
        let (_, data_type) = self.columns.get(position)?;
        let values: Vec<Datum> = self
            .views
            .partitions
            .iter()
            .map(|partition| value(&partition.bounds, position).unwrap_or(Datum::Null))
            .collect();
        Datum::array(data_type, &values).ok()
    }
}

/// A range says something about its first column only; a list about each.
fn least(bounds: &Bounds, position: usize) -> Option<Datum> {
    match bounds {
        Bounds::Range { lower, .. } if position == 0 => lower.as_ref()?.first().cloned(),
        Bounds::All | Bounds::Range { .. } => None,
        Bounds::List(values) => listed(values, position)?.min(),
    }
}

fn greatest(bounds: &Bounds, position: usize) -> Option<Datum> {
    match bounds {
        // Exclusive for one column, but with several the value itself may be in: to be sure, it is taken to be.
        Bounds::Range { upper, .. } if position == 0 => upper.as_ref()?.first().cloned(),
        Bounds::All | Bounds::Range { .. } => None,
        Bounds::List(values) => listed(values, position)?.max(),
    }
}

/// The values of one column in a list; none of them when NULL is among them, for which there is no least and greatest.
fn listed(values: &[Vec<Datum>], position: usize) -> Option<impl Iterator<Item = Datum>> {
    let values: Vec<Datum> = values.iter().filter_map(|tuple| tuple.get(position).cloned()).collect();
    (!values.is_empty() && !values.iter().any(Datum::is_null)).then(|| values.into_iter())
}

impl PruningStatistics for PartitionStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.array(column, least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.array(column, greatest)
    }

    fn num_containers(&self) -> usize {
        self.views.partitions.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let position = self.position(column)?;
        let (_, data_type) = self.columns.get(position)?;
        let wanted: Vec<Datum> = values.iter().filter_map(|value| literal_value(value, *data_type)).collect();
        if wanted.len() != values.len() {
            return None;
        }
        let known = self.views.partitions.iter().map(|partition| {
            let Bounds::List(tuples) = &partition.bounds else { return None };
            let mut own = tuples.iter().filter_map(|tuple| tuple.get(position));
            let inside = own.clone().all(|value| wanted.contains(value));
            let outside = !own.any(|value| wanted.contains(value));
            if inside {
                Some(true)
            } else if outside {
                Some(false)
            } else {
                None
            }
        });
        Some(known.collect())
    }
}

/// A literal as a value of a column, when it is one without losing anything.
pub(super) fn literal_value(value: &ScalarValue, data_type: tablet::ColumnType) -> Option<Datum> {
    let own = value.cast_to(&data_type.arrow()).ok()?;
    let back = own.cast_to(&value.data_type()).ok()?;
    if back != *value {
        return None;
    }
    Datum::at(&own.to_array().ok()?, 0).ok()
}

fn prune_buckets(views: &TableViews, filter: &Arc<dyn PhysicalExpr>) -> Option<Vec<Option<BTreeSet<u32>>>> {
    let columns = snapshot::schema::hash_columns(&views.record).ok()??;
    let guarantees = LiteralGuarantee::analyze(filter);
    let mut combinations: Vec<Vec<(usize, ScalarValue)>> = vec![Vec::new()];
    for at in &columns {
        let column = views.schema.columns().get(*at)?;
        let name = column.name.to_lowercase();
        let literals = guarantees
            .iter()
            .find(|guarantee| guarantee.guarantee == Guarantee::In && guarantee.column.name == name)
            .map(|guarantee| &guarantee.literals)?;
        if literals.is_empty() || combinations.len().saturating_mul(literals.len()) > COMBINATIONS_MAX {
            return None;
        }
        let arrow = column.data_type.arrow();
        let mut longer = Vec::new();
        for literal in literals {
            literal_value(literal, column.data_type)?;
            let literal = literal.cast_to(&arrow).ok()?;
            for shorter in &combinations {
                longer.push(shorter.iter().cloned().chain([(*at, literal.clone())]).collect());
            }
        }
        combinations = longer;
    }
    views
        .partitions
        .iter()
        .map(|partition| {
            let router =
                Router::new(&views.schema, &[], vec![(Bounds::All, partition.entry.buckets)], Some(&columns)).ok()?;
            let buckets: Option<BTreeSet<u32>> =
                combinations.iter().map(|values| bucket(views, &router, values)).collect();
            Some(Some(buckets?))
        })
        .collect()
}

/// The bucket of a row with these values; the others do not matter to it.
fn bucket(views: &TableViews, router: &Router, values: &[(usize, ScalarValue)]) -> Option<u32> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (at, column) in views.schema.columns().iter().enumerate() {
        let arrow = column.data_type.arrow();
        let array = match values.iter().find(|(position, _)| *position == at) {
            Some((_, value)) => value.to_array().ok()?,
            None => new_null_array(&arrow, 1),
        };
        fields.push(Field::new(&column.name, arrow, true));
        arrays.push(array);
    }
    let row = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays).ok()?;
    router.route(&row, 0).ok()?.first().map(|routed| routed.bucket)
}
