//! VERIFY REPOSITORY as a job: what it tells, and that neither a crash nor a cancel leaves anything.

use crate::damage::files;
use crate::world::{Disks, PATIENCE, Stop, World, change_shop, options, shop};
use catalog::At;
use catalog::records::VerifyRecord;
use env::disk::Disk;
use env::rt::Duration;
use repository::Purpose;
use snapshot::{DropRequest, ErrorKind, Options, VerifyRequest};
use std::collections::BTreeMap;
use tokio::time::{sleep, timeout};

fn verify_of(level: &str) -> VerifyRequest {
    VerifyRequest {
        repository: "repo".into(),
        label: None,
        level: Some(level.into()),
        properties: BTreeMap::new(),
        user: "root".into(),
    }
}

async fn verified(world: &World, request: VerifyRequest) -> VerifyRecord {
    let id = world.jobs.submit_verify(request).await.unwrap();
    world.jobs.wait_verify(id, PATIENCE).await.unwrap()
}

/// What is known of each snapshot: label, verdict, level, whether its data was proven.
async fn known(world: &World) -> Vec<(String, String, String, bool)> {
    let repository = world.catalog.repository("repo", At::Latest).await.unwrap().unwrap();
    let proofs = world.jobs.proofs(repository.id).await.unwrap().into_values();
    proofs.map(|proof| (proof.label, proof.verdict, proof.level, proof.proven_ms.is_some())).collect()
}

