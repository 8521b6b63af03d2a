//! Tables: CREATE TABLE and ALTER TABLE.

use sqlparser::ast;

/// A column's type.
pub use tablet::ColumnType as DataType;

use super::{ObjectName, Properties};

/// `CREATE TABLE [IF NOT EXISTS] t (..) ..`
///
/// The only engine is OLAP: `ENGINE = OLAP` is taken, any other refused. `Display` gives text that parses back to the same
/// value; it is what SHOW CREATE TABLE shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    /// No error when it is there already.
    pub if_not_exists: bool,
    /// The new table.
    pub name: ObjectName,
    /// At least one; no name twice (ignoring case).
    pub columns: Vec<ColumnDef>,
    /// `DUPLICATE KEY (..)` and the like.
    pub keys: Option<KeyClause>,
    /// `COMMENT ".."`
    pub comment: Option<String>,
    /// `PARTITION BY ..`
    pub partition_by: Option<PartitionBy>,
    /// `DISTRIBUTED BY ..`
    pub distribution: Option<Distribution>,
    /// `ORDER BY (..)`; empty when absent.
    pub order_by: Vec<String>,
    /// `PROPERTIES (..)`; empty when absent.
    pub properties: Properties,
}

/// `CREATE TABLE t LIKE u`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTableLike {
    /// No error when it is there already.
    pub if_not_exists: bool,
    /// The new table.
    pub name: ObjectName,
    /// The table it is made like.
    pub like: ObjectName,
}

/// `CREATE TABLE t [(a, b)] .. AS SELECT ..`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTableAs {
    /// No error when it is there already.
    pub if_not_exists: bool,
    /// The new table.
    pub name: ObjectName,
    /// Names for the query's columns; `None` means its own.
    pub columns: Option<Vec<String>>,
    /// `DUPLICATE KEY (..)` and the like.
    pub keys: Option<KeyClause>,
    /// `COMMENT ".."`
    pub comment: Option<String>,
    /// `PARTITION BY ..`
    pub partition_by: Option<PartitionBy>,
    /// `DISTRIBUTED BY ..`
    pub distribution: Option<Distribution>,
    /// `ORDER BY (..)`; empty when absent.
    pub order_by: Vec<String>,
    /// `PROPERTIES (..)`; empty when absent.
    pub properties: Properties,
    /// Where the rows come from.
    pub query: Box<ast::Query>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// `KEY` was written after the type.
    pub key: bool,
    /// `SUM`, `REPLACE` and the like were written after the type.
    pub aggregate: Option<Aggregate>,
    /// `NULL` or `NOT NULL`; `None` when neither was written.
    pub nullable: Option<bool>,
    /// `DEFAULT ..`
    pub default: Option<DefaultClause>,
    /// `COMMENT ".."`
    pub comment: Option<String>,
}

/// An aggregate function of a value column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// `SUM`
    Sum,
    /// `MIN`
    Min,
    /// `MAX`
    Max,
    /// `REPLACE`
    Replace,
    /// `REPLACE_IF_NOT_NULL`
    ReplaceIfNotNull,
    /// `HLL_UNION`
    HllUnion,
    /// `BITMAP_UNION`
    BitmapUnion,
    /// `PERCENTILE_UNION`
    PercentileUnion,
}

/// A column's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultClause {
    /// A string, number or boolean, as its text.
    Literal(String),
    /// `NULL`
    Null,
    /// `CURRENT_TIMESTAMP`
    CurrentTimestamp,
}

/// `DUPLICATE KEY (a, b)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClause {
    /// Which.
    pub model: KeyModel,
    /// At least one.
    pub columns: Vec<String>,
}

/// What a table does with rows of the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyModel {
    /// Keep all.
    Duplicate,
    /// Keep the last; merged on write.
    Primary,
    /// Keep the last; merged on read.
    Unique,
    /// Merge with the columns' aggregate functions.
    Aggregate,
}

/// `PARTITION BY ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionBy {
    /// `RANGE (columns) (..)`
    Range {
        /// At least one.
        columns: Vec<String>,
        /// May be empty.
        partitions: Vec<PartitionItem>,
    },
    /// `LIST (columns) (..)`
    List {
        /// At least one.
        columns: Vec<String>,
        /// May be empty.
        partitions: Vec<ListPartition>,
    },
}

