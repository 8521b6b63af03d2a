//! RESTORE: what is created, what is overwritten, and everything that is in the way.
//!
//! The rules: an existing target must have the same key model, columns, partitioning and distribution; a partition
//! in both is overwritten as a whole if it holds the same rows; one only in the snapshot is added if it shares no
//! rows with one here; partitions and tables only here are kept. Names of tables and partitions are compared with
//! their case, those of columns without. Defaults, comments and properties are not compared.

use super::conflict::{Conflict, Conflicts};
use crate::request::{excludes_named, includes_unnamed, named};
use crate::schema;
use catalog::records::job::{Clean, JobCounts, Objects};
use catalog::records::task::{PartitionPlan, TablePlan};
use catalog::records::{
    BoundsRecord, ColumnRecord, Distribution, KeyModelRecord, PartitionEntry, Partitioning, TableRecord, TableState,
};
use env::ids::{DatabaseId, PartitionId, TableId, TabletId, Version};
use std::collections::{BTreeMap, BTreeSet};
use tablet::Bounds;

/// A table as the snapshot describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotTable {
    /// Its id in the snapshot.
    pub id: u64,
    /// Its description there.
    pub record: TableRecord,
    /// Version, files and bytes by partition id.
    pub partitions: BTreeMap<PartitionId, SnapshotPartition>,
}

/// What a snapshot says about a partition besides its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPartition {
    /// Its version in the cut.
    pub version: Version,
    /// Its files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// A table of the target database.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalTable {
    /// As it is.
    pub record: TableRecord,
}

/// One partition that a restore makes.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftPartition {
    /// Its entry, with the id still that of the snapshot.
    pub entry: PartitionEntry,
    /// Its version.
    pub version: Version,
    /// The local partition that it takes the place of.
    pub replaces: Option<PartitionId>,
    /// Files that it brings, one replica.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// One table that a restore makes or changes.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftTable {
    /// The table's id in the snapshot.
    pub source: u64,
    /// The name here.
    pub name: String,
    /// The local table; `None` when it is made.
    pub existing: Option<TableId>,
    /// The description to go by: the local table's, or the snapshot's for a new one. Without partitions.
    pub record: TableRecord,
    /// What is made.
    pub partitions: Vec<DraftPartition>,
    /// Partitions of the local table that go because the snapshot does not have them.
    pub cleaned: Vec<PartitionId>,
}

/// What a restore will do, before ids are taken for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The tables, in the snapshot's order.
    pub tables: Vec<DraftTable>,
    /// Local tables that go because the snapshot does not have them.
    pub drops: Vec<TableRecord>,
    /// Replicas of each tablet.
    pub replication_num: u32,
    /// How much there is to do.
    pub counts: JobCounts,
}

/// The snapshot's tables that a RESTORE is about, with the name that each gets here, in the snapshot's order. `names`
/// are all tables of the snapshot.
///
/// # Errors
/// Every name that is not in the snapshot, and every clash of names.
pub fn select(label: &str, names: &[&str], objects: &Objects) -> Result<Vec<(usize, String)>, Conflicts> {
    let mut conflicts = Vec::new();
    let listed: BTreeSet<&str> = named(objects).iter().map(|spec| spec.table.as_str()).collect();
    let excludes = excludes_named(objects);
    let mut aliases: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    // Those that stay away as a whole.
    let away =
        |name: &str| excludes && named(objects).iter().any(|spec| spec.table == name && spec.partitions.is_none());
    for spec in named(objects) {
        if !names.contains(&spec.table.as_str()) {
            conflicts.push(Conflict::NotInSnapshot { table: spec.table.clone(), label: label.to_owned() });
        }
        if aliases.insert(&spec.table, spec.alias.as_deref()).is_some() {
            conflicts.push(Conflict::DuplicateTable(spec.table.clone()));
        }
        if let Some(alias) = &spec.alias {
            if listed.contains(alias.as_str()) {
                conflicts.push(Conflict::DuplicateAlias(alias.clone()));
            }
            if let Err(wrong) = catalog::names::table(alias) {
                conflicts.push(Conflict::WrongName(wrong.to_string()));
            }
        }
    }
    let mut taken = BTreeSet::new();
    let mut selected = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let target = match aliases.get(name) {
            Some(_) if away(name) => continue,
            Some(alias) => alias.unwrap_or(name),
            None if includes_unnamed(objects) => name,
            None => continue,
        };
        if !taken.insert(target) {
            conflicts.push(Conflict::DuplicateAlias(target.to_owned()));
        }
        selected.push((position, target.to_owned()));
    }
    if selected.is_empty() && conflicts.is_empty() {
        conflicts.push(Conflict::EmptySnapshot(label.to_owned()));
    }
    Conflicts::check(dedup(conflicts))?;
    Ok(selected)
}

