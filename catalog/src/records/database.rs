//! Databases.

use crate::keys;
use crate::record::Record;
use env::ids::DatabaseId;
use serde::{Deserialize, Serialize};

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseRecord {
    /// Its id.
    pub id: DatabaseId,
    /// Its name, unique in the cluster; case counts.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
}

impl Record for DatabaseRecord {
    const KIND: &'static str = "database";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::database(self.id)
    }
}
