//! Promise: at most one job of a database runs at a time.

use crate::world::World;
use catalog::records::job::JobRecord;
use catalog::{At, keys};
use env::rt::Duration;
use env::rt::time::sleep;
use std::collections::BTreeMap;

/// Looks at the jobs of one revision, again and again.
pub async fn watch(world: World) {
    while world.goes_on() {
        sleep(Duration::from_millis(700)).await;
        let asked = world
            .machine
            .call(|engine| async move { engine.catalog().list::<JobRecord>(keys::JOBS, At::Latest).await });
        let Ok(Ok(jobs)) = asked.await else { continue };
        let mut running: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for job in jobs.iter().filter(|job| !job.is_done()) {
            running.entry(job.database).or_default().push(job.id);
        }
        for (database, jobs) in running {
            assert!(jobs.len() < 2, "jobs {jobs:?} run at one time in database {database}");
        }
    }
}
