//! Channels, locks and signals between tasks: tokio's own, but for what does not replay.

pub use tokio::sync::*;

#[cfg(madsim)]
pub mod watch {
    //! The newest value of something. Tokio's spreads those who wait over several queues, by a number from a counter of
    //! the whole process; this one wakes them in the order in which they came.

    use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[derive(Debug)]
    struct State<T> {
        value: T,
        version: u64,
        closed: bool,
    }

    #[derive(Debug)]
    struct Shared<T> {
        state: Mutex<State<T>>,
        changed: Notify,
    }

    impl<T> Shared<T> {
        fn borrow(&self) -> MappedMutexGuard<'_, T> {
            MutexGuard::map(self.state.lock(), |state| &mut state.value)
        }
    }

    /// Sets the value.
    #[derive(Debug)]
    pub struct Sender<T>(Arc<Shared<T>>);

    /// Sees the value.
    #[derive(Debug, Clone)]
    pub struct Receiver<T> {
        shared: Arc<Shared<T>>,
        seen: u64,
    }

    /// The sender is gone.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Gone;

    impl<T> Sender<T> {
        /// The first value.
        pub fn new(value: T) -> Self {
            let state = Mutex::new(State { value, version: 0, closed: false });
            Self(Arc::new(Shared { state, changed: Notify::new() }))
        }

        /// Changes the value in its place, and wakes all who wait.
        pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
            let mut state = self.0.state.lock();
            modify(&mut state.value);
            state.version += 1;
            drop(state);
            self.0.changed.notify_waiters();
        }

        /// Sets the value, and wakes all who wait; gives the old one back.
        pub fn send_replace(&self, mut value: T) -> T {
            self.send_modify(|old| std::mem::swap(old, &mut value));
            value
        }

        /// The value.
        pub fn borrow(&self) -> MappedMutexGuard<'_, T> {
            self.0.borrow()
        }

        /// One more who sees it.
        pub fn subscribe(&self) -> Receiver<T> {
            let seen = self.0.state.lock().version;
            Receiver { shared: Arc::clone(&self.0), seen }
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.0.state.lock().closed = true;
            self.0.changed.notify_waiters();
        }
    }

    impl<T> Receiver<T> {
        /// The value.
        pub fn borrow(&self) -> MappedMutexGuard<'_, T> {
            self.shared.borrow()
        }

        /// The value, which counts as seen.
        pub fn borrow_and_update(&mut self) -> MappedMutexGuard<'_, T> {
            let state = self.shared.state.lock();
            self.seen = state.version;
            MutexGuard::map(state, |state| &mut state.value)
        }

        /// Counts the value as seen.
        pub fn mark_unchanged(&mut self) {
            self.seen = self.shared.state.lock().version;
        }

        /// Waits until there is a value that was not seen.
        ///
        /// # Errors
        /// [`Gone`] when there will be none.
        pub async fn changed(&mut self) -> Result<(), Gone> {
            loop {
                // Asked for before the look, so that no change falls in between.
                let changed = self.shared.changed.notified();
                {
                    let state = self.shared.state.lock();
                    if state.version != self.seen {
                        self.seen = state.version;
                        return Ok(());
                    }
                    if state.closed {
                        return Err(Gone);
                    }
                }
                changed.await;
            }
        }
    }
}
