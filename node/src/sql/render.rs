//! Statements back to text that parses to the same statement.

use std::fmt;
use std::fmt::Display;

use super::names::{quote_name, quote_text};
use super::statement::{
    Aggregate, AlterJob, Backup, BoundValue, CatalogName, Catalogs, ColumnDef, CreateRepository, CreateTable, DataType,
    DefaultClause, Distribution, IntervalUnit, KeyClause, KeyModel, ListPartition, NamedObject, ObjectKind, ObjectName,
    ObjectSelection, PartitionBy, PartitionItem, PartitionSelection, PartitionSeries, Properties, RangeBounds,
    RangePartition, Restore, Retention, SeriesStep, Upkeep,
};

/// Writes items with something between them.
fn join<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    between: &str,
    mut item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, one) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        item(f, one)?;
    }
    Ok(())
}

/// `(`a`, `b`)`
fn names(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    f.write_str("(")?;
    join(f, names, ", ", |f, name| f.write_str(&quote_name(name)))?;
    f.write_str(")")
}

/// `("k" = "v", ..)`, on one line or on several.
fn properties(f: &mut fmt::Formatter<'_>, properties: &Properties, between: &str) -> fmt::Result {
    for (index, (key, value)) in properties.iter().enumerate() {
        if index > 0 {
            write!(f, ",{between}")?;
        }
        write!(f, "{} = {}", quote_text(key), quote_text(value))?;
    }
    Ok(())
}

fn optional_properties(f: &mut fmt::Formatter<'_>, all: &Properties) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    f.write_str(" PROPERTIES (")?;
    properties(f, all, " ")?;
    f.write_str(")")
}

impl Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{}.", quote_name(database))?;
        }
        f.write_str(&quote_name(&self.name))
    }
}

impl Display for CreateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE TABLE ")?;
        if self.if_not_exists {
            f.write_str("IF NOT EXISTS ")?;
        }
        writeln!(f, "{} (", self.name)?;
        join(f, &self.columns, ",\n", |f, column| write!(f, "  {column}"))?;
        f.write_str("\n) ENGINE=OLAP")?;
        if let Some(keys) = &self.keys {
            write!(f, "\n{keys}")?;
        }
        if let Some(comment) = &self.comment {
            write!(f, "\nCOMMENT {}", quote_text(comment))?;
        }
        if let Some(partition_by) = &self.partition_by {
            write!(f, "\n{partition_by}")?;
        }
        if let Some(distribution) = &self.distribution {
            write!(f, "\n{distribution}")?;
        }
        if !self.order_by.is_empty() {
            f.write_str("\nORDER BY ")?;
            names(f, &self.order_by)?;
        }
        if !self.properties.is_empty() {
            f.write_str("\nPROPERTIES (\n")?;
            properties(f, &self.properties, "\n")?;
            f.write_str("\n)")?;
        }
        Ok(())
    }
}

impl Display for ColumnDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote_name(&self.name))?;
        // Types in lower case, as StarRocks and MySQL show them: tools that read a table's definition look for that.
        if let DataType::Varbinary(length) = self.data_type {
            // With its length also where that is the longest, as users write it.
            write!(f, " varbinary({length})")?;
        } else {
            write!(f, " {}", self.data_type.to_string().to_lowercase())?;
        }
        if self.key {
            f.write_str(" KEY")?;
        }
        if let Some(aggregate) = self.aggregate {
            write!(f, " {aggregate}")?;
        }
        match self.nullable {
            Some(true) => f.write_str(" NULL")?,
            Some(false) => f.write_str(" NOT NULL")?,
            None => {}
        }
        match &self.default {
            Some(DefaultClause::Literal(text)) => write!(f, " DEFAULT {}", quote_text(text))?,
            Some(DefaultClause::Null) => f.write_str(" DEFAULT NULL")?,
            Some(DefaultClause::CurrentTimestamp) => f.write_str(" DEFAULT CURRENT_TIMESTAMP")?,
            None => {}
        }
        match &self.comment {
            Some(comment) => write!(f, " COMMENT {}", quote_text(comment)),
            None => Ok(()),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "SUM",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::Replace => "REPLACE",
            Self::ReplaceIfNotNull => "REPLACE_IF_NOT_NULL",
            Self::HllUnion => "HLL_UNION",
            Self::BitmapUnion => "BITMAP_UNION",
            Self::PercentileUnion => "PERCENTILE_UNION",
        })
    }
}

impl Display for KeyModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "DUPLICATE KEY",
            Self::Primary => "PRIMARY KEY",
            Self::Unique => "UNIQUE KEY",
            Self::Aggregate => "AGGREGATE KEY",
        })
    }
}

impl Display for KeyClause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.model)?;
        names(f, &self.columns)
    }
}

impl Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { columns, partitions } => {
                f.write_str("PARTITION BY RANGE ")?;
                names(f, columns)?;
                f.write_str(" (")?;
                join(f, partitions, ",", |f, item| write!(f, "\n  {item}"))?;
            }
            Self::List { columns, partitions } => {
                f.write_str("PARTITION BY LIST ")?;
                names(f, columns)?;
                f.write_str(" (")?;
                join(f, partitions, ",", |f, item| write!(f, "\n  {item}"))?;
            }
        }
        f.write_str("\n)")
    }
}

