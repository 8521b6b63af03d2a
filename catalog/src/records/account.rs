//! Accounts: users, roles, and what they may do.
//!
//! Privileges are granted on names, not on ids: they outlast a table that is dropped and made, or restored, again.

use crate::keys;
use crate::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// One thing that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Create users and roles, and give privileges to them.
    Grant,
    /// Run the node: all connections, settings for everybody.
    Operate,
    /// Use repositories, and whatever is in them.
    Repository,
    /// Read files of the node's disk.
    File,
    /// Create databases.
    CreateDatabase,
    /// Create tables in a database.
    CreateTable,
    /// Create views in a database.
    CreateView,
    /// Read rows.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
    /// Back up.
    Export,
    /// Change what it is.
    Alter,
    /// Drop it.
    Drop,
}

/// What a privilege is granted on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GrantScope {
    /// The cluster.
    System,
    /// The only catalog.
    Catalog,
    /// Every database, also those to come.
    AllDatabases,
    /// One database.
    Database {
        /// Its name.
        database: String,
    },
    /// Every table, also those to come.
    AllTables,
    /// Every table of a database, also those to come.
    TablesOf {
        /// The database's name.
        database: String,
    },
    /// One table.
    Table {
        /// The database's name.
        database: String,
        /// The table's name.
        name: String,
    },
    /// Every view, also those to come.
    AllViews,
    /// Every view of a database, also those to come.
    ViewsOf {
        /// The database's name.
        database: String,
    },
    /// One view.
    View {
        /// The database's name.
        database: String,
        /// The view's name.
        name: String,
    },
}

/// What was granted on one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    /// On what.
    pub on: GrantScope,
    /// The privileges.
    pub privileges: BTreeSet<Privilege>,
    /// Those of them that may be granted on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grantable: BTreeSet<Privilege>,
}

/// What a password is checked against: a digest in hexadecimal digits, from which the password cannot be had. It is not shown
/// by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "plugin", content = "digest")]
pub enum SecretRecord {
    /// SHA-1 of the SHA-1 of the password.
    #[serde(rename = "mysql_native_password")]
    Native(String),
    /// SHA-256 of the SHA-256 of the password.
    #[serde(rename = "caching_sha2_password")]
    CachingSha2(String),
}

impl fmt::Debug for SecretRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "Native(..)",
            Self::CachingSha2(_) => "CachingSha2(..)",
        })
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The name; case counts.
    pub name: String,
    /// Where they may come from: a pattern with `%` and `_`. Name and host together are unique in the cluster.
    pub host: String,
    /// How they prove who they are; `None` when they have no password.
    pub secret: Option<SecretRecord>,
    /// Whether they must come over TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_tls: bool,
    /// The roles that they have.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// What they may do themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantRecord>,
    /// When the user was created, in milliseconds since 1970.
    pub created_ms: u64,
}

impl Record for UserRecord {
    const KIND: &'static str = "user";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::user(&self.name, &self.host)
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// The name, unique in the cluster; case counts.
    pub name: String,
    /// The roles that whoever has this one has too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// What whoever has it may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantRecord>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: u64,
}

impl Record for RoleRecord {
    const KIND: &'static str = "role";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::role(&self.name)
    }
}
