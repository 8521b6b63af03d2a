//! What the catalog holds, one module per kind. [`crate::record`] says how records become bytes; an example of every
//! format ever written stands in `tests/golden/`.

pub mod account;
pub mod counter;
pub mod database;
pub mod job;
pub mod load;
pub mod name;
pub mod node;
pub mod partition;
pub mod recycle;
pub mod repository;
pub mod setting;
pub mod table;
pub mod tablet;
pub mod task;
pub mod upkeep;
pub mod verify;

pub use account::{GrantRecord, GrantScope, Privilege, RoleRecord, SecretRecord, UserRecord};
pub use counter::CounterRecord;
pub use database::DatabaseRecord;
pub use job::*;
pub use load::{LoadRecord, LoadState};
pub use name::NameRecord;
pub use node::NodeRecord;
pub use partition::{PartitionRecord, PartitionState};
pub use recycle::{Brought, BroughtPartition, RecycleRecord, Recycled};
pub use repository::{RepositoryRecord, RetentionRecord};
pub use setting::SettingRecord;
pub use table::{
    AggregationRecord, BoundsRecord, ColumnRecord, DefaultRecord, Distribution, KeyModelRecord, PartitionEntry,
    Partitioning, TableRecord, TableState,
};
pub use tablet::TabletRecord;
pub use task::*;
pub use upkeep::UpkeepRecord;
pub use verify::{FindingRecord, FindingsRecord, ProofRecord, VerifyOutcome, VerifyRecord, VerifyState};
