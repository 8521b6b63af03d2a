//! Verifying: what is wrong with a repository, all of it, and whom it hits.
//!
//! One walk looks at every different record, page and object once, however many snapshots share them, and never stops
//! at the first thing that is wrong. Each [`Finding`] names the object, the offset, what had to be there and what is,
//! the snapshots and tables that are the worse for it, and what to do. A [`Level`] says how closely to look; a verdict
//! means no more than the level sees.
//!
//! A session keeps sweeps away meanwhile; it ends on every path but a crash, and a dropped future is one.
//!
//! Memory is bounded by what is there in number, not in bytes: some 8 bytes for each commit record, 1 KiB for each
//! snapshot, 250 bytes for each different page, and from level size on 100 bytes for each data object, from a sample on
//! 25 more for each file. A snapshot of 300,000 tablets has some 600 pages, so level meta takes a few MiB. What is read
//! at one time is bounded too: some pages, and `in_flight` ranges of data.
//!
//! Parts: `history` and `rows` look at the log and the index, `walk` at the pages, `stock` at lengths,
//! `ranges` chooses bytes, `case` traces what was found to snapshots, `advice` says what to do.

mod advice;
mod case;
mod history;
mod options;
mod ranges;
mod report;
mod rows;
mod source;
mod stock;
mod walk;

pub use options::{Level, Options, SeenHead};
pub use report::{Confidence, Finding, FindingKind, Report, Severity, SnapshotVerdict, Totals, Verdict};

use crate::error::{Error, ErrorKind, Result};
use crate::index;
use crate::log::{Head, Log};
use crate::manifest::SnapshotSummary;
use crate::names::{COMMITS, Generation, IDENTITY, Purpose, SessionId, UPLOADS, commit_generation, commit_name};
use crate::objects::Objects;
use crate::options::Progress;
use crate::page;
use crate::record::{Action, Identity, Record};
use crate::repository::{IDENTITY_BYTES_MAX, Repository};
use crate::session::Session;
use case::{Case, Found, Hit, SnapshotId};
use env::rt::time::{Instant, timeout, unix_millis};
use env::rt::{CancellationToken, Duration};
use futures::{StreamExt, stream};
use history::History;
use object_store::ObjectStore;
use ranges::Ranges;
use rows::Rows;
use source::{Look, Source, missing, of_content};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use stock::Stock;
use walk::Walk;

/// Records read at one time.
const RECORDS: usize = 16;
/// A wider gap in the log is one finding: its records are not asked for one by one.
const GAP_MAX: u64 = 1000;
/// How long a session may take to end after a stop; twice this is the reaction to one.
const GRACE: Duration = Duration::from_millis(400);
/// How long it may take otherwise.
const CLOSE: Duration = Duration::from_secs(30);
/// Shares of damage, in percent, for which a report says how likely a sample misses it.
const SUPPOSED: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

impl Repository {
    /// Looks at all snapshots, or one, as closely as asked for. What is wrong is in the report and not an error.
    /// `progress` hears of bytes read. [`verify`] does the same where the repository cannot be opened.
    ///
    /// Stop it by its token: then its session ends within a second. Dropping the future leaves the session open.
    ///
    /// # Errors
    /// `NotFound` when there is no snapshot of that label and timestamp; `Cancelled`; `Fenced` when the session of the
    /// options was ended; `Unavailable`, `Denied` when the store refuses everything.
    pub async fn verify(&self, options: &Options, progress: &Progress, stop: &CancellationToken) -> Result<Report> {
        run(self.objects.clone(), self.log.clone(), options, progress, stop).await
    }
}

