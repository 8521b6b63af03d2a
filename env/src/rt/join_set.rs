//! A set of tasks that end with their owner: tokio's own, and a small stand-in where the simulator has none.

#[cfg(not(madsim))]
pub use tokio::task::JoinSet;

#[cfg(madsim)]
pub use simulated::JoinSet;

#[cfg(madsim)]
mod simulated {
    use crate::rt::{AbortHandle, JoinError, JoinHandle};
    use futures::stream::{FuturesUnordered, StreamExt};
    use std::fmt;

    /// Tasks that are aborted when the set is dropped.
    pub struct JoinSet<T> {
        tasks: FuturesUnordered<JoinHandle<T>>,
        aborts: Vec<AbortHandle>,
    }

    impl<T> fmt::Debug for JoinSet<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("JoinSet").field("len", &self.tasks.len()).finish_non_exhaustive()
        }
    }

    impl<T> Default for JoinSet<T> {
        fn default() -> Self {
            Self { tasks: FuturesUnordered::new(), aborts: Vec::new() }
        }
    }

    impl<T: Send + 'static> JoinSet<T> {
        /// An empty set.
        pub fn new() -> Self {
            Self::default()
        }

        /// Starts a task in the set.
        #[track_caller]
        pub fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) -> AbortHandle {
            let handle = crate::rt::spawn(task);
            let abort = handle.abort_handle();
            self.aborts.retain(|other| !other.is_finished());
            self.aborts.push(abort.clone());
            self.tasks.push(handle);
            abort
        }

        /// The next task to end; `None` when the set is empty.
        pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
            self.tasks.next().await
        }

        /// Asks every task to stop.
        pub fn abort_all(&mut self) {
            self.aborts.drain(..).for_each(|abort| abort.abort());
        }

        /// Stops every task and waits until each has.
        pub async fn shutdown(&mut self) {
            self.abort_all();
            while self.join_next().await.is_some() {}
        }

        /// How many tasks have not been joined.
        pub fn len(&self) -> usize {
            self.tasks.len()
        }

        /// Whether all tasks have been joined.
        pub fn is_empty(&self) -> bool {
            self.tasks.is_empty()
        }
    }

    impl<T> Drop for JoinSet<T> {
        fn drop(&mut self) {
            self.aborts.drain(..).for_each(|abort| abort.abort());
        }
    }
}
