//! What is done to a repository, to the snapshots in it, and to jobs that run.

use super::Properties;

/// `DROP SNAPSHOT`, `VERIFY REPOSITORY` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upkeep {
    /// `DROP SNAPSHOT s ON r [FORCE]`
    DropSnapshot {
        /// The snapshot's label.
        label: String,
        /// The repository.
        repository: String,
        /// Also when another cluster made it.
        force: bool,
    },
    /// `HOLD SNAPSHOT s ON r [REASON 'text']`
    HoldSnapshot {
        /// The snapshot's label.
        label: String,
        /// The repository.
        repository: String,
        /// Why it is held.
        reason: Option<String>,
    },
    /// `RELEASE SNAPSHOT s ON r`
    ReleaseSnapshot {
        /// The snapshot's label.
        label: String,
        /// The repository.
        repository: String,
    },
    /// `ALTER REPOSITORY r SET RETENTION (..)`
    SetRetention {
        /// The repository.
        repository: String,
        /// What is kept from now on.
        retention: Retention,
    },
    /// `ALTER REPOSITORY r DROP RETENTION`
    DropRetention {
        /// The repository.
        repository: String,
    },
    /// `APPLY RETENTION ON r [KEEP LAST n] [KEEP WITHIN '30d'] [MIN m] [DRY RUN]`
    ApplyRetention {
        /// The repository.
        repository: String,
        /// What is kept this time; `None` means what the repository is set to.
        retention: Option<Retention>,
        /// Say what would be dropped, and drop nothing.
        dry_run: bool,
    },
    /// `SWEEP REPOSITORY r [DRY RUN]`
    Sweep {
        /// The repository.
        repository: String,
        /// Say what would be deleted, and delete nothing.
        dry_run: bool,
    },
    /// `VERIFY REPOSITORY r [SNAPSHOT s] [LEVEL 'full'] [PROPERTIES (..)]`
    Verify {
        /// The repository.
        repository: String,
        /// The label of the only snapshot that is looked at; `None` means all.
        label: Option<String>,
        /// How thoroughly, unchecked.
        level: Option<String>,
        /// `timeout` and the like, unchecked.
        properties: Properties,
    },
    /// `CANCEL VERIFY FROM r`
    CancelVerify {
        /// The repository.
        repository: String,
    },
}

impl Upkeep {
    /// The statement's opening words.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::DropSnapshot { .. } => "DROP SNAPSHOT",
            Self::HoldSnapshot { .. } => "HOLD SNAPSHOT",
            Self::ReleaseSnapshot { .. } => "RELEASE SNAPSHOT",
            Self::SetRetention { .. } | Self::DropRetention { .. } => "ALTER REPOSITORY",
            Self::ApplyRetention { .. } => "APPLY RETENTION",
            Self::Sweep { .. } => "SWEEP REPOSITORY",
            Self::Verify { .. } => "VERIFY REPOSITORY",
            Self::CancelVerify { .. } => "CANCEL VERIFY",
        }
    }
}

/// `KEEP LAST n`, `KEEP WITHIN '30d'`, `MIN m`: at least one of the first two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// So many of the newest are kept.
    pub keep_last: Option<u32>,
    /// Those that are not older than this are kept; a duration, unchecked.
    pub keep_within: Option<String>,
    /// So many are kept however old they are.
    pub min: Option<u32>,
}

/// `ALTER BACKUP [FROM d] SET (..)`, `ALTER RESTORE [FROM d] SET (..)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterJob {
    /// A RESTORE is meant, not a BACKUP.
    pub restore: bool,
    /// The database; `None` means the session's.
    pub database: Option<String>,
    /// What changes, unchecked; never empty.
    pub properties: Properties,
}
