//! What is known of repositories and of the snapshots and sessions in them, for people to look at.

use super::Jobs;
use crate::error::{Result, explain};
use crate::maintenance::{self, journaled_session};
use catalog::records::job::JobRecord;
use catalog::records::{ProofRecord, RepositoryRecord, UpkeepRecord, VerifyRecord};
use catalog::{At, keys};
use env::ids::JobId;
use env::rt::{self, CancellationToken, Duration};
use futures::future::{BoxFuture, join_all};
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
        let records = self.repositories().await?;
        let asked = records.iter().map(|record| -> BoxFuture<'_, _> { Box::pin(patient(self.now(record))) });
        let answers = join_all(asked.collect::<Vec<_>>()).await;
        let overview = |(record, now): (RepositoryRecord, _)| {
            let upkeep = upkeep.remove(&record.id);
            RepositoryOverview { record, upkeep, now }
        };
        Ok(records.into_iter().zip(answers).map(overview).collect())
    }

    async fn now(&self, record: &RepositoryRecord) -> Result<RepositoryNow> {
        let open = self.open(record).await?;
        let snapshots = open.snapshots().await?;
        Ok(RepositoryNow {
            generation: open.generation().await?.0,
            snapshots: snapshots.len() as u64,
            held: snapshots.iter().filter(|summary| summary.hold.is_some()).count() as u64,
            sessions: open.sessions().await?.len() as u64,
        })
    }

    /// The open sessions of all repositories that answer.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn session_overviews(&self) -> Result<Vec<SessionOverview>> {
        let jobs = self.catalog().list::<JobRecord>(keys::JOBS, At::Latest).await?;
        let verifiers = self.catalog().list::<VerifyRecord>(keys::VERIFIERS, At::Latest).await?;
        let mut known: BTreeMap<&str, SessionStanding> = BTreeMap::new();
        let standing = |over: bool, id| if over { SessionStanding::Ending(id) } else { SessionStanding::Running(id) };
        for job in &jobs {
            if let Some(session) = journaled_session(job) {
                known.insert(session, standing(job.is_cleaned(), job.id));
            }
        }
        for job in &verifiers {
            if let Some(session) = job.progress.session() {
                known.insert(session, standing(job.is_done(), job.id));
            }
        }
        let records = self.repositories().await?;
        let asked = records.iter().map(|record| -> BoxFuture<'_, _> { Box::pin(patient(self.sessions(record))) });
        let answers = join_all(asked.collect::<Vec<_>>()).await;
        let mut sessions = Vec::new();
        for (record, infos) in records.iter().zip(answers) {
            for info in infos.unwrap_or_default() {
                let standing = known.get(info.id.to_string().as_str()).copied().unwrap_or(SessionStanding::Foreign);
                sessions.push(SessionOverview { repository: record.name.clone(), info, standing });
            }
        }
        Ok(sessions)
    }

    async fn sessions(&self, record: &RepositoryRecord) -> Result<Vec<SessionInfo>> {
        Ok(self.open(record).await?.describe_sessions().await?)
    }

    /// The snapshots of all repositories, with what they cost. A repository that does not answer has one entry, which
    /// says why. The costs are found by reading all manifests, and remembered until the repository changes.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn snapshot_overviews(&self) -> Result<Vec<SnapshotOverview>> {
        let records = self.repositories().await?;
        let asked = records.iter().map(|record| -> BoxFuture<'_, _> { Box::pin(self.priced(record)) });
        let answers = join_all(asked.collect::<Vec<_>>()).await;
        let mut overviews = Vec::new();
        for (record, (snapshots, usage)) in records.iter().zip(answers) {
            let repository = record.name.clone();
            match snapshots {
                Ok(snapshots) => {
                    let proofs = self.proofs(record.id).await?;
                    let facts = facts(snapshots, &usage, proofs);
                    overviews.extend(
                        facts.map(|facts| SnapshotOverview { repository: repository.clone(), snapshot: Ok(facts) }),
                    );
                }
                Err(why) => overviews.push(SnapshotOverview { repository, snapshot: Err(why) }),
            }
        }
        Ok(overviews)
    }

    /// The snapshots of a repository, and what they cost.
    async fn priced(&self, record: &RepositoryRecord) -> (Result<Vec<SnapshotSummary>, String>, Priced) {
        let snapshots = patient(self.summaries(record)).await;
        // Where there is nothing, nothing has to be read.
        let usage = match &snapshots {
            Ok(snapshots) if !snapshots.is_empty() => self.usage(record).await.map_err(|failed| explain(&failed)),
            Ok(_) | Err(_) => Err(String::new()),
        };
        (snapshots, usage)
    }

    async fn summaries(&self, record: &RepositoryRecord) -> Result<Vec<SnapshotSummary>> {
        Ok(self.open(record).await?.snapshots().await?)
    }

    /// What the snapshots of a repository cost, remembered until the repository changes; none when it does not answer
    /// soon.
    pub async fn known_usage(&self, record: &RepositoryRecord) -> Option<Arc<Usage>> {
        patient(self.usage(record)).await.ok()
    }

    /// What the snapshots of a repository cost, remembered until the repository changes.
    async fn usage(&self, record: &RepositoryRecord) -> Result<Arc<Usage>> {
        let open = self.open(record).await?;
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

    async fn open(&self, record: &RepositoryRecord) -> Result<Repository> {
        maintenance::open(&self.shared, record, &CancellationToken::new()).await
    }

    async fn repositories(&self) -> Result<Vec<RepositoryRecord>> {
        let records = self.catalog().list::<RepositoryRecord>(keys::REPOSITORIES, At::Latest).await?;
        let mut records: Vec<RepositoryRecord> = records.into_iter().map(|stored| stored.record).collect();
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }
}

/// What snapshots cost, or why that is not known.
type Priced = Result<Arc<Usage>, String>;

fn facts(
    snapshots: Vec<SnapshotSummary>,
    usage: &Priced,
    mut proofs: BTreeMap<(String, String), ProofRecord>,
) -> impl Iterator<Item = SnapshotFacts> + use<> {
    let mut costs: BTreeMap<(String, String), SnapshotUsage> = BTreeMap::new();
    if let Ok(usage) = usage {
        costs.extend(usage.snapshots.iter().map(|row| ((row.label.clone(), row.timestamp.clone()), row.clone())));
    }
    let unknown = match usage {
        Ok(_) => "it came about a moment ago".to_owned(),
        Err(why) => why.clone(),
    };
    snapshots.into_iter().map(move |summary| {
        let name = (summary.label.clone(), summary.timestamp.clone());
        let usage = costs.remove(&name).ok_or_else(|| unknown.clone());
        SnapshotFacts { summary, usage, proof: proofs.remove(&name) }
    })
}

/// What a repository answers, or why it does not.
async fn patient<T>(asked: impl Future<Output = Result<T>>) -> Result<T, String> {
    match rt::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|failed| explain(&failed)),
        Err(_late) => Err(format!("it has not answered for {} s", PATIENCE.as_secs())),
    }
}
