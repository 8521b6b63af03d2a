//! BACKUP, RESTORE, CANCEL, time limits, DROP SNAPSHOT: one operator who does one thing after the other.

use crate::machine::Lost;
use crate::model::{Content, Window};
use crate::workload::{may_pass, reads};
use crate::world::{DATABASE, REPOSITORY, World, acknowledged};
use catalog::records::job::{JobKind, JobRecord};
use catalog::{At, keys};
use env::rt::Duration;
use env::rt::time::sleep;
use node::error::{EngineError, ErrorKind};

/// A job ends within its time limit and this much more, once nothing lies any more.
const GRACE: Duration = Duration::from_mins(5);

/// How often a job is looked at.
const LOOK_EVERY_MS: u64 = 250;

/// What is known of a snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What it may hold.
    pub window: Window,
    /// What it held when it was first restored.
    pub content: Option<Content>,
    /// Whether its backup was acknowledged.
    pub finished: bool,
    /// Whether it was dropped, or that was tried.
    pub dropped: bool,
}

impl Snapshot {
    /// Whether it must be there.
    pub fn is_certain(&self) -> bool {
        self.finished && !self.dropped
    }
}

/// Works until the time is over; what this operator makes has names that begin with `name`.
pub async fn snapshots(world: World, name: &str) {
    let mut number = 0;
    while world.goes_on() {
        sleep(Duration::from_millis(env::rand::below(4_000))).await;
        number += 1;
        backup(&world, &format!("{name}s{number}")).await;
        if world.plan.shape.restores && env::rand::below(2) == 0 {
            restore_beside(&world, &format!("{name}r{number}")).await;
        }
        if world.plan.shape.overwrites && env::rand::below(3) == 0 {
            restore_over(&world).await;
        }
        if env::rand::below(100) < u64::from(world.plan.shape.drops) {
            drop_one(&world).await;
        }
        if env::rand::below(100) < u64::from(world.plan.shape.drops) {
            sweep(&world).await;
        }
    }
}

fn timeout_s(world: &World) -> u64 {
    let hurried = world.goes_on() && env::rand::below(100) < u64::from(world.plan.shape.timeouts);
    if hurried { 1 + env::rand::below(20) } else { 3_600 }
}

fn any<T: Clone>(of: &[T]) -> Option<T> {
    of.get(usize::try_from(env::rand::below(of.len() as u64)).unwrap_or(0)).cloned()
}

/// A job to be submitted.
struct Order<'a> {
    kind: JobKind,
    database: &'a str,
    label: &'a str,
    text: String,
}

