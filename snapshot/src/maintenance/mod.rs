//! The upkeep of repositories, in the background: what gives space back, and ends what dead jobs have left.
//!
//! One keeper for each repository that may be written to. A round of it ends the sessions of this cluster's jobs that
//! have ended, drops this cluster's snapshots whose time is over, and sweeps. What there is to do in a round follows from the repository and the catalog alone, so nothing
//! is journaled: a round may end anywhere, and the next one does what is left. What may be deleted is decided by the
//! repository's own four tests, so a round is in nobody's way, whatever else runs.
//!
//! This module says when, and one at a time; what a round has come to is in an [`UpkeepRecord`], for people to see.

mod drop;
mod plan;
mod retention;
mod round;
pub(crate) mod verify;

pub(crate) use drop::{drop_snapshot, droppable, existing, hold_snapshot, release_snapshot};
pub(crate) use plan::journaled_session;
pub use retention::Judged;
pub(crate) use retention::{apply as apply_retention, policy};
pub(crate) use round::{open, sweep};

use crate::error::{Result, explain};
use crate::jobs::Shared;
use crate::journal::{self, Mirror};
use catalog::records::{ProofRecord, RepositoryRecord, UpkeepRecord, VerifyRecord};
use catalog::{At, Record, keys};
use env::ids::RepositoryId;
use env::rt::sync::{Mutex as Turn, Notify, RwLock};
use env::rt::{self, CancellationToken, Duration, JoinSet};
use parking_lot::Mutex;
use repository::Usage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first round after a start comes within this time, so that what was interrupted is not left for long.
const FIRST_WITHIN: Duration = Duration::from_mins(1);

/// What everybody who deals with one repository in this process shares.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// Rung when there may be something to sweep before it is time.
    bell: Notify,
    /// Whoever sweeps has it.
    turn: Turn<()>,
    /// What its snapshots cost, as it was last reckoned.
    pub(crate) usage: Turn<Option<Arc<Usage>>>,
    /// Read while a RESTORE is being accepted, written while a snapshot is being dropped: each sees the other.
    pub(crate) drops: RwLock<()>,
}

impl Desk {
    /// Asks for a round soon.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }
}

/// A desk for each repository.
#[derive(Debug, Default)]
pub(crate) struct Desks(Mutex<BTreeMap<RepositoryId, Arc<Desk>>>);

impl Desks {
    pub(crate) fn of(&self, id: RepositoryId) -> Arc<Desk> {
        Arc::clone(self.0.lock().entry(id).or_default())
    }

    fn forget(&self, id: RepositoryId) {
        self.0.lock().remove(&id);
    }
}

/// Runs until `stop`: a keeper for each repository that this cluster may write to.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) -> Result<()> {
    let mut repositories = Mirror::<RepositoryRecord>::open(&shared.catalog, keys::REPOSITORIES).await?;
    let mut known: BTreeSet<RepositoryId> = noted(&shared).await?;
    let mut keepers: JoinSet<RepositoryId> = JoinSet::new();
    let mut kept: BTreeMap<RepositoryId, CancellationToken> = BTreeMap::new();
    loop {
        let there: BTreeSet<RepositoryId> = repositories.records().values().map(|record| record.id).collect();
        for gone in known.difference(&there) {
            if let Some(stop) = kept.get(gone) {
                stop.cancel();
            }
            forget(&shared, *gone).await?;
        }
        known = there;
        for record in repositories.records().values().filter(|record| !record.read_only) {
            if !kept.contains_key(&record.id) {
                let (shared, stop, id) = (Arc::clone(&shared), stop.child_token(), record.id);
                kept.insert(id, stop.clone());
                keepers.spawn(async move {
                    keep(&shared, id, &stop).await;
                    id
                });
            }
        }
        env::select! {
            () = stop.cancelled() => break,
            Some(ended) = keepers.join_next() => match ended {
                Ok(id) => {
                    kept.remove(&id);
                    shared.desks.forget(id);
                }
                Err(failed) => tracing::error!(error = %failed, "a repository's keeper broke"),
            },
            () = repositories.changed() => {}
        }
    }
    keepers.shutdown().await;
    Ok(())
}

/// The repositories that something is noted about.
async fn noted(shared: &Shared) -> Result<BTreeSet<RepositoryId>> {
    let upkeep = shared.catalog.list::<UpkeepRecord>(keys::UPKEEP, At::Latest).await?;
    let verifiers = shared.catalog.list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
    let upkeep = upkeep.iter().map(|noted| noted.repository);
    Ok(upkeep.chain(verifiers.iter().map(|job| job.repository)).collect())
}

/// Deletes what is noted about a repository that has been dropped.
async fn forget(shared: &Shared, id: RepositoryId) -> Result<()> {
    let verifiers = shared.catalog.list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
    for job in verifiers.iter().filter(|job| job.repository == id && job.is_done()) {
        verify::forget(shared, job).await?;
    }
    let proofs = shared.catalog.list::<ProofRecord>(&keys::proofs(id), At::Latest).await?;
    let mut doomed: Vec<String> = proofs.iter().map(|proof| proof.record.key()).collect();
    doomed.push(keys::upkeep(id));
    journal::delete_keys(&shared.catalog, &doomed).await
}

/// Does a round now and then, until `stop`. A drop leaves nothing that the next round would not do.
async fn keep(shared: &Shared, id: RepositoryId, stop: &CancellationToken) {
    let desk = shared.desks.of(id);
    let mut pause = about(shared.options.sweep_every.min(FIRST_WITHIN));
    let (mut failed, mut thorough) = (0, true);
    loop {
        env::select! {
            () = stop.cancelled() => return,
            () = desk.bell.notified() => {}
            () = rt::time::sleep(pause) => {}
        }
        let done = env::select! {
            () = stop.cancelled() => return,
            done = round::round(shared, id, thorough, stop) => done,
        };
        pause = match done {
            Ok(()) => {
                (failed, thorough) = (0, false);
                about(shared.options.sweep_every)
            }
            Err(error) => {
                tracing::warn!(repository = %id, failed, error = %explain(&error), "the upkeep of a repository failed");
                failed += 1;
                shared.options.pause_after(failed)
            }
        };
    }
}

/// Somewhere between three quarters of a time and the whole of it, so that many do not come together.
fn about(time: Duration) -> Duration {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis - env::rand::below(millis / 4 + 1))
}
