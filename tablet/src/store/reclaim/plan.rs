//! What can be reclaimed, from what is known of each tablet. Pure.
//!
//! Law (*nobody needs it*): a file goes only if no version that is kept refers to it, no pin, no reader or compaction
//! that still runs, no prepared load, and no restore that is filling the tablet.

use crate::store::tablet::Life;
use crate::view::SegmentId;
use env::ids::{TabletId, Version};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// How long versions are kept; see `StoreOptions`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub(crate) versions: usize,
    pub(crate) age: Duration,
}

/// What a plan knows of one tablet.
#[derive(Debug)]
pub(crate) struct TabletFacts {
    pub(crate) tablet: TabletId,
    pub(crate) life: Life,
    pub(crate) pinned: bool,
    /// The versions that can be had, oldest first; the last one is current.
    pub(crate) versions: Vec<VersionFacts>,
    pub(crate) rowsets: Vec<FileFacts<u64>>,
    pub(crate) deletes: Vec<FileFacts<(SegmentId, Version)>>,
    pub(crate) keys: Vec<FileFacts<u64>>,
    /// Files in the directory that no rowset, key file, restore or running write owns.
    pub(crate) strays: Vec<Stray>,
}

#[derive(Debug)]
pub(crate) struct VersionFacts {
    pub(crate) version: Version,
    /// For how long there has been a newer one; none for the current one.
    pub(crate) superseded_for: Option<Duration>,
    /// Whether anything but the list of versions holds the state: a view, a pin, a compaction.
    pub(crate) held: bool,
    pub(crate) rowsets: BTreeSet<u64>,
    pub(crate) deletes: BTreeSet<(SegmentId, Version)>,
}

/// A rowset, a delete vector, or a key file.
#[derive(Debug)]
pub(crate) struct FileFacts<K> {
    pub(crate) id: K,
    /// Paths and lengths; none for what lies in the metadata file.
    pub(crate) files: Vec<(String, u64)>,
    /// Whether anything but the versions above holds it: a prepared load, or a state that only a pin or a reader knows.
    pub(crate) held: bool,
}

#[derive(Debug)]
pub(crate) struct Stray {
    pub(crate) path: String,
    pub(crate) len_bytes: u64,
    pub(crate) temporary: bool,
}

/// Why nobody needs a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unneeded {
    /// Neither a version that is kept, nor a pin, a reader, or a prepared load refers to its rowset.
    Superseded,
    /// Its tablet was removed, and nobody reads it any more.
    TabletRemoved,
    /// The load that brought it was published or given up.
    LoadEnded,
    /// It was being written when the process or the write ended.
    Temporary,
    /// Nothing refers to it: a write that ended before it counted.
    NoOwner,
}

impl fmt::Display for Unneeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superseded => "no kept version, pin, reader or prepared load refers to its rowset",
            Self::TabletRemoved => "its tablet was removed and has no reader or pin",
            Self::LoadEnded => "the load that brought it has ended",
            Self::Temporary => "it was left half written",
            Self::NoOwner => "nothing refers to it",
        })
    }
}

/// A file that can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoomedFile {
    /// Its path, relative to the disk.
    pub path: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// Why nobody needs it.
    pub why: Unneeded,
}

/// What can be reclaimed of one tablet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TabletReclaim {
    /// Whose.
    pub tablet: TabletId,
    /// Versions that cannot be had any more afterwards.
    pub versions: Vec<Version>,
    /// Rowsets that nobody refers to.
    pub rowsets: Vec<u64>,
    /// Delete vectors that nobody refers to.
    pub deletes: Vec<(SegmentId, Version)>,
    /// Key files of loads that have ended.
    pub keys: Vec<u64>,
    /// The files of those, and those without an owner.
    pub files: Vec<DoomedFile>,
    /// Whether nothing of a removed tablet remains.
    pub forget: bool,
}

/// What a reclaim would do now; print it for a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReclaimPlan {
    /// Tablets of which something can go, by id.
    pub tablets: Vec<TabletReclaim>,
}

