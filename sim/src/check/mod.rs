//! What must hold, each promise in a file of its own; and the reckoning at the end of a run.

pub mod leftovers;
pub mod restorable;
pub mod rows;
pub mod running;

use crate::world::World;
use catalog::At;
use env::rt::Duration;
use node::engine::Engine;
use repository::{Repository, SnapshotSummary};

/// The repository as the node sees it.
async fn repository_of(engine: &Engine) -> Result<Repository, String> {
    let name = crate::world::REPOSITORY;
    let record = engine.catalog().repository(name, At::Latest).await.map_err(|failed| failed.to_string())?;
    let record = record.ok_or("there is no repository")?;
    engine.repositories().open(&record).await.map_err(|failed| failed.to_string())
}

/// All snapshots of the repository.
///
/// # Errors
/// Why they are not known, as text.
pub async fn summaries(world: &World) -> Result<Vec<SnapshotSummary>, String> {
    let asked = world.machine.call(|engine| async move {
        let repository = repository_of(&engine).await?;
        repository.snapshots().await.map_err(|failed| failed.to_string())
    });
    asked.await.unwrap_or_else(|_lost| Err("the process is down".to_owned()))
}

/// All promises, once nothing lies and nobody works any more; before and after one more power cut.
pub async fn reckoning(world: &World, handle: &madsim::runtime::Handle) {
    rows::check(world).await;
    world.machine.power_cut(handle, world.plan.seed ^ 1, Duration::from_millis(10)).await;
    world.machine.up().await;
    rows::check(world).await;
    restorable::check(world).await;
    leftovers::check(world).await;
}
