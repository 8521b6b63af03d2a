//! Giving space back: finds what is reachable, lists what is there, deletes what fails the four tests.

mod plan;

pub use plan::SweepPlan;

use crate::error::{Error, Result};
use crate::index;
use crate::log::Head;
use crate::manifest::{SnapshotRoot, SnapshotSummary, TableManifest};
use crate::names::{DATA, Generation, ObjectName, Owner, PAGES, UPLOADS};
use crate::objects::{Listed, Objects};
use crate::page::{self, PageKind, PageRef};
use crate::reader;
use crate::repository::Repository;
use futures::{StreamExt, TryStreamExt};
use plan::{View, plan};
use std::collections::{BTreeMap, BTreeSet};

/// Pages read at one time.
const READS: usize = 8;
/// Objects in one request to delete.
const DELETES: usize = 1000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Objects deleted; one that somebody else had deleted counts.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Repository {
    /// What a sweep would delete now. Reads every manifest that is reachable, once.
    ///
    /// # Errors
    /// `Corrupt` when a page that is reachable is missing or damaged: nothing is swept by halves; what the store says.
    pub async fn sweep_plan(&self) -> Result<SweepPlan> {
        let head = self.log.head().await?;
        let mut view = view(&head);
        let mut seen = BTreeSet::new();
        self.reach(&head, &mut seen).await?;
        view.reachable.clone_from(&seen);
        let pins: BTreeSet<Generation> = head.record.sessions.iter().map(|session| session.generation).collect();
        for generation in pins {
            let pinned = self.log.expect(generation).await?;
            self.reach(&pinned, &mut seen).await?;
        }
        view.pinned = seen;
        let mut listed = Vec::new();
        for prefix in [DATA, PAGES, UPLOADS] {
            listed.extend(self.objects.list(prefix).await?);
        }
        Ok(plan(&view, listed, None))
    }

    /// Deletes what a plan says. A plan may be old: what is dead stays dead.
    ///
    /// # Errors
    /// What the store says; a part may be deleted by then, and the next sweep goes on.
    pub async fn sweep(&self, plan: SweepPlan) -> Result<Swept> {
        let swept = Swept { objects: plan.delete.len() as u64, bytes: plan.bytes() };
        for batch in plan.delete.chunks(DELETES) {
            self.objects.delete(batch.iter().map(|(name, _)| name.clone()).collect()).await?;
        }
        Ok(swept)
    }

    /// Adds the names of all objects reachable at a generation to `seen`; what is in it already is not read again.
    async fn reach(&self, head: &Head, seen: &mut BTreeSet<String>) -> Result<()> {
        let snapshots = index::scan(&self.objects, head.record.index.as_ref(), seen).await?;
        for summary in snapshots {
            self.reach_snapshot(&summary, seen).await?;
        }
        Ok(())
    }

    async fn reach_snapshot(&self, summary: &SnapshotSummary, seen: &mut BTreeSet<String>) -> Result<()> {
        let objects = &self.objects;
        if !seen.insert(summary.root.name.clone()) {
            return Ok(());
        }
        let root: SnapshotRoot = read(objects, &summary.root, PageKind::Snapshot).await?;
        for table in &root.tables {
            if !seen.insert(table.page.name.clone()) {
                continue;
            }
            let table: TableManifest = read(objects, &table.page, PageKind::Table).await?;
            let pages = table.partitions.into_iter().flat_map(|partition| partition.pages);
            let fresh: Vec<PageRef> = pages.filter(|page| seen.insert(page.name.clone())).collect();
            let names = fresh.into_iter().map(|page| async move {
                let entries = reader::tablets(objects.clone(), vec![page]);
                let names = entries.try_fold(BTreeSet::new(), |mut names, entry| async move {
                    names.extend(entry.files.into_iter().map(|file| file.object));
                    Ok(names)
                });
                names.await
            });
            let names: Vec<BTreeSet<String>> = futures::stream::iter(names).buffered(READS).try_collect().await?;
            seen.extend(names.into_iter().flatten());
        }
        Ok(())
    }
}

async fn read<T: serde::de::DeserializeOwned>(objects: &Objects, page: &PageRef, kind: PageKind) -> Result<T> {
    let bytes = objects.page(page, kind).await?;
    page::decode(page, kind, &bytes)
}

fn view(head: &Head) -> View {
    let sessions: BTreeMap<String, Generation> =
        head.record.sessions.iter().map(|session| (session.id.token().to_owned(), session.generation)).collect();
    View { generation: head.generation().0, sessions, reachable: BTreeSet::new(), pinned: BTreeSet::new() }
}

/// What a session that ended without a snapshot has left. Nothing of it was ever reachable: only its own commit could
/// have made it so, and it cannot commit any more. So tests 3 and 4 hold without reading a manifest.
pub(crate) async fn plan_ended(repository: &Repository, head: &Head, owner: &Owner) -> Result<SweepPlan> {
    let view = view(head);
    if view.sessions.contains_key(&owner.token) || owner.generation > head.generation() {
        return Err(Error::Internal(format!("session {owner} has not ended")));
    }
    let objects = &repository.objects;
    let mut listed: Vec<Listed> = Vec::new();
    for prefix in [format!("{DATA}/{owner}"), format!("{PAGES}/{owner}")] {
        listed.extend(objects.list(&prefix).await?);
    }
    let of_owner = |found: &Listed| match ObjectName::parse(&found.name) {
        ObjectName::Unfinished(target) => {
            matches!(&*target, ObjectName::Page(other) | ObjectName::Data(other) if other == owner)
        }
        ObjectName::Identity
        | ObjectName::Commit(_)
        | ObjectName::Page(_)
        | ObjectName::Data(_)
        | ObjectName::Foreign => false,
    };
    let unfinished = objects.list(UPLOADS).await?.into_iter().filter(of_owner);
    listed.extend(unfinished);
    Ok(plan(&view, listed, None))
}
