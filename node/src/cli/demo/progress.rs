//! A running job as a progress bar.

use super::say;
use super::sql::Sql;
use anyhow::{Context, Result, bail};
use bytesize::ByteSize;
use env::rt::Duration;
use env::rt::time::Instant;
use indicatif::{ProgressBar, ProgressStyle};

/// What a finished job moved.
pub(super) struct Totals {
    /// Bytes in the snapshot.
    pub(super) total: u64,
    /// Bytes that went over the wire.
    pub(super) sent: u64,
}

const BAR: &str =
    "  {prefix:<8} {msg:<15} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left";

/// Shows the job of database `tpch` until it ends; an error when it does not end FINISHED. On a terminal a bar moves,
/// elsewhere one line tells the end.
pub(super) async fn follow(sql: &Sql, kind: &'static str) -> Result<Totals> {
    let began = Instant::now();
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR).context("progress bar")?);
    bar.set_prefix(kind);
    let job = sql.engine().last_job("tpch", kind).await?.with_context(|| format!("no {kind} job of database tpch"))?;
    let record = loop {
        let progress = sql.engine().jobs().progress(job).await?;
        bar.set_message(progress.phase);
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        let record = sql.engine().jobs().get(job).await?;
        if record.is_done() {
            break record;
        }
        env::rt::time::sleep(Duration::from_millis(50)).await;
    };
    bar.finish_and_clear();
    if record.state_name() != "FINISHED" {
        bail!("the {kind} ended {}: {}", record.state_name(), record.status.message);
    }
    let totals = Totals { total: record.counts.bytes, sent: record.counts.bytes_sent };
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = totals.sent as f64 / seconds.max(0.001) / 1e6;
    say(&format!(
        "  {kind} FINISHED: {} in the snapshot, {} moved in {seconds:.2} s ({rate:.0} MB/s)",
        ByteSize(totals.total),
        ByteSize(totals.sent)
    ));
    Ok(totals)
}
