//! Goes through the pages of snapshots, each different page once, and has their data looked at. Driver.
//!
//! Memory: a batch of roots and their tables' references, a few pages of tablets, and `in_flight` ranges of data; what
//! [`Case`], [`Stock`] and [`Ranges`] hold beside that says their own text.

use super::case::{Case, Found, Hit, NodeId, SnapshotId, Sums, digest};
use super::ranges::{Chunk, Ranges, Read};
use super::report::FindingKind;
use super::source::{Look, Source, of_content};
use super::stock::{Of, Standing, Stock};
use crate::error::Result;
use crate::manifest::{
    FileEntry, PartitionManifest, SnapshotRoot, SnapshotSummary, TableManifest, TableRef, TabletEntry,
};
use crate::names::{DATA, ObjectName};
use crate::page::{self, PageKind, PageRef};
use env::rt::blocking;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Snapshots whose roots are held at one time.
const ROOTS: usize = 16;
/// Small pages read at one time.
const READS: usize = 8;
/// Pages of tablets read ahead.
const PAGES_AHEAD: usize = 3;

/// What was read of an object, and what of it is wrong.
type Checked = Result<(Read, std::result::Result<Vec<(Chunk, u32)>, Box<Found>>)>;

/// A range of an object that is wrong, to be traced to everything that refers to it.
type Bad = (u64, u64, super::case::FindingId);

/// See the module's text.
pub(super) struct Walk<'a> {
    pub(super) source: &'a Source,
    pub(super) case: &'a mut Case,
    pub(super) stock: Option<Stock>,
    pub(super) ranges: Option<Ranges>,
    /// Whether the stock lists the objects of an owner when it first meets one.
    pub(super) lists_owners: bool,
    pub(super) in_flight: usize,
    /// Whether every page could be read.
    pub(super) whole: bool,
    /// What tables say of themselves, to be held against what each root says of them.
    tables: BTreeMap<NodeId, Facts>,
    running: FuturesUnordered<BoxFuture<'a, Checked>>,
    bad: BTreeMap<u128, Vec<Bad>>,
}

/// What a table is, in numbers.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    table: String,
    counts: (u64, u64, u64, u64),
}

/// A root's table: of which root, and whether nobody has looked at the table before.
struct Wanted {
    root: NodeId,
    node: NodeId,
    new: bool,
    table: TableRef,
}

/// A partition whose pages are being read.
struct Expected {
    table: NodeId,
    object: String,
    partition: PartitionManifest,
    pages: Vec<NodeId>,
}

/// The value of a page that is one JSON document.
async fn document<T: DeserializeOwned>(source: &Source, page: &PageRef, kind: PageKind) -> Look<T> {
    let bytes = match source.page(page, kind).await? {
        Ok(bytes) => bytes,
        Err(found) => return Ok(Err(found)),
    };
    match page::decode(page, kind, &bytes) {
        Ok(value) => Ok(Ok(value)),
        Err(failed) => of_content(failed, FindingKind::BadPage, &page.name).map(Err),
    }
}

