//! SHOW PARTITIONS.

use super::Grid;
use crate::ddl::QualifiedName;
use crate::engine::{Engine, clock};
use crate::error::EngineError;
use catalog::At;
use catalog::keys;
use catalog::records::{BoundsRecord, Distribution, PartitionRecord, Partitioning, TableRecord, TableState};
use std::collections::BTreeMap;

pub(super) async fn partitions(engine: &Engine, name: &QualifiedName) -> Result<Grid, EngineError> {
    let opened = engine.views().open(&[(name.database.clone(), name.name.clone())]).await?;
    let views = opened.into_iter().next().ok_or_else(|| EngineError::internal("no table was opened"))?;
    let table = &views.record;
    let records = engine.catalog().list::<PartitionRecord>(&keys::partitions(table.id), At::Latest).await?;
    let times: BTreeMap<_, _> = records.iter().map(|record| (record.id, record.visible_ms)).collect();
    let (columns, bounds_column) = match &table.partitioning {
        Partitioning::None => (Vec::new(), "Range"),
        Partitioning::Range { columns } => (columns.clone(), "Range"),
        Partitioning::List { columns } => (columns.clone(), "List"),
    };
    let mut grid = Grid::new([
        "PartitionId",
        "PartitionName",
        "VisibleVersion",
        "VisibleVersionTime",
        "VisibleVersionHash",
        "State",
        "PartitionKey",
        bounds_column,
        "DistributionKey",
        "Buckets",
        "ReplicationNum",
        "StorageMedium",
        "CooldownTime",
        "LastConsistencyCheckTime",
        "DataSize",
        "IsInMemory",
        "RowCount",
    ]);
    let distribution = match &table.distribution {
        Distribution::Hash { columns } => columns.join(", "),
        Distribution::Random => "RANDOM".to_owned(),
    };
    let state = match table.state {
        TableState::Normal => "NORMAL",
        TableState::Restoring { .. } => "RESTORE",
    };
    for partition in &views.partitions {
        let rows: u64 = partition.tablets.iter().map(|view| view.live_rows()).sum();
        let bytes: u64 = partition.tablets.iter().map(|view| view.len_bytes()).sum();
        let visible = times.get(&partition.entry.id).map(|time| clock::text(*time));
        let property = |name: &str, default: &str| {
            Some(table.properties.get(name).map_or_else(|| default.to_owned(), Clone::clone))
        };
        grid.rows.push(vec![
            Some(partition.entry.id.to_string()),
            Some(partition.entry.name.clone()),
            Some(partition.version.to_string()),
            visible,
            Some("0".to_owned()),
            Some(state.to_owned()),
            Some(columns.join(", ")),
            Some(bounds_text(table, &partition.entry.bounds)),
            Some(distribution.clone()),
            Some(partition.entry.buckets.to_string()),
            property("replication_num", "1"),
            property("storage_medium", "HDD"),
            Some("9999-12-31 23:59:59".to_owned()),
            None,
            Some(size(bytes)),
            property("in_memory", "false"),
            Some(rows.to_string()),
        ]);
    }
    Ok(grid)
}

/// `[types: [DATE]; keys: [2024-01-01]; ..types: [DATE]; keys: [2024-02-01]; )`, as StarRocks writes ranges.
fn bounds_text(table: &TableRecord, bounds: &BoundsRecord) -> String {
    let columns = match &table.partitioning {
        Partitioning::None => return String::new(),
        Partitioning::Range { columns } | Partitioning::List { columns } => columns,
    };
    let types: Vec<&str> = columns
        .iter()
        .filter_map(|name| table.columns.get(table.column(name)?))
        .map(|column| column.data_type.as_str())
        .collect();
    let types = types.join(", ");
    let bound = |values: Option<&Vec<String>>, without: &str| {
        let keys = values.map_or_else(|| vec![without; columns.len()].join(", "), |values| values.join(", "));
        format!("types: [{types}]; keys: [{keys}]; ")
    };
    match bounds {
        BoundsRecord::All => String::new(),
        BoundsRecord::Range { lower, upper } => {
            format!("[{}..{})", bound(lower.as_ref(), "MINVALUE"), bound(upper.as_ref(), "MAXVALUE"))
        }
        BoundsRecord::List { values } => {
            let value = |value: &Option<String>| match value {
                Some(text) => crate::sql::quote_text(text),
                None => "NULL".to_owned(),
            };
            let tuples: Vec<String> = values
                .iter()
                .map(|tuple| format!("({})", tuple.iter().map(value).collect::<Vec<_>>().join(", ")))
                .collect();
            format!("({})", tuples.join(", "))
        }
    }
}

/// `0B`, `1.5KB`, `3MB`
fn size(bytes: u64) -> String {
    let mut unit = 1_u64;
    let mut name = "B";
    for larger in ["KB", "MB", "GB", "TB"] {
        if bytes / unit < 1024 {
            break;
        }
        unit = unit.saturating_mul(1024);
        name = larger;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(unit);
    if tenths.is_multiple_of(10) {
        format!("{}{name}", tenths / 10)
    } else {
        format!("{}.{}{name}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_one_digit_behind_the_point() {
        for (bytes, want) in [(0, "0B"), (1023, "1023B"), (1024, "1KB"), (1536, "1.5KB"), (5 << 30, "5GB")] {
            assert_eq!(size(bytes), want);
        }
    }
}
