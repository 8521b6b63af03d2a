//! Promise: every load that was acknowledged is there, none that was refused is, and each is there whole.

use crate::workload::reads;
use crate::world::World;
use env::rt::Duration;
use env::rt::time::sleep;

/// Reads the tables until a read succeeds; the read checks itself.
pub async fn check(world: &World) {
    while !reads::once(world).await {
        sleep(Duration::from_millis(200)).await;
    }
}
