//! One task: done, tried again, given up; and what of that is written down.

use super::{JobContext, download, upload};
use crate::error::{Error, ErrorKind, Result, explain};
use crate::live::Meter;
use catalog::records::job::JobRecord;
use catalog::records::task::{
    FailureClass, TaskKind, TaskProgress, TaskRecord, TaskState, TaskWork, UploadedPartition,
};
use catalog::{At, Stored};
use env::ids::{TabletId, Version};
use env::rt::{self, CancellationToken, Duration};
use std::pin::pin;
use std::sync::Arc;

/// How often progress is written down.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// What a task has to hand in.
#[derive(Debug, Default)]
pub(super) struct Product {
    pub(super) uploaded: Vec<UploadedPartition>,
}

/// Does one task to its end: done, failed for good, or `stop`. A drop leaves a task that is begun anew later, which
/// does what is left of it.
pub(super) async fn work(context: &JobContext, job: &JobRecord, key: &str, stop: &CancellationToken) {
    let permit = env::select! {
        () = stop.cancelled() => return,
        permit = Arc::clone(&context.node.permits).acquire_owned() => permit,
    };
    let Ok(_permit) = permit else { return };
    let mut task = match read(context, key, stop).await {
        Some(task) if task.is_waiting() => task,
        Some(_) | None => return,
    };
    let meter = context.node.shared.live.meter(context.job, key);
    let mut failed = 0;
    loop {
        let TaskProgress { tablets, files, bytes, .. } = task.progress;
        meter.reset(TaskProgress { tablets, files, bytes, ..TaskProgress::default() });
        let done = attempt(context, job, &mut task, &meter, stop).await;
        let mut next = task.record.clone();
        next.progress = meter.get();
        match done {
            Ok(product) => {
                next.status = TaskState::Done;
                next.error = None;
                if let TaskWork::Tablets { uploaded, .. } = &mut next.work {
                    *uploaded = product.uploaded;
                }
                store_patiently(context, &task, next, stop).await;
                return;
            }
            // "Cancelled" is never what became of a task. A child of the token may hear of a stop before the token itself
            // does; and a task that nobody stopped is begun anew.
            Err(error) if stop.is_cancelled() || error.kind() == ErrorKind::Cancelled => return,
            Err(error) => {
                let message = explain(&error);
                tracing::warn!(job = %context.job, task = task.name(), error = message, "a task failed");
                failed = if next.progress.bytes_done > task.progress.bytes_done { 1 } else { failed + 1 };
                next.retries += 1;
                next.error = Some(message.clone());
                if !error.is_transient() || failed > context.node.shared.options.retries {
                    let class = if matches!(error, Error::VersionGone(_)) {
                        FailureClass::VersionGone
                    } else {
                        FailureClass::Fatal
                    };
                    next.status = TaskState::Failed { class, code: error.status_code(), message };
                    store_patiently(context, &task, next, stop).await;
                    return;
                }
                match store(context, &task, next).await {
                    Some(stored) => task = stored,
                    None => return,
                }
                env::select! {
                    () = stop.cancelled() => return,
                    () = rt::time::sleep(context.node.shared.options.pause_after(failed)) => {}
                }
            }
        }
    }
}

/// One attempt, with its progress written down now and then.
async fn attempt(
    context: &JobContext,
    job: &JobRecord,
    task: &mut Stored<TaskRecord>,
    meter: &Arc<Meter>,
    stop: &CancellationToken,
) -> Result<Product> {
    let record = task.record.clone();
    let mut doing = pin!(execute(context, job, &record, meter, stop));
    loop {
        env::select! {
            () = stop.cancelled() => return Err(Error::Stopped),
            done = &mut doing => return done,
            () = rt::time::sleep(NOTE_EVERY) => {}
        }
        let progress = meter.get();
        if progress != task.progress {
            let next = TaskRecord { progress, ..task.record.clone() };
            match store(context, task, next).await {
                Some(stored) => *task = stored,
                None => return Err(Error::Stopped),
            }
        }
    }
}

async fn execute(
    context: &JobContext,
    job: &JobRecord,
    task: &TaskRecord,
    meter: &Arc<Meter>,
    stop: &CancellationToken,
) -> Result<Product> {
    match task.kind {
        TaskKind::Pin => pin_tablets(context, task, meter).await,
        TaskKind::Upload => upload::upload(context, job, task, meter, stop).await,
        TaskKind::Stage => download::stage(context, job, task, meter).await,
        TaskKind::Download => download::download(context, job, task, meter, stop).await,
        TaskKind::Keep => {
            context.node.source.stage_keep(context.job).await?;
            Ok(Product::default())
        }
        TaskKind::Table => Err(Error::Internal(format!("task {} is no work for a node", task.name()))),
    }
}

async fn pin_tablets(context: &JobContext, task: &TaskRecord, meter: &Meter) -> Result<Product> {
    let tablets: Vec<(TabletId, Version)> = task
        .shares()
        .iter()
        .flat_map(|share| share.tablets.iter().map(|(_, tablet)| (*tablet, share.version)))
        .collect();
    context.node.source.pin(context.job, &tablets).await?;
    let mut totals = TaskProgress { tablets: tablets.len() as u64, ..TaskProgress::default() };
    for (tablet, _) in &tablets {
        let image = context.node.source.image(context.job, *tablet)?;
        totals.files += image.files.len() as u64;
        totals.bytes = image.files.iter().map(|file| file.len_bytes).fold(totals.bytes, u64::saturating_add);
    }
    meter.reset(totals);
    meter.add_tablets(totals.tablets);
    Ok(Product::default())
}

/// Reads a task, trying until it has worked: whoever came back without it would be sent again at once.
async fn read(context: &JobContext, key: &str, stop: &CancellationToken) -> Option<Stored<TaskRecord>> {
    let mut failed = 0;
    loop {
        match context.node.shared.catalog.get::<TaskRecord>(key, At::Latest).await {
            Ok(task) => return task,
            Err(error) => {
                tracing::warn!(key, error = %error, "a task cannot be read");
                env::select! {
                    () = stop.cancelled() => return None,
                    () = rt::time::sleep(context.node.shared.options.pause_after(failed)) => failed += 1,
                }
            }
        }
    }
}

/// Writes a task down if it is as it was; `None` when it is not, or cannot be written: then it is not ours to go on.
async fn store(context: &JobContext, task: &Stored<TaskRecord>, next: TaskRecord) -> Option<Stored<TaskRecord>> {
    match context.node.shared.catalog.change().replace(task, &next).commit().await {
        Ok(modified) => Some(Stored { record: next, created: task.created, modified }),
        Err(failed) => {
            if !failed.is_conflict() {
                tracing::warn!(task = task.name(), error = %failed, "a task's progress cannot be written down");
            }
            None
        }
    }
}

/// Writes the end of a task down, trying until it has worked or somebody else has changed the task.
async fn store_patiently(context: &JobContext, task: &Stored<TaskRecord>, next: TaskRecord, stop: &CancellationToken) {
    let mut failed = 0;
    loop {
        match context.node.shared.catalog.change().replace(task, &next).commit().await {
            Ok(_) => return,
            Err(error) if error.is_conflict() => return,
            Err(error) => {
                tracing::warn!(task = task.name(), error = %error, "the end of a task cannot be written down");
                env::select! {
                    () = stop.cancelled() => return,
                    () = rt::time::sleep(context.node.shared.options.pause_after(failed)) => failed += 1,
                }
            }
        }
    }
}
