//! Which tablets a partition has. That never changes in a partition's life (a restore or a truncation makes another
//! partition), so it is read from the catalog once.

use catalog::{At, Catalog};
use env::ids::{PartitionId, TabletId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Partitions remembered at most; then all are forgotten and read again as needed.
const PARTITIONS_MAX: usize = 100_000;

/// Tablets by partition, in bucket order. Clones share what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    catalog: Catalog,
    known: Arc<Mutex<BTreeMap<PartitionId, Arc<[TabletId]>>>>,
}

impl Directory {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog, known: Arc::default() }
    }

    /// The tablets of a partition that exists at `at`, in bucket order.
    pub(crate) async fn tablets(&self, partition: PartitionId, at: At) -> catalog::Result<Arc<[TabletId]>> {
        if let Some(known) = self.known.lock().get(&partition) {
            return Ok(Arc::clone(known));
        }
        let records = self.catalog.tablets(partition, at).await?;
        let tablets: Arc<[TabletId]> = records.iter().map(|tablet| tablet.id).collect();
        // A partition without tablets is one that is not there (any more): nothing to remember.
        if !tablets.is_empty() {
            let mut known = self.known.lock();
            if known.len() >= PARTITIONS_MAX {
                known.clear();
            }
            known.insert(partition, Arc::clone(&tablets));
        }
        Ok(tablets)
    }

    /// A partition that is gone for good.
    pub(crate) fn forget(&self, partition: PartitionId) {
        self.known.lock().remove(&partition);
    }
}
