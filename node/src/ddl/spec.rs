//! What CREATE TABLE says, checked against what a table can be. Pure.

use super::ranges::{self, Partition};
use crate::error::{EngineError, ErrorKind, codes};
use crate::sql::{
    self, ColumnDef, CreateTable, CreateTableAs, DefaultClause, KeyClause, KeyModel as Model, PartitionBy,
    PartitionItem,
};
use arrow::datatypes::{DataType as ArrowType, Schema as ArrowSchema};
use catalog::records::{
    AggregationRecord, BoundsRecord, ColumnRecord, DefaultRecord, Distribution, KeyModelRecord, Partitioning,
    TableRecord,
};
use std::collections::BTreeMap;
use tablet::{Aggregation, Column, ColumnType, DefaultValue, KeyModel, Router, Schema};

/// Buckets of a partition when the statement says nothing.
const BUCKETS_DEFAULT: u32 = 2;

/// Most buckets of a partition.
const BUCKETS_MAX: u32 = 100_000;

/// Most columns that become the key when the statement names none.
const IMPLICIT_KEYS_MAX: usize = 3;

/// A table that can be made.
#[derive(Debug, Clone)]
pub(super) struct TableSpec {
    pub(super) schema: Schema,
    pub(super) distribution: Distribution,
    pub(super) partitioning: Partitioning,
    pub(super) partitions: Vec<Partition>,
    pub(super) buckets: u32,
    pub(super) properties: BTreeMap<String, String>,
    pub(super) comment: String,
}

/// Checks a statement.
///
/// # Errors
/// Invalid or Unsupported, naming what was typed.
pub(super) fn check(statement: &CreateTable) -> Result<TableSpec, EngineError> {
    let schema = schema(statement)?;
    let properties = properties(&statement.properties)?;
    let partitioned = match &statement.partition_by {
        None => None,
        Some(PartitionBy::Range { columns, .. } | PartitionBy::List { columns, .. }) => {
            Some(own_columns(&schema, columns, "partition")?)
        }
    };
    let partitions = partitions(statement, &schema, partitioned.as_deref().unwrap_or_default())?;
    let (distribution, buckets) = distribution(statement, &schema)?;
    let spec = TableSpec {
        partitioning: match (&statement.partition_by, partitioned) {
            (Some(PartitionBy::Range { .. }), Some(columns)) => {
                Partitioning::Range { columns: names(&schema, &columns) }
            }
            (Some(PartitionBy::List { .. }), Some(columns)) => Partitioning::List { columns: names(&schema, &columns) },
            _ => Partitioning::None,
        },
        schema,
        distribution,
        partitions,
        buckets,
        properties,
        comment: statement.comment.clone().unwrap_or_default(),
    };
    spec.check_routing()?;
    Ok(spec)
}

fn names(schema: &Schema, columns: &[usize]) -> Vec<String> {
    columns.iter().filter_map(|at| schema.columns().get(*at)).map(|column| column.name.clone()).collect()
}

impl TableSpec {
    /// Partition and bucketing columns can be routed by, and rows of one key come to one bucket where they replace each
    /// other or become one.
    fn check_routing(&self) -> Result<(), EngineError> {
        let partition_columns = match &self.partitioning {
            Partitioning::None => Vec::new(),
            Partitioning::Range { columns } | Partitioning::List { columns } => {
                own_columns(&self.schema, columns, "partition")?
            }
        };
        let hash_columns = match &self.distribution {
            Distribution::Hash { columns } => Some(own_columns(&self.schema, columns, "bucketing")?),
            Distribution::Random => None,
        };
        let model = self.schema.model();
        if model != KeyModel::Duplicate {
            for (what, columns) in [("partition", Some(&partition_columns)), ("bucketing", hash_columns.as_ref())] {
                for at in columns.into_iter().flatten() {
                    if let Some(column) = self.schema.columns().get(*at).filter(|column| !column.key) {
                        return Err(EngineError::invalid(format!(
                            "{what} column '{}' of {} table must belong to its key",
                            column.name,
                            model.with_article()
                        )));
                    }
                }
            }
            if hash_columns.is_none() {
                return Err(EngineError::unsupported(format!(
                    "{} table cannot be DISTRIBUTED BY RANDOM; use HASH of key columns",
                    model.with_article()
                )));
            }
        }
        let bounds = self.partitions.iter().map(|partition| (partition.parsed.clone(), self.buckets)).collect();
        Router::new(&self.schema, &partition_columns, bounds, hash_columns.as_deref())?;
        Ok(())
    }
}

