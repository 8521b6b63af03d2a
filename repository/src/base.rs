//! What earlier snapshots have of a table: pages that a backup may refer to instead of sending. Read newest first, and
//! only as far as somebody asks.
//!
//! All of it was reachable when the session was opened, so it stays until the session ends. What is damaged is left out:
//! a backup then sends what it would have referred to.

use crate::error::{ErrorKind, Result};
use crate::manifest::{PartitionManifest, SnapshotRoot, SnapshotSummary, TableManifest};
use crate::objects::Objects;
use crate::page::{self, PageKind, PageRef};
use crate::session::Session;
use env::rt::sync::Mutex;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many earlier snapshots of a cluster are looked at.
pub(crate) const SNAPSHOTS_MAX: usize = 32;
/// Different states of one table that are remembered.
const TABLES_MAX: usize = 16;
/// Roots read at one time.
const READS: usize = 4;
/// Different copies of a partition that are remembered: the newest one, and older ones for tablets of which the newer
/// ones have nothing. After an old snapshot was restored, the newest one is of no use.
pub(crate) const COPIES_MAX: usize = 4;

/// A table that earlier copies are looked for of.
#[derive(Debug, Clone, Copy)]
pub struct TableSought<'a> {
    /// The cluster; files are reused only within one.
    pub cluster: &'a str,
    /// The table's number in it.
    pub id: u64,
    /// The name of its database.
    pub database: &'a str,
    /// Its name: a table that was restored has another number, and still the files.
    pub name: &'a str,
}

/// The tables of the newest snapshots of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Pages of tables, each once, newest first.
    pages: Vec<PageRef>,
    by_id: BTreeMap<u64, Vec<usize>>,
    by_name: BTreeMap<(String, String), Vec<usize>>,
}

impl Tables {
    /// Reads the roots of snapshots, given newest first.
    pub(crate) async fn read(objects: &Objects, snapshots: &[&SnapshotSummary]) -> Result<Self> {
        let roots = snapshots.iter().map(|summary| {
            let (objects, root) = (objects.clone(), summary.root.clone());
            async move { sound(document::<SnapshotRoot>(&objects, &root, PageKind::Snapshot).await) }
        });
        // Collected first: a stream of futures that borrow from its items cannot be part of a spawned task.
        let mut roots = futures::stream::iter(roots.collect::<Vec<_>>()).buffered(READS);
        let (mut tables, mut places) = (Self::default(), BTreeMap::new());
        while let Some(root) = roots.next().await {
            let Some(root) = root? else { continue };
            for table in root.tables {
                let place = *places.entry(table.page.hash.clone()).or_insert(tables.pages.len());
                if place == tables.pages.len() {
                    tables.pages.push(table.page);
                }
                let named = tables.by_name.entry((root.database.clone(), table.name)).or_default();
                for places in [tables.by_id.entry(table.id).or_default(), named] {
                    if places.len() < TABLES_MAX && !places.contains(&place) {
                        places.push(place);
                    }
                }
            }
        }
        Ok(tables)
    }

    /// The pages of a table, newest first.
    pub(crate) fn of(&self, table: &TableSought<'_>) -> Vec<PageRef> {
        let named = self.by_name.get(&(table.database.to_owned(), table.name.to_owned()));
        let places: BTreeSet<usize> = self.by_id.get(&table.id).into_iter().chain(named).flatten().copied().collect();
        places.into_iter().filter_map(|place| self.pages.get(place).cloned()).collect()
    }
}

/// Reads a page that is one JSON document.
async fn document<T: serde::de::DeserializeOwned>(objects: &Objects, page: &PageRef, kind: PageKind) -> Result<T> {
    page::decode(page, kind, &objects.page(page, kind).await?)
}

/// None for what is damaged.
pub(crate) fn sound<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(damaged) if damaged.kind() == ErrorKind::Corrupt => {
            tracing::warn!(
                error = &damaged as &dyn std::error::Error,
                "an earlier snapshot is damaged; what would have been referred to is sent again"
            );
            Ok(None)
        }
        Err(failed) => Err(failed),
    }
}

/// What earlier snapshots have of one table; clones share what has been read.
#[derive(Debug, Clone)]
pub struct TableBases {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    session: Session,
    pages: Vec<PageRef>,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    /// How many of the pages have been read.
    pages: usize,
    /// Partitions in all their different states, newest first.
    partitions: Vec<PartitionManifest>,
    by_id: BTreeMap<u64, Vec<usize>>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Read {
    /// The places of a partition's copies, newest first.
    fn places(&self, id: u64, name: &str) -> BTreeSet<usize> {
        self.by_id.get(&id).into_iter().chain(self.by_name.get(name)).flatten().copied().collect()
    }

    fn add(&mut self, partition: PartitionManifest) {
        let places = self.places(partition.id, &partition.name);
        let mut known = places.iter().filter_map(|place| self.partitions.get(*place));
        if places.len() >= COPIES_MAX || known.any(|known| known.pages == partition.pages) {
            return;
        }
        let place = self.partitions.len();
        self.by_id.entry(partition.id).or_default().push(place);
        self.by_name.entry(partition.name.clone()).or_default().push(place);
        self.partitions.push(partition);
    }
}

impl TableBases {
    pub(crate) fn new(session: Session, pages: Vec<PageRef>) -> Self {
        Self { shared: Arc::new(Shared { session, pages, read: Mutex::default() }) }
    }

    /// A partition of the table, by its number or, when the table was restored since, by its name.
    pub fn partition(&self, id: u64, name: &str) -> PartitionBases {
        PartitionBases { table: self.clone(), id, name: name.to_owned() }
    }

    /// The newest copy of the table; none when there is no sound one.
    pub(crate) async fn newest(&self, objects: &Objects) -> Result<Option<TableManifest>> {
        let Some(page) = self.shared.pages.first() else { return Ok(None) };
        let manifest = sound(document(objects, page, PageKind::Table).await)?;
        if manifest.is_some() {
            self.shared.session.may_share([page]);
        }
        Ok(manifest)
    }

    async fn nth(&self, objects: &Objects, id: u64, name: &str, number: usize) -> Result<Option<PartitionManifest>> {
        let shared = &self.shared;
        let mut read = shared.read.lock().await;
        loop {
            let found = read.places(id, name).into_iter().nth(number).and_then(|place| read.partitions.get(place));
            if let Some(found) = found {
                return Ok(Some(found.clone()));
            }
            let Some(page) = shared.pages.get(read.pages) else { return Ok(None) };
            let manifest: Option<TableManifest> = sound(document(objects, page, PageKind::Table).await)?;
            read.pages += 1;
            for partition in manifest.into_iter().flat_map(|manifest| manifest.partitions) {
                read.add(partition);
            }
        }
    }
}

/// What earlier snapshots have of one partition.
#[derive(Debug, Clone)]
pub struct PartitionBases {
    table: TableBases,
    id: u64,
    name: String,
}

impl PartitionBases {
    /// The copies of the partition from the newest (0) on, each another one; none when there are no more.
    pub(crate) async fn nth(&self, objects: &Objects, number: usize) -> Result<Option<PartitionManifest>> {
        self.table.nth(objects, self.id, &self.name, number).await
    }
}
