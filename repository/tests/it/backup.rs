//! Backups and restores as they are meant to go.

use crate::support::*;
use bytes::Bytes;
use env::disk::MemDisk;
use env::rt::CancellationToken;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use repository::{
    Error, ErrorKind, Limiter, LocalStore, Purpose, Repository, StreamOptions, TableSought, TabletEntryIn, local,
    no_progress,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

async fn memory() -> (Arc<Faulty>, Repository) {
    let store = Faulty::new(Arc::new(InMemory::new()), Faults::default(), 0);
    let repository = Repository::create(Arc::<Faulty>::clone(&store), "r", 1).await.unwrap();
    (store, repository)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_backed_up_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn ObjectStore>; 3] =
        [local(dir.path()), Arc::new(LocalStore::new(Arc::new(MemDisk::new()))), Arc::new(InMemory::new())];
    for store in stores {
        let repository = Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
        let world = world(20, 3_500_000);
        let written = back_up(&repository, "s", &world).await;
        assert_eq!((written.summary.tablets, written.summary.files), (20, 80));
        assert_eq!(written.summary.bytes, written.summary.bytes_sent);
        assert_eq!(restore(&repository, "s").await.unwrap(), world, "{store}");
        let opened = Repository::open(store).await.unwrap();
        assert_eq!(opened.identity(), repository.identity());
        assert_eq!(opened.snapshots().await.unwrap(), [written.summary]);
        assert_eq!(opened.check_log().await.unwrap().0, 2);
    }
}

#[tokio::test]
async fn segments_are_stored_as_they_are_and_small_files_share_objects() {
    let (store, repository) = memory().await;
    back_up(&repository, "s", &world(20, 100_000)).await;
    let objects = names(&*store, "data").await;
    let (packs, own): (Vec<_>, Vec<_>) = objects.iter().partition(|name| name.contains("/pack-"));
    assert_eq!(own.len(), 20);
    assert!(own.iter().all(|name| name.ends_with(".1-0.parquet")), "{own:?}");
    assert!((5..=8).contains(&packs.len()), "20 KB of small files in packs of 4 KB: {packs:?}");
}

#[tokio::test]
async fn a_second_backup_sends_only_what_changed() {
    let (store, repository) = memory().await;
    let mut world = world(50, 100_000);
    let first = back_up(&repository, "a", &world).await;
    let pages_before = names(&*store, "pages").await.len();
    let sent_before = store.sent_bytes.load(Ordering::Relaxed);
    let second = back_up(&repository, "b", &world).await;
    assert_eq!((second.summary.bytes_sent, second.opened), (0, 0), "nothing changed: nothing is even opened");
    let pages = names(&*store, "pages").await.len() - pages_before;
    assert!(pages <= 3, "root and index are new, tables and tablets shared: {pages}");
    let sent = store.sent_bytes.load(Ordering::Relaxed) - sent_before;
    assert!(sent < 10_000, "{sent} bytes");

    world.get_mut(&1007).unwrap().insert("9-0.parquet".into(), noise(99, 200_000));
    world.get_mut(&1008).unwrap().remove("2-0.parquet");
    let third = back_up(&repository, "c", &world).await;
    assert_eq!((third.summary.bytes_sent, third.opened), (200_000, 1));
    assert_eq!(restore(&repository, "c").await.unwrap(), world);
    assert_eq!(first.summary.bytes, first.summary.bytes_sent);
}

#[tokio::test]
async fn a_name_alone_is_not_reused() {
    let (_, repository) = memory().await;
    let mut world = world(2, 100_000);
    back_up(&repository, "a", &world).await;
    // The same name and length, other bytes; and the same name, another length.
    world.get_mut(&1000).unwrap().insert("1-0.parquet".into(), noise(77, 100_000));
    world.get_mut(&1001).unwrap().insert("1-0.parquet".into(), noise(10, 99_999));
    let second = back_up(&repository, "b", &world).await;
    assert_eq!(second.summary.bytes_sent, 199_999);
    assert_eq!(restore(&repository, "b").await.unwrap(), world);
}

