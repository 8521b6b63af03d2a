//! What changed between two snapshots: by table, partition and tablet.
//!
//! Pages are compared by their hashes, so what is equal is not read: the cost follows what changed. Memory: the
//! tablets of the changed pages of one partition, some 200 bytes each.

use crate::error::Result;
use crate::manifest::{FileEntry, PartitionManifest, SnapshotRoot, TableRef, TabletEntry};
use crate::reader::SnapshotReader;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// So many tablets are listed by number; more are counted.
const LISTED_MAX: usize = 10_000;

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the later snapshot has it.
    Added,
    /// Only the earlier one has it.
    Removed,
    /// Both have it, with differences.
    Changed,
}

impl Change {
    fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

/// How much something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// How many tablets.
    pub tablets: u64,
    /// How many files.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
}

/// Files that only one of the two has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Files {
    /// Files that only the later snapshot has.
    pub added: u64,
    /// Their bytes.
    pub added_bytes: u64,
    /// Files that only the earlier one has.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
}

impl Files {
    fn add(&mut self, other: Self) {
        self.added += other.added;
        self.added_bytes = self.added_bytes.saturating_add(other.added_bytes);
        self.removed += other.removed;
        self.removed_bytes = self.removed_bytes.saturating_add(other.removed_bytes);
    }
}

/// One of the two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its label.
    pub label: String,
    /// Its timestamp.
    pub timestamp: String,
    /// Its database.
    pub database: String,
    /// How many tables it has.
    pub tables: u64,
    /// What they hold.
    pub counts: Counts,
}

/// A tablet that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabletDiff {
    /// Its number: in the later snapshot, unless only the earlier one has it.
    pub tablet: u64,
    /// Its bucket.
    pub bucket: u32,
    /// What became of it.
    pub change: Change,
    /// Its version in the earlier snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_before: Option<u64>,
    /// Its version in the later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_after: Option<u64>,
    /// Its files.
    pub files: Files,
}

/// A partition that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionDiff {
    /// Its name; the later one.
    pub name: String,
    /// Its name in the earlier snapshot, when that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_before: Option<String>,
    /// What became of it.
    pub change: Change,
    /// Its version in the earlier snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_before: Option<u64>,
    /// Its version in the later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_after: Option<u64>,
    /// Whether bounds or number of buckets differ.
    pub shape_changed: bool,
    /// What it held.
    pub before: Counts,
    /// What it holds.
    pub after: Counts,
    /// Its files. Of an added or removed partition, all of them.
    pub files: Files,
    /// Its tablets that differ, by bucket; of an added or removed partition none are listed.
    pub tablets: Vec<TabletDiff>,
    /// How many more of them there are.
    pub tablets_more: u64,
    /// How many of its tablets are the same.
    pub tablets_equal: u64,
}

/// A table that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDiff {
    /// Its name; the later one.
    pub name: String,
    /// Its name in the earlier snapshot, when that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_before: Option<String>,
    /// What became of it.
    pub change: Change,
    /// Whether its definition differs: columns, keys, properties, its list of partitions.
    pub schema_changed: bool,
    /// What it held.
    pub before: Counts,
    /// What it holds.
    pub after: Counts,
    /// Its files. Of an added or removed table, all of them.
    pub files: Files,
    /// Its partitions that differ; of an added or removed table none are listed.
    pub partitions: Vec<PartitionDiff>,
    /// How many of its partitions are the same.
    pub partitions_equal: u64,
}

/// What changed from one snapshot to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The earlier snapshot.
    pub before: Side,
    /// The later one.
    pub after: Side,
    /// The tables that differ, by name.
    pub tables: Vec<TableDiff>,
    /// How many tables are the same.
    pub tables_equal: u64,
    /// Files of all tables.
    pub files: Files,
}

