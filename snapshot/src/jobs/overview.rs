//! What is known of repositories and of the snapshots and sessions in them, for people to look at.

use super::Jobs;
use crate::error::{Error, Result, explain};
use crate::maintenance::{self, journaled_session};
use catalog::records::job::JobRecord;
use catalog::records::{ProofRecord, RepositoryRecord, UpkeepRecord, VerifyRecord};
use catalog::{At, keys};
use env::ids::JobId;
use env::rt::{self, CancellationToken, Duration};
use futures::future::join_all;
use repository::{Repository, SessionInfo, SnapshotSummary, SnapshotUsage, Usage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A repository that does not answer within this time is told as one that does not.
const PATIENCE: Duration = Duration::from_secs(20);

/// A repository as it is shown.
#[derive(Debug, Clone)]
pub struct RepositoryOverview {
    /// What the cluster knows of it.
    pub record: RepositoryRecord,
    /// How its upkeep stands; none before the first round.
    pub upkeep: Option<UpkeepRecord>,
    /// What it says itself, or why it does not.
    pub now: Result<RepositoryNow, String>,
}

/// What a repository says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepositoryNow {
    /// The newest generation.
    pub generation: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Of these, held ones.
    pub held: u64,
    /// Open sessions.
    pub sessions: u64,
}

/// A session in a repository as it is shown.
#[derive(Debug, Clone)]
pub struct SessionOverview {
    /// The repository's name.
    pub repository: String,
    /// What the repository says of it.
    pub info: SessionInfo,
    /// Whose it is.
    pub standing: SessionStanding,
}

/// Whose a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStanding {
    /// A job or verifier of this cluster works in it.
    Running(JobId),
    /// The job or verifier that it was of is over: the upkeep ends it.
    Ending(JobId),
    /// Nobody here has journaled it: another cluster's, or a tool's.
    Foreign,
}

/// A snapshot as it is shown.
#[derive(Debug, Clone)]
pub struct SnapshotOverview {
    /// The repository's name.
    pub repository: String,
    /// Or why the repository's snapshots are not known.
    pub snapshot: Result<SnapshotFacts, String>,
}

/// What is known of a snapshot.
#[derive(Debug, Clone)]
pub struct SnapshotFacts {
    /// What its commit record says.
    pub summary: SnapshotSummary,
    /// What it costs, and what dropping it gives back; or why that is not known.
    pub usage: Result<SnapshotUsage, String>,
    /// When it was last looked at; none when it never was.
    pub proof: Option<ProofRecord>,
}