fn dedup(conflicts: Vec<Conflict>) -> Vec<Conflict> {
    let mut seen = BTreeSet::new();
    conflicts.into_iter().filter(|conflict| seen.insert(conflict.clone())).collect()
}

/// What a RESTORE will do. `tables` are those that [`select`] chose, each with the name it gets here; `local` are all
/// tables of the target database by name, none when it does not exist.
///
/// # Errors
/// Everything that is in the way, at once.
pub fn restore(
    label: &str,
    objects: &Objects,
    tables: &[(SnapshotTable, String)],
    local: &BTreeMap<String, LocalTable>,
    replication_num: u32,
    nodes: usize,
    clean: Clean,
) -> Result<Draft, Conflicts> {
    let mut conflicts = Vec::new();
    let drops = if clean.tables { not_in_snapshot(objects, tables, local, &mut conflicts) } else { Vec::new() };
    let mut drafts = Vec::with_capacity(tables.len());
    let mut counts = JobCounts::default();
    if usize::try_from(replication_num).unwrap_or(usize::MAX) > nodes {
        conflicts.push(Conflict::TooFewNodes { wanted: replication_num, have: nodes });
    }
    for (table, name) in tables {
        if let Err(failed) = schema::tablet_schema(&table.record) {
            let reason = failed.to_string();
            conflicts.push(Conflict::NotUnderstood { table: table.record.name.clone(), reason });
            continue;
        }
        let wanted = partitions_wanted(label, objects, table, &mut conflicts);
        let here = local.get(name).map(|local| &local.record);
        let comparable = here.is_none_or(|here| compare(here, &table.record, &mut conflicts));
        let cleaned = match here {
            Some(here) if clean.partitions && comparable => only_here(here, &table.record),
            Some(_) | None => Vec::new(),
        };
        let mut partitions = Vec::with_capacity(wanted.len());
        for entry in wanted {
            let Some(known) = table.partitions.get(&entry.id) else {
                let reason = format!("partition {} has no pages", entry.name);
                conflicts.push(Conflict::NotUnderstood { table: table.record.name.clone(), reason });
                continue;
            };
            counts.partitions += 1;
            counts.tablets += u64::from(entry.buckets);
            counts.files += known.files;
            counts.bytes += known.bytes;
            let found = match here {
                Some(here) if comparable => fit(here, &table.record, entry, &cleaned, &mut conflicts),
                Some(_) | None => None,
            };
            let entry = match found {
                // Name and bounds are those of the local partition, which may be spelled in another way.
                Some(found) => PartitionEntry { id: entry.id, buckets: entry.buckets, ..found.clone() },
                None => PartitionEntry { name: partition_name(table, entry, name), ..entry.clone() },
            };
            let replaces = found.map(|found| found.id);
            let SnapshotPartition { version, files, bytes } = *known;
            partitions.push(DraftPartition { entry, version, replaces, files, bytes });
        }
        counts.tables += 1;
        drafts.push(DraftTable {
            source: table.id,
            name: name.clone(),
            existing: here.map(|here| here.id),
            record: description(here, &table.record, name, replication_num),
            partitions,
            cleaned,
        });
    }
    Conflicts::check(conflicts)?;
    Ok(Draft { tables: drafts, drops, replication_num, counts })
}

