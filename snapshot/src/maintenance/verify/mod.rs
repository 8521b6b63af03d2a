//! VERIFY REPOSITORY as jobs: one driver for each that has not ended. [`state`] decides, the repository looks.

mod report;
pub(crate) mod state;

use super::open;
use crate::error::{Error, ErrorKind, Result, explain};
use crate::jobs::Shared;
use crate::journal::{self, Mirror};
use catalog::records::job::JobStatus;
use catalog::records::{RepositoryRecord, VerifyOutcome, VerifyRecord, VerifyState};
use catalog::{At, Record, Stored, keys};
use env::ids::{JobId, RepositoryId};
use env::rt::time::unix_millis;
use env::rt::{self, CancellationToken, Duration, JoinSet};
use futures::future::BoxFuture;
use repository::verify::{Level, Options, Report};
use state::{Duty, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often the bytes read are noted, and verifiers whose time on record is over are looked for.
const NOTE_EVERY: Duration = Duration::from_secs(2);

/// How often the history is looked through.
const TRIM_EVERY: Duration = Duration::from_mins(1);

/// Runs until `stop`: a driver for each verifier that has not ended, and the trimming of history.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) -> Result<()> {
    let mut jobs = Mirror::<VerifyRecord>::open(&shared.catalog, keys::VERIFIERS).await?;
    let mut drivers: JoinSet<JobId> = JoinSet::new();
    let mut driven = BTreeSet::new();
    let mut trim = rt::time::interval(TRIM_EVERY);
    loop {
        for job in jobs.records().values() {
            if !job.is_done() && driven.insert(job.id) {
                let (shared, stop, id) = (Arc::clone(&shared), stop.clone(), job.id);
                drivers.spawn(async move {
                    drive(&shared, id, &stop).await;
                    id
                });
            }
        }
        env::select! {
            () = stop.cancelled() => break,
            Some(ended) = drivers.join_next() => match ended {
                Ok(id) => drop(driven.remove(&id)),
                Err(failed) => tracing::error!(error = %failed, "a verifier's driver broke"),
            },
            () = jobs.changed() => {}
            _ = trim.tick() => trim_history(&shared, jobs.records()).await,
        }
    }
    // Each sees the same token, and ends its session before it ends.
    while drivers.join_next().await.is_some() {}
    Ok(())
}

/// Deletes verifiers that have ended long ago, but for the last that finished in each repository: the next one holds the
/// log against what that one has seen.
async fn trim_history(shared: &Shared, jobs: &BTreeMap<String, VerifyRecord>) {
    let keep_ms = u64::try_from(shared.options.history_keep.as_millis()).unwrap_or(u64::MAX);
    let now_ms = unix_millis();
    let mut last: BTreeMap<RepositoryId, JobId> = BTreeMap::new();
    for job in jobs.values().filter(|job| job.outcome().is_some()) {
        let newest = last.entry(job.repository).or_insert(job.id);
        *newest = job.id.max(*newest);
    }
    let old = |job: &&VerifyRecord| {
        job.is_done()
            && job.finished_ms.is_some_and(|ended| ended.saturating_add(keep_ms) <= now_ms)
            && last.get(&job.repository) != Some(&job.id)
    };
    for job in jobs.values().filter(old) {
        if let Err(failed) = forget(shared, job).await {
            tracing::warn!(job = %job.id, error = %explain(&failed), "an old verifier could not be removed");
        }
    }
}

/// Deletes a verifier with its findings.
pub(super) async fn forget(shared: &Shared, job: &VerifyRecord) -> Result<()> {
    report::forget(&shared.catalog, job.id).await?;
    journal::delete_keys(&shared.catalog, &[job.key()]).await
}

