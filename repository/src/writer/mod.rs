//! One node's share of a backup: streams a partition's tablets into the repository and writes their manifest pages.
//!
//! A tablet that an earlier snapshot has with the same lineage is referred to as a whole, and nothing of it is opened
//! ([`known`]). Of other tablets each file goes one of three ways: an earlier snapshot has it (same id, length and
//! checksum), then it is referred to and neither read nor sent; it is small, then it shares an object with others
//! ([`pack`]); or it becomes an object of its own ([`send`]). Files are worked on side by side, results are taken in the order of the
//! calls, so equal input makes equal packs and pages, and what an interrupted session sent already is found again.
//!
//! Memory is bounded by parts in flight, a pack or three, and a few pages.

mod known;
mod pack;
mod preview;
mod send;

pub use preview::SendPreview;

use crate::base::PartitionBases;
use crate::error::{Error, Result};
use crate::limit::Limiter;
use crate::manifest::FileEntry;
use crate::names::is_file_name;
use crate::objects::GRACE;
use crate::options::{OpenFile, Progress, StreamOptions};
use crate::page::{Lines, PageKind, PageRef};
use crate::session::Session;
use env::rt::sync::Semaphore;
use env::rt::time::timeout;
use env::rt::{CancellationToken, JoinError, JoinSet};
use known::{Earlier, Known, Line, Sought};
use pack::{Pack, Packed, Small};
use send::{Context, Sent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::to_raw_value;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Bytes, and files, of small files that are read as one piece of work.
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_FILES: usize = 128;
/// Tablets that wait for their files, or for those of the ones before them.
const WAITING_MAX: usize = 8192;

/// A tablet to be written.
#[derive(Debug)]
pub struct TabletEntryIn {
    /// The tablet's number.
    pub tablet: u64,
    /// Which bucket of its partition (0-based).
    pub bucket: u32,
    /// Its version at the cut.
    pub version: u64,
    /// See [`TabletEntry::lineage`](crate::TabletEntry::lineage).
    pub lineage: Option<String>,
    /// What its store needs to open it, opaque to the repository.
    pub meta: Value,
    /// Its files.
    pub files: Vec<FileIn>,
}

/// A file to be written.
pub struct FileIn {
    /// Name, unique in the tablet: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Identity of its bytes in the cluster, for ever; or the name again, which then counts in this tablet alone.
    pub id: String,
    /// Length.
    pub len_bytes: u64,
    /// CRC-32 (IEEE) of all bytes, as the tablet's store knows it: what is read must match.
    pub crc32: u32,
    /// Opens it; called only when its bytes are needed.
    pub open: OpenFile,
}

/// What is known of a file before it is opened.
#[derive(Debug)]
struct Meta {
    name: String,
    /// None when it is the name, as in the entry.
    id: Option<String>,
    len_bytes: u64,
    crc32: u32,
}

impl FileIn {
    fn split(self) -> (Meta, OpenFile) {
        let id = identity(&self);
        let Self { name, len_bytes, crc32, open, .. } = self;
        (Meta { name, id, len_bytes, crc32 }, open)
    }
}

impl fmt::Debug for FileIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileIn").field("name", &self.name).field("len_bytes", &self.len_bytes).finish_non_exhaustive()
    }
}

/// What one writer wrote of one partition. All of it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPages {
    /// The table.
    pub table: u64,
    /// The partition.
    pub partition: u64,
    /// Pages of [`TabletEntry`](crate::TabletEntry) lines, in the order of the calls.
    pub pages: Vec<PageRef>,
    /// How many tablets.
    pub tablets: u64,
    /// How many files.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// Bytes of files that no earlier snapshot had.
    pub bytes_sent: u64,
}

/// Writes tablets; see the module's text. After an error, or when a call was dropped before it ended, the partition
/// has to be begun again. A call that returns an error has waited for what was under way; one that was dropped has not,
/// and may leave objects for the next sweep: stop it by its token.
#[derive(Debug)]
pub struct TabletWriter {
    context: Arc<Context>,
    partition: Option<Box<Partition>>,
}

