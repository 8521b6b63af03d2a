//! The tables, and the repository.

use crate::model::PARTITION;
use crate::world::{DATABASE, REPOSITORY, World};
use env::rt::Duration;
use env::rt::time::sleep;
use node::error::ErrorKind;

/// The definition of a table: ids are range-partitioned, each partition has its buckets.
fn definition(world: &World, table: usize, primary: bool) -> String {
    let shape = &world.plan.shape;
    let partitions: Vec<String> = (0..i64::from(shape.partitions))
        .map(|partition| format!("PARTITION p{partition} VALUES LESS THAN ('{}')", (partition + 1) * PARTITION))
        .collect();
    let key = if primary { "PRIMARY" } else { "DUPLICATE" };
    format!(
        "CREATE TABLE t{table} (id BIGINT NOT NULL, batch BIGINT NOT NULL, note VARCHAR(1000)) {key} KEY (id) \
         PARTITION BY RANGE (id) ({}) DISTRIBUTED BY HASH (id) BUCKETS {}",
        partitions.join(", "),
        shape.buckets
    )
}

/// Makes everything, whatever lies and dies meanwhile.
pub async fn create(world: &World) {
    let mut statements = vec![(None, format!("CREATE DATABASE {DATABASE}"))];
    for (table, primary) in world.plan.shape.tables.iter().enumerate() {
        statements.push((Some(DATABASE), definition(world, table, *primary)));
    }
    statements.push((None, format!("CREATE REPOSITORY {REPOSITORY} ON LOCATION 'memory:{REPOSITORY}'")));
    for (database, text) in statements {
        loop {
            match world.machine.sql_patiently(database, &text).await {
                Ok(_) => break,
                // The answer to an earlier attempt was lost.
                Err(failed) if failed.kind == ErrorKind::AlreadyExists => break,
                Err(failed) => {
                    tracing::info!(error = %failed, text, "not made yet");
                    sleep(Duration::from_millis(300)).await;
                }
            }
        }
    }
}
