//! The upkeep of repositories: what the background work on one has come to.

use crate::keys;
use crate::record::Record;
use env::ids::RepositoryId;
use serde::{Deserialize, Serialize};

/// How the upkeep of a repository stands. Nothing depends on it but what people are told, and whether a sweep is worth
/// its while: it may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpkeepRecord {
    /// The repository.
    pub repository: RepositoryId,
    /// The newest generation at which a sweep has deleted all there was to delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_generation: Option<u64>,
    /// When that was, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_ms: Option<u64>,
    /// Bytes that it deleted.
    #[serde(default)]
    pub swept_bytes: u64,
    /// Bytes that all sweeps of this cluster have deleted.
    #[serde(default)]
    pub swept_total_bytes: u64,
    /// Bytes that were to be deleted at the last look and are still there.
    #[serde(default)]
    pub garbage_bytes: u64,
    /// Snapshots that were dropped because their time was over.
    #[serde(default)]
    pub expired_total: u64,
    /// Rounds that have failed since one succeeded.
    #[serde(default)]
    pub failures: u32,
    /// Rounds that have failed at all.
    #[serde(default)]
    pub failed_total: u64,
    /// What the last round said when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the last round ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
}

impl UpkeepRecord {
    /// Nothing was done yet.
    pub fn new(repository: RepositoryId) -> Self {
        Self {
            repository,
            swept_generation: None,
            swept_ms: None,
            swept_bytes: 0,
            swept_total_bytes: 0,
            garbage_bytes: 0,
            expired_total: 0,
            failures: 0,
            failed_total: 0,
            error: None,
            ended_ms: None,
        }
    }
}

impl Record for UpkeepRecord {
    const KIND: &'static str = "upkeep";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::upkeep(self.repository)
    }
}