/// Positions of named columns.
///
/// # Errors
/// 1054 naming the column; Invalid for one that is there twice.
pub(super) fn own_columns(schema: &Schema, columns: &[String], what: &str) -> Result<Vec<usize>, EngineError> {
    let mut found = Vec::with_capacity(columns.len());
    for name in columns {
        let at = schema.index_of(name).ok_or_else(|| {
            let message = format!("{what} column '{name}' is no column of the table");
            EngineError::new(codes::UNKNOWN_COLUMN, ErrorKind::NotFound, message)
        })?;
        if found.contains(&at) {
            return Err(EngineError::invalid(format!("{what} column '{name}' is there twice")));
        }
        found.push(at);
    }
    Ok(found)
}

fn schema(statement: &CreateTable) -> Result<Schema, EngineError> {
    let keys = keys(statement)?;
    let model = match keys.model {
        Model::Duplicate => KeyModel::Duplicate,
        Model::Primary => KeyModel::Primary,
        Model::Unique => KeyModel::Unique,
        Model::Aggregate => KeyModel::Aggregate,
    };
    let is_key = |name: &str| keys.columns.iter().any(|key| key.to_lowercase() == name.to_lowercase());
    let mut columns = Vec::with_capacity(statement.columns.len());
    for column in &statement.columns {
        columns.push(self::column(column, is_key(&column.name), model)?);
    }
    for (place, key) in keys.columns.iter().enumerate() {
        let found = statement.columns.iter().position(|column| column.name.to_lowercase() == key.to_lowercase());
        match found {
            None => {
                let message = format!("key column '{key}' is no column of the table");
                return Err(EngineError::new(codes::UNKNOWN_COLUMN, ErrorKind::NotFound, message));
            }
            Some(found) if found != place => {
                return Err(EngineError::invalid(format!(
                    "key columns must be the first columns of the table, in the same order; '{key}' is key column {} and \
                     column {}",
                    place + 1,
                    found + 1
                )));
            }
            Some(_) => {}
        }
    }
    Ok(Schema::new(model, columns)?)
}

fn column(column: &ColumnDef, key: bool, model: KeyModel) -> Result<Column, EngineError> {
    catalog::names::column(&column.name)?;
    let aggregation = column.aggregate.map(|aggregate| aggregation(&column.name, aggregate)).transpose()?;
    let data_type = column.data_type;
    let must = key && model == KeyModel::Primary;
    Ok(Column {
        name: column.name.clone(),
        data_type,
        nullable: column.nullable.unwrap_or(!must),
        key,
        aggregation,
        default: column.default.as_ref().map(|default| match default {
            DefaultClause::Literal(text) => DefaultValue::Literal(text.clone()),
            DefaultClause::Null => DefaultValue::Null,
            DefaultClause::CurrentTimestamp => DefaultValue::CurrentTimestamp,
        }),
        comment: column.comment.clone().unwrap_or_default(),
    })
}

fn aggregation(column: &str, aggregate: sql::Aggregate) -> Result<Aggregation, EngineError> {
    Ok(match aggregate {
        sql::Aggregate::Sum => Aggregation::Sum,
        sql::Aggregate::Min => Aggregation::Min,
        sql::Aggregate::Max => Aggregation::Max,
        sql::Aggregate::Replace => Aggregation::Replace,
        sql::Aggregate::ReplaceIfNotNull => Aggregation::ReplaceIfNotNull,
        sql::Aggregate::HllUnion | sql::Aggregate::BitmapUnion | sql::Aggregate::PercentileUnion => {
            return Err(EngineError::unsupported(format!(
                "column '{column}': {aggregate} is not supported; use SUM, MIN, MAX, REPLACE or REPLACE_IF_NOT_NULL"
            )));
        }
    })
}

/// The key that the statement names, or the one that it implies.
fn keys(statement: &CreateTable) -> Result<KeyClause, EngineError> {
    let flagged: Vec<String> =
        statement.columns.iter().filter(|column| column.key).map(|column| column.name.clone()).collect();
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    let order = &statement.order_by;
    if let Some(keys) = &statement.keys {
        if let Some(other) = flagged.iter().find(|name| !lower(&keys.columns).contains(&name.to_lowercase())) {
            return Err(EngineError::invalid(format!("column '{other}' is marked KEY and is not in the table's key")));
        }
        if !order.is_empty() && lower(order) != lower(&keys.columns) {
            return Err(EngineError::unsupported(
                "ORDER BY other columns than the key is not supported; rows are sorted by the key",
            ));
        }
        return Ok(keys.clone());
    }
    if statement.columns.iter().any(|column| column.aggregate.is_some()) {
        // A table with aggregate functions is one that aggregates, by the columns that have none.
        let keys = statement.columns.iter().filter(|column| column.aggregate.is_none());
        let columns = keys.map(|column| column.name.clone()).collect();
        return Ok(KeyClause { model: Model::Aggregate, columns });
    }
    let columns = if !order.is_empty() {
        order.clone()
    } else if !flagged.is_empty() {
        flagged
    } else {
        implied_keys(&statement.columns)
    };
    Ok(KeyClause { model: Model::Duplicate, columns })
}