/// A partition under way.
#[derive(Debug)]
struct Partition {
    /// Of this partition: its token stops what is under way for it, and no more.
    context: Arc<Context>,
    written: PartitionPages,
    earlier: Earlier,
    /// Tablets with files that are not placed yet, in order; the first has number `first`.
    waiting: VecDeque<Waiting>,
    first: u64,
    /// Work under way, numbered; results that wait for earlier ones.
    work: JoinSet<(u64, Result<Done>)>,
    done: BTreeMap<u64, Done>,
    issued: u64,
    taken: u64,
    batch: Vec<(Slot, FileIn)>,
    /// The first tablet that waits for a pack, if any does.
    packing_from: Option<u64>,
    pack: Pack,
    pack_puts: JoinSet<Result<()>>,
    lines: Lines,
    page_puts: JoinSet<(usize, Result<PageRef>)>,
    pages: Vec<Option<PageRef>>,
}

#[derive(Debug)]
struct Waiting {
    line: Line,
    files: Vec<Option<FileEntry>>,
    missing: usize,
}

/// Where a file's entry belongs.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tablet: u64,
    tablet_id: u64,
    file: usize,
}

#[derive(Debug)]
enum Done {
    Large(Slot, Box<Sent>),
    Small(Vec<(Slot, Small)>),
}

fn joined<T>(joined: Result<T, JoinError>) -> Result<T> {
    joined.map_err(|failed| Error::Internal(format!("a task of an upload failed: {failed}")))
}

impl TabletWriter {
    pub(crate) fn new(
        session: Session,
        options: StreamOptions,
        limiter: Limiter,
        progress: Progress,
        stop: CancellationToken,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(options.in_flight));
        let objects = session.repository().objects.within(&limiter, &stop);
        let context = Context { session, objects, options, limiter, progress, stop, permits };
        Self { context: Arc::new(context), partition: None }
    }

    /// Begins a partition's share. `bases`, from [`Session::bases`] of this very session, tells what earlier snapshots
    /// have.
    ///
    /// # Errors
    /// `Invalid` while another partition is open.
    pub fn begin_partition(&mut self, table: u64, partition: u64, bases: Option<PartitionBases>) -> Result<()> {
        if self.partition.is_some() {
            return Err(Error::Invalid("a partition is begun before the one before it has ended".to_owned()));
        }
        let written =
            PartitionPages { table, partition, pages: Vec::new(), tablets: 0, files: 0, bytes: 0, bytes_sent: 0 };
        let context = Arc::new(self.context.child());
        self.partition = Some(Box::new(Partition {
            context,
            written,
            earlier: Earlier::new(bases),
            waiting: VecDeque::new(),
            first: 0,
            work: JoinSet::new(),
            done: BTreeMap::new(),
            issued: 0,
            taken: 0,
            batch: Vec::new(),
            packing_from: None,
            pack: Pack::default(),
            pack_puts: JoinSet::new(),
            lines: Lines::new(PageKind::Tablets),
            page_puts: JoinSet::new(),
            pages: Vec::new(),
        }));
        Ok(())
    }

    /// Adds a tablet, best in the order of buckets: in another one less is found of what earlier snapshots have. Returns
    /// when its files are under way, not when they are there; waits when enough is under way.
    ///
    /// # Errors
    /// `Invalid` outside of a partition or for an impossible file name; the first error of any work under way:
    /// `Corrupt` when a file's bytes do not match its checksum, [`Error::Peer`] when it cannot be opened, `Cancelled`,
    /// `Full`, and what else the store says.
    pub async fn add(&mut self, tablet: TabletEntryIn) -> Result<()> {
        let mut partition = self.take()?;
        let context = Arc::clone(&partition.context);
        if let Err(failed) = partition.add(&context, tablet).await {
            partition.give_up().await;
            return Err(failed);
        }
        self.partition = Some(partition);
        Ok(())
    }

    /// Ends the partition: waits until all of it is durable.
    ///
    /// # Errors
    /// As [`TabletWriter::add`].
    pub async fn end_partition(&mut self) -> Result<PartitionPages> {
        let mut partition = self.take()?;
        let context = Arc::clone(&partition.context);
        let ended = partition.end(&context).await;
        if ended.is_err() {
            partition.give_up().await;
        }
        ended
    }

    fn take(&mut self) -> Result<Box<Partition>> {
        self.partition.take().ok_or_else(|| Error::Invalid("no partition is begun, or it has failed".to_owned()))
    }
}

