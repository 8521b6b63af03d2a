//! `tabularium repo sweep`: space back.

use super::output::{self, Output, number, text};
use super::{RepositoryArgs, progress};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::Progress;
use serde::Serialize;
use std::sync::Arc;

/// Arguments of `tabularium repo sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// List what would be deleted, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Object {
    object: String,
    bytes: u64,
}

#[derive(Serialize)]
struct Planned {
    dry_run: bool,
    generation: u64,
    objects: Vec<Object>,
    bytes: u64,
}

#[derive(Serialize)]
struct Done {
    dry_run: bool,
    generation: u64,
    objects: u64,
    bytes: u64,
    refused: u64,
}

pub(super) async fn run(args: SweepArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let bar = progress::bytes("reading manifests")?;
    let counted = bar.clone();
    let heard: Progress = Arc::new(move |bytes| counted.inc(bytes));
    let planned = repository.sweep_plan(&heard).await;
    bar.finish_and_clear();
    let plan = planned?;
    let generation = plan.generation().0;
    if args.dry_run {
        let (count, bytes) = (plan.objects().len() as u64, plan.bytes());
        let objects = plan.objects().map(|(object, bytes)| Object { object, bytes });
        if args.output.json {
            return output::json(&Planned { dry_run: true, generation, objects: objects.collect(), bytes });
        }
        let rows = objects.map(|found| vec![Some(found.object), Some(output::size(found.bytes))]);
        output::table(vec![text("Object"), number("Bytes")], rows)?;
        let found = output::count(count, "object");
        return output::line(format!("a sweep would delete {found}, {}; nothing was deleted", output::size(bytes)));
    }
    let bar = progress::bytes("sweeping")?;
    progress::known(&bar, plan.bytes());
    let counted = bar.clone();
    let heard: Progress = Arc::new(move |bytes| counted.inc(bytes));
    let swept = repository.sweep(&plan, &heard).await;
    bar.finish_and_clear();
    let swept = swept?;
    if args.output.json {
        let (objects, bytes, refused) = (swept.objects, swept.bytes, swept.refused);
        return output::json(&Done { dry_run: false, generation, objects, bytes, refused });
    }
    output::line(format!("deleted {}, {}", output::count(swept.objects, "object"), output::size(swept.bytes)))?;
    if swept.refused > 0 {
        let refused = output::count(swept.refused, "object");
        output::line(format!("the store refused to delete {refused}: locked there, or these credentials may not"))?;
    }
    Ok(())
}
