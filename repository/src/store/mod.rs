//! From a location and its properties to an object store.

#[cfg(not(madsim))]
mod deletes;
#[cfg(not(madsim))]
mod dial;
mod keyring;
#[cfg(not(madsim))]
mod parts;
#[cfg(not(madsim))]
mod polite;
mod properties;
pub(crate) mod refusal;
#[cfg(not(madsim))]
mod remote;
mod secret;

pub use keyring::Keyring;
pub use properties::Properties;

use crate::error::Result;
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
/// Secrets that stand elsewhere are read now.
///
/// # Errors
/// `Invalid` for properties of another kind of location, a secret that is not where it should be, or what no connection
/// can be made of.
pub fn connect(
    location: &Location,
    properties: &Properties,
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
            #[cfg(not(madsim))]
            let store = remote::connect(location, &properties.target);
            #[cfg(madsim)]
            let store =
                Err(crate::Error::Unsupported(format!("there is no {location} in the simulator: {properties:?}")));
            store
        }
    }
}

#[cfg(test)]
mod tests;