/// Steps a verifier until it has ended, or `stop`.
async fn drive(shared: &Shared, id: JobId, stop: &CancellationToken) {
    let mut failed = 0;
    loop {
        match step(shared, id, stop, &mut failed).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::debug!(job = %id, error = %explain(&error), "a verifier's step is begun anew");
                failed += 1;
                env::select! {
                    () = stop.cancelled() => return,
                    () = rt::time::sleep(shared.options.pause_after(failed)) => {}
                }
            }
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Does what there is to do next; whether there is more.
async fn step(shared: &Shared, id: JobId, stop: &CancellationToken, failed: &mut u32) -> Result<bool> {
    let Some(stored) = get(shared, id).await? else { return Ok(false) };
    if let Some(event) = state::timed_out(&stored, unix_millis()) {
        apply(shared, &stored, event).await?;
        return Ok(true);
    }
    let point = format!("verify.{}", stored.progress.name().to_lowercase());
    shared.options.pause.at(point).await;
    let done = match state::duty(&stored) {
        Duty::ChooseSession => choose_session(shared, &stored, stop).await,
        Duty::Verify => verify(shared, &stored, stop).await,
        Duty::Nothing => return Ok(false),
    };
    let event = match done {
        Ok(Some(event)) => event,
        // Its record says something else meanwhile, or it is to stop.
        Ok(None) => return Ok(true),
        Err(Error::Catalog(changed)) if changed.is_conflict() => return Ok(true),
        // What the stop has cut off goes on after the next start.
        Err(_) if stop.is_cancelled() => return Ok(true),
        Err(error) if error.is_transient() && *failed < shared.options.retries => {
            tracing::warn!(job = %id, failed, error = %explain(&error), "a verifier failed; trying again");
            return Err(error);
        }
        Err(error) => Event::End(JobStatus { code: error.status_code(), message: explain(&error) }),
    };
    let stored = get(shared, id).await?.ok_or(Error::UnknownJob(id))?;
    apply(shared, &stored, event).await?;
    *failed = 0;
    Ok(true)
}

async fn get(shared: &Shared, id: JobId) -> Result<Option<Stored<VerifyRecord>>> {
    Ok(shared.catalog.get::<VerifyRecord>(&keys::verify(id), At::Latest).await?)
}

/// Applies an event and journals the result; gives the record as it is then.
pub(crate) async fn apply(
    shared: &Shared,
    stored: &Stored<VerifyRecord>,
    event: Event,
) -> Result<Stored<VerifyRecord>> {
    let next = state::apply(stored.record.clone(), event, unix_millis());
    if next == stored.record {
        return Ok(stored.clone());
    }
    let mut change = shared.catalog.change().replace(stored, &next);
    if next.is_done() {
        change = change.release_name(keys::verifying(next.repository));
    }
    let modified = change.commit().await?;
    Ok(Stored { record: next, created: stored.created, modified })
}

async fn repository_of(shared: &Shared, job: &VerifyRecord) -> Result<RepositoryRecord> {
    let record = shared.catalog.get::<RepositoryRecord>(&keys::repository(job.repository), At::Latest).await?;
    Ok(record.ok_or_else(|| Error::UnknownRepository(job.repository_name.clone()))?.record)
}

async fn choose_session(
    shared: &Shared,
    job: &Stored<VerifyRecord>,
    stop: &CancellationToken,
) -> Result<Option<Event>> {
    let record = repository_of(shared, job).await?;
    let repository = match open(shared, &record, stop).await {
        Ok(repository) => repository,
        // It is looked at all the same, without a session: there is none to have.
        Err(failed) if is_content(&failed) => {
            return Ok(Some(Event::SessionChosen { session: None, bytes_expected: 0 }));
        }
        Err(failed) => return Err(failed),
    };
    let level: Level = job.level.parse()?;
    let bytes_expected = match repository.snapshots().await {
        Ok(all) => {
            let wanted = all.iter().filter(|summary| job.label.as_ref().is_none_or(|label| *label == summary.label));
            // What a snapshot shares with an earlier one is read once.
            let bytes = wanted.map(|summary| if job.label.is_some() { summary.bytes } else { summary.bytes_sent });
            share(bytes.fold(0, u64::saturating_add), level)
        }
        Err(failed) => {
            let failed = Error::from(failed);
            if !is_content(&failed) {
                return Err(failed);
            }
            0
        }
    };
    let session = if record.read_only { None } else { Some(repository.new_session_id().await?.to_string()) };
    Ok(Some(Event::SessionChosen { session, bytes_expected }))
}

/// The part of some bytes that a level reads.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate between nothing and all of them"
)]
fn share(bytes: u64, level: Level) -> u64 {
    (bytes as f64 * level.share()) as u64
}

