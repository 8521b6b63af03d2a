//! What statements do to repositories, to the snapshots in them, and to jobs that run.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::result::{Outcome, ResultSet};
use crate::session::Context;
use crate::show::Grid;
use crate::sql::{AlterJob, Retention, Upkeep};
use catalog::records::RetentionRecord;
use env::rt::CancellationToken;
use repository::{SweepPlan, Swept};
use snapshot::request::{self, LimitsChange};
use snapshot::{DropRequest, JobKind, Judged, VerifyRequest, view};

/// Executes a statement about a repository or its snapshots.
///
/// # Errors
/// What goes to the client.
pub(crate) async fn execute(
    engine: Engine,
    context: Context,
    wanted: Upkeep,
    stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    let jobs = engine.jobs();
    match wanted {
        Upkeep::DropSnapshot { label, repository, force } => {
            jobs.drop_snapshot(&DropRequest { label, repository, force }).await?;
        }
        Upkeep::HoldSnapshot { label, repository, reason } => {
            jobs.hold_snapshot(&repository, &label, reason.as_deref().unwrap_or_default()).await?;
        }
        Upkeep::ReleaseSnapshot { label, repository } => jobs.release_snapshot(&repository, &label).await?,
        Upkeep::SetRetention { repository, retention } => {
            jobs.set_retention(&repository, Some(checked(&retention)?)).await?;
        }
        Upkeep::DropRetention { repository } => jobs.set_retention(&repository, None).await?,
        Upkeep::ApplyRetention { repository, retention, dry_run } => {
            let retention = retention.as_ref().map(checked).transpose()?;
            let judged = jobs.apply_retention(&repository, retention, dry_run, &stop).await?;
            return Ok(Outcome::Rows(decisions(judged, dry_run)?));
        }
        Upkeep::Sweep { repository, dry_run } => {
            let (plan, done) = jobs.sweep(&repository, dry_run, &stop).await?;
            return Ok(Outcome::Rows(swept(&plan, done, dry_run)?));
        }
        Upkeep::Verify { repository, label, level, properties } => {
            jobs.submit_verify(VerifyRequest { repository, label, level, properties, user: context.user }).await?;
        }
        Upkeep::CancelVerify { repository } => jobs.cancel_verify(&repository).await?,
    }
    Ok(Outcome::ok())
}

fn checked(retention: &Retention) -> Result<RetentionRecord, EngineError> {
    let Retention { keep_last, keep_within, min } = retention;
    Ok(request::retention(*keep_last, keep_within.as_deref(), *min)?)
}

/// A dry run tells of every snapshot, the other of those that it was to drop.
fn decisions(judged: Vec<Judged>, dry_run: bool) -> Result<ResultSet, EngineError> {
    let mut grid = Grid::new(["Snapshot", "Timestamp", "Database", "Decision", "Reason", "FreedBytes"]);
    for Judged { summary, decision, reason, freed_bytes } in judged {
        if dry_run || decision != "KEEP" {
            grid.rows.push(vec![
                Some(summary.label),
                Some(summary.timestamp),
                Some(summary.database),
                Some(decision.to_owned()),
                Some(reason),
                freed_bytes.map(|bytes| bytes.to_string()),
            ]);
        }
    }
    grid.result()
}

fn swept(plan: &SweepPlan, done: Swept, dry_run: bool) -> Result<ResultSet, EngineError> {
    let (objects, bytes) =
        if dry_run { (plan.objects().count() as u64, plan.bytes()) } else { (done.objects, done.bytes) };
    let decision = if dry_run { "DELETE" } else { "DELETED" };
    let cells = [
        decision.to_owned(),
        objects.to_string(),
        bytes.to_string(),
        done.refused.to_string(),
        plan.kept().to_string(),
        plan.foreign().to_string(),
        plan.generation().to_string(),
    ];
    let columns =
        ["Decision", "Objects", "FreedBytes", "RefusedObjects", "KeptObjects", "ForeignObjects", "Generation"];
    Grid::new(columns).row(cells).result()
}

/// Executes `ALTER BACKUP`, `ALTER RESTORE`.
///
/// # Errors
/// What goes to the client.
pub(crate) async fn alter_job(
    engine: Engine,
    context: Context,
    alter: AlterJob,
    _stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    let change = LimitsChange::parse(&alter.properties)?;
    let name = alter.database.as_ref().or(context.database.as_ref()).ok_or_else(EngineError::no_database)?;
    let found = engine.jobs().database(name).await?.ok_or_else(|| EngineError::unknown_database(name))?;
    let kind = if alter.restore { JobKind::Restore } else { JobKind::Backup };
    engine.jobs().set_limits(found, kind, change).await?;
    Ok(Outcome::ok())
}

/// `SHOW VERIFY`: the verifiers on record, the newest first.
pub(crate) async fn verifiers(engine: &Engine, repository: Option<&str>) -> Result<Grid, EngineError> {
    let mut grid = Grid::new(view::VERIFY_COLUMNS);
    for job in engine.jobs().verifiers(repository).await? {
        grid.rows.push(view::verifier(&job).into_iter().map(|(_, cell)| cell).collect());
    }
    Ok(grid)
}
