//! What is done to repositories and to the snapshots in them.

use super::Jobs;
use crate::error::{Error, Result};
use crate::maintenance::{self, Judged};
use crate::request::LimitsChange;
use catalog::records::job::JobLimits;
use catalog::records::{RepositoryRecord, RetentionRecord, SettingRecord, UpkeepRecord};
use catalog::{At, Catalog, keys};
use env::rt::CancellationToken;
use repository::retention::Policy;
use repository::{Rates, SweepPlan, Swept, no_progress};

/// The settings that keep a node's limits.
const NODE_LIMITS: [&str; 2] = ["backup_max_bytes_per_second", "backup_max_requests_per_second"];

/// A DROP SNAPSHOT as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRequest {
    /// The snapshot's label.
    pub label: String,
    /// The repository's name.
    pub repository: String,
    /// Also when another cluster made it.
    pub force: bool,
}

impl Jobs {
    /// Takes a snapshot out of its repository, in one commit. Space comes back with a sweep in the background, as far as
    /// no other snapshot, and no job that began earlier, uses the same objects.
    ///
    /// # Errors
    /// `NotFound` for repository and label, naming labels that are like it; `Denied` for a repository that is read only,
    /// for a snapshot that is held, and, without `force`, for another cluster's; `Busy` when a job of this cluster writes
    /// or reads it; what the repository says: the snapshot is whole then, and the drop can be repeated.
    pub async fn drop_snapshot(&self, request: &DropRequest) -> Result<()> {
        let record = self.named_repository(&request.repository).await?;
        maintenance::drop_snapshot(&self.shared, &record, &request.label, request.force).await
    }

    /// Forbids to drop a snapshot, to every cluster, until it is released. Holding it again for the same reason changes
    /// nothing.
    ///
    /// # Errors
    /// As [`drop_snapshot`](Jobs::drop_snapshot); `Denied` when it is held for another reason; `Invalid` for a reason that
    /// is too long.
    pub async fn hold_snapshot(&self, repository: &str, label: &str, reason: &str) -> Result<()> {
        let record = self.named_repository(repository).await?;
        maintenance::hold_snapshot(&self.shared, &record, label, reason).await
    }

    /// Allows to drop a snapshot again.
    ///
    /// # Errors
    /// As [`drop_snapshot`](Jobs::drop_snapshot); `Invalid` when it is not held.
    pub async fn release_snapshot(&self, repository: &str, label: &str) -> Result<()> {
        let record = self.named_repository(repository).await?;
        maintenance::release_snapshot(&self.shared, &record, label).await
    }

    /// Sets what is kept of this cluster's snapshots in a repository; everything, with `None`. A round of upkeep that
    /// applies it is asked for.
    ///
    /// # Errors
    /// `NotFound` for the repository; `Denied` when it is read only; what the catalog says.
    pub async fn set_retention(&self, repository: &str, retention: Option<RetentionRecord>) -> Result<()> {
        loop {
            let stored = self.named_repository(repository).await?;
            if stored.read_only {
                return Err(Error::ReadOnly(stored.name.clone()));
            }
            let next = RepositoryRecord { retention, ..stored.record.clone() };
            match self.catalog().change().replace(&stored, &next).commit().await {
                Ok(_) => {
                    self.shared.desks.of(stored.id).ring();
                    return Ok(());
                }
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }

    /// Applies a retention to this cluster's snapshots in a repository, the one that it is set to when none is given, and
    /// gives what became of each; with `dry_run` what would, and nothing is dropped.
    ///
    /// # Errors
    /// `NotFound` for the repository; `Denied` when it is read only and this is no dry run; what the repository says: what
    /// was dropped by then stays dropped.
    pub async fn apply_retention(
        &self,
        repository: &str,
        retention: Option<RetentionRecord>,
        dry_run: bool,
        stop: &CancellationToken,
    ) -> Result<Vec<Judged>> {
        let record = self.named_repository(repository).await?;
        if record.read_only && !dry_run {
            return Err(Error::ReadOnly(record.name.clone()));
        }
        let open = maintenance::open(&self.shared, &record, stop).await?;
        let policy: Policy = maintenance::policy(retention.or(record.retention));
        // Before anything is gone.
        let usage = open.usage(stop).await?;
        maintenance::apply_retention(&self.shared, &record, &open, &policy, dry_run, Some(&usage)).await
    }

    /// Deletes from a repository what nothing refers to any more, until `stop`; with `dry_run` only says what that would
    /// be. Gives what was to be deleted, and what was.
    ///
    /// # Errors
    /// `NotFound` for the repository; `Denied` when it is read only; `Corrupt` when a reachable page cannot be read, for
    /// then nothing is deleted; what the repository says.
    pub async fn sweep(&self, repository: &str, dry_run: bool, stop: &CancellationToken) -> Result<(SweepPlan, Swept)> {
        let record = self.named_repository(repository).await?;
        if record.read_only && !dry_run {
            return Err(Error::ReadOnly(record.name.clone()));
        }
        let open = maintenance::open(&self.shared, &record, stop).await?;
        if dry_run {
            return Ok((open.sweep_plan(&no_progress()).await?, Swept::default()));
        }
        maintenance::sweep(&self.shared, &record, &open).await
    }

    /// How the upkeep of each repository stands; one that was never looked at is not among them.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn upkeep(&self) -> Result<Vec<UpkeepRecord>> {
        let all = self.catalog().list::<UpkeepRecord>(keys::UPKEEP, At::Latest).await?;
        Ok(all.into_iter().map(|stored| stored.record).collect())
    }

    /// Changes how fast all jobs of this node together may talk to repositories, and keeps it over a restart. What is under
    /// way follows at once.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn keep_node_limits(&self, change: LimitsChange) -> Result<()> {
        let now = self.node_limits();
        let now =
            JobLimits { max_bytes_per_second: now.bytes_per_second, max_requests_per_second: now.requests_per_second };
        let JobLimits { max_bytes_per_second, max_requests_per_second } = change.apply(now);
        let mut commit = self.catalog().change();
        for (name, rate) in NODE_LIMITS.into_iter().zip([max_bytes_per_second, max_requests_per_second]) {
            commit = commit.put(&SettingRecord { name: name.to_owned(), value: rate.unwrap_or(0).to_string() });
        }
        commit.commit().await?;
        self.set_node_limits(Rates {
            bytes_per_second: max_bytes_per_second,
            requests_per_second: max_requests_per_second,
        });
        Ok(())
    }
}

/// The limits of a node as they were kept, where they were; `otherwise` elsewhere.
pub(crate) async fn kept_node_limits(catalog: &Catalog, otherwise: Rates) -> Result<Rates> {
    let mut kept = [otherwise.bytes_per_second, otherwise.requests_per_second];
    for (name, rate) in NODE_LIMITS.into_iter().zip(&mut kept) {
        if let Some(setting) = catalog.get::<SettingRecord>(&keys::setting(name), At::Latest).await? {
            let corrupt = || Error::corrupt(keys::setting(name), "a number", setting.value.clone());
            *rate = Some(setting.value.parse().map_err(|_not_a_number| corrupt())?).filter(|rate| *rate > 0);
        }
    }
    let [bytes_per_second, requests_per_second] = kept;
    Ok(Rates { bytes_per_second, requests_per_second })
}
