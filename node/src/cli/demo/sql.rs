//! Statements on the embedded engine, as a client would send them.

use crate::cli::grid::Column;
use crate::cli::shell::local::Embedded;
use crate::cli::shell::{Finished, Sink};
use crate::engine::Engine;
use anyhow::{Context, Result};
use env::rt::CancellationToken;
use std::path::Path;

/// One session on the engine.
pub(super) struct Sql {
    embedded: Embedded,
}

#[derive(Default)]
struct Rows(Vec<Vec<Option<String>>>);

impl Sink for Rows {
    fn columns(&mut self, _columns: Vec<Column>) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, cells: &[Option<String>]) -> Result<()> {
        self.0.push(cells.to_vec());
        Ok(())
    }
}

impl Sql {
    pub(super) async fn open(data_dir: &Path) -> Result<Self> {
        Ok(Self { embedded: Embedded::open(data_dir, "root").await? })
    }

    /// A second session on the same engine.
    pub(super) fn another(&self) -> Self {
        Self { embedded: self.embedded.another() }
    }

    pub(super) fn engine(&self) -> &Engine {
        self.embedded.engine()
    }

    /// Runs one statement; the rows it changed.
    pub(super) async fn run(&mut self, statement: &str) -> Result<u64> {
        let Finished { affected, .. } = self
            .embedded
            .run(statement, &mut Rows::default(), CancellationToken::new())
            .await
            .with_context(|| format!("in: {statement}"))?;
        Ok(affected.unwrap_or(0))
    }

    /// Runs one statement that answers with rows.
    pub(super) async fn rows(&mut self, statement: &str) -> Result<Vec<Vec<Option<String>>>> {
        let mut rows = Rows::default();
        self.embedded
            .run(statement, &mut rows, CancellationToken::new())
            .await
            .with_context(|| format!("in: {statement}"))?;
        Ok(rows.0)
    }

    /// Rows of a table and a hash of them that does not depend on their order.
    pub(super) async fn fingerprint(&self, database: &str, table: &str) -> Result<(u64, u128)> {
        Ok(self.embedded.engine().table_fingerprint(database, table).await?)
    }

    pub(super) async fn close(self) -> Result<()> {
        self.embedded.close().await
    }
}
