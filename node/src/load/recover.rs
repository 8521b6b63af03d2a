//! What to do with loads that a stopped process left behind.

use super::Loader;
use crate::error::EngineError;
use catalog::records::{LoadRecord, LoadState};
use catalog::{At, Stored};
use env::ids::{LoadId, PartitionId, TabletId, Version};
use env::rt::time::unix_millis;
use std::collections::BTreeMap;

impl Loader {
    /// Publishes what was committed, aborts what was not. Called before the node takes statements.
    ///
    /// # Errors
    /// What the catalog and the store say; Corrupt when committed versions do not follow one another.
    pub(crate) async fn recover(&self) -> Result<(), EngineError> {
        let loads = self.catalog.loads(At::Latest).await?;
        let mut by_id: BTreeMap<LoadId, Stored<LoadRecord>> =
            loads.into_iter().filter(|load| load.node == self.node).map(|load| (load.id, load)).collect();
        let mut committed = Vec::new();
        for (load, _) in self.store.prepared() {
            match by_id.remove(&load) {
                Some(record) => match &record.state {
                    LoadState::Committed { versions } => committed.push((load, versions.clone())),
                    LoadState::Preparing => self.give_up(&record).await?,
                    LoadState::Aborted { .. } => self.store.abort(load).await?,
                },
                // Nothing can have committed it.
                None => self.store.abort(load).await?,
            }
        }
        for record in by_id.values() {
            match &record.state {
                LoadState::Preparing => self.give_up(record).await?,
                // Its rows may be published while the versions of tablets without rows are not.
                LoadState::Committed { versions } => committed.push((record.id, versions.clone())),
                LoadState::Aborted { .. } => {}
            }
        }
        self.publish_all(committed).await
    }

    async fn give_up(&self, record: &Stored<LoadRecord>) -> Result<(), EngineError> {
        let aborted = LoadRecord {
            state: LoadState::Aborted { reason: "the node stopped before the load committed".to_owned() },
            finished_ms: unix_millis(),
            ..record.record.clone()
        };
        self.catalog.change().replace(record, &aborted).commit().await?;
        Ok(self.store.abort(record.id).await?)
    }

    /// Publishes in the order in which the versions were made: each round takes every load whose turn has come.
    async fn publish_all(
        &self,
        mut committed: Vec<(LoadId, BTreeMap<PartitionId, Version>)>,
    ) -> Result<(), EngineError> {
        // An older load has lower versions of each partition that two of them share.
        committed.sort_by_key(|(load, versions)| (versions.values().next().copied(), *load));
        while !committed.is_empty() {
            let mut waiting = Vec::new();
            let before = committed.len();
            for (load, versions) in committed {
                let tablets = self.behind(&versions).await?;
                if tablets.is_empty() {
                    continue;
                }
                match self.store.publish(load, &tablets).await {
                    Ok(()) => {}
                    Err(failed) if failed.kind() == tablet::ErrorKind::Busy => waiting.push((load, versions)),
                    Err(failed) => return Err(failed.into()),
                }
            }
            if waiting.len() == before {
                let loads: Vec<String> = waiting.iter().map(|(load, _)| load.to_string()).collect();
                return Err(EngineError::general(
                    crate::error::ErrorKind::Corrupt,
                    format!(
                        "committed loads {} cannot be published: versions before theirs are missing",
                        loads.join(", ")
                    ),
                ));
            }
            committed = waiting;
        }
        Ok(())
    }

    /// The tablets of this node that are older than a load's versions.
    async fn behind(&self, versions: &BTreeMap<PartitionId, Version>) -> Result<Vec<(TabletId, Version)>, EngineError> {
        let mut tablets = Vec::new();
        for (partition, version) in versions {
            for tablet in self.directory.tablets(*partition, At::Latest).await?.iter() {
                match self.store.current_version(*tablet) {
                    Ok(current) if current < *version => tablets.push((*tablet, *version)),
                    Ok(_) => {}
                    // Dropped in the meantime.
                    Err(failed) if failed.kind() == tablet::ErrorKind::NotFound => {}
                    Err(failed) => return Err(failed.into()),
                }
            }
        }
        Ok(tablets)
    }
}
