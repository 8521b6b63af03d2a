use crate::support::*;
use env::disk::{Disk, MemDisk};
use env::ids::{JobId, LoadId, TabletId, Version};
use std::sync::Arc;
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{ErrorKind, Mutation, TabletStore};

const T1: TabletId = TabletId(1);

fn used(disk: &MemDisk) -> u64 {
    disk.limit(Some(1 << 40));
    (1 << 40) - disk.free_bytes().unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_everything_goes_on_when_there_is_space() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "a"), (2, "b")]).await;
        let batch: Vec<(i64, String)> = (0..200).map(|key| (key, format!("value {key}"))).collect();
        let big = || Mutation::Rows(vec![rows(Primary, &batch)]);
        let mut refused = 0;
        // However little space there is, a call succeeds or says that the disk is full and changes nothing.
        for step in 0..200 {
            disk.limit(Some(used(&disk) + step * 1024));
            match store.prepare(LoadId(2), T1, big()).await {
                Ok(_) => break,
                Err(full) => assert_eq!(full.kind(), ErrorKind::Full, "{full}"),
            }
            refused += 1;
            assert_eq!(current(&store, T1), text(&[(1, "a"), (2, "b")]));
            assert!(store.prepared().is_empty());
        }
        assert!(refused > 0);
        disk.limit(None);
        assert_eq!(store.prepared().len(), 1);
        store.publish(LoadId(2), &[(T1, Version(3))]).await.unwrap();
        assert_eq!(current(&store, T1).len(), 200);
        store.reclaim().await.unwrap();
        assert_eq!(files(&disk), needed(&store), "nothing half written stays");
        store.close().await;
        assert_eq!(current(&open(&disk, strict()).await, T1).len(), 200);
    });
}

#[test]
fn a_publish_that_the_full_disk_stops_can_be_repeated() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        let ids: Vec<u64> = (1..=400).collect();
        create(&store, Duplicate, &ids).await;
        let mut failed = 0;
        for round in 1..=40u64 {
            store
                .prepare(LoadId(round), T1, Mutation::Rows(vec![rows(Duplicate, &[(round as i64, "x")])]))
                .await
                .unwrap();
            let versions: Vec<_> = ids.iter().map(|id| (TabletId(*id), Version(round + 1))).collect();
            disk.limit(Some(used(&disk)));
            if let Err(full) = store.publish(LoadId(round), &versions).await {
                assert_eq!(full.kind(), ErrorKind::Full, "{full}");
                failed += 1;
                assert_eq!(store.current_version(TabletId(400)).unwrap(), Version(round));
                disk.limit(None);
                store.publish(LoadId(round), &versions).await.unwrap();
            }
            disk.limit(None);
            assert_eq!(current(&store, T1).len() as u64, round);
            assert_eq!(store.current_version(TabletId(400)).unwrap(), Version(round + 1));
        }
        assert!(failed > 0, "the metadata file never had to grow");
        store.close().await;
        let store = open(&disk, strict()).await;
        assert_eq!((current(&store, T1).len(), store.prepared().len()), (40, 0));
    });
}

