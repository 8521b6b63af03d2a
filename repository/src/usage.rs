//! What snapshots cost: how many stored bytes each refers to, which of them nobody else does, and what a drop would
//! give back.
//!
//! One walk over all manifests finds for each object the set of snapshots that refer to it, one listing gives the
//! lengths. Objects are counted whole: a pack belongs to every snapshot that has one of its files, since a sweep deletes
//! objects and not files. Pages of the snapshot index belong to no snapshot.
//!
//! Memory: some 30 bytes for each object, and a line for each different set of snapshots; snapshots are numbered in the
//! order in which they were begun, where those that share an object are mostly neighbours, so that a set is a few runs
//! of numbers.

mod sets;

use crate::checksum::digest;
use crate::error::{Error, Result};
use crate::log::Head;
use crate::manifest::SnapshotSummary;
use crate::names::{COMMITS, DATA, Generation, ObjectName, PAGES, UPLOADS};
use crate::options::no_progress;
use crate::repository::Repository;
use crate::sweep::{dead, view};
use crate::walk::Tally;
use env::rt::CancellationToken;
use serde::Serialize;
use sets::{SetId, Sets, Space};
use std::collections::BTreeMap;

/// What one snapshot costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotUsage {
    /// Its label.
    pub label: String,
    /// Its timestamp.
    pub timestamp: String,
    /// Bytes of the files that it holds: what a restore fetches.
    pub bytes: u64,
    /// Bytes of all objects that it refers to, pages and whole packs included.
    pub stored_bytes: u64,
    /// Of these, what no other snapshot refers to: what dropping it gives back.
    pub unique_bytes: u64,
    /// Of these, what others refer to as well.
    pub shared_bytes: u64,
}

/// What a repository costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The generation that was looked at.
    pub generation: Generation,
    /// All snapshots, sorted by label.
    pub snapshots: Vec<SnapshotUsage>,
    /// Bytes of all objects, the commit log and garbage included.
    pub stored_bytes: u64,
    /// Bytes that no snapshot refers to and that a sweep must leave: what open sessions have sent, and what they keep of
    /// dropped snapshots.
    pub session_bytes: u64,
    /// Bytes that a sweep would delete.
    pub garbage_bytes: u64,
    /// Objects that a sweep would delete.
    pub garbage_objects: u64,
    #[serde(skip)]
    space: Space,
    /// The number of each snapshot in `space`.
    #[serde(skip)]
    numbers: Vec<u32>,
}

impl Usage {
    /// Bytes that a sweep would delete, besides what is garbage already, if the snapshots with these labels were dropped
    /// and no session were open. A label that is not there gives nothing.
    #[must_use]
    pub fn freed_by(&self, labels: &[&str]) -> u64 {
        let number = |label: &&str| {
            let position = self.snapshots.binary_search_by(|row| row.label.as_str().cmp(label)).ok()?;
            self.numbers.get(position).copied()
        };
        self.space.only_in(labels.iter().filter_map(number))
    }
}

/// Which snapshots refer to an object.
#[derive(Default)]
struct Referrers {
    sets: Sets,
    rows: Vec<(String, String, u64)>,
    objects: BTreeMap<u128, SetId>,
}

impl Tally for Referrers {
    type Mark = SetId;

    fn index(&self) -> SetId {
        SetId::INDEX
    }

    fn pinned(&self) -> SetId {
        SetId::EMPTY
    }

    fn snapshot(&mut self, row: &SnapshotSummary) -> SetId {
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push((row.label.clone(), row.timestamp.clone(), row.bytes));
        self.sets.one(number)
    }

    fn join(&mut self, one: SetId, other: SetId) -> SetId {
        self.sets.union(one, other)
    }

    fn object(&mut self, name: &str, mark: SetId) {
        let sets = &mut self.sets;
        self.objects
            .entry(digest(&[name.as_bytes()]))
            .and_modify(|known| *known = sets.union(*known, mark))
            .or_insert(mark);
    }
}

impl Repository {
    /// What the repository and each of its snapshots cost now. Reads every manifest, once, and lists every object; sends
    /// nothing and opens no session.
    ///
    /// # Errors
    /// `Cancelled` when `stop` says so; `Corrupt` when a page that is reachable is missing or damaged; what the store
    /// says.
    pub async fn usage(&self, stop: &CancellationToken) -> Result<Usage> {
        env::select! {
            () = stop.cancelled() => Err(Error::Cancelled),
            usage = self.at_head(|head| self.usage_at(head)) => usage,
        }
    }

    async fn usage_at(&self, head: Head) -> Result<Usage> {
        let mut referrers = Referrers::default();
        self.walk(&head, &mut referrers, &no_progress()).await?;
        let Referrers { sets, rows, objects } = referrers;
        let (view, mut space) = (view(&head), Space::new(&sets));
        let (mut stored_bytes, mut session_bytes, mut garbage_bytes, mut garbage_objects) = (0u64, 0u64, 0u64, 0u64);
        for prefix in [COMMITS, DATA, PAGES, UPLOADS] {
            let count = |listed: crate::objects::Listed| {
                let parsed = ObjectName::parse(&listed.name);
                let bytes = listed.len_bytes;
                match (&parsed, objects.get(&digest(&[listed.name.as_bytes()]))) {
                    (ObjectName::Foreign, _) => return,
                    (ObjectName::Commit(_) | ObjectName::Identity, _) => {}
                    (_, Some(set)) if space.add(*set, bytes) => {}
                    (_, None) if dead(&view, &listed.name, &parsed, None) => {
                        garbage_bytes = garbage_bytes.saturating_add(bytes);
                        garbage_objects += 1;
                    }
                    // A session's own, or pinned by the generation at which one was opened.
                    (_, None | Some(_)) => session_bytes = session_bytes.saturating_add(bytes),
                }
                stored_bytes = stored_bytes.saturating_add(bytes);
            };
            self.objects.visit(prefix, count).await?;
        }
        let space = space.finish(&sets);
        let mut all: Vec<(SnapshotUsage, u32)> = Vec::with_capacity(rows.len());
        for (number, (label, timestamp, bytes)) in (0u32..).zip(rows) {
            let (stored_bytes, unique_bytes) = space.of(number);
            let shared_bytes = stored_bytes - unique_bytes;
            all.push((SnapshotUsage { label, timestamp, bytes, stored_bytes, unique_bytes, shared_bytes }, number));
        }
        all.sort_by(|(a, _), (b, _)| a.label.cmp(&b.label));
        let (snapshots, numbers) = all.into_iter().unzip();
        let generation = head.generation();
        Ok(Usage { generation, snapshots, stored_bytes, session_bytes, garbage_bytes, garbage_objects, space, numbers })
    }
}
