//! Users, roles and privileges.

use std::collections::BTreeSet;
use std::fmt;

use catalog::records::Privilege;

use super::ObjectName;

/// A user as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserName {
    /// The name.
    pub name: String,
    /// Where they may come from, as a pattern; `%` when nothing was written.
    pub host: String,
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'@'{}'", self.name, self.host)
    }
}

/// A password or what stands for one. Nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever checks or digests it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// `IDENTIFIED ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// `BY 'password'`, `WITH plugin BY 'password'`
    By {
        /// The plugin as written; `None` means the usual one.
        plugin: Option<String>,
        /// The password; empty for none.
        password: Secret,
    },
    /// `WITH plugin AS 'digest'`, `BY PASSWORD 'digest'`
    As {
        /// The plugin as written.
        plugin: String,
        /// The digest.
        digest: Secret,
    },
}

/// Whoever can have privileges.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// A user.
    User(UserName),
    /// A role.
    Role(String),
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Role(role) => write!(f, "ROLE '{role}'"),
        }
    }
}

/// Which privileges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivilegeList {
    /// `ALL [PRIVILEGES]`: those that there are for the object.
    All,
    /// At least one.
    Listed(BTreeSet<Privilege>),
}

/// What kind of object a privilege is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantable {
    /// Tables.
    Table,
    /// Views.
    View,
}

/// `ON ..`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantOn {
    /// `SYSTEM`
    System,
    /// `CATALOG default_catalog`
    Catalog,
    /// `ALL DATABASES`
    AllDatabases,
    /// `DATABASE d, ..`
    Databases(Vec<String>),
    /// `ALL TABLES IN ALL DATABASES`, `*.*`
    All(Grantable),
    /// `ALL TABLES IN DATABASE d`, `d.*`
    AllIn(Grantable, String),
    /// `TABLE d.t, ..`, `d.t`
    Named(Grantable, Vec<ObjectName>),
}

/// What CREATE USER and ALTER USER say about a user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserClauses {
    /// How the user proves who they are.
    pub identified: Option<Identified>,
    /// `REQUIRE SSL` or `REQUIRE NONE`.
    pub require_tls: Option<bool>,
    /// `DEFAULT ROLE r, ..`; empty when absent.
    pub roles: Vec<String>,
}

/// A statement about accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// `CREATE USER [IF NOT EXISTS] u ..`
    CreateUser {
        /// No error when it is there already.
        if_not_exists: bool,
        /// The new user.
        user: UserName,
        /// What is said about it.
        clauses: UserClauses,
    },
    /// `ALTER USER [IF EXISTS] u ..`
    AlterUser {
        /// No error when it is not there.
        if_exists: bool,
        /// The user; `None` for `USER()`, whoever is logged in.
        user: Option<UserName>,
        /// What changes.
        clauses: UserClauses,
    },
    /// `DROP USER [IF EXISTS] u, ..`
    DropUser {
        /// No error when it is not there.
        if_exists: bool,
        /// At least one.
        users: Vec<UserName>,
    },
    /// `SET PASSWORD [FOR u] = ..`
    SetPassword {
        /// The user; `None` for whoever is logged in.
        user: Option<UserName>,
        /// The new password, or its digest.
        identified: Identified,
    },
    /// `CREATE ROLE [IF NOT EXISTS] r, ..`
    CreateRole {
        /// No error when it is there already.
        if_not_exists: bool,
        /// At least one.
        roles: Vec<String>,
    },
    /// `DROP ROLE [IF EXISTS] r, ..`
    DropRole {
        /// No error when it is not there.
        if_exists: bool,
        /// At least one.
        roles: Vec<String>,
    },
    /// `GRANT privileges ON .. TO .. [WITH GRANT OPTION]`
    Grant {
        /// What is granted.
        privileges: PrivilegeList,
        /// On what.
        on: GrantOn,
        /// To whom; at least one.
        to: Vec<Grantee>,
        /// They may grant it on.
        grant_option: bool,
    },
    /// `REVOKE privileges ON .. FROM ..`
    Revoke {
        /// What is taken away.
        privileges: PrivilegeList,
        /// On what.
        on: GrantOn,
        /// From whom; at least one.
        from: Vec<Grantee>,
    },
    /// `GRANT r, .. TO ..`
    GrantRole {
        /// At least one.
        roles: Vec<String>,
        /// To whom; at least one.
        to: Vec<Grantee>,
    },
    /// `REVOKE r, .. FROM ..`
    RevokeRole {
        /// At least one.
        roles: Vec<String>,
        /// From whom; at least one.
        from: Vec<Grantee>,
    },
}

impl Account {
    /// The statement's opening words.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateUser { .. } => "CREATE USER",
            Self::AlterUser { .. } => "ALTER USER",
            Self::DropUser { .. } => "DROP USER",
            Self::SetPassword { .. } => "SET PASSWORD",
            Self::CreateRole { .. } => "CREATE ROLE",
            Self::DropRole { .. } => "DROP ROLE",
            Self::Grant { .. } | Self::GrantRole { .. } => "GRANT",
            Self::Revoke { .. } | Self::RevokeRole { .. } => "REVOKE",
        }
    }
}
