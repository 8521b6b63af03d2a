//! Loads: how rows get into tables and out of them.
//!
//! A load is one transaction over any number of partitions. It [begins](Loader::begin) with a record in the catalog; its rows
//! are routed to tablets and prepared there, durable and invisible; [`Load::commit`] makes one guarded catalog transaction
//! that turns the record to committed and bumps the visible version of every partition touched, all or nothing; then the
//! prepared rows are published in version order. A crash at any instant leaves a record that says which prepared rows count.
//!
//! Whoever drives a load ends it with [`Load::commit`] or [`Load::abort`]; one that is dropped in between is tidied up when
//! the engine opens the next time.

mod begin;
pub(crate) mod csv;
#[cfg(not(madsim))]
pub(crate) mod escapes;
mod expire;
mod publish;
mod recover;
pub(crate) mod stream;
mod transaction;
pub(crate) mod values;

pub(crate) use begin::BeginError;
pub(crate) use publish::Publisher;
pub(crate) use transaction::{CommitError, Committed, Load};

use crate::engine::directory::Directory;
use crate::engine::gate::Gate;
use crate::error::{EngineError, ErrorKind};
use catalog::Catalog;
use catalog::records::{TableRecord, TableState};
use env::ids::NodeId;
use std::sync::Arc;
use tablet::TabletStore;

/// Bytes of rows that a load keeps in memory before it writes them to segments.
pub(crate) const BUFFER_BYTES: usize = 64 << 20;

/// Segments that a load writes at the same time.
const WRITERS: usize = 2;

/// Runs loads of one node. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    pub(crate) catalog: Catalog,
    pub(crate) store: TabletStore,
    pub(crate) directory: Directory,
    pub(crate) node: NodeId,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) gate: Gate,
    /// See [`BUFFER_BYTES`].
    pub(crate) buffer_bytes: usize,
}

/// Refuses a table that a RESTORE is about to overwrite.
///
/// # Errors
/// Busy, naming the job and how to stop it.
pub(crate) fn let_in(table: &TableRecord, database: &str) -> Result<(), EngineError> {
    match &table.state {
        TableState::Normal => Ok(()),
        TableState::Restoring { job, label } => Err(EngineError::general(
            ErrorKind::Busy,
            format!(
                "table '{}' is being restored from snapshot '{label}' by job {job}: it can be read, loads and changes are \
                 refused until the job ends; SHOW RESTORE FROM {database} shows how far it is, CANCEL RESTORE FROM \
                 {database} stops it",
                table.name
            ),
        )),
    }
}