impl Display for PartitionItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(partition) => partition.fmt(f),
            Self::Series(series) => series.fmt(f),
        }
    }
}

/// `PARTITION [IF NOT EXISTS] p`
fn partition_name(f: &mut fmt::Formatter<'_>, if_not_exists: bool, name: &str) -> fmt::Result {
    f.write_str("PARTITION ")?;
    if if_not_exists {
        f.write_str("IF NOT EXISTS ")?;
    }
    f.write_str(&quote_name(name))
}

fn partition_properties(f: &mut fmt::Formatter<'_>, all: &Properties) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    f.write_str(" (")?;
    properties(f, all, " ")?;
    f.write_str(")")
}

impl Display for RangePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        partition_name(f, self.if_not_exists, &self.name)?;
        write!(f, " VALUES {}", self.bounds)?;
        partition_properties(f, &self.properties)
    }
}

impl Display for RangeBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = |f: &mut fmt::Formatter<'_>, values: &[BoundValue]| {
            f.write_str("(")?;
            join(f, values, ", ", |f, value| match value {
                BoundValue::Value(text) => f.write_str(&quote_text(text)),
                BoundValue::Max => f.write_str("MAXVALUE"),
            })?;
            f.write_str(")")
        };
        match self {
            Self::LessThan(upper) => {
                f.write_str("LESS THAN ")?;
                values(f, upper)
            }
            Self::LessThanMax => f.write_str("LESS THAN MAXVALUE"),
            Self::Between { lower, upper } => {
                f.write_str("[")?;
                values(f, lower)?;
                f.write_str(", ")?;
                values(f, upper)?;
                f.write_str(")")
            }
        }
    }
}

impl Display for PartitionSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "START ({}) END ({}) EVERY ({})", quote_text(&self.start), quote_text(&self.end), self.step)
    }
}

impl Display for SeriesStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval { count, unit } => write!(f, "INTERVAL {count} {unit}"),
            Self::Number(step) => write!(f, "{step}"),
        }
    }
}

impl Display for IntervalUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "HOUR",
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
            Self::Quarter => "QUARTER",
            Self::Year => "YEAR",
        })
    }
}

impl Display for ListPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |f: &mut fmt::Formatter<'_>, value: &Option<String>| match value {
            Some(text) => f.write_str(&quote_text(text)),
            None => f.write_str("NULL"),
        };
        partition_name(f, self.if_not_exists, &self.name)?;
        f.write_str(" VALUES IN (")?;
        join(f, &self.values, ", ", |f, row| match row.as_slice() {
            [single] => value(f, single),
            several => {
                f.write_str("(")?;
                join(f, several, ", ", value)?;
                f.write_str(")")
            }
        })?;
        f.write_str(")")?;
        partition_properties(f, &self.properties)
    }
}

impl Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buckets = match self {
            Self::Hash { columns, buckets } => {
                f.write_str("DISTRIBUTED BY HASH ")?;
                names(f, columns)?;
                buckets
            }
            Self::Random { buckets } => {
                f.write_str("DISTRIBUTED BY RANDOM")?;
                buckets
            }
        };
        match buckets {
            Some(buckets) => write!(f, " BUCKETS {buckets}"),
            None => Ok(()),
        }
    }
}

impl Display for CreateRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE ")?;
        if self.read_only {
            f.write_str("READ ONLY ")?;
        }
        write!(f, "REPOSITORY {} WITH BROKER", quote_name(&self.name))?;
        if let Some(broker) = &self.broker {
            write!(f, " {}", quote_text(broker))?;
        }
        write!(f, " ON LOCATION {}", quote_text(&self.location))?;
        optional_properties(f, &self.properties)
    }
}

impl Display for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BACKUP ")?;
        if let Some(catalogs) = &self.catalogs {
            write!(f, "{catalogs} ")?;
        }
        if let Some(database) = &self.database {
            write!(f, "DATABASE {} ", quote_name(database))?;
        }
        write!(f, "SNAPSHOT {} TO {}", quote_name(&self.label), quote_name(&self.repository))?;
        objects(f, self.objects.as_deref())?;
        excluded(f, self.excluded.as_deref())?;
        optional_properties(f, &self.properties)
    }
}

impl Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RESTORE SNAPSHOT ")?;
        if let (None, Some(target)) = (&self.snapshot_database, &self.target_database) {
            write!(f, "{}.", quote_name(target))?;
        }
        write!(f, "{} FROM {}", quote_name(&self.label), quote_name(&self.repository))?;
        if let Some(catalogs) = &self.catalogs {
            write!(f, " {catalogs}")?;
        }
        if let Some(database) = &self.snapshot_database {
            write!(f, " DATABASE {}", quote_name(database))?;
            if let Some(target) = &self.target_database
                && target != database
            {
                write!(f, " AS {}", quote_name(target))?;
            }
        }
        objects(f, self.objects.as_deref())?;
        excluded(f, self.excluded.as_deref())?;
        optional_properties(f, &self.properties)
    }
}