/// As [`Repository::verify`], for a store whose repository may be too damaged to be opened.
///
/// # Errors
/// As [`Repository::verify`]; `NotFound` when there is nothing of a repository in the store.
pub async fn verify(
    store: Arc<dyn ObjectStore>,
    options: &Options,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Report> {
    let objects = Objects::new(store);
    let log = Log::new(objects.clone());
    run(objects, log, options, progress, stop).await
}

async fn run(
    objects: Objects,
    log: Log,
    options: &Options,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Report> {
    let mut run = Run {
        source: Arc::new(Source::new(objects.within(&options.limiter, stop), Arc::clone(progress))),
        objects,
        log,
        options,
        case: Case::new(options.findings_max),
        identity: None,
        history: History::new(None),
        base: None,
        head_is_sound: false,
        snapshots: Vec::new(),
        totals: Totals::default(),
        // Fewer bits, so that every reader of JSON has the number right.
        seed: options.seed.unwrap_or_else(|| env::rand::u64() >> 11),
        unprotected: None,
        started: Instant::now(),
        started_ms: unix_millis(),
    };
    env::select! {
        () = stop.cancelled() => return Err(Error::Cancelled),
        done = run.look_at_log() => done?,
    }
    let session = run.open(stop).await?;
    let done = env::select! {
        () = stop.cancelled() => Err(Error::Cancelled),
        done = run.look_at_snapshots(session.as_ref()) => done,
    };
    let left = match session {
        Some(session) => end(&session, if stop.is_cancelled() { GRACE } else { CLOSE }).await,
        None => None,
    };
    done?;
    Ok(run.report(left))
}

/// Ends a session; gives its id when it may still be open.
async fn end(session: &Session, within: Duration) -> Option<SessionId> {
    let failed = match timeout(within, session.close()).await {
        Ok(Ok(())) => return None,
        Ok(Err(failed)) => failed.to_string(),
        Err(_elapsed) => "the store took too long".to_owned(),
    };
    tracing::warn!(session = %session.id(), failed, "a verifier's session could not be ended; fence it");
    Some(session.id().clone())
}

/// A step through the log.
#[derive(Debug, Clone, Copy)]
enum Step {
    Read(Generation),
    /// From the first to the last of these, nothing is listed.
    Gap(Generation, Generation),
}

struct Run<'a> {
    objects: Objects,
    log: Log,
    options: &'a Options,
    source: Arc<Source>,
    case: Case,
    identity: Option<Identity>,
    history: History,
    /// The newest record that can be read, with its hash: what is looked at is what it refers to.
    base: Option<(Record, String)>,
    /// Whether that is the newest one.
    head_is_sound: bool,
    snapshots: Vec<(SnapshotId, SnapshotSummary)>,
    totals: Totals,
    seed: u64,
    unprotected: Option<String>,
    started: Instant,
    started_ms: u64,
}

impl Run<'_> {
    /// Identity and log, as far as they go.
    async fn look_at_log(&mut self) -> Result<()> {
        self.look_at_identity().await?;
        self.history = History::new(self.identity.as_ref().map(|identity| identity.id.clone()));
        // One snapshot does not need the whole history.
        if self.options.label.is_none() || !self.look_at_ends().await? {
            self.look_at_history().await?;
        }
        self.look_at_remembered().await
    }

    async fn look_at_identity(&mut self) -> Result<()> {
        let read = match self.source.whole(IDENTITY, IDENTITY_BYTES_MAX).await? {
            Ok(None) => {
                let found = Found::new(FindingKind::MissingIdentity, IDENTITY, 0, "the identity", "no such object");
                Err(Box::new(found))
            }
            Ok(Some(bytes)) => {
                let read: Result<(Identity, String)> = page::unseal(IDENTITY, &bytes);
                match read.and_then(|(identity, _)| identity.check(IDENTITY).map(|()| identity)) {
                    Ok(identity) => Ok(identity),
                    Err(failed) => Err(of_content(failed, FindingKind::BadIdentity, IDENTITY)?),
                }
            }
            Err(mut found) => {
                if found.kind == FindingKind::WrongLength {
                    found.kind = FindingKind::BadIdentity;
                }
                Err(found)
            }
        };
        match read {
            Ok(identity) => self.identity = Some(identity),
            Err(found) => {
                self.case.found(*found, Hit::All);
            }
        }
        Ok(())
    }

    /// The first and the newest record alone; whether they can be read.
    async fn look_at_ends(&mut self) -> Result<bool> {
        let newest = match self.objects.first(COMMITS, commit_generation).await {
            Ok(Some(newest)) => newest,
            Ok(None) => return Ok(false),
            Err(failed) if failed.kind() == ErrorKind::Unavailable => return Ok(false),
            Err(failed) => return Err(failed),
        };
        let (Ok(Some(first)), Ok(Some(mut head))) =
            (self.source.record(Generation::GENESIS).await?, self.source.record(newest).await?)
        else {
            return Ok(false);
        };
        self.totals.records += 2;
        self.check_genesis(&first.0);
        loop {
            match self.source.record(head.0.generation.next()).await? {
                Ok(Some(next)) => head = next,
                Ok(None) => break,
                Err(_) => return Ok(false),
            }
            self.totals.records += 1;
        }
        self.history.gap();
        self.base = Some(head);
        self.head_is_sound = true;
        Ok(true)
    }

    /// Whether the first record agrees with the identity; it says who the repository is where that is gone.
    fn check_genesis(&mut self, first: &Record) {
        let name = commit_name(Generation::GENESIS);
        let Action::Genesis { identity } = &first.action else {
            let found = Found::new(FindingKind::BadRecord, name, 0, "the record of the creation", "another record");
            self.case.found(found, Hit::All);
            return;
        };
        if let Err(Error::Unsupported(text)) = identity.check(&name) {
            let found = Found::new(FindingKind::NewerFormat, &name, 0, "features that this program knows", text);
            self.case.found(found, Hit::All);
        }
        match &self.identity {
            None => self.identity = Some(identity.clone()),
            Some(copy) if copy != identity => {
                let (expected, found) = (format!("repository {}", identity.id), format!("repository {}", copy.id));
                self.case.found(Found::new(FindingKind::BadIdentity, IDENTITY, 0, expected, found), Hit::All);
                // The first record decides.
                self.history = History::new(Some(identity.id.clone()));
                self.identity = Some(identity.clone());
            }
            Some(_) => {}
        }
    }

    /// All records, in order.
    async fn look_at_history(&mut self) -> Result<()> {
        let mut slots: BTreeSet<u64> = BTreeSet::new();
        let listed = self.source.list(COMMITS, |listed| {
            slots.extend(commit_generation(&listed.name).map(|generation| generation.0));
        });
        if let Err(found) = listed.await? {
            self.case.add(*found);
        }
        let steps = steps(&slots);
        let newest = slots.last().copied().unwrap_or_default();
        let source = Arc::clone(&self.source);
        let read = steps.into_iter().map(|step| {
            let source = &source;
            async move {
                match step {
                    Step::Read(generation) => (step, source.record(generation).await),
                    Step::Gap(..) => (step, Ok(Ok(None))),
                }
            }
        });
        let mut read = stream::iter(read).buffered(RECORDS);
        while let Some((step, record)) = read.next().await {
            self.take_step(step, record, newest)?;
        }
        // Behind the newest that is listed.
        let mut next = if slots.is_empty() { Generation::GENESIS } else { Generation(newest).next() };
        loop {
            match self.source.record(next).await? {
                Ok(None) => break,
                found => self.take_step(Step::Read(next), Ok(found), next.0)?,
            }
            next = next.next();
        }
        if self.base.is_none() && self.identity.is_none() && slots.is_empty() {
            let store = self.objects.store();
            return Err(Error::NotFound(format!("there is no repository in {store}; create one there first")));
        }
        if slots.is_empty() && self.base.is_none() {
            self.case.found(missing(&commit_name(Generation::GENESIS), 1), Hit::All);
        }
        Ok(())
    }

    fn take_step(&mut self, step: Step, record: Look<Option<(Record, String)>>, newest: u64) -> Result<()> {
        let generation = match step {
            Step::Read(generation) => generation,
            Step::Gap(first, last) => {
                self.history.gap();
                let expected = format!("the records of generations {first} to {last}");
                let name = commit_name(first);
                self.case.add(Found::new(FindingKind::MissingObject, name, 0, expected, "none of them is listed"));
                return Ok(());
            }
        };
        let ends = generation == Generation::GENESIS || generation.0 == newest;
        let found = match record? {
            Ok(Some((record, hash))) => {
                self.totals.records += 1;
                if generation == Generation::GENESIS {
                    self.check_genesis(&record);
                }
                if let Some(found) = self.history.next(record.clone(), hash.clone()) {
                    self.case.add(found);
                }
                self.base = Some((record, hash));
                self.head_is_sound = true;
                return Ok(());
            }
            Ok(None) => missing(&commit_name(generation), 1),
            Err(found) => *found,
        };
        self.history.gap();
        self.head_is_sound = false;
        let id = self.case.add(found);
        if ends {
            self.case.hit(id, Hit::All);
        }
        Ok(())
    }

    /// Whether what somebody has seen of the log is still there.
    async fn look_at_remembered(&mut self) -> Result<()> {
        let seen = self.log.remembered().map(|head| SeenHead { generation: head.generation(), hash: head.hash });
        for seen in seen.into_iter().chain(self.options.remembered.clone()) {
            let name = commit_name(seen.generation);
            let newest = self.base.as_ref().map_or(Generation::GENESIS, |(record, _)| record.generation);
            let there = match self.source.record(seen.generation).await? {
                Ok(None) if seen.generation > newest => format!("a log that ends at generation {newest}"),
                Ok(Some((_, hash))) if hash != seen.hash => format!("a record with blake3 {hash}"),
                // Damaged or missing in the middle: that is found where the log is looked at.
                Ok(_) | Err(_) => continue,
            };
            let expected = format!("generation {} with blake3 {}, as seen before", seen.generation, seen.hash);
            self.case.add(Found::new(FindingKind::ForkedLog, name, 0, expected, there));
        }
        Ok(())
    }

    /// Opens a session where that is possible and right.
    async fn open(&mut self, stop: &CancellationToken) -> Result<Option<Session>> {
        if let Some(why) = self.must_not_write() {
            self.unprotected = Some(why.to_owned());
            return Ok(None);
        }
        let (Some(identity), Some((base, hash))) = (&self.identity, &self.base) else { return Ok(None) };
        let repository =
            Repository { objects: self.objects.clone(), log: self.log.clone(), identity: Arc::new(identity.clone()) };
        repository.log.remember(&Head { record: Arc::new(base.clone()), hash: hash.clone() });
        let id = self.options.session.clone().unwrap_or_else(|| SessionId::fresh(base.generation));
        let opened = {
            let mut opening = pin!(repository.open_session(&id, Purpose::Verify, &self.options.owner, self.started_ms));
            env::select! {
                () = stop.cancelled() => {
                    // It may be on its way: what comes of it is ended.
                    let _opened = timeout(GRACE, opening).await.is_ok();
                    let _fenced = timeout(GRACE, repository.fence(&id)).await.is_ok();
                    return Err(Error::Cancelled);
                }
                opened = &mut opening => opened,
            }
        };
        match opened {
            Ok(session) => Ok(Some(session)),
            Err(failed) => match failed.kind() {
                ErrorKind::Busy
                | ErrorKind::Denied
                | ErrorKind::Unavailable
                | ErrorKind::Unsupported
                | ErrorKind::Conflict
                | ErrorKind::Indeterminate
                | ErrorKind::Full => {
                    self.unprotected = Some(failed.to_string());
                    Ok(None)
                }
                ErrorKind::Invalid
                | ErrorKind::NotFound
                | ErrorKind::AlreadyExists
                | ErrorKind::Fenced
                | ErrorKind::Corrupt
                | ErrorKind::Cancelled
                | ErrorKind::TimedOut
                | ErrorKind::Internal => Err(failed),
            },
        }
    }

    /// Why nothing may be written to the log, if so: whoever writes behind a break makes it worse.
    fn must_not_write(&self) -> Option<&'static str> {
        if self.options.read_only {
            return Some("nothing was to be written");
        }
        let broken = [FindingKind::ForkedLog, FindingKind::NewerFormat];
        if !self.head_is_sound || self.case.is_shut() || self.case.any(&broken) {
            return Some("the log is not sound, so nothing was written to it");
        }
        if self.options.session.is_none() && self.identity.as_ref().is_some_and(Identity::is_single_writer) {
            return Some("the repository has a single writer, and the verifier was not told that it is part of it");
        }
        None
    }

    /// All that the base refers to, or what a session keeps.
    async fn look_at_snapshots(&mut self, session: Option<&Session>) -> Result<()> {
        if let Some(session) = session {
            self.go_on_to(session.generation()).await?;
        }
        let Some((base, _)) = self.base.clone() else { return Ok(()) };
        let only = self.options.label.as_deref();
        let mut rows = Rows::default();
        // Where the log's end cannot be read, an older index may have been swept, and rightly.
        if self.head_is_sound || self.history.snapshots_before_gap().is_none() {
            rows = Rows::read(&self.source, &mut self.case, base.index.as_ref(), only).await?;
            self.totals.pages += rows.pages.len() as u64;
        }
        self.choose(&base, &mut rows)?;
        let level = self.options.level;
        let stock = if level.sees_sizes() { Some(self.stock(&base, &rows).await?) } else { None };
        let stream = self.options.stream.sane();
        let ranges = Ranges::new(level, self.seed, stream.part_bytes);
        let mut walk = Walk::new(&self.source, &mut self.case, stream.in_flight);
        walk.stock = stock;
        walk.ranges = (level.share() > 0.0).then_some(ranges);
        walk.lists_owners = only.is_some();
        walk.snapshots(&self.snapshots).await?;
        let (stock, ranges) = (walk.stock.take(), walk.ranges.take());
        let read = walk.whole && rows.whole() && self.head_is_sound;
        drop(walk);
        self.totals.pages += self.case.pages();
        if let Some(stock) = stock {
            self.totals.objects = stock.objects();
            stock.finish(&mut self.case, only.is_none(), read);
        }
        if let Some(Ranges { tally, .. }) = ranges {
            self.totals.chunks = tally.chunks;
            self.totals.chunks_read = tally.chunks_read;
            self.totals.bytes = tally.bytes;
            self.totals.bytes_checked = tally.bytes_read;
        }
        if session.is_none() {
            self.forgive().await;
        }
        Ok(())
    }

    /// Takes the records up to a session's opening.
    async fn go_on_to(&mut self, generation: Generation) -> Result<()> {
        let from = self.base.as_ref().map_or(0, |(record, _)| record.generation.0 + 1);
        for slot in from..=generation.0 {
            let record = self.source.record(Generation(slot)).await;
            self.take_step(Step::Read(Generation(slot)), record, generation.0)?;
        }
        Ok(())
    }

    /// The snapshots to look at: those that the log adds up to where that is known, else those of the index. Notes
    /// where the two differ.
    fn choose(&mut self, base: &Record, rows: &mut Rows) -> Result<()> {
        let read = std::mem::take(&mut rows.all);
        let before_gap = if self.head_is_sound { None } else { self.history.snapshots_before_gap() };
        let summaries: Vec<SnapshotSummary> = match self.history.snapshots().or(before_gap) {
            Some(known) => known.values().cloned().collect(),
            None => read.iter().map(|(_, row)| row.clone()).collect(),
        };
        let (label, timestamp) = (self.options.label.as_deref(), self.options.timestamp.as_deref());
        let wanted = |summary: &SnapshotSummary| {
            label.is_none_or(|label| summary.label == label)
                && timestamp.is_none_or(|timestamp| summary.timestamp == timestamp)
        };
        self.snapshots =
            summaries.into_iter().filter(wanted).map(|summary| (self.case.snapshot(&summary), summary)).collect();
        if let Some(label) = label
            && self.snapshots.is_empty()
            && self.head_is_sound
            && rows.whole()
        {
            let of = timestamp.map(|timestamp| format!(" of {timestamp}")).unwrap_or_default();
            return Err(Error::NotFound(format!("there is no snapshot {label:?}{of} in the repository")));
        }
        if before_gap.is_some() {
            return Ok(());
        }
        let known = self.history.snapshots().is_some();
        let indexed: BTreeMap<&str, (&str, &SnapshotSummary)> =
            read.iter().map(|(page, row)| (row.label.as_str(), (&**page, row))).collect();
        for (id, summary) in &self.snapshots {
            match indexed.get(summary.label.as_str()) {
                Some((_, row)) if *row == summary => {}
                Some((page, _)) => {
                    let found = Found::new(
                        FindingKind::BadEntry,
                        *page,
                        0,
                        format!("the row of snapshot {:?} as it was committed", summary.label),
                        "another row",
                    );
                    self.case.found(found, Hit::Snapshot(*id));
                }
                None => {
                    let bad = rows.bad(&summary.label).unwrap_or_else(|| {
                        let page = base.index.as_ref().map(|page| page.name.clone());
                        let page = page.unwrap_or_else(|| commit_name(base.generation));
                        let expected = format!("a row of snapshot {:?}", summary.label);
                        self.case.add(Found::new(FindingKind::BadEntry, page, 0, expected, "no such row"))
                    });
                    self.case.hit(bad, Hit::Snapshot(*id));
                }
            }
        }
        if label.is_some() {
            return Ok(());
        }
        let labels: BTreeSet<&str> = self.snapshots.iter().map(|(_, summary)| summary.label.as_str()).collect();
        let too_many: Vec<Found> = indexed
            .iter()
            .filter(|(label, _)| known && !labels.contains(*label))
            .map(|(label, (page, _))| {
                let expected = "rows of snapshots that the log knows";
                Found::new(FindingKind::BadEntry, *page, 0, expected, format!("a row of {label:?}"))
            })
            .collect();
        for found in too_many {
            self.case.add(found);
        }
        if !known && rows.whole() && base.snapshots != read.len() as u64 {
            let (expected, found) = (format!("{} snapshots", base.snapshots), format!("{} rows", read.len()));
            let name = commit_name(base.generation);
            self.case.add(Found::new(FindingKind::CountMismatch, name, 0, expected, found));
        }
        Ok(())
    }

    /// What the store has, before anything is held against it.
    async fn stock(&mut self, base: &Record, rows: &Rows) -> Result<Stock> {
        let open = base.sessions.iter().map(|session| session.id.token().to_owned()).collect();
        let whole = self.snapshots.iter().map(|(_, summary)| summary.session.token().to_owned()).collect();
        let mut stock = Stock::new(base.generation, open, whole);
        if self.options.label.is_none() {
            for prefix in ["", UPLOADS] {
                // What a listing lacks is asked for one by one, also when there is no listing at all.
                if let Err(found) = self.source.list(prefix, |listed| stock.list(&listed)).await? {
                    self.case.add(*found);
                }
            }
        }
        for page in &rows.pages {
            stock.page(page);
        }
        Ok(stock)
    }

    /// Without a session, what was dropped meanwhile may be gone, and rightly.
    async fn forgive(&mut self) {
        let Ok(head) = self.log.head().await else { return };
        let scanned = index::scan(&self.objects, head.record.index.as_ref(), &mut BTreeSet::new()).await;
        let Ok(rows) = scanned else { return };
        let there: BTreeSet<SessionId> = rows.into_iter().map(|row| row.session).collect();
        for (id, summary) in &self.snapshots {
            if !there.contains(&summary.session) {
                self.case.forget(*id);
            }
        }
    }

    fn report(mut self, session_left: Option<SessionId>) -> Report {
        self.totals.requests = self.source.requests();
        self.totals.bytes_read = self.source.bytes();
        self.totals.seconds = self.started.elapsed().as_secs_f64();
        let share = self.options.level.share();
        let confidence = if matches!(self.options.level, Level::Sample { .. }) && self.totals.chunks > 0 {
            SUPPOSED.iter().map(|percent| confidence(*percent, self.totals.chunks, share)).collect()
        } else {
            Vec::new()
        };
        let (repository, repository_id) =
            self.identity.map(|identity| (identity.name, identity.id)).unwrap_or_default();
        Report {
            repository,
            repository_id,
            level: self.options.level,
            seed: self.seed,
            label: self.options.label.clone(),
            head: self.base.map(|(record, hash)| SeenHead { generation: record.generation, hash }),
            unprotected: self.unprotected,
            session_left,
            started_ms: self.started_ms,
            verdict: self.case.verdict(),
            snapshots: self.case.verdicts(),
            findings: self.case.findings(),
            kinds: self.case.kinds(),
            totals: self.totals,
            confidence,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number of chunks, for people"
)]
fn confidence(damaged_percent: f64, chunks: u64, share: f64) -> Confidence {
    let damaged_chunks = ((chunks as f64 * damaged_percent / 100.0).ceil() as u64).max(1);
    Confidence { damaged_percent, damaged_chunks, missed: ranges::missed(share, damaged_chunks) }
}

/// How to go through a log of which these generations are listed.
fn steps(slots: &BTreeSet<u64>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut next = 0;
    for slot in slots {
        if slot - next > GAP_MAX {
            steps.push(Step::Gap(Generation(next), Generation(slot - 1)));
        } else {
            steps.extend((next..*slot).map(|slot| Step::Read(Generation(slot))));
        }
        steps.push(Step::Read(Generation(*slot)));
        next = slot.saturating_add(1);
    }
    steps
}
