//! What nobody owns: in the data directory and in the repository.

use catalog::records::{PartitionRecord, PartitionState, TabletRecord};
use catalog::{At, Catalog, EmbeddedStore, MetaStore, keys};
use env::disk::{Disk, RealDisk};
use env::ids::TabletId;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tablet::{StoreOptions, TabletStore};

/// Fails when a file is left that nobody owns: a temporary file, an object of the repository that the next sweep would
/// take, a table that the last reclaim left behind.
pub async fn none(data_dir: &Path, repository_dir: &Path) {
    let mut temporary = Vec::new();
    files(&RealDisk::new(data_dir), "", &mut temporary);
    files(&RealDisk::new(repository_dir), "", &mut temporary);
    temporary.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "tmp"));
    assert!(temporary.is_empty(), "temporary files are left: {temporary:?}");

    let repository = repository::Repository::open(repository::local(repository_dir)).await.unwrap();
    let plan = repository.sweep_plan(&repository::no_progress()).await.unwrap();
    let garbage: Vec<_> = plan.objects().collect();
    assert!(garbage.is_empty(), "the repository holds objects that nothing refers to: {garbage:?}");
    owners(data_dir).await;
}

/// Opens the stopped node's stores and compares what they hold with what the catalog knows.
async fn owners(data_dir: &Path) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(data_dir));
    let meta = EmbeddedStore::open(Arc::clone(&disk), "catalog/catalog.redb").await.unwrap();
    let catalog = Catalog::new(Arc::new(meta.clone()));
    let store = TabletStore::open(disk, StoreOptions::default()).await.unwrap();

    assert!(store.pin_owners().is_empty(), "pins are left: {:?}", store.pin_owners());
    assert!(store.stage_owners().is_empty(), "staged tablets are left: {:?}", store.stage_owners());
    assert!(store.prepared().is_empty(), "prepared loads are left: {:?}", store.prepared());
    let partitions = catalog.list::<PartitionRecord>(keys::PARTITIONS, At::Latest).await.unwrap();
    let hidden: Vec<_> = partitions
        .iter()
        .filter(|partition| matches!(partition.state, PartitionState::Hidden { .. }))
        .map(|partition| partition.id)
        .collect();
    assert!(hidden.is_empty(), "hidden partitions are left: {hidden:?}");
    let known = catalog.list::<TabletRecord>(keys::TABLETS, At::Latest).await.unwrap();
    let known: BTreeSet<TabletId> = known.iter().map(|tablet| tablet.id).collect();
    let held: BTreeSet<TabletId> = store.tablets().into_iter().collect();
    assert_eq!(held, known, "the store's tablets are not the catalog's");
    for prefix in [keys::TASKS, keys::RUNNING] {
        let left = meta.scan(prefix, None, 100, At::Latest).await.unwrap();
        assert!(left.entries.is_empty(), "left below {prefix}: {:?}", left.entries);
    }
    store.close().await;
    meta.close().await.unwrap();
}

fn files(disk: &RealDisk, dir: &str, found: &mut Vec<String>) {
    for entry in disk.list(dir).unwrap() {
        let path = env::disk::join(dir, &entry.name);
        if entry.is_dir {
            files(disk, &path, found);
        } else {
            found.push(path);
        }
    }
}
