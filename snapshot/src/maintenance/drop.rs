//! DROP, HOLD and RELEASE SNAPSHOT: who may, and the commit.

use crate::error::{Error, Result};
use crate::jobs::Shared;
use catalog::records::RepositoryRecord;
use catalog::records::job::{JobKind, JobRecord};
use catalog::{At, Stored, keys};
use env::rt::time::unix_millis;
use repository::{Generation, Repository, SnapshotSummary};

/// How alike a label must be to be suggested: Jaro and Winkler's measure, 1 for the same.
const ALIKE: f64 = 0.8;

/// So many labels are suggested at most.
const SUGGESTIONS_MAX: usize = 3;

/// How often a commit is tried when its outcome is not known.
const ATTEMPTS: u32 = 3;

/// Takes a snapshot out of its repository. Its space comes back with a sweep, which is asked for.
pub(crate) async fn drop_snapshot(shared: &Shared, record: &RepositoryRecord, label: &str, force: bool) -> Result<()> {
    let desk = shared.desks.of(record.id);
    // No RESTORE is accepted from here on until the snapshot is gone; those that were are seen.
    let _alone = desk.drops.write().await;
    let (repository, summary) = checked(shared, record, label, force).await?;
    commit_drop(record, &repository, &summary).await?;
    desk.ring();
    Ok(())
}

/// The snapshot that a DROP would take out, as things stand.
pub(crate) async fn droppable(
    shared: &Shared,
    record: &RepositoryRecord,
    label: &str,
    force: bool,
) -> Result<SnapshotSummary> {
    Ok(checked(shared, record, label, force).await?.1)
}

/// Every check of a DROP.
async fn checked(
    shared: &Shared,
    record: &RepositoryRecord,
    label: &str,
    force: bool,
) -> Result<(Repository, SnapshotSummary)> {
    let repository = writable(shared, record, label).await?;
    let jobs = jobs(shared).await?;
    refuse_while_written(&jobs, record, label)?;
    let summary = existing(&repository, record, label).await?;
    refuse_while_read(&jobs, record, &summary)?;
    if summary.hold.is_some() {
        return Err(held(record, &summary));
    }
    if summary.cluster != shared.cluster && !force {
        return Err(Error::OtherCluster {
            label: label.to_owned(),
            repository: record.name.clone(),
            database: summary.database,
            owner: summary.cluster,
        });
    }
    Ok((repository, summary))
}

/// Takes a snapshot out whose time is over, unless a RESTORE here reads it. Gives the generation that the drop made; none,
/// and nothing is dropped, when the repository has changed since `judged_at`, so that the snapshot must be judged anew.
pub(super) async fn drop_expired(
    shared: &Shared,
    record: &RepositoryRecord,
    repository: &Repository,
    summary: &SnapshotSummary,
    judged_at: Generation,
) -> Result<Option<Generation>> {
    let desk = shared.desks.of(record.id);
    let _alone = desk.drops.write().await;
    if repository.generation().await? != judged_at {
        return Ok(None);
    }
    refuse_while_read(&jobs(shared).await?, record, summary)?;
    commit_drop(record, repository, summary).await
}

/// Forbids to drop a snapshot.
pub(crate) async fn hold_snapshot(shared: &Shared, record: &RepositoryRecord, label: &str, reason: &str) -> Result<()> {
    let repository = writable(shared, record, label).await?;
    let summary = existing(&repository, record, label).await?;
    let (timestamp, now_ms) = (Some(summary.timestamp.as_str()), unix_millis());
    // Holding again for the same reason changes nothing, so it may be tried again whatever came of it.
    let (done, _) = tried(|| repository.hold(label, timestamp, reason, now_ms)).await;
    done.map(drop).map_err(|failed| in_words(failed, record, &summary))
}

/// Allows to drop a snapshot again.
pub(crate) async fn release_snapshot(shared: &Shared, record: &RepositoryRecord, label: &str) -> Result<()> {
    let repository = writable(shared, record, label).await?;
    let summary = existing(&repository, record, label).await?;
    if summary.hold.is_none() {
        return Err(Error::NotHeld { label: label.to_owned(), repository: record.name.clone() });
    }
    match tried(|| repository.release(label, Some(&summary.timestamp))).await {
        // An earlier attempt has come through after all.
        (Err(repository::Error::Invalid(_)), true) => Ok(()),
        (done, _) => done.map(drop).map_err(|failed| in_words(failed, record, &summary)),
    }
}

/// The repository, if it may be written to.
async fn writable(shared: &Shared, record: &RepositoryRecord, label: &str) -> Result<Repository> {
    if record.read_only {
        return Err(Error::ReadOnly(record.name.clone()));
    }
    catalog::names::snapshot_label(label)?;
    shared.repositories.open(record).await
}