impl Partition {
    async fn add(&mut self, context: &Arc<Context>, tablet: TabletEntryIn) -> Result<()> {
        self.make_way(context).await?;
        let number = self.first + self.waiting.len() as u64;
        let mut known = match self.earlier.find(context, Sought::new(&tablet)).await? {
            Known::Files(files) => files,
            Known::Whole(line) => {
                let bytes = tablet.files.iter().map(|file| file.len_bytes).fold(0, u64::saturating_add);
                return self.refer(context, bytes, *line).await;
            }
        };
        let TabletEntryIn { tablet: tablet_id, bucket, version, lineage, meta, files } = tablet;
        let meta = to_raw_value(&meta).map_err(|failed| Error::Internal(format!("cannot be JSON: {failed}")))?;
        let line = Line { tablet: tablet_id, bucket, version, lineage, meta, files: Vec::new() };
        self.waiting.push_back(Waiting { line, files: vec![None; files.len()], missing: files.len() });
        for (position, file) in files.into_iter().enumerate() {
            if context.stop.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if !is_file_name(&file.name) {
                return Err(Error::Invalid(format!("{:?} of tablet {tablet_id} is no usable file name", file.name)));
            }
            self.written.files += 1;
            self.written.bytes += file.len_bytes;
            let slot = Slot { tablet: number, tablet_id, file: position };
            if let Some(known) = known.remove(&position) {
                (context.progress)(file.len_bytes);
                self.place(slot, known)?;
            } else if file.len_bytes <= context.options.small_bytes {
                self.batch.push((slot, file));
                self.packing_from.get_or_insert(number);
                let bytes: u64 = self.batch.iter().map(|(_, file)| file.len_bytes).sum();
                if bytes >= BATCH_BYTES || self.batch.len() >= BATCH_FILES {
                    self.issue_batch(context).await?;
                }
            } else {
                self.room(context).await?;
                let (context, number) = (Arc::clone(context), self.issued);
                self.issued += 1;
                self.work.spawn(async move {
                    let sent = context.send(slot.tablet_id, file).await;
                    (number, sent.map(|sent| Done::Large(slot, Box::new(sent))))
                });
            }
        }
        self.written.tablets += 1;
        self.write_lines(context).await
    }

    /// Takes over what an earlier snapshot says of a tablet with the same rows, of `bytes` in its files of today.
    async fn refer(&mut self, context: &Arc<Context>, bytes: u64, mut line: Line) -> Result<()> {
        let files: Vec<Option<FileEntry>> = std::mem::take(&mut line.files).into_iter().map(Some).collect();
        self.written.tablets += 1;
        self.written.files += files.len() as u64;
        self.written.bytes += files.iter().flatten().map(|file| file.len_bytes).fold(0, u64::saturating_add);
        (context.progress)(bytes);
        self.waiting.push_back(Waiting { line, files, missing: 0 });
        self.write_lines(context).await
    }

    /// Keeps the row of waiting tablets short: tablets of which all is known come fast.
    async fn make_way(&mut self, context: &Arc<Context>) -> Result<()> {
        // Judged by what was called for, not by what has come back, so that equal input makes equal packs.
        let next = self.first + self.waiting.len() as u64;
        if self.packing_from.is_some_and(|from| next - from >= WAITING_MAX as u64) {
            self.end_packing(context).await?;
        }
        while self.waiting.len() >= WAITING_MAX && !self.work.is_empty() {
            self.join_one(context).await?;
        }
        Ok(())
    }

    /// Waits for all files that are under way, and closes the pack.
    async fn end_packing(&mut self, context: &Arc<Context>) -> Result<()> {
        self.issue_batch(context).await?;
        while !self.work.is_empty() {
            self.join_one(context).await?;
        }
        self.flush_pack(context).await?;
        self.packing_from = None;
        self.write_lines(context).await
    }

    /// Waits until one more piece of work may begin.
    async fn room(&mut self, context: &Arc<Context>) -> Result<()> {
        while self.work.len() >= context.options.in_flight {
            self.join_one(context).await?;
        }
        Ok(())
    }

