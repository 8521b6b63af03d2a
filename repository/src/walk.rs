//! Finds everything that snapshots refer to. Driver.
//!
//! Pages are shared between snapshots, so they are gone through level by level, each page read once whatever the number
//! of snapshots that have it: roots, tables, pages of tablets. What is known of a page before it is read (its *mark*:
//! which snapshots have it) goes down to what it refers to.
//!
//! Memory: some 80 bytes for each page of the level that is being read and of the one below, a few pages' bytes, and
//! what the [`Tally`] keeps.

use crate::error::{Error, Result};
use crate::index;
use crate::log::Head;
use crate::manifest::SnapshotSummary;
use crate::names::{Generation, ObjectName, Owner};
use crate::objects::Objects;
use crate::options::Progress;
use crate::page::{self, PageKind, PageRef};
use crate::repository::Repository;
use env::rt::blocking;
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Pages read at one time.
const READS: usize = 8;
/// An alarm about a missing page may be false so many times because others drop and sweep meanwhile.
const MOVED_MAX: u32 = 8;

/// Hears of every object that is referred to.
pub(crate) trait Tally: Send {
    /// What is known of an object.
    type Mark: Copy + Send;
    /// Of pages of the snapshot index.
    fn index(&self) -> Self::Mark;
    /// Of what only an open session keeps.
    fn pinned(&self) -> Self::Mark;
    /// Of what this snapshot refers to. Snapshots come in the order in which they were begun.
    fn snapshot(&mut self, row: &SnapshotSummary) -> Self::Mark;
    /// Of what both refer to.
    fn join(&mut self, one: Self::Mark, other: Self::Mark) -> Self::Mark;
    /// A page, once; or an object of payload, at least once.
    fn object(&mut self, name: &str, mark: Self::Mark);
}

/// Pages of one kind, each with its mark; names are kept in parts.
#[derive(Debug)]
struct Level<M> {
    kind: PageKind,
    owners: Vec<Owner>,
    numbers: BTreeMap<Owner, u32>,
    pages: BTreeMap<(u32, [u8; 32]), Waiting<M>>,
}

#[derive(Debug)]
struct Waiting<M> {
    len_bytes: u32,
    format: u32,
    mark: M,
}

impl<M: Copy> Level<M> {
    fn new(kind: PageKind) -> Self {
        Self { kind, owners: Vec::new(), numbers: BTreeMap::new(), pages: BTreeMap::new() }
    }

    fn add<T: Tally<Mark = M>>(&mut self, page: &PageRef, mark: M, tally: &mut T) -> Result<()> {
        page.check(self.kind)?;
        let odd =
            || Error::corrupt(&page.name, 0, format!("the page's hash, {}, as its last name", page.hash), "other");
        let ObjectName::Page(owner) = ObjectName::parse(&page.name) else { return Err(odd()) };
        let hash = blake3::Hash::from_hex(&page.hash).map_err(|_bad| odd())?;
        if owner.page(hash.to_hex().as_str()) != page.name {
            return Err(odd());
        }
        let len_bytes = u32::try_from(page.len_bytes).map_err(|_long| odd())?;
        let next = u32::try_from(self.owners.len()).map_err(|_many| Error::Internal("too many owners".to_owned()))?;
        let owners = &mut self.owners;
        let number = *self.numbers.entry(owner).or_insert_with_key(|owner| {
            owners.push(owner.clone());
            next
        });
        let waiting = Waiting { len_bytes, format: page.format, mark };
        self.pages
            .entry((number, *hash.as_bytes()))
            .and_modify(|known| known.mark = tally.join(known.mark, mark))
            .or_insert(waiting);
        Ok(())
    }

    /// The pages, and their marks.
    fn into_pages(self) -> impl Iterator<Item = (PageRef, M)> {
        let Self { kind, owners, pages, .. } = self;
        pages.into_iter().filter_map(move |((number, hash), Waiting { len_bytes, format, mark })| {
            let hash = blake3::Hash::from_bytes(hash).to_hex().to_string();
            let owner = owners.get(usize::try_from(number).ok()?)?;
            Some((PageRef { name: owner.page(&hash), len_bytes: u64::from(len_bytes), hash, kind, format }, mark))
        })
    }
}

/// Of a root page: what it refers to.
#[derive(Deserialize)]
struct Root {
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    page: PageRef,
}

/// Of a table's page: what it refers to.
#[derive(Deserialize)]
struct Partitions {
    partitions: Vec<Partition>,
}

#[derive(Deserialize)]
struct Partition {
    pages: Vec<PageRef>,
}

/// Of a tablet's line: what it refers to.
#[derive(Deserialize)]
struct Tablet {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    object: String,
}

