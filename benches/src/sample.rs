//! Medians with their spread, and the memory of this process.

use env::rt::time::Instant;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Values of one thing, measured in several rounds.
#[derive(Debug, Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        let upper = self.0.get(middle).copied().unwrap_or(f64::NAN);
        if self.0.len() % 2 == 1 {
            return upper;
        }
        let lower = middle.checked_sub(1).and_then(|below| self.0.get(below)).copied().unwrap_or(f64::NAN);
        f64::midpoint(lower, upper)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.0.first().unwrap_or(&f64::NAN), self.0.last().unwrap_or(&f64::NAN));
        write!(f, "{:.2} ({least:.2} to {most:.2}, n = {})", self.median(), self.0.len())
    }
}

/// Runs `work`; its result and the seconds it took.
pub(crate) async fn timed<R>(work: impl Future<Output = R>) -> (R, f64) {
    let began = Instant::now();
    let result = work.await;
    (result, began.elapsed().as_secs_f64())
}

/// Watches the memory that this process holds of its own: without the pages of mapped files.
pub(crate) struct MemoryWatch {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    watcher: std::thread::JoinHandle<()>,
}

fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

impl MemoryWatch {
    #[expect(clippy::disallowed_methods, reason = "a thread that watches from outside of the runtime")]
    pub(crate) fn start() -> Self {
        let (stop, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let watcher = std::thread::spawn({
            let (stop, most) = (Arc::clone(&stop), Arc::clone(&most));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    most.fetch_max(anonymous_bytes(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { stop, most, watcher }
    }

    /// The most that was seen, in bytes.
    pub(crate) fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.watcher.join().ok();
        self.most.load(Ordering::Relaxed)
    }
}