/// Sends the tablets of a world under other numbers, with ids that begin with `ids`; gives what had to be sent.
async fn renumbered(repository: &Repository, world: &World, ids: Option<&str>, add: u64) -> repository::PartitionPages {
    let session = session(repository).await;
    // Only by its names.
    let sought = TableSought { id: TABLE + 1, ..SOUGHT };
    let first = session.base(&sought).await.unwrap().is_none();
    let bases = session.bases(&sought).await.unwrap().partition(PARTITION + 1, "p0");
    let mut writer = session.writer(options(), Limiter::unlimited(), no_progress(), CancellationToken::new());
    writer.begin_partition(TABLE + 1, PARTITION + 1, Some(bases)).unwrap();
    for (bucket, (tablet, files)) in (0..).zip(world) {
        let mut files = files_in(files, &Arc::default());
        for file in &mut files {
            if let Some(ids) = ids {
                file.id = format!("{ids}-{tablet}-{}", file.name);
            }
        }
        let tablet = tablet + add;
        writer
            .add(TabletEntryIn { tablet, bucket, version: 1, lineage: None, meta: json!({"of": tablet}), files })
            .await
            .unwrap();
    }
    let pages = writer.end_partition().await.unwrap();
    if first {
        let partition = repository::PartitionManifest {
            id: PARTITION,
            name: "p0".into(),
            version: 1,
            bounds: json!(1),
            buckets: 1,
            tablets: pages.tablets,
            files: pages.files,
            bytes: pages.bytes,
            pages: pages.pages.clone(),
        };
        let table = repository::TableManifest {
            id: TABLE,
            name: "events".into(),
            schema: json!(1),
            partitions: vec![partition],
        };
        let table = session.put_table(&table).await.unwrap();
        let mut summary = upload(&session, "other", &World::new(), &CancellationToken::new()).await.unwrap().summary;
        let root = repository::SnapshotRoot {
            label: "a".into(),
            timestamp: STAMP.into(),
            cluster: "cluster".into(),
            database_id: 1,
            database: "shop".into(),
            cut_revision: 1,
            created_ms: 1,
            tables: vec![table],
        };
        summary.label = "a".into();
        summary.root = session.put_root(&root).await.unwrap();
        session.commit(summary).await.unwrap();
    } else {
        session.abort().await.unwrap();
    }
    pages
}

#[tokio::test]
async fn a_restored_table_still_has_its_files_where_they_have_ids() {
    let world = world(3, 100_000);
    for (ids, sent_again) in [(Some("uid"), false), (None, true)] {
        let (_, repository) = memory().await;
        let first = renumbered(&repository, &world, ids, 0).await;
        assert_eq!(first.bytes_sent, first.bytes);
        let second = renumbered(&repository, &world, ids, 500).await;
        assert_eq!(second.bytes_sent, if sent_again { first.bytes } else { 0 }, "a bare name counts in its tablet");
    }
    let (_, repository) = memory().await;
    renumbered(&repository, &world, Some("uid"), 0).await;
    let other = renumbered(&repository, &world, Some("other"), 500).await;
    assert_eq!(other.bytes_sent, other.bytes);
}

#[tokio::test]
async fn another_cluster_shares_nothing() {
    let (_, repository) = memory().await;
    back_up(&repository, "a", &world(2, 1000)).await;
    let session = session(&repository).await;
    assert!(session.base(&SOUGHT).await.unwrap().is_some());
    assert!(session.base(&TableSought { cluster: "other", ..SOUGHT }).await.unwrap().is_none());
    assert!(session.base(&TableSought { id: TABLE + 1, name: "others", ..SOUGHT }).await.unwrap().is_none());
}

#[tokio::test]
async fn a_resumed_session_does_not_send_again() {
    let (store, repository) = memory().await;
    let world = world(20, 1_500_000);
    let id = repository.new_session_id().await.unwrap();
    let first = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap();
    upload(&first, "s", &world, &CancellationToken::new()).await.unwrap();
    let sent = store.sent_bytes.load(Ordering::Relaxed);
    let objects = names(&*store, "data").await;

    let again = Repository::open(Arc::<Faulty>::clone(&store)).await.unwrap();
    let second = again.open_session(&id, Purpose::Backup, "job", 2).await.unwrap();
    assert!(second.resumed() && second.generation() == first.generation());
    let written = upload(&second, "s", &world, &CancellationToken::new()).await.unwrap();
    // Pages are offered again, payload is not.
    assert!(store.sent_bytes.load(Ordering::Relaxed) - sent < 50_000);
    assert_eq!(names(&*store, "data").await, objects);
    second.commit(written.summary).await.unwrap();
    assert_eq!(restore(&repository, "s").await.unwrap(), world);
}