/// Compares two snapshots, of one repository or of two. Tables, partitions and tablets are matched by number where the
/// cluster is the same, and else by name (tablets: by bucket).
///
/// # Errors
/// `Corrupt` for a missing or damaged page; what the store says.
pub async fn diff(before: &SnapshotReader, after: &SnapshotReader) -> Result<Diff> {
    let (old, new) = (before.root(), after.root());
    let mut compare = Compare { before, after, same_cluster: old.cluster == new.cluster, left: LISTED_MAX };
    let mut tables = Vec::new();
    let mut tables_equal = 0;
    for pair in compare.pairs(&old.tables, &new.tables, |table| table.id, |table| &table.name) {
        match compare.table(pair).await? {
            Some(differs) => tables.push(differs),
            None => tables_equal += 1,
        }
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let mut files = Files::default();
    for table in &tables {
        files.add(table.files);
    }
    Ok(Diff { before: side(old), after: side(new), tables, tables_equal, files })
}

/// The same thing in two snapshots, as far as each has it.
type Pair<'a, T> = (Option<&'a T>, Option<&'a T>);

struct Compare<'a> {
    before: &'a SnapshotReader,
    after: &'a SnapshotReader,
    same_cluster: bool,
    /// So many tablets may be listed yet.
    left: usize,
}

impl Compare<'_> {
    /// Matches what is on both sides: by number, then by name. The later side's order, then what only the earlier has.
    fn pairs<'b, T, N: Ord + ?Sized + 'b>(
        &self,
        before: &'b [T],
        after: &'b [T],
        number: impl Fn(&T) -> u64,
        name: impl Fn(&'b T) -> &'b N,
    ) -> Vec<Pair<'b, T>> {
        let by_number: BTreeMap<u64, usize> =
            before.iter().enumerate().filter(|_| self.same_cluster).map(|(at, one)| (number(one), at)).collect();
        let by_name: BTreeMap<&N, usize> = before.iter().enumerate().map(|(at, one)| (name(one), at)).collect();
        let mut taken = BTreeSet::new();
        let mut partners: Vec<Option<usize>> = Vec::new();
        for one in after {
            partners.push(by_number.get(&number(one)).copied().filter(|at| taken.insert(*at)));
        }
        for (one, partner) in after.iter().zip(&mut partners) {
            if partner.is_none() {
                *partner = by_name.get(name(one)).copied().filter(|at| taken.insert(*at));
            }
        }
        let both = after.iter().zip(partners).map(|(one, partner)| (partner.and_then(|at| before.get(at)), Some(one)));
        let gone = before.iter().enumerate().filter(|(at, _)| !taken.contains(at)).map(|(_, one)| (Some(one), None));
        both.chain(gone).collect()
    }

    /// None when nothing differs.
    async fn table(&mut self, (old, new): Pair<'_, TableRef>) -> Result<Option<TableDiff>> {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) if old.page.hash == new.page.hash && old.name == new.name => return Ok(None),
            (Some(old), Some(new)) => (old, new),
            (old, new) => return Ok(table_alone(old, new)),
        };
        let (was, is) = (self.before.table(old).await?, self.after.table(new).await?);
        let mut differs = TableDiff {
            name: new.name.clone(),
            name_before: Some(old.name.clone()).filter(|name| *name != new.name),
            change: Change::Changed,
            schema_changed: was.schema != is.schema,
            before: counts(old),
            after: counts(new),
            files: Files::default(),
            partitions: Vec::new(),
            partitions_equal: 0,
        };
        for pair in self.pairs(&was.partitions, &is.partitions, |partition| partition.id, |partition| &partition.name) {
            match self.partition(pair).await? {
                Some(partition) => {
                    differs.files.add(partition.files);
                    differs.partitions.push(partition);
                }
                None => differs.partitions_equal += 1,
            }
        }
        let same = !differs.schema_changed && differs.name_before.is_none() && differs.partitions.is_empty();
        Ok(if same { None } else { Some(differs) })
    }

    async fn partition(&mut self, (old, new): Pair<'_, PartitionManifest>) -> Result<Option<PartitionDiff>> {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) => (old, new),
            (old, new) => return Ok(partition_alone(old, new)),
        };
        let mut differs = PartitionDiff {
            name: new.name.clone(),
            name_before: Some(old.name.clone()).filter(|name| *name != new.name),
            change: Change::Changed,
            version_before: Some(old.version),
            version_after: Some(new.version),
            shape_changed: old.bounds != new.bounds || old.buckets != new.buckets,
            before: partition_counts(old),
            after: partition_counts(new),
            files: Files::default(),
            tablets: Vec::new(),
            tablets_more: 0,
            tablets_equal: 0,
        };
        let unlike = self.tablets(&mut differs, old, new).await?;
        differs.tablets_equal = new.tablets.saturating_sub(unlike);
        let same = differs.tablets.is_empty()
            && differs.tablets_more == 0
            && !differs.shape_changed
            && differs.name_before.is_none()
            && differs.version_before == differs.version_after;
        Ok(if same { None } else { Some(differs) })
    }

    /// Compares the tablets of the pages that only one side has; gives how many of the later side are not the same.
    async fn tablets(
        &mut self,
        differs: &mut PartitionDiff,
        old: &PartitionManifest,
        new: &PartitionManifest,
    ) -> Result<u64> {
        let only = |of: &PartitionManifest, other: &PartitionManifest| {
            let known: BTreeSet<&str> = other.pages.iter().map(|page| page.hash.as_str()).collect();
            let pages = of.pages.iter().filter(|page| !known.contains(page.hash.as_str())).cloned().collect();
            PartitionManifest { pages, ..of.clone() }
        };
        let read = |reader: &SnapshotReader, of: PartitionManifest| {
            reader.tablets(&of).map_ok(|entry| Slim::of(&entry)).try_collect::<Vec<Slim>>()
        };
        let was = read(self.before, only(old, new)).await?;
        let is = read(self.after, only(new, old)).await?;
        let (mut rows, mut unlike) = (Vec::new(), 0);
        for pair in self.pairs(&was, &is, |slim| slim.tablet, |slim| &slim.bucket) {
            let (old, new) = pair;
            let Some(row) = tablet(old, new) else { continue };
            unlike += u64::from(new.is_some());
            differs.files.add(row.files);
            rows.push(row);
        }
        rows.sort_by_key(|row| (row.bucket, row.tablet));
        let listed = rows.len().min(self.left);
        self.left -= listed;
        differs.tablets_more = (rows.len() - listed) as u64;
        rows.truncate(listed);
        differs.tablets = rows;
        Ok(unlike)
    }
}

