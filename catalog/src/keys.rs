//! Where what is stored. A name's last part may hold any character, so keys are built and never taken apart.

use env::ids::{DatabaseId, JobId, LoadId, NodeId, PartitionId, RepositoryId, TableId};

/// All databases.
pub const DATABASES: &str = "database/";
/// All tables of all databases.
pub const TABLES: &str = "table/";
/// All partitions of all tables.
pub const PARTITIONS: &str = "partition/";
/// All tablets of all partitions.
pub const TABLETS: &str = "tablet/";
/// All nodes.
pub const NODES: &str = "node/";
/// All repositories.
pub const REPOSITORIES: &str = "repository/";
/// How the upkeep of each repository stands.
pub const UPKEEP: &str = "upkeep/";
/// All verifiers.
pub const VERIFIERS: &str = "verify/";
/// The findings of all verifiers.
pub const FINDINGS: &str = "finding/";
/// What is known of snapshots.
pub const PROOFS: &str = "proof/";
/// What was set for the whole cluster.
pub const SETTINGS: &str = "setting/";
/// All jobs.
pub const JOBS: &str = "job/";
/// The marks of databases with a running job.
pub const RUNNING: &str = "running/";
/// All tasks of all jobs.
pub const TASKS: &str = "task/";
/// All loads.
pub const LOADS: &str = "load/";
/// All that the recycle bin holds.
pub const RECYCLED: &str = "recycle/";
/// All users.
pub const USERS: &str = "user/";
/// All roles.
pub const ROLES: &str = "role/";
/// The counter that ids are taken from.
pub const ID_COUNTER: &str = "counter/id";

/// A database.
pub fn database(id: DatabaseId) -> String {
    format!("database/{id}")
}

/// The name of a database.
pub fn database_name(name: &str) -> String {
    format!("name/database/{name}")
}

/// A table.
pub fn table(database: DatabaseId, id: TableId) -> String {
    format!("table/{database}/{id}")
}

/// All tables of a database.
pub fn tables(database: DatabaseId) -> String {
    format!("table/{database}/")
}

/// The name of a table.
pub fn table_name(database: DatabaseId, name: &str) -> String {
    format!("name/table/{database}/{name}")
}

/// The names of all tables of a database.
pub fn table_names(database: DatabaseId) -> String {
    format!("name/table/{database}/")
}

/// A partition.
pub fn partition(table: TableId, id: PartitionId) -> String {
    format!("partition/{table}/{id}")
}

/// All partitions of a table, hidden ones too.
pub fn partitions(table: TableId) -> String {
    format!("partition/{table}/")
}

/// A tablet; six digits keep buckets in order.
pub fn tablet(partition: PartitionId, bucket: u32) -> String {
    format!("tablet/{partition}/{bucket:06}")
}

/// All tablets of a partition, in bucket order.
pub fn tablets(partition: PartitionId) -> String {
    format!("tablet/{partition}/")
}

/// A node.
pub fn node(id: NodeId) -> String {
    format!("node/{id}")
}

/// A repository.
pub fn repository(id: RepositoryId) -> String {
    format!("repository/{id}")
}

/// The name of a repository.
pub fn repository_name(name: &str) -> String {
    format!("name/repository/{name}")
}

/// How the upkeep of a repository stands.
pub fn upkeep(repository: RepositoryId) -> String {
    format!("upkeep/{repository}")
}

/// A verifier.
pub fn verify(id: JobId) -> String {
    format!("verify/{id}")
}

/// The mark that a repository is being verified.
pub fn verifying(repository: RepositoryId) -> String {
    format!("verifying/{repository}")
}

/// Some findings of a verifier; six digits keep the parts in order.
pub fn finding(job: JobId, part: u32) -> String {
    format!("finding/{job}/{part:06}")
}

/// All findings of a verifier.
pub fn findings(job: JobId) -> String {
    format!("finding/{job}/")
}

/// What is known of a snapshot.
pub fn proof(repository: RepositoryId, label: &str) -> String {
    format!("proof/{repository}/{label}")
}

/// What is known of the snapshots of a repository.
pub fn proofs(repository: RepositoryId) -> String {
    format!("proof/{repository}/")
}

/// A variable that was set for the whole cluster.
pub fn setting(name: &str) -> String {
    format!("setting/{name}")
}

/// A job.
pub fn job(id: JobId) -> String {
    format!("job/{id}")
}

/// The mark that a database has a running job.
pub fn running(database: DatabaseId) -> String {
    format!("running/{database}")
}

/// A task of a job; six digits keep the parts of one node in order.
pub fn task(job: JobId, kind: &str, node: NodeId, part: u32) -> String {
    format!("task/{job}/{kind}/{node}/{part:06}")
}

/// All tasks of a job.
pub fn tasks(job: JobId) -> String {
    format!("task/{job}/")
}

/// A load.
pub fn load(id: LoadId) -> String {
    format!("load/{id}")
}

/// The label of a load.
pub fn load_label(database: DatabaseId, label: &str) -> String {
    format!("name/load/{database}/{label}")
}

/// The labels of all loads of a database.
pub fn load_labels(database: DatabaseId) -> String {
    format!("name/load/{database}/")
}

/// Something in the recycle bin.
pub fn recycled(id: u64) -> String {
    format!("recycle/{id}")
}

/// A user. The host comes first, as it has no `/` in it and a name may have.
pub fn user(name: &str, host: &str) -> String {
    format!("user/{host}/{name}")
}

/// A role.
pub fn role(name: &str) -> String {
    format!("role/{name}")
}
