//! What exists: databases, tables, partitions, tablets, nodes, repositories, jobs, tasks and loads.
//!
//! Two layers:
//! * [`MetaStore`] is a store of ordered keys with revisions: read at a revision, scan a prefix, commit a transaction of
//!   guards and writes, watch a prefix. [`EmbeddedStore`] keeps it in one file; [`conformance`] is the test that every
//!   implementation passes.
//! * [`Catalog`] speaks of [`records`]: typed values under [`keys`], looked up by name or id at one revision, changed by
//!   one guarded transaction, a [`Change`]. Uniqueness of names comes from guards, never from locks.
//!
//! ```
//! use catalog::{At, Catalog, EmbeddedStore, keys, records::DatabaseRecord};
//! use env::{disk::MemDisk, ids::DatabaseId};
//! use std::sync::Arc;
//! # async fn example() -> catalog::Result<()> {
//! let store = EmbeddedStore::open(Arc::new(MemDisk::new()), "catalog.redb").await?;
//! let catalog = Catalog::new(Arc::new(store));
//! let sales = DatabaseRecord { id: DatabaseId(catalog.allocate(1).await?), name: "sales".into(), created_ms: 0 };
//! let made = catalog.change().claim_name(keys::database_name("sales"), sales.id.0).create(&sales).commit().await?;
//! let again = catalog.change().claim_name(keys::database_name("sales"), 7).commit().await;
//! assert!(again.is_err_and(|failed| failed.conflict_key() == Some("name/database/sales")));
//! let found = catalog.database("sales", At::Revision(made)).await?;
//! assert_eq!(found.map(|found| found.id), Some(sales.id));
//! # Ok(()) }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```

pub mod conformance;
#[doc(hidden)]
pub mod fuzzing;
pub mod keys;
pub mod names;
pub mod record;
pub mod records;
pub mod store;

mod change;
mod embedded;
mod error;
mod lookup;

pub use change::Change;
pub use embedded::{EmbeddedOptions, EmbeddedStore};
pub use error::{Error, ErrorKind, KeyState, NameKind, Result};
pub use lookup::Catalog;
pub use record::{Record, Stored};
pub use store::{At, Batch, Entry, Event, Guard, MetaStore, Revision, ScanPage, Watch, Write};