#[tokio::test]
async fn committing_twice_is_committing_once() {
    let (_, repository) = memory().await;
    let id = repository.new_session_id().await.unwrap();
    let one = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap();
    let two = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap();
    let world = world(3, 1000);
    let summary = upload(&one, "s", &world, &CancellationToken::new()).await.unwrap().summary;
    let other = upload(&two, "s", &world, &CancellationToken::new()).await.unwrap().summary;
    let generation = one.commit(summary.clone()).await.unwrap();
    assert_eq!(two.commit(other).await.unwrap(), generation);
    assert_eq!(repository.snapshots().await.unwrap(), std::slice::from_ref(&summary));
    for failed in [one.abort().await.unwrap_err(), two.close().await.unwrap_err()] {
        assert!(matches!(failed, Error::AlreadyCommitted(ref there) if **there == summary), "{failed:?}");
    }
    let reopened = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap_err();
    assert!(matches!(reopened, Error::AlreadyCommitted(_)), "{reopened:?}");
    assert_eq!(restore(&repository, "s").await.unwrap(), world);
}

#[tokio::test]
async fn a_label_is_taken_by_a_commit_and_by_nothing_else() {
    let (store, repository) = memory().await;
    let world = world(3, 1000);
    let session_of_failed = session(&repository).await;
    let summary = upload(&session_of_failed, "s", &world, &CancellationToken::new()).await.unwrap().summary;
    session_of_failed.abort().await.unwrap();
    session_of_failed.abort().await.unwrap();
    let objects: Vec<_> = [names(&*store, "data").await, names(&*store, "pages").await].concat();
    assert_eq!(objects, Vec::<String>::new(), "an aborted session leaves nothing");
    assert_eq!(session_of_failed.commit(summary).await.unwrap_err().kind(), ErrorKind::Fenced);

    back_up(&repository, "s", &world).await;
    let late = session(&repository).await;
    let summary = upload(&late, "s", &world, &CancellationToken::new()).await.unwrap().summary;
    assert_eq!(late.commit(summary.clone()).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(repository.sessions().await.unwrap().len(), 1, "it may try again under another label");
    let mut renamed = summary;
    renamed.label = "t".into();
    late.commit(renamed).await.unwrap();
    let labels: Vec<_> = repository.snapshots().await.unwrap().into_iter().map(|row| row.label).collect();
    assert_eq!(labels, ["s", "t"]);
}

#[tokio::test]
async fn a_fenced_session_loses_its_work_and_nothing_else() {
    let (_, repository) = memory().await;
    let world = world(3, 1000);
    let victim = session(&repository).await;
    let summary = upload(&victim, "s", &world, &CancellationToken::new()).await.unwrap().summary;
    repository.fence(victim.id()).await.unwrap();
    repository.fence(victim.id()).await.unwrap();
    assert_eq!(victim.commit(summary).await.unwrap_err().kind(), ErrorKind::Fenced);
    victim.close().await.unwrap();
    let reopened = repository.open_session(victim.id(), Purpose::Backup, "job", 1).await.unwrap_err();
    assert_eq!(reopened.kind(), ErrorKind::Fenced);
    assert!(repository.snapshots().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_cancelled_upload_ends_soon_and_leaves_nothing() {
    let disk = MemDisk::new();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::new(Arc::new(disk.clone())));
    let repository = Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
    for after in [0, 1, 3_000_000, 20_000_000] {
        let session = session(&repository).await;
        let stop = CancellationToken::new();
        let done = Arc::new(AtomicU64::new(0));
        let progress: repository::Progress = {
            let (stop, done) = (stop.clone(), Arc::clone(&done));
            Arc::new(move |bytes| {
                if done.fetch_add(bytes, Ordering::Relaxed) + bytes >= after {
                    stop.cancel();
                }
            })
        };
        if after == 0 {
            stop.cancel();
        }
        let mut writer = session.writer(options(), Limiter::unlimited(), progress, stop);
        writer.begin_partition(TABLE, PARTITION, None).unwrap();
        let failed = async {
            for (tablet, files) in world(20, 3_500_000) {
                let files = files_in(&files, &Arc::default());
                writer
                    .add(TabletEntryIn { tablet, bucket: 0, version: 1, lineage: None, meta: json!(1), files })
                    .await?;
            }
            writer.end_partition().await
        };
        assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::Cancelled, "{after}");
        assert!(done.load(Ordering::Relaxed) < after + 30_000_000);
        assert_eq!(writer.end_partition().await.unwrap_err().kind(), ErrorKind::Invalid);
        drop(writer);
        session.abort().await.unwrap();
        for prefix in ["data", "pages", ".uploads"] {
            assert_eq!(names(&*store, prefix).await, Vec::<String>::new(), "{after}");
        }
    }
}

#[tokio::test]
async fn progress_counts_each_byte_once_and_reused_ones_too() {
    let (_, repository) = memory().await;
    let world = world(5, 3_500_000);
    let total: u64 = world.values().flat_map(|files| files.values()).map(|bytes| bytes.len() as u64).sum();
    for label in ["a", "b"] {
        let session = session(&repository).await;
        let told = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&told);
        let bases = session.bases(&SOUGHT).await.unwrap().partition(PARTITION, "p0");
        let stop = CancellationToken::new();
        let mut writer = session.writer(
            options(),
            Limiter::unlimited(),
            Arc::new(move |bytes| {
                heard.fetch_add(bytes, Ordering::Relaxed);
            }),
            stop,
        );
        writer.begin_partition(TABLE, PARTITION, Some(bases)).unwrap();
        for (tablet, files) in &world {
            let files = files_in(files, &Arc::default());
            writer
                .add(TabletEntryIn { tablet: *tablet, bucket: 0, version: 1, lineage: None, meta: json!(1), files })
                .await
                .unwrap();
        }
        writer.end_partition().await.unwrap();
        assert_eq!(told.load(Ordering::Relaxed), total);
        drop(writer);
        session.abort().await.unwrap();
        if label == "a" {
            back_up(&repository, label, &world).await;
        }
    }
}

