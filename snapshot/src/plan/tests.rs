use super::*;
use catalog::records::job::{Clean, ObjectSpec, Objects};
use catalog::records::task::{PartitionShare, TaskKind, TaskWork};
use catalog::records::{
    AggregationRecord, BoundsRecord, ColumnRecord, Distribution, KeyModelRecord, PartitionEntry, PartitionRecord,
    PartitionState, Partitioning, TableRecord, TableState, TabletRecord,
};
use env::ids::{DatabaseId, JobId, NodeId, PartitionId, TableId, TabletId, Version};
use std::collections::{BTreeMap, BTreeSet};

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

fn range(lower: &str, upper: &str) -> BoundsRecord {
    BoundsRecord::Range { lower: Some(vec![lower.into()]), upper: Some(vec![upper.into()]) }
}

fn list(values: &[&str]) -> BoundsRecord {
    BoundsRecord::List { values: values.iter().map(|value| vec![Some((*value).to_owned())]).collect() }
}

/// A table with partitions; ids count on from the table's.
fn table(id: u64, name: &str, partitioning: Partitioning, partitions: &[(&str, BoundsRecord, u32)]) -> TableRecord {
    let entries = (id + 1..).zip(partitions).map(|(id, (name, bounds, buckets))| PartitionEntry {
        id: PartitionId(id),
        name: (*name).into(),
        bounds: bounds.clone(),
        buckets: *buckets,
    });
    TableRecord {
        id: TableId(id),
        database: DatabaseId(1),
        name: name.into(),
        columns: vec![column("id", "INT", true), column("region", "VARCHAR(9)", true), column("v", "DOUBLE", false)],
        model: KeyModelRecord::Duplicate,
        distribution: Distribution::Hash { columns: vec!["id".into()] },
        partitioning,
        partitions: entries.collect(),
        properties: BTreeMap::new(),
        comment: String::new(),
        created_ms: 0,
        state: TableState::Normal,
    }
}

fn plain(id: u64, name: &str) -> TableRecord {
    table(id, name, Partitioning::None, &[(name, BoundsRecord::All, 2)])
}

fn ranged(id: u64, name: &str, partitions: &[(&str, BoundsRecord, u32)]) -> TableRecord {
    table(id, name, Partitioning::Range { columns: vec!["id".into()] }, partitions)
}

fn listed(id: u64, name: &str, partitions: &[(&str, BoundsRecord, u32)]) -> TableRecord {
    table(id, name, Partitioning::List { columns: vec!["region".into()] }, partitions)
}

fn spec(table: &str, partitions: Option<&[&str]>, alias: Option<&str>) -> ObjectSpec {
    let partitions = partitions.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    ObjectSpec { table: table.into(), partitions, alias: alias.map(str::to_owned) }
}

// --- BACKUP ---------------------------------------------------------------------------------------------------------

fn database() -> Vec<TableRecord> {
    let parts = [("p1", range("0", "10"), 2), ("p2", range("10", "20"), 3)];
    vec![plain(100, "a"), ranged(200, "b", &parts), plain(300, "c")]
}

fn selected(objects: &Objects) -> Result<Vec<(String, Vec<String>)>, Vec<Conflict>> {
    let names = |table: TableRecord| (table.name, table.partitions.into_iter().map(|entry| entry.name).collect());
    match select_for_backup("shop", database(), objects) {
        Ok(tables) => Ok(tables.into_iter().map(names).collect()),
        Err(conflicts) => Err(conflicts.list().to_vec()),
    }
}

fn owned(tables: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    tables.iter().map(|(name, partitions)| ((*name).to_owned(), strings(partitions))).collect()
}

#[test]
fn b4_without_on_every_table_is_taken() {
    assert_eq!(selected(&Objects::All).unwrap(), owned(&[("a", &["a"]), ("b", &["p1", "p2"]), ("c", &["c"])]));
}

