//! What a storage engine must offer to be backed up and restored.
//!
//! [`SnapshotSource`] is the whole of it. [`TabletSource`] offers it for our own store; another engine implements it for
//! its own and links this crate.
//!
//! A *tablet* is whatever the engine keeps under one id with a version that grows; an *image* is that tablet at one
//! version as a set of immutable files and a JSON value that tells the engine what they are. Nobody but the engine
//! reads that value. The contract, law by law:
//! * PIN: what [`pin`](SnapshotSource::pin) has returned for stays readable, byte for byte, through crashes, until
//!   [`unpin`](SnapshotSource::unpin). A pin should cost nothing that grows with the data.
//! * STAGE: what is staged is invisible and touches nothing that is live. A staged tablet whose
//!   [`stage_finish`](SnapshotSource::stage_finish) has returned is durable and can be read under its id as soon as the
//!   catalog refers to it.
//! * OWNER: pins and stages belong to a job. After a restart the engine still knows them and tells whose they are; what
//!   becomes of them is decided by the agent, from the job's record.
//! * AGAIN: every call may be repeated, after a crash too, and then does what is left to do.
//!
//! The `name` of a file is unique in its tablet for ever, its `identity` in the cluster: a later backup takes a file with
//! the same identity, length and checksum for the same file and does not send it again. An engine that keeps the
//! identity through a restore does not send again what it has restored.

mod store;
pub use store::TabletSource;

use crate::error::Result;
use async_trait::async_trait;
use bytes::Bytes;
use env::ids::{JobId, TabletId, Version};
use serde_json::Value;
use std::fmt::Debug;

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Unique in its tablet, for ever: letters, digits, `.`, `-`, `_`.
    pub name: String,
    /// Identity of its bytes, unique in the cluster for ever.
    pub identity: String,
    /// Length.
    pub len_bytes: u64,
    /// CRC-32 (IEEE) of all bytes.
    pub crc32: u32,
}

/// A tablet at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceImage {
    /// The version.
    pub version: Version,
    /// Tells the tablet's rows, if the engine can: all images of the cluster with one lineage have the same rows, whatever
    /// their files and versions. A backup then refers to the earliest of them as a whole, so that a tablet whose files were
    /// merely rewritten is not sent again; a restore gets that one's `meta` with the version of the cut. An engine must
    /// never give one lineage to different rows; it may give different ones to the same rows.
    pub lineage: Option<String>,
    /// What the engine needs besides the files to bring the tablet back.
    pub meta: Value,
    /// The files.
    pub files: Vec<SourceFile>,
}

/// A tablet that is to be brought back under a new id.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedImage {
    /// The new id.
    pub tablet: TabletId,
    /// The version that it will have.
    pub version: Version,
    /// What the engine said when the image was taken.
    pub meta: Value,
}

/// A file that is being brought back; dropping it before [`finish`](StagedSink::finish) forgets it.
#[async_trait]
pub trait StagedSink: Debug + Send + Sync {
    /// Takes bytes at an offset in the file. Calls may overlap in time and come in any order; each byte comes once.
    ///
    /// # Errors
    /// What the engine's disk says; `Full` when there is no space.
    async fn write(&self, offset: u64, bytes: Bytes) -> Result<()>;

    /// All bytes have come: checks length and CRC-32 of the whole file and makes it durable.
    ///
    /// # Errors
    /// `Corrupt` when length or checksum differ; what the engine's disk says.
    async fn finish(self: Box<Self>, len_bytes: u64, crc32: u32) -> Result<()>;
}

/// A storage engine, as a backup and a restore see it. See the module's text for the contract.
#[async_trait]
pub trait SnapshotSource: Debug + Send + Sync + 'static {
    /// Pins tablets at versions for a job, all or none.
    ///
    /// # Errors
    /// [`VersionGone`](crate::Error::VersionGone) when a version was reclaimed or the tablet dropped; `Unavailable` when
    /// a version is still to come on this node.
    async fn pin(&self, owner: JobId, tablets: &[(TabletId, Version)]) -> Result<()>;

    /// Lets go of all pins of a job; none is fine.
    ///
    /// # Errors
    /// What the engine's disk says.
    async fn unpin(&self, owner: JobId) -> Result<()>;

    /// The jobs that have pins.
    fn pin_owners(&self) -> Vec<JobId>;

    /// The image of a pinned tablet, at exactly the pinned version.
    ///
    /// # Errors
    /// `NotFound` when the job has no such pin.
    fn image(&self, owner: JobId, tablet: TabletId) -> Result<SourceImage>;

    /// The image of a tablet at a version, without a pin; none when this engine does not have it or cannot tell. Only for
    /// looking: nothing is read by it.
    ///
    /// # Errors
    /// What the engine says.
    fn peek(&self, _tablet: TabletId, _version: Version) -> Result<Option<SourceImage>> {
        Ok(None)
    }

    /// The bytes of one file of a pinned image, best as a memory map: they are read once, from front to back.
    ///
    /// # Errors
    /// `NotFound` when the job has no such pin or the image no such file; `Corrupt`.
    async fn open(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Bytes>;

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// What the engine's disk says.
    async fn free_bytes(&self) -> Result<u64>;

    /// Makes room for tablets under new ids, invisible.
    ///
    /// # Errors
    /// `Invalid`, `Corrupt` or `Unsupported` when a description cannot be understood; what the engine's disk says.
    async fn stage_begin(&self, owner: JobId, images: Vec<StagedImage>) -> Result<()>;

    /// The files of a staged tablet that are not here and verified.
    ///
    /// # Errors
    /// `NotFound` when the job does not stage that tablet.
    async fn stage_missing(&self, owner: JobId, tablet: TabletId) -> Result<Vec<SourceFile>>;

    /// Begins to bring one missing file.
    ///
    /// # Errors
    /// `NotFound` when the job does not stage that tablet or it has no such file; what the engine's disk says.
    async fn stage_file(&self, owner: JobId, tablet: TabletId, name: &str) -> Result<Box<dyn StagedSink>>;

    /// All files of these tablets are here: makes the tablets whole and durable, still invisible.
    ///
    /// # Errors
    /// `Conflict` or `Invalid` when a file is missing; what the engine's disk says.
    async fn stage_finish(&self, owner: JobId, tablets: &[TabletId]) -> Result<()>;

    /// The catalog refers to the job's tablets now: they are ordinary ones from here on.
    ///
    /// # Errors
    /// `Conflict` or `Invalid` when one of them is not whole, then nothing is changed; what the engine's disk says.
    async fn stage_keep(&self, owner: JobId) -> Result<()>;

    /// Nothing will ever refer to the job's tablets: removes them.
    ///
    /// # Errors
    /// What the engine's disk says.
    async fn stage_discard(&self, owner: JobId) -> Result<()>;

    /// The jobs that stage something.
    fn stage_owners(&self) -> Vec<JobId>;
}
