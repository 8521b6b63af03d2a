//! How far the jobs of this process are, in memory: fresher than what the tasks' records say.

use catalog::records::task::TaskProgress;
use env::ids::JobId;
use env::rt::time::Instant;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far one task is. What is done only grows within one attempt.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    tablets_done: AtomicU64,
    tablets: AtomicU64,
    files_done: AtomicU64,
    files: AtomicU64,
    bytes_done: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    /// Begins an attempt.
    pub(crate) fn reset(&self, totals: TaskProgress) {
        for (counter, value) in [
            (&self.tablets_done, 0),
            (&self.files_done, 0),
            (&self.bytes_done, 0),
            (&self.tablets, totals.tablets),
            (&self.files, totals.files),
            (&self.bytes, totals.bytes),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_files(&self, files: u64) {
        self.files_done.fetch_add(files, Ordering::Relaxed);
    }

    pub(crate) fn add_tablets(&self, tablets: u64) {
        self.tablets_done.fetch_add(tablets, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> TaskProgress {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TaskProgress {
            tablets_done: read(&self.tablets_done),
            tablets: read(&self.tablets),
            files_done: read(&self.files_done),
            files: read(&self.files),
            bytes_done: read(&self.bytes_done),
            bytes: read(&self.bytes),
        }
    }
}

#[derive(Debug)]
struct Sample {
    at: Instant,
    bytes_done: u64,
}

#[derive(Debug, Default)]
struct JobLive {
    meters: BTreeMap<String, Arc<Meter>>,
    /// The oldest sample that the rate is reckoned from, and the latest one.
    samples: Option<(Sample, Sample)>,
}

/// The meters of all tasks that run in this process.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<BTreeMap<JobId, JobLive>>);

/// How long the span is that a rate is reckoned over, in seconds.
const RATE_SPAN_S: u64 = 5;

impl Live {
    pub(crate) fn meter(&self, job: JobId, task: &str) -> Arc<Meter> {
        Arc::clone(self.0.lock().entry(job).or_default().meters.entry(task.to_owned()).or_default())
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.0.lock().remove(&job);
    }

    /// What this process knows about a task.
    pub(crate) fn get(&self, job: JobId, task: &str) -> Option<TaskProgress> {
        self.0.lock().get(&job)?.meters.get(task).map(|meter| meter.get())
    }

    /// Bytes per second, from what this was told by earlier calls.
    pub(crate) fn rate(&self, job: JobId, bytes_done: u64) -> u64 {
        let mut all = self.0.lock();
        let live = all.entry(job).or_default();
        let now = Sample { at: Instant::now(), bytes_done };
        let Some((first, last)) = live.samples.take() else {
            live.samples = Some((Sample { at: now.at, bytes_done }, now));
            return 0;
        };
        let span = now.at.saturating_duration_since(first.at);
        let grown = bytes_done.saturating_sub(first.bytes_done);
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let rate = grown.saturating_mul(1_000).checked_div(millis).unwrap_or(0);
        // A phase that begins anew counts from nothing again.
        let stale = span.as_secs() > RATE_SPAN_S || bytes_done < last.bytes_done;
        live.samples = Some((if stale { last } else { first }, now));
        rate
    }
}
