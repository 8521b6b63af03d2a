//! Promise: at most one job of a database runs at a time, and a job that has ended has ended for ever, the same way.

use crate::world::World;
use catalog::records::job::JobRecord;
use catalog::{At, keys};
use env::ids::JobId;
use env::rt::Duration;
use env::rt::time::sleep;
use std::collections::BTreeMap;

/// Looks at the jobs of one revision, again and again.
///
/// # Panics
/// When the promise does not hold.
pub async fn watch(world: World) {
    let mut ended: BTreeMap<JobId, &'static str> = BTreeMap::new();
    while world.goes_on() {
        sleep(Duration::from_millis(50 + env::rand::below(400))).await;
        let asked = world
            .machine
            .call(|engine| async move { engine.catalog().list::<JobRecord>(keys::JOBS, At::Latest).await });
        let Ok(Ok(jobs)) = asked.await else { continue };
        let mut running: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for job in &jobs {
            let now = job.state_name();
            let before = ended.get(&job.id).copied().unwrap_or(now);
            assert!(before == now, "job {} was {before} and is {now}", job.id);
            if job.is_done() {
                ended.insert(job.id, now);
            } else {
                running.entry(job.database).or_default().push(job.id);
            }
        }
        for (database, jobs) in running {
            assert!(jobs.len() < 2, "jobs {jobs:?} run at one time in database {database}");
        }
    }
}
