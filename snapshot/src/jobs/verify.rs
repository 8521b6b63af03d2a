//! Verifiers: submitted, followed, cancelled.

use super::Jobs;
use crate::error::{Error, Result};
use crate::journal::Mirror;
use crate::maintenance::{self, verify};
use crate::request::verify_properties;
use catalog::records::job::JobStatus;
use catalog::records::{FindingRecord, FindingsRecord, ProofRecord, RepositoryRecord, VerifyRecord, VerifyState};
use catalog::{At, Stored, keys};
use env::ids::{JobId, RepositoryId};
use env::rt::time::unix_millis;
use env::rt::{self, Duration};
use repository::verify::Level;
use std::collections::BTreeMap;

/// A VERIFY REPOSITORY as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    /// The repository's name.
    pub repository: String,
    /// The label of the only snapshot to look at; all when absent.
    pub label: Option<String>,
    /// `meta`, `size`, `sample=P%` or `full`; `size` when absent.
    pub level: Option<String>,
    /// `timeout`.
    pub properties: BTreeMap<String, String>,
    /// Who asks.
    pub user: String,
}

impl Jobs {
    /// Checks a VERIFY REPOSITORY and writes it down as PENDING; the work begins at once, elsewhere.
    ///
    /// # Errors
    /// `Invalid` for level, label and properties; `NotFound` for the repository, and for the label, naming labels that are
    /// like it; `Busy` when the repository is being verified.
    pub async fn submit_verify(&self, request: VerifyRequest) -> Result<JobId> {
        let timeout_s = verify_properties(&request.properties, self.shared.options.timeout_s_min)?;
        let level = request.level.as_deref().map_or(Ok(Level::Size), str::parse::<Level>)?;
        let record = self.named_repository(&request.repository).await?;
        if let Some(label) = &request.label {
            catalog::names::snapshot_label(label)?;
            // A repository that cannot be opened is what a verifier is there for.
            if let Ok(open) = self.shared.repositories.open(&record).await {
                maintenance::existing(&open, &record, label).await?;
            }
        }
        let job = VerifyRecord {
            id: JobId(self.catalog().allocate(1).await?),
            repository: record.id,
            repository_name: record.name.clone(),
            label: request.label,
            level: level.to_string(),
            // Fewer bits, so that every reader of JSON has the number right.
            seed: env::rand::u64() >> 11,
            user: request.user,
            created_ms: unix_millis(),
            timeout_s,
            finished_ms: None,
            bytes_read: 0,
            bytes_expected: 0,
            status: JobStatus::ok(),
            progress: VerifyState::Pending { lost: 0 },
        };
        loop {
            if let Some(running) = self.verifying(record.id).await? {
                return Err(Error::Verifying { repository: record.name.clone(), job: running.id });
            }
            let repository = self.catalog().get::<RepositoryRecord>(&keys::repository(record.id), At::Latest).await?;
            let Some(repository) = repository else { return Err(Error::UnknownRepository(request.repository)) };
            let change = self.catalog().change().unchanged(&repository);
            match change.claim_name(keys::verifying(record.id), job.id.0).create(&job).commit().await {
                Ok(_) => {
                    tracing::info!(job = %job.id, repository = job.repository_name, level = job.level, "verifier accepted");
                    return Ok(job.id);
                }
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }

    /// The verifier of a repository that has not ended.
    pub(super) async fn verifying(&self, repository: RepositoryId) -> Result<Option<Stored<VerifyRecord>>> {
        match self.catalog().named(&keys::verifying(repository), At::Latest).await? {
            Some(id) => Ok(self.catalog().get(&keys::verify(JobId(id)), At::Latest).await?),
            None => Ok(None),
        }
    }

    /// Cancels the running verifier of a repository: when this returns it has ended CANCELLED. Its session in the
    /// repository ends within about a second.
    ///
    /// # Errors
    /// `NotFound` when there is no such repository, or nobody verifies it.
    pub async fn cancel_verify(&self, repository: &str) -> Result<()> {
        let record = self.named_repository(repository).await?;
        loop {
            let Some(running) = self.verifying(record.id).await?.filter(|job| !job.is_done()) else {
                return Err(Error::NothingToVerify(record.name.clone()));
            };
            match verify::apply(&self.shared, &running, verify::state::cancelled_by_user()).await {
                Ok(_) => return Ok(()),
                // It has moved on, or ended.
                Err(Error::Catalog(failed)) if failed.is_conflict() => {}
                Err(failed) => return Err(failed),
            }
        }
    }

    /// The verifiers that are on record, the newest first: all, or those of one repository.
    ///
    /// # Errors
    /// `NotFound` when there is no such repository; what the catalog says.
    pub async fn verifiers(&self, repository: Option<&str>) -> Result<Vec<VerifyRecord>> {
        let only = match repository {
            Some(name) => Some(self.named_repository(name).await?.id),
            None => None,
        };
        let all = self.catalog().list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
        let mut all: Vec<VerifyRecord> = all
            .into_iter()
            .map(|stored| stored.record)
            .filter(|job| only.is_none_or(|only| only == job.repository))
            .collect();
        all.sort_by_key(|job| std::cmp::Reverse(job.id));
        Ok(all)
    }

    /// What a verifier found, the worst first.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn findings(&self, id: JobId) -> Result<Vec<FindingRecord>> {
        let parts = self.catalog().list::<FindingsRecord>(&keys::findings(id), At::Latest).await?;
        Ok(parts.into_iter().flat_map(|part| part.record.findings).collect())
    }

    /// When the snapshots of a repository were last looked at, by label and time stamp.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn proofs(&self, repository: RepositoryId) -> Result<BTreeMap<(String, String), ProofRecord>> {
        let all = self.catalog().list::<ProofRecord>(&keys::proofs(repository), At::Latest).await?;
        let by_name = |proof: ProofRecord| ((proof.label.clone(), proof.timestamp.clone()), proof);
        Ok(all.into_iter().map(|stored| by_name(stored.record)).collect())
    }

    /// Waits until a verifier has ended, at most `limit`, and returns it.
    ///
    /// # Errors
    /// `TimedOut` when it has not ended by then; `NotFound` when there is none of that id.
    pub async fn wait_verify(&self, id: JobId, limit: Duration) -> Result<VerifyRecord> {
        let key = keys::verify(id);
        let mut mirror = Mirror::<VerifyRecord>::open(self.catalog(), &key).await?;
        let deadline = rt::time::Instant::now() + limit;
        loop {
            let job = mirror.records().get(&key).ok_or(Error::UnknownJob(id))?;
            if job.is_done() {
                return Ok(job.clone());
            }
            let state = job.progress.name();
            if rt::time::timeout_at(deadline, mirror.changed()).await.is_err() {
                return Err(Error::StillRunning { job: id, state });
            }
        }
    }
}
