use crate::world::{Disks, Stop, World, backup_of, options, shop};
use catalog::At;
use catalog::records::RepositoryRecord;
use snapshot::{ErrorKind, JobKind, ObjectSpec, Objects};

#[tokio::test(flavor = "multi_thread")]
async fn one_job_of_a_database_runs_at_a_time() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let stop = Stop::at("backup.uploading");
    let world = World::open_with(&world.close().await, options(), &stop).await;
    let id = world.jobs.submit_backup(backup_of(shop, "second")).await.unwrap();
    stop.reached().await;
    let failed = world.jobs.submit_backup(backup_of(shop, "third")).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Busy);
    assert_eq!(
        failed.to_string(),
        format!(
            "database shop has a running backup job {id} with label second; only one backup or restore of a database runs at a time"
        )
    );
    let request = world.restore_of("first", None, Objects::All).await;
    assert_eq!(world.jobs.submit_restore(request).await.unwrap_err().kind(), ErrorKind::Busy);
    // Another database is free, and the repository is in use.
    let repository = world.catalog.repository("repo", At::Latest).await.unwrap().unwrap();
    assert_eq!(world.jobs.uses_repository(repository.id).await.unwrap(), Some(id));
    world.jobs.cancel(shop, JobKind::Backup).await.unwrap();
    assert_eq!(world.jobs.uses_repository(repository.id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_submitted_at_once_one_is_taken() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    let submit = |number: i32| {
        let jobs = world.jobs.clone();
        async move { jobs.submit_backup(backup_of(shop, &format!("label-{number}"))).await }
    };
    let results = futures::future::join_all((0..8).map(submit)).await;
    let taken: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert!(!taken.is_empty());
    for failed in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(failed.kind(), ErrorKind::Busy, "{failed}");
    }
    for id in taken {
        assert_eq!(world.end(*id).await.state_name(), "FINISHED");
    }
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_before_anything_is_written() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let submit = |change: &dyn Fn(&mut snapshot::BackupRequest)| {
        let mut request = backup_of(shop, "label");
        change(&mut request);
        let jobs = world.jobs.clone();
        async move { jobs.submit_backup(request).await.unwrap_err() }
    };
    let failed = submit(&|request| request.label = "first".into()).await;
    assert_eq!(
        (failed.kind(), failed.to_string().as_str()),
        (ErrorKind::AlreadyExists, "snapshot first already exists in repository repo; choose another label")
    );
    for label in ["", "a/b", "*", "a.b", &"x".repeat(129)] {
        assert_eq!(submit(&|request| request.label = label.into()).await.kind(), ErrorKind::Invalid);
    }
    assert_eq!(submit(&|request| request.repository = "nope".into()).await.kind(), ErrorKind::NotFound);
    assert_eq!(submit(&|request| request.database = env::ids::DatabaseId(5)).await.kind(), ErrorKind::NotFound);
    let spec = |table: &str, alias: Option<&str>| ObjectSpec {
        table: table.into(),
        partitions: Some(vec!["p1".into(), "p8".into()]),
        alias: alias.map(str::to_owned),
    };
    let failed = submit(&|request| {
        request.objects = Objects::Listed(vec![spec("events", Some("e")), spec("nope", None), spec("nope", None)]);
    })
    .await;
    assert_eq!(failed.kind(), ErrorKind::Invalid);
    for part in [
        "cannot set an alias in BACKUP: events AS e",
        "partition p8 does not exist in table events",
        "table nope does not exist",
        "duplicated table nope",
    ] {
        assert!(failed.to_string().contains(part), "{part}: {failed}");
    }
    let empty = world.create_database("empty").await;
    assert_eq!(submit(&|request| request.database = empty).await.to_string(), "database empty is empty");
    assert_eq!(world.all_jobs().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_repository_takes_no_backup_and_gives_restores() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let stored = world.catalog.repository("repo", At::Latest).await.unwrap().unwrap();
    let record = RepositoryRecord { read_only: true, ..stored.record.clone() };
    world.catalog.change().replace(&stored, &record).commit().await.unwrap();
    let failed = world.jobs.submit_backup(backup_of(shop, "second")).await.unwrap_err();
    assert_eq!((failed.kind(), failed.to_string().as_str()), (ErrorKind::Denied, "repository repo is read only"));
    let generation = world.repository().await.generation().await.unwrap();
    assert_eq!(world.restore("first", Some("copy"), Objects::All).await.state_name(), "FINISHED");
    assert_eq!(world.repository().await.generation().await.unwrap(), generation, "nothing was written to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_names_what_it_does_not_find() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let stamp = world.timestamp("first").await;
    let request = world.restore_of("first", None, Objects::All).await;
    let mut wrong = request.clone();
    wrong.properties.insert("backup_timestamp".into(), "2020-01-01-00-00-00-000".into());
    let failed = world.jobs.submit_restore(wrong).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::NotFound);
    assert!(failed.to_string().contains(&format!("the label has {stamp}")), "{failed}");
    let mut wrong = request.clone();
    wrong.snapshot_database = Some("other".into());
    assert_eq!(
        world.jobs.submit_restore(wrong).await.unwrap_err().to_string(),
        "snapshot first is of database shop, not of other"
    );
    let mut wrong = request.clone();
    let spec = |table: &str, partition: &str| ObjectSpec {
        table: table.into(),
        partitions: Some(vec![partition.into()]),
        alias: None,
    };
    wrong.objects = Objects::Listed(vec![spec("events", "p9")]);
    assert_eq!(
        world.jobs.submit_restore(wrong).await.unwrap_err().to_string(),
        "partition p9 of table events does not exist in snapshot first"
    );
    let mut wrong = request.clone();
    wrong.properties.insert("replication_num".into(), "3".into());
    let failed = world.jobs.submit_restore(wrong).await.unwrap_err().to_string();
    assert!(failed.contains("failed to find 3 different hosts"), "{failed}");
    let mut wrong = request;
    wrong.properties.clear();
    assert!(world.jobs.submit_restore(wrong).await.unwrap_err().to_string().contains("backup_timestamp"));
    world.nothing_is_left().await;
}