/// Local tables that the snapshot does not have.
fn not_in_snapshot(
    objects: &Objects,
    tables: &[(SnapshotTable, String)],
    local: &BTreeMap<String, LocalTable>,
    conflicts: &mut Vec<Conflict>,
) -> Vec<TableRecord> {
    if *objects != Objects::All {
        conflicts.push(Conflict::CleanTablesOfPart);
        return Vec::new();
    }
    let restored: BTreeSet<&str> = tables.iter().map(|(_, name)| name.as_str()).collect();
    let drops = local.values().map(|table| &table.record).filter(|table| !restored.contains(table.name.as_str()));
    drops.inspect(|table| check_normal(table, conflicts)).cloned().collect()
}

/// Partitions of a local table that the snapshot's does not have.
fn only_here(here: &TableRecord, there: &TableRecord) -> Vec<PartitionId> {
    if here.partitioning == Partitioning::None {
        return Vec::new();
    }
    let only = here.partitions.iter().filter(|entry| there.partition(&entry.name).is_none());
    only.map(|entry| entry.id).collect()
}

fn description(here: Option<&TableRecord>, there: &TableRecord, name: &str, replication_num: u32) -> TableRecord {
    let mut record = if let Some(here) = here {
        here.clone()
    } else {
        let mut made = TableRecord { name: name.to_owned(), state: TableState::Normal, ..there.clone() };
        made.properties.insert("replication_num".to_owned(), replication_num.to_string());
        made
    };
    record.partitions.clear();
    record
}

/// The partition of a table that has only one is named like the table, here as there.
fn partition_name(table: &SnapshotTable, entry: &PartitionEntry, name: &str) -> String {
    let only = table.record.partitioning == Partitioning::None && entry.name == table.record.name;
    if only { name.to_owned() } else { entry.name.clone() }
}

fn partitions_wanted<'a>(
    label: &str,
    objects: &Objects,
    table: &'a SnapshotTable,
    conflicts: &mut Vec<Conflict>,
) -> Vec<&'a PartitionEntry> {
    let spec = named(objects).iter().find(|spec| spec.table == table.record.name);
    let Some(names) = spec.and_then(|spec| spec.partitions.as_ref()) else {
        return table.record.partitions.iter().collect();
    };
    let excludes = excludes_named(objects);
    let mut chosen = BTreeSet::new();
    for name in names {
        let (table_name, partition) = (table.record.name.clone(), name.clone());
        if table.record.partition(name).is_none() {
            conflicts.push(Conflict::PartitionNotInSnapshot { table: table_name, partition, label: label.to_owned() });
        } else if !chosen.insert(name.as_str()) {
            conflicts.push(Conflict::DuplicatePartition { table: table_name, partition });
        }
    }
    table.record.partitions.iter().filter(|entry| chosen.contains(entry.name.as_str()) != excludes).collect()
}

fn check_normal(here: &TableRecord, conflicts: &mut Vec<Conflict>) {
    if let TableState::Restoring { job, label } = &here.state {
        let state = format!("RESTORE (job {job} with label {label})");
        conflicts.push(Conflict::NotNormal { table: here.name.clone(), state });
    }
}

/// Whether the structure of both tables is the same; tells every difference. The answer is whether their partitions can
/// be compared.
fn compare(here: &TableRecord, there: &TableRecord, conflicts: &mut Vec<Conflict>) -> bool {
    let table = || here.name.clone();
    check_normal(here, conflicts);
    if here.model != there.model {
        let (here, there) = (model_name(here.model), model_name(there.model));
        conflicts.push(Conflict::OtherKeyModel { table: table(), here, there });
    }
    if here.columns.len() != there.columns.len() {
        let (here, there) = (here.columns.len(), there.columns.len());
        conflicts.push(Conflict::OtherColumnCount { table: table(), here, there });
    }
    for (position, (a, b)) in (1..).zip(here.columns.iter().zip(&there.columns)) {
        if !same_column(a, b) {
            let (here, there) = (column_text(a), column_text(b));
            conflicts.push(Conflict::OtherColumn { table: table(), position, here, there });
        }
    }
    if !same_distribution(&here.distribution, &there.distribution) {
        let (here, there) = (distribution_text(&here.distribution), distribution_text(&there.distribution));
        conflicts.push(Conflict::OtherDistribution { table: table(), here, there });
    }
    let comparable = same_partitioning(&here.partitioning, &there.partitioning);
    if !comparable {
        let (here, there) = (partitioning_text(&here.partitioning), partitioning_text(&there.partitioning));
        conflicts.push(Conflict::OtherPartitioning { table: table(), here, there });
    }
    comparable && here.columns.len() == there.columns.len()
}

