//! BACKUP: which tables and partitions, at which versions, from which nodes.

use super::conflict::{Conflict, Conflicts};
use super::shares::{TaskHead, TaskSizes, split};
use crate::request::{excludes_named, includes_unnamed, named};
use catalog::records::job::{JobCounts, Objects};
use catalog::records::task::{
    PartitionPlan, PartitionShare, TablePlan, TaskKind, TaskProgress, TaskRecord, TaskState, TaskWork,
};
use catalog::records::{PartitionRecord, TableRecord, TabletRecord};
use env::ids::{JobId, NodeId, TabletId};
use std::collections::{BTreeMap, BTreeSet};

/// The tables that a BACKUP is about, each with just the partitions that it takes, in the order of `tables`.
///
/// # Errors
/// Every table and partition that cannot be taken.
pub fn select(database: &str, tables: Vec<TableRecord>, objects: &Objects) -> Result<Vec<TableRecord>, Conflicts> {
    let mut conflicts = Vec::new();
    let known: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let mut wanted: BTreeMap<&str, Option<&Vec<String>>> = BTreeMap::new();
    for spec in named(objects) {
        if let Some(alias) = &spec.alias {
            conflicts.push(Conflict::AliasInBackup { table: spec.table.clone(), alias: alias.clone() });
        }
        if !known.contains(spec.table.as_str()) {
            conflicts.push(Conflict::UnknownTable(spec.table.clone()));
        }
        if wanted.insert(&spec.table, spec.partitions.as_ref()).is_some() {
            conflicts.push(Conflict::DuplicateTable(spec.table.clone()));
        }
    }
    let excludes = excludes_named(objects);
    let mut selected = Vec::new();
    for mut table in tables {
        let partitions = match wanted.get(table.name.as_str()) {
            Some(None) if excludes => continue,
            Some(partitions) => *partitions,
            None if includes_unnamed(objects) => None,
            None => continue,
        };
        if let Some(names) = partitions {
            let mut chosen = BTreeSet::new();
            for name in names {
                let (table_name, partition) = (table.name.clone(), name.clone());
                if table.partition(name).is_none() {
                    conflicts.push(Conflict::UnknownPartition { table: table_name, partition });
                } else if !chosen.insert(name.as_str()) {
                    conflicts.push(Conflict::DuplicatePartition { table: table_name, partition });
                }
            }
            table.partitions.retain(|entry| chosen.contains(entry.name.as_str()) != excludes);
            if table.partitions.is_empty() {
                continue;
            }
        }
        selected.push(table);
    }
    if selected.is_empty() && conflicts.is_empty() {
        conflicts.push(Conflict::EmptyDatabase(database.to_owned()));
    }
    Conflicts::check(conflicts)?;
    Ok(selected)
}

/// One selected table with what the catalog says about its partitions at the revision of the cut.
#[derive(Debug, Clone)]
pub struct TableAtCut {
    /// The table, with just the partitions to take.
    pub record: TableRecord,
    /// Each of those partitions with its tablets in bucket order, in the table's order.
    pub partitions: Vec<(PartitionRecord, Vec<TabletRecord>)>,
}

/// A cut as tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutPlan {
    /// One task per table that keeps the table's description, then the pin tasks of each node.
    pub tasks: Vec<TaskRecord>,
    /// Tables, partitions, tablets.
    pub counts: JobCounts,
}

/// The cut: every partition at its visible version, every tablet from one of its replicas. All of `tables` must have
/// been read at one revision, which is what makes the snapshot consistent.
///
/// # Errors
/// Every tablet that no node of `nodes` has.
pub fn cut(
    job: JobId,
    attempt: u32,
    tables: Vec<TableAtCut>,
    nodes: &BTreeSet<NodeId>,
    sizes: TaskSizes,
) -> Result<CutPlan, Conflicts> {
    let mut conflicts = Vec::new();
    let mut counts = JobCounts::default();
    let mut tasks = Vec::new();
    let mut by_node: BTreeMap<NodeId, Vec<PartitionShare>> = BTreeMap::new();
    for (seq, table) in (0u32..).zip(tables) {
        counts.tables += 1;
        let mut plans = Vec::with_capacity(table.partitions.len());
        for (entry, (partition, tablets)) in table.record.partitions.iter().zip(&table.partitions) {
            counts.partitions += 1;
            counts.tablets += tablets.len() as u64;
            let version = partition.visible_version;
            plans.push(PartitionPlan { id: partition.id, source: partition.id.0, version, replaces: None, bytes: 0 });
            let mut here: BTreeMap<NodeId, Vec<(u32, TabletId)>> = BTreeMap::new();
            for tablet in tablets {
                // Always the first that is known: all attempts and all readers of the plan agree on it.
                match tablet.replicas.iter().find(|node| nodes.contains(node)) {
                    Some(node) => here.entry(*node).or_default().push((tablet.bucket, tablet.id)),
                    None => conflicts.push(Conflict::NoReplica {
                        table: table.record.name.clone(),
                        partition: entry.name.clone(),
                        tablet: tablet.id,
                        replicas: tablet.replicas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                    }),
                }
            }
            for (node, tablets) in here {
                by_node.entry(node).or_default().push(PartitionShare {
                    table: table.record.id.0,
                    source: partition.id.0,
                    name: entry.name.clone(),
                    partition: partition.id,
                    version,
                    tablets,
                });
            }
        }
        let plan = TablePlan {
            source: table.record.id.0,
            record: table.record,
            creates: false,
            partitions: plans,
            cleaned: Vec::new(),
            drops: false,
        };
        tasks.push(TaskRecord {
            job,
            kind: TaskKind::Table,
            node: NodeId(0),
            seq,
            attempt,
            status: TaskState::Done,
            retries: 0,
            error: None,
            progress: TaskProgress::default(),
            work: TaskWork::Table(Box::new(plan)),
        });
    }
    Conflicts::check(conflicts)?;
    let mut pins = Vec::new();
    for (node, shares) in by_node {
        split(&mut pins, TaskHead { job, kind: TaskKind::Pin, node, attempt }, shares, 0, sizes);
    }
    tasks.extend(pins);
    Ok(CutPlan { tasks, counts })
}

/// The column BackupObjs: what of which table is taken; a table that is taken whole is told without its partitions.
pub fn objects_text(database: &str, selected: &[TableRecord], objects: &Objects) -> String {
    let listed: BTreeSet<&str> =
        named(objects).iter().filter(|spec| spec.partitions.is_some()).map(|spec| spec.table.as_str()).collect();
    super::bounded_list(selected.iter().map(|table| {
        if listed.contains(table.name.as_str()) {
            let names: Vec<&str> = table.partitions.iter().map(|entry| entry.name.as_str()).collect();
            format!("[{database}.{} PARTITIONS ({})]", table.name, names.join(", "))
        } else {
            format!("[{database}.{}]", table.name)
        }
    }))
}