/// What a page refers to.
enum Below {
    Pages(Vec<PageRef>),
    Objects(BTreeSet<String>),
}

async fn below(objects: &Objects, page: &PageRef) -> Result<Below> {
    let (kind, bytes) = (page.kind, objects.page(page, page.kind).await?);
    let page = page.clone();
    // Some milliseconds for a page of 1 MiB.
    blocking(move || {
        Ok(match kind {
            PageKind::Snapshot => {
                let root: Root = page::decode(&page, kind, &bytes)?;
                Below::Pages(root.tables.into_iter().map(|table| table.page).collect())
            }
            PageKind::Table => {
                let table: Partitions = page::decode(&page, kind, &bytes)?;
                Below::Pages(table.partitions.into_iter().flat_map(|partition| partition.pages).collect())
            }
            PageKind::Tablets => {
                let tablets: Vec<(u64, Tablet)> = page::decode_lines(&page, kind, &bytes)?;
                let files = tablets.into_iter().flat_map(|(_, tablet)| tablet.files);
                Below::Objects(files.map(|file| file.object).collect())
            }
            PageKind::IndexLeaf | PageKind::IndexInner => {
                return Err(Error::Internal("the index is not a part of a snapshot".to_owned()));
            }
        })
    })
    .await
}

impl Repository {
    /// Tells the tally of everything reachable at `head`, and at the opening generations of the sessions open there.
    /// `progress` hears the bytes of the pages read.
    pub(crate) async fn walk<T: Tally>(&self, head: &Head, tally: &mut T, progress: &Progress) -> Result<()> {
        let mut roots = Level::new(PageKind::Snapshot);
        let mut seen = BTreeSet::new();
        let mut rows = index::scan(&self.objects, head.record.index.as_ref(), &mut seen).await?;
        // Neighbours share most, so marks stay simple.
        rows.sort_by_cached_key(|row| (row.session.since(), row.created_ms, row.label.clone()));
        for name in &seen {
            tally.object(name, tally.index());
        }
        for row in &rows {
            let mark = tally.snapshot(row);
            roots.add(&row.root, mark, tally)?;
        }
        drop(rows);
        let pins: BTreeSet<Reverse<Generation>> =
            head.record.sessions.iter().map(|session| Reverse(session.generation)).collect();
        for Reverse(generation) in pins {
            let pinned = self.log.expect(generation).await?;
            let before = seen.clone();
            let rows = index::scan(&self.objects, pinned.record.index.as_ref(), &mut seen).await?;
            for name in seen.difference(&before) {
                tally.object(name, tally.pinned());
            }
            for row in &rows {
                roots.add(&row.root, tally.pinned(), tally)?;
            }
        }
        let pages = self.level(roots, PageKind::Table, tally, progress).await?;
        let pages = self.level(pages, PageKind::Tablets, tally, progress).await?;
        // What is below pages of tablets are objects.
        self.level(pages, PageKind::Tablets, tally, progress).await.map(drop)
    }

    async fn level<T: Tally>(
        &self,
        level: Level<T::Mark>,
        kind_below: PageKind,
        tally: &mut T,
        progress: &Progress,
    ) -> Result<Level<T::Mark>> {
        let mut next = Level::new(kind_below);
        // Owned by the futures: a stream of futures that borrow from its items cannot be part of a spawned task.
        let read = level.into_pages().map(|(page, mark)| {
            let objects = self.objects.clone();
            async move { Ok::<_, Error>((below(&objects, &page).await?, page, mark)) }
        });
        let mut read = futures::stream::iter(read).buffered(READS);
        while let Some((below, page, mark)) = read.try_next().await? {
            progress(page.len_bytes);
            tally.object(&page.name, mark);
            match below {
                Below::Pages(pages) => pages.iter().try_for_each(|page| next.add(page, mark, tally))?,
                Below::Objects(names) => names.iter().for_each(|name| tally.object(name, mark)),
            }
        }
        Ok(next)
    }

    /// Looks at the repository as it is at its newest generation. Something that is missing there is looked for again
    /// when there is a newer one: others may have dropped and swept it meanwhile.
    pub(crate) async fn at_head<T, F, L>(&self, mut look: F) -> Result<T>
    where
        F: FnMut(Head) -> L,
        L: Future<Output = Result<T>>,
    {
        let mut head = self.log.head().await?;
        let mut moved = 0;
        loop {
            let failed = match look(head.clone()).await {
                Err(failed @ Error::Corrupt(_)) if moved < MOVED_MAX => failed,
                done => return done,
            };
            let newer = self.log.head().await?;
            if newer.generation() == head.generation() {
                return Err(failed);
            }
            tracing::debug!(error = &failed as &dyn std::error::Error, "looking again at a newer generation");
            head = newer;
            moved += 1;
        }
    }
}
