//! BACKUP and RESTORE jobs.
//!
//! A job's record stays small whatever the number of tablets: what was asked, the state, times, counts. The work itself
//! is in the job's tasks. The data of the states is here; which state may follow which is decided in the crate
//! `snapshot`.

use crate::keys;
use crate::record::Record;
use crate::store::Revision;
use env::ids::{DatabaseId, JobId, RepositoryId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One table in the ON clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSpec {
    /// The table's name: in the database for BACKUP, in the snapshot for RESTORE.
    pub table: String,
    /// Names of its partitions; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<String>>,
    /// The name to restore it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objects {
    /// Every table.
    All,
    /// Just these.
    Listed(Vec<ObjectSpec>),
    /// Every table, and these with the partitions or the alias given.
    AllWith(Vec<ObjectSpec>),
    /// Every table but these; one that is listed with partitions loses just those.
    Except(Vec<ObjectSpec>),
}

/// Which of the two a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// BACKUP.
    Backup,
    /// RESTORE.
    Restore,
}

impl JobKind {
    /// The word in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a job stands or ended, as its Status column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StatusCode {
    /// Nothing is wrong.
    Ok,
    /// It took longer than its timeout.
    Timeout,
    /// Something that it needs does not exist.
    NotFound,
    /// Something that it would make exists.
    AlreadyExist,
    /// Bytes are not what they should be.
    BadFile,
    /// Anything else, cancelling by a user among it.
    CommonError,
}

impl StatusCode {
    /// The word in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Timeout => "TIMEOUT",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExist => "ALREADY_EXIST",
            Self::BadFile => "BAD_FILE",
            Self::CommonError => "COMMON_ERROR",
        }
    }
}

/// Code and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// The code.
    pub code: StatusCode,
    /// The text; empty when all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl JobStatus {
    /// All is well.
    pub fn ok() -> Self {
        Self { code: StatusCode::Ok, message: String::new() }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            write!(f, "[{}]", self.code.as_str())
        } else {
            write!(f, "[{}, {}]", self.code.as_str(), self.message)
        }
    }
}

/// An error that a task met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// The task's kind, node and number.
    pub task: String,
    /// What it said.
    pub message: String,
}

/// When a job passed its milestones: milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the unit is part of a time's name")]
pub struct JobTimes {
    /// RESTORE: the plan was made and the target tables marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_prepared_ms: Option<u64>,
    /// SNAPSHOTING was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_finished_ms: Option<u64>,
    /// UPLOADING or DOWNLOADING was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_finished_ms: Option<u64>,
    /// FINISHED or CANCELLED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<u64>,
}

/// How much there is to do, known when the tablets are pinned (BACKUP) or the plan is made (RESTORE).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Tables.
    pub tables: u64,
    /// Partitions.
    pub partitions: u64,
    /// Tablets.
    pub tablets: u64,
    /// Files.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// BACKUP: bytes that were sent, the others being in the repository already.
    pub bytes_sent: u64,
}

/// How fast a job may talk to its repository, on each node; nothing for no limit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLimits {
    /// Bytes in both directions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes_per_second: Option<u64>,
    /// Requests of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_requests_per_second: Option<u64>,
}

impl JobLimits {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a job must end without success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEnding {
    /// Code and text for the Status column.
    pub status: JobStatus,
    /// Whether a user asked for it.
    #[serde(default)]
    pub by_user: bool,
    /// When it was asked for, in milliseconds since 1970.
    #[serde(default)]
    pub asked_ms: u64,
}

/// A reference to a page in a repository, kept as the repository gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRecord {
    /// Its name.
    pub name: String,
    /// Its length.
    pub len_bytes: u64,
    /// Its hash in hexadecimal.
    pub hash: String,
    /// What it holds, in the repository's words.
    pub kind: String,
    /// The format of that.
    pub format: u32,
}

/// The cut that a backup took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The revision of the catalog at which all visible versions were read.
    pub revision: Revision,
    /// Which attempt it is, from 0 on.
    pub attempt: u32,
}

