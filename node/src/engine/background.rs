//! What goes on between statements: compaction, reclaiming, and forgetting what is past.

use super::EngineOptions;
use super::gate::Gate;
use crate::ddl::Ddl;
use crate::load::Loader;
use catalog::Revision;
use env::rt::time::{Instant, sleep, unix_millis};
use env::rt::{CancellationToken, Duration};
use std::collections::VecDeque;
use tablet::TabletStore;

/// How often old loads, the recycle bin and the catalog's history are looked at.
const FORGET_EVERY: Duration = Duration::from_secs(30);

/// Compactions in a row before reclaiming has its turn.
const COMPACTIONS_MAX: u32 = 16;

/// Starts the loops; they end with the gate.
pub(super) fn start(gate: &Gate, store: &TabletStore, loader: &Loader, ddl: &Ddl, options: &EngineOptions) {
    let (stop, every) = (gate.stop().clone(), options.tidy_every);
    let store = store.clone();
    drop(gate.spawn(async move { tidy(&store, &stop, every).await }));
    let (stop, keep) = (gate.stop().clone(), options.history_keep);
    let (loader, ddl) = (loader.clone(), ddl.clone());
    drop(gate.spawn(async move { forget(&loader, &ddl, &stop, keep).await }));
}

/// Whether to go on after a pause.
async fn pause(stop: &CancellationToken, pause: Duration) -> bool {
    env::select! {
        () = stop.cancelled() => false,
        () = sleep(pause) => true,
    }
}

async fn tidy(store: &TabletStore, stop: &CancellationToken, every: Duration) {
    while pause(stop, every).await {
        for _ in 0..COMPACTIONS_MAX {
            if stop.is_cancelled() {
                return;
            }
            let Some(plan) = store.pick_compaction() else { break };
            // Stopping in the middle leaves files that the next start removes.
            let done = env::select! {
                () = stop.cancelled() => return,
                done = store.run_compaction(plan) => done,
            };
            if let Err(failed) = done {
                tracing::warn!(error = %failed, "a compaction failed; it is tried again");
                break;
            }
        }
        if let Err(failed) = store.reclaim().await {
            tracing::warn!(error = %failed, "reclaiming failed; it is tried again");
        }
    }
}

async fn forget(loader: &Loader, ddl: &Ddl, stop: &CancellationToken, keep: Duration) {
    let mut seen: VecDeque<(Instant, Revision)> = VecDeque::new();
    while pause(stop, FORGET_EVERY).await {
        let now_ms = unix_millis();
        if let Err(failed) = loader.expire(now_ms).await {
            tracing::warn!(error = %failed, "old loads are not forgotten yet");
        }
        if let Err(failed) = ddl.expire(now_ms).await {
            tracing::warn!(error = %failed, "the recycle bin is not emptied yet");
        }
        let now = Instant::now();
        match ddl.catalog.revision().await {
            Ok(revision) => seen.push_back((now, revision)),
            Err(failed) => tracing::warn!(error = %failed, "the catalog does not tell its revision"),
        }
        let mut below = None;
        while let Some((at, revision)) = seen.front().copied()
            && now.duration_since(at) >= keep
        {
            below = Some(revision);
            seen.pop_front();
        }
        if let Some(below) = below
            && let Err(failed) = ddl.catalog.store().compact(below).await
        {
            tracing::warn!(error = %failed, "the catalog's history is not shortened yet");
        }
    }
}
