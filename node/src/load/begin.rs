//! How a load begins: its record, its label, its target.

use super::transaction::Load;
use super::{Loader, let_in};
use crate::error::{EngineError, ErrorKind};
use catalog::records::{LoadRecord, LoadState, NameRecord, PartitionEntry, TableRecord};
use catalog::{At, Catalog, Stored, keys, names};
use env::ids::{DatabaseId, LoadId};
use env::rt::time::unix_millis;
use std::sync::Arc;
use tablet::Router;

/// Why a load did not begin.
#[derive(Debug)]
pub(crate) enum BeginError {
    /// Another load has the label.
    LabelUsed {
        /// The label.
        label: String,
        /// Whether that load has committed; else it is still running.
        finished: bool,
    },
    /// Anything else.
    Refused(EngineError),
}

macro_rules! refused {
    ($($theirs:ty),*) => {$(
        impl From<$theirs> for BeginError {
            fn from(error: $theirs) -> Self {
                Self::Refused(error.into())
            }
        }
    )*};
}
refused!(EngineError, catalog::Error, tablet::Error, snapshot::Error);

impl From<BeginError> for EngineError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Refused(error) => error,
            BeginError::LabelUsed { label, finished } => {
                let how = if finished { "has committed" } else { "is still running" };
                Self::general(
                    ErrorKind::AlreadyExists,
                    format!("label '{label}' was used before by a load that {how}; choose another label"),
                )
            }
        }
    }
}

impl Loader {
    /// Begins a load into `table`, into the partitions named in `only` or all.
    ///
    /// # Errors
    /// [`BeginError::LabelUsed`]; Busy when the table is being restored; unknown partition; what the catalog says.
    pub(crate) async fn begin(
        &self,
        database: &str,
        table: &Stored<TableRecord>,
        label: Option<&str>,
        only: Option<&[String]>,
    ) -> Result<Load, BeginError> {
        let_in(table, database)?;
        let partitions = chosen(table, only)?;
        let schema = Arc::new(snapshot::schema::tablet_schema(table)?);
        let router = router(table, &schema, &partitions)?;
        let mut tablets = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            tablets.push(self.directory.tablets(partition.id, At::Latest).await?);
        }
        let record = LoadRecord {
            id: LoadId(self.catalog.allocate(1).await?),
            label: label.map(str::to_owned),
            database: table.database,
            node: self.node,
            state: LoadState::Preparing,
            tablets: Vec::new(),
            created_ms: unix_millis(),
            finished_ms: 0,
            rows: 0,
        };
        let record = match label {
            None => {
                let revision = self.catalog.change().create(&record).commit().await?;
                Stored { record, created: revision, modified: revision }
            }
            Some(label) => claim_label(&self.catalog, record, label).await?,
        };
        Ok(Load::new(self.clone(), record, table.clone(), schema, router, partitions, tablets))
    }
}

fn chosen(table: &TableRecord, only: Option<&[String]>) -> Result<Vec<PartitionEntry>, EngineError> {
    let Some(names) = only else { return Ok(table.partitions.clone()) };
    names
        .iter()
        .map(|name| table.partition(name).cloned().ok_or_else(|| EngineError::unknown_partition(name, &table.name)))
        .collect()
}

fn router(table: &TableRecord, schema: &tablet::Schema, partitions: &[PartitionEntry]) -> Result<Router, EngineError> {
    let bounds = partitions
        .iter()
        .map(|entry| Ok((snapshot::schema::bounds(table, entry)?, entry.buckets)))
        .collect::<Result<Vec<_>, snapshot::Error>>()?;
    let columns = snapshot::schema::partition_columns(table)?;
    let hash = snapshot::schema::hash_columns(table)?;
    Ok(Router::new(schema, &columns, bounds, hash.as_deref())?)
}

/// Writes the record together with its label, which must be free or belong to an aborted load.
async fn claim_label(catalog: &Catalog, record: LoadRecord, label: &str) -> Result<Stored<LoadRecord>, BeginError> {
    names::load_label(label)?;
    let key = keys::load_label(record.database, label);
    loop {
        let change = match catalog.store().get(&key, At::Latest).await? {
            None => catalog.change().claim_name(key.clone(), record.id.0),
            Some(taken) => {
                let holder = LoadId(NameRecord::decode(&key, &taken.value)?.id);
                let holder = catalog.get::<LoadRecord>(&keys::load(holder), At::Latest).await?;
                if let Some(finished) = holder.as_deref().and_then(holds_label) {
                    return Err(BeginError::LabelUsed { label: label.to_owned(), finished });
                }
                let name = NameRecord::new(record.id.0).encode();
                catalog.change().unchanged_key(key.clone(), taken.modified).put_raw(key.clone(), name)
            }
        };
        match change.create(&record).commit().await {
            Ok(revision) => return Ok(Stored { record, created: revision, modified: revision }),
            Err(failed) if failed.is_conflict() => {}
            Err(failed) => return Err(failed.into()),
        }
    }
}

/// Whether the load keeps its label, and if so, whether it has finished.
fn holds_label(load: &LoadRecord) -> Option<bool> {
    match load.state {
        LoadState::Preparing => Some(false),
        LoadState::Committed { .. } => Some(true),
        LoadState::Aborted { .. } => None,
    }
}

/// The key of the label of a load, if it has one.
pub(super) fn label_key(database: DatabaseId, load: &LoadRecord) -> Option<String> {
    load.label.as_deref().map(|label| keys::load_label(database, label))
}