#[test]
fn b5_all_tables_keeps_the_partition_lists_of_those_that_are_named() {
    let objects = Objects::AllWith(vec![spec("b", Some(&["p2"]), None)]);
    assert_eq!(selected(&objects).unwrap(), owned(&[("a", &["a"]), ("b", &["p2"]), ("c", &["c"])]));
}

#[test]
fn b6_b7_b9_b10_every_wrong_name_is_told_at_once() {
    let objects = Objects::Listed(vec![
        spec("nope", None, None),
        spec("b", Some(&["p1", "p3", "p1"]), Some("x")),
        spec("a", None, None),
        spec("a", None, None),
    ]);
    let told = selected(&objects).unwrap_err();
    let expected = [
        Conflict::UnknownTable("nope".into()),
        Conflict::AliasInBackup { table: "b".into(), alias: "x".into() },
        Conflict::DuplicateTable("a".into()),
        Conflict::UnknownPartition { table: "b".into(), partition: "p3".into() },
        Conflict::DuplicatePartition { table: "b".into(), partition: "p1".into() },
    ];
    assert_eq!(told, expected);
}

#[test]
fn c1_table_names_are_compared_with_their_case() {
    let told = selected(&Objects::Listed(vec![spec("A", None, None)])).unwrap_err();
    assert_eq!(told, [Conflict::UnknownTable("A".into())]);
}

#[test]
fn b17_a_database_without_tables_is_refused() {
    let told = select_for_backup("shop", Vec::new(), &Objects::All).unwrap_err();
    assert_eq!(told.to_string(), "database shop is empty");
}

#[test]
fn the_objects_text_names_partitions_only_where_they_were_asked_for() {
    let objects = Objects::AllWith(vec![spec("b", Some(&["p2"]), None)]);
    let tables = select_for_backup("shop", database(), &objects).unwrap();
    assert_eq!(backup_objects_text("shop", &tables, &objects), "[shop.a], [shop.b PARTITIONS (p2)], [shop.c]");
    let many: Vec<TableRecord> = (0..5_000).map(|number| plain(number, &format!("table_{number}"))).collect();
    let text = backup_objects_text("shop", &many, &Objects::All);
    assert!(text.len() < 5_000 && text.ends_with(" more"), "{}", text.len());
}

fn at_cut(record: TableRecord, version: u64, replicas: impl Fn(u32) -> Vec<NodeId>) -> TableAtCut {
    let partitions = record.partitions.iter().map(|entry| {
        let partition = PartitionRecord {
            id: entry.id,
            table: record.id,
            visible_version: Version(version),
            visible_ms: 0,
            state: PartitionState::Live,
        };
        let tablets = (0..entry.buckets).map(|bucket| TabletRecord {
            id: TabletId(entry.id.0 * 100 + u64::from(bucket)),
            table: record.id,
            partition: entry.id,
            bucket,
            replicas: replicas(bucket),
        });
        (partition, tablets.collect())
    });
    TableAtCut { partitions: partitions.collect(), record }
}

fn nodes(ids: &[u64]) -> BTreeSet<NodeId> {
    ids.iter().map(|id| NodeId(*id)).collect()
}

