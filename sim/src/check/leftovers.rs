//! Promise: a job that has ended leaves nothing behind: no pin, no stage, no task, no mark, no hidden partition, no tablet that
//! nobody owns, no open session; and after a sweep, no object that nothing refers to.

use crate::check::repository_of;
use crate::world::World;
use catalog::records::task::TaskRecord;
use catalog::records::{PartitionRecord, PartitionState, TableRecord, TableState, TabletRecord};
use catalog::{At, keys};
use env::ids::TabletId;
use env::rt::Duration;
use env::rt::time::sleep;
use node::engine::Engine;
use repository::no_progress;
use std::collections::BTreeSet;

/// So often, with pauses of a second, what is left may still be on its way out.
const PATIENCE: u32 = 600;

/// Looks until nothing is left.
pub async fn check(world: &World) {
    let mut left = Ok(String::new());
    for _ in 0..PATIENCE {
        let asked = world.machine.call(|engine| async move { left_over(&engine).await });
        left = asked.await.unwrap_or_else(|_lost| Ok("the process is down".to_owned()));
        if left.as_ref().is_ok_and(String::is_empty) {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
    std::panic::panic_any(format!("something is left of ended jobs: {left:?}"));
}

/// The first thing that is left; empty when there is none.
async fn left_over(engine: &Engine) -> Result<String, String> {
    let (catalog, store) = (engine.catalog(), engine.store());
    let said = |failed: catalog::Error| failed.to_string();
    if !store.pin_owners().is_empty() {
        return Ok(format!("pins of {:?}", store.pin_owners()));
    }
    if !store.stage_owners().is_empty() {
        return Ok(format!("stages of {:?}", store.stage_owners()));
    }
    let tasks = catalog.list::<TaskRecord>(keys::TASKS, At::Latest).await.map_err(said)?;
    if let Some(task) = tasks.first() {
        return Ok(format!("task {}", task.name()));
    }
    let marks = catalog.store().scan(keys::RUNNING, None, 10, At::Latest).await.map_err(said)?;
    if let Some(mark) = marks.entries.first() {
        return Ok(format!("mark {}", mark.key));
    }
    for table in catalog.list::<TableRecord>(keys::TABLES, At::Latest).await.map_err(said)? {
        if table.state != TableState::Normal {
            return Ok(format!("table {} is {:?}", table.name, table.state));
        }
    }
    for partition in catalog.list::<PartitionRecord>(keys::PARTITIONS, At::Latest).await.map_err(said)? {
        if matches!(partition.state, PartitionState::Hidden { .. }) {
            return Ok(format!("hidden partition {}", partition.id));
        }
    }
    let tablets = catalog.list::<TabletRecord>(keys::TABLETS, At::Latest).await.map_err(said)?;
    let known: BTreeSet<TabletId> = tablets.iter().map(|tablet| tablet.id).collect();
    let there: BTreeSet<TabletId> = store.tablets().into_iter().collect();
    if known != there {
        let (lost, stray): (Vec<_>, Vec<_>) = (known.difference(&there).collect(), there.difference(&known).collect());
        return Ok(format!("tablets without files {lost:?}, files without a tablet {stray:?}"));
    }
    left_in_repository(engine).await
}

async fn left_in_repository(engine: &Engine) -> Result<String, String> {
    let repository = repository_of(engine).await?;
    let said = |failed: repository::Error| failed.to_string();
    let sessions = repository.sessions().await.map_err(said)?;
    if !sessions.is_empty() {
        return Ok(format!("sessions {sessions:?}"));
    }
    let plan = repository.sweep_plan(&no_progress()).await.map_err(said)?;
    repository.sweep(&plan, &no_progress()).await.map_err(said)?;
    let again = repository.sweep_plan(&no_progress()).await.map_err(said)?;
    let garbage: Vec<(String, u64)> = again.objects().collect();
    Ok(if garbage.is_empty() { String::new() } else { format!("garbage after a sweep: {garbage:?}") })
}
