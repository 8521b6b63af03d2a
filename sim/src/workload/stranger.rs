//! Somebody else with access to the repository, who takes open sessions for dead ones, ends them, and sweeps: what an
//! operator of another cluster may do. A backup whose session was ended must fail; what was acknowledged must stay.

use crate::world::World;
use env::rt::Duration;
use env::rt::time::sleep;
use repository::{Repository, no_progress};
use std::sync::Arc;

/// Ends sessions until the time is over.
pub async fn fence(world: World) {
    let repository = loop {
        if !world.goes_on() {
            return;
        }
        match Repository::open(Arc::new(world.bucket.clone())).await {
            Ok(open) => break open,
            Err(failed) => tracing::debug!(error = %failed, "the stranger finds no repository"),
        }
        sleep(Duration::from_millis(500)).await;
    };
    while world.goes_on() {
        sleep(Duration::from_millis(env::rand::below(1_000))).await;
        if env::rand::below(100) < u64::from(world.plan.shape.fences)
            && let Err(failed) = once(&world, &repository).await
        {
            tracing::debug!(error = %failed, "the stranger has no luck");
        }
    }
}

async fn once(world: &World, repository: &Repository) -> repository::Result<()> {
    let open = repository.sessions().await?;
    let chosen = usize::try_from(env::rand::below(open.len() as u64)).unwrap_or(0);
    let Some(session) = open.get(chosen) else { return Ok(()) };
    repository.fence(&session.id).await?;
    tracing::info!(session = %session.id, "ended by a stranger");
    for job in world.points.now() {
        world.reach(format!("{job} | fenced"));
    }
    let plan = repository.sweep_plan(&no_progress()).await?;
    repository.sweep(&plan, &no_progress()).await.map(drop)
}