#[test]
fn a_cut_takes_every_tablet_once_at_its_partitions_version() {
    let parts = [("p1", range("0", "10"), 5), ("p2", range("10", "20"), 4)];
    let tables =
        vec![at_cut(plain(100, "a"), 7, |_| vec![NodeId(1)]), at_cut(ranged(200, "b", &parts), 9, |_| vec![NodeId(1)])];
    let plan = cut(JobId(5), 2, tables, &nodes(&[1]), TaskSizes { tablets: 3 }).unwrap();
    assert_eq!((plan.counts.tables, plan.counts.partitions, plan.counts.tablets), (2, 3, 11));
    let (tables, pins): (Vec<_>, Vec<_>) = plan.tasks.into_iter().partition(|task| task.kind == TaskKind::Table);
    assert_eq!(tables.len(), 2);
    assert_eq!(tables[1].table().unwrap().partitions[1].version, Version(9));
    assert!(pins.iter().all(|pin| pin.attempt == 2 && pin.kind == TaskKind::Pin && pin.is_waiting()));
    assert!((0u32..).zip(&pins).all(|(seq, pin)| pin.seq == seq));
    let mut taken = Vec::new();
    for pin in &pins {
        let here: usize = pin.shares().iter().map(|share| share.tablets.len()).sum();
        assert!((1..=3).contains(&here));
        assert_eq!(pin.progress.tablets, here as u64);
        for share in pin.shares() {
            let version = if share.table == 100 { 7 } else { 9 };
            assert_eq!(share.version, Version(version));
            taken.extend(share.tablets.iter().map(|(bucket, tablet)| (share.partition, *bucket, *tablet)));
        }
    }
    let in_order = taken.clone();
    taken.sort();
    assert_eq!(taken, in_order, "tasks in their order hold a partition's tablets in bucket order");
    taken.dedup();
    assert_eq!(taken.len(), 11);
}

#[test]
fn k2_the_first_replica_that_is_known_is_chosen() {
    let tables = vec![at_cut(plain(100, "a"), 1, |bucket| vec![NodeId(9), NodeId(1 + u64::from(bucket))])];
    let plan = cut(JobId(5), 0, tables, &nodes(&[1, 2]), TaskSizes::default()).unwrap();
    let by_node: Vec<(NodeId, usize)> =
        plan.tasks[1..].iter().map(|task| (task.node, task.shares()[0].tablets.len())).collect();
    assert_eq!(by_node, [(NodeId(1), 1), (NodeId(2), 1)]);
}

#[test]
fn k2_a_tablet_without_a_known_replica_is_told_with_its_replicas() {
    let tables = vec![at_cut(plain(100, "a"), 1, |_| vec![NodeId(8), NodeId(9)])];
    let told = cut(JobId(5), 0, tables, &nodes(&[1]), TaskSizes::default()).unwrap_err();
    assert_eq!(told.list().len(), 2);
    assert!(told.to_string().contains("tablet 10100 in partition a of table a: it is on nodes [8, 9]"), "{told}");
}

#[test]
fn an_empty_partition_is_part_of_a_cut() {
    let tables = vec![at_cut(plain(100, "a"), Version::FIRST.0, |_| vec![NodeId(1)])];
    let plan = cut(JobId(5), 0, tables, &nodes(&[1]), TaskSizes::default()).unwrap();
    assert_eq!(plan.tasks[1].shares()[0].version, Version::FIRST);
}

#[test]
fn a_large_partition_is_spread_over_tasks_and_small_ones_share_one() {
    let share = |partition: u64, tablets: u32| PartitionShare {
        table: 1,
        source: partition,
        name: format!("p{partition}"),
        partition: PartitionId(partition),
        version: Version(1),
        tablets: (0..tablets).map(|bucket| (bucket, TabletId(u64::from(bucket)))).collect(),
    };
    let mut tasks = Vec::new();
    let head = TaskHead { job: JobId(1), kind: TaskKind::Pin, node: NodeId(1), attempt: 0 };
    split(&mut tasks, head, vec![share(1, 1), share(2, 2), share(3, 2_500)], 77, TaskSizes { tablets: 1_000 });
    let sizes: Vec<Vec<usize>> =
        tasks.iter().map(|task| task.shares().iter().map(|share| share.tablets.len()).collect()).collect();
    assert_eq!(sizes, [vec![1, 2], vec![1_000], vec![1_000], vec![500]]);
    assert!(tasks.iter().all(|task| matches!(task.work, TaskWork::Tablets { node_bytes: 77, .. })));
}

// --- RESTORE --------------------------------------------------------------------------------------------------------