/// The lines of a page of tablets, each with its offset.
async fn lines(source: &Source, page: &PageRef) -> Look<Vec<(u64, TabletEntry)>> {
    let bytes = match source.page(page, PageKind::Tablets).await? {
        Ok(bytes) => bytes,
        Err(found) => return Ok(Err(found)),
    };
    let page = page.clone();
    // Some milliseconds for a page of 1 MiB.
    blocking(move || match page::decode_lines(&page, PageKind::Tablets, &bytes) {
        Ok(lines) => Ok(Ok(lines)),
        Err(failed) => of_content(failed, FindingKind::BadPage, &page.name).map(Err),
    })
    .await
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: &'a Source, case: &'a mut Case, in_flight: usize) -> Self {
        Self {
            source,
            case,
            stock: None,
            ranges: None,
            lists_owners: false,
            in_flight,
            whole: true,
            tables: BTreeMap::new(),
            running: FuturesUnordered::new(),
            bad: BTreeMap::new(),
        }
    }

    /// Everything that these snapshots refer to. They come in the order of labels.
    pub(super) async fn snapshots(&mut self, snapshots: &[(SnapshotId, SnapshotSummary)]) -> Result<()> {
        for batch in snapshots.chunks(ROOTS) {
            let tables = self.read_roots(batch).await?;
            let (pages, expected) = self.read_tables(&tables).await?;
            self.read_tablets(pages).await?;
            for table in &tables {
                self.check_table(table);
            }
            for partition in &expected {
                self.check_partition(partition);
            }
        }
        while self.take_one().await? {}
        if !self.bad.is_empty() {
            self.trace(snapshots).await?;
        }
        Ok(())
    }

    fn refer(&mut self, page: &PageRef) {
        if let Some(stock) = &mut self.stock {
            stock.page(&page.name);
        }
    }

    fn unread(&mut self, found: Found, page: NodeId) {
        self.case.found(found, Hit::Page(page));
        self.whole = false;
    }

    /// Gives the tables of these snapshots, without those of roots that were there before.
    async fn read_roots(&mut self, batch: &[(SnapshotId, SnapshotSummary)]) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        for (id, summary) in batch {
            self.refer(&summary.root);
            let (node, new) = self.case.root(*id, &summary.root);
            wanted.push((*id, summary, node, new));
        }
        let source = self.source;
        // Owned by the futures: a stream of futures that borrow from its items cannot be part of a spawned task.
        let roots: Vec<PageRef> = wanted.iter().map(|(_, summary, ..)| summary.root.clone()).collect();
        let read = roots
            .into_iter()
            .map(|page| async move { document::<SnapshotRoot>(source, &page, PageKind::Snapshot).await });
        let mut read = stream::iter(read).buffered(READS);
        let mut tables = Vec::new();
        for (id, summary, node, new) in wanted {
            let Some(root) = read.next().await else { break };
            match root? {
                Err(found) if new => self.unread(*found, node),
                Err(_) => {}
                Ok(root) => {
                    self.check_root(id, summary, &root);
                    for table in root.tables.into_iter().take(if new { usize::MAX } else { 0 }) {
                        self.refer(&table.page);
                        let (table_node, new) = self.case.table(node, &table.name, &table.page);
                        tables.push(Wanted { root: node, node: table_node, new, table });
                    }
                }
            }
        }
        Ok(tables)
    }

    /// Whether a snapshot's root is the one that the summary speaks of.
    fn check_root(&mut self, id: SnapshotId, summary: &SnapshotSummary, root: &SnapshotRoot) {
        let text = |a: &str, b: &str, c: &str, d: &str, ms: u64| {
            format!("snapshot {a:?} of {b}, database {c:?}, cluster {d:?}, submitted at {ms} ms")
        };
        let said = text(&summary.label, &summary.timestamp, &summary.database, &summary.cluster, summary.created_ms);
        let there = text(&root.label, &root.timestamp, &root.database, &root.cluster, root.created_ms);
        let object = &summary.root.name;
        if said != there {
            self.case.found(Found::new(FindingKind::BadEntry, object, 0, said, there), Hit::Snapshot(id));
        }
        let sum = |of: fn(&TableRef) -> u64| root.tables.iter().map(of).fold(0, u64::saturating_add);
        let said = (summary.tables, summary.tablets, summary.files, summary.bytes);
        let there =
            (root.tables.len() as u64, sum(|table| table.tablets), sum(|table| table.files), sum(|table| table.bytes));
        self.compare(object, "tables", said, there, Hit::Snapshot(id));
    }

    /// Notes it when what was said and what is there differ.
    fn compare(&mut self, object: &str, what: &str, said: (u64, u64, u64, u64), there: (u64, u64, u64, u64), hit: Hit) {
        if said != there {
            let text =
                |of: (u64, u64, u64, u64)| format!("{} {what}, {} tablets, {} files, {} bytes", of.0, of.1, of.2, of.3);
            self.case.found(Found::new(FindingKind::CountMismatch, object, 0, text(said), text(there)), hit);
        }
    }

    /// Gives the pages of tablets that nobody has looked at, and what they must add up to.
    async fn read_tables(&mut self, tables: &[Wanted]) -> Result<(Vec<(NodeId, PageRef)>, Vec<Expected>)> {
        let source = self.source;
        let new: Vec<(NodeId, PageRef)> =
            tables.iter().filter(|wanted| wanted.new).map(|wanted| (wanted.node, wanted.table.page.clone())).collect();
        let read = new.into_iter().map(|(node, page)| async move {
            let read = document::<TableManifest>(source, &page, PageKind::Table).await;
            (node, page, read)
        });
        let mut read = stream::iter(read).buffered(READS);
        let (mut pages, mut expected) = (Vec::new(), Vec::new());
        while let Some((node, page, manifest)) = read.next().await {
            let manifest = match manifest? {
                Ok(manifest) => manifest,
                Err(found) => {
                    self.unread(*found, node);
                    continue;
                }
            };
            self.tables.insert(node, facts(&manifest));
            for mut partition in manifest.partitions {
                let mut ids = Vec::new();
                for page in std::mem::take(&mut partition.pages) {
                    self.refer(&page);
                    let (id, new) = self.case.child(node, &page);
                    ids.push(id);
                    if new {
                        pages.push((id, page));
                    }
                }
                expected.push(Expected { table: node, object: page.name.clone(), partition, pages: ids });
            }
        }
        Ok((pages, expected))
    }

    /// Whether a table is what a root says of it.
    fn check_table(&mut self, wanted: &Wanted) {
        let Some(there) = self.tables.get(&wanted.node) else { return };
        let table = &wanted.table;
        let said = format!("table {} {:?}", table.id, table.name);
        let counts = there.counts;
        if said != there.table {
            let found = Found::new(FindingKind::BadEntry, &table.page.name, 0, said, there.table.clone());
            self.case.found(found, Hit::Page(wanted.root));
        }
        let said = (table.partitions, table.tablets, table.files, table.bytes);
        self.compare(&table.page.name, "partitions", said, counts, Hit::Page(wanted.root));
    }

    /// Whether a partition's tablets add up to what the table says.
    fn check_partition(&mut self, expected: &Expected) {
        let Some(sums) = self.case.sums(&expected.pages) else { return };
        let partition = &expected.partition;
        let what = format!("partition {:?} of", partition.name);
        let said = (1, partition.tablets, partition.files, partition.bytes);
        let there = (1, sums.tablets, sums.files, sums.bytes);
        self.compare(&expected.object, &what, said, there, Hit::Page(expected.table));
        if sums.buckets > u64::from(partition.buckets) {
            let said = format!("partition {:?} with {} buckets", partition.name, partition.buckets);
            let found = format!("a tablet of bucket {}", sums.buckets - 1);
            let found = Found::new(FindingKind::BadEntry, &expected.object, 0, said, found);
            self.case.found(found, Hit::Page(expected.table));
        }
    }

    async fn read_tablets(&mut self, pages: Vec<(NodeId, PageRef)>) -> Result<()> {
        let source = self.source;
        let read = pages.into_iter().map(|(node, page)| async move {
            let read = lines(source, &page).await;
            (node, page, read)
        });
        let mut read = stream::iter(read).buffered(PAGES_AHEAD);
        while let Some((node, page, entries)) = read.next().await {
            match entries? {
                Err(found) => self.unread(*found, node),
                Ok(entries) => self.check_tablets(node, &page, &entries).await?,
            }
        }
        Ok(())
    }

    async fn check_tablets(&mut self, node: NodeId, page: &PageRef, entries: &[(u64, TabletEntry)]) -> Result<()> {
        let mut sums = Sums::default();
        let mut sound: Vec<Of<'_>> = Vec::new();
        for (offset, entry) in entries {
            sums.tablets += 1;
            sums.buckets = sums.buckets.max(u64::from(entry.bucket) + 1);
            let mut names = BTreeSet::new();
            for file in &entry.files {
                sums.files += 1;
                sums.bytes = sums.bytes.saturating_add(file.len_bytes);
                let of = Of { file, tablet: entry.tablet, page: node };
                let bad = match file.check() {
                    Err(failed) => Some(*of_content(failed, FindingKind::BadEntry, &page.name)?),
                    Ok(()) if !names.insert(&file.name) => {
                        let expected = format!("one file {:?} of tablet {}", file.name, entry.tablet);
                        Some(Found::new(FindingKind::BadEntry, &page.name, *offset, expected, "another one"))
                    }
                    Ok(()) => None,
                };
                match bad {
                    None => sound.push(of),
                    Some(bad) => {
                        let found = Found { object: page.name.clone(), offset: *offset, file: Some(of.name()), ..bad };
                        self.case.found(found, Hit::Page(node));
                    }
                }
            }
        }
        self.case.set_sums(node, sums);
        self.check_lengths(&mut sound).await?;
        let Some(ranges) = &mut self.ranges else { return Ok(()) };
        let mut wanted: Vec<(Arc<str>, Chunk)> = Vec::new();
        for of in &sound {
            let object: Arc<str> = of.file.object.as_str().into();
            let chunks = ranges.file(of.file, || of.name());
            wanted.extend(chunks.into_iter().map(|chunk| (Arc::clone(&object), chunk)));
        }
        for read in ranges.reads(node, wanted) {
            while self.running.len() >= self.in_flight {
                self.take_one().await?;
            }
            self.running.push(check(self.source, read).boxed());
        }
        Ok(())
    }

    /// Drops the files from the list whose objects are not there or too short; all stay when nobody looks at objects.
    async fn check_lengths(&mut self, files: &mut Vec<Of<'_>>) -> Result<()> {
        let Some(stock) = &mut self.stock else { return Ok(()) };
        if self.lists_owners {
            for of in files.iter() {
                if let ObjectName::Data(owner) = ObjectName::parse(&of.file.object)
                    && stock.wants(&owner)
                {
                    // What a listing lacks is asked for one by one below, also when there is no listing at all.
                    let prefix = format!("{DATA}/{owner}");
                    let _listed = self.source.list(&prefix, |listed| stock.list(&listed)).await?;
                }
            }
        }
        let unknown: BTreeSet<&String> =
            files.iter().filter(|of| stock.refer(of.file) == Standing::Ask).map(|of| &of.file.object).collect();
        let source = self.source;
        // As with the roots.
        let unknown: Vec<String> = unknown.into_iter().cloned().collect();
        let asked = unknown.into_iter().map(|object| async move {
            let answer = source.len(&object).await;
            (object, answer)
        });
        let mut asked = stream::iter(asked).buffer_unordered(self.in_flight);
        let mut answers = BTreeMap::new();
        while let Some((object, answer)) = asked.next().await {
            answers.insert(object, answer?);
        }
        let case = &mut *self.case;
        files.retain(|of| {
            let mut standing = stock.refer(of.file);
            if standing == Standing::Ask
                && let Some(answer) = answers.get(of.file.object.as_str())
            {
                stock.asked(case, *of, answer.clone());
                standing = stock.refer(of.file);
            } else if standing == Standing::Lacking {
                stock.lacking(case, *of);
            }
            standing == Standing::There
        });
        Ok(())
    }

    /// Waits for one read; whether there was one.
    async fn take_one(&mut self) -> Result<bool> {
        let Some(checked) = self.running.next().await else { return Ok(false) };
        let (read, checked) = checked?;
        let hit = Hit::Page(read.page);
        let key = digest(&[read.object.as_bytes()]);
        match checked {
            Err(found) => {
                let id = self.case.found(*found, hit);
                self.bad.entry(key).or_default().push((read.start, read.end, id));
            }
            Ok(wrong) => {
                for (chunk, crc32) in wrong {
                    let expected = format!("crc32 {:08x} of {} bytes", chunk.crc32, chunk.len_bytes);
                    let found = format!("crc32 {crc32:08x}");
                    let kind = FindingKind::BadChecksum;
                    let mut found = Found::new(kind, &*read.object, chunk.offset, expected, found);
                    found.file = Some(chunk.file.to_string());
                    let id = self.case.found(found, hit);
                    let end = chunk.offset + chunk.len_bytes;
                    self.bad.entry(key).or_default().push((chunk.offset, end, id));
                }
            }
        }
        Ok(true)
    }

    /// Damaged data is noticed by the first page that speaks of it; this finds the others. Costs each page once more,
    /// and only when there is damage.
    async fn trace(&mut self, snapshots: &[(SnapshotId, SnapshotSummary)]) -> Result<()> {
        let mut seen = BTreeSet::new();
        for (_, summary) in snapshots {
            if !self.case.known(&summary.root).is_some_and(|root| seen.insert(root)) {
                continue;
            }
            let Ok(root) = document::<SnapshotRoot>(self.source, &summary.root, PageKind::Snapshot).await? else {
                continue;
            };
            for table in &root.tables {
                let known = self.case.known(&table.page);
                if !known.is_some_and(|table| seen.insert(table)) {
                    continue;
                }
                let Ok(manifest) = document::<TableManifest>(self.source, &table.page, PageKind::Table).await? else {
                    continue;
                };
                for page in manifest.partitions.iter().flat_map(|partition| &partition.pages) {
                    let Some(node) = self.case.known(page).filter(|node| seen.insert(*node)) else { continue };
                    if !self.case.is_read(node) {
                        continue;
                    }
                    let Ok(entries) = lines(self.source, page).await? else { continue };
                    for file in entries.iter().flat_map(|(_, entry)| &entry.files) {
                        self.trace_file(node, file);
                    }
                }
            }
        }
        Ok(())
    }

    fn trace_file(&mut self, node: NodeId, file: &FileEntry) {
        let Some(bad) = self.bad.get(&digest(&[file.object.as_bytes()])) else { return };
        let end = file.offset.saturating_add(file.len_bytes);
        for (from, to, id) in bad {
            if file.offset < *to && *from < end {
                self.case.hit(*id, Hit::Page(node));
            }
        }
    }
}