impl ReclaimPlan {
    /// Every file that would go.
    pub fn files(&self) -> impl Iterator<Item = &DoomedFile> {
        self.tablets.iter().flat_map(|tablet| &tablet.files)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tablets.is_empty()
    }
}

impl fmt::Display for ReclaimPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tablet in &self.tablets {
            for version in &tablet.versions {
                writeln!(f, "forget version {version} of tablet {}: newer ones are kept", tablet.tablet)?;
            }
            for (segment, version) in &tablet.deletes {
                writeln!(
                    f,
                    "forget the delete vector of segment {segment}, version {version}, of tablet {}",
                    tablet.tablet
                )?;
            }
            for file in &tablet.files {
                writeln!(f, "delete {} ({} bytes): {}", file.path, file.len_bytes, file.why)?;
            }
            if tablet.forget {
                writeln!(f, "forget tablet {}: it was removed", tablet.tablet)?;
            }
        }
        Ok(())
    }
}

/// What can go of one tablet; none when nothing can.
pub(crate) fn plan(facts: &TabletFacts, retention: Retention) -> Option<TabletReclaim> {
    let expired = expired(&facts.versions, retention);
    let kept: Vec<&VersionFacts> =
        facts.versions.iter().filter(|version| version.held || !expired.contains(&version.version)).collect();
    let rowset_why = if facts.life == Life::Removed { Unneeded::TabletRemoved } else { Unneeded::Superseded };
    let rowsets = unneeded(&facts.rowsets, |id| kept.iter().any(|version| version.rowsets.contains(id)));
    let deletes = unneeded(&facts.deletes, |id| kept.iter().any(|version| version.deletes.contains(id)));
    let keys = unneeded(&facts.keys, |_| false);
    let mut files: Vec<DoomedFile> = Vec::new();
    files.extend(rowsets.iter().flat_map(|rowset| doomed(&rowset.files, rowset_why)));
    files.extend(keys.iter().flat_map(|keys| doomed(&keys.files, Unneeded::LoadEnded)));
    files.extend(facts.strays.iter().map(|stray| DoomedFile {
        path: stray.path.clone(),
        len_bytes: stray.len_bytes,
        why: if stray.temporary { Unneeded::Temporary } else { Unneeded::NoOwner },
    }));
    let forget = facts.life == Life::Removed
        && !facts.pinned
        && facts.versions.is_empty()
        && rowsets.len() == facts.rowsets.len()
        && deletes.len() == facts.deletes.len()
        && keys.len() == facts.keys.len();
    let plan = TabletReclaim {
        tablet: facts.tablet,
        versions: expired,
        rowsets: rowsets.iter().map(|rowset| rowset.id).collect(),
        deletes: deletes.iter().map(|deletes| deletes.id).collect(),
        keys: keys.iter().map(|keys| keys.id).collect(),
        files,
        forget,
    };
    let nothing = plan.versions.is_empty()
        && plan.rowsets.is_empty()
        && plan.deletes.is_empty()
        && plan.keys.is_empty()
        && plan.files.is_empty()
        && !plan.forget;
    (!nothing).then_some(plan)
}

/// The versions that leave: too many newer ones, or superseded for too long. Never the current one.
fn expired(versions: &[VersionFacts], retention: Retention) -> Vec<Version> {
    let newest_kept = versions.len().saturating_sub(retention.versions.max(1));
    let old = |(at, version): &(usize, &VersionFacts)| {
        let superseded_for = version.superseded_for;
        superseded_for.is_some_and(|age| *at < newest_kept || age >= retention.age)
    };
    versions.iter().enumerate().filter(old).map(|(_, version)| version.version).collect()
}

fn unneeded<K>(all: &[FileFacts<K>], kept: impl Fn(&K) -> bool) -> Vec<&FileFacts<K>> {
    all.iter().filter(|facts| !facts.held && !kept(&facts.id)).collect()
}

fn doomed(files: &[(String, u64)], why: Unneeded) -> impl Iterator<Item = DoomedFile> {
    files.iter().map(move |(path, len_bytes)| DoomedFile { path: path.clone(), len_bytes: *len_bytes, why })
}

#[cfg(test)]
mod tests;
