//! What a statement says, as plain values: no positions, no tokens, nothing looked up.
//!
//! Queries and expressions stay `sqlparser` syntax trees, because the query engine plans from those. All else has a struct
//! of its own, so that whoever executes a statement matches on what can be said and on nothing more.

mod account;
mod backup;
mod data;
mod recover;
mod session;
mod show;
mod table;
mod upkeep;

use std::collections::BTreeMap;

use sqlparser::ast;

pub use account::{Account, GrantOn, Grantable, Grantee, Identified, PrivilegeList, Secret, UserClauses, UserName};
pub use backup::{
    Backup, CatalogName, Catalogs, CreateRepository, NamedObject, ObjectKind, ObjectSelection, PartitionSelection,
    Restore, SnapshotFilter,
};
pub use data::{AssignedValue, Assignment, Delete, Insert, InsertSource, Update};
pub use recover::Recover;
pub use session::{Explain, ExplainMode, Kill, Scope, SetItem, SetValue};
pub use show::{Filter, Show};
pub use table::{
    AddPartitions, Aggregate, AlterAction, AlterTable, BoundValue, ColumnDef, CreateTable, CreateTableAs,
    CreateTableLike, DataType, DefaultClause, Distribution, IntervalUnit, KeyClause, KeyModel, ListPartition,
    PartitionBy, PartitionItem, PartitionSeries, RangeBounds, RangePartition, SeriesStep,
};
pub use upkeep::{AlterJob, Retention, Upkeep};

/// `PROPERTIES ("key" = "value", ..)`: keys are unique and matched exactly.
pub type Properties = BTreeMap<String, String>;

/// The name of a table, view or snapshot, with its database when one was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The part before the dot; `None` means the session's database.
    pub database: Option<String>,
    /// The last part.
    pub name: String,
}

