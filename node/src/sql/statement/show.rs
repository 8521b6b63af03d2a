//! The SHOW statements.

use sqlparser::ast;

use super::{Grantee, ObjectName, Scope, SnapshotFilter};

/// Which rows of a SHOW.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// `LIKE 'pattern'`, with `%`, `_` and `\` as LIKE has them
    Like(String),
    /// `WHERE expression` over the result's columns
    Where(Box<ast::Expr>),
}

/// `SHOW ..`
#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    /// `SHOW DATABASES`, `SHOW SCHEMAS`
    Databases {
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW [FULL] TABLES [FROM d]`
    Tables {
        /// With the type.
        full: bool,
        /// `None` means the session's.
        database: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW TABLE STATUS [FROM d]`
    TableStatus {
        /// `None` means the session's.
        database: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW [FULL] COLUMNS FROM t [FROM d]`, `SHOW FIELDS`
    Columns {
        /// With collation, privileges and comment.
        full: bool,
        /// The table.
        table: ObjectName,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW INDEX FROM t [FROM d]`, `SHOW KEYS`
    Index {
        /// The table.
        table: ObjectName,
    },
    /// `SHOW PARTITIONS FROM t [WHERE ..]`
    Partitions {
        /// The table.
        table: ObjectName,
        /// Which.
        filter: Option<Box<ast::Expr>>,
    },
    /// `SHOW CREATE DATABASE d`
    CreateDatabase {
        /// The database.
        name: String,
    },
    /// `SHOW CREATE TABLE t`
    CreateTable {
        /// The table.
        table: ObjectName,
    },
    /// `SHOW LOAD [FROM d] [WHERE ..]`
    Load {
        /// `None` means the session's.
        database: Option<String>,
        /// Which.
        filter: Option<Box<ast::Expr>>,
    },

    /// `SHOW CATALOG RECYCLE BIN [WHERE ..]`
    RecycleBin {
        /// Which.
        filter: Option<Box<ast::Expr>>,
    },
    /// `SHOW REPOSITORIES`
    Repositories,
    /// `SHOW BACKUP [FROM d] [WHERE ..]`
    Backup {
        /// `None` means the session's.
        database: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW RESTORE [FROM d] [WHERE ..]`
    Restore {
        /// `None` means the session's.
        database: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW VERIFY [FROM r] [WHERE ..]`
    Verify {
        /// The repository; `None` means all.
        repository: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW SNAPSHOT ON r [WHERE ..]`
    Snapshot {
        /// The repository.
        repository: String,
        /// Which.
        filter: SnapshotFilter,
    },

    /// `SHOW [GLOBAL | SESSION] VARIABLES`
    Variables {
        /// Whose.
        scope: Scope,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW [GLOBAL | SESSION] STATUS`
    Status {
        /// Whose.
        scope: Scope,
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW WARNINGS [LIMIT ..]`
    Warnings,
    /// `SHOW ERRORS [LIMIT ..]`
    Errors,
    /// `SHOW COUNT(*) WARNINGS`
    CountWarnings,
    /// `SHOW COUNT(*) ERRORS`
    CountErrors,
    /// `SHOW [STORAGE] ENGINES`
    Engines,
    /// `SHOW COLLATION`
    Collation {
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW CHARACTER SET`, `SHOW CHARSET`
    CharacterSet {
        /// Which.
        filter: Option<Filter>,
    },
    /// `SHOW [FULL] PROCESSLIST`
    ProcessList {
        /// The whole statement text rather than its first 100 characters.
        full: bool,
    },
    /// `SHOW GRANTS [FOR u | FOR ROLE r]`
    Grants {
        /// Whose; `None` means whoever is logged in.
        of: Option<Grantee>,
    },
    /// `SHOW USERS`
    Users,
    /// `SHOW ROLES`
    Roles,
    /// `SHOW PLUGINS`
    Plugins,
    /// `SHOW PRIVILEGES`
    Privileges,
    /// `SHOW TRIGGERS [FROM d]`: there never are any
    Triggers,
    /// `SHOW EVENTS [FROM d]`: there never are any
    Events,
    /// `SHOW PROCEDURE STATUS`: there never are any
    ProcedureStatus,
    /// `SHOW FUNCTION STATUS`: there never are any
    FunctionStatus,
    /// `SHOW CATALOGS`
    Catalogs,
    /// `SHOW BACKENDS`
    Backends,
    /// `SHOW FRONTENDS`
    Frontends,
}
