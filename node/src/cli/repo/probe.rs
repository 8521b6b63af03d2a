//! `tabularium repo probe`: whether a store keeps the promises that a repository needs.

use super::RepositoryArgs;
use super::output::{self, Output};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::probe::{Profile, probe};

/// Arguments of `tabularium repo probe`.
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    output: Output,
}

/// Tries each promise; fails when one is broken that a repository there would need.
pub(super) async fn run(args: ProbeArgs, stop: &CancellationToken) -> Result<()> {
    let (location, properties) = args.repository.place()?;
    let store = args.repository.connect()?;
    let profile = env::select! {
        () = stop.cancelled() => return Err(repository::Error::Cancelled.into()),
        probed = probe(&store) => probed.map_err(|failed| location.blame(failed))?,
    };
    let usable = profile.require(properties.single_writer());
    if args.output.json {
        output::json(&serde_json::json!({
            "location": location.to_string(),
            "single_writer": properties.single_writer(),
            "usable": usable.is_ok(),
            "profile": profile,
        }))?;
    } else {
        output::line(location.to_string())?;
        output::line(text(&profile))?;
    }
    usable?;
    if !args.output.json {
        output::line("A repository can be there.")?;
    }
    Ok(())
}

/// A profile for people.
fn text(profile: &Profile) -> String {
    let mut lines = Vec::new();
    for promise in &profile.promises {
        let kept = if promise.kept { "kept" } else { "BROKEN" };
        lines.push(format!("  {:<17} {kept:<7} {}", promise.name.to_string(), promise.seen));
    }
    for latency in &profile.latencies {
        let millis = |us: u64| format!("{}.{:02} ms", us / 1000, us % 1000 / 10);
        let (median, max) = (millis(latency.median_us), millis(latency.max_us));
        lines.push(format!("  {:<17} {median} each, the slowest {max}", latency.request));
    }
    lines.join("\n")
}
