use crate::support::*;
use bytes::Bytes;
use env::disk::MemDisk;
use env::ids::{JobId, LoadId, TabletId, Version};
use std::collections::BTreeMap;
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{ErrorKind, KeyModel, Mutation, StagedTablet, TabletImageMeta, TabletStore};

const JOB: JobId = JobId(7);
const NEW: TabletId = TabletId(100);

type Files = BTreeMap<String, Bytes>;

/// An image with several segments and, for a Primary Key table, delete vectors.
async fn image(model: KeyModel) -> (TabletImageMeta, Files, Rows) {
    let store = open(&MemDisk::new(), strict()).await;
    create(&store, model, &[1]).await;
    let batch: Vec<(i64, String)> = (0..13).map(|key| (key, format!("v{key}"))).collect();
    store.prepare(LoadId(1), TabletId(1), Mutation::Rows(vec![rows(model, &batch)])).await.unwrap();
    store.publish(LoadId(1), &[(TabletId(1), Version(2))]).await.unwrap();
    load(&store, 2, 1, model, &[(3, "three"), (20, "twenty")]).await;
    store.pin(JOB, &[(TabletId(1), Version(3))]).await.unwrap();
    let meta = store.pinned(JOB, TabletId(1)).unwrap().meta;
    let files = image_files(&store, JOB, TabletId(1)).await;
    (meta, files, current(&store, TabletId(1)))
}

fn staged(image: &TabletImageMeta) -> Vec<StagedTablet> {
    vec![StagedTablet { tablet: NEW, image: image.clone() }]
}

async fn bring_all(store: &TabletStore, files: &Files) {
    for file in store.staged_missing(JOB, NEW).await.unwrap() {
        bring(store, JOB, NEW, &file, &files[&file.name]).await.unwrap();
    }
}