/// A tablet without what is not compared.
struct Slim {
    tablet: u64,
    bucket: u32,
    version: u64,
    /// Length of each file, by what tells it from others.
    files: BTreeMap<(String, u32), u64>,
}

impl Slim {
    fn of(entry: &TabletEntry) -> Self {
        let file = |file: &FileEntry| ((file.identity().to_owned(), file.crc32), file.len_bytes);
        Self {
            tablet: entry.tablet,
            bucket: entry.bucket,
            version: entry.version,
            files: entry.files.iter().map(file).collect(),
        }
    }
}

/// None when nothing differs. A restored tablet has another number and is the same all the same.
fn tablet(old: Option<&Slim>, new: Option<&Slim>) -> Option<TabletDiff> {
    let one = new.or(old)?;
    let of = |side: Option<&Slim>, other: Option<&Slim>| {
        let files = side.into_iter().flat_map(|side| &side.files);
        let only = files.filter(|(key, len)| other.and_then(|other| other.files.get(*key)) != Some(*len));
        only.fold((0, 0), |(count, bytes): (u64, u64), (_, len)| (count + 1, bytes.saturating_add(*len)))
    };
    let ((added, added_bytes), (removed, removed_bytes)) = (of(new, old), of(old, new));
    let files = Files { added, added_bytes, removed, removed_bytes };
    let version = |side: Option<&Slim>| side.map(|side| side.version);
    let bucket = |side: Option<&Slim>| side.map(|side| side.bucket);
    let change = match (old, new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ if files == Files::default() && version(old) == version(new) && bucket(old) == bucket(new) => return None,
        _ => Change::Changed,
    };
    let (version_before, version_after) = (version(old), version(new));
    Some(TabletDiff { tablet: one.tablet, bucket: one.bucket, change, version_before, version_after, files })
}

fn side(root: &SnapshotRoot) -> Side {
    let sum = |of: fn(&TableRef) -> u64| root.tables.iter().map(of).fold(0, u64::saturating_add);
    Side {
        label: root.label.clone(),
        timestamp: root.timestamp.clone(),
        database: root.database.clone(),
        tables: root.tables.len() as u64,
        counts: Counts {
            tablets: sum(|table| table.tablets),
            files: sum(|table| table.files),
            bytes: sum(|table| table.bytes),
        },
    }
}

fn counts(table: &TableRef) -> Counts {
    Counts { tablets: table.tablets, files: table.files, bytes: table.bytes }
}

fn partition_counts(partition: &PartitionManifest) -> Counts {
    Counts { tablets: partition.tablets, files: partition.files, bytes: partition.bytes }
}