/// The first few columns; a text column is the last of them.
fn implied_keys(columns: &[ColumnDef]) -> Vec<String> {
    let mut keys = Vec::new();
    for column in columns.iter().take(IMPLICIT_KEYS_MAX) {
        if !column.data_type.can_be_key() {
            break;
        }
        keys.push(column.name.clone());
        if matches!(column.data_type, ColumnType::Varchar(_) | ColumnType::String) {
            break;
        }
    }
    keys
}

fn distribution(statement: &CreateTable, schema: &Schema) -> Result<(Distribution, u32), EngineError> {
    let (distribution, buckets) = given_distribution(statement.distribution.as_ref(), schema)?;
    let buckets = buckets.unwrap_or(BUCKETS_DEFAULT);
    check_buckets(buckets)?;
    Ok((distribution, buckets))
}

/// The buckets of partitions that are added to a table.
///
/// # Errors
/// Invalid when rows are to be spread in another way than in the table's other partitions.
pub(super) fn added_buckets(
    given: Option<&sql::Distribution>,
    table: &TableRecord,
    schema: &Schema,
) -> Result<u32, EngineError> {
    let usual = table.partitions.iter().map(|entry| entry.buckets).max().unwrap_or(BUCKETS_DEFAULT);
    if given.is_none() {
        return Ok(usual);
    }
    let (distribution, buckets) = given_distribution(given, schema)?;
    if distribution != table.distribution {
        return Err(EngineError::invalid(format!(
            "partitions of table '{}' are all distributed in the same way; only the number of buckets may differ",
            table.name
        )));
    }
    let buckets = buckets.unwrap_or(usual);
    check_buckets(buckets)?;
    Ok(buckets)
}

fn check_buckets(buckets: u32) -> Result<(), EngineError> {
    if (1..=BUCKETS_MAX).contains(&buckets) {
        return Ok(());
    }
    Err(EngineError::invalid(format!("BUCKETS {buckets}: a partition has 1 to {BUCKETS_MAX} buckets")))
}

fn given_distribution(
    given: Option<&sql::Distribution>,
    schema: &Schema,
) -> Result<(Distribution, Option<u32>), EngineError> {
    Ok(match given {
        Some(sql::Distribution::Hash { columns, buckets }) => {
            let columns = own_columns(schema, columns, "bucketing")?;
            (Distribution::Hash { columns: names(schema, &columns) }, *buckets)
        }
        Some(sql::Distribution::Random { buckets }) => (Distribution::Random, *buckets),
        None if schema.model() != KeyModel::Duplicate => {
            let columns = schema.key_columns().iter().map(|column| column.name.clone()).collect();
            (Distribution::Hash { columns }, None)
        }
        None => (Distribution::Random, None),
    })
}

fn partitions(statement: &CreateTable, schema: &Schema, columns: &[usize]) -> Result<Vec<Partition>, EngineError> {
    let mut made = Vec::new();
    match &statement.partition_by {
        None => made.push(Partition::all(&statement.name.name)),
        Some(PartitionBy::Range { partitions, .. }) => {
            for item in partitions {
                match item {
                    PartitionItem::One(one) => {
                        partition_properties(&one.properties)?;
                        let partition = ranges::range(schema, columns, &made, one)?;
                        ranges::add(&mut made, vec![partition])?;
                    }
                    PartitionItem::Series(series) => {
                        ranges::add(&mut made, ranges::series(schema, columns, series)?)?;
                    }
                }
            }
            made.sort_by(|a, b| ranges::lower(&a.parsed).cmp(&ranges::lower(&b.parsed)));
        }
        Some(PartitionBy::List { partitions, .. }) => {
            for one in partitions {
                partition_properties(&one.properties)?;
                let partition = ranges::list(schema, columns, one)?;
                ranges::add(&mut made, vec![partition])?;
            }
        }
    }
    Ok(made)
}

/// Properties that a table may have. Those that this store does differently are kept and shown, so that scripts run.
const KNOWN: [&str; 18] = [
    "bloom_filter_columns",
    "bucket_size",
    "compression",
    "datacache.enable",
    "enable_persistent_index",
    "enable_storage_cache",
    "fast_schema_evolution",
    "in_memory",
    "light_schema_change",
    "persistent_index_type",
    "primary_index_cache_expire_sec",
    "replicated_storage",
    "replication_num",
    "storage_cooldown_time",
    "storage_cooldown_ttl",
    "storage_format",
    "storage_medium",
    "write_quorum",
];

