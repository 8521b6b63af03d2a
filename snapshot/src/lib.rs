//! The jobs: BACKUP and RESTORE, from a submitted request to FINISHED or CANCELLED.
//!
//! A job is a record in the [`catalog`]; what it does is decided by pure functions of that record ([`state`], [`plan`])
//! and done by two drivers: the coordinator steps each job's state machine, one guarded transaction per step, and the
//! agent of each node does that node's tasks on its [`SnapshotSource`]. Both begin where the record says, so a crash
//! at any instant costs work, never data.
//!
//! * BACKUP reads the visible version of every partition at one revision, pins it, streams the pinned files into a
//!   session of a [`repository`] and commits the session: from that instant the snapshot exists, whole.
//! * RESTORE fetches a snapshot's files into new, hidden tablets and switches to them in one transaction; until then the
//!   old data is untouched and readable, and after it the recycle bin holds what was overwritten.
//!
//! Start a [`Service`], then use its [`Jobs`]. The engine whose data is copied is behind [`SnapshotSource`]; another than
//! ours can implement it.
//!
//! ```
//! use snapshot::state::{self, Duty, Event};
//! # use catalog::records::job::*;
//! # use env::ids::*;
//! # let job = JobRecord { id: JobId(7), database: DatabaseId(1), database_name: "shop".into(), label: "nightly".into(),
//! #   timestamp: String::new(), repository: RepositoryId(2), repository_name: "repo".into(), user: "root".into(), created_ms: 0,
//! #   timeout_s: 600, limits: JobLimits::default(), ttl_ms: None, objects: Objects::All, objects_text: String::new(), times: JobTimes::default(), counts: JobCounts::default(),
//! #   ending: None, errors: vec![], status: JobStatus::ok(), work: JobWork::Backup { progress: BackupState::Pending { attempt: 0 } } };
//! assert_eq!(state::duty(&job), Duty::TakeCut);
//! let event = state::cancelled_by_user(&job);
//! let job = state::apply(job, event, 1_000);
//! assert_eq!((job.state_name(), job.status.message.as_str()), ("CANCELLED", "user cancelled"));
//! ```

pub mod error;
pub mod export;
pub mod plan;
pub mod request;
pub mod schema;
pub mod source;
pub mod state;
pub mod view;

mod agent;
mod coordinator;
mod inventory;
mod jobs;
mod journal;
mod limits;
mod live;
mod maintenance;
mod options;
mod repositories;
mod service;

pub use catalog::records::job::{JobKind, JobLimits, JobRecord, ObjectSpec, Objects};
pub use error::{Error, ErrorKind, Result};
pub use export::{ExportEvent, ExportOptions, ExportRequest, ExportTarget, Exported, ExportedTable, export};
pub use jobs::{
    Amount, DropRequest, Jobs, PreviewAction, PreviewLine, RepositoryNow, RepositoryOverview, SessionOverview,
    SessionStanding, SnapshotFacts, SnapshotOverview, VerifyRequest,
};
pub use maintenance::Judged;
pub use options::{Options, Pause};
pub use plan::{Conflict, Conflicts};
pub use repositories::{Connections, DiskAt, Repositories};
pub use repository::{Rates, Traffic};
pub use request::{BackupRequest, LimitsChange, RestoreRequest};
pub use service::Service;
pub use source::{SnapshotSource, SourceFile, SourceImage, StagedImage, StagedSink, TabletSource};
pub use view::{JobView, Progress, Row};