#[tokio::test]
async fn a_source_that_changed_under_its_checksum_is_refused() {
    let (_, repository) = memory().await;
    for len in [100usize, 200_000, 3_000_000] {
        let session = session(&repository).await;
        let mut writer = session.writer(options(), Limiter::unlimited(), no_progress(), CancellationToken::new());
        writer.begin_partition(TABLE, PARTITION, None).unwrap();
        let files = [("1-0.parquet".to_owned(), noise(1, len))].into_iter().collect();
        let mut files = files_in(&files, &Arc::default());
        files[0].open = Box::new(move || Box::pin(std::future::ready(Ok(noise(2, len)))));
        let failed = async {
            writer
                .add(TabletEntryIn { tablet: 5, bucket: 0, version: 1, lineage: None, meta: json!(1), files })
                .await?;
            writer.end_partition().await
        };
        let failed = failed.await.unwrap_err();
        let Error::Corrupt(found) = &failed else { panic!("{failed:?}") };
        assert_eq!(found.object, "1-0.parquet of tablet 5");
        assert_eq!(found.expected, format!("crc32 {:08x}", crc32fast::hash(&noise(1, len))));
        assert_eq!(found.found, format!("crc32 {:08x}", crc32fast::hash(&noise(2, len))));
    }
}

#[tokio::test]
async fn bad_requests_are_refused_before_anything_is_sent() {
    let (_, repository) = memory().await;
    let session = session(&repository).await;
    let mut writer =
        session.writer(StreamOptions::default(), Limiter::unlimited(), no_progress(), CancellationToken::new());
    assert_eq!(writer.end_partition().await.unwrap_err().kind(), ErrorKind::Invalid);
    writer.begin_partition(1, 1, None).unwrap();
    assert_eq!(writer.begin_partition(1, 2, None).unwrap_err().kind(), ErrorKind::Invalid);
    let files = [("../x".to_owned(), Bytes::new())].into_iter().collect();
    let files = files_in(&files, &Arc::default());
    let failed =
        writer.add(TabletEntryIn { tablet: 5, bucket: 0, version: 1, lineage: None, meta: json!(1), files }).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Invalid);
    let mut summary = upload(&session, "s", &world(1, 10), &CancellationToken::new()).await.unwrap().summary;
    summary.label = "no spaces".into();
    assert_eq!(session.commit(summary.clone()).await.unwrap_err().kind(), ErrorKind::Invalid);
    summary.label = "x".repeat(129);
    assert_eq!(session.commit(summary.clone()).await.unwrap_err().kind(), ErrorKind::Invalid);
    summary.label = "fine".into();
    summary.timestamp = "yesterday".into();
    assert_eq!(session.commit(summary).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_empty_partition_has_no_pages() {
    let (_, repository) = memory().await;
    back_up(&repository, "s", &World::new()).await;
    assert_eq!(restore(&repository, "s").await.unwrap(), World::new());
}

#[tokio::test]
async fn dropped_snapshots_give_their_space_back_and_shared_files_stay() {
    let (store, repository) = memory().await;
    let mut world = world(10, 100_000);
    back_up(&repository, "a", &world).await;
    let old = world.clone();
    world.get_mut(&1003).unwrap().insert("1-0.parquet".into(), noise(500, 100_000));
    back_up(&repository, "b", &world).await;
    assert_eq!(
        repository.sweep_plan(&no_progress()).await.unwrap().objects().count(),
        1,
        "the first snapshot's index page"
    );
    let reading = session(&repository).await;
    let summary = repository.snapshot("a", Some(STAMP)).await.unwrap().unwrap();
    repository.drop_snapshot("a", Some(STAMP)).await.unwrap();
    assert_eq!(repository.drop_snapshot("a", None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        repository.drop_snapshot("b", Some("2000-01-01-00-00-00-000")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // A session that was open when it was there keeps it.
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap();
    let reader = repository.reader(&summary).await.unwrap();
    let table = reader.table(&reader.root().tables[0]).await.unwrap();
    let tablets: Vec<_> = futures::TryStreamExt::try_collect(reader.tablets(&table.partitions[0])).await.unwrap();
    assert_eq!(tablets.len(), 10);
    for tablet in &tablets {
        for file in &tablet.files {
            assert_eq!(reader.read(file, 1 << 20).await.unwrap(), old[&tablet.tablet][&file.name]);
        }
    }
    reading.close().await.unwrap();
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    assert!(plan.to_string().starts_with("sweep at generation 7: delete "), "{plan}");
    assert!(plan.objects().any(|(name, len)| name.ends_with(".1-0.parquet") && len == 100_000), "{plan}");
    let swept = repository.sweep(&plan, &no_progress()).await.unwrap();
    assert!((100_000..130_000).contains(&swept.bytes), "one segment and manifests: {swept:?}");
    assert_eq!(restore(&repository, "b").await.unwrap(), world);
    assert_eq!(
        repository.sweep_plan(&no_progress()).await.unwrap().objects().count(),
        0,
        "a sweep leaves nothing to sweep"
    );
    let ten = names(&*store, "data").await.into_iter().filter(|name| name.ends_with("1-0.parquet")).count();
    assert_eq!(ten, 10);
}

#[tokio::test]
async fn only_so_many_sessions_are_open_at_one_time() {
    let (_, repository) = memory().await;
    let mut open = Vec::new();
    for _ in 0..repository::SESSIONS_MAX {
        open.push(session(&repository).await);
    }
    let id = repository.new_session_id().await.unwrap();
    let failed = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Busy);
    open[0].close().await.unwrap();
    repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap();
    // The largest legal summary still fits into the record.
    let mut summary = upload(&open[1], "s", &World::new(), &CancellationToken::new()).await.unwrap().summary;
    summary.label = "l".repeat(128);
    summary.database = "d".repeat(256);
    summary.cluster = "c".repeat(256);
    summary.bytes = u64::MAX;
    open[1].commit(summary).await.unwrap();
}

#[tokio::test]
async fn creating_is_adopting_what_is_there() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    assert_eq!(Repository::open(Arc::clone(&store)).await.unwrap_err().kind(), ErrorKind::NotFound);
    let mut creating = env::rt::JoinSet::new();
    for number in 0..8 {
        let store = Faulty::new(Arc::clone(&store), Faults { before: 10, after: 20, ..Faults::default() }, number);
        creating.spawn(async move { Repository::create(store, &format!("name {number}"), number).await });
    }
    let mut identities = Vec::new();
    while let Some(created) = creating.join_next().await {
        identities.push(created.unwrap().unwrap().identity().clone());
    }
    identities.dedup();
    assert_eq!(identities.len(), 1);
    let opened = Repository::open(store).await.unwrap();
    assert_eq!(opened.identity(), &identities[0]);
}
