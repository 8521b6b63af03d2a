//! The typed layer: look-ups, changes, ids.

use crate::run;
use catalog::records::*;
use catalog::{At, Catalog, EmbeddedStore, Error, ErrorKind, keys};
use env::disk::MemDisk;
use env::ids::{DatabaseId, NodeId, PartitionId, TableId, TabletId, Version};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

async fn fresh() -> (Catalog, MemDisk) {
    let disk = MemDisk::new();
    (open(&disk).await, disk)
}

async fn open(disk: &MemDisk) -> Catalog {
    Catalog::new(Arc::new(EmbeddedStore::open(Arc::new(disk.clone()), "catalog.redb").await.unwrap()))
}

fn database(id: u64, name: &str) -> DatabaseRecord {
    DatabaseRecord { id: DatabaseId(id), name: name.to_owned(), created_ms: 5 }
}

fn table(id: u64, name: &str, partitions: &[u64]) -> TableRecord {
    let entry = |id: &u64| PartitionEntry {
        id: PartitionId(*id),
        name: format!("p{id}"),
        bounds: BoundsRecord::All,
        buckets: 2,
    };
    TableRecord {
        id: TableId(id),
        database: DatabaseId(1),
        name: name.to_owned(),
        columns: vec![],
        model: KeyModelRecord::Duplicate,
        distribution: Distribution::Random,
        partitioning: Partitioning::None,
        partitions: partitions.iter().map(entry).collect(),
        properties: [].into(),
        comment: String::new(),
        created_ms: 0,
        state: TableState::Normal,
    }
}

fn partition(id: u64, table: u64) -> PartitionRecord {
    PartitionRecord {
        id: PartitionId(id),
        table: TableId(table),
        visible_version: Version::FIRST,
        visible_ms: 0,
        state: PartitionState::Live,
    }
}

#[test]
fn a_name_has_one_owner() {
    run(async {
        let (catalog, _disk) = fresh().await;
        let key = keys::database_name("sales");
        let claim = async |id: u64| {
            let record = database(id, "sales");
            catalog.change().claim_name(&*key, id).create(&record).commit().await
        };
        let made = claim(1).await.unwrap();
        let failed = claim(2).await.unwrap_err();
        assert_eq!((failed.kind(), failed.conflict_key()), (ErrorKind::Conflict, Some("name/database/sales")));
        assert!(
            catalog.get::<DatabaseRecord>("database/2", At::Latest).await.unwrap().is_none(),
            "nothing is half made"
        );
        let found = catalog.database("sales", At::Latest).await.unwrap().unwrap();
        assert_eq!((&found.record, found.created, found.modified), (&database(1, "sales"), made, made));
        assert!(catalog.database("SALES", At::Latest).await.unwrap().is_none(), "case counts");

        // Renaming frees the old name; the past still has it.
        let renamed = database(1, "shop");
        let change = catalog.change().replace(&found, &renamed).release_name(&*key);
        change.claim_name(keys::database_name("shop"), 1).commit().await.unwrap();
        assert!(catalog.database("sales", At::Latest).await.unwrap().is_none());
        assert_eq!(catalog.database("sales", At::Revision(made)).await.unwrap().unwrap().name, "sales");
        claim(2).await.unwrap();
        let names: Vec<String> =
            catalog.databases(At::Latest).await.unwrap().into_iter().map(|found| found.record.name).collect();
        assert_eq!(names, ["sales", "shop"]);
    });
}