#[test]
fn a_restored_tablet_is_the_image_and_takes_loads_after_a_restart() {
    run(async {
        for model in [Duplicate, Primary] {
            let (meta, files_of_image, expected) = image(model).await;
            let json = serde_json::to_string(&meta).unwrap();
            let meta: TabletImageMeta = serde_json::from_str(&json).unwrap();
            let disk = MemDisk::new();
            let store = open(&disk, strict()).await;
            store.stage_begin(JOB, staged(&meta)).await.unwrap();
            assert!(store.tablets().is_empty(), "nobody sees it yet");
            assert_eq!(store.view_current(NEW).unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(store.staged_missing(JOB, NEW).await.unwrap(), meta.files);
            bring_all(&store, &files_of_image).await;
            assert!(store.staged_missing(JOB, NEW).await.unwrap().is_empty());
            store.stage_finish(JOB, &[NEW]).await.unwrap();
            store.stage_finish(JOB, &[NEW]).await.unwrap();
            assert_eq!(store.current_version(NEW).unwrap(), Version(3));
            assert_eq!(current(&store, NEW), expected);
            store.close().await;

            let store = open(&disk, strict()).await;
            assert_eq!((store.stage_owners(), store.staged(JOB)), (vec![JOB], vec![(NEW, true)]));
            store.stage_keep(JOB).await.unwrap();
            store.stage_keep(JOB).await.unwrap();
            assert!(store.stage_owners().is_empty());
            assert_eq!(current(&store, NEW), expected);
            load(&store, 9, 100, model, &[(3, "again"), (4, "again")]).await;
            let mut expected: Rows =
                expected.into_iter().filter(|(key, _)| model == Duplicate || (*key != 3 && *key != 4)).collect();
            expected.extend(text(&[(3, "again"), (4, "again")]));
            expected.sort();
            assert_eq!(current(&store, NEW), expected);
            assert!(store.compact(NEW).await.unwrap());
            store.reclaim().await.unwrap();
            assert_eq!(current(&store, NEW), expected);
            assert_eq!(files(&disk), needed(&store));
        }
    });
}

#[test]
fn a_restore_that_a_crash_interrupts_goes_on_where_it_was() {
    run(async {
        let (meta, files_of_image, expected) = image(Primary).await;
        for brought in 0..=meta.files.len() {
            let disk = MemDisk::new();
            let store = open(&disk, strict()).await;
            store.stage_begin(JOB, staged(&meta)).await.unwrap();
            for file in &meta.files[..brought] {
                bring(&store, JOB, NEW, file, &files_of_image[&file.name]).await.unwrap();
            }
            let half = store.stage_file(JOB, NEW, &meta.files[0].name).await.unwrap();
            half.write_at(0, files_of_image[&meta.files[0].name].slice(..100)).await.unwrap();
            let disk = disk.power_cut(brought as u64);
            drop(half);
            let store = open(&disk, strict()).await;
            store.stage_begin(JOB, staged(&meta)).await.unwrap();
            let missing = store.staged_missing(JOB, NEW).await.unwrap();
            assert!(meta.files[brought..].iter().all(|file| missing.contains(file)));
            assert!(
                missing.iter().all(|file| !file.inline || meta.files[brought..].contains(file)),
                "vectors are durable"
            );
            bring_all(&store, &files_of_image).await;
            store.stage_finish(JOB, &[NEW]).await.unwrap();
            store.stage_keep(JOB).await.unwrap();
            let disk = disk.power_cut(1);
            let store = open(&disk, strict()).await;
            assert_eq!(current(&store, NEW), expected);
            assert_eq!(files(&disk), needed(&store), "{brought}: no half file is left");
        }
    });
}

#[test]
fn wrong_bytes_are_found_before_they_count() {
    run(async {
        let (meta, files_of_image, expected) = image(Primary).await;
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        store.stage_begin(JOB, staged(&meta)).await.unwrap();
        for file in &meta.files {
            let good = &files_of_image[&file.name];
            let receive = async |parts: Vec<(u64, Bytes)>, crc32, len_bytes| {
                let staged = store.stage_file(JOB, NEW, &file.name).await.unwrap();
                for (offset, part) in parts {
                    staged.write_at(offset, part).await?;
                }
                staged.finish(crc32, len_bytes).await
            };
            let mut flipped = good.to_vec();
            flipped[20] ^= 1;
            let error = receive(vec![(0, flipped.into())], file.crc32, file.len_bytes).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            let error = receive(vec![(0, good.slice(..10))], file.crc32, file.len_bytes).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            let hole = vec![(0, good.slice(..10)), (11, good.slice(11..))];
            let error = receive(hole, file.crc32, file.len_bytes).await.unwrap_err();
            assert!(error.to_string().contains("at byte 10"), "{error}");
            let other = receive(vec![(0, good.clone())], file.crc32 ^ 1, file.len_bytes).await.unwrap_err();
            assert_eq!(other.kind(), ErrorKind::Corrupt, "{other}");
            let overlap = receive(vec![(0, good.slice(..10)), (5, good.slice(5..))], file.crc32, file.len_bytes).await;
            assert_eq!(overlap.unwrap_err().kind(), ErrorKind::Invalid);
            let beyond = receive(vec![(1, good.clone())], file.crc32, file.len_bytes).await;
            assert_eq!(beyond.unwrap_err().kind(), ErrorKind::Invalid);
            // A part that comes twice is no error.
            let twice = vec![(0, Bytes::from(vec![0; 10])), (10, good.slice(10..)), (0, good.slice(..10))];
            assert_eq!(store.staged_missing(JOB, NEW).await.unwrap().first(), Some(file));
            receive(twice, file.crc32, file.len_bytes).await.unwrap();
        }
        store.stage_finish(JOB, &[NEW]).await.unwrap();
        assert_eq!(current(&store, NEW), expected);
        store.reclaim().await.unwrap();
        assert_eq!(files(&disk), needed(&store));
    });
}

#[test]
fn a_file_that_is_no_segment_of_the_table_is_fetched_again() {
    run(async {
        let (mut meta, files_of_image, _) = image(Duplicate).await;
        // An image whose description is consistent and whose file is not what it says.
        let junk = Bytes::from(vec![b'x'; 1000]);
        meta.rowsets[0].segments[0].meta.len_bytes = 1000;
        meta.rowsets[0].segments[0].meta.crc32 = crc32fast::hash(&junk);
        meta.files[0].len_bytes = 1000;
        meta.files[0].crc32 = crc32fast::hash(&junk);
        let store = open(&MemDisk::new(), strict()).await;
        store.stage_begin(JOB, staged(&meta)).await.unwrap();
        for file in &meta.files {
            let bytes = if file.name == meta.files[0].name { &junk } else { &files_of_image[&file.name] };
            bring(&store, JOB, NEW, file, bytes).await.unwrap();
        }
        let error = store.stage_finish(JOB, &[NEW]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("tablets/100/1-0.parquet"), "{error}");
        assert_eq!(store.staged_missing(JOB, NEW).await.unwrap(), meta.files[..1]);
        assert!(store.tablets().is_empty());
    });
}

#[test]
fn an_image_that_contradicts_itself_is_refused() {
    run(async {
        let (meta, ..) = image(Primary).await;
        let store = open(&MemDisk::new(), strict()).await;
        let begin = async |change: &dyn Fn(&mut TabletImageMeta)| {
            let mut bad = meta.clone();
            change(&mut bad);
            store.stage_begin(JOB, staged(&bad)).await.unwrap_err().kind()
        };
        assert_eq!(begin(&|image| image.format = 3).await, ErrorKind::Unsupported);
        assert_eq!(begin(&|image| image.version = Version(0)).await, ErrorKind::Corrupt);
        assert_eq!(begin(&|image| drop(image.files.pop())).await, ErrorKind::Corrupt);
        assert_eq!(begin(&|image| image.files[0].name = "../x".to_owned()).await, ErrorKind::Corrupt);
        assert_eq!(begin(&|image| image.rowsets.push(image.rowsets[0].clone())).await, ErrorKind::Corrupt);
        assert_eq!(begin(&|image| image.rowsets[0].segments[0].meta.rows = 1 << 40).await, ErrorKind::Corrupt);
        assert_eq!(
            begin(&|image| image.rowsets[0].segments[0].deletes.as_mut().unwrap().rows = 99).await,
            ErrorKind::Corrupt
        );
        assert!(store.stage_owners().is_empty());
    });
}

#[test]
fn a_discarded_restore_leaves_nothing_and_its_id_can_be_used_again() {
    run(async {
        let (meta, files_of_image, expected) = image(Primary).await;
        let disk = MemDisk::new();
        let store = open(&disk, strict()).await;
        for finish in [false, true] {
            store.stage_begin(JOB, staged(&meta)).await.unwrap();
            bring_all(&store, &files_of_image).await;
            let late = store.stage_file(JOB, NEW, &meta.files[0].name).await.unwrap();
            late.write_at(0, files_of_image[&meta.files[0].name].clone()).await.unwrap();
            if finish {
                store.stage_finish(JOB, &[NEW]).await.unwrap();
            } else {
                assert_eq!(store.stage_keep(JOB).await.unwrap_err().kind(), ErrorKind::Invalid);
            }
            store.stage_discard(JOB).await.unwrap();
            store.stage_discard(JOB).await.unwrap();
            let error = late.finish(meta.files[0].crc32, meta.files[0].len_bytes).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(store.tablets().is_empty() && store.stage_owners().is_empty());
            assert_eq!(store.staged_missing(JOB, NEW).await.unwrap_err().kind(), ErrorKind::NotFound);
            store.reclaim().await.unwrap();
            assert!(files(&disk).is_empty());
        }
        // Without a reclaim in between, and by another job.
        store.stage_begin(JOB, staged(&meta)).await.unwrap();
        bring_all(&store, &files_of_image).await;
        let taken = store.stage_begin(JobId(8), staged(&meta)).await.unwrap_err();
        assert_eq!(taken.to_string(), "tablet 100 exists already with a restore of another job");
        store.stage_discard(JOB).await.unwrap();
        store.stage_begin(JOB, staged(&meta)).await.unwrap();
        assert_eq!(store.staged_missing(JOB, NEW).await.unwrap(), meta.files);
        bring_all(&store, &files_of_image).await;
        store.stage_finish(JOB, &[NEW]).await.unwrap();
        store.stage_keep(JOB).await.unwrap();
        store.stage_discard(JOB).await.unwrap();
        assert_eq!(current(&store, NEW), expected, "what was kept cannot be discarded");
        let data = store.stage_begin(JOB, staged(&meta)).await.unwrap_err();
        assert_eq!(data.to_string(), "tablet 100 exists already with data in it");
    });
}
