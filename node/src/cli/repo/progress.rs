//! A bar on a terminal, nothing elsewhere.

use anyhow::{Context, Result};
use env::rt::Duration;
use indicatif::{ProgressBar, ProgressStyle};

const BAR: &str = "{prefix} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left";
const SPINNER: &str = "{spinner} {prefix} {binary_bytes} {binary_bytes_per_sec}, {elapsed}";

/// Bytes of a total that is not known yet: [`known`] turns it into a bar.
pub(super) fn bytes(prefix: &'static str) -> Result<ProgressBar> {
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(SPINNER).context("progress bar")?);
    bar.set_prefix(prefix);
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}

/// Now the total is known.
pub(super) fn known(bar: &ProgressBar, total: u64) {
    // The template is the program's own; if it were wrong the spinner would go on.
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    bar.set_length(total);
}
