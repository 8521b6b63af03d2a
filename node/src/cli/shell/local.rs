//! Statements run by an engine inside this process.

use super::{Column, Finished, Sink};
use crate::engine::{Engine, EngineOptions};
use crate::result::Outcome;
use crate::session::Session;
use crate::sql;
use anyhow::{Context, Result};
use arrow::datatypes::DataType;
use env::rt::CancellationToken;
use futures::StreamExt;
use std::path::Path;

/// An engine, and one session on it.
pub(in crate::cli) struct Embedded {
    engine: Engine,
    session: Session,
    user: String,
}

impl Embedded {
    /// Opens the data directory, making it when absent.
    pub(in crate::cli) async fn open(data_dir: &Path, user: &str) -> Result<Self> {
        let engine = Engine::open(EngineOptions::new(data_dir))
            .await
            .with_context(|| format!("cannot open data directory {}", data_dir.display()))?;
        let session = engine.session(user);
        Ok(Self { engine, session, user: user.to_owned() })
    }

    /// A second session on the same engine.
    pub(in crate::cli) fn another(&self) -> Self {
        Self { engine: self.engine.clone(), session: self.engine.session(&self.user), user: self.user.clone() }
    }

    pub(in crate::cli) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs the statements of `text`, one after another; what the last one came to.
    pub(in crate::cli) async fn run(
        &mut self,
        text: &str,
        sink: &mut dyn Sink,
        stop: CancellationToken,
    ) -> Result<Finished> {
        let mut last = Finished { affected: Some(0), info: String::new() };
        for statement in sql::parse(text).map_err(crate::error::EngineError::from).map_err(told)? {
            let outcome = self.session.execute(&statement, stop.clone()).await.map_err(told)?;
            last = match outcome {
                Outcome::Done { affected, info } => Finished { affected: Some(affected), info },
                Outcome::Rows(mut result) => {
                    let columns = result
                        .schema
                        .fields()
                        .iter()
                        .map(|field| Column { name: field.name().clone(), numeric: is_numeric(field.data_type()) });
                    sink.columns(columns.collect())?;
                    while let Some(batch) = result.batches.next().await {
                        let batch = batch.map_err(told)?;
                        for cells in crate::mysql::text_rows(&batch).map_err(told)? {
                            sink.row(&cells)?;
                        }
                    }
                    Finished { affected: None, info: String::new() }
                }
            };
        }
        Ok(last)
    }

    pub(in crate::cli) async fn close(self) -> Result<()> {
        self.engine.shutdown().await;
        Ok(())
    }
}

fn is_numeric(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// The error as MySQL's own client shows it.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn told(error: crate::error::EngineError) -> anyhow::Error {
    anyhow::anyhow!("ERROR {} ({}): {}", error.code, error.state, error.message)
}
