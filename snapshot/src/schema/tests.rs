use super::*;
use catalog::records::{TableRecord, TableState};
use env::ids::{DatabaseId, PartitionId, TableId};
use std::collections::BTreeMap;

fn column(name: &str, data_type: &str, key: bool) -> ColumnRecord {
    ColumnRecord {
        name: name.into(),
        data_type: data_type.into(),
        key,
        nullable: !key,
        aggregation: None,
        default: None,
        comment: String::new(),
    }
}

fn table() -> TableRecord {
    TableRecord {
        id: TableId(1),
        database: DatabaseId(1),
        name: "t".into(),
        columns: vec![
            column("day", "DATE", true),
            column("Region", "VARCHAR(20)", true),
            ColumnRecord {
                default: Some(DefaultRecord::Literal("0.00".into())),
                ..column("sum", "DECIMAL(15,2)", false)
            },
        ],
        model: KeyModelRecord::Duplicate,
        distribution: Distribution::Hash { columns: vec!["REGION".into()] },
        partitioning: Partitioning::Range { columns: vec!["day".into()] },
        partitions: Vec::new(),
        properties: BTreeMap::new(),
        comment: String::new(),
        created_ms: 0,
        state: TableState::Normal,
    }
}

fn entry(bounds: BoundsRecord) -> PartitionEntry {
    PartitionEntry { id: PartitionId(1), name: "p".into(), bounds, buckets: 2 }
}

#[test]
fn columns_go_to_the_store_and_back() {
    let table = table();
    let schema = tablet_schema(&table).unwrap();
    assert_eq!((schema.columns().len(), schema.key_len()), (3, 2));
    assert_eq!(columns_record(&schema), (table.model, table.columns.clone()));
}

#[test]
fn columns_are_found_whatever_their_case() {
    let table = table();
    assert_eq!(partition_columns(&table).unwrap(), [0]);
    assert_eq!(hash_columns(&table).unwrap(), Some(vec![1]));
    let odd = TableRecord { distribution: Distribution::Hash { columns: vec!["nope".into()] }, ..table };
    assert_eq!(
        hash_columns(&odd).unwrap_err().to_string(),
        "table t: expected partition and hash columns among its columns, found nope"
    );
}

#[test]
fn bounds_are_values_of_the_partition_columns() {
    let table = table();
    let range = |lower: &str, upper: &str| {
        entry(BoundsRecord::Range { lower: Some(vec![lower.into()]), upper: Some(vec![upper.into()]) })
    };
    let january = bounds(&table, &range("2026-01-01", "2026-02-01")).unwrap();
    let february = bounds(&table, &range("2026-02-01", "2026-03-01")).unwrap();
    assert!(!january.overlaps(&february));
    assert!(january.overlaps(&bounds(&table, &entry(BoundsRecord::Range { lower: None, upper: None })).unwrap()));
    bounds(&table, &range("yesterday", "2026-02-01")).unwrap_err();
    let wide = entry(BoundsRecord::Range { lower: Some(vec!["2026-01-01".into(), "x".into()]), upper: None });
    assert_eq!(
        bounds(&table, &wide).unwrap_err().to_string(),
        "partition p of table t: expected bounds of 1 values, found 2 values"
    );
}

#[test]
fn lists_may_hold_null() {
    let table = TableRecord { partitioning: Partitioning::List { columns: vec!["region".into()] }, ..table() };
    let list = entry(BoundsRecord::List { values: vec![vec![Some("x".into())], vec![None]] });
    assert_eq!(bounds(&table, &list).unwrap(), Bounds::List(vec![vec![Datum::Text("x".into())], vec![Datum::Null]]));
}

#[test]
fn a_router_is_made_of_the_partitions() {
    let mut table = table();
    let bounds = BoundsRecord::Range { lower: None, upper: Some(vec!["2026-01-01".into()]) };
    table.partitions.push(entry(bounds));
    router(&table).unwrap();
}

#[test]
fn a_type_that_is_none_is_refused() {
    let mut table = table();
    table.columns[0].data_type = "DAY".into();
    assert_eq!(tablet_schema(&table).unwrap_err().kind(), crate::ErrorKind::Invalid);
}