async fn jobs(shared: &Shared) -> Result<Vec<Stored<JobRecord>>> {
    Ok(shared.catalog.list::<JobRecord>(keys::JOBS, At::Latest).await?)
}

fn refuse_while_written(jobs: &[Stored<JobRecord>], record: &RepositoryRecord, label: &str) -> Result<()> {
    refuse(jobs, record, label, |job| job.kind() == JobKind::Backup)
}

fn refuse_while_read(jobs: &[Stored<JobRecord>], record: &RepositoryRecord, summary: &SnapshotSummary) -> Result<()> {
    let reads = |job: &JobRecord| job.kind() == JobKind::Restore && job.timestamp == summary.timestamp;
    refuse(jobs, record, &summary.label, reads)
}

fn refuse(
    jobs: &[Stored<JobRecord>],
    record: &RepositoryRecord,
    label: &str,
    uses: impl Fn(&JobRecord) -> bool,
) -> Result<()> {
    let running = jobs.iter().filter(|job| !job.is_done() && job.repository == record.id && job.label == label);
    match running.into_iter().find(|job| uses(job)) {
        None => Ok(()),
        Some(job) => Err(Error::SnapshotInUse {
            label: label.to_owned(),
            kind: job.kind(),
            job: job.id,
            database: job.database_name.clone(),
        }),
    }
}

/// The snapshot of that label.
pub(crate) async fn existing(
    repository: &Repository,
    record: &RepositoryRecord,
    label: &str,
) -> Result<SnapshotSummary> {
    match repository.snapshot(label, None).await? {
        Some(summary) => Ok(summary),
        None => Err(unknown_label(repository, record, label).await),
    }
}

/// Commits the drop of just this snapshot; gives the generation that it made, none when it was gone already.
async fn commit_drop(
    record: &RepositoryRecord,
    repository: &Repository,
    summary: &SnapshotSummary,
) -> Result<Option<Generation>> {
    let (label, timestamp) = (summary.label.as_str(), summary.timestamp.as_str());
    let (done, _) = tried(|| repository.drop_snapshot(label, Some(timestamp))).await;
    match done {
        Ok(made) => {
            tracing::info!(repository = record.name, label, timestamp, "dropped a snapshot");
            Ok(Some(made))
        }
        // Another was faster, or an earlier attempt has come through after all.
        Err(repository::Error::NotFound(_)) => Ok(None),
        Err(failed) => Err(in_words(failed, record, summary)),
    }
}

/// Tries a commit some times; tells also whether an earlier attempt failed, and may have come through all the same.
async fn tried<T, F>(commit: impl Fn() -> F) -> (repository::Result<T>, bool)
where
    F: Future<Output = repository::Result<T>>,
{
    let mut attempt = 1;
    loop {
        let done = commit().await;
        let again = done.as_ref().is_err_and(|failed| {
            use repository::ErrorKind::{Conflict, Indeterminate, Unavailable};
            matches!(failed.kind(), Conflict | Indeterminate | Unavailable)
        });
        if !again || attempt >= ATTEMPTS {
            return (done, attempt > 1);
        }
        attempt += 1;
    }
}

fn in_words(failed: repository::Error, record: &RepositoryRecord, summary: &SnapshotSummary) -> Error {
    if let repository::Error::Held { hold, .. } = failed {
        return held(record, &SnapshotSummary { hold: Some(hold), ..summary.clone() });
    }
    failed.into()
}

fn held(record: &RepositoryRecord, summary: &SnapshotSummary) -> Error {
    Error::Held {
        label: summary.label.clone(),
        repository: record.name.clone(),
        reason: summary.hold.as_ref().map(|hold| hold.reason.clone()).unwrap_or_default(),
    }
}

/// An error that tells which labels were perhaps meant.
async fn unknown_label(repository: &Repository, record: &RepositoryRecord, label: &str) -> Error {
    let there = match repository.snapshots().await {
        Ok(there) => there,
        Err(failed) => return failed.into(),
    };
    let close = closest(label, there.iter().map(|summary| summary.label.as_str()));
    Error::UnknownLabel { label: label.to_owned(), repository: record.name.clone(), close }
}

/// Those of `labels` that are like `label`, the likest first.
fn closest<'a>(label: &str, labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut close: Vec<(f64, &str)> = labels
        .map(|other| (strsim::jaro_winkler(&label.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    close.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    close.into_iter().take(SUGGESTIONS_MAX).map(|(_, label)| label.to_owned()).collect()
}
