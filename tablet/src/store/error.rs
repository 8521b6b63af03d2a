//! What the store refuses, and why.

use crate::error::ErrorKind;
use crate::view::SegmentId;
use env::ids::{JobId, LoadId, TabletId, Version};
use std::time::Duration;
use thiserror::Error as ThisError;

/// What the store refuses, and why.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum StoreError {
    /// No such tablet, or one that a restore has not finished.
    #[error("tablet {0} does not exist on this node")]
    UnknownTablet(TabletId),
    /// A tablet of that id is there and is another.
    #[error("tablet {tablet} exists already with {difference}")]
    TabletExists {
        /// Which.
        tablet: TabletId,
        /// In what it differs.
        difference: &'static str,
    },
    /// A removed tablet of that id still has readers or pins.
    #[error("tablet {0} was removed, but its files are still being read; try again when the readers have ended")]
    TabletLeaving(TabletId),
    /// The version was reclaimed.
    #[error("version {version} of tablet {tablet} is not kept any more; the oldest one kept is {oldest}")]
    VersionGone {
        /// Whose version.
        tablet: TabletId,
        /// Which was asked for.
        version: Version,
        /// The oldest that can still be had.
        oldest: Version,
    },
    /// The version is still to come.
    #[error("version {version} of tablet {tablet} is not published yet; the newest is {current}")]
    NotYet {
        /// Whose version.
        tablet: TabletId,
        /// Which was asked for.
        version: Version,
        /// The newest that can be had.
        current: Version,
    },
    /// The version did not come in time.
    #[error("version {version} of tablet {tablet} was not published within {waited:?}; the newest is {current}")]
    WaitedTooLong {
        /// Whose version.
        tablet: TabletId,
        /// Which was waited for.
        version: Version,
        /// The newest that can be had.
        current: Version,
        /// For how long.
        waited: Duration,
    },
    /// Versions are published one after the other.
    #[error(
        "load {load} cannot become version {version} of tablet {tablet}, which is at {current}; publish the loads before it first"
    )]
    Gap {
        /// The load.
        load: LoadId,
        /// The tablet.
        tablet: TabletId,
        /// The version that was to be made.
        version: Version,
        /// The version that is there.
        current: Version,
    },
    /// The version exists and is not this load's.
    #[error("version {version} of tablet {tablet} was published by another load than {load}")]
    OtherLoad {
        /// The load that asked.
        load: LoadId,
        /// The tablet.
        tablet: TabletId,
        /// The version.
        version: Version,
    },
    /// One load published with two different sets of versions, or the like.
    #[error("tablet {tablet} is named twice with versions {first} and {second}")]
    NamedTwice {
        /// Which tablet.
        tablet: TabletId,
        /// One version.
        first: Version,
        /// The other one.
        second: Version,
    },
    /// The rows to delete moved to other files meanwhile.
    #[error("segment {segment} of tablet {tablet} was merged into another one; read the tablet again and retry")]
    SegmentReplaced {
        /// Whose segment.
        tablet: TabletId,
        /// Which is gone.
        segment: SegmentId,
    },
    /// A row position behind the segment's end.
    #[error("segment {segment} of tablet {tablet} has {rows} rows, row {position} is none of them")]
    PositionOutside {
        /// Whose segment.
        tablet: TabletId,
        /// Which.
        segment: SegmentId,
        /// How many rows it has.
        rows: u64,
        /// The position that was named.
        position: u32,
    },
    /// A mutation that the table's key model does not know.
    #[error("tablet {tablet} {model}; {hint}")]
    WrongModel {
        /// Which.
        tablet: TabletId,
        /// What it is.
        model: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// Rows of another shape than the table's.
    #[error("the rows do not fit tablet {tablet}: {difference}")]
    WrongColumns {
        /// Which.
        tablet: TabletId,
        /// In what they differ.
        difference: String,
    },
    /// Nothing pinned.
    #[error("job {owner} has no pin on tablet {tablet}")]
    UnknownPin {
        /// The job.
        owner: JobId,
        /// The tablet.
        tablet: TabletId,
    },
    /// Nothing staged.
    #[error("job {owner} is not restoring tablet {tablet} on this node")]
    UnknownStage {
        /// The job.
        owner: JobId,
        /// The tablet.
        tablet: TabletId,
    },
    /// No file of that name in an image.
    #[error("the image of tablet {tablet} has no file '{name}'")]
    UnknownFile {
        /// The tablet.
        tablet: TabletId,
        /// The name that was asked for.
        name: String,
    },
    /// A restore ended before all files came.
    #[error("tablet {tablet} is not restored yet: {missing} files are missing, the first is '{first}'")]
    StageIncomplete {
        /// Which.
        tablet: TabletId,
        /// How many files.
        missing: usize,
        /// The name of the first one.
        first: String,
    },
    /// A part of a file that cannot be.
    #[error("bytes {offset}..{end} are not a part of file '{name}' of {len_bytes} bytes that is still missing")]
    WrongPart {
        /// The file.
        name: String,
        /// Where the part begins.
        offset: u64,
        /// Where it ends, exclusive.
        end: u64,
        /// How long the file is.
        len_bytes: u64,
    },
    /// The metadata file could not be written. Nothing was changed.
    #[error("the tablet store's metadata was not written, nothing was changed: {message}")]
    Metadata {
        /// By what the disk said.
        kind: ErrorKind,
        /// What the disk said.
        message: String,
    },
    /// The metadata file failed in a way after which no write can be trusted.
    #[error("the tablet store takes no changes any more since its metadata file failed ({0}); restart the process")]
    Latched(String),
    /// The store was closed.
    #[error("the tablet store is closed")]
    Closed,
}

impl StoreError {
    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownTablet(_) | Self::UnknownPin { .. } | Self::UnknownStage { .. } | Self::UnknownFile { .. } => {
                ErrorKind::NotFound
            }
            Self::TabletExists { .. } => ErrorKind::AlreadyExists,
            Self::TabletLeaving(_) | Self::Gap { .. } => ErrorKind::Busy,
            Self::VersionGone { .. } | Self::SegmentReplaced { .. } => ErrorKind::Conflict,
            Self::NotYet { .. } | Self::Closed | Self::Latched(_) => ErrorKind::Unavailable,
            Self::WaitedTooLong { .. } => ErrorKind::TimedOut,
            Self::OtherLoad { .. }
            | Self::NamedTwice { .. }
            | Self::PositionOutside { .. }
            | Self::WrongModel { .. }
            | Self::WrongColumns { .. }
            | Self::StageIncomplete { .. }
            | Self::WrongPart { .. } => ErrorKind::Invalid,
            Self::Metadata { kind, .. } => *kind,
        }
    }
}
