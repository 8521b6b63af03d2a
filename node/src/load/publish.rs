//! Making committed loads visible on this node, each partition's in the order of its versions.

use crate::engine::gate::Gate;
use env::ids::{LoadId, TabletId, Version};
use env::rt::Duration;
use env::rt::sync::{Notify, oneshot};
use env::rt::time::timeout;
use std::sync::Arc;
use tablet::{ErrorKind, StoreError, TabletStore};

/// How long a statement waits for its own load to become visible. After that it says so; publishing goes on.
const VISIBLE_WITHIN: Duration = Duration::from_mins(1);

/// How long to wait before looking again when nobody says that something was published.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// After so many failures in a row the statement waits no longer.
const FAILURES_TOLD: u32 = 5;

/// How long a closing engine goes on publishing.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

/// Publishes loads.
#[derive(Debug)]
pub(crate) struct Publisher {
    store: TabletStore,
    published: Notify,
}

impl Publisher {
    pub(crate) fn new(store: TabletStore) -> Self {
        Self { store, published: Notify::new() }
    }

    /// Publishes a committed load as soon as the loads before it are. Whether it is visible when this returns: it may take
    /// longer, and goes on then as a task of the gate.
    pub(crate) async fn publish(
        self: &Arc<Self>,
        gate: &Gate,
        load: LoadId,
        versions: Vec<(TabletId, Version)>,
    ) -> bool {
        if versions.is_empty() {
            return true;
        }
        let (publisher, stop) = (Arc::clone(self), gate.stop().clone());
        let (trouble, troubled) = oneshot::channel();
        let task = gate.spawn(async move {
            env::select! {
                done = publisher.until_published(load, versions, trouble) => done,
                // What is not published when the engine closes is when it opens.
                () = async {
                    stop.cancelled().await;
                    env::rt::time::sleep(CLOSING_PATIENCE).await;
                } => false,
            }
        });
        env::select! {
            done = task => matches!(done, Ok(true)),
            Ok(()) = troubled => false,
            () = env::rt::time::sleep(VISIBLE_WITHIN) => false,
        }
    }

    /// `trouble` is told when it does not work again and again; it is tried on all the same.
    async fn until_published(
        &self,
        load: LoadId,
        mut versions: Vec<(TabletId, Version)>,
        trouble: oneshot::Sender<()>,
    ) -> bool {
        let mut trouble = Some(trouble);
        let mut failures: u32 = 0;
        loop {
            let mut published = std::pin::pin!(self.published.notified());
            published.as_mut().enable();
            match self.store.publish(load, &versions).await {
                Ok(()) => {
                    self.published.notify_waiters();
                    return true;
                }
                Err(failed) if failed.kind() == ErrorKind::Busy => {
                    // A load before it is still on its way.
                    drop(timeout(LOOK_AGAIN, published).await);
                }
                Err(failed) if failed.kind() == ErrorKind::NotFound => {
                    // Tables may be dropped in the meantime, and their tablets with them.
                    let before = versions.len();
                    versions.retain(|(tablet, _)| self.store.current_version(*tablet).is_ok());
                    if versions.is_empty() {
                        return true;
                    }
                    if versions.len() == before {
                        tracing::error!(%load, error = %failed, "a committed load is published when the node starts again");
                        return false;
                    }
                }
                Err(tablet::Error::Store(failed @ (StoreError::Latched(_) | StoreError::Closed))) => {
                    tracing::error!(%load, error = %failed, "a committed load is published when the node starts again");
                    return false;
                }
                Err(failed) => {
                    failures = failures.saturating_add(1);
                    tracing::error!(%load, error = %failed, "a committed load cannot be published yet");
                    if failures >= FAILURES_TOLD
                        && let Some(trouble) = trouble.take()
                    {
                        // Nobody may be waiting any more, which is fine.
                        trouble.send(()).unwrap_or_default();
                    }
                    env::rt::time::sleep(LOOK_AGAIN.saturating_mul(failures.min(50))).await;
                }
            }
        }
    }
}