fn facts(manifest: &TableManifest) -> Facts {
    let sum = |of: fn(&PartitionManifest) -> u64| manifest.partitions.iter().map(of).fold(0, u64::saturating_add);
    Facts {
        table: format!("table {} {:?}", manifest.id, manifest.name),
        counts: (
            manifest.partitions.len() as u64,
            sum(|partition| partition.tablets),
            sum(|partition| partition.files),
            sum(|partition| partition.bytes),
        ),
    }
}

/// Reads a range and takes its checksums; gives those that differ.
async fn check(source: &Source, read: Read) -> Checked {
    let bytes = match source.range(&read.object, read.start..read.end).await? {
        Ok(bytes) => bytes,
        Err(found) => return Ok((read, Err(found))),
    };
    blocking(move || {
        let mut wrong = Vec::new();
        for chunk in &read.chunks {
            let at = |offset: u64| usize::try_from(offset.saturating_sub(read.start)).unwrap_or(usize::MAX);
            let found = bytes.get(at(chunk.offset)..at(chunk.offset + chunk.len_bytes)).map(crc32fast::hash);
            match found {
                Some(found) if found == chunk.crc32 => {}
                found => wrong.push((chunk.clone(), found.unwrap_or_default())),
            }
        }
        Ok((read, Ok(wrong)))
    })
    .await
}
