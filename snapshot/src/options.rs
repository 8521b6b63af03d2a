//! What can be set about jobs.

use crate::plan::TaskSizes;
use crate::request::TIMEOUT_S_MIN;
use env::rt::Duration;
use env::rt::time::unix_millis;
use futures::future::BoxFuture;
use repository::{Rates, StreamOptions};
use std::fmt;
use std::sync::Arc;

/// What a repository has to answer a question in, however late it is asked: after a node was down for long, for one.
const ANSWER_MIN: Duration = Duration::from_secs(30);

/// Named places where a test can stop a job; see [`env::pause`].
#[derive(Clone)]
pub struct Pause(Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>);

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self::new(|point| Box::pin(async move { env::pause::at(&point).await }))
    }
}

impl Pause {
    /// Calls `at` with the name of each place that a job comes to; the job goes on when the future is ready.
    pub fn new(at: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(at))
    }

    pub(crate) async fn at(&self, point: String) {
        (self.0)(point).await;
    }
}

/// What can be set about jobs on one node.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much a task holds.
    pub task_sizes: TaskSizes,
    /// Tasks that a node works on at one time, over all jobs.
    pub tasks_at_once: usize,
    /// Files that a download task fetches at one time.
    pub files_at_once: usize,
    /// How files are streamed.
    pub stream: StreamOptions,
    /// How fast all jobs of this node together may talk to repositories, until
    /// [`Jobs::set_node_limits`](crate::Jobs::set_node_limits).
    pub node_rates: Rates,
    /// First pause after a passing error; it doubles up to `retry_pause_max`.
    pub retry_pause: Duration,
    /// Longest pause after a passing error.
    pub retry_pause_max: Duration,
    /// How often in a row, without any progress, something is tried again before the job fails.
    pub retries: u32,
    /// How long nodes may take to let go of a job that has ended before its tasks are removed without them.
    pub node_patience: Duration,
    /// How long the leftovers of an ended job in a repository are tried to be removed.
    pub repository_patience: Duration,
    /// How long an ended job is kept.
    pub history_keep: Duration,
    /// How long the recycle bin keeps what a restore overwrote.
    pub trash_keep: Duration,
    /// Findings of a verifier that are kept; the rest is counted.
    pub findings_max: usize,
    /// How often a repository is looked after: what is over is dropped, what is left to nobody is deleted.
    pub sweep_every: Duration,
    /// The least timeout that a job may ask for, in seconds.
    pub timeout_s_min: u64,
    /// Replicas of a restored tablet when the statement says nothing.
    pub replication_num: u32,
    /// Where tests stop jobs.
    pub pause: Pause,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            task_sizes: TaskSizes::default(),
            tasks_at_once: 4,
            files_at_once: 4,
            stream: StreamOptions::default(),
            node_rates: Rates::default(),
            retry_pause: Duration::from_millis(100),
            retry_pause_max: Duration::from_secs(30),
            retries: 12,
            node_patience: Duration::from_mins(1),
            repository_patience: Duration::from_hours(1),
            history_keep: Duration::from_hours(7 * 24),
            trash_keep: Duration::from_hours(24),
            findings_max: 1_000,
            sweep_every: Duration::from_hours(1),
            timeout_s_min: TIMEOUT_S_MIN,
            replication_num: 1,
            pause: Pause::default(),
        }
    }
}

impl Options {
    /// What is left of the time in which a repository is asked about a job that ended, or was to end, at `since_ms`.
    pub(crate) fn repository_patience_left(&self, since_ms: u64) -> Duration {
        self.repository_patience.saturating_sub(Duration::from_millis(unix_millis().saturating_sub(since_ms)))
    }

    /// The same for a question that is asked now, which always has a moment to be answered.
    pub(crate) fn repository_patience_from(&self, since_ms: u64) -> Duration {
        self.repository_patience_left(since_ms).max(ANSWER_MIN.min(self.repository_patience))
    }

    /// How long to wait before trying again, after `failed` failures in a row. Half of it is random, so that many
    /// that failed together do not come back together.
    pub(crate) fn pause_after(&self, failed: u32) -> Duration {
        let full = self.retry_pause.saturating_mul(2u32.saturating_pow(failed.min(16))).min(self.retry_pause_max);
        let millis = u64::try_from(full.as_millis()).unwrap_or(u64::MAX).max(2);
        Duration::from_millis(millis / 2 + env::rand::below(millis / 2))
    }
}