#[test]
fn what_was_read_guards_what_is_written() {
    run(async {
        let (catalog, _disk) = fresh().await;
        catalog.change().create(&database(1, "d")).commit().await.unwrap();
        let read = catalog.get::<DatabaseRecord>("database/1", At::Latest).await.unwrap().unwrap();
        let also = read.clone();
        catalog.change().replace(&read, &database(1, "e")).commit().await.unwrap();
        for change in [
            catalog.change().replace(&also, &database(1, "f")),
            catalog.change().delete(&also),
            catalog.change().unchanged(&also).put(&database(2, "g")),
        ] {
            let failed = change.commit().await.unwrap_err();
            assert_eq!(failed.conflict_key(), Some("database/1"));
        }
        assert!(catalog.get::<DatabaseRecord>("database/2", At::Latest).await.unwrap().is_none());
        let read = catalog.get::<DatabaseRecord>("database/1", At::Latest).await.unwrap().unwrap();
        assert_eq!(read.name, "e");
        let failed = catalog.change().replace(&read, &database(3, "x")).commit().await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Internal, "a record does not change its key");
        let failed = catalog.change().put(&database(4, "x")).delete_raw("database/4").commit().await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid);
        // Composed steps may repeat a guard.
        catalog.change().unchanged(&read).delete(&read).commit().await.unwrap();
        assert!(catalog.list::<DatabaseRecord>(keys::DATABASES, At::Latest).await.unwrap().is_empty());
    });
}

#[test]
fn partitions_come_in_the_tables_order_and_hidden_ones_do_not() {
    run(async {
        let (catalog, _disk) = fresh().await;
        let listed = table(10, "t", &[30, 4, 200]);
        let mut change = catalog.change().claim_name(keys::table_name(DatabaseId(1), "t"), 10).create(&listed);
        for id in [4, 30, 200, 5] {
            change = change.create(&partition(id, 10));
        }
        for bucket in [1, 0, 11, 2] {
            change = change.create(&TabletRecord {
                id: TabletId(100 + u64::from(bucket)),
                table: TableId(10),
                partition: PartitionId(4),
                bucket,
                replicas: vec![NodeId(1)],
            });
        }
        // A neighbour whose number begins the same way.
        let made = change.create(&partition(6, 100)).commit().await.unwrap();
        let ids = |found: Vec<catalog::Stored<PartitionRecord>>| found.iter().map(|p| p.id.0).collect::<Vec<_>>();
        assert_eq!(ids(catalog.partitions(&listed, At::Latest).await.unwrap()), [30, 4, 200]);
        let tablets = catalog.tablets(PartitionId(4), At::Latest).await.unwrap();
        assert_eq!(tablets.iter().map(|tablet| tablet.bucket).collect::<Vec<_>>(), [0, 1, 2, 11]);

        // Another caller drops a partition: who holds the old table is told so.
        let read = catalog.table(DatabaseId(1), "t", At::Latest).await.unwrap().unwrap();
        let gone = catalog.get::<PartitionRecord>("partition/10/4", At::Latest).await.unwrap().unwrap();
        catalog.change().replace(&read, &table(10, "t", &[30, 200])).delete(&gone).commit().await.unwrap();
        let failed = catalog.partitions(&listed, At::Latest).await.unwrap_err();
        assert!(matches!(&failed, Error::Stale { key, .. } if key == "table/1/10"), "{failed:?}");
        assert_eq!(failed.kind(), ErrorKind::Conflict);
        assert_eq!(ids(catalog.partitions(&listed, At::Revision(made)).await.unwrap()), [30, 4, 200]);

        // A table that lists what does not exist is damage.
        let broken = table(11, "u", &[77]);
        catalog.change().create(&broken).commit().await.unwrap();
        let failed = catalog.partitions(&broken, At::Latest).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Corrupt, "{failed}");
        let names: Vec<String> =
            catalog.tables(DatabaseId(1), At::Latest).await.unwrap().into_iter().map(|t| t.record.name).collect();
        assert_eq!(names, ["t", "u"]);
    });
}

#[test]
fn listings_go_through_all_pages() {
    run(async {
        let (catalog, _disk) = fresh().await;
        for chunk in 0..30_u64 {
            let mut change = catalog.change();
            for id in chunk * 100..(chunk + 1) * 100 {
                change = change.create(&partition(id, 10));
            }
            change.commit().await.unwrap();
        }
        let found = catalog.list::<PartitionRecord>(&keys::partitions(TableId(10)), At::Latest).await.unwrap();
        assert_eq!(found.iter().map(|found| found.id.0).collect::<BTreeSet<_>>(), (0..3_000).collect());
        assert_eq!(found.len(), 3_000);
    });
}