impl Display for Catalogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("ALL EXTERNAL CATALOGS"),
            Self::Listed(catalogs) => {
                f.write_str("EXTERNAL CATALOGS (")?;
                join(f, catalogs, ", ", |f, CatalogName { name, alias }| {
                    f.write_str(&quote_name(name))?;
                    optional_alias(f, alias.as_deref())
                })?;
                f.write_str(")")
            }
        }
    }
}

fn optional_alias(f: &mut fmt::Formatter<'_>, alias: Option<&str>) -> fmt::Result {
    match alias {
        Some(alias) => write!(f, " AS {}", quote_name(alias)),
        None => Ok(()),
    }
}

fn objects(f: &mut fmt::Formatter<'_>, objects: Option<&[ObjectSelection]>) -> fmt::Result {
    let Some(objects) = objects else {
        return Ok(());
    };
    f.write_str(" ON (")?;
    join(f, objects, ", ", |f, object| object.fmt(f))?;
    f.write_str(")")
}

fn excluded(f: &mut fmt::Formatter<'_>, excluded: Option<&[NamedObject]>) -> fmt::Result {
    let Some(excluded) = excluded else {
        return Ok(());
    };
    f.write_str(" EXCLUDE (")?;
    join(f, excluded, ", ", |f, object| object.fmt(f))?;
    f.write_str(")")
}

impl Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Function => "FUNCTION",
        })
    }
}

impl Display for ObjectSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(kind) => write!(f, "ALL {kind}S"),
            Self::Named(object) => object.fmt(f),
        }
    }
}

impl Display for NamedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, quote_name(&self.name))?;
        if let Some(partitions) = &self.partitions {
            write!(f, " {partitions}")?;
        }
        optional_alias(f, self.alias.as_deref())
    }
}

impl Display for PartitionSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.temporary {
            f.write_str("TEMPORARY ")?;
        }
        f.write_str("PARTITION ")?;
        names(f, &self.names)
    }
}

/// `KEEP LAST 3`, `KEEP WITHIN '30d'`, `MIN 1`
fn retention(f: &mut fmt::Formatter<'_>, retention: &Retention, between: &str) -> fmt::Result {
    let clauses: Vec<String> = [
        retention.keep_last.map(|last| format!("KEEP LAST {last}")),
        retention.keep_within.as_ref().map(|within| format!("KEEP WITHIN {}", quote_text(within))),
        retention.min.map(|min| format!("MIN {min}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    join(f, &clauses, between, |f, clause| f.write_str(clause))
}

impl Display for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        let snapshot = |f: &mut fmt::Formatter<'_>, label: &str, repository: &str| {
            write!(f, " {} ON {}", quote_name(label), quote_name(repository))
        };
        let dry = |f: &mut fmt::Formatter<'_>, dry_run: bool| if dry_run { f.write_str(" DRY RUN") } else { Ok(()) };
        match self {
            Self::DropSnapshot { label, repository, force } => {
                snapshot(f, label, repository)?;
                if *force { f.write_str(" FORCE") } else { Ok(()) }
            }
            Self::HoldSnapshot { label, repository, reason } => {
                snapshot(f, label, repository)?;
                match reason {
                    Some(reason) => write!(f, " REASON {}", quote_text(reason)),
                    None => Ok(()),
                }
            }
            Self::ReleaseSnapshot { label, repository } => snapshot(f, label, repository),
            Self::SetRetention { repository, retention: kept } => {
                write!(f, " {} SET RETENTION (", quote_name(repository))?;
                retention(f, kept, ", ")?;
                f.write_str(")")
            }
            Self::DropRetention { repository } => write!(f, " {} DROP RETENTION", quote_name(repository)),
            Self::ApplyRetention { repository, retention: kept, dry_run } => {
                write!(f, " ON {}", quote_name(repository))?;
                if let Some(kept) = kept {
                    f.write_str(" ")?;
                    retention(f, kept, " ")?;
                }
                dry(f, *dry_run)
            }
            Self::Sweep { repository, dry_run } => {
                write!(f, " {}", quote_name(repository))?;
                dry(f, *dry_run)
            }
            Self::Verify { repository, label, level, properties } => {
                write!(f, " {}", quote_name(repository))?;
                if let Some(label) = label {
                    write!(f, " SNAPSHOT {}", quote_name(label))?;
                }
                if let Some(level) = level {
                    write!(f, " LEVEL {}", quote_text(level))?;
                }
                optional_properties(f, properties)
            }
            Self::CancelVerify { repository } => write!(f, " FROM {}", quote_name(repository)),
        }
    }
}

impl Display for AlterJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.restore { "ALTER RESTORE" } else { "ALTER BACKUP" })?;
        if let Some(database) = &self.database {
            write!(f, " FROM {}", quote_name(database))?;
        }
        f.write_str(" SET (")?;
        properties(f, &self.properties, " ")?;
        f.write_str(")")
    }
}
