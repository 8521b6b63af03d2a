//! Tables as one statement reads them: every partition at the version that one revision of the catalog shows, held against
//! reclaim for as long as somebody reads.

use super::directory::Directory;
use crate::error::{EngineError, ErrorKind};
use catalog::records::{PartitionEntry, TableRecord};
use catalog::{At, Catalog, Stored};
use env::ids::{PartitionId, TabletId, Version};
use env::rt::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use tablet::{Bounds, Schema, TabletStore, TabletView};

/// How long a reader waits for a load that has committed and is being published.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(30);

/// How often a reader begins anew when compaction was faster than it.
const ATTEMPTS: u32 = 20;

/// One table at one revision.
#[derive(Debug)]
pub(crate) struct TableViews {
    /// The table as the catalog has it.
    pub(crate) record: Stored<TableRecord>,
    /// Its columns.
    pub(crate) schema: Arc<Schema>,
    /// Its partitions in the table's order.
    pub(crate) partitions: Vec<PartitionViews>,
}

/// One partition at one version.
#[derive(Debug)]
pub(crate) struct PartitionViews {
    /// As the table lists it.
    pub(crate) entry: PartitionEntry,
    /// Which rows belong to it.
    pub(crate) bounds: Bounds,
    /// The version that is read.
    pub(crate) version: Version,
    /// Its tablets, in bucket order.
    pub(crate) tablets: Vec<Arc<TabletView>>,
}

impl TableViews {
    /// The version that is read of each partition.
    pub(crate) fn versions(&self) -> BTreeMap<PartitionId, Version> {
        self.partitions.iter().map(|partition| (partition.entry.id, partition.version)).collect()
    }
}

/// Opens tables for reading.
#[derive(Debug, Clone)]
pub(crate) struct Views {
    pub(crate) catalog: Catalog,
    pub(crate) store: TabletStore,
    pub(crate) directory: Directory,
}

/// A table's name with its database's.
pub(crate) type TableName = (String, String);

impl Views {
    /// Opens tables, all at the same revision, in the order of their names here.
    ///
    /// # Errors
    /// 1049, 1146; Unavailable when a committed load does not become visible in time; what the catalog and the store say.
    pub(crate) async fn open(&self, names: &[TableName]) -> Result<Vec<Arc<TableViews>>, EngineError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.open_once(names).await {
                // A version was reclaimed between reading the catalog and asking for it; a newer one is there.
                Err(failed) if failed.kind == ErrorKind::Conflict && attempt < ATTEMPTS => {}
                other => return other,
            }
        }
    }

    async fn open_once(&self, names: &[TableName]) -> Result<Vec<Arc<TableViews>>, EngineError> {
        let at = At::Revision(self.catalog.revision().await?);
        let mut opened = Vec::with_capacity(names.len());
        for (database, table) in names {
            opened.push(Arc::new(self.table(database, table, at).await?));
        }
        Ok(opened)
    }

    async fn table(&self, database: &str, table: &str, at: At) -> Result<TableViews, EngineError> {
        let found = self.catalog.database(database, at).await?;
        let found = found.ok_or_else(|| EngineError::unknown_database(database))?;
        let record = self.catalog.table(found.id, table, at).await?;
        let record = record.ok_or_else(|| EngineError::unknown_table(database, table))?;
        let schema = Arc::new(snapshot::schema::tablet_schema(&record)?);
        let visible = self.catalog.partitions(&record, at).await?;
        let mut partitions = Vec::with_capacity(visible.len());
        for (entry, visible) in record.partitions.iter().zip(&visible) {
            let version = visible.visible_version;
            let mut tablets = Vec::with_capacity(usize::try_from(entry.buckets).unwrap_or(0));
            for tablet in self.directory.tablets(entry.id, at).await?.iter() {
                tablets.push(self.tablet(*tablet, version).await?);
            }
            let bounds = snapshot::schema::bounds(&record, entry)?;
            partitions.push(PartitionViews { entry: entry.clone(), bounds, version, tablets });
        }
        Ok(TableViews { record, schema, partitions })
    }

    async fn tablet(&self, tablet: TabletId, version: Version) -> Result<Arc<TabletView>, EngineError> {
        match self.store.view(tablet, version) {
            Ok(view) => Ok(view),
            Err(failed) if failed.kind() == tablet::ErrorKind::Unavailable => {
                Ok(self.store.view_when_published(tablet, version, PUBLISHED_WITHIN).await?)
            }
            Err(failed) => Err(failed.into()),
        }
    }
}