/// The states of a BACKUP with what each must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BackupState {
    /// Accepted; no cut yet.
    Pending {
        /// How many cuts have been given up.
        attempt: u32,
    },
    /// Nodes pin the tablets.
    Snapshoting {
        /// What is pinned.
        cut: Cut,
    },
    /// A session in the repository is to be opened.
    UploadSnapshot {
        /// What is pinned.
        cut: Cut,
        /// The session's id, journaled before the repository hears of it.
        session: String,
    },
    /// Nodes send files and write pages.
    Uploading {
        /// What is pinned.
        cut: Cut,
        /// The session.
        session: String,
    },
    /// The pages of the tables and the root are to be written.
    SaveMeta {
        /// What is pinned.
        cut: Cut,
        /// The session.
        session: String,
    },
    /// The commit record is to be written.
    UploadInfo {
        /// What is pinned.
        cut: Cut,
        /// The session.
        session: String,
        /// The root page.
        root: PageRecord,
        /// When it was written; the same in every attempt to commit.
        saved_ms: u64,
    },
    /// The snapshot exists.
    Finished {
        /// What it holds.
        cut: Cut,
        /// The session that committed it.
        session: String,
        /// Whether pins and tasks are gone.
        cleaned: bool,
    },
    /// There is no snapshot.
    Cancelled {
        /// The session that may have been opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Whether pins, tasks and what the session left are gone.
        cleaned: bool,
    },
}

impl BackupState {
    /// The state's name as SHOW BACKUP spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "PENDING",
            Self::Snapshoting { .. } => "SNAPSHOTING",
            Self::UploadSnapshot { .. } => "UPLOAD_SNAPSHOT",
            Self::Uploading { .. } => "UPLOADING",
            Self::SaveMeta { .. } => "SAVE_META",
            Self::UploadInfo { .. } => "UPLOAD_INFO",
            Self::Finished { .. } => "FINISHED",
            Self::Cancelled { .. } => "CANCELLED",
        }
    }
}

/// What a RESTORE decided before it changed anything; the tables themselves are in the job's tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The revision of the catalog that it was made from.
    pub revision: Revision,
    /// The first of the ids that were taken for new tables, partitions and tablets.
    pub first_id: u64,
    /// How many were taken.
    pub ids: u64,
    /// The session that keeps what is read; none in a repository that is read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// The states of a RESTORE with what each must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RestoreState {
    /// Accepted. With a plan: target tables are marked, hidden partitions are being registered.
    Pending {
        /// The plan, once it is made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<PlanRecord>,
    },
    /// Nodes make room for the new tablets.
    Snapshoting {
        /// The plan.
        plan: PlanRecord,
    },
    /// The download tasks are to be written.
    Download {
        /// The plan.
        plan: PlanRecord,
    },
    /// Nodes fetch files.
    Downloading {
        /// The plan.
        plan: PlanRecord,
    },
    /// Everything is there; the switch is next.
    Commit {
        /// The plan.
        plan: PlanRecord,
    },
    /// Switched: from here only forward.
    Committing {
        /// The plan.
        plan: PlanRecord,
    },
    /// The data is restored.
    Finished {
        /// The plan.
        plan: PlanRecord,
        /// Whether stages and tasks are gone.
        cleaned: bool,
    },
    /// Nothing was changed.
    Cancelled {
        /// The plan, if one was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<PlanRecord>,
        /// Whether stages, hidden records and tasks are gone.
        cleaned: bool,
    },
}

impl RestoreState {
    /// The state's name as SHOW RESTORE spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "PENDING",
            Self::Snapshoting { .. } => "SNAPSHOTING",
            Self::Download { .. } => "DOWNLOAD",
            Self::Downloading { .. } => "DOWNLOADING",
            Self::Commit { .. } => "COMMIT",
            Self::Committing { .. } => "COMMITTING",
            Self::Finished { .. } => "FINISHED",
            Self::Cancelled { .. } => "CANCELLED",
        }
    }
}