/// All files of what only one side has.
fn all_files(before: Counts, after: Counts) -> Files {
    Files { added: after.files, added_bytes: after.bytes, removed: before.files, removed_bytes: before.bytes }
}

fn table_alone(old: Option<&TableRef>, new: Option<&TableRef>) -> Option<TableDiff> {
    let one = new.or(old)?;
    let (before, after) = (old.map(counts).unwrap_or_default(), new.map(counts).unwrap_or_default());
    Some(TableDiff {
        name: one.name.clone(),
        name_before: None,
        change: if new.is_some() { Change::Added } else { Change::Removed },
        schema_changed: false,
        before,
        after,
        files: all_files(before, after),
        partitions: Vec::new(),
        partitions_equal: 0,
    })
}

fn partition_alone(old: Option<&PartitionManifest>, new: Option<&PartitionManifest>) -> Option<PartitionDiff> {
    let one = new.or(old)?;
    let before = old.map(partition_counts).unwrap_or_default();
    let after = new.map(partition_counts).unwrap_or_default();
    Some(PartitionDiff {
        name: one.name.clone(),
        name_before: None,
        change: if new.is_some() { Change::Added } else { Change::Removed },
        version_before: old.map(|old| old.version),
        version_after: new.map(|new| new.version),
        shape_changed: false,
        before,
        after,
        files: all_files(before, after),
        tablets: Vec::new(),
        tablets_more: 0,
        tablets_equal: 0,
    })
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, added_bytes, removed, removed_bytes } = self;
        write!(f, "{added} files of {added_bytes} bytes added, {removed} of {removed_bytes} removed")
    }
}

/// The head of a line: sign, kind, name and the name before.
fn head(f: &mut fmt::Formatter<'_>, change: Change, kind: &str, name: &str, before: Option<&str>) -> fmt::Result {
    write!(f, "{} {kind} {name}", change.sign())?;
    before.map_or(Ok(()), |before| write!(f, " (was {before})"))
}

fn versions(f: &mut fmt::Formatter<'_>, before: Option<u64>, after: Option<u64>) -> fmt::Result {
    match (before, after) {
        (Some(before), Some(after)) if before != after => write!(f, ", version {before} -> {after}"),
        (_, Some(version)) | (Some(version), None) => write!(f, ", version {version}"),
        (None, None) => Ok(()),
    }
}

impl fmt::Display for TabletDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tablet {} (bucket {})", self.change.sign(), self.tablet, self.bucket)?;
        versions(f, self.version_before, self.version_after)?;
        write!(f, ": {}", self.files)
    }
}

impl fmt::Display for PartitionDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, self.change, "partition", &self.name, self.name_before.as_deref())?;
        versions(f, self.version_before, self.version_after)?;
        if self.shape_changed {
            f.write_str(", other bounds or buckets")?;
        }
        write!(f, ": {}", self.files)?;
        self.tablets.iter().try_for_each(|tablet| write!(f, "\n    {tablet}"))?;
        if self.tablets_more > 0 {
            write!(f, "\n    and {} tablets more", self.tablets_more)?;
        }
        if self.change == Change::Changed {
            write!(f, "\n    {} tablets are the same", self.tablets_equal)?;
        }
        Ok(())
    }
}

impl fmt::Display for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, self.change, "table", &self.name, self.name_before.as_deref())?;
        if self.schema_changed {
            f.write_str(", another definition")?;
        }
        write!(f, ": {}", self.files)?;
        self.partitions.iter().try_for_each(|partition| write!(f, "\n  {partition}"))?;
        if self.change == Change::Changed {
            write!(f, "\n  {} partitions are the same", self.partitions_equal)?;
        }
        Ok(())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { tablets, files, bytes } = self.counts;
        write!(f, "{} of {}, database {}: ", self.label, self.timestamp, self.database)?;
        write!(f, "{} tables, {tablets} tablets, {files} files, {bytes} bytes", self.tables)
    }
}

impl fmt::Display for Diff {
    /// For people: a line for each thing that differs, `+` added, `-` removed, `~` changed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "from {}", self.before)?;
        writeln!(f, "to   {}", self.after)?;
        self.tables.iter().try_for_each(|table| writeln!(f, "{table}"))?;
        write!(f, "{} tables are the same; {}", self.tables_equal, self.files)
    }
}