fn in_snapshot(record: TableRecord) -> SnapshotTable {
    let known = |entry: &PartitionEntry| (entry.id, SnapshotPartition { version: Version(4), files: 3, bytes: 1_000 });
    SnapshotTable { id: record.id.0, partitions: record.partitions.iter().map(known).collect(), record }
}

fn named(tables: Vec<TableRecord>) -> Vec<(SnapshotTable, String)> {
    tables
        .into_iter()
        .map(|table| (table.name.clone(), in_snapshot(table)))
        .map(|(name, table)| (table, name))
        .collect()
}

fn local(tables: Vec<TableRecord>) -> BTreeMap<String, LocalTable> {
    tables.into_iter().map(|record| (record.name.clone(), LocalTable { record })).collect()
}

fn draft(snapshot: Vec<TableRecord>, here: Vec<TableRecord>) -> Result<Draft, Conflicts> {
    restore("s1", &Objects::All, &named(snapshot), &local(here), 1, 1, Clean::default())
}

fn told(snapshot: Vec<TableRecord>, here: Vec<TableRecord>) -> Vec<String> {
    draft(snapshot, here).unwrap_err().list().iter().map(ToString::to_string).collect()
}

#[test]
fn r10_a_table_that_is_not_in_the_snapshot_is_told() {
    let told = select_for_restore("s1", &["a"], &Objects::Listed(vec![spec("z", None, None), spec("y", None, None)]))
        .unwrap_err();
    assert_eq!(told.to_string(), "table z does not exist in snapshot s1; table y does not exist in snapshot s1");
}

#[test]
fn r11_a_partition_that_is_not_in_the_snapshot_is_told() {
    let objects = Objects::Listed(vec![spec("a", Some(&["p7"]), None)]);
    let told =
        restore("s1", &objects, &named(vec![plain(100, "a")]), &local(vec![]), 1, 1, Clean::default()).unwrap_err();
    assert_eq!(told.to_string(), "partition p7 of table a does not exist in snapshot s1");
}

#[test]
fn r1_r2_names_that_clash_are_told() {
    let select =
        |specs: Vec<ObjectSpec>| select_for_restore("s1", &["a", "b", "c"], &Objects::Listed(specs)).unwrap_err();
    let twice = select(vec![spec("a", None, None), spec("a", None, Some("x"))]);
    assert_eq!(twice.list(), [Conflict::DuplicateTable("a".into())]);
    let onto_named = select(vec![spec("a", None, Some("b")), spec("b", None, Some("d"))]);
    assert_eq!(onto_named.list(), [Conflict::DuplicateAlias("b".into())]);
    let same = select(vec![spec("a", None, Some("x")), spec("b", None, Some("x"))]);
    assert_eq!(same.list(), [Conflict::DuplicateAlias("x".into())]);
    let all = Objects::AllWith(vec![spec("a", None, Some("c"))]);
    let onto_unnamed = select_for_restore("s1", &["a", "b", "c"], &all).unwrap_err();
    assert_eq!(onto_unnamed.list(), [Conflict::DuplicateAlias("c".into())]);
}

#[test]
fn r13_all_tables_with_some_of_them_renamed() {
    let all = Objects::AllWith(vec![spec("b", None, Some("b2"))]);
    let chosen = select_for_restore("s1", &["a", "b"], &all).unwrap();
    assert_eq!(chosen, [(0, "a".to_owned()), (1, "b2".to_owned())]);
}

#[test]
fn r18_a_snapshot_without_tables_cannot_be_restored() {
    assert_eq!(select_for_restore("s1", &[], &Objects::All).unwrap_err().to_string(), "snapshot s1 holds no tables");
}

#[test]
fn t1_a_target_that_is_being_restored_is_refused() {
    let busy = TableRecord { state: TableState::Restoring { job: JobId(9), label: "other".into() }, ..plain(500, "a") };
    assert_eq!(
        told(vec![plain(100, "a")], vec![busy]),
        ["table a is in state RESTORE (job 9 with label other); wait until that has ended"]
    );
}

