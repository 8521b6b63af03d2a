//! Repositories that this cluster knows.

use crate::keys;
use crate::record::Record;
use env::ids::RepositoryId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the upkeep of a repository keeps of this cluster's snapshots; the others it drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRecord {
    /// So many of the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    /// Those that are not older, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_within_ms: Option<u64>,
    /// So many of the newest in any case.
    pub min: u32,
}

/// A repository that this cluster knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// Its id here; another cluster has its own for the same place.
    pub id: RepositoryId,
    /// Its name, unique in the cluster; case counts.
    pub name: String,
    /// Where it is, as a URL.
    pub location: String,
    /// Whether BACKUP and whatever deletes is refused.
    pub read_only: bool,
    /// The broker that was named, if any; only shown.
    pub broker: Option<String>,
    /// Properties by name: as given, but for secrets, which are sealed.
    pub properties: BTreeMap<String, String>,
    /// Whether its store cannot keep several writers apart, so that this cluster must be the only one.
    /// Written only when it is so: records of before there were such stores read and write as they always did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_writer: bool,
    /// When it was made, in milliseconds since 1970, as the repository itself says.
    pub created_ms: u64,
    /// What the last attempt to reach it said when it failed.
    pub error: Option<String>,
    /// What is kept in it; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionRecord>,
}

impl Record for RepositoryRecord {
    const KIND: &'static str = "repository";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::repository(self.id)
    }
}
