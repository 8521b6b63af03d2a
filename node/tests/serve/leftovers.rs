//! What nobody owns: in the data directory and in the repository.

use env::disk::{Disk, RealDisk};
use std::path::Path;

/// Fails when a file is left that nobody owns: a temporary file, an object of the repository that the next sweep would
/// take, a table that the last reclaim left behind.
pub async fn none(data_dir: &Path, repository_dir: &Path) {
    let mut temporary = Vec::new();
    files(&RealDisk::new(data_dir), "", &mut temporary);
    files(&RealDisk::new(repository_dir), "", &mut temporary);
    temporary.retain(|name| name.ends_with(".tmp"));
    assert!(temporary.is_empty(), "temporary files are left: {temporary:?}");

    let repository = repository::Repository::open(repository::local(repository_dir)).await.unwrap();
    let plan = repository.sweep_plan().await.unwrap();
    assert!(plan.is_empty(), "the repository holds objects that nothing refers to: {plan:?}");

    let engine = node::engine::Engine::open(node::engine::EngineOptions::new(data_dir)).await.unwrap();
    let owners = engine.leftovers().await.unwrap();
    engine.shutdown().await;
    assert!(owners.is_empty(), "pins, staged tablets or hidden records are left: {owners:?}");
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
