//! Clocks and timers; virtual under the simulator.

pub use tokio::time::{Instant, Interval, MissedTickBehavior, error::Elapsed, interval, sleep, sleep_until, timeout};

/// `future`'s output, or an error when `deadline` comes first.
///
/// # Errors
/// [`Elapsed`] at the deadline; the future is dropped then.
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    timeout(deadline.saturating_duration_since(Instant::now()), future).await
}

/// The wall clock: milliseconds since 1970-01-01 00:00 UTC. For people and time-outs of hours; nothing that protects
/// data may depend on it.
#[expect(clippy::disallowed_methods, reason = "this is the replacement that the lint names")]
pub fn unix_millis() -> u64 {
    if let Some(now_ms) = crate::replay::unix_millis() {
        return now_ms;
    }
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