/// Submits a job, and follows it to its end. None when it was never submitted.
async fn run(world: &World, order: &Order<'_>) -> Option<JobRecord> {
    let before = last(world, order).await.map(|job| job.id);
    let submitted = |job: &JobRecord| Some(job.id) != before;
    loop {
        if order.kind == JobKind::Backup
            && let Some(snapshot) = world.snapshots.lock().get_mut(order.label)
        {
            // What was asked for before was refused: the cut comes later.
            snapshot.window = world.open_window();
        }
        match world.machine.sql(Some(DATABASE), order.text.clone()).await {
            Ok(Ok(_)) => break,
            Ok(Err(failed)) => {
                check_refusal(world, &order.text, &failed);
                // What refuses it may be its own first attempt, of which the answer was lost.
                if last(world, order).await.as_ref().is_some_and(submitted) {
                    break;
                }
                if !may_pass(&failed) || !world.goes_on() {
                    return None;
                }
            }
            Err(Lost) => {
                if last(world, order).await.as_ref().is_some_and(submitted) {
                    break;
                }
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
    follow(world, order, submitted).await
}

async fn follow(world: &World, order: &Order<'_>, submitted: impl Fn(&JobRecord) -> bool) -> Option<JobRecord> {
    let kind = order.kind;
    let cancel = (world.goes_on() && env::rand::below(100) < u64::from(world.plan.shape.cancels))
        .then(|| env::rand::below(5_000) / LOOK_EVERY_MS * LOOK_EVERY_MS);
    let mut passed_ms = 0;
    loop {
        let Some(job) = last(world, order).await.filter(|job| submitted(job)) else {
            // Jobs are not forgotten within the time of a run.
            std::panic::panic_any(format!("a submitted {kind} with label {} is gone", order.label));
        };
        world.reach(format!("{kind} {}", job.state_name()));
        if job.is_done() && job.is_cleaned() {
            return Some(job);
        }
        let limit = Duration::from_secs(job.timeout_s) + Duration::from_millis(world.plan.shape.length_ms) + GRACE;
        assert!(
            Duration::from_millis(passed_ms) < limit,
            "job {} is still {} after {passed_ms} ms (cleaned: {}); its limit is {} s: {}",
            job.id,
            job.state_name(),
            job.is_cleaned(),
            job.timeout_s,
            job.status
        );
        if cancel == Some(passed_ms) && !job.is_done() {
            world.reach(format!("{kind} {} | cancel", job.state_name()));
            let word = if kind == JobKind::Backup { "BACKUP" } else { "RESTORE" };
            match world.machine.sql(None, format!("CANCEL {word} FROM {}", order.database)).await {
                Ok(Ok(_)) => tracing::info!(label = order.label, "cancelled"),
                Ok(Err(failed)) => tracing::info!(error = %failed, "not cancelled"),
                Err(Lost) => {}
            }
        }
        sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        passed_ms += LOOK_EVERY_MS;
    }
}

/// Statements of this operator are right: what refuses them must be passing, or a fault that the plan has.
fn check_refusal(world: &World, text: &str, failed: &EngineError) {
    let dropped = world.snapshots.lock().values().any(|snapshot| snapshot.dropped);
    let fine = may_pass(failed)
        || failed.kind == ErrorKind::AlreadyExists
        || (failed.kind == ErrorKind::NotFound && dropped)
        || world.plan.hurts_disk()
        || (failed.kind == ErrorKind::Corrupt && world.plan.damages_bodies());
    if !fine {
        std::panic::panic_any(format!("{text}: {failed} ({:?})", failed.kind));
    }
}

/// The last job of the order's kind and label in its database, asked for until there is an answer.
async fn last(world: &World, order: &Order<'_>) -> Option<JobRecord> {
    loop {
        let asked = world
            .machine
            .call(|engine| async move { engine.catalog().list::<JobRecord>(keys::JOBS, At::Latest).await });
        match asked.await {
            Ok(Ok(jobs)) => {
                let jobs = jobs.into_iter().map(|stored| stored.record);
                let ours = |job: &JobRecord| {
                    job.kind() == order.kind && job.label == order.label && job.database_name == order.database
                };
                return jobs.filter(ours).max_by_key(|job| job.id);
            }
            Ok(Err(failed)) => tracing::debug!(error = %failed, "jobs are not told"),
            Err(Lost) => {}
        }
        sleep(Duration::from_millis(300)).await;
    }
}

/// Takes a snapshot.
pub async fn backup(world: &World, label: &str) {
    let window = world.open_window();
    let snapshot = Snapshot { window, content: None, finished: false, dropped: false };
    world.snapshots.lock().insert(label.to_owned(), snapshot);
    let limit = timeout_s(world);
    let text = format!(
        "BACKUP SNAPSHOT {DATABASE}.{label} TO {REPOSITORY} PROPERTIES ('type' = 'full', 'timeout' = '{limit}')"
    );
    let ended = run(world, &Order { kind: JobKind::Backup, database: DATABASE, label, text }).await;
    let mut snapshots = world.snapshots.lock();
    let Some(snapshot) = snapshots.get_mut(label) else { return };
    world.close_window(&mut snapshot.window);
    match ended {
        Some(job) if job.state_name() == "FINISHED" => {
            snapshot.finished = true;
            world.seen.lock().snapshots += 1;
            tracing::info!(label, "a snapshot is acknowledged");
        }
        Some(job) => tracing::info!(label, status = %job.status, "no snapshot"),
        None => {}
    }
}

/// A snapshot that must be there, with its time stamp.
async fn choose(world: &World) -> Option<(String, Snapshot, String)> {
    let label = any(&acknowledged(world).into_iter().collect::<Vec<_>>())?;
    let snapshot = world.snapshots.lock().get(&label).cloned()?;
    let stamp = timestamp(world, &label).await?;
    Some((label, snapshot, stamp))
}

/// The time stamp of a snapshot as the repository tells it; none when it does not answer before the time is over.
async fn timestamp(world: &World, label: &str) -> Option<String> {
    loop {
        match crate::check::summaries(world).await {
            Ok(all) => {
                if let Some(found) = all.into_iter().find(|summary| summary.label == label) {
                    return Some(found.timestamp);
                }
                let certain = acknowledged(world).contains(label);
                assert!(!certain, "snapshot {label} was acknowledged and is not in the repository");
                return None;
            }
            Err(failed) => {
                tracing::debug!(error = failed, "the repository does not answer");
                if !world.goes_on() {
                    return None;
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// Restores some snapshot into a new database, checks it, and drops that database.
async fn restore_beside(world: &World, database: &str) {
    if let Some(chosen) = choose(world).await {
        beside(world, database, &chosen).await;
    }
}

/// Finds out what a snapshot holds exactly.
pub async fn learn(world: &World, label: &str) {
    restore_in_peace(world, label).await;
}

/// Restores a snapshot that must be there; nothing lies, so it must work.
///
/// # Panics
/// When it does not.
pub async fn restore_in_peace(world: &World, label: &str) {
    let stamp = loop {
        match timestamp(world, label).await {
            Some(stamp) => break stamp,
            None => sleep(Duration::from_millis(500)).await,
        }
    };
    let snapshot = world.snapshots.lock().get(label).cloned();
    let Some(snapshot) = snapshot else { return };
    let restored = beside(world, &format!("p_{label}"), &(label.to_owned(), snapshot, stamp)).await;
    assert!(restored, "snapshot {label} was acknowledged and cannot be restored in peace");
}

async fn beside(world: &World, database: &str, (label, snapshot, stamp): &(String, Snapshot, String)) -> bool {
    let text = restore_text(world, label, &format!("{database}."), stamp);
    let order = Order { kind: JobKind::Restore, database, label, text };
    let Some(job) = run(world, &order).await else { return false };
    if job.state_name() != "FINISHED" {
        tracing::info!(label, status = %job.status, "not restored");
        return false;
    }
    check_restored(world, database, label, snapshot).await;
    loop {
        match world.machine.sql_patiently(None, &format!("DROP DATABASE IF EXISTS {database} FORCE")).await {
            Ok(_) => return true,
            Err(failed) => tracing::info!(error = %failed, "the database is not dropped yet"),
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn restore_text(world: &World, label: &str, target: &str, stamp: &str) -> String {
    format!(
        "RESTORE SNAPSHOT {target}{label} FROM {REPOSITORY} PROPERTIES ('backup_timestamp' = '{stamp}', 'timeout' = '{}')",
        timeout_s(world)
    )
}

/// Promise: a restore gives exactly the snapshot: what it may hold, and the same each time.
async fn check_restored(world: &World, database: &str, label: &str, snapshot: &Snapshot) {
    let content = loop {
        match world.read(database).await {
            Ok(Some(content)) => break content,
            Ok(None) => {}
            Err(failed) if may_pass(&failed) || world.plan.hurts_disk() => {}
            Err(failed) => std::panic::panic_any(format!("what was restored cannot be read: {failed}")),
        }
        sleep(Duration::from_millis(300)).await;
    };
    if let Err(wrong) = world.model.lock().explain_since(&content, &snapshot.window) {
        std::panic::panic_any(format!("snapshot {label} does not hold its cut: {wrong}"));
    }
    let mut snapshots = world.snapshots.lock();
    if let Some(known) = snapshots.get_mut(label) {
        match &known.content {
            Some(before) => assert!(*before == content, "snapshot {label} was restored twice and differs"),
            None => known.content = Some(content),
        }
    }
    world.seen.lock().restores += 1;
    tracing::info!(label, database, "restored and checked");
}

/// Restores a snapshot over the tables that it was taken of, while readers go on.
pub async fn restore_over(world: &World) {
    let Some((label, snapshot, stamp)) = choose(world).await else { return };
    // What it holds exactly must be known first.
    let Some(content) = snapshot.content else { return };
    let nobody_loads = world.tables.write().await;
    *world.replacing.lock() = Some(content.clone());
    let text = restore_text(world, &label, "", &stamp);
    let done = run(world, &Order { kind: JobKind::Restore, database: DATABASE, label: &label, text }).await;
    if done.is_some_and(|job| job.state_name() == "FINISHED") {
        world.model.lock().replaced(content);
        world.seen.lock().restores += 1;
        tracing::info!(label, "restored over the tables");
    }
    *world.replacing.lock() = None;
    // Promise: exactly the snapshot, or exactly the old.
    while !reads::once(world).await {
        sleep(Duration::from_millis(300)).await;
    }
    drop(nobody_loads);
}

async fn sweep(world: &World) {
    let text = format!("SWEEP REPOSITORY {REPOSITORY}");
    match world.machine.sql(None, text.clone()).await {
        Ok(Ok(_)) => tracing::info!("swept"),
        Ok(Err(failed)) => check_refusal(world, &text, &failed),
        Err(Lost) => {}
    }
}

async fn drop_one(world: &World) {
    let Some(label) = any(&acknowledged(world).into_iter().collect::<Vec<_>>()) else { return };
    if let Some(snapshot) = world.snapshots.lock().get_mut(&label) {
        // From here on it may be there or not.
        snapshot.dropped = true;
    }
    let text = format!("DROP SNAPSHOT {label} ON {REPOSITORY}");
    match world.machine.sql(None, text.clone()).await {
        Ok(Ok(_)) => tracing::info!(label, "dropped"),
        Ok(Err(failed)) if failed.kind == ErrorKind::NotFound => {}
        Ok(Err(failed)) => check_refusal(world, &text, &failed),
        Err(Lost) => {}
    }
}
