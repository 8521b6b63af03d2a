//! Snapshots that are dropped, and the upkeep that gives their space back.

use crate::world::{Disks, PATIENCE, Stop, World, backup_of, change_shop, options, shop};
use async_trait::async_trait;
use catalog::records::job::{BackupState, JobWork};
use catalog::records::{BoundsRecord, RepositoryRecord, RetentionRecord, UpkeepRecord};
use catalog::{At, keys};
use env::ids::{JobId, RepositoryId};
use env::rt::{CancellationToken, Duration};
use object_store::ObjectStore;
use repository::{Location, Properties, Purpose, Repository, Swept, no_progress};
use snapshot::{
    BackupRequest, Connections, DropRequest, Error, ErrorKind, JobKind, JobRecord, Judged, Objects, Options,
    Repositories,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::time::{sleep, timeout};

fn drop_of(label: &str) -> DropRequest {
    DropRequest { label: label.into(), repository: "repo".into(), force: false }
}

/// Options of a node that looks after its repositories all the time.
fn busy() -> Options {
    Options { sweep_every: Duration::from_millis(20), ..options() }
}

/// Waits until the upkeep says so about the only repository.
async fn upkeep_until(world: &World, what: &str, reached: impl Fn(&UpkeepRecord) -> bool) -> UpkeepRecord {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(upkeep) = world.jobs.upkeep().await.unwrap().into_iter().find(&reached) {
                return upkeep;
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    found.await.unwrap_or_else(|_late| panic!("{what} does not come about"))
}

/// Waits until nothing is left to be swept.
async fn clean(world: &World) {
    let clean = timeout(PATIENCE, async {
        while world.repository().await.sweep_plan(&no_progress()).await.unwrap().objects().count() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    clean.await.expect("garbage stays");
}

async fn labels(world: &World) -> Vec<String> {
    world.repository().await.snapshots().await.unwrap().into_iter().map(|summary| summary.label).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_snapshot_gives_its_space_back_and_the_others_stay_whole() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    change_shop(&world, shop, 1).await;
    let cut = world.contents(shop).await;
    world.backup(shop, "second").await;
    world.jobs.drop_snapshot(&drop_of("first")).await.unwrap();
    assert_eq!(labels(&world).await, ["second"]);
    // Nobody has to wait for the next round: the drop asks for one.
    let upkeep = upkeep_until(&world, "a sweep", |upkeep| upkeep.swept_bytes > 0).await;
    assert_eq!((upkeep.garbage_bytes, upkeep.failures, upkeep.error), (0, 0, None));
    clean(&world).await;
    let job = world.restore("second", Some("copy"), Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(world.database("copy").await).await, cut);
    // The label is free again, and takes nothing of what is gone.
    world.backup(shop, "first").await;
    let job = world.restore("first", Some("again"), Objects::All).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(world.contents(world.database("again").await).await, cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_is_not_to_be_is_refused_with_the_reason() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    for label in ["nightly-1", "nightly-2", "weekly"] {
        world.backup(shop, label).await;
    }
    let refused = async |request: &DropRequest| {
        let failed = world.jobs.drop_snapshot(request).await.unwrap_err();
        (failed.kind(), failed.to_string())
    };
    let elsewhere = DropRequest { repository: "nope".into(), ..drop_of("weekly") };
    assert_eq!(
        refused(&elsewhere).await,
        (ErrorKind::NotFound, "repository nope does not exist; SHOW REPOSITORIES lists those that do".to_owned())
    );
    assert_eq!(
        refused(&drop_of("nightly-3")).await,
        (
            ErrorKind::NotFound,
            "snapshot nightly-3 does not exist in repository repo; did you mean nightly-1 or nightly-2?".to_owned()
        )
    );
    assert_eq!(
        refused(&DropRequest { force: true, ..drop_of("zzz") }).await.1,
        "snapshot zzz does not exist in repository repo; SHOW SNAPSHOT lists those that do"
    );
    assert_eq!(refused(&drop_of("a/b")).await.0, ErrorKind::Invalid);
    let stored = world.catalog.repository("repo", At::Latest).await.unwrap().unwrap();
    let record = RepositoryRecord { read_only: true, ..stored.record.clone() };
    world.catalog.change().replace(&stored, &record).commit().await.unwrap();
    assert_eq!(refused(&drop_of("weekly")).await, (ErrorKind::Denied, "repository repo is read only".to_owned()));
    assert_eq!(world.jobs.sweep("repo", false, &CancellationToken::new()).await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(labels(&world).await, ["nightly-1", "nightly-2", "weekly"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_a_job_here_writes_or_reads_is_not_dropped() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let disks = world.close().await;

    let stop = Stop::at("backup.uploading");
    let world = World::open_with(&disks, options(), &stop).await;
    let id = world.jobs.submit_backup(backup_of(shop, "second")).await.unwrap();
    stop.reached().await;
    let failed = world.jobs.drop_snapshot(&DropRequest { force: true, ..drop_of("second") }).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Busy);
    assert_eq!(
        failed.to_string(),
        format!(
            "snapshot second cannot be dropped: it is being written by backup job {id} of database shop; wait for the job, \
             or end it with CANCEL BACKUP FROM shop"
        )
    );
    world.jobs.cancel(shop, JobKind::Backup).await.unwrap();
    assert!(matches!(world.jobs.drop_snapshot(&drop_of("second")).await, Err(Error::UnknownLabel { .. })));
    let disks = world.close().await;

    let stop = Stop::at("restore.downloading");
    let world = World::open_with(&disks, options(), &stop).await;
    let request = world.restore_of("first", Some("copy"), Objects::All).await;
    let id = world.jobs.submit_restore(request).await.unwrap();
    stop.reached().await;
    let failed = world.jobs.drop_snapshot(&DropRequest { force: true, ..drop_of("first") }).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        format!(
            "snapshot first cannot be dropped: it is being read by restore job {id} of database copy; wait for the job, or \
             end it with CANCEL RESTORE FROM copy"
        )
    );
    let copy = world.jobs.database("copy").await.unwrap().unwrap();
    world.jobs.cancel(copy, JobKind::Restore).await.unwrap();
    world.jobs.drop_snapshot(&drop_of("first")).await.unwrap();
    clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_has_registered_reads_a_snapshot_that_is_dropped_before_its_first_file() {
    let ours = World::open(&Disks::new()).await;
    let shop_here = shop(&ours).await;
    ours.backup(shop_here, "ours").await;
    let cut = ours.contents(shop_here).await;
    // Its session is open, and no node has looked at the snapshot yet.
    let stop = Stop::at("restore.download");
    let theirs = World::open_with(&ours.disks.beside(), options(), &stop).await;
    theirs.create_repository().await;
    let id = theirs.jobs.submit_restore(theirs.restore_of("ours", None, Objects::All).await).await.unwrap();
    stop.reached().await;
    ours.jobs.drop_snapshot(&drop_of("ours")).await.unwrap();
    ours.jobs.sweep("repo", false, &CancellationToken::new()).await.unwrap();
    let theirs = World::open(&theirs.close().await).await;
    let job = theirs.end(id).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(theirs.contents(theirs.database("shop").await).await, cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clusters_on_one_repository_each_drops_its_own() {
    let ours = World::open(&Disks::new()).await;
    let shop_here = shop(&ours).await;
    ours.backup(shop_here, "ours").await;
    let stop = Stop::at("restore.downloading");
    let theirs = World::open_with(&ours.disks.beside(), options(), &stop).await;
    theirs.create_repository().await;
    let failed = theirs.jobs.drop_snapshot(&drop_of("ours")).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Denied);
    let text = failed.to_string();
    assert!(text.starts_with("snapshot ours of database shop in repository repo was made by cluster "), "{text}");
    assert!(text.ends_with(", not by this one; DROP SNAPSHOT ours ON repo FORCE drops it all the same"), "{text}");

    // A restore that another cluster has begun goes on: its session keeps what it reads.
    let cut = ours.contents(shop_here).await;
    let id = theirs.jobs.submit_restore(theirs.restore_of("ours", None, Objects::All).await).await.unwrap();
    stop.reached().await;
    ours.jobs.drop_snapshot(&drop_of("ours")).await.unwrap();
    assert_eq!(labels(&ours).await, Vec::<String>::new());
    let kept = upkeep_until(&ours, "a sweep", |upkeep| upkeep.swept_generation.is_some()).await;
    assert_eq!(kept.failures, 0, "{kept:?}");
    let theirs = World::open(&theirs.close().await).await;
    let job = theirs.end(id).await;
    assert_eq!(job.state_name(), "FINISHED", "{}", job.status);
    assert_eq!(theirs.contents(theirs.database("shop").await).await, cut);
    // Now nobody reads it any more.
    ours.jobs.sweep("repo", false, &CancellationToken::new()).await.unwrap();
    clean(&ours).await;
    theirs.jobs.drop_snapshot(&DropRequest { force: true, ..drop_of("ours") }).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_lost_its_machine_is_done_again() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    change_shop(&template, shop, 1).await;
    let cut = template.contents(shop).await;
    template.backup(shop, "second").await;
    let template = template.close().await;
    for (seed, point) in (0..6).flat_map(|seed| [(seed, "upkeep.sweep"), (seed, "upkeep.sweep.done")]) {
        let stop = Stop::at(point);
        let world = World::open_with(&template.copy(), options(), &stop).await;
        world.jobs.drop_snapshot(&drop_of("first")).await.unwrap();
        stop.reached().await;
        let world = World::open_with(&world.crash(seed), busy(), &Stop::default()).await;
        upkeep_until(&world, "a sweep", |upkeep| upkeep.swept_ms.is_some()).await;
        clean(&world).await;
        assert_eq!(labels(&world).await, ["second"], "{point}, seed {seed}: what was answered is kept");
        let job = world.restore("second", Some("copy"), Objects::All).await;
        assert_eq!(job.state_name(), "FINISHED", "{point}, seed {seed}: {}", job.status);
        assert_eq!(world.contents(world.database("copy").await).await, cut, "{point}, seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_asked_for_tells_what_it_deletes_and_a_dry_run_deletes_nothing() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    world.jobs.drop_snapshot(&drop_of("first")).await.unwrap();
    clean(&world).await;
    world.backup(shop, "second").await;
    world.repository().await.drop_snapshot("second", None).await.unwrap();
    let sweep = async |dry_run| world.jobs.sweep("repo", dry_run, &CancellationToken::new()).await.unwrap();
    let (planned, nothing) = sweep(true).await;
    assert!(planned.bytes() > 0 && planned.objects().count() > 0, "{planned}");
    assert_eq!(nothing, Swept::default());
    assert_eq!(sweep(true).await.0, planned);
    let (plan, swept) = sweep(false).await;
    assert_eq!((&plan, swept.bytes, swept.refused), (&planned, planned.bytes(), 0));
    assert_eq!(sweep(false).await.0.objects().count(), 0);
    let upkeep = world.jobs.upkeep().await.unwrap();
    assert!(upkeep[0].swept_total_bytes >= planned.bytes(), "{upkeep:?}");
    assert_eq!(
        world.jobs.sweep("nope", true, &CancellationToken::new()).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_whose_time_is_over_is_dropped_and_the_last_of_its_database_is_not() {
    let world = World::open_with(&Disks::new(), busy(), &Stop::default()).await;
    let shop = shop(&world).await;
    let brief = async |label: &str| {
        let properties = [("ttl".to_owned(), "1 SECOND".to_owned())].into();
        let id = world.jobs.submit_backup(BackupRequest { properties, ..backup_of(shop, label) }).await.unwrap();
        assert_eq!(world.end(id).await.state_name(), "FINISHED");
    };
    brief("brief").await;
    let summary = world.repository().await.snapshot("brief", None).await.unwrap().unwrap();
    assert_eq!(summary.expires_ms, Some(summary.finished_ms + 1_000));
    // Alone it stays, however late it is.
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(labels(&world).await, ["brief"]);
    world.backup(shop, "lasting").await;
    upkeep_until(&world, "the expiry", |upkeep| upkeep.expired_total == 1).await;
    assert_eq!(labels(&world).await, ["lasting"]);
    clean(&world).await;
    world.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_drops_the_old_ones_of_this_cluster_and_spares_what_is_held_or_read() {
    let disks = Disks::new();
    let world = World::open(&disks).await;
    let shop = shop(&world).await;
    for label in ["a", "b", "c", "d"] {
        world.backup(shop, label).await;
    }
    let theirs = World::open(&disks.beside()).await;
    theirs.create_repository().await;
    let there = theirs.create_database("shop").await;
    theirs.create_table(there, crate::world::orders_table(), &[("orders", BoundsRecord::All, 1)]).await;
    for label in ["x", "y"] {
        theirs.backup(there, label).await;
    }
    let stop = CancellationToken::new();
    let words = |judged: &[Judged]| {
        judged.iter().map(|judged| format!("{} {}", judged.summary.label, judged.decision)).collect::<Vec<_>>()
    };
    let one = RetentionRecord { keep_last: Some(1), keep_within_ms: None, min: 1 };
    let plan = world.jobs.apply_retention("repo", Some(one), true, &stop).await.unwrap();
    assert_eq!(words(&plan), ["d KEEP", "c DROP", "b DROP", "a DROP"]);
    let freed = |judged: &[Judged]| judged.iter().filter_map(|judged| judged.freed_bytes).sum::<u64>();
    let usage = world.repository().await.usage(&stop).await.unwrap();
    assert_eq!((freed(&plan), plan[0].freed_bytes), (usage.freed_by(&["a", "b", "c"]), None));
    assert_eq!(labels(&world).await, ["a", "b", "c", "d", "x", "y"], "a dry run drops nothing");

    world.jobs.hold_snapshot("repo", "b", "case 7").await.unwrap();
    let done = world.jobs.apply_retention("repo", Some(one), false, &stop).await.unwrap();
    assert_eq!(words(&done), ["d KEEP", "c DROPPED", "b KEEP", "a DROPPED"]);
    assert_eq!(done[2].reason, "held: case 7");
    assert_eq!(labels(&world).await, ["b", "d", "x", "y"]);
    // What the repository is set to is applied without being asked for.
    world.jobs.release_snapshot("repo", "b").await.unwrap();
    world.jobs.set_retention("repo", Some(one)).await.unwrap();
    upkeep_until(&world, "the retention", |upkeep| upkeep.expired_total > 0).await;
    assert_eq!(labels(&world).await, ["d", "x", "y"]);
    let disks = world.close().await;

    // A RESTORE that reads a snapshot is not disturbed.
    let stopped = Stop::at("restore.downloading");
    let world = World::open_with(&disks, options(), &stopped).await;
    let id = world.jobs.submit_restore(world.restore_of("d", Some("copy"), Objects::All).await).await.unwrap();
    stopped.reached().await;
    world.backup(shop, "e").await;
    let done = world.jobs.apply_retention("repo", None, false, &stop).await.unwrap();
    assert_eq!(words(&done), ["e KEEP", "d IN USE"]);
    assert!(done[1].reason.contains(&format!("being read by restore job {id}")), "{}", done[1].reason);
    let disks = world.close().await;
    let world = World::open(&disks).await;
    assert_eq!(world.end(id).await.state_name(), "FINISHED");
    let done = world.jobs.apply_retention("repo", None, false, &stop).await.unwrap();
    assert_eq!(words(&done), ["e KEEP", "d DROPPED"]);
    assert_eq!(world.jobs.set_retention("nope", None).await.unwrap_err().kind(), ErrorKind::NotFound);
    clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_snapshot_is_not_dropped_by_anybody() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "nightly").await;
    world.jobs.hold_snapshot("repo", "nightly", "").await.unwrap();
    world.jobs.hold_snapshot("repo", "nightly", "").await.unwrap();
    for force in [false, true] {
        let failed = world.jobs.drop_snapshot(&DropRequest { force, ..drop_of("nightly") }).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Denied);
        assert_eq!(
            failed.to_string(),
            "snapshot nightly in repository repo is held; RELEASE SNAPSHOT nightly ON repo lets go of it"
        );
    }
    let failed = world.jobs.hold_snapshot("repo", "nightly", "case 7").await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Denied);
    let failed = world.jobs.hold_snapshot("repo", "night", "x").await.unwrap_err();
    assert_eq!(failed.to_string(), "snapshot night does not exist in repository repo; did you mean nightly?");
    world.jobs.release_snapshot("repo", "nightly").await.unwrap();
    let failed = world.jobs.release_snapshot("repo", "nightly").await.unwrap_err();
    assert_eq!(
        (failed.kind(), failed.to_string().as_str()),
        (ErrorKind::Invalid, "snapshot nightly in repository repo is not held")
    );
    world.jobs.hold_snapshot("repo", "nightly", "case 7").await.unwrap();
    let failed = world.jobs.drop_snapshot(&drop_of("nightly")).await.unwrap_err().to_string();
    assert!(failed.contains("is held (case 7); RELEASE SNAPSHOT nightly ON repo"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_dead_jobs_are_ended_and_those_of_others_are_not() {
    let world = World::open_with(&Disks::new(), busy(), &Stop::default()).await;
    let shop = shop(&world).await;
    let job = world.backup(shop, "first").await;
    let repository = world.repository().await;
    let open = async || {
        let id = repository.new_session_id().await.unwrap();
        repository.open_session(&id, Purpose::Backup, "somebody", 1).await.unwrap();
        id
    };
    let (dead, foreign) = (open().await, open().await);
    // The job could not reach its repository for an hour when it ended.
    let progress = BackupState::Cancelled { session: Some(dead.to_string()), cleaned: true };
    let gone =
        JobRecord { id: JobId(world.catalog.allocate(1).await.unwrap()), work: JobWork::Backup { progress }, ..job };
    world.catalog.change().create(&gone).commit().await.unwrap();
    let ended = timeout(PATIENCE, async {
        while repository.sessions().await.unwrap().len() > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    ended.await.expect("the session stays open");
    assert_eq!(repository.sessions().await.unwrap()[0].id, foreign);
    repository.fence(&foreign).await.unwrap();
}

/// Repositories that cannot be reached for a while.
#[derive(Debug)]
struct Away {
    inner: Connections,
    times: AtomicU32,
}

#[async_trait]
impl Repositories for Away {
    fn connect(&self, location: &Location, properties: &Properties) -> snapshot::Result<Arc<dyn ObjectStore>> {
        self.inner.connect(location, properties)
    }
    fn seal(&self, given: &BTreeMap<String, String>) -> snapshot::Result<BTreeMap<String, String>> {
        self.inner.seal(given)
    }
    fn store(&self, record: &RepositoryRecord) -> snapshot::Result<Arc<dyn ObjectStore>> {
        self.inner.store(record)
    }
    async fn open(&self, record: &RepositoryRecord) -> snapshot::Result<Repository> {
        if self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::Outside { kind: ErrorKind::Unavailable, message: "the network is down".into() });
        }
        self.inner.open(record).await
    }
    async fn forget(&self, id: RepositoryId) {
        self.inner.forget(id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_that_fails_is_told_and_tried_again() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    template.repository().await.drop_snapshot("first", None).await.unwrap();
    let disks = template.close().await;
    let disk = disks.repository.clone();
    let away = Away { inner: Connections::new(move |_| Arc::new(disk.clone())), times: AtomicU32::new(3) };
    let pauses =
        Options { retry_pause: Duration::from_millis(200), retry_pause_max: Duration::from_millis(200), ..busy() };
    let world = World::open_custom(&disks, pauses, &Stop::default(), |source| source, Arc::new(away)).await;
    let failing = upkeep_until(&world, "a failure", |upkeep| upkeep.failures > 0).await;
    assert!(failing.error.as_ref().is_some_and(|error| error.contains("the network is down")), "{failing:?}");
    assert_eq!(failing.swept_ms, None);
    let healed = upkeep_until(&world, "a sweep", |upkeep| upkeep.swept_ms.is_some()).await;
    assert_eq!((healed.failures, healed.failed_total, healed.error), (0, 3, None));
    clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_read_only_is_never_swept_and_one_that_is_dropped_is_forgotten() {
    let disks = Disks::new();
    let world = World::open_with(&disks, busy(), &Stop::default()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    upkeep_until(&world, "a round", |upkeep| upkeep.ended_ms.is_some()).await;
    let reader = World::open_with(&disks.beside(), busy(), &Stop::default()).await;
    let id = RepositoryId(reader.catalog.allocate(1).await.unwrap());
    let stored = world.catalog.repository("repo", At::Latest).await.unwrap().unwrap();
    let record = RepositoryRecord { id, read_only: true, ..stored.record.clone() };
    let claim = keys::repository_name("repo");
    reader.catalog.change().claim_name(claim.clone(), id.0).create(&record).commit().await.unwrap();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(reader.jobs.upkeep().await.unwrap(), []);
    let (dry, _) = reader.jobs.sweep("repo", true, &CancellationToken::new()).await.unwrap();
    assert_eq!(dry.generation(), world.repository().await.generation().await.unwrap());

    world.catalog.change().delete(&stored).release_name(claim).commit().await.unwrap();
    let forgotten = timeout(PATIENCE, async {
        while !world.jobs.upkeep().await.unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    forgotten.await.expect("what was noted of it stays");
}
