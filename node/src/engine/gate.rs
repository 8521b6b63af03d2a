//! Work that must not be cut off in the middle: it runs as a task of its own, is told to stop by a token, and is waited for
//! when the engine shuts down.

use crate::error::EngineError;
use env::rt::{self, CancellationToken, JoinHandle, sync::Notify};
use parking_lot::Mutex;
use std::sync::Arc;

/// Counts the tasks that are inside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    stop: CancellationToken,
    inside: Arc<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    tasks: Mutex<usize>,
    left: Notify,
}

struct Entry(Arc<Inside>);

impl Entry {
    fn new(inside: &Arc<Inside>) -> Self {
        *inside.tasks.lock() += 1;
        Self(Arc::clone(inside))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        *self.0.tasks.lock() -= 1;
        self.0.left.notify_waiters();
    }
}

impl Gate {
    /// Told when the engine shuts down.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Starts a task that [`Gate::close`] waits for.
    pub(crate) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let entry = Entry::new(&self.inside);
        rt::spawn(async move {
            let result = task.await;
            drop(entry);
            result
        })
    }

    /// Runs `work` as a task of its own. The token that `work` gets is cancelled when `stop` is, when the engine shuts down, and
    /// when the returned future is dropped; the work then ends in its own way, tidying up behind itself.
    ///
    /// # Errors
    /// What `work` says; 1317 when the engine has shut down already; Internal when it panics.
    pub(crate) async fn run<T, F>(
        &self,
        stop: &CancellationToken,
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        if self.stop.is_cancelled() {
            return Err(EngineError::interrupted());
        }
        let own = stop.child_token();
        let unless_dropped = own.clone().drop_guard();
        // On the heap: some statements' futures are large, and would be copied on their way into the task.
        let (mut work, closing) = (Box::pin(work(own.clone())), self.stop.clone());
        let task = self.spawn(async move {
            env::select! {
                () = closing.cancelled() => {
                    own.cancel();
                    work.await
                }
                result = &mut work => result,
            }
        });
        let result = task.await.map_err(|failed| EngineError::internal(format!("the statement's task died: {failed}")));
        drop(unless_dropped.disarm());
        result?
    }

    /// Tells everything inside to stop and waits until all has.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        loop {
            let mut left = std::pin::pin!(self.inside.left.notified());
            left.as_mut().enable();
            if *self.inside.tasks.lock() == 0 {
                return;
            }
            left.await;
        }
    }
}