/// What only a RESTORE was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSpec {
    /// The database recorded in the snapshot.
    pub snapshot_database: String,
    /// Replicas of each restored tablet; as many as the partition has or the default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_num: Option<u32>,
    /// Kept and shown, without effect.
    #[serde(default)]
    pub allow_load: bool,
    /// Whether the target database comes into being with the switch.
    #[serde(default)]
    pub creates_database: bool,
    /// What goes to the recycle bin because the snapshot does not have it.
    #[serde(default, skip_serializing_if = "Clean::is_nothing")]
    pub clean: Clean,
}

/// What a RESTORE takes out of the target because the snapshot does not have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clean {
    /// Partitions of the tables that it writes.
    #[serde(default)]
    pub partitions: bool,
    /// Tables of the database.
    #[serde(default)]
    pub tables: bool,
}

impl Clean {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The kind of a job with its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobWork {
    /// A BACKUP.
    Backup {
        /// Where it stands.
        progress: BackupState,
    },
    /// A RESTORE.
    Restore {
        /// What was asked.
        spec: RestoreSpec,
        /// Where it stands.
        progress: RestoreState,
    },
}

/// A BACKUP or RESTORE from submission to its end, and for some days after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The id, the same for the job's whole life.
    pub id: JobId,
    /// The database: the source of a BACKUP, the target of a RESTORE (reserved while it does not exist).
    pub database: DatabaseId,
    /// Its name.
    pub database_name: String,
    /// The snapshot's label.
    pub label: String,
    /// The snapshot's time stamp, `yyyy-MM-dd-HH-mm-ss-SSS`.
    pub timestamp: String,
    /// The repository.
    pub repository: RepositoryId,
    /// Its name.
    pub repository_name: String,
    /// Who submitted the job.
    pub user: String,
    /// When it was submitted: milliseconds since 1970, UTC.
    pub created_ms: u64,
    /// Seconds from submission, over all states.
    pub timeout_s: u64,
    /// May be changed while it runs.
    #[serde(default, skip_serializing_if = "JobLimits::is_none")]
    pub limits: JobLimits,
    /// BACKUP: how long its snapshot is to be kept, in milliseconds from its end; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// What it is about, as it was asked.
    pub objects: Objects,
    /// The same in words, bounded in length.
    #[serde(default)]
    pub objects_text: String,
    /// Milestones.
    #[serde(default)]
    pub times: JobTimes,
    /// Amounts.
    #[serde(default)]
    pub counts: JobCounts,
    /// Set when the job must end but the repository has to be asked first whether it has committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<JobEnding>,
    /// The last errors of its tasks, newest last, at most [`TASK_MESSAGES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<TaskMessage>,
    /// How it stands.
    pub status: JobStatus,
    /// Kind and state.
    pub work: JobWork,
}

/// How many task errors a job keeps.
pub const TASK_MESSAGES_MAX: usize = 3;

impl JobRecord {
    /// Which of the two it is.
    pub fn kind(&self) -> JobKind {
        match &self.work {
            JobWork::Backup { .. } => JobKind::Backup,
            JobWork::Restore { .. } => JobKind::Restore,
        }
    }

    /// The state's name as SHOW BACKUP or SHOW RESTORE spells it.
    pub fn state_name(&self) -> &'static str {
        match &self.work {
            JobWork::Backup { progress } => progress.name(),
            JobWork::Restore { progress, .. } => progress.name(),
        }
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        match &self.work {
            JobWork::Backup { progress } => {
                matches!(progress, BackupState::Finished { .. } | BackupState::Cancelled { .. })
            }
            JobWork::Restore { progress, .. } => {
                matches!(progress, RestoreState::Finished { .. } | RestoreState::Cancelled { .. })
            }
        }
    }

    /// Whether it has ended and nothing of it is left but this record.
    pub fn is_cleaned(&self) -> bool {
        match &self.work {
            JobWork::Backup { progress } => matches!(
                progress,
                BackupState::Finished { cleaned: true, .. } | BackupState::Cancelled { cleaned: true, .. }
            ),
            JobWork::Restore { progress, .. } => matches!(
                progress,
                RestoreState::Finished { cleaned: true, .. } | RestoreState::Cancelled { cleaned: true, .. }
            ),
        }
    }
}

impl Record for JobRecord {
    const KIND: &'static str = "job";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::job(self.id)
    }
}
