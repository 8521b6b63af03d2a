//! Which partition and bucket a row belongs to.
//!
//! The bucket of a row of a HASH table is the CRC-32 (ISO-HDLC, as in zlib) of the canonical encodings of its bucketing columns, one
//! after the other, modulo the number of buckets. Stored rows depend on it: it never changes.

mod bounds;
#[cfg(test)]
mod tests;

pub use bounds::Bounds;

use crate::datum::Datum;
use crate::error::Result;
use crate::keys::{Keys, encode_columns};
use crate::schema::Schema;
use crate::values::Values;
use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why rows cannot be spread over partitions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// No partition takes the row.
    #[error("row {}: no partition for {columns} = ({values}); add a partition that takes it", row + 1)]
    NoPartition {
        /// The row in the batch, from 0; shown from 1.
        row: usize,
        /// The names of the partition columns.
        columns: String,
        /// The values of them in this row.
        values: String,
    },
    /// Partitions or columns that cannot be.
    #[error("{0}")]
    Layout(String),
}

impl RouteError {
    fn layout(text: impl Into<String>) -> Self {
        Self::Layout(text.into())
    }
}

/// Rows of one bucket of one partition, in the order in which they came.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The partition's place in the list that the router was made of.
    pub partition: usize,
    /// The bucket, from 0.
    pub bucket: u32,
    /// The rows.
    pub rows: RecordBatch,
}

/// Spreads the rows of a table over its partitions and buckets.
#[derive(Debug, Clone)]
pub struct Router {
    partitioning: Partitioning,
    partition_columns: Vec<usize>,
    partition_names: String,
    hash_columns: Option<Vec<usize>>,
    buckets: Vec<u32>,
    columns: usize,
}

#[derive(Debug, Clone)]
enum Partitioning {
    None,
    Range(Vec<RangePartition>),
    List(BTreeMap<Vec<u8>, usize>),
}

/// Encoded bounds; the ranges are sorted and apart.
#[derive(Debug, Clone)]
struct RangePartition {
    lower: Option<Vec<u8>>,
    upper: Option<Vec<u8>>,
    partition: usize,
}

impl RangePartition {
    fn contains(&self, key: &[u8]) -> bool {
        self.lower.as_deref().is_none_or(|lower| lower <= key) && self.upper.as_deref().is_none_or(|upper| key < upper)
    }
}

impl Router {
    /// Checks partitions and columns. Each partition has its bounds and its number of buckets; `hash_columns` decide about the bucket, none:
    /// rows are dealt out in turn.
    ///
    /// # Errors
    /// A layout error when columns are not there or cannot be partitioned by, bounds are not values of their types, are of different sorts,
    /// or overlap, or a partition has no bucket.
    pub fn new(
        schema: &Schema,
        partition_columns: &[usize],
        partitions: Vec<(Bounds, u32)>,
        hash_columns: Option<&[usize]>,
    ) -> Result<Self> {
        check_columns(schema, partition_columns, "partition")?;
        check_columns(schema, hash_columns.unwrap_or_default(), "bucketing")?;
        if hash_columns.is_some_and(<[usize]>::is_empty) {
            return Err(RouteError::layout("a HASH distribution needs at least one column").into());
        }
        if partitions.iter().any(|(_, buckets)| *buckets == 0) {
            return Err(RouteError::layout("a partition needs at least one bucket").into());
        }
        bounds::check_apart(partitions.iter().map(|(bounds, _)| bounds))?;
        let names: Vec<&str> = partition_columns
            .iter()
            .filter_map(|column| schema.columns().get(*column))
            .map(|column| column.name.as_str())
            .collect();
        Ok(Self {
            partitioning: partitioning(schema, partition_columns, &partitions)?,
            partition_columns: partition_columns.to_vec(),
            partition_names: format!("({})", names.join(", ")),
            hash_columns: hash_columns.map(<[usize]>::to_vec),
            buckets: partitions.into_iter().map(|(_, buckets)| buckets).collect(),
            columns: schema.columns().len(),
        })
    }