#[test]
fn a_name_that_leads_nowhere_is_corrupt() {
    run(async {
        let (catalog, _disk) = fresh().await;
        catalog.change().claim_name(keys::repository_name("r"), 9).commit().await.unwrap();
        let failed = catalog.repository("r", At::Latest).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Corrupt);
        assert_eq!(
            failed.to_string(),
            r#"repository/9 is corrupt: expected the repository that "name/repository/r" leads to, found nothing"#
        );
        catalog.change().put_raw("name/repository/s", &b"9"[..]).commit().await.unwrap();
        assert_eq!(catalog.repository("s", At::Latest).await.unwrap_err().kind(), ErrorKind::Corrupt);
    });
}

#[test]
fn ids_are_never_given_twice() {
    run(async {
        let (catalog, disk) = fresh().await;
        assert_eq!(catalog.allocate(1).await.unwrap(), 10_001, "the first id");
        assert_eq!(catalog.allocate(3).await.unwrap(), 10_002, "the next ones cost no write");
        let mut seen: BTreeSet<u64> = (10_001..10_005).collect();
        // Two catalogs on one store are two processes to each other.
        let other = Catalog::new(Arc::clone(catalog.store()));
        let calls = (0..200_u64).map(|i| {
            let catalog = if i % 2 == 0 { &catalog } else { &other };
            async move {
                let count = i % 40;
                (catalog.allocate(count).await.unwrap(), count)
            }
        });
        for (first, count) in join_all(calls).await {
            for id in first..first + count {
                assert!(seen.insert(id), "{id} was given twice");
            }
        }
        let large = catalog.allocate(1_000_000).await.unwrap();
        for id in large..large + 1_000_000 {
            assert!(seen.insert(id));
        }
        // A new process knows nothing of what the old one had in reserve.
        drop((catalog, other));
        let catalog = open(&disk.power_cut(3)).await;
        let next = catalog.allocate(1).await.unwrap();
        assert!(next > *seen.last().unwrap(), "{next} is fresh");
        assert_eq!(catalog.allocate(u64::MAX).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(catalog.allocate(1).await.unwrap(), next + 1, "a refused request costs nothing");
    });
}

#[test]
fn every_kind_has_its_look_up() {
    run(async {
        let (catalog, _disk) = fresh().await;
        let load = |id: u64, label: Option<&str>| LoadRecord {
            id: env::ids::LoadId(id),
            label: label.map(str::to_owned),
            database: DatabaseId(1),
            node: NodeId(1),
            state: LoadState::Preparing,
            tablets: vec![],
            created_ms: 0,
            finished_ms: 0,
            rows: 0,
        };
        let node = |id: u64| NodeRecord { id: NodeId(id), address: "h:1".to_owned(), incarnation: 1, heartbeat_ms: 0 };
        let recycled = |id: u64, dropped_ms: u64| RecycleRecord {
            id,
            database: DatabaseId(1),
            dropped_ms,
            expires_ms: 100,
            what: Recycled::Database { record: database(1, "d") },
        };
        let change = catalog.change().claim_name(keys::load_label(DatabaseId(1), "l"), 20);
        let change = change.create(&load(20, Some("l"))).create(&load(3, None)).create(&node(10)).create(&node(9));
        change.create(&recycled(5, 7)).create(&recycled(6, 1)).commit().await.unwrap();
        let found = catalog.load(DatabaseId(1), "l", At::Latest).await.unwrap().unwrap();
        assert_eq!(found.id.0, 20);
        assert!(catalog.load(DatabaseId(2), "l", At::Latest).await.unwrap().is_none());
        let ids = |ids: Vec<u64>, expected: [u64; 2]| assert_eq!(ids, expected);
        ids(catalog.loads(At::Latest).await.unwrap().iter().map(|load| load.id.0).collect(), [3, 20]);
        ids(catalog.nodes(At::Latest).await.unwrap().iter().map(|node| node.id.0).collect(), [9, 10]);
        ids(catalog.recycled(At::Latest).await.unwrap().iter().map(|item| item.id).collect(), [6, 5]);
    });
}
