//! Does each operation to the store and to the model, and compares them.

use super::Op;
use super::world::{Change, Mutate, Tablet, World};
use crate::support::*;
use env::disk::{Disk, MemDisk};
use env::ids::{JobId, LoadId, TabletId, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use tablet::KeyModel::{Aggregate, Duplicate, Primary, Unique};
use tablet::{ErrorKind, KeyModel, Mutation, Result, StagedTablet, StoreOptions, TabletStore, TabletView};

const TABLETS_MAX: usize = 7;
const RESTORE: JobId = JobId(77);

struct Driver {
    disk: MemDisk,
    store: TabletStore,
    world: World,
    views: Vec<(Arc<TabletView>, Rows)>,
    /// The rows of every lineage that was seen.
    lineages: BTreeMap<String, Rows>,
    cuts: u64,
}

fn options() -> StoreOptions {
    // A tiny index budget, so that indexes are dropped and built anew all the time.
    StoreOptions { index_bytes_max: 1500, ..strict() }
}

pub async fn drive(ops: &[Op]) {
    let disk = MemDisk::new();
    let store = open(&disk, options()).await;
    create(&store, Duplicate, &[1, 3]).await;
    create(&store, Primary, &[2]).await;
    create(&store, Unique, &[4]).await;
    create(&store, Aggregate, &[5]).await;
    let mut world = World { next_tablet: 6, next_load: 1, ..World::default() };
    for (id, model) in [(1, Duplicate), (2, Primary), (3, Duplicate), (4, Unique), (5, Aggregate)] {
        world.tablets.insert(TabletId(id), Tablet::new(model));
    }
    let mut driver = Driver { disk, store, world, views: Vec::new(), lineages: BTreeMap::new(), cuts: 0 };
    for op in ops {
        if driver.step(op).await.is_err() {
            // The only thing that may fail is the power.
            driver.restart(op).await;
        } else if driver.disk.list("").is_err() {
            // It failed in something that nobody waits for, after the operation.
            driver.restart(&Op::Reclaim).await;
        }
        driver.check();
    }
    driver.finish().await;
}

impl Driver {
    async fn step(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Prepare(parts) => self.prepare(parts).await,
            Op::Publish(load, more) => self.publish(*load, *more).await,
            Op::Abort(load) => {
                let Some(load) = self.world.load(*load) else { return Ok(()) };
                self.store.abort(load).await?;
                self.world.loads.remove(&load);
                Ok(())
            }
            Op::Compact(tablet) => {
                let Some(tablet) = self.world.tablet(*tablet) else { return Ok(()) };
                let before = self.store.view_current(tablet)?.lineage().map(str::to_owned);
                self.store.compact(tablet).await?;
                assert_eq!(self.store.view_current(tablet)?.lineage(), before.as_deref(), "a merge changes no rows");
                Ok(())
            }
            Op::CompactPicked => match self.store.pick_compaction() {
                Some(plan) => self.store.run_compaction(plan).await.map(drop),
                None => Ok(()),
            },
            Op::View(tablet) => {
                if let Some(tablet) = self.world.tablet(*tablet).filter(|_| self.views.len() < 4) {
                    let view = self.store.view_current(tablet)?;
                    self.views.push((view, self.world.tablets[&tablet].rows()));
                }
                Ok(())
            }
            Op::DropView(view) => {
                if let Some(at) = view.checked_rem(self.views.len()) {
                    self.views.remove(at);
                }
                Ok(())
            }
            Op::Pin(job, bits) => self.pin(JobId(*job), *bits).await,
            Op::Unpin(job) => {
                self.store.unpin(JobId(*job)).await?;
                self.world.pins.remove(&JobId(*job));
                Ok(())
            }
            Op::Reclaim => self.store.reclaim().await.map(drop),
            Op::Restore(job, tablet) => self.restore(JobId(*job), *tablet).await,
            Op::Remove(tablet) => {
                let Some(tablet) = self.world.tablet(*tablet).filter(|_| self.world.tablets.len() > 2) else {
                    return Ok(());
                };
                self.store.remove(&[tablet]).await?;
                self.removed(tablet);
                Ok(())
            }
            Op::Reopen => {
                self.store.close().await;
                self.views.clear();
                self.store = TabletStore::open(Arc::new(self.disk.clone()), options()).await?;
                Ok(())
            }
            Op::CutAfter(changes, seed) => {
                self.disk.cut_after(u64::from(*changes), *seed);
                Ok(())
            }
            Op::Cut(seed) => {
                drop(self.disk.power_cut(*seed));
                self.store.pin(JobId(0), &[(TabletId(0), Version(1))]).await
            }
        }
    }

    /// Loads that name a removed tablet can only be aborted.
    fn removed(&mut self, tablet: TabletId) {
        self.world.tablets.remove(&tablet);
    }

    async fn prepare(&mut self, parts: &[(usize, Mutate)]) -> Result<()> {
        let load = LoadId(self.world.next_load);
        self.world.next_load += 1;
        for (tablet, mutate) in parts {
            let Some(id) = self.world.tablet(*tablet) else { continue };
            let model = self.world.tablets[&id].model;
            let (mutation, change) = match (mutate, model) {
                (Mutate::Rows(keys), _) => {
                    let new: Rows = keys.iter().map(|key| (*key, self.value())).collect();
                    (Mutation::Rows(vec![rows(model, &new)]), Change::Put(new))
                }
                (Mutate::Delete(gone), KeyModel::Primary) => {
                    (Mutation::DeleteKeys(vec![keys(gone)]), Change::DeleteKeys(gone.clone()))
                }
                // The place of every row of a key, so that nothing of it is left.
                (Mutate::Delete(gone), KeyModel::Duplicate | KeyModel::Unique | KeyModel::Aggregate) => {
                    let view = self.store.view_current(id)?;
                    let segments = positions(&view, |key| gone.contains(&key));
                    let seen = self.world.tablets[&id].loaded.iter().filter(|(key, _)| gone.contains(key)).cloned();
                    (Mutation::DeletePositions { base: view.version(), segments }, Change::DeleteRows(seen.collect()))
                }
            };
            let prepared = self.store.prepare(load, id, mutation).await?;
            if prepared.rows > 0 {
                self.world.loads.entry(load).or_default().entry(id).or_default().push(change);
            }
        }
        Ok(())
    }

    fn value(&mut self) -> String {
        self.world.next_value += 1;
        format!("value {}", self.world.next_value)
    }

    async fn publish(&mut self, load: usize, more: u8) -> Result<()> {
        let Some(load) = self.world.load(load) else { return Ok(()) };
        if self.world.loads[&load].keys().any(|tablet| !self.world.tablets.contains_key(tablet)) {
            self.store.abort(load).await?;
            self.world.loads.remove(&load);
            return Ok(());
        }
        let targets = self.targets(load, more);
        self.store.publish(load, &targets).await?;
        self.published(load, &targets);
        // Again: nothing happens.
        self.store.publish(load, &targets).await
    }

    fn targets(&self, load: LoadId, more: u8) -> Vec<(TabletId, Version)> {
        let mut tablets = self.world.chosen(more);
        tablets.extend(self.world.loads[&load].keys());
        tablets.sort();
        tablets.dedup();
        tablets.into_iter().map(|id| (id, self.world.tablets[&id].version.next())).collect()
    }

    fn published(&mut self, load: LoadId, targets: &[(TabletId, Version)]) {
        let changes = self.world.loads.remove(&load).unwrap_or_default();
        for (id, _) in targets {
            let part = changes.get(id).map(Vec::as_slice).unwrap_or_default();
            self.world.tablets.get_mut(id).unwrap().apply(part);
        }
    }

    async fn pin(&mut self, job: JobId, bits: u8) -> Result<()> {
        let pinned = self.to_pin(bits);
        let targets: Vec<_> = pinned.iter().map(|(id, tablet)| (*id, tablet.version)).collect();
        self.store.pin(job, &targets).await?;
        if !pinned.is_empty() {
            self.world.pins.entry(job).or_default().extend(pinned);
        }
        Ok(())
    }

    fn to_pin(&self, bits: u8) -> BTreeMap<TabletId, Tablet> {
        let state = |id: TabletId| (id, self.world.tablets[&id].clone());
        self.world.chosen(bits).into_iter().map(state).collect()
    }

    async fn restore(&mut self, job: JobId, tablet: usize) -> Result<()> {
        let pins = self.world.pins.get(&job);
        let Some((source, _)) = pins.and_then(|pins| pins.iter().nth(tablet % pins.len())) else { return Ok(()) };
        if self.world.tablets.len() >= TABLETS_MAX {
            return Ok(());
        }
        let (source, new) = (*source, TabletId(self.world.next_tablet));
        self.world.next_tablet += 1;
        let image = self.store.pinned(job, source)?.meta;
        self.store.stage_begin(RESTORE, vec![StagedTablet { tablet: new, image }]).await?;
        self.fill(job, source, new).await
    }

    /// Brings what is missing of a restore, and finishes it.
    async fn fill(&mut self, job: JobId, source: TabletId, new: TabletId) -> Result<()> {
        for file in self.store.staged_missing(RESTORE, new).await? {
            let bytes = self.store.image_bytes(job, source, &file.name).await?;
            bring(&self.store, RESTORE, new, &file, &bytes).await?;
        }
        self.store.stage_finish(RESTORE, &[new]).await?;
        self.store.stage_keep(RESTORE).await?;
        let pinned = self.world.pins[&job][&source].clone();
        let view = self.store.view_current(new)?;
        assert_eq!(view.lineage(), self.store.pinned(job, source)?.meta.lineage.as_deref(), "a restore keeps it");
        assert_eq!(view.schema().model(), pinned.model);
        self.world.tablets.insert(new, pinned);
        Ok(())
    }

    /// The next process, and what became of the operation that the power cut.
    async fn restart(&mut self, op: &Op) {
        self.cuts += 1;
        self.views.clear();
        self.disk = self.disk.reboot();
        self.store = open(&self.disk, options()).await;
        let there = self.store.tablets();
        match op {
            Op::Prepare(_) => {
                // Whatever part of it is there, the load as a whole is given up.
                let load = LoadId(self.world.next_load - 1);
                self.store.abort(load).await.unwrap();
                self.world.loads.remove(&load);
            }
            Op::Publish(load, more) => self.resolve_publish(*load, *more).await,
            Op::Abort(load) => {
                let load = self.world.load(*load).unwrap();
                self.store.abort(load).await.unwrap();
                self.world.loads.remove(&load);
            }
            Op::Pin(job, bits) => {
                let (job, wanted) = (JobId(*job), self.to_pin(*bits));
                let pins = self.store.pins(job);
                let mut after = self.world.pins.get(&job).cloned().unwrap_or_default();
                let versions = |pins: &BTreeMap<TabletId, Tablet>| {
                    pins.iter().map(|(id, tablet)| (*id, tablet.version)).collect::<Vec<_>>()
                };
                let before = versions(&after);
                after.extend(wanted);
                assert!(pins == before || pins == versions(&after), "a pin is all or none: {pins:?}");
                if pins != before {
                    self.world.pins.insert(job, after);
                }
            }
            Op::Unpin(job) => {
                if self.store.pins(JobId(*job)).is_empty() {
                    self.world.pins.remove(&JobId(*job));
                }
            }
            Op::Restore(job, tablet) => self.resolve_restore(JobId(*job), *tablet).await,
            Op::Remove(tablet) => {
                if let Some(tablet) = self.world.tablet(*tablet).filter(|tablet| !there.contains(tablet)) {
                    self.removed(tablet);
                }
            }
            Op::Compact(_)
            | Op::CompactPicked
            | Op::View(_)
            | Op::DropView(_)
            | Op::Reclaim
            | Op::Reopen
            | Op::CutAfter(..)
            | Op::Cut(_) => {}
        }
    }

    async fn resolve_publish(&mut self, load: usize, more: u8) {
        // It may have been done before the power went, in the call that repeats it.
        let prepared = self.store.prepared();
        let Some(load) = self.world.load(load) else { return };
        if self.world.loads[&load].keys().any(|tablet| !self.world.tablets.contains_key(tablet)) {
            self.store.abort(load).await.unwrap();
            self.world.loads.remove(&load);
            return;
        }
        let targets = self.targets(load, more);
        let current = |id: &TabletId| self.store.current_version(*id).unwrap();
        let done = targets.iter().filter(|(id, version)| current(id) == *version).count();
        if done == 0 && prepared.iter().any(|(other, _)| *other == load) {
            self.store.publish(load, &targets).await.unwrap();
            self.published(load, &targets);
        } else if done == targets.len() {
            self.published(load, &targets);
        } else {
            // Already published before this step began: `load` named another one.
            assert_eq!(done, 0, "load {load} is published in {done} of {} tablets", targets.len());
        }
    }

    async fn resolve_restore(&mut self, job: JobId, tablet: usize) {
        let new = TabletId(self.world.next_tablet - 1);
        let there = self.store.tablets().contains(&new) && !self.world.tablets.contains_key(&new);
        let staged = self.store.staged(RESTORE);
        let pins = &self.world.pins[&job];
        let source = *pins.keys().nth(tablet % pins.len()).unwrap();
        if new.0.is_multiple_of(2) && !there && !staged.is_empty() {
            self.store.stage_discard(RESTORE).await.unwrap();
        } else if there || !staged.is_empty() {
            self.fill_again(job, source, new).await;
        }
    }

    async fn fill_again(&mut self, job: JobId, source: TabletId, new: TabletId) {
        if self.store.stage_owners().is_empty() {
            // Finished and kept: only the model does not know yet.
            let pinned = self.world.pins[&job][&source].clone();
            assert_eq!(self.store.schema(new).unwrap().model(), pinned.model);
            self.world.tablets.insert(new, pinned);
        } else {
            self.fill(job, source, new).await.unwrap();
        }
    }

    fn check(&mut self) {
        assert_eq!(self.store.tablets(), self.world.tablets.keys().copied().collect::<Vec<_>>());
        for (id, tablet) in &self.world.tablets {
            let view = self.store.view_current(*id).unwrap();
            let rows = tablet.rows();
            assert_eq!((view.version(), read(&view)), (tablet.version, rows.clone()), "tablet {id}");
            let lineage = view.lineage().expect("every tablet has one").to_owned();
            let known = self.lineages.entry(lineage).or_insert_with(|| rows.clone());
            assert_eq!(*known, rows, "tablet {id} has the lineage of other rows");
        }
        for (view, rows) in &self.views {
            assert_eq!(&read(view), rows, "a view of tablet {} at {}", view.tablet(), view.version());
        }
        assert_eq!(self.store.pin_owners(), self.world.pins.keys().copied().collect::<Vec<_>>());
        let prepared = self.store.prepared();
        let loads: Vec<_> =
            self.world.loads.iter().map(|(load, parts)| (*load, parts.keys().copied().collect())).collect();
        assert_eq!(prepared, loads);
    }

    async fn check_pins(&self) {
        for (job, pins) in &self.world.pins {
            for (id, tablet) in pins {
                let rows = &tablet.rows();
                let image = self.store.pinned(*job, *id).unwrap();
                assert_eq!(image.version, tablet.version);
                assert_eq!(self.lineages.get(image.meta.lineage.as_ref().unwrap()), Some(rows), "pin of {id}");
                assert_eq!(&image_rows(&image.meta, &image_files(&self.store, *job, *id).await), rows, "pin of {id}");
            }
        }
    }

    /// A last power cut; then nothing may be missing, and, when all has been let go, nothing may be left.
    async fn finish(mut self) {
        self.check_pins().await;
        self.disk = self.disk.power_cut(self.cuts);
        self.views.clear();
        self.store = open(&self.disk, options()).await;
        self.check();
        self.check_pins().await;
        self.store.reclaim().await.unwrap();
        self.check_pins().await;
        for load in self.world.loads.keys() {
            self.store.abort(*load).await.unwrap();
        }
        for job in self.world.pins.keys() {
            self.store.unpin(*job).await.unwrap();
        }
        let gone = self.store.pinned(JobId(0), TabletId(1)).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
        self.store.reclaim().await.unwrap();
        assert_eq!(files(&self.disk), needed(&self.store), "no file without an owner, no owner without its files");
    }
}
