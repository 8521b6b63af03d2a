//! Work of a job on one node, in bounded parts.

use crate::keys;
use crate::record::Record;
use crate::records::TableRecord;
use crate::records::job::{PageRecord, StatusCode};
use env::ids::{JobId, NodeId, PartitionId, TableId, TabletId, Version};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// No work for a node: what a job decided about one table. Kept under node 0.
    Table,
    /// BACKUP: pin tablets at their versions.
    Pin,
    /// BACKUP: send the pinned tablets.
    Upload,
    /// RESTORE: make room for new tablets.
    Stage,
    /// RESTORE: fetch the files of new tablets.
    Download,
    /// RESTORE: what was fetched is live now.
    Keep,
}

impl TaskKind {
    /// The word in keys and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Pin => "pin",
            Self::Upload => "upload",
            Self::Stage => "stage",
            Self::Download => "download",
            Self::Keep => "keep",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the coordinator must do about a failed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// A version that should be pinned is reclaimed already: take a new cut.
    VersionGone,
    /// The job cannot succeed.
    Fatal,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TaskState {
    /// To be done, or being done, by its node.
    Waiting,
    /// Done.
    Done,
    /// Given up.
    Failed {
        /// What follows from it.
        class: FailureClass,
        /// The job's code.
        code: StatusCode,
        /// Why.
        message: String,
    },
}

/// How far a task is; what is done never shrinks while the task runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgress {
    /// Tablets done.
    pub tablets_done: u64,
    /// Tablets in all.
    pub tablets: u64,
    /// Files done.
    pub files_done: u64,
    /// Files in all, once known.
    pub files: u64,
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes in all, once known.
    pub bytes: u64,
}

/// Some tablets of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionShare {
    /// The table: its own id for BACKUP, the id recorded in the snapshot for RESTORE.
    pub table: u64,
    /// The partition: its own id for BACKUP, the id recorded in the snapshot for RESTORE.
    pub source: u64,
    /// The partition's name in the database (BACKUP) or in the snapshot (RESTORE).
    pub name: String,
    /// The partition here; for RESTORE the hidden one.
    pub partition: PartitionId,
    /// Its version in the cut.
    pub version: Version,
    /// Bucket and tablet, in bucket order.
    pub tablets: Vec<(u32, TabletId)>,
}

/// Manifest pages that a node wrote about its share of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedPartition {
    /// The partition.
    pub partition: PartitionId,
    /// The pages in order.
    pub pages: Vec<PageRecord>,
    /// Tablets on them.
    pub tablets: u64,
    /// Files of those tablets.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Bytes that had to be sent.
    pub bytes_sent: u64,
}

/// What a job decided about one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPlan {
    /// The partition that is taken (BACKUP), or the new, hidden one (RESTORE).
    pub id: PartitionId,
    /// RESTORE: the partition's id in the snapshot. BACKUP: its own.
    pub source: u64,
    /// Its version in the cut.
    pub version: Version,
    /// RESTORE: the local partition that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<PartitionId>,
    /// RESTORE: bytes that it brings, one replica.
    #[serde(default)]
    pub bytes: u64,
}

/// What a job decided about one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    /// BACKUP: the table at the cut, with just the partitions taken. RESTORE: the table's id, name and the entries of the
    /// partitions that are made; a whole new table when `creates`.
    pub record: TableRecord,
    /// RESTORE: whether the table is new.
    #[serde(default)]
    pub creates: bool,
    /// RESTORE: the table's id in the snapshot.
    #[serde(default)]
    pub source: u64,
    /// The partitions, in the order of the record's.
    pub partitions: Vec<PartitionPlan>,
    /// RESTORE: partitions of the table here that go because the snapshot does not have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleaned: Vec<PartitionId>,
    /// RESTORE: the whole table goes because the snapshot does not have it; the record is that of the table here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drops: bool,
}

/// The content of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskWork {
    /// For [`TaskKind::Table`].
    Table(Box<TablePlan>),
    /// For [`TaskKind::Pin`], [`TaskKind::Upload`], [`TaskKind::Stage`], [`TaskKind::Download`].
    Tablets {
        /// Which, by partition.
        shares: Vec<PartitionShare>,
        /// [`TaskKind::Stage`]: bytes that the whole job brings to this node.
        #[serde(default)]
        node_bytes: u64,
        /// [`TaskKind::Upload`], when done: the pages written.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        uploaded: Vec<UploadedPartition>,
    },
    /// For [`TaskKind::Keep`]: the job as a whole.
    Job,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Whose it is.
    pub job: JobId,
    /// What for.
    pub kind: TaskKind,
    /// Who does it.
    pub node: NodeId,
    /// Which of the job's tasks of this kind; no two nodes share a number.
    pub seq: u32,
    /// The cut that it belongs to.
    #[serde(default)]
    pub attempt: u32,
    /// Where it stands.
    pub status: TaskState,
    /// How often it was begun anew after an error.
    #[serde(default)]
    pub retries: u32,
    /// The last error, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub progress: TaskProgress,
    /// What is to be done.
    pub work: TaskWork,
}

impl TaskRecord {
    /// A short name for messages.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.kind, self.node, self.seq)
    }

    /// Whether a node still has to do it.
    pub fn is_waiting(&self) -> bool {
        matches!(self.status, TaskState::Waiting)
    }

    /// The table decided about; only for [`TaskKind::Table`].
    pub fn table(&self) -> Option<&TablePlan> {
        if let TaskWork::Table(plan) = &self.work { Some(plan) } else { None }
    }

    /// The tablets to work on; empty for other kinds.
    pub fn shares(&self) -> &[PartitionShare] {
        if let TaskWork::Tablets { shares, .. } = &self.work { shares } else { &[] }
    }
}

impl PartitionShare {
    /// The table here; only meaningful for BACKUP.
    pub fn local_table(&self) -> TableId {
        TableId(self.table)
    }
}

impl Record for TaskRecord {
    const KIND: &'static str = "task";
    const FORMAT: u32 = 2;

    fn format(&self) -> u32 {
        self.table().map_or(1, |plan| plan.record.format())
    }

    fn key(&self) -> String {
        keys::task(self.job, self.kind.as_str(), self.node, self.seq)
    }
}
