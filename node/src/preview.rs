//! EXPLAIN of BACKUP, RESTORE and DROP SNAPSHOT: what the statement would do.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::jobs;
use crate::result::Outcome;
use crate::session::Context;
use crate::show::Grid;
use crate::sql::{Statement, Upkeep};
use env::rt::CancellationToken;
use snapshot::{DropRequest, PreviewLine};

/// Tells what a statement would do. Nothing is changed.
///
/// # Errors
/// What the statement itself would say of names that there are none of, and of properties; Unsupported for other statements.
pub(crate) async fn explain(
    engine: Engine,
    context: Context,
    statement: Statement,
    stop: CancellationToken,
) -> Result<Outcome, EngineError> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others cannot be explained")]
    let lines = match &statement {
        Statement::Backup(backup) => {
            let request = jobs::backup_request(&engine, &context, backup).await?;
            engine.jobs().preview_backup(&request, &stop).await?
        }
        Statement::Restore(restore) => {
            engine.jobs().preview_restore(&jobs::restore_request(&context, restore)?).await?
        }
        Statement::Upkeep(Upkeep::DropSnapshot { label, repository, force }) => {
            let (label, repository, force) = (label.clone(), repository.clone(), *force);
            engine.jobs().preview_drop(&DropRequest { label, repository, force }, &stop).await?
        }
        other => return Err(EngineError::unsupported(format!("EXPLAIN of {} is not supported", other.verb()))),
    };
    let dropping = matches!(statement, Statement::Upkeep(_));
    Ok(Outcome::Rows(grid(&lines, dropping).result()?))
}

fn grid(lines: &[PreviewLine], dropping: bool) -> Grid {
    let transfer: &[&str] = if dropping { &["FreedBytes"] } else { &["TransferFiles", "TransferBytes"] };
    let columns = [&["Object", "Action", "Partitions", "Tablets", "Files", "Bytes"], transfer, &["Detail"]].concat();
    let mut grid = Grid::new(columns);
    for line in lines {
        let number = |of: fn(&snapshot::Amount) -> u64| line.amount.as_ref().map(|amount| of(amount).to_string());
        let mut row = vec![
            Some(line.object.clone()),
            Some(line.action.as_str().to_owned()),
            number(|amount| amount.partitions),
            number(|amount| amount.tablets),
            number(|amount| amount.files),
            number(|amount| amount.bytes),
        ];
        if !dropping {
            row.push(number(|amount| amount.transfer_files));
        }
        row.push(number(|amount| amount.transfer_bytes));
        row.push(Some(line.detail.clone()));
        grid.rows.push(row);
    }
    grid
}
