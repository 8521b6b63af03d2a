//! Promise: a snapshot that was acknowledged is restorable until it is dropped, and holds its cut.

use crate::check::summaries;
use crate::workload::jobs;
use crate::world::{World, acknowledged};
use env::rt::Duration;
use env::rt::time::sleep;
use std::collections::BTreeSet;

/// Looks for each acknowledged snapshot, and restores all.
///
/// # Panics
/// When one is not there, or cannot be restored.
pub async fn check(world: &World) {
    let there: BTreeSet<String> = loop {
        match summaries(world).await {
            Ok(all) => break all.into_iter().map(|summary| summary.label).collect(),
            Err(failed) => tracing::info!(error = failed, "the repository does not answer"),
        }
        sleep(Duration::from_millis(500)).await;
    };
    let wanted = acknowledged(world);
    let lost: Vec<&String> = wanted.difference(&there).collect();
    assert!(lost.is_empty(), "acknowledged snapshots are not in the repository: {lost:?}");
    for label in &wanted {
        jobs::restore_in_peace(world, label).await;
    }
}