#[test]
fn t4_another_partitioning_is_refused() {
    let here = listed(500, "a", &[("p1", list(&["x"]), 1)]);
    let there = ranged(100, "a", &[("p1", range("0", "9"), 1)]);
    assert_eq!(
        told(vec![there], vec![here]),
        ["table a exists but its partition type is different: LIST(region) here, RANGE(id) in the snapshot"]
    );
}

#[test]
fn t7_other_aggregate_functions_are_another_structure() {
    let aggregating = |id, aggregation| {
        let mut table = plain(id, "a");
        table.model = KeyModelRecord::Aggregate;
        let value = table.columns.iter_mut().find(|column| !column.key).unwrap();
        value.aggregation = Some(aggregation);
        table
    };
    let (sum, max) = (AggregationRecord::Sum, AggregationRecord::Max);
    let told_of = told(vec![aggregating(100, sum)], vec![aggregating(500, max)]);
    let value = plain(1, "a").columns.iter().position(|column| !column.key).unwrap() + 1;
    assert_eq!(told_of.len(), 1, "{told_of:?}");
    assert!(told_of[0].starts_with(&format!("table a exists but with different schema: column {value} is ")));
    assert!(told_of[0].contains(" MAX ") && told_of[0].contains(" SUM "), "{told_of:?}");
    assert!(draft(vec![aggregating(100, sum)], vec![aggregating(500, sum)]).is_ok());
}

#[test]
fn t5_t6_t7_every_difference_in_structure_is_told_at_once() {
    let mut here = plain(500, "a");
    here.model = KeyModelRecord::Primary;
    here.columns[0].data_type = "BIGINT".into();
    here.columns[1].name = "area".into();
    here.columns.push(column("w", "INT", false));
    here.distribution = Distribution::Random;
    let told = told(vec![plain(100, "a")], vec![here]);
    let expected = [
        "table a exists but is of a different key type: PRIMARY KEY here, DUPLICATE KEY in the snapshot",
        "table a exists but with different schema: 4 columns here, 3 in the snapshot",
        "table a exists but with different schema: column 1 is id BIGINT KEY NOT NULL here, id INT KEY NOT NULL in the snapshot",
        "table a exists but with different schema: column 2 is area VARCHAR(9) KEY NOT NULL here, region VARCHAR(9) KEY NOT NULL in the snapshot",
        "table a exists but its distribution is different: RANDOM here, HASH(id) in the snapshot",
    ];
    assert_eq!(told, expected);
}

#[test]
fn t7_case_of_column_names_comments_defaults_and_properties_do_not_matter() {
    let mut here = plain(500, "a");
    here.columns[1].name = "REGION".into();
    here.columns[2].comment = "other".into();
    here.comment = "other".into();
    here.distribution = Distribution::Hash { columns: vec!["ID".into()] };
    here.properties.insert("replication_num".into(), "3".into());
    let draft = draft(vec![plain(100, "a")], vec![here.clone()]).unwrap();
    assert_eq!(draft.tables[0].existing, Some(TableId(500)));
    assert_eq!(draft.tables[0].record.columns, here.columns, "the local description stays");
}

#[test]
fn t9_an_alias_onto_an_existing_table_of_the_same_structure_overwrites_it() {
    let tables = vec![(in_snapshot(plain(100, "a")), "b".to_owned())];
    let draft = restore("s1", &Objects::All, &tables, &local(vec![plain(500, "b")]), 1, 1, Clean::default()).unwrap();
    assert_eq!(draft.tables[0].existing, Some(TableId(500)));
    assert_eq!(draft.tables[0].partitions[0].replaces, Some(PartitionId(501)));
    assert_eq!(draft.tables[0].partitions[0].entry.name, "b");
}