    /// Spreads rows that have all columns of the table. Every row comes out once; results are sorted by partition and bucket. Without
    /// bucketing columns the rows of a partition are dealt out in turn, beginning at bucket `random_start` modulo their number.
    ///
    /// # Errors
    /// A route error that names the first row that no partition takes.
    pub fn route(&self, batch: &RecordBatch, random_start: u64) -> Result<Vec<Routed>> {
        let partitions = self.partitions(batch)?;
        let buckets = self.buckets_of(batch, &partitions, random_start)?;
        let mut places: BTreeMap<(usize, u32), Vec<u32>> = BTreeMap::new();
        for (row, place) in (0_u32..).zip(partitions.into_iter().zip(buckets)) {
            places.entry(place).or_default().push(row);
        }
        if places.len() == 1 {
            let only = places.into_keys().map(|(partition, bucket)| Routed { partition, bucket, rows: batch.clone() });
            return Ok(only.collect());
        }
        places
            .into_iter()
            .map(|((partition, bucket), rows)| {
                let rows = take_record_batch(batch, &UInt32Array::from(rows))?;
                Ok(Routed { partition, bucket, rows })
            })
            .collect()
    }

    /// The partition of each row, by its place in the list that the router was made of; none for a row that no
    /// partition takes.
    ///
    /// # Errors
    /// `Invalid` for rows that do not have all columns of the table.
    pub fn places(&self, batch: &RecordBatch) -> Result<Vec<Option<usize>>> {
        if batch.num_columns() != self.columns {
            let found = batch.num_columns();
            return Err(RouteError::layout(format!("rows have {found} columns, the table has {}", self.columns)).into());
        }
        let rows = batch.num_rows();
        if matches!(self.partitioning, Partitioning::None) {
            return Ok(vec![Some(0); rows]);
        }
        let keys = encode_columns(&columns_of(batch, &self.partition_columns), rows)?;
        let mut last = 0;
        Ok(keys.iter().map(|key| self.partition_of(key, &mut last)).collect())
    }

    /// The partition of each row, if all have one.
    fn partitions(&self, batch: &RecordBatch) -> Result<Vec<usize>> {
        let placed = self.places(batch)?.into_iter().enumerate();
        placed.map(|(row, place)| place.ok_or_else(|| self.no_partition(batch, row).into())).collect()
    }

    /// `last` is where the row before was found: rows of one partition often follow each other.
    fn partition_of(&self, key: &[u8], last: &mut usize) -> Option<usize> {
        match &self.partitioning {
            Partitioning::None => Some(0),
            Partitioning::List(values) => values.get(key).copied(),
            Partitioning::Range(ranges) => {
                if let Some(range) = ranges.get(*last).filter(|range| range.contains(key)) {
                    return Some(range.partition);
                }
                let behind = ranges.partition_point(|range| range.lower.as_deref().is_none_or(|lower| lower <= key));
                let at = behind.checked_sub(1)?;
                let range = ranges.get(at).filter(|range| range.contains(key))?;
                *last = at;
                Some(range.partition)
            }
        }
    }