/// Checks properties by name and the values of those that mean something here.
///
/// # Errors
/// Invalid naming every unknown property, or a value that cannot be.
pub(super) fn properties(given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, EngineError> {
    let unknown: Vec<&str> = given.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect();
    if let Some(dynamic) = unknown.iter().find(|key| key.starts_with("dynamic_partition.") || **key == "colocate_with")
    {
        return Err(EngineError::unsupported(format!("table property \"{dynamic}\" is not supported")));
    }
    if !unknown.is_empty() {
        return Err(EngineError::invalid(format!(
            "unknown table properties: [{}]; known are: {}",
            unknown.join(", "),
            KNOWN.join(", ")
        )));
    }
    if let Some(number) = given.get("replication_num")
        && !number.trim().parse::<u16>().is_ok_and(|number| (1..=32_767).contains(&number))
    {
        return Err(EngineError::invalid(format!(
            "property \"replication_num\" must be a number from 1 on, not \"{number}\""
        )));
    }
    if let Some(codec) = given.get("compression")
        && !["LZ4", "LZ4_FRAME", "NO_COMPRESSION", "NONE", "DEFAULT_COMPRESSION"]
            .contains(&codec.to_ascii_uppercase().as_str())
    {
        return Err(EngineError::unsupported(format!("compression \"{codec}\" is not supported; use \"LZ4\"")));
    }
    Ok(given.clone())
}

/// Properties of one partition: the table's own count.
///
/// # Errors
/// As [`properties`].
pub(super) fn partition_properties(given: &BTreeMap<String, String>) -> Result<(), EngineError> {
    properties(given).map(drop)
}

/// The statement that would make a table again.
pub(crate) fn show_create(database: Option<&str>, table: &TableRecord) -> Result<CreateTable, EngineError> {
    let range_bound = |values: &Vec<String>| values.iter().cloned().map(sql::BoundValue::Value).collect::<Vec<_>>();
    let partition_by = match &table.partitioning {
        Partitioning::None => None,
        Partitioning::Range { columns } => Some(PartitionBy::Range {
            columns: columns.clone(),
            partitions: table
                .partitions
                .iter()
                .map(|entry| {
                    let bounds = match &entry.bounds {
                        BoundsRecord::Range { lower: Some(lower), upper: Some(upper) } => {
                            sql::RangeBounds::Between { lower: range_bound(lower), upper: range_bound(upper) }
                        }
                        BoundsRecord::Range { lower: None, upper: Some(upper) } => {
                            sql::RangeBounds::LessThan(range_bound(upper))
                        }
                        BoundsRecord::Range { upper: None, .. } | BoundsRecord::All | BoundsRecord::List { .. } => {
                            sql::RangeBounds::LessThanMax
                        }
                    };
                    let partition = sql::RangePartition {
                        if_not_exists: false,
                        name: entry.name.clone(),
                        bounds,
                        properties: BTreeMap::new(),
                    };
                    PartitionItem::One(partition)
                })
                .collect(),
        }),
        Partitioning::List { columns } => Some(PartitionBy::List {
            columns: columns.clone(),
            partitions: table
                .partitions
                .iter()
                .map(|entry| sql::ListPartition {
                    if_not_exists: false,
                    name: entry.name.clone(),
                    values: match &entry.bounds {
                        BoundsRecord::List { values } => values.clone(),
                        BoundsRecord::All | BoundsRecord::Range { .. } => Vec::new(),
                    },
                    properties: BTreeMap::new(),
                })
                .collect(),
        }),
    };
    let buckets = table.partitions.iter().map(|entry| entry.buckets).max();
    Ok(CreateTable {
        if_not_exists: false,
        name: sql::ObjectName { database: database.map(str::to_owned), name: table.name.clone() },
        columns: table.columns.iter().map(shown_column).collect::<Result<_, _>>()?,
        keys: shown_keys(table),
        comment: Some(table.comment.clone()).filter(|comment| !comment.is_empty()),
        partition_by,
        distribution: Some(match &table.distribution {
            Distribution::Hash { columns } => sql::Distribution::Hash { columns: columns.clone(), buckets },
            Distribution::Random => sql::Distribution::Random { buckets },
        }),
        order_by: Vec::new(),
        properties: table.properties.clone(),
    })
}

fn shown_keys(table: &TableRecord) -> Option<KeyClause> {
    let columns: Vec<String> =
        table.columns.iter().filter(|column| column.key).map(|column| column.name.clone()).collect();
    let model = match table.model {
        KeyModelRecord::Duplicate => Model::Duplicate,
        KeyModelRecord::Primary => Model::Primary,
        KeyModelRecord::Unique => Model::Unique,
        KeyModelRecord::Aggregate => Model::Aggregate,
    };
    (!columns.is_empty()).then_some(KeyClause { model, columns })
}

fn shown_column(column: &ColumnRecord) -> Result<ColumnDef, EngineError> {
    let data_type: ColumnType = column.data_type.parse()?;
    Ok(ColumnDef {
        name: column.name.clone(),
        data_type,
        key: false,
        aggregate: column.aggregation.map(|aggregation| match aggregation {
            AggregationRecord::Sum => sql::Aggregate::Sum,
            AggregationRecord::Min => sql::Aggregate::Min,
            AggregationRecord::Max => sql::Aggregate::Max,
            AggregationRecord::Replace => sql::Aggregate::Replace,
            AggregationRecord::ReplaceIfNotNull => sql::Aggregate::ReplaceIfNotNull,
        }),
        nullable: Some(column.nullable),
        default: column.default.as_ref().map(|default| match default {
            DefaultRecord::Literal(text) => DefaultClause::Literal(text.clone()),
            DefaultRecord::CurrentTimestamp => DefaultClause::CurrentTimestamp,
            DefaultRecord::Null => DefaultClause::Null,
        }),
        comment: Some(column.comment.clone()).filter(|comment| !comment.is_empty()),
    })
}

/// The table that CREATE TABLE AS makes for a query's columns.
///
/// # Errors
/// Unsupported for a column whose type no table has.
pub(crate) fn table_from_query(statement: &CreateTableAs, shown: &ArrowSchema) -> Result<CreateTable, EngineError> {
    if let Some(names) = &statement.columns
        && names.len() != shown.fields().len()
    {
        return Err(EngineError::invalid(format!(
            "{} names are given for the query's {} columns",
            names.len(),
            shown.fields().len()
        )));
    }
    let mut columns = Vec::with_capacity(shown.fields().len());
    for (at, field) in shown.fields().iter().enumerate() {
        let given = statement.columns.as_ref().and_then(|names| names.get(at));
        columns.push(ColumnDef {
            name: given.unwrap_or(field.name()).clone(),
            data_type: column_type(field.name(), field.data_type())?,
            key: false,
            aggregate: None,
            nullable: None,
            default: None,
            comment: None,
        });
    }
    Ok(CreateTable {
        if_not_exists: statement.if_not_exists,
        name: statement.name.clone(),
        columns,
        keys: statement.keys.clone(),
        comment: statement.comment.clone(),
        partition_by: statement.partition_by.clone(),
        distribution: statement.distribution.clone(),
        order_by: statement.order_by.clone(),
        properties: statement.properties.clone(),
    })
}

/// The column type that holds every value of a query's column.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types that no column has")]
fn column_type(name: &str, arrow: &ArrowType) -> Result<sql::DataType, EngineError> {
    Ok(match arrow {
        ArrowType::Boolean => sql::DataType::Boolean,
        ArrowType::Int8 => sql::DataType::TinyInt,
        ArrowType::Int16 | ArrowType::UInt8 => sql::DataType::SmallInt,
        ArrowType::Int32 | ArrowType::UInt16 => sql::DataType::Int,
        ArrowType::Int64 | ArrowType::UInt32 => sql::DataType::BigInt,
        ArrowType::UInt64 | ArrowType::Decimal256(_, 0) => sql::DataType::LargeInt,
        ArrowType::Float16 | ArrowType::Float32 => sql::DataType::Float,
        ArrowType::Float64 => sql::DataType::Double,
        ArrowType::Decimal32(precision, scale)
        | ArrowType::Decimal64(precision, scale)
        | ArrowType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            sql::DataType::Decimal { precision: *precision, scale: u8::try_from(*scale).unwrap_or(0) }
        }
        ArrowType::Date32 | ArrowType::Date64 => sql::DataType::Date,
        ArrowType::Timestamp(..) => sql::DataType::DateTime,
        // NULL without a type can be anything.
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View | ArrowType::Null => {
            sql::DataType::Varchar(tablet::VARCHAR_MAX)
        }
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView => {
            sql::DataType::Varbinary(tablet::VARCHAR_MAX)
        }
        other => {
            return Err(EngineError::unsupported(format!(
                "column '{name}' of the query has the type {other}, which no table column has; cast it"
            )));
        }
    })
}
