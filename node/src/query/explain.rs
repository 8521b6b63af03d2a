//! EXPLAIN.

use super::{Planned, Planner, errors};
use crate::error::EngineError;
use crate::result::ResultSet;
use crate::session::Context;
use crate::sql::ExplainMode;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use env::rt::CancellationToken;
use futures::StreamExt;
use sqlparser::ast;
use std::sync::Arc;

impl Planner {
    /// Tells how a query is run; `head` is a line to put first.
    ///
    /// # Errors
    /// As [`Planner::plan`]; with ANALYZE also those of running it.
    pub(crate) async fn explain(
        &self,
        context: &Context,
        statement: &ast::Statement,
        mode: ExplainMode,
        head: Option<String>,
        stop: CancellationToken,
    ) -> Result<ResultSet, EngineError> {
        let planned = self.plan(context, statement).await?;
        let text = planned.told(mode, stop).await?;
        let lines = head.iter().map(String::as_str).chain(text.lines());
        let rows: Vec<Vec<Option<String>>> = lines.map(|line| vec![Some(line.to_owned())]).collect();
        ResultSet::from_text(&["Explain String"], &rows)
    }
}

impl Planned {
    async fn told(self, mode: ExplainMode, stop: CancellationToken) -> Result<String, EngineError> {
        let physical = DisplayableExecutionPlan::new(self.physical.as_ref());
        Ok(match mode {
            ExplainMode::Logical => self.logical.display_indent_schema().to_string(),
            ExplainMode::Plan => physical.indent(false).to_string(),
            ExplainMode::Verbose => {
                format!("{}\n{}", self.logical.display_indent(), physical.indent(true))
            }
            ExplainMode::Costs => physical.set_show_statistics(true).indent(true).to_string(),
            ExplainMode::Analyze => {
                let plan = Arc::clone(&self.physical);
                let mut running = self.stream()?;
                loop {
                    let next = env::select! {
                        () = stop.cancelled() => return Err(EngineError::interrupted()),
                        next = running.stream.next() => next,
                    };
                    match next {
                        Some(batch) => drop(batch.map_err(errors::engine)?),
                        None => break,
                    }
                }
                DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(true).to_string()
            }
        })
    }
}