    async fn issue_batch(&mut self, context: &Arc<Context>) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.room(context).await?;
        let (batch, number, context) = (std::mem::take(&mut self.batch), self.issued, Arc::clone(context));
        self.issued += 1;
        self.work.spawn(async move { (number, context.read_small(batch).await.map(Done::Small)) });
        Ok(())
    }

    /// Waits for one piece of work, and takes all results whose turn has come.
    async fn join_one(&mut self, context: &Arc<Context>) -> Result<()> {
        let Some(ended) = self.work.join_next().await else { return Ok(()) };
        let (number, done) = joined(ended)?;
        self.done.insert(number, done?);
        while let Some(done) = self.done.remove(&self.taken) {
            self.taken += 1;
            match done {
                Done::Large(slot, sent) => {
                    self.written.bytes_sent += sent.entry.len_bytes;
                    self.place(slot, sent.entry)?;
                }
                Done::Small(files) => {
                    for (slot, small) in files {
                        self.written.bytes_sent += small.bytes.len() as u64;
                        self.pack.push(slot, small);
                        if self.pack.is_full(context.options.pack_bytes) {
                            self.flush_pack(context).await?;
                        }
                    }
                }
            }
        }
        self.write_lines(context).await
    }

    async fn flush_pack(&mut self, context: &Arc<Context>) -> Result<()> {
        let Some(Packed { object, payload, entries }) = self.pack.take(context.session.owner()) else { return Ok(()) };
        for (slot, entry) in entries {
            self.place(slot, entry)?;
        }
        while self.pack_puts.len() >= 2 {
            if let Some(put) = self.pack_puts.join_next().await {
                joined(put)??;
            }
        }
        let context = Arc::clone(context);
        self.pack_puts.spawn(async move { context.put_pack(&object, payload).await });
        Ok(())
    }

    fn place(&mut self, slot: Slot, entry: FileEntry) -> Result<()> {
        let lost = || Error::Internal("a file's tablet is not waiting for it".to_owned());
        let index =
            slot.tablet.checked_sub(self.first).and_then(|index| usize::try_from(index).ok()).ok_or_else(lost)?;
        let waiting = self.waiting.get_mut(index).ok_or_else(lost)?;
        *waiting.files.get_mut(slot.file).ok_or_else(lost)? = Some(entry);
        waiting.missing -= 1;
        Ok(())
    }

    /// Writes the entries of tablets that are complete, in order.
    async fn write_lines(&mut self, context: &Arc<Context>) -> Result<()> {
        while self.waiting.front().is_some_and(|waiting| waiting.missing == 0) {
            let Some(Waiting { mut line, files, .. }) = self.waiting.pop_front() else { break };
            self.first += 1;
            line.files = files.into_iter().flatten().collect();
            self.lines.push(&line)?;
            if cut_behind(line.tablet, self.lines.len_bytes(), context.options.page_bytes) {
                self.flush_page(context).await?;
            }
        }
        Ok(())
    }

    async fn flush_page(&mut self, context: &Arc<Context>) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        while self.page_puts.len() >= context.options.in_flight {
            self.join_page().await?;
        }
        let (bytes, position, context) = (self.lines.take(), self.pages.len(), Arc::clone(context));
        self.pages.push(None);
        self.page_puts.spawn(async move { (position, context.put_page(bytes).await) });
        Ok(())
    }

    async fn join_page(&mut self) -> Result<()> {
        let Some(put) = self.page_puts.join_next().await else { return Ok(()) };
        let (position, page) = joined(put)?;
        let page = page?;
        if let Some(place) = self.pages.get_mut(position) {
            *place = Some(page);
        }
        Ok(())
    }

    /// Stops what is under way after an error, and waits for it: a request that is cut off may still take effect when
    /// the caller has cleaned up already.
    async fn give_up(&mut self) {
        self.context.stop.cancel();
        let ending = async {
            while self.work.join_next().await.is_some() {}
            while self.pack_puts.join_next().await.is_some() {}
            while self.page_puts.join_next().await.is_some() {}
        };
        // What does not end by then is left to a sweep.
        let _in_time = timeout(GRACE * 3, ending).await.is_ok();
    }

    async fn end(&mut self, context: &Arc<Context>) -> Result<PartitionPages> {
        self.end_packing(context).await?;
        self.flush_page(context).await?;
        while let Some(put) = self.pack_puts.join_next().await {
            joined(put)??;
        }
        while !self.page_puts.is_empty() {
            self.join_page().await?;
        }
        if !self.waiting.is_empty() {
            return Err(Error::Internal(format!("{} tablets were not written", self.waiting.len())));
        }
        self.written.pages = std::mem::take(&mut self.pages).into_iter().flatten().collect();
        Ok(self.written.clone())
    }
}

/// The identity as an entry keeps it.
fn identity(file: &FileIn) -> Option<String> {
    (file.id != file.name).then(|| file.id.clone())
}

/// Whether a page ends behind a tablet. Apart from the bound, that depends on the tablet alone, so that a change in one
/// tablet does not move the borders of all pages behind it, and equal pages are found again.
fn cut_behind(tablet: u64, len_bytes: u64, page_bytes: u64) -> bool {
    let mixed = tablet.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    len_bytes >= page_bytes || (len_bytes >= page_bytes / 8 && mixed.is_multiple_of(16))
}
