//! Where jobs are, and traps for them: the engine passes a named point when a job's duty begins and when it is done.
//!
//! A job may be held up at a point for a while, so that what lasts an instant is met by faults too; and a fault may wait for
//! a point and strike there.

use env::rt::Duration;
use env::rt::sync::Notify;
use env::rt::time::{sleep, timeout};
use parking_lot::Mutex;
use snapshot::Pause;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Points at which a fault can strike; each is passed once more with `.done` behind it when its duty is done.
pub const POINTS: [&str; 17] = [
    "backup.pending",
    "backup.snapshoting",
    "backup.upload_snapshot",
    "backup.uploading",
    "backup.save_meta",
    "backup.upload_info",
    "backup.upload_info.abort",
    "backup.finished",
    "backup.cancelled",
    "restore.pending",
    "restore.snapshoting",
    "restore.download",
    "restore.downloading",
    "restore.commit",
    "restore.committing",
    "restore.finished",
    "restore.cancelled",
];

/// How long a trapped job waits to be struck. It goes on when nothing comes.
const TRAPPED: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Trap {
    point: String,
    sprung: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Kind of job to its state, while there is a duty for it.
    at: BTreeMap<String, String>,
    trap: Option<Trap>,
}

/// Where jobs are; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Points(Arc<Mutex<State>>);

impl Points {
    /// What the engine calls; `slow` in a hundred points hold a job up.
    pub fn pause(&self, slow: u32) -> Pause {
        let points = self.clone();
        Pause::new(move |point| {
            let points = points.clone();
            Box::pin(async move { points.passed(&point, slow).await })
        })
    }

    async fn passed(&self, point: &str, slow: u32) {
        tracing::debug!(point, "a job's point");
        if let Some((kind, state)) = point.split_once('.') {
            let mut known = self.0.lock();
            match state {
                "finished.done" | "cancelled.done" => drop(known.at.remove(kind)),
                _ => drop(known.at.insert(kind.to_owned(), state.trim_end_matches(".done").to_uppercase())),
            }
        }
        let sprung = {
            let mut known = self.0.lock();
            let here = known.trap.take_if(|trap| trap.point == point);
            here.map(|trap| trap.sprung)
        };
        if let Some(sprung) = sprung {
            sprung.notify_one();
            sleep(TRAPPED).await;
        } else if env::rand::below(100) < u64::from(slow) {
            sleep(Duration::from_millis(env::rand::below(1_500))).await;
        }
    }

    /// Waits until a job comes to a point; whether one did.
    pub async fn reached(&self, point: &str, within: Duration) -> bool {
        let sprung = Arc::new(Notify::new());
        self.0.lock().trap = Some(Trap { point: point.to_owned(), sprung: Arc::clone(&sprung) });
        let reached = timeout(within, sprung.notified()).await.is_ok();
        self.0.lock().trap = None;
        reached
    }

    /// Where jobs are now, as "backup UPLOADING".
    pub fn now(&self) -> Vec<String> {
        self.0.lock().at.iter().map(|(kind, state)| format!("{kind} {state}")).collect()
    }

    /// The process has died: where its jobs go on is told when they do.
    pub fn forget(&self) {
        self.0.lock().at.clear();
    }
}

/// The states of a job for which there is something to do, as [`Points::now`] tells them.
pub const STATES: [&str; 17] = [
    "backup PENDING",
    "backup SNAPSHOTING",
    "backup UPLOAD_SNAPSHOT",
    "backup UPLOADING",
    "backup SAVE_META",
    "backup UPLOAD_INFO",
    "backup UPLOAD_INFO.ABORT",
    "backup FINISHED",
    "backup CANCELLED",
    "restore PENDING",
    "restore SNAPSHOTING",
    "restore DOWNLOAD",
    "restore DOWNLOADING",
    "restore COMMIT",
    "restore COMMITTING",
    "restore FINISHED",
    "restore CANCELLED",
];
