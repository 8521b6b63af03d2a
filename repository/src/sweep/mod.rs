//! Giving space back: finds what is reachable, lists what is there, deletes what fails the four tests.
//!
//! Memory: some 25 bytes for each object that is alive, and some 60 for each that is to be deleted; listings and
//! manifests are gone through as they come.

mod names;
mod plan;

pub use plan::SweepPlan;

use crate::error::{Error, ErrorKind, Result};
use crate::log::Head;
use crate::manifest::SnapshotSummary;
use crate::names::{DATA, ObjectName, Owner, PAGES, UPLOADS};
use crate::objects::Listed;
use crate::options::Progress;
use crate::repository::Repository;
use crate::walk::Tally;
use env::canary::{self, Canary};
#[cfg(test)]
pub(crate) use plan::Test;
use plan::plan;
pub(crate) use plan::{View, dead};
use std::collections::BTreeSet;

/// Objects in one request to delete.
const DELETES: usize = 1000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Objects deleted; one that somebody else had deleted counts.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that the store refused to delete, because they are locked or the credentials do not allow it. They stay
    /// garbage.
    pub refused: u64,
}

/// Sorts what is referred to into what is reachable and what is only pinned.
struct Live<'a> {
    view: &'a mut View,
}

impl Tally for Live<'_> {
    /// Whether it is reachable.
    type Mark = bool;

    fn index(&self) -> bool {
        true
    }

    fn pinned(&self) -> bool {
        false
    }

    fn snapshot(&mut self, _row: &SnapshotSummary) -> bool {
        true
    }

    fn join(&mut self, one: bool, other: bool) -> bool {
        one || other
    }

    fn object(&mut self, name: &str, reachable: bool) {
        let names = if reachable { &mut self.view.reachable } else { &mut self.view.pinned };
        names.insert(name);
    }
}

impl Repository {
    /// What a sweep would delete now. Reads every manifest that is reachable, once; `progress` hears their bytes.
    ///
    /// # Errors
    /// `Corrupt` when a page that is reachable is missing or damaged: nothing is swept by halves; what the store says.
    pub async fn sweep_plan(&self, progress: &Progress) -> Result<SweepPlan> {
        let view = self.at_head(|head| self.view(head, progress)).await?;
        let mut plan = SweepPlan::new(&view);
        for prefix in [DATA, PAGES, UPLOADS] {
            self.objects.visit(prefix, |listed| plan.judge(&view, &listed, None)).await?;
        }
        Ok(plan.finish())
    }

    async fn view(&self, head: Head, progress: &Progress) -> Result<View> {
        let mut view = view(&head);
        self.walk(&head, &mut Live { view: &mut view }, progress).await?;
        Ok(view)
    }

    /// Deletes what a plan says. A plan may be old: what is dead stays dead. `progress` hears the bytes of what was
    /// deleted.
    ///
    /// # Errors
    /// What the store says; a part may be deleted by then, and the next sweep goes on. An object that it refuses to
    /// delete is counted, and is no error.
    pub async fn sweep(&self, plan: &SweepPlan, progress: &Progress) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut objects = plan.objects();
        loop {
            let batch: Vec<(String, u64)> = objects.by_ref().take(DELETES).collect();
            if batch.is_empty() {
                return Ok(swept);
            }
            let bytes = self.delete(&batch, &mut swept).await?;
            progress(bytes);
        }
    }

    /// Deletes all at once; when that is denied, one by one.
    async fn delete(&self, batch: &[(String, u64)], swept: &mut Swept) -> Result<u64> {
        let bytes =
            |batch: &[(String, u64)]| batch.iter().map(|(_, len_bytes)| *len_bytes).fold(0, u64::saturating_add);
        let before = swept.bytes;
        match self.objects.delete(batch.iter().map(|(name, _)| name.clone()).collect()).await {
            Ok(()) => {
                swept.objects += batch.len() as u64;
                swept.bytes = swept.bytes.saturating_add(bytes(batch));
            }
            Err(denied) if denied.kind() == ErrorKind::Denied => {
                for (name, len_bytes) in batch {
                    match self.objects.delete(vec![name.clone()]).await {
                        Ok(()) => {
                            swept.objects += 1;
                            swept.bytes = swept.bytes.saturating_add(*len_bytes);
                        }
                        Err(denied) if denied.kind() == ErrorKind::Denied => {
                            if swept.refused == 0 {
                                tracing::warn!(error = &denied as &dyn std::error::Error, "garbage may not be deleted");
                            }
                            swept.refused += 1;
                        }
                        Err(failed) => return Err(failed),
                    }
                }
            }
            Err(failed) => return Err(failed),
        }
        Ok(swept.bytes - before)
    }
}

/// What the newest record alone tells.
pub(crate) fn view(head: &Head) -> View {
    let mut sessions: BTreeSet<String> =
        head.record.sessions.iter().map(|session| session.id.token().to_owned()).collect();
    if canary::sings(Canary::SweepIgnoresSessions) {
        sessions.clear();
    }
    View { generation: head.generation().0, sessions, ..View::default() }
}

/// What a session that ended without a snapshot has left. Nothing of it was ever reachable: only its own commit could
/// have made it so, and it cannot commit any more. So tests 3 and 4 hold without reading a manifest.
pub(crate) async fn plan_ended(repository: &Repository, head: &Head, owner: &Owner) -> Result<SweepPlan> {
    let view = view(head);
    if view.sessions.contains(&owner.token) || owner.generation > head.generation() {
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
