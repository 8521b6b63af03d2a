//! From a location and its properties to an object store.

mod properties;

pub use properties::Properties;

use crate::error::{Error, Result};
use crate::local::LocalStore;
use crate::location::Location;
use env::disk::Disk;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The store at a location; `disk` gives the directory for one that is local. Nothing is dialled yet.
///
/// # Errors
/// `Unsupported` for a store that this program cannot reach.
pub fn connect(
    location: &Location,
    _properties: &Properties,
    disk: impl FnOnce(&Path) -> Arc<dyn Disk>,
) -> Result<Arc<dyn ObjectStore>> {
    match location {
        Location::Local(path) => Ok(Arc::new(LocalStore::new(disk(path)))),
        Location::Memory(name) => {
            static STORES: OnceLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = OnceLock::new();
            let mut stores = STORES.get_or_init(Mutex::default).lock();
            Ok(Arc::<InMemory>::clone(stores.entry(name.clone()).or_default()))
        }
        Location::S3 { .. } | Location::Gcs { .. } | Location::Azure { .. } => {
            Err(Error::Unsupported(format!("{location} cannot be reached by this program yet")))
        }
    }
}
