//! The one place where the runtime is chosen: tokio, or the simulator's stand-in for it.
//!
//! Everything else says `env::rt::…`. What the simulator lacks or does differently is mended here: a [`JoinSet`], a
//! [`select!`](crate::select) whose order follows the seed, [`blocking`] work that still interleaves.

pub use std::time::Duration;
pub use tokio::task::{AbortHandle, JoinError, JoinHandle, yield_now};
pub use tokio::{join, try_join};
pub use tokio_util::sync::{CancellationToken, DropGuard};

mod join_set;
pub mod sync;
pub mod time;

pub use join_set::JoinSet;

/// Starts a task.
#[track_caller]
pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
}

/// `tokio::select!`, always biased: branches are polled from the top. The unbiased order is drawn from a process-wide
/// counter, so a seed would not replay. Put the stop signal first.
#[macro_export]
macro_rules! select {
    ($($branches:tt)*) => { $crate::rt::__tokio::select! { biased; $($branches)* } };
}
#[doc(hidden)]
pub use tokio as __tokio;

/// Runs work that blocks (file calls, hashing) off the async threads and returns its result.
///
/// Real: a thread of the blocking pool. Simulated: a random delay, then in line, so that the interleavings which a
/// thread pool allows are still explored. Dropping the returned future does not stop work that has begun. A panic of
/// `work` is passed on to the caller.
pub async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    #[cfg(madsim)]
    {
        let micros = 100 + crate::rand::below(3_000);
        time::sleep(Duration::from_micros(micros)).await;
        work()
    }
    #[cfg(not(madsim))]
    {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down: there is nobody left to give a result to.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }
}