/// Whether an error is about what is stored: what a verifier is there to report.
fn is_content(failed: &Error) -> bool {
    matches!(failed.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::NotFound)
}

/// Looks, until it is done, cancelled, too late, or to stop.
async fn verify(shared: &Shared, job: &Stored<VerifyRecord>, stop: &CancellationToken) -> Result<Option<Event>> {
    let VerifyState::Verifying { session, .. } = &job.progress else { return Ok(None) };
    let record = repository_of(shared, job).await?;
    let remembered = report::remembered(shared, job).await?;
    let options = Options {
        level: job.level.parse()?,
        label: job.label.clone(),
        stream: shared.options.stream,
        seed: Some(job.seed),
        session: session.as_ref().map(|session| session.parse()).transpose()?,
        owner: format!("verify job {} in cluster {}", job.id, shared.cluster),
        read_only: session.is_none(),
        remembered,
        findings_max: shared.options.findings_max,
        ..Options::default()
    };
    let own = stop.child_token();
    let read = Arc::new(AtomicU64::new(0));
    let progress: repository::Progress = {
        let read = Arc::clone(&read);
        Arc::new(move |bytes| {
            read.fetch_add(bytes, Ordering::Relaxed);
        })
    };
    let mut looking: BoxFuture<'_, Result<Report>> = Box::pin(look(shared, &record, &options, &progress, &own));
    let key = job.key();
    let mut mirror = Mirror::<VerifyRecord>::open(&shared.catalog, &key).await?;
    let mut stored = job.clone();
    let looked = loop {
        env::select! {
            looked = &mut looking => break looked,
            () = changed(&mut mirror, &key, &stored) => {}
            () = rt::time::sleep(NOTE_EVERY) => {}
        }
        let Some(newest) = get(shared, job.id).await? else { break Err(Error::Stopped) };
        stored = newest;
        let over = stored.is_done() || state::timed_out(&stored, unix_millis()).is_some();
        if over {
            own.cancel();
            // It ends its session and comes back within a second.
            break looking.await;
        }
        if let Ok(noted) = apply(shared, &stored, Event::Read(read.load(Ordering::Relaxed))).await {
            stored = noted;
        }
    };
    match looked {
        Ok(report) => {
            let outcome: VerifyOutcome = report::keep(shared, job, &report).await?;
            shared.options.pause.at("verify.kept".to_owned()).await;
            let newest = get(shared, job.id).await?.ok_or(Error::UnknownJob(job.id))?;
            apply(shared, &newest, Event::Read(report.totals.bytes_read)).await?;
            Ok(Some(Event::Done(outcome)))
        }
        Err(_) if stop.is_cancelled() => Ok(Some(Event::Interrupted)),
        Err(_) if own.is_cancelled() => Ok(None),
        Err(failed) if failed.kind() == ErrorKind::Fenced => Ok(Some(Event::SessionLost)),
        Err(failed) => Err(failed),
    }
}

/// Waits until the record is another one than that which was read.
async fn changed(mirror: &mut Mirror<VerifyRecord>, key: &str, stored: &Stored<VerifyRecord>) {
    while mirror.records().get(key) == Some(&stored.record) {
        mirror.changed().await;
    }
}

async fn look(
    shared: &Shared,
    record: &RepositoryRecord,
    options: &Options,
    progress: &repository::Progress,
    stop: &CancellationToken,
) -> Result<Report> {
    let report = match open(shared, record, stop).await {
        Ok(repository) => repository.verify(options, progress, stop).await?,
        // Too damaged to be opened, and no less worth looking at.
        Err(failed) if is_content(&failed) => {
            let store = shared.repositories.store(record)?;
            repository::verify::verify(store, options, progress, stop).await?
        }
        Err(failed) => return Err(failed),
    };
    // Here a cancel still counts: nothing is written down yet.
    env::select! {
        () = stop.cancelled() => return Err(Error::Stopped),
        () = shared.options.pause.at("verify.looked".to_owned()) => {}
    }
    Ok(report)
}