async fn no_session_is_left(world: &World) {
    let ended = timeout(PATIENCE, async {
        while !world.repository().await.sessions().await.unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    ended.await.expect("a session stays open");
}

fn row(label: &str, verdict: &str, level: &str, proven: bool) -> (String, String, String, bool) {
    (label.to_owned(), verdict.to_owned(), level.to_owned(), proven)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_repository_is_proven_at_the_level_that_was_asked_for() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    change_shop(&world, shop, 1).await;
    world.backup(shop, "second").await;
    for (level, proven) in [("meta", false), ("size", false), ("full", true), ("meta", true)] {
        let job = verified(&world, verify_of(level)).await;
        assert_eq!(job.progress.name(), "FINISHED", "{}", job.status);
        let outcome = job.outcome().unwrap();
        assert_eq!((outcome.verdict.as_str(), outcome.snapshots["sound"]), ("sound", 2), "{level}");
        assert!(outcome.records > 0 && outcome.pages > 0 && job.bytes_read > 0);
        assert_eq!(outcome.bytes_checked > 0, level == "full");
        assert_eq!(known(&world).await, [row("first", "sound", level, proven), row("second", "sound", level, proven)]);
        assert_eq!(world.repository().await.sessions().await.unwrap(), []);
    }
    let only = VerifyRequest { label: Some("second".into()), ..verify_of("SAMPLE = 50 %") };
    let job = verified(&world, only).await;
    assert_eq!((job.level.as_str(), job.outcome().unwrap().snapshots["sound"]), ("sample=50%", 1));
    let levels: Vec<String> = known(&world).await.into_iter().map(|(_, _, level, _)| level).collect();
    assert_eq!(levels, ["meta", "sample=50%"]);
    let all = world.jobs.verifiers(Some("repo")).await.unwrap();
    assert_eq!(
        all.iter().map(|job| job.level.as_str()).collect::<Vec<_>>(),
        ["sample=50%", "meta", "full", "size", "meta"]
    );
    let shown = snapshot::view::verifier(&all[0]);
    let cell = |name| shown.iter().find(|(column, _)| *column == name).unwrap().1.as_deref();
    assert_eq!((cell("Snapshot"), cell("Progress"), cell("Verdict")), (Some("second"), Some("100%"), Some("sound")));
    // What is known of a snapshot goes with it.
    let request = DropRequest { label: "first".into(), repository: "repo".into(), force: false };
    world.jobs.drop_snapshot(&request).await.unwrap();
    let forgotten = timeout(PATIENCE, async {
        while known(&world).await.len() > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    forgotten.await.expect("what was known of a dropped snapshot stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_with_the_snapshots_that_it_hits() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let old = files(&template.disks.repository, "data");
    change_shop(&template, shop, 1).await;
    template.backup(shop, "second").await;
    let template = template.close().await;
    let new = files(&template.repository, "data").into_iter().find(|path| !old.contains(path)).unwrap();
    let middle = template.repository.len(&new).unwrap() / 2;
    template.repository.flip_bit(&new, usize::try_from(middle).unwrap()).unwrap();

    let world = World::open(&template).await;
    assert_eq!(verified(&world, verify_of("size")).await.outcome().unwrap().verdict, "sound", "lengths are right");
    let job = verified(&world, verify_of("full")).await;
    let outcome = job.outcome().unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.damaged.join(",").as_str()), ("damaged", "second"));
    assert_eq!(outcome.kinds["bad_checksum"], 1);
    let findings = world.jobs.findings(job.id).await.unwrap();
    assert_eq!((findings[0].kind.as_str(), findings[0].object.as_str()), ("bad_checksum", &*new));
    assert!(findings[1..].iter().all(|finding| finding.severity == "note"), "{findings:?}");
    assert_eq!((findings[0].snapshots.join(",").as_str(), findings[0].severity.as_str()), ("second", "error"));
    assert!(!findings[0].advice.is_empty() && findings[0].expected != findings[0].found);
    assert_eq!(known(&world).await, [row("first", "sound", "full", true), row("second", "damaged", "full", false)]);
    let shown = snapshot::view::verifier(&job);
    let message = shown.last().unwrap().1.clone().unwrap();
    assert!(message.starts_with("not sound: second; information_schema.verify_findings"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_opened_is_verified_all_the_same() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let template = template.close().await;
    template.repository.flip_bit("repository.json", 20).unwrap();
    let world = World::open(&template).await;
    let job = verified(&world, verify_of("full")).await;
    assert_eq!(job.progress.name(), "FINISHED", "{}", job.status);
    let findings = world.jobs.findings(job.id).await.unwrap();
    assert!(findings.iter().any(|finding| finding.object == "repository.json"), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_lost_its_machine_begins_anew_and_leaves_no_session() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let template = template.close().await;
    for (seed, point) in (1..).zip(["verify.pending", "verify.verifying", "verify.looked", "verify.kept"]) {
        let stop = Stop::at(point);
        let world = World::open_with(&template.copy(), options(), &stop).await;
        let id = world.jobs.submit_verify(verify_of("full")).await.unwrap();
        stop.reached().await;
        if point == "verify.verifying" {
            // It had come a little further than its record.
            let session = world.jobs.verifiers(None).await.unwrap()[0].progress.session().unwrap().parse().unwrap();
            world.repository().await.open_session(&session, Purpose::Verify, "it", 1).await.unwrap();
        }
        let world = World::open(&world.crash(seed)).await;
        let job = world.jobs.wait_verify(id, PATIENCE).await.unwrap();
        assert_eq!(job.progress.name(), "FINISHED", "{point}: {}", job.status);
        assert_eq!(known(&world).await, [row("first", "sound", "full", true)], "{point}");
        assert_eq!(world.jobs.uses_repository(job.repository).await.unwrap(), None, "{point}");
        no_session_is_left(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_is_no_end_of_a_verifier() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let disks = template.close().await;
    let world = World::open(&disks).await;
    let id = world.jobs.submit_verify(verify_of("full")).await.unwrap();
    let world = World::open(&world.close().await).await;
    let job = world.jobs.wait_verify(id, PATIENCE).await.unwrap();
    assert_eq!(job.progress.name(), "FINISHED", "{}", job.status);
    no_session_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_verifier_of_a_repository_runs_at_a_time_and_can_be_cancelled() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let stop = Stop::at("verify.looked");
    let world = World::open_with(&template.close().await, options(), &stop).await;
    assert_eq!(
        world.jobs.cancel_verify("repo").await.unwrap_err().to_string(),
        "repository repo is not being verified"
    );
    let id = world.jobs.submit_verify(verify_of("full")).await.unwrap();
    stop.reached().await;
    let failed = world.jobs.submit_verify(verify_of("meta")).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Busy);
    assert_eq!(
        failed.to_string(),
        format!("repository repo is being verified by job {id}; wait for it, or end it with CANCEL VERIFY FROM repo")
    );
    let repository = world.catalog.repository("repo", At::Latest).await.unwrap().unwrap().id;
    assert_eq!(world.jobs.uses_repository(repository).await.unwrap(), Some(id));
    // Backups go on beside it.
    world.backup(shop, "second").await;
    world.jobs.cancel_verify("repo").await.unwrap();
    let job = world.jobs.wait_verify(id, PATIENCE).await.unwrap();
    assert_eq!((job.progress.name(), job.status.message.as_str()), ("CANCELLED", "user cancelled"));
    assert_eq!(world.jobs.cancel_verify("repo").await.unwrap_err().kind(), ErrorKind::NotFound);
    no_session_is_left(&world).await;
    assert_eq!(world.jobs.findings(id).await.unwrap(), []);
    let world = World::open(&world.close().await).await;
    assert_eq!(verified(&world, verify_of("meta")).await.progress.name(), "FINISHED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_takes_too_long_ends() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let stop = Stop::at("verify.looked");
    let world = World::open_with(&template.close().await, options(), &stop).await;
    let properties = [("timeout".to_owned(), "1".to_owned())].into();
    let id = world.jobs.submit_verify(VerifyRequest { properties, ..verify_of("full") }).await.unwrap();
    stop.reached().await;
    let job = world.jobs.wait_verify(id, PATIENCE).await.unwrap();
    assert_eq!(job.progress.name(), "CANCELLED");
    assert_eq!(job.status.to_string(), "[TIMEOUT, not finished within 1 s, state: VERIFYING]");
    no_session_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_whose_session_is_ended_takes_another() {
    let template = World::open(&Disks::new()).await;
    let shop = shop(&template).await;
    template.backup(shop, "first").await;
    let disks = template.close().await;
    let stop = Stop::at("verify.verifying");
    let world = World::open_with(&disks, options(), &stop).await;
    let id = world.jobs.submit_verify(verify_of("full")).await.unwrap();
    stop.reached().await;
    let session = world.jobs.verifiers(None).await.unwrap()[0].progress.session().unwrap().parse().unwrap();
    let repository = world.repository().await;
    repository.open_session(&session, Purpose::Verify, "it", 1).await.unwrap();
    repository.fence(&session).await.unwrap();
    let world = World::open(&world.crash(1)).await;
    let job = world.jobs.wait_verify(id, PATIENCE).await.unwrap();
    assert_eq!(job.progress.name(), "FINISHED", "{}", job.status);
    no_session_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    let refused = async |request: VerifyRequest| {
        let failed = world.jobs.submit_verify(request).await.unwrap_err();
        (failed.kind(), failed.to_string())
    };
    for level in ["deep", "sample", "sample=0%", "sample=101%", ""] {
        let (kind, text) = refused(verify_of(level)).await;
        assert!(kind == ErrorKind::Invalid && text.contains(&format!("{level:?}")), "{text}");
    }
    let elsewhere = VerifyRequest { repository: "nope".into(), ..verify_of("meta") };
    assert_eq!(refused(elsewhere).await.0, ErrorKind::NotFound);
    let close = VerifyRequest { label: Some("frist".into()), ..verify_of("meta") };
    assert_eq!(
        refused(close).await,
        (ErrorKind::NotFound, "snapshot frist does not exist in repository repo; did you mean first?".to_owned())
    );
    let properties = [("timeout".to_owned(), "0".to_owned()), ("speed".to_owned(), "9".to_owned())].into();
    let (kind, text) = refused(VerifyRequest { properties, ..verify_of("meta") }).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains("\"timeout\" must be at least") && text.contains("unknown properties: [speed]"), "{text}");
    assert_eq!(world.jobs.verifiers(None).await.unwrap(), []);
    assert_eq!(world.jobs.verifiers(Some("nope")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn verifiers_are_forgotten_in_time_but_for_the_last_one() {
    let world = World::open(&Disks::new()).await;
    let shop = shop(&world).await;
    world.backup(shop, "first").await;
    verified(&world, verify_of("meta")).await;
    let last = verified(&world, verify_of("full")).await;
    let keep = Options { history_keep: Duration::ZERO, ..options() };
    let world = World::open_with(&world.close().await, keep, &Stop::default()).await;
    let trimmed = timeout(PATIENCE, async {
        while world.jobs.verifiers(None).await.unwrap().len() > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    trimmed.await.expect("an old verifier stays");
    assert_eq!(world.jobs.verifiers(None).await.unwrap()[0].id, last.id);
}
