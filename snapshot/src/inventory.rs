//! Reads what plans are made from: the catalog at one revision, a snapshot's pages. Decides nothing.

use crate::error::{Error, Result};
use crate::plan::{self, Draft, LocalTable, SnapshotTable, TableAtCut};
use catalog::records::job::{Clean, Objects};
use catalog::records::{PartitionRecord, TableRecord, TabletRecord};
use catalog::{At, Catalog, Record, keys};
use env::canary::{self, Canary};
use env::ids::{DatabaseId, NodeId, PartitionId, Version};
use futures::future::{BoxFuture, try_join_all};
use repository::{SnapshotReader, TableManifest};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Pages that are read at one time.
const PAGES_AT_ONCE: usize = 16;

/// The nodes that are known, `own` among them.
pub(crate) async fn nodes(catalog: &Catalog, own: NodeId) -> Result<BTreeSet<NodeId>> {
    let known = catalog.nodes(At::Latest).await?;
    Ok(known.iter().map(|node| node.id).chain([own]).collect())
}

/// The tables of a database that a BACKUP is about.
pub(crate) async fn selected(
    catalog: &Catalog,
    database: DatabaseId,
    name: &str,
    objects: &Objects,
    at: At,
) -> Result<Vec<TableRecord>> {
    let tables = catalog.tables(database, at).await?.into_iter().map(|table| table.record).collect();
    Ok(plan::select_for_backup(name, tables, objects)?)
}

/// Partitions and tablets of the selected tables.
pub(crate) async fn at_cut(catalog: &Catalog, tables: Vec<TableRecord>, at: At) -> Result<Vec<TableAtCut>> {
    let mut found = Vec::with_capacity(tables.len());
    for record in tables {
        let at = if canary::sings(Canary::CutByTable) { At::Latest } else { at };
        let all = catalog.list::<PartitionRecord>(&keys::partitions(record.id), at).await?;
        let mut all: BTreeMap<PartitionId, PartitionRecord> =
            all.into_iter().map(|partition| (partition.id, partition.record)).collect();
        let mut partitions = Vec::with_capacity(record.partitions.len());
        for entry in &record.partitions {
            let missing = || {
                let object = format!("partition {} of table {}", entry.name, record.name);
                Error::corrupt(object, "a record in the catalog", "none")
            };
            let partition = all.remove(&entry.id).ok_or_else(missing)?;
            let buckets: Vec<TabletRecord> =
                catalog.tablets(entry.id, at).await?.into_iter().map(|tablet| tablet.record).collect();
            if buckets.len() != usize::try_from(entry.buckets).unwrap_or(usize::MAX) {
                let object = format!("partition {} of table {}", entry.name, record.name);
                let (expected, found) = (format!("{} tablets", entry.buckets), buckets.len().to_string());
                return Err(Error::corrupt(object, expected, found));
            }
            partitions.push((partition, buckets));
        }
        found.push(TableAtCut { record, partitions });
    }
    Ok(found)
}

/// What a RESTORE is asked for, as far as its plan goes.
#[derive(Debug)]
pub(crate) struct RestoreWish<'a> {
    pub(crate) label: &'a str,
    pub(crate) objects: &'a Objects,
    /// The target, if it exists.
    pub(crate) database: Option<DatabaseId>,
    pub(crate) replication_num: u32,
    pub(crate) nodes: usize,
    pub(crate) clean: Clean,
}

/// What a RESTORE would do, with every conflict told at once.
pub(crate) async fn draft(catalog: &Catalog, reader: &SnapshotReader, wish: RestoreWish<'_>, at: At) -> Result<Draft> {
    let refs = &reader.root().tables;
    let names: Vec<&str> = refs.iter().map(|table| table.name.as_str()).collect();
    let mut tables = Vec::new();
    for batch in plan::select_for_restore(wish.label, &names, wish.objects)?.chunks(PAGES_AT_ONCE) {
        let read = batch.iter().filter_map(|(position, _)| refs.get(*position));
        let read = read.map(|table| -> BoxFuture<'_, _> { Box::pin(reader.table(table)) });
        for (manifest, (_, name)) in try_join_all(read).await?.iter().zip(batch) {
            tables.push((snapshot_table(manifest)?, name.clone()));
        }
    }
    let local = match wish.database {
        Some(database) => catalog.tables(database, at).await?,
        None => Vec::new(),
    };
    let local: BTreeMap<String, LocalTable> =
        local.into_iter().map(|table| (table.name.clone(), LocalTable { record: table.record })).collect();
    let RestoreWish { label, objects, replication_num, nodes, clean, .. } = wish;
    Ok(plan::restore(label, objects, &tables, &local, replication_num, nodes, clean)?)
}

/// A table's page in the catalog's words. See [`describe`].
pub(crate) fn snapshot_table(manifest: &TableManifest) -> Result<SnapshotTable> {
    let object = || format!("the description of table {} in the snapshot", manifest.name);
    let broken = |failed: serde_json::Error| Error::corrupt(object(), "a table record", failed.to_string());
    let format = manifest.schema.get("format").and_then(Value::as_u64).unwrap_or(0);
    let format = match u32::try_from(format) {
        Ok(0) => return Err(Error::corrupt(object(), "a format number from 1 on", "none")),
        Ok(format) if format <= TableRecord::FORMAT => format,
        Ok(_) | Err(_) => {
            let supported = TableRecord::FORMAT.into();
            return Err(catalog::Error::NewerFormat { object: object(), found: format, supported }.into());
        }
    };
    let json = serde_json::to_vec(&manifest.schema).map_err(broken)?;
    let record = TableRecord::decode(format, &json).map_err(broken)?;
    let partitions = manifest.partitions.iter().map(|partition| {
        let known = plan::SnapshotPartition {
            version: Version(partition.version),
            files: partition.files,
            bytes: partition.bytes,
        };
        (PartitionId(partition.id), known)
    });
    Ok(SnapshotTable { id: manifest.id, partitions: partitions.collect(), record })
}

/// A table's record as a snapshot keeps it: with the number of its format, like in the catalog.
pub(crate) fn describe(record: &TableRecord) -> Result<Value> {
    let bytes = catalog::record::encode(record)?;
    serde_json::from_slice(&bytes).map_err(|failed| Error::Internal(format!("a table cannot be JSON: {failed}")))
}