impl Jobs {
    /// All repositories, by name. One that does not answer is among them, with the reason.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn repository_overviews(&self) -> Result<Vec<RepositoryOverview>> {
        let mut upkeep: BTreeMap<_, _> =
            self.upkeep().await?.into_iter().map(|upkeep| (upkeep.repository, upkeep)).collect();
        let overviews = self.repositories().await?.into_iter().map(|record| async {
            let now = self.ask(&record, async |open| {
                let snapshots = open.snapshots().await?;
                Ok(RepositoryNow {
                    generation: open.generation().await?.0,
                    snapshots: snapshots.len() as u64,
                    held: snapshots.iter().filter(|summary| summary.hold.is_some()).count() as u64,
                    sessions: open.sessions().await?.len() as u64,
                })
            });
            let now = now.await;
            RepositoryOverview { record, upkeep: None, now }
        });
        let mut overviews = join_all(overviews).await;
        for overview in &mut overviews {
            overview.upkeep = upkeep.remove(&overview.record.id);
        }
        Ok(overviews)
    }

    /// The open sessions of all repositories that answer.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn session_overviews(&self) -> Result<Vec<SessionOverview>> {
        let jobs = self.catalog().list::<JobRecord>(keys::JOBS, At::Latest).await?;
        let verifiers = self.catalog().list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
        let mut known: BTreeMap<&str, SessionStanding> = BTreeMap::new();
        for job in &jobs {
            if let Some(session) = journaled_session(job) {
                let standing = if job.is_cleaned() { SessionStanding::Ending } else { SessionStanding::Running };
                known.insert(session, standing(job.id));
            }
        }
        for job in &verifiers {
            if let Some(session) = job.progress.session() {
                let standing = if job.is_done() { SessionStanding::Ending } else { SessionStanding::Running };
                known.insert(session, standing(job.id));
            }
        }
        let records = self.repositories().await?;
        let asked = records.iter().map(|record| async {
            (record.name.clone(), self.ask(record, async |open| Ok(open.describe_sessions().await?)).await)
        });
        let mut sessions = Vec::new();
        for (repository, infos) in join_all(asked).await {
            sessions.extend(infos.into_iter().flatten().map(|info| {
                let standing = known.get(info.id.to_string().as_str()).copied().unwrap_or(SessionStanding::Foreign);
                SessionOverview { repository: repository.clone(), info, standing }
            }));
        }
        Ok(sessions)
    }

    /// The snapshots of all repositories, with what they cost. A repository that does not answer has one entry, which
    /// says why. The costs are found by reading all manifests, and remembered until the repository changes.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn snapshot_overviews(&self) -> Result<Vec<SnapshotOverview>> {
        let mut overviews = Vec::new();
        let records = self.repositories().await?;
        let asked = records.iter().map(|record| async {
            let snapshots = self.ask(record, async |open| Ok(open.snapshots().await?)).await;
            let usage = match &snapshots {
                Ok(snapshots) if !snapshots.is_empty() => self.usage(record).await.map_err(|failed| explain(&failed)),
                Ok(_) | Err(_) => Err(String::new()),
            };
            (record, snapshots, usage)
        });
        for (record, snapshots, usage) in join_all(asked).await {
            let repository = record.name.clone();
            let snapshots = match snapshots {
                Ok(snapshots) => snapshots,
                Err(why) => {
                    overviews.push(SnapshotOverview { repository, snapshot: Err(why) });
                    continue;
                }
            };
            let mut proofs = self.proofs(record.id).await?;
            let costs: Result<BTreeMap<(&str, &str), &SnapshotUsage>, &String> = usage.as_ref().map(|usage| {
                usage.snapshots.iter().map(|row| ((row.label.as_str(), row.timestamp.as_str()), row)).collect()
            });
            for summary in snapshots {
                let usage = match &costs {
                    Ok(costs) => costs
                        .get(&(summary.label.as_str(), summary.timestamp.as_str()))
                        .map(|row| (*row).clone())
                        .ok_or_else(|| "it came about a moment ago".to_owned()),
                    Err(why) => Err((*why).clone()),
                };
                let proof = proofs.remove(&(summary.label.clone(), summary.timestamp.clone()));
                let facts = SnapshotFacts { summary, usage, proof };
                overviews.push(SnapshotOverview { repository: repository.clone(), snapshot: Ok(facts) });
            }
        }
        Ok(overviews)
    }

    /// What the snapshots of a repository cost, remembered until the repository changes.
    async fn usage(&self, record: &RepositoryRecord) -> Result<Arc<Usage>> {
        let open = maintenance::open(&self.shared, record, &CancellationToken::new()).await?;
        let desk = self.shared.desks.of(record.id);
        let mut remembered = desk.usage.lock().await;
        let generation = open.generation().await?;
        if let Some(usage) = remembered.as_ref().filter(|usage| usage.generation == generation) {
            return Ok(Arc::clone(usage));
        }
        let usage = Arc::new(open.usage(&CancellationToken::new()).await?);
        *remembered = Some(Arc::clone(&usage));
        Ok(usage)
    }

    async fn repositories(&self) -> Result<Vec<RepositoryRecord>> {
        let records = self.catalog().list::<RepositoryRecord>(keys::REPOSITORIES, At::Latest).await?;
        let mut records: Vec<RepositoryRecord> = records.into_iter().map(|stored| stored.record).collect();
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }

    /// What a repository answers, or why it does not.
    async fn ask<T>(
        &self,
        record: &RepositoryRecord,
        question: impl AsyncFnOnce(Repository) -> Result<T>,
    ) -> Result<T, String> {
        let asked = async {
            let open = maintenance::open(&self.shared, record, &CancellationToken::new()).await?;
            question(open).await
        };
        match rt::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map_err(|failed: Error| explain(&failed)),
            Err(_late) => Err(format!("it has not answered for {} s", PATIENCE.as_secs())),
        }
    }
}