/// One SQL statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `CREATE DATABASE [IF NOT EXISTS] d`
    CreateDatabase {
        /// No error when it is there already.
        if_not_exists: bool,
        /// The new database.
        name: String,
    },
    /// `DROP DATABASE [IF EXISTS] d [FORCE]`
    DropDatabase {
        /// No error when it is not there.
        if_exists: bool,
        /// The database.
        name: String,
        /// Skip the recycle bin.
        force: bool,
    },
    /// `ALTER DATABASE d RENAME e`
    RenameDatabase {
        /// Its name now.
        name: String,
        /// Its name from then on.
        new_name: String,
    },
    /// `USE d`
    Use {
        /// The session's database from then on.
        database: String,
    },
    /// `CREATE TABLE t (..) ..`
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE t LIKE u`
    CreateTableLike(CreateTableLike),
    /// `CREATE TABLE t .. AS SELECT ..`
    CreateTableAs(Box<CreateTableAs>),
    /// `DROP TABLE [IF EXISTS] t [FORCE]`
    DropTable {
        /// No error when it is not there.
        if_exists: bool,
        /// The table.
        name: ObjectName,
        /// Skip the recycle bin.
        force: bool,
    },
    /// `TRUNCATE TABLE t [PARTITION (p, ..)]`
    TruncateTable {
        /// The table.
        name: ObjectName,
        /// The partitions to empty; `None` means all.
        partitions: Option<Vec<String>>,
    },
    /// `ALTER TABLE t ..`
    AlterTable(Box<AlterTable>),
    /// `INSERT INTO t ..`
    Insert(Box<Insert>),
    /// `UPDATE t SET .. WHERE ..`
    Update(Box<Update>),
    /// `DELETE FROM t WHERE ..`
    Delete(Box<Delete>),
    /// `SELECT`, `WITH`, `VALUES`, `TABLE t`, or one of them in parentheses: always `ast::Statement::Query`.
    Query(Box<ast::Statement>),
    /// `EXPLAIN ..`
    Explain(Explain),
    /// `EXPLAIN BACKUP ..`, `EXPLAIN RESTORE ..`, `EXPLAIN DROP SNAPSHOT ..`
    ExplainJob(Box<Statement>),
    /// `DESC t [c]`
    Describe {
        /// The table.
        table: ObjectName,
        /// Show this column only.
        column: Option<String>,
    },
    /// `SHOW ..`
    Show(Box<Show>),

    /// `CREATE [READ ONLY] REPOSITORY ..`
    CreateRepository(CreateRepository),
    /// `DROP REPOSITORY r`
    DropRepository {
        /// The repository.
        name: String,
    },
    /// `BACKUP ..`
    Backup(Box<Backup>),
    /// `RESTORE ..`
    Restore(Box<Restore>),
    /// `CANCEL BACKUP [FROM d | FOR EXTERNAL CATALOG]`
    CancelBackup {
        /// The database; `None` means the session's.
        database: Option<String>,
        /// `FOR EXTERNAL CATALOG` was written.
        external_catalog: bool,
    },
    /// `CANCEL RESTORE [FROM d | FOR EXTERNAL CATALOG]`
    CancelRestore {
        /// The database; `None` means the session's.
        database: Option<String>,
        /// `FOR EXTERNAL CATALOG` was written.
        external_catalog: bool,
    },
    /// `UNDO RESTORE [FROM d]`
    UndoRestore {
        /// The database; `None` means the session's.
        database: Option<String>,
    },
    /// `RECOVER ..`
    Recover(Recover),
    /// `ALTER BACKUP ..`, `ALTER RESTORE ..`
    AlterJob(AlterJob),
    /// `DROP SNAPSHOT ..`, `HOLD SNAPSHOT ..`, `VERIFY REPOSITORY ..` and the like
    Upkeep(Upkeep),

    /// `CREATE USER ..`, `GRANT ..` and the like
    Account(Box<Account>),

    /// `SET a = 1, @b = 2, NAMES utf8mb4, ..`, in the order written
    Set(Vec<SetItem>),
    /// `START TRANSACTION ..` or `BEGIN`
    Begin,
    /// `COMMIT`
    Commit,
    /// `ROLLBACK`
    Rollback,
    /// `KILL [QUERY | CONNECTION] n`
    Kill(Kill),
}

impl Statement {
    /// The statement's opening words, for messages and logs: `CREATE TABLE`, `BACKUP`, `SHOW`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateDatabase { .. } => "CREATE DATABASE",
            Self::DropDatabase { .. } => "DROP DATABASE",
            Self::RenameDatabase { .. } => "ALTER DATABASE",
            Self::Use { .. } => "USE",
            Self::CreateTable(_) | Self::CreateTableLike(_) | Self::CreateTableAs(_) => "CREATE TABLE",
            Self::DropTable { .. } => "DROP TABLE",
            Self::TruncateTable { .. } => "TRUNCATE TABLE",
            Self::AlterTable(_) => "ALTER TABLE",
            Self::Insert(_) => "INSERT",
            Self::Update(_) => "UPDATE",
            Self::Delete(_) => "DELETE",
            Self::Query(_) => "SELECT",
            Self::Explain(_) | Self::ExplainJob(_) => "EXPLAIN",
            Self::Describe { .. } => "DESC",
            Self::Show(_) => "SHOW",
            Self::CreateRepository(_) => "CREATE REPOSITORY",
            Self::DropRepository { .. } => "DROP REPOSITORY",
            Self::Backup(_) => "BACKUP",
            Self::Restore(_) => "RESTORE",
            Self::CancelBackup { .. } => "CANCEL BACKUP",
            Self::CancelRestore { .. } => "CANCEL RESTORE",
            Self::UndoRestore { .. } => "UNDO RESTORE",
            Self::Recover(_) => "RECOVER",
            Self::AlterJob(AlterJob { restore: false, .. }) => "ALTER BACKUP",
            Self::AlterJob(AlterJob { restore: true, .. }) => "ALTER RESTORE",
            Self::Upkeep(upkeep) => upkeep.verb(),
            Self::Account(account) => account.verb(),
            Self::Set(_) => "SET",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Kill(_) => "KILL",
        }
    }
}