    fn no_partition(&self, batch: &RecordBatch, row: usize) -> RouteError {
        let shown = |array: &ArrayRef| match Datum::at(array, row) {
            Ok(text @ (Datum::Text(_) | Datum::Date(_) | Datum::DateTime(_))) => format!("'{text}'"),
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        let values: Vec<String> = columns_of(batch, &self.partition_columns).iter().map(shown).collect();
        RouteError::NoPartition { row, columns: self.partition_names.clone(), values: values.join(", ") }
    }

    fn buckets_of(&self, batch: &RecordBatch, partitions: &[usize], random_start: u64) -> Result<Vec<u32>> {
        let count = |partition: &usize| self.buckets.get(*partition).copied().unwrap_or(1).max(1);
        let Some(hash_columns) = &self.hash_columns else {
            let mut next: BTreeMap<usize, u64> = BTreeMap::new();
            let deal = partitions.iter().map(|partition| {
                let turn = next.entry(*partition).or_insert(random_start);
                let bucket = *turn % u64::from(count(partition));
                *turn = turn.wrapping_add(1);
                u32::try_from(bucket).unwrap_or_default()
            });
            return Ok(deal.collect());
        };
        if self.buckets.iter().all(|buckets| *buckets == 1) {
            return Ok(vec![0; partitions.len()]);
        }
        let hashes = hash_rows(&columns_of(batch, hash_columns), batch.num_rows())?;
        Ok(hashes.into_iter().zip(partitions).map(|(hash, partition)| hash % count(partition)).collect())
    }
}

/// CRC-32 of the canonical encodings of each row's values.
fn hash_rows(columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
    let values = columns.iter().map(|array| Values::of(array)).collect::<Result<Vec<_>>>()?;
    let mut bytes = Vec::new();
    (0..rows)
        .map(|row| {
            bytes.clear();
            for column in &values {
                column.get(row)?.encode(&mut bytes);
            }
            Ok(crc32fast::hash(&bytes))
        })
        .collect()
}

fn columns_of(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().filter_map(|column| batch.columns().get(*column)).cloned().collect()
}

fn check_columns(schema: &Schema, columns: &[usize], what: &str) -> Result<(), RouteError> {
    let mut seen = Vec::new();
    for at in columns {
        let Some(column) = schema.columns().get(*at) else {
            return Err(RouteError::layout(format!("there is no column {at} to be a {what} column")));
        };
        if !column.data_type.can_be_key() {
            let (name, data_type) = (&column.name, column.data_type);
            return Err(RouteError::layout(format!("column '{name}' of type {data_type} cannot be a {what} column")));
        }
        if seen.contains(at) {
            return Err(RouteError::layout(format!("{what} column '{}' is there twice", column.name)));
        }
        seen.push(*at);
    }
    Ok(())
}

fn partitioning(schema: &Schema, columns: &[usize], partitions: &[(Bounds, u32)]) -> Result<Partitioning> {
    let all = |bounds: &Bounds| matches!(bounds, Bounds::All);
    if columns.is_empty() {
        return match partitions {
            [(Bounds::All, _)] => Ok(Partitioning::None),
            _ => Err(RouteError::layout("a table without partition columns has one partition, which takes all").into()),
        };
    }
    if partitions.iter().any(|(bounds, _)| all(bounds)) {
        return Err(RouteError::layout("a partition of a table with partition columns needs bounds").into());
    }
    let encode = |values: &Vec<Datum>| encode_bound(schema, columns, values);
    let mut ranges = Vec::new();
    let mut lists = BTreeMap::new();
    for (partition, (bounds, _)) in partitions.iter().enumerate() {
        match bounds {
            Bounds::All => {}
            Bounds::Range { lower, upper } => {
                let lower = lower.as_ref().map(encode).transpose()?;
                let upper = upper.as_ref().map(encode).transpose()?;
                if let (Some(lower), Some(upper)) = (&lower, &upper)
                    && lower >= upper
                {
                    return Err(RouteError::layout(format!("partition {bounds} is empty")).into());
                }
                ranges.push(RangePartition { lower, upper, partition });
            }
            Bounds::List(values) => {
                if values.is_empty() {
                    return Err(RouteError::layout("a LIST partition needs at least one value").into());
                }
                for value in values {
                    if value.len() != columns.len() {
                        let (found, wanted) = (value.len(), columns.len());
                        let text =
                            format!("a LIST value has {found} columns where the table is partitioned by {wanted}");
                        return Err(RouteError::layout(text).into());
                    }
                    lists.insert(encode(value)?, partition);
                }
            }
        }
    }
    if !ranges.is_empty() && !lists.is_empty() {
        return Err(RouteError::layout("RANGE and LIST partitions cannot be mixed").into());
    }
    ranges.sort_by(|a, b| a.lower.cmp(&b.lower));
    // Without any partition it does not matter: nothing is taken.
    Ok(if lists.is_empty() { Partitioning::Range(ranges) } else { Partitioning::List(lists) })
}

/// A bound as rows are encoded. One with fewer values than there are columns stands before all rows that begin with them.
fn encode_bound(schema: &Schema, columns: &[usize], values: &[Datum]) -> Result<Vec<u8>> {
    if values.is_empty() || values.len() > columns.len() {
        let (found, wanted) = (values.len(), columns.len());
        let text = format!("a bound has {found} values where the table is partitioned by {wanted} columns");
        return Err(RouteError::layout(text).into());
    }
    let arrays = values
        .iter()
        .zip(columns)
        .filter_map(|(value, column)| schema.columns().get(*column).map(|column| (value, column)))
        .map(|(value, column)| Datum::array(&column.data_type, std::slice::from_ref(value)))
        .collect::<Result<Vec<_>>>()?;
    let keys: Keys = encode_columns(&arrays, 1)?;
    Ok(keys.get(0).to_vec())
}
