//! How fast a job, and all jobs of a node together, may talk to an object store.
//!
//! A [`Limiter`] is a pair of token buckets, one for bytes and one for requests, with a parent above it: what a job sends
//! counts for the job and for its node. Waiting is fair at each level: first come, first served within a job, and in turn
//! between the jobs of a node, because a job sends one of its waiters up at a time. Rates may be changed while somebody
//! waits, and hold for them at once.
//!
//! A bucket lends: a request larger than what the bucket may hold waits until nothing is owed, passes, and leaves a debt
//! that the next one waits for. So the mean rate holds for parts of any size, and none waits for ever. The clock is the
//! runtime's, which is virtual in a simulation.

use env::rt::Duration;
use env::rt::sync::{Mutex as Turn, Notify};
use env::rt::time::{Instant, sleep};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A bucket holds so much of a second's worth: what may pass at once after a time of rest.
const BURST_PER_SECOND: u64 = 4;

const NANOS: u128 = 1_000_000_000;

/// How much may pass in a second, in both directions together; `None`, or zero, is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Bytes of files, pages and records.
    pub bytes_per_second: Option<u64>,
    /// Requests of any kind.
    pub requests_per_second: Option<u64>,
}

impl Rates {
    fn is_unlimited(self) -> bool {
        self.bytes_per_second.unwrap_or(0) == 0 && self.requests_per_second.unwrap_or(0) == 0
    }
}

/// What has passed a limiter since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, those tried again counted each time.
    pub requests: u64,
    /// Bytes of files, pages and records in both directions, as far as they were asked for or sent.
    pub bytes: u64,
    /// Requests that were tried again because the store's answer may pass, or did not come.
    pub retries: u64,
}

/// What one request takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
}

impl Cost {
    /// One request that moves so many bytes.
    pub(crate) fn request(bytes: u64) -> Self {
        Self { requests: 1, bytes }
    }
}

/// A limit on requests and bytes; clones are the same limit.
#[derive(Clone)]
pub struct Limiter(Arc<Level>);

struct Level {
    parent: Option<Limiter>,
    buckets: Mutex<Buckets>,
    /// Looked at before any lock, so that no limit costs nothing.
    limited: AtomicBool,
    /// Held by the one whose turn it is; the others queue here in the order of their coming.
    turn: Turn<()>,
    /// Wakes the one whose turn it is when the rates change.
    changed: Notify,
    requests: AtomicU64,
    bytes: AtomicU64,
    retries: AtomicU64,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("rates", &self.rates()).field("parent", &self.0.parent).finish_non_exhaustive()
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl Limiter {
    /// No limit, until one is [set](Limiter::set).
    pub fn unlimited() -> Self {
        Self::new(Rates::default())
    }

    /// A limit of its own.
    pub fn new(rates: Rates) -> Self {
        Self::with_parent(rates, None)
    }

    /// A limit below this one: what passes it counts for both.
    #[must_use]
    pub fn child(&self, rates: Rates) -> Self {
        Self::with_parent(rates, Some(self.clone()))
    }

    fn with_parent(rates: Rates, parent: Option<Self>) -> Self {
        Self(Arc::new(Level {
            parent,
            buckets: Mutex::new(Buckets::new(rates, Instant::now())),
            limited: AtomicBool::new(!rates.is_unlimited()),
            turn: Turn::new(()),
            changed: Notify::new(),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }))
    }

    /// The rates of this limiter alone, without its parents'.
    pub fn rates(&self) -> Rates {
        self.0.buckets.lock().rates
    }

    /// Sets the rates, for those who wait already too. What was borrowed at the old rates is paid back at the new ones.
    pub fn set(&self, rates: Rates) {
        self.0.buckets.lock().set(rates, Instant::now());
        self.0.limited.store(!rates.is_unlimited(), Ordering::Release);
        self.0.changed.notify_one();
    }

    /// What has passed, here and through all children.
    pub fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { requests: read(&self.0.requests), bytes: read(&self.0.bytes), retries: read(&self.0.retries) }
    }

    /// This limiter, its parent, and so on.
    fn levels(&self) -> impl Iterator<Item = &Level> {
        std::iter::successors(Some(&*self.0), |level| level.parent.as_ref().map(|parent| &*parent.0))
    }

    /// Waits until `cost` may pass. A drop while waiting takes nothing from the parents.
    pub(crate) async fn take(&self, cost: Cost) {
        if self.levels().any(|level| level.limited.load(Ordering::Acquire)) {
            let mut turns = Vec::new();
            for level in self.levels() {
                // Kept until the top is passed: a job has one waiter at its node, whatever it keeps in flight.
                turns.push(level.turn.lock().await);
                level.pass(cost).await;
            }
        }
        for level in self.levels() {
            level.requests.fetch_add(cost.requests, Ordering::Relaxed);
            level.bytes.fetch_add(cost.bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_retry(&self) {
        for level in self.levels() {
            level.retries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Level {
    async fn pass(&self, cost: Cost) {
        loop {
            let wait = self.buckets.lock().take(cost, Instant::now());
            let Some(wait) = wait else { return };
            env::select! {
                () = self.changed.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }
}

/// The two buckets of one level.
#[derive(Debug)]
struct Buckets {
    rates: Rates,
    bytes: Bucket,
    requests: Bucket,
}

impl Buckets {
    fn new(rates: Rates, now: Instant) -> Self {
        Self {
            rates,
            bytes: Bucket::new(rates.bytes_per_second, now),
            requests: Bucket::new(rates.requests_per_second, now),
        }
    }

    fn set(&mut self, rates: Rates, now: Instant) {
        self.rates = rates;
        self.bytes.set(rates.bytes_per_second, now);
        self.requests.set(rates.requests_per_second, now);
    }

    /// Takes from both, or from none and says how long to wait.
    fn take(&mut self, cost: Cost, now: Instant) -> Option<Duration> {
        let wait = self.bytes.wait(cost.bytes, now).max(self.requests.wait(cost.requests, now));
        if wait > Duration::ZERO {
            return Some(wait);
        }
        self.bytes.owe(cost.bytes);
        self.requests.owe(cost.requests);
        None
    }
}

/// What is owed shrinks at `rate`; up to a burst may be owed and still be added to.
#[derive(Debug)]
struct Bucket {
    /// Units in a second; 0 for no limit.
    rate: u64,
    /// In units of 10^-9, so that no fraction is lost.
    owed: u128,
    at: Instant,
}

impl Bucket {
    fn new(rate: Option<u64>, now: Instant) -> Self {
        Self { rate: rate.unwrap_or(0), owed: 0, at: now }
    }

    fn set(&mut self, rate: Option<u64>, now: Instant) {
        self.settle(now);
        self.rate = rate.unwrap_or(0);
        if self.rate == 0 {
            self.owed = 0;
        }
    }

    fn settle(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_nanos();
        self.owed = self.owed.saturating_sub(passed.saturating_mul(u128::from(self.rate)));
        self.at = now;
    }

    /// How long `cost` has to wait.
    fn wait(&mut self, cost: u64, now: Instant) -> Duration {
        self.settle(now);
        if self.rate == 0 || cost == 0 {
            return Duration::ZERO;
        }
        let burst = u128::from((self.rate / BURST_PER_SECOND).max(1)) * NANOS;
        let room = burst.saturating_sub(u128::from(cost) * NANOS);
        let nanos = self.owed.saturating_sub(room).div_ceil(u128::from(self.rate));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn owe(&mut self, cost: u64) {
        if self.rate > 0 {
            self.owed += u128::from(cost) * NANOS;
        }
    }
}

#[cfg(test)]
mod tests;