/// One item of a range table's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionItem {
    /// One partition.
    One(RangePartition),
    /// `START (..) END (..) EVERY (..)`
    Series(PartitionSeries),
}

/// `PARTITION [IF NOT EXISTS] p VALUES ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangePartition {
    /// No error when it is there already.
    pub if_not_exists: bool,
    /// Its name.
    pub name: String,
    /// Which rows.
    pub bounds: RangeBounds,
    /// `("key" = "value", ..)` after the bounds; empty when absent.
    pub properties: Properties,
}

/// The rows of a range partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeBounds {
    /// `LESS THAN (..)`: from where the partition before it ends, to here, exclusive. Fewer values than columns are possible;
    /// not all of them are MAXVALUE.
    LessThan(Vec<BoundValue>),
    /// `LESS THAN MAXVALUE`
    LessThanMax,
    /// `[(lower), (upper))`
    Between {
        /// Inclusive.
        lower: Vec<BoundValue>,
        /// Exclusive.
        upper: Vec<BoundValue>,
    },
}

/// One value of a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundValue {
    /// A string or number, as its text.
    Value(String),
    /// `MAXVALUE`
    Max,
}

/// `START ("a") END ("b") EVERY (step)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSeries {
    /// The first partition's lower bound, inclusive.
    pub start: String,
    /// The end of the last partition, exclusive.
    pub end: String,
    /// How far from one partition to the next.
    pub step: SeriesStep,
}

/// The width of each partition of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesStep {
    /// `INTERVAL count unit`
    Interval {
        /// At least 1.
        count: u32,
        /// Of what.
        unit: IntervalUnit,
    },
    /// A plain number, at least 1.
    Number(u64),
}

/// A unit of time of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntervalUnit {
    /// `HOUR`
    Hour,
    /// `DAY`
    Day,
    /// `WEEK`
    Week,
    /// `MONTH`
    Month,
    /// `QUARTER`
    Quarter,
    /// `YEAR`
    Year,
}

/// `PARTITION [IF NOT EXISTS] p VALUES IN (..)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPartition {
    /// No error when it is there already.
    pub if_not_exists: bool,
    /// Its name.
    pub name: String,
    /// The rows' values of the partition columns; `None` is NULL. At least one, all of the same length.
    pub values: Vec<Vec<Option<String>>>,
    /// `("key" = "value", ..)` after the values; empty when absent.
    pub properties: Properties,
}

/// `DISTRIBUTED BY ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// `HASH (columns) [BUCKETS n]`
    Hash {
        /// At least one.
        columns: Vec<String>,
        /// At least 1; `None` means that the server chooses.
        buckets: Option<u32>,
    },
    /// `RANDOM [BUCKETS n]`
    Random {
        /// At least 1; `None` means that the server chooses.
        buckets: Option<u32>,
    },
}

/// `ALTER TABLE t ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTable {
    /// The table.
    pub table: ObjectName,
    /// What is done to it.
    pub action: AlterAction,
}

/// What ALTER TABLE does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterAction {
    /// `ADD PARTITION ..`, `ADD PARTITIONS START .. END .. EVERY ..`
    AddPartitions {
        /// What is added.
        partitions: AddPartitions,
        /// `DISTRIBUTED BY ..` of the new partitions; `None` means as the table says.
        distribution: Option<Distribution>,
    },
    /// `DROP PARTITION [IF EXISTS] p [FORCE]`, `DROP PARTITIONS (p, q)`
    DropPartitions {
        /// No error when one is not there.
        if_exists: bool,
        /// At least one.
        names: Vec<String>,
        /// Skip the recycle bin.
        force: bool,
    },
    /// `RENAME u`
    Rename {
        /// The table's name from then on.
        new_name: String,
    },
    /// `RENAME PARTITION p q`
    RenamePartition {
        /// Its name now.
        name: String,
        /// Its name from then on.
        new_name: String,
    },
    /// `SET ("key" = "value", ..)`
    SetProperties(Properties),
    /// `COMMENT = ".."`
    SetComment(String),
}

/// What ALTER TABLE .. ADD PARTITION adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddPartitions {
    /// To a range table.
    Range(RangePartition),
    /// To a range table, many at once.
    Series(PartitionSeries),
    /// To a list table.
    List(ListPartition),
}
