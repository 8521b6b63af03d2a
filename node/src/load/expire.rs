//! Loads are forgotten some time after their end: their labels are free again then.

use super::Loader;
use super::begin::label_key;
use crate::error::EngineError;
use catalog::At;
use catalog::records::LoadState;
use env::ids::LoadId;
use std::collections::BTreeSet;

/// How long a load with a label is remembered: three days, in milliseconds.
pub(crate) const LABEL_KEPT_MS: u64 = 3 * 24 * 3600 * 1000;

/// How long a load without one is: nobody asks for it again, but SHOW LOAD shows it for an hour.
pub(crate) const UNLABELLED_KEPT_MS: u64 = 3600 * 1000;

/// Loads forgotten in one transaction.
const BATCH: usize = 256;

impl Loader {
    /// Forgets loads of this node that ended long ago and are published.
    ///
    /// # Errors
    /// What the catalog says.
    pub(crate) async fn expire(&self, now_ms: u64) -> Result<u64, EngineError> {
        let still_prepared: BTreeSet<LoadId> = self.store.prepared().into_iter().map(|(load, _)| load).collect();
        let mut due = Vec::new();
        for load in self.catalog.loads(At::Latest).await? {
            let kept = if load.label.is_some() { LABEL_KEPT_MS } else { UNLABELLED_KEPT_MS };
            let ended = !matches!(load.state, LoadState::Preparing);
            let old = load.finished_ms.saturating_add(kept) <= now_ms;
            if load.node == self.node && ended && old && !still_prepared.contains(&load.id) {
                due.push(load);
            }
        }
        for part in due.chunks(BATCH) {
            let mut change = self.catalog.change();
            for load in part {
                change = change.delete(load);
                if let Some(key) = label_key(load.database, load)
                    && self.catalog.named(&key, At::Latest).await? == Some(load.id.0)
                {
                    change = change.release_name(key);
                }
            }
            match change.commit().await {
                Ok(_) => {}
                Err(failed) if failed.is_conflict() => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Ok(due.len() as u64)
    }
}