#[test]
fn t11_a_partition_in_both_must_have_the_same_range() {
    let here = ranged(500, "a", &[("p1", range("0", "9"), 1), ("p2", range("10", "20"), 1)]);
    let there = ranged(100, "a", &[("p1", range("0", "10"), 1), ("p2", range("10", "20"), 1)]);
    assert_eq!(
        told(vec![there], vec![here]),
        ["partition p1 of table a has a different range: [(0), (9)) here, [(0), (10)) in the snapshot"]
    );
}

#[test]
fn t11_ranges_are_compared_by_value_and_lists_without_order() {
    let here = ranged(500, "a", &[("p1", range("0", "+10"), 1)]);
    let there = ranged(100, "a", &[("p1", range("00", "10"), 1)]);
    assert_eq!(draft(vec![there], vec![here]).unwrap().tables[0].partitions[0].replaces, Some(PartitionId(501)));
    let here = listed(500, "a", &[("p1", list(&["x", "y"]), 1)]);
    let there = listed(100, "a", &[("p1", list(&["y", "x"]), 1)]);
    draft(vec![there], vec![here]).unwrap();
    let here = listed(500, "a", &[("p1", list(&["x", "y"]), 1)]);
    let there = listed(100, "a", &[("p1", list(&["x"]), 1)]);
    assert!(told(vec![there], vec![here])[0].contains("different range: IN ((x), (y)) here, IN ((x)) in the snapshot"));
}

#[test]
fn t13_an_overwritten_partition_takes_the_snapshots_bucket_count() {
    let draft = draft(
        vec![ranged(100, "a", &[("p1", range("0", "9"), 7)])],
        vec![ranged(500, "a", &[("p1", range("0", "9"), 2)])],
    )
    .unwrap();
    assert_eq!(draft.tables[0].partitions[0].entry.buckets, 7);
    assert_eq!(draft.counts.tablets, 7);
}

#[test]
fn t14_a_partition_only_in_the_snapshot_must_not_overlap_a_local_one() {
    let here = ranged(500, "a", &[("q1", range("5", "8"), 1), ("q2", range("30", "40"), 1)]);
    let there = ranged(100, "a", &[("p1", range("0", "10"), 1), ("p2", range("10", "20"), 1)]);
    let expected =
        "partition p1 of table a conflicts with existing ranges: [(0), (10)) overlaps partition q1, [(5), (8))";
    assert_eq!(told(vec![there], vec![here]), [expected]);
}

#[test]
fn t15_t16_partitions_missing_here_are_added_for_lists_too() {
    let here = listed(500, "a", &[("p1", list(&["x"]), 1)]);
    let there = listed(100, "a", &[("p1", list(&["x"]), 1), ("p2", list(&["y"]), 1)]);
    let made = draft(vec![there], vec![here]).unwrap().tables.remove(0).partitions;
    assert_eq!(made.iter().map(|made| made.replaces).collect::<Vec<_>>(), [Some(PartitionId(501)), None]);
}

#[test]
fn t17_t18_what_is_only_here_is_not_in_the_plan() {
    let here = vec![ranged(500, "a", &[("p1", range("0", "9"), 1), ("p9", range("90", "99"), 1)]), plain(600, "kept")];
    let draft = draft(vec![ranged(100, "a", &[("p1", range("0", "9"), 1)])], here).unwrap();
    assert_eq!(draft.tables.len(), 1);
    assert_eq!(draft.tables[0].partitions.len(), 1);
}