/// The local partition that `entry` overwrites, if any; tells when it may neither overwrite nor be added.
fn fit<'a>(
    here: &'a TableRecord,
    there: &TableRecord,
    entry: &PartitionEntry,
    cleaned: &[PartitionId],
    conflicts: &mut Vec<Conflict>,
) -> Option<&'a PartitionEntry> {
    if here.partitioning == Partitioning::None {
        // There is just one, and it is named like its table, which may be an alias.
        return here.partitions.first();
    }
    let bounds_there = match schema::bounds(there, entry) {
        Ok(bounds) => bounds,
        Err(failed) => {
            let reason = format!("bounds of partition {}: {failed}", entry.name);
            conflicts.push(Conflict::NotUnderstood { table: there.name.clone(), reason });
            return None;
        }
    };
    let known = |entry: &PartitionEntry| schema::bounds(here, entry).ok();
    if let Some(found) = here.partition(&entry.name) {
        if !known(found).is_some_and(|bounds| same_rows(&bounds, &bounds_there)) {
            conflicts.push(Conflict::OtherBounds {
                table: here.name.clone(),
                partition: entry.name.clone(),
                here: bounds_text(&found.bounds),
                there: bounds_text(&entry.bounds),
            });
        }
        return Some(found);
    }
    for other in here.partitions.iter().filter(|other| !cleaned.contains(&other.id)) {
        if known(other).is_none_or(|bounds| bounds.overlaps(&bounds_there)) {
            conflicts.push(Conflict::Overlap {
                table: here.name.clone(),
                partition: entry.name.clone(),
                there: bounds_text(&entry.bounds),
                other: other.name.clone(),
                here: bounds_text(&other.bounds),
            });
        }
    }
    None
}

/// Whether both admit the same rows. The order of a list's values means nothing.
fn same_rows(a: &Bounds, b: &Bounds) -> bool {
    match (a, b) {
        (Bounds::List(a), Bounds::List(b)) => {
            a.iter().all(|value| b.contains(value)) && b.iter().all(|value| a.contains(value))
        }
        (Bounds::All | Bounds::Range { .. } | Bounds::List(_), _) => a == b,
    }
}

fn same_column(a: &ColumnRecord, b: &ColumnRecord) -> bool {
    let same_name = a.name.to_lowercase() == b.name.to_lowercase();
    same_name && a.data_type == b.data_type && a.key == b.key && a.nullable == b.nullable
}

fn column_text(column: &ColumnRecord) -> String {
    let key = if column.key { " KEY" } else { "" };
    let null = if column.nullable { " NULL" } else { " NOT NULL" };
    format!("{} {}{key}{null}", column.name, column.data_type)
}

fn model_name(model: KeyModelRecord) -> &'static str {
    match model {
        KeyModelRecord::Duplicate => "DUPLICATE KEY",
        KeyModelRecord::Primary => "PRIMARY KEY",
    }
}

fn same_names(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_lowercase() == b.to_lowercase())
}

fn same_distribution(a: &Distribution, b: &Distribution) -> bool {
    match (a, b) {
        (Distribution::Hash { columns: a }, Distribution::Hash { columns: b }) => same_names(a, b),
        (Distribution::Random, Distribution::Random) => true,
        (Distribution::Hash { .. } | Distribution::Random, _) => false,
    }
}

fn distribution_text(distribution: &Distribution) -> String {
    match distribution {
        Distribution::Hash { columns } => format!("HASH({})", columns.join(", ")),
        Distribution::Random => "RANDOM".to_owned(),
    }
}

