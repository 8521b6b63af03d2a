//! A table's record in the words of the tablet store.
//!
//! The catalog keeps types and values as canonical text, so that its records can be read by people; the store works with
//! types and values.

use crate::error::{Error, Result};
use catalog::records::{
    AggregationRecord, BoundsRecord, ColumnRecord, DefaultRecord, Distribution, KeyModelRecord, PartitionEntry,
    Partitioning, TableRecord,
};
use tablet::{Aggregation, Bounds, Column, ColumnType, Datum, DefaultValue, KeyModel, Router, Schema};

/// The table's columns and key.
///
/// # Errors
/// `Invalid` when the record describes no possible table.
pub fn tablet_schema(table: &TableRecord) -> Result<Schema> {
    let model = match table.model {
        KeyModelRecord::Duplicate => KeyModel::Duplicate,
        KeyModelRecord::Primary => KeyModel::Primary,
        KeyModelRecord::Unique => KeyModel::Unique,
        KeyModelRecord::Aggregate => KeyModel::Aggregate,
    };
    let columns = table.columns.iter().map(column).collect::<Result<_>>()?;
    Schema::new(model, columns).map_err(tablet::Error::from).map_err(Error::from)
}

/// The columns and key of a store's schema as a table's record keeps them.
pub fn columns_record(schema: &Schema) -> (KeyModelRecord, Vec<ColumnRecord>) {
    let model = match schema.model() {
        KeyModel::Duplicate => KeyModelRecord::Duplicate,
        KeyModel::Primary => KeyModelRecord::Primary,
        KeyModel::Unique => KeyModelRecord::Unique,
        KeyModel::Aggregate => KeyModelRecord::Aggregate,
    };
    let columns = schema.columns().iter().map(|column| ColumnRecord {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        key: column.key,
        nullable: column.nullable,
        aggregation: column.aggregation.map(|aggregation| match aggregation {
            Aggregation::Sum => AggregationRecord::Sum,
            Aggregation::Min => AggregationRecord::Min,
            Aggregation::Max => AggregationRecord::Max,
            Aggregation::Replace => AggregationRecord::Replace,
            Aggregation::ReplaceIfNotNull => AggregationRecord::ReplaceIfNotNull,
        }),
        default: column.default.as_ref().map(|default| match default {
            DefaultValue::Literal(text) => DefaultRecord::Literal(text.clone()),
            DefaultValue::CurrentTimestamp => DefaultRecord::CurrentTimestamp,
            DefaultValue::Null => DefaultRecord::Null,
        }),
        comment: column.comment.clone(),
    });
    (model, columns.collect())
}

fn column(record: &ColumnRecord) -> Result<Column> {
    Ok(Column {
        name: record.name.clone(),
        data_type: data_type(record)?,
        nullable: record.nullable,
        key: record.key,
        aggregation: record.aggregation.map(aggregation),
        default: record.default.as_ref().map(|default| match default {
            DefaultRecord::Literal(text) => DefaultValue::Literal(text.clone()),
            DefaultRecord::CurrentTimestamp => DefaultValue::CurrentTimestamp,
            DefaultRecord::Null => DefaultValue::Null,
        }),
        comment: record.comment.clone(),
    })
}

/// The catalog's word in the store's.
pub fn aggregation(record: AggregationRecord) -> Aggregation {
    match record {
        AggregationRecord::Sum => Aggregation::Sum,
        AggregationRecord::Min => Aggregation::Min,
        AggregationRecord::Max => Aggregation::Max,
        AggregationRecord::Replace => Aggregation::Replace,
        AggregationRecord::ReplaceIfNotNull => Aggregation::ReplaceIfNotNull,
    }
}

fn data_type(record: &ColumnRecord) -> Result<ColumnType> {
    record.data_type.parse::<ColumnType>().map_err(tablet::Error::from).map_err(Error::from)
}

/// Positions of the partition columns among the table's columns; none for a table that is not partitioned.
///
/// # Errors
/// `Corrupt` when the record names a column that it does not have.
pub fn partition_columns(table: &TableRecord) -> Result<Vec<usize>> {
    match &table.partitioning {
        Partitioning::None => Ok(Vec::new()),
        Partitioning::Range { columns } | Partitioning::List { columns } => positions(table, columns),
    }
}

/// Positions of the columns that rows are spread over buckets by; `None` for a random distribution.
///
/// # Errors
/// `Corrupt` when the record names a column that it does not have.
pub fn hash_columns(table: &TableRecord) -> Result<Option<Vec<usize>>> {
    match &table.distribution {
        Distribution::Hash { columns } => positions(table, columns).map(Some),
        Distribution::Random => Ok(None),
    }
}

fn positions(table: &TableRecord, names: &[String]) -> Result<Vec<usize>> {
    let position = |name: &String| {
        table.column(name).ok_or_else(|| {
            Error::corrupt(
                format!("table {}", table.name),
                "partition and hash columns among its columns",
                name.clone(),
            )
        })
    };
    names.iter().map(position).collect()
}

/// Which rows belong to a partition of the table.
///
/// # Errors
/// `Invalid` when a value is not one of its column's type, `Corrupt` when there are too few or too many values.
pub fn bounds(table: &TableRecord, entry: &PartitionEntry) -> Result<Bounds> {
    let positions = partition_columns(table)?;
    let types: Vec<ColumnType> =
        positions.iter().filter_map(|position| table.columns.get(*position)).map(data_type).collect::<Result<_>>()?;
    let wrong = |found: usize| {
        let object = format!("partition {} of table {}", entry.name, table.name);
        Error::corrupt(object, format!("bounds of {} values", types.len()), format!("{found} values"))
    };
    let tuple = |values: &Vec<String>| {
        if values.is_empty() || values.len() > types.len() {
            return Err(wrong(values.len()));
        }
        types.iter().zip(values).map(|(data_type, text)| datum(*data_type, text)).collect::<Result<Vec<_>>>()
    };
    match &entry.bounds {
        BoundsRecord::All => Ok(Bounds::All),
        BoundsRecord::Range { lower, upper } => Ok(Bounds::Range {
            lower: lower.as_ref().map(tuple).transpose()?,
            upper: upper.as_ref().map(tuple).transpose()?,
        }),
        BoundsRecord::List { values } => {
            let mut tuples = Vec::with_capacity(values.len());
            for value in values {
                if value.len() != types.len() {
                    return Err(wrong(value.len()));
                }
                let one = |(data_type, text): (&ColumnType, &Option<String>)| match text {
                    Some(text) => datum(*data_type, text),
                    None => Ok(Datum::Null),
                };
                tuples.push(types.iter().zip(value).map(one).collect::<Result<Vec<_>>>()?);
            }
            Ok(Bounds::List(tuples))
        }
    }
}

fn datum(data_type: ColumnType, text: &str) -> Result<Datum> {
    Datum::parse(&data_type, text).map_err(tablet::Error::from).map_err(Error::from)
}

/// What spreads rows over the table's partitions, in the order of its record, and their buckets.
///
/// # Errors
/// As [`tablet_schema`] and [`bounds`].
pub fn router(table: &TableRecord) -> Result<Router> {
    let schema = tablet_schema(table)?;
    let columns = partition_columns(table)?;
    let partitions =
        table.partitions.iter().map(|entry| Ok((bounds(table, entry)?, entry.buckets))).collect::<Result<Vec<_>>>()?;
    let hashed = hash_columns(table)?;
    Router::new(&schema, &columns, partitions, hashed.as_deref()).map_err(Error::from)
}

#[cfg(test)]
mod tests;
