//! What to do with loads that a stopped process left behind.

use super::Loader;
use crate::error::{EngineError, ErrorKind};
use catalog::records::{LoadRecord, LoadState};
use catalog::{At, Stored};
use env::ids::{LoadId, PartitionId, TabletId, Version};
use env::rt::time::unix_millis;
use std::collections::{BTreeMap, BTreeSet};

/// A load that counts.
struct Committed {
    load: LoadId,
    versions: BTreeMap<PartitionId, Version>,
    /// Tablets that it prepared something in and that have nothing prepared now: it must be published in them.
    lost: BTreeSet<TabletId>,
}

fn missing(record: &LoadRecord, prepared: &[TabletId]) -> BTreeSet<TabletId> {
    record.tablets.iter().filter(|tablet| !prepared.contains(tablet)).copied().collect()
}

fn corrupt(message: String) -> EngineError {
    EngineError::general(ErrorKind::Corrupt, message)
}

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
        for (load, prepared) in self.store.prepared() {
            match by_id.remove(&load) {
                Some(record) => match &record.state {
                    LoadState::Committed { versions } => {
                        committed.push(Committed {
                            load,
                            versions: versions.clone(),
                            lost: missing(&record, &prepared),
                        });
                    }
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
                // Nothing of it waits: it is published, or there is nothing to publish.
                LoadState::Committed { versions } => {
                    committed.push(Committed {
                        load: record.id,
                        versions: versions.clone(),
                        lost: missing(record, &[]),
                    });
                }
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
    async fn publish_all(&self, mut committed: Vec<Committed>) -> Result<(), EngineError> {
        while !committed.is_empty() {
            let mut waiting = Vec::new();
            let before = committed.len();
            for load in committed {
                let tablets = self.behind(&load.versions).await?;
                if tablets.is_empty() {
                    continue;
                }
                // Without them the version would be one that nobody ever saw.
                if let Some((lost, _)) = tablets.iter().find(|(tablet, _)| load.lost.contains(tablet)) {
                    return Err(corrupt(format!(
                        "load {} is committed, and the rows that it prepared in tablet {lost} are gone: the metadata of the \
                         tablet store is older than the catalog",
                        load.load
                    )));
                }
                match self.store.publish(load.load, &tablets).await {
                    Ok(()) => {}
                    Err(failed) if failed.kind() == tablet::ErrorKind::Busy => waiting.push(load),
                    Err(failed) => return Err(failed.into()),
                }
            }
            if waiting.len() == before {
                let loads: Vec<String> = waiting.iter().map(|load| load.load.to_string()).collect();
                return Err(corrupt(format!(
                    "committed loads {} cannot be published: versions before theirs are missing",
                    loads.join(", ")
                )));
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