fn same_partitioning(a: &Partitioning, b: &Partitioning) -> bool {
    match (a, b) {
        (Partitioning::None, Partitioning::None) => true,
        (Partitioning::Range { columns: a }, Partitioning::Range { columns: b })
        | (Partitioning::List { columns: a }, Partitioning::List { columns: b }) => same_names(a, b),
        (Partitioning::None | Partitioning::Range { .. } | Partitioning::List { .. }, _) => false,
    }
}

fn partitioning_text(partitioning: &Partitioning) -> String {
    match partitioning {
        Partitioning::None => "not partitioned".to_owned(),
        Partitioning::Range { columns } => format!("RANGE({})", columns.join(", ")),
        Partitioning::List { columns } => format!("LIST({})", columns.join(", ")),
    }
}

fn bounds_text(bounds: &BoundsRecord) -> String {
    let tuple = |values: &Vec<String>| format!("({})", values.join(", "));
    match bounds {
        BoundsRecord::All => "all rows".to_owned(),
        BoundsRecord::Range { lower, upper } => {
            let lower = lower.as_ref().map_or_else(|| "MINVALUE".to_owned(), tuple);
            let upper = upper.as_ref().map_or_else(|| "MAXVALUE".to_owned(), tuple);
            format!("[{lower}, {upper})")
        }
        BoundsRecord::List { values } => {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
            let values: Vec<String> = values
                .iter()
                .map(|tuple| format!("({})", tuple.iter().map(value).collect::<Vec<_>>().join(", ")))
                .collect();
            format!("IN ({})", values.join(", "))
        }
    }
}

/// How many ids a draft needs: one per new table, one per partition, one per tablet.
pub fn ids_needed(draft: &Draft) -> u64 {
    let per_table = |table: &DraftTable| {
        let partitions: u64 = table.partitions.iter().map(|made| 1 + u64::from(made.entry.buckets)).sum();
        partitions + u64::from(table.existing.is_none())
    };
    draft.tables.iter().map(per_table).sum()
}

/// The draft with ids from `first` on, consecutive: a new table's, then for each partition its own and those of its
/// tablets, see [`tablet_id`].
pub fn assign(draft: Draft, database: DatabaseId, first: u64, now_ms: u64) -> Vec<TablePlan> {
    let mut next = first;
    let mut take = |count: u64| {
        let id = next;
        next = next.saturating_add(count);
        id
    };
    let mut plans = Vec::with_capacity(draft.tables.len());
    for table in draft.tables {
        let mut record = table.record;
        let creates = table.existing.is_none();
        if creates {
            record.id = TableId(take(1));
            record.database = database;
            record.created_ms = now_ms;
        }
        let mut partitions = Vec::with_capacity(table.partitions.len());
        for made in table.partitions {
            let id = PartitionId(take(1 + u64::from(made.entry.buckets)));
            let source = made.entry.id.0;
            let DraftPartition { entry, version, replaces, bytes, .. } = made;
            partitions.push(PartitionPlan { id, source, version, replaces, bytes });
            record.partitions.push(PartitionEntry { id, ..entry });
        }
        let DraftTable { source, cleaned, .. } = table;
        plans.push(TablePlan { record, creates, source, partitions, cleaned, drops: false });
    }
    for record in draft.drops {
        let (partitions, cleaned) = (Vec::new(), Vec::new());
        plans.push(TablePlan { record, creates: false, source: 0, partitions, cleaned, drops: true });
    }
    plans
}

/// The tablet of a bucket of a partition that a restore made: its ids follow the partition's.
pub fn tablet_id(partition: PartitionId, bucket: u32) -> TabletId {
    TabletId(partition.0.saturating_add(1).saturating_add(u64::from(bucket)))
}

/// The column RestoreObjs: which partitions of which table. A partition that is named like its table is not told.
pub fn objects_text(plans: &[TablePlan]) -> String {
    let written: Vec<&TablePlan> = plans.iter().filter(|plan| !plan.drops).collect();
    super::bounded_list(written.iter().map(|plan| {
        let names: Vec<&str> = plan.record.partitions.iter().map(|entry| entry.name.as_str()).collect();
        match names.as_slice() {
            [only] if *only == plan.record.name => plan.record.name.clone(),
            names => format!("{} PARTITIONS [{}]", plan.record.name, names.join(", ")),
        }
    }))
}