#[test]
fn damage_is_found_and_named() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1]).await;
        load(&store, 1, 1, Primary, &[(1, "a"), (2, "b")]).await;
        load(&store, 2, 1, Primary, &[(3, "c")]).await;
        let path = "tablets/1/1-0.parquet";
        disk.flip_bit(path, 8 * 10).unwrap();
        let error = store.compact(T1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(path), "{error}");
        let footer = disk.len(path).unwrap() as usize - 20;
        disk.flip_bit(path, footer).unwrap();
        disk.flip_bit(path, footer + 4).unwrap();
        let error = try_read(&store.view_current(T1).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        disk.remove(path).unwrap();
        let error = try_read(&store.view_current(T1).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "a missing file that something refers to: {error}");
        store.pin(JobId(1), &[(T1, Version(3))]).await.unwrap();
        assert_eq!(store.image_bytes(JobId(1), T1, "1-0.parquet").await.unwrap_err().kind(), ErrorKind::Corrupt);
        // The store opens all the same: other tablets are fine.
        store.close().await;
        let store = open(&disk, strict()).await;
        create(&store, Duplicate, &[2]).await;
        load(&store, 3, 2, Duplicate, &[(1, "x")]).await;
        assert_eq!(current(&store, TabletId(2)), text(&[(1, "x")]));
        // A load that needs the damaged keys fails; the version is still to be made.
        store.prepare(LoadId(4), T1, Mutation::Rows(vec![rows(Primary, &[(1, "z")])])).await.unwrap();
        assert_eq!(store.publish(LoadId(4), &[(T1, Version(4))]).await.unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(store.current_version(T1).unwrap(), Version(3));
        assert_eq!(store.prepared(), [(LoadId(4), vec![T1])]);
    });
}

#[test]
fn a_damaged_metadata_file_does_not_open() {
    run(async {
        let disk = MemDisk::new();
        disk.create_dir("tablets").unwrap();
        let file = disk.create("tablets/store.redb").unwrap();
        file.write_at(0, b"this is no database").unwrap();
        let error = TabletStore::open(Arc::new(disk), strict()).await.unwrap_err();
        assert!(!error.to_string().is_empty());
    });
}

/// One bit anywhere in the metadata file: it is found, or it does not matter.
#[test]
fn a_flipped_bit_in_the_metadata_file_is_never_believed() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Primary, &[1, 2, 3]).await;
        for round in 1..=6 {
            load(&store, round, 1 + round % 3, Primary, &[(1, "a"), (round as i64, "b")]).await;
        }
        store.prepare(LoadId(9), T1, Mutation::Rows(vec![rows(Primary, &[(9, "x")])])).await.unwrap();
        store.pin(JobId(1), &[(T1, store.current_version(T1).unwrap())]).await.unwrap();
        let seen = |store: &TabletStore| {
            let tablets: Vec<_> = store.tablets().into_iter().map(|id| (id, current(store, id))).collect();
            (tablets, store.prepared(), store.pin_owners())
        };
        let whole = seen(&store);
        store.close().await;
        let path = "tablets/store.redb";
        let bytes = disk.read(path).unwrap();
        let (mut found, mut same) = (0, 0);
        for at in 0..bytes.len() {
            // Most of the file is empty.
            let near = bytes.iter().skip(at.saturating_sub(8)).take(16).any(|byte| *byte != 0);
            if !near {
                continue;
            }
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << (at % 8);
            // A copy: what opens it may repair or change it.
            let disk = disk.power_cut(at as u64);
            disk.remove(path).unwrap();
            disk.create(path).unwrap().write_at(0, &damaged).unwrap();
            match TabletStore::open(Arc::new(disk), strict()).await {
                Err(_) => found += 1,
                Ok(store) => {
                    assert_eq!(seen(&store), whole, "byte {at}");
                    same += 1;
                }
            }
        }
        assert!(found > 100 && same > 0, "{found} found, {same} without effect");
    });
}

#[test]
fn after_a_power_cut_the_old_process_changes_nothing() {
    run(async {
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        create(&store, Duplicate, &[1]).await;
        load(&store, 1, 1, Duplicate, &[(1, "a")]).await;
        let next = disk.power_cut(3);
        let store_of_next = open(&next, strict()).await;
        assert!(store.prepare(LoadId(2), T1, Mutation::Rows(vec![rows(Duplicate, &[(2, "b")])])).await.is_err());
        assert!(store.publish(LoadId(3), &[(T1, Version(3))]).await.is_err());
        assert!(store.pin(JobId(1), &[(T1, Version(2))]).await.is_err());
        assert_eq!(store.current_version(T1).unwrap(), Version(2));
        drop(store);
        assert_eq!(current(&store_of_next, T1), text(&[(1, "a")]));
    });
}
