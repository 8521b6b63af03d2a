//! The BACKUP and RESTORE family.

use super::{ObjectName, Properties};

/// `CREATE [READ ONLY] REPOSITORY r WITH BROKER [b] ON LOCATION 'url' [PROPERTIES (..)]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRepository {
    /// The repository's name.
    pub name: String,
    /// Snapshots can be read from it and not written to it.
    pub read_only: bool,
    /// The broker's name; `None` both for `WITH BROKER` alone and without the clause.
    pub broker: Option<String>,
    /// The URL as written; never empty, trailing slashes kept.
    pub location: String,
    /// How to reach the storage.
    pub properties: Properties,
}

/// `BACKUP [catalogs] [DATABASE d] SNAPSHOT [d.]label TO r [ON (..) | EXCLUDE (..)] [PROPERTIES (..)]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The database whose objects are backed up, from `DATABASE d` or from before the label's dot; the two never differ.
    /// `None` means the session's.
    pub database: Option<String>,
    /// The snapshot's label.
    pub label: String,
    /// Where it goes.
    pub repository: String,
    /// External catalogs to back up; never together with a database or `ON`.
    pub catalogs: Option<Catalogs>,
    /// What is backed up; `None` means the whole database, `Some` is never empty.
    pub objects: Option<Vec<ObjectSelection>>,
    /// What is left out of the whole database; `Some` is never empty and never together with `objects`.
    pub excluded: Option<Vec<NamedObject>>,
    /// `type`, `timeout` and the like, unchecked.
    pub properties: Properties,
}

/// `RESTORE SNAPSHOT [d.]label FROM r [catalogs] [DATABASE a [AS b]] [ON (..) | EXCLUDE (..)] [PROPERTIES (..)]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The snapshot's label.
    pub label: String,
    /// Where it comes from.
    pub repository: String,
    /// `DATABASE a`: the database that must be the one recorded in the snapshot.
    pub snapshot_database: Option<String>,
    /// The database that is restored into: `AS b`, else what stands before the label's dot, else `DATABASE a`. `None`
    /// means that the statement says nothing: the snapshot's own.
    pub target_database: Option<String>,
    /// External catalogs to restore; never together with a database or `ON`.
    pub catalogs: Option<Catalogs>,
    /// What is restored; `None` means everything in the snapshot, `Some` is never empty.
    pub objects: Option<Vec<ObjectSelection>>,
    /// What of the snapshot is left out; `Some` is never empty and never together with `objects`.
    pub excluded: Option<Vec<NamedObject>>,
    /// `backup_timestamp` and the like, unchecked.
    pub properties: Properties,
}

/// `ALL EXTERNAL CATALOGS` or `EXTERNAL CATALOGS (a, b AS c)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Catalogs {
    /// Every external catalog.
    All,
    /// The listed ones, at least one.
    Listed(Vec<CatalogName>),
}

/// An external catalog in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogName {
    /// Its name.
    pub name: String,
    /// The name it is restored under; RESTORE only.
    pub alias: Option<String>,
}

/// What kind of object a name in `ON (..)` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// `TABLE`, which is also meant when no kind is written.
    Table,
    /// `VIEW`
    View,
    /// `MATERIALIZED VIEW`
    MaterializedView,
    /// `FUNCTION`
    Function,
}

/// One item of `ON (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectSelection {
    /// `ALL TABLES` and the like.
    All(ObjectKind),
    /// One object.
    Named(NamedObject),
}

/// One named object of `ON (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name, without a database.
    pub name: String,
    /// `PARTITION (..)`; tables only.
    pub partitions: Option<PartitionSelection>,
    /// `AS alias`. The grammar takes it in BACKUP too, where it means nothing and must be refused.
    pub alias: Option<String>,
}

/// `[TEMPORARY] PARTITION (p, ..)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSelection {
    /// `TEMPORARY` was written.
    pub temporary: bool,
    /// At least one name.
    pub names: Vec<String>,
}

/// The filters that SHOW SNAPSHOT takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotFilter {
    /// No WHERE.
    All,
    /// `SNAPSHOT = 'label'`
    Label(String),
    /// `SNAPSHOT IN ('a', 'b')`, at least one.
    Labels(Vec<String>),
    /// `SNAPSHOT = 'label' AND TIMESTAMP = 'time'`
    LabelAt {
        /// The label.
        label: String,
        /// One of its time stamps.
        timestamp: String,
    },
}

impl Backup {
    /// The label as `db.label` when a database is known.
    pub fn qualified_label(&self) -> ObjectName {
        ObjectName { database: self.database.clone(), name: self.label.clone() }
    }
}
