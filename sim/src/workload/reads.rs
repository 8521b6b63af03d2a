//! Clients that read all tables at one revision, and check what they see.

use crate::workload::may_pass;
use crate::world::{DATABASE, World};
use env::rt::Duration;
use env::rt::time::sleep;

/// Reads until the time is over. Promise: a reader sees one cut, and while tables are replaced the old rows or the new ones.
pub async fn read(world: World) {
    while world.goes_on() {
        sleep(Duration::from_millis(env::rand::below(1_500))).await;
        once(&world).await;
    }
}

/// One checked read; tells whether there was one.
pub async fn once(world: &World) -> bool {
    let mut window = world.open_window();
    let replacing = world.replacing.lock().clone();
    let content = match world.read(DATABASE).await {
        Ok(Some(content)) => content,
        Ok(None) => return false,
        Err(failed) if may_pass(&failed) || world.plan.hurts_disk() => return false,
        Err(failed) => std::panic::panic_any(format!("a read failed: {failed} ({:?})", failed.kind)),
    };
    world.close_window(&mut window);
    let model = world.model.lock();
    // What is being put in the tables' place, or was since the read began.
    let replaced = replacing.as_ref() == Some(&content) || world.replacing.lock().as_ref() == Some(&content);
    let explained = if replaced { Ok(()) } else { model.explain_since(&content, &window) };
    drop(model);
    if let Err(wrong) = explained {
        std::panic::panic_any(format!("a reader saw what cannot be: {wrong}"));
    }
    world.seen.lock().reads += 1;
    true
}