#[test]
fn t20_t22_a_new_table_has_just_the_partitions_asked_for_and_the_jobs_replicas() {
    let objects = Objects::Listed(vec![spec("a", Some(&["p2"]), Some("copy"))]);
    let there = ranged(100, "a", &[("p1", range("0", "10"), 1), ("p2", range("10", "20"), 2)]);
    let draft = restore("s1", &objects, &[(in_snapshot(there), "copy".into())], &local(vec![]), 3, 3, Clean::default())
        .unwrap();
    assert_eq!(ids_needed(&draft), 4);
    let plans = assign(draft, DatabaseId(8), 1_000, 77);
    let record = &plans[0].record;
    assert_eq!(
        (record.id, record.database, record.name.as_str(), record.created_ms),
        (TableId(1_000), DatabaseId(8), "copy", 77)
    );
    assert_eq!(record.properties["replication_num"], "3");
    assert!(plans[0].creates);
    let names: Vec<(&str, PartitionId)> =
        record.partitions.iter().map(|entry| (entry.name.as_str(), entry.id)).collect();
    assert_eq!(names, [("p2", PartitionId(1_001))]);
    assert_eq!(plans[0].partitions[0].source, 102);
    assert_eq!(
        (tablet_id(PartitionId(1_001), 0), tablet_id(PartitionId(1_001), 1)),
        (TabletId(1_002), TabletId(1_003))
    );
    assert_eq!(restore_objects_text(&plans), "copy PARTITIONS [p2]");
}

#[test]
fn t20_the_only_partition_is_named_like_its_table() {
    let tables = vec![(in_snapshot(plain(100, "a")), "copy".to_owned())];
    let draft = restore("s1", &Objects::All, &tables, &local(vec![]), 1, 1, Clean::default()).unwrap();
    assert_eq!(draft.tables[0].partitions[0].entry.name, "copy");
    assert_eq!(restore_objects_text(&assign(draft, DatabaseId(1), 1, 0)), "copy");
}

#[test]
fn t21_too_few_nodes_for_the_replicas_are_told() {
    let told = restore("s1", &Objects::All, &named(vec![plain(100, "a")]), &local(vec![]), 3, 2, Clean::default())
        .unwrap_err();
    assert_eq!(
        told.to_string(),
        "failed to find 3 different hosts for 3 replicas, there are 2; set \"replication_num\""
    );
}

#[test]
fn t21_ids_are_new_consecutive_and_used_once() {
    let parts = [("p1", range("0", "10"), 3), ("p2", range("10", "20"), 2)];
    let draft =
        draft(vec![plain(100, "a"), ranged(200, "b", &parts)], vec![ranged(500, "b", &[("p1", range("0", "10"), 9)])])
            .unwrap();
    let needed = ids_needed(&draft);
    let mut ids = Vec::new();
    for plan in assign(draft, DatabaseId(1), 5_000, 0) {
        if plan.creates {
            ids.push(plan.record.id.0);
        } else {
            assert_eq!(plan.record.id, TableId(500));
        }
        for entry in &plan.record.partitions {
            ids.push(entry.id.0);
            ids.extend((0..entry.buckets).map(|bucket| tablet_id(entry.id, bucket).0));
        }
    }
    assert_eq!(ids, (5_000..5_000 + needed).collect::<Vec<_>>());
}

#[test]
fn replicas_of_a_bucket_are_on_different_nodes_and_spread_evenly() {
    let nodes: Vec<NodeId> = (1..=4).map(NodeId).collect();
    let mut load: BTreeMap<NodeId, usize> = BTreeMap::new();
    for bucket in 0..100 {
        let chosen = place(&nodes, PartitionId(7), bucket, 3);
        assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), 3);
        for node in chosen {
            *load.entry(node).or_default() += 1;
        }
    }
    assert!(load.values().all(|tablets| *tablets == 75), "{load:?}");
}

#[test]
fn a_table_that_cannot_be_understood_is_told_with_the_reason() {
    let mut odd = plain(100, "a");
    odd.columns[0].data_type = "QUBIT".into();
    let told = told(vec![odd, plain(200, "b")], vec![]);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("table a of the snapshot cannot be restored here: ") && told[0].contains("QUBIT"),
        "{told:?}"
    );
}

#[test]
fn an_error_tells_at_most_forty_conflicts_one_by_one() {
    let objects = Objects::Listed((0..50).map(|number| spec(&format!("t{number}"), None, None)).collect());
    let text = select_for_restore("s1", &[], &objects).unwrap_err().to_string();
    assert!(text.ends_with("; and 10 more"), "{text}");
}
