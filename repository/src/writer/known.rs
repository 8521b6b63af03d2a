//! What earlier snapshots have of the tablets that a partition's writer is given.
//!
//! Earlier copies of the partition are read beside the calls, from the newest on, as far as the calls have come: both
//! are in the order of buckets, so a page or two of each copy are in memory. A writer that is called in another order
//! finds less and sends more.

use super::{Context, FileIn, TabletEntryIn};
use crate::base::{COPIES_MAX, PartitionBases, sound};
use crate::error::Result;
use crate::manifest::FileEntry;
use crate::page::{self, PageKind, PageRef};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Pages of one copy that are read ahead.
const PAGES_AHEAD: usize = 2;

/// A tablet's line as it is read and written: a [`TabletEntry`](crate::TabletEntry) whose description stays text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) tablet: u64,
    pub(super) bucket: u32,
    pub(super) version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lineage: Option<String>,
    pub(super) meta: Box<RawValue>,
    pub(super) files: Vec<FileEntry>,
}

/// By what a file is recognised, beside length and checksum. A bare name says something in its tablet only; an id of its
/// own is good in the whole cluster, so that a restored table still has its files.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'a> {
    Name(u64, &'a str),
    Id(&'a str),
}

impl<'a> Identity<'a> {
    fn of(tablet: u64, name: &'a str, id: &'a str) -> Self {
        if id == name { Self::Name(tablet, name) } else { Self::Id(id) }
    }
}

/// What of a tablet tells whether an earlier snapshot has it.
pub(super) struct Sought<'a> {
    tablet: u64,
    bucket: u32,
    version: u64,
    lineage: Option<&'a str>,
    files: Vec<SoughtFile<'a>>,
}

struct SoughtFile<'a> {
    name: &'a str,
    id: &'a str,
    len_bytes: u64,
    crc32: u32,
}

impl<'a> Sought<'a> {
    pub(super) fn new(tablet: &'a TabletEntryIn) -> Self {
        let file = |file: &'a FileIn| SoughtFile {
            name: &file.name,
            id: &file.id,
            len_bytes: file.len_bytes,
            crc32: file.crc32,
        };
        let TabletEntryIn { tablet, bucket, version, lineage, files, .. } = tablet;
        let (lineage, files) = (lineage.as_deref(), files.iter().map(file).collect());
        Self { tablet: *tablet, bucket: *bucket, version: *version, lineage, files }
    }
}

/// What is known of a tablet.
#[derive(Debug)]
pub(super) enum Known {
    /// All: an earlier copy has the same rows.
    Whole(Box<Line>),
    /// Some files, by their places in the tablet.
    Files(BTreeMap<usize, FileEntry>),
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Earlier {
    bases: Option<PartitionBases>,
    copies: Vec<Copy>,
}

/// One earlier copy of the partition, being read.
struct Copy {
    pages: BoxStream<'static, (PageRef, Result<Bytes>)>,
    /// The rest of a page.
    lines: Box<dyn Iterator<Item = Result<(u64, Line)>> + Send>,
    /// What was read and is not behind yet.
    ahead: BTreeMap<u32, Vec<Line>>,
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

impl Earlier {
    pub(super) fn new(bases: Option<PartitionBases>) -> Self {
        Self { bases, copies: Vec::new() }
    }

    /// Looks for a tablet.
    pub(super) async fn find(&mut self, context: &Context, tablet: Sought<'_>) -> Result<Known> {
        for number in 0..COPIES_MAX {
            let Some(copy) = self.copy(context, number).await? else { break };
            let lines = copy.bucket(context, tablet.bucket).await?;
            let same_rows = |line: &&Line| tablet.lineage.is_some() && line.lineage.as_deref() == tablet.lineage;
            if let Some(line) = lines.iter().find(same_rows) {
                return Ok(Known::Whole(Box::new(Line {
                    tablet: tablet.tablet,
                    bucket: tablet.bucket,
                    version: tablet.version,
                    ..line.clone()
                })));
            }
            let found = files(&tablet, lines);
            if !found.is_empty() || tablet.files.is_empty() {
                return Ok(Known::Files(found));
            }
        }
        Ok(Known::Files(BTreeMap::new()))
    }

    async fn copy(&mut self, context: &Context, number: usize) -> Result<Option<&mut Copy>> {
        if number >= self.copies.len() {
            let Some(bases) = &self.bases else { return Ok(None) };
            let Some(partition) = bases.nth(&context.objects, number).await? else { return Ok(None) };
            self.copies.push(Copy::new(context, partition.pages));
        }
        Ok(self.copies.get_mut(number))
    }
}

impl Copy {
    fn new(context: &Context, pages: Vec<PageRef>) -> Self {
        let objects = context.objects.clone();
        let read = move |page: PageRef| {
            let objects = objects.clone();
            async move {
                let bytes = objects.page(&page, PageKind::Tablets).await;
                (page, bytes)
            }
        };
        let pages = futures::stream::iter(pages).map(read).buffered(PAGES_AHEAD).boxed();
        Self { pages, lines: Box::new(std::iter::empty()), ahead: BTreeMap::new() }
    }

    /// The lines of a bucket. What is before it is forgotten.
    async fn bucket(&mut self, context: &Context, bucket: u32) -> Result<&[Line]> {
        self.ahead = self.ahead.split_off(&bucket);
        while !self.ahead.contains_key(&bucket) {
            let Some(line) = self.next(context).await? else { break };
            if line.bucket >= bucket {
                self.ahead.entry(line.bucket).or_default().push(line);
            }
        }
        Ok(self.ahead.get(&bucket).map_or(&[], Vec::as_slice))
    }

    async fn next(&mut self, context: &Context) -> Result<Option<Line>> {
        loop {
            match self.lines.next().map(sound).transpose()? {
                Some(Some((_, line))) => return Ok(Some(line)),
                // Behind damage there is nothing to be trusted.
                Some(None) => self.lines = Box::new(std::iter::empty()),
                None => {
                    let Some((page, bytes)) = self.pages.next().await else { return Ok(None) };
                    let Some(bytes) = sound(bytes)? else { continue };
                    let Some(lines) = sound(page::lines(&page, PageKind::Tablets, &bytes))? else { continue };
                    // It was seen whole, so it may stand in the new snapshot.
                    context.session.may_share([&page]);
                    self.lines = Box::new(lines);
                }
            }
        }
    }
}

/// The files of a tablet that lines of its bucket have. A name alone proves nothing.
fn files(tablet: &Sought<'_>, lines: &[Line]) -> BTreeMap<usize, FileEntry> {
    let known = lines.iter().flat_map(|line| line.files.iter().map(|file| (line.tablet, file)));
    let known: BTreeMap<Identity<'_>, &FileEntry> =
        known.map(|(tablet, file)| (Identity::of(tablet, &file.name, file.identity()), file)).collect();
    let find = |file: &SoughtFile<'_>| {
        let known = known.get(&Identity::of(tablet.tablet, file.name, file.id))?;
        let same = known.len_bytes == file.len_bytes && known.crc32 == file.crc32;
        let id = (file.id != file.name).then(|| file.id.to_owned());
        same.then(|| FileEntry { name: file.name.to_owned(), id, ..(*known).clone() })
    };
    tablet.files.iter().enumerate().filter_map(|(place, file)| Some((place, find(file)?))).collect()
}
