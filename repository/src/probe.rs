//! What the protocol asks of an object store, asked of a store.
//!
//! A repository loses nothing as long as its store keeps a few promises, and some stores that speak S3 do not: they ignore
//! the condition of a put, or keep it only mostly. So each promise is tried, create-if-absent under a real race and many
//! times, and what was seen becomes a [`Profile`]. What the protocol does not need (replacing, copying, renaming) is not
//! looked at.

use crate::error::{Error, ErrorKind, Result};
use crate::names::PROBES;
use crate::objects::{Listed, Objects, Put, back_off, put_answer};
use bytes::Bytes;
use env::rt::time::{Instant, timeout};
use env::rt::{Duration, JoinSet};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutMode, PutOptions, PutPayload};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

/// How many race for one name.
const RACERS: u32 = 16;
/// How often. A store was seen that lets more than one win in one race of three: it passes this once in 17,000 probes.
const RACES: u32 = 24;
/// A racer whose answers pass tries again so often.
const TRIES: u32 = 4;
/// Requests that each latency is taken from.
const SAMPLES: u32 = 8;
/// After a failure so long is tried to remove what was made.
const CLEAN: Duration = Duration::from_secs(5);
/// Smallest part that S3 takes before the last.
const PART_BYTES: u32 = 5 << 20;
/// Larger than anything the probe makes.
const OBJECT_BYTES_MAX: u64 = 32 << 20;

/// Something that a store promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Promised {
    /// Of many who create one name at one time, exactly one does, and what it wrote stays.
    CreateIfAbsent,
    /// What was written is read at once, whole; a missing object is reported as missing.
    ReadAfterWrite,
    /// A range is the bytes that were asked for.
    RangeRead,
    /// A listing shows at once what was written, all of it, sorted by name.
    ListAfterWrite,
    /// An upload in parts becomes one object of the parts in their order, and is not there before.
    Multipart,
    /// What is deleted is gone, from listings too; deleting it again is harmless.
    Delete,
}

impl Promised {
    /// What it means, in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::CreateIfAbsent => "of many writers of one name exactly one wins, and what it wrote stays",
            Self::ReadAfterWrite => "what was written is read at once",
            Self::RangeRead => "a range is the bytes that were asked for",
            Self::ListAfterWrite => "a listing shows at once what was written, sorted by name",
            Self::Multipart => "an upload in parts is the parts in their order, and not there before",
            Self::Delete => "what is deleted is gone",
        }
    }
}

impl fmt::Display for Promised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateIfAbsent => "create-if-absent",
            Self::ReadAfterWrite => "read-after-write",
            Self::RangeRead => "range-read",
            Self::ListAfterWrite => "list-after-write",
            Self::Multipart => "multipart",
            Self::Delete => "delete",
        })
    }
}

/// A promise, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Which.
    pub name: Promised,
    /// Whether it was kept each time.
    pub kept: bool,
    /// What was seen.
    pub seen: String,
}

/// How long a kind of request took, in microseconds. For people; nothing depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The kind of request.
    pub request: String,
    /// The middle one of them.
    pub median_us: u64,
    /// The slowest.
    pub max_us: u64,
}

/// What a store was seen to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Each promise.
    pub promises: Vec<Promise>,
    /// Requests one after the other, from here.
    pub latencies: Vec<Latency>,
}

impl Profile {
    /// Whether a promise was kept; not when it was not tried.
    pub fn keeps(&self, promised: Promised) -> bool {
        self.promises.iter().any(|promise| promise.name == promised && promise.kept)
    }

    /// Refuses a store that breaks a promise. A `single_writer` can do without create-if-absent.
    ///
    /// # Errors
    /// `Unsupported` naming the promise and what was seen.
    pub fn require(&self, single_writer: bool) -> Result<()> {
        let needed = |promise: &&Promise| !(single_writer && promise.name == Promised::CreateIfAbsent);
        let Some(broken) = self.promises.iter().filter(needed).find(|promise| !promise.kept) else { return Ok(()) };
        let Promise { name, seen, .. } = broken;
        let advice = match name {
            Promised::CreateIfAbsent => {
                "use a store that has it; or, if only one node will ever write there, property 'single_writer' = 'true'"
            }
            Promised::ReadAfterWrite
            | Promised::RangeRead
            | Promised::ListAfterWrite
            | Promised::Multipart
            | Promised::Delete => "a repository there would lose snapshots; use another store",
        };
        Err(Error::Unsupported(format!(
            "the object store does not keep the promise {name} ({}): {seen}; {advice}",
            name.meaning()
        )))
    }
}

/// Finds out what a store keeps. Works below `probe/<token>/` and removes what it made; a probe that is cut off may leave
/// some of it, which anyone may delete. Takes some 500 small requests and two of 5 MiB.
///
/// # Errors
/// `Denied` and `Unavailable` when the store does not let it find out; a promise that is broken is no error.
pub async fn probe(store: &Arc<dyn ObjectStore>) -> Result<Profile> {
    let root = format!("{PROBES}/{}", env::rand::token());
    let probe = Probe { objects: Objects::new(Arc::clone(store)), root, made: Mutex::default() };
    let found = probe.all().await;
    let cleaning = probe.clean();
    match found {
        Ok(found) => cleaning.await.map(|()| found),
        // What stopped the probe most often stops this as well; why is told only once.
        Err(failed) => {
            let _cleaned = timeout(CLEAN, cleaning).await.is_ok_and(|cleaned| cleaned.is_ok());
            Err(failed)
        }
    }
}

/// A promise tried: kept or broken, with what was seen.
type Seen = std::result::Result<String, String>;

/// The answer to a racer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// "You made it."
    Made,
    /// "Somebody else did."
    Exists,
    /// Not to be known from the answer.
    Unclear,
}

struct Probe {
    objects: Objects,
    root: String,
    /// Names that may have been made: a listing that misses some is one of the things to be found out.
    made: Mutex<BTreeSet<String>>,
}

impl Probe {
    /// A name to work with.
    fn name(&self, name: &str) -> String {
        let name = format!("{}/{name}", self.root);
        self.made.lock().insert(name.clone());
        name
    }

    async fn all(&self) -> Result<Profile> {
        let tried = [
            // The first is the one that any store must do, so what is wrong with address or credentials shows here.
            (Promised::ReadAfterWrite, settled(self.read_after_write().await)?),
            (Promised::RangeRead, settled(self.range_read().await)?),
            (Promised::ListAfterWrite, settled(self.list_after_write().await)?),
            (Promised::Multipart, settled(self.multipart().await)?),
            (Promised::Delete, settled(self.delete().await)?),
            (Promised::CreateIfAbsent, settled(self.create_if_absent().await)?),
        ];
        let promises = tried.map(|(name, seen)| match seen {
            Ok(seen) => Promise { name, kept: true, seen },
            Err(seen) => Promise { name, kept: false, seen },
        });
        let reads = promises.iter().all(|promise| promise.kept || promise.name == Promised::CreateIfAbsent);
        let latencies = if reads { self.latencies().await? } else { Vec::new() };
        Ok(Profile { promises: promises.into(), latencies })
    }

    /// Makes an object of a name that nobody else uses: as the protocol does it, since the right to do more may be missing,
    /// and without the condition where the store does not know it.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        match self.objects.put_own(name, bytes.clone().into()).await {
            Err(failed) if failed.kind() == ErrorKind::Unsupported => {
                self.objects.clone().without_conditions().put_own(name, bytes.into()).await.map(drop)
            }
            put => put.map(drop),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.objects.get(name, OBJECT_BYTES_MAX).await
    }

    async fn listed(&self, below: &str) -> Result<Vec<String>> {
        let listed = self.objects.list(&format!("{}/{below}", self.root)).await?;
        Ok(listed.into_iter().map(|Listed { name, .. }| name).collect())
    }

    async fn create_if_absent(&self) -> Result<Seen> {
        for race in 0..RACES {
            let name = self.name(&format!("race/{race}"));
            if let Err(seen) = self.race(race, &name).await? {
                return Ok(Err(seen));
            }
        }
        Ok(Ok(format!("{RACES} races of {RACERS} writers had one winner each")))
    }

    /// One race. Answers may be unclear, bytes are not: who is told that it won must find its own bytes there.
    async fn race(&self, race: u32, name: &str) -> Result<Seen> {
        let path = Objects::path(name)?;
        let mut answers = Vec::new();
        let mut unclear = None;
        let mut there = None;
        for _ in 0..TRIES {
            let mut racers = JoinSet::new();
            for racer in 0..RACERS {
                let (store, path) = (Arc::clone(self.objects.store()), path.clone());
                racers.spawn(async move { (racer, create(&*store, &path, writer(racer).into()).await) });
            }
            while let Some(ended) = racers.join_next().await {
                let (racer, answer) = ended.map_err(|failed| Error::Internal(failed.to_string()))?;
                match answer {
                    Ok(Put::Made) => answers.push((racer, Answer::Made)),
                    Ok(Put::Exists) => answers.push((racer, Answer::Exists)),
                    Err(failed) => {
                        answers.push((racer, Answer::Unclear));
                        unclear = Some(Error::from_store(name, failed));
                    }
                }
            }
            there = self.get(name).await?;
            if there.is_some() {
                break;
            }
            // Everybody was told that another request is in the way, and none of them came through.
            back_off(2).await;
        }
        let made: Vec<u32> =
            answers.iter().filter(|(_, told)| *told == Answer::Made).map(|(racer, _)| *racer).collect();
        if made.len() > 1 {
            return Ok(Err(format!(
                "in race {}, {} of {RACERS} writers were told that they made it",
                race + 1,
                made.len()
            )));
        }
        let Some(there) = there else {
            return match unclear {
                // No condition was tried as long as nothing gets through.
                Some(failed) if failed.kind() != ErrorKind::Unavailable || made.is_empty() => Err(failed),
                Some(_) | None => Ok(Err(format!("in race {}, nobody's object was there afterwards", race + 1))),
            };
        };
        let owner = (0..RACERS).find(|racer| writer(*racer).as_bytes() == &there[..]);
        let rightful = |racer: u32| match made.first() {
            Some(winner) => *winner == racer,
            // The winner's answer was lost.
            None => answers.contains(&(racer, Answer::Unclear)),
        };
        if !owner.is_some_and(rightful) {
            let (winner, owner) = (named(made.first().copied()), named(owner));
            return Ok(Err(format!("in race {}, {winner} was told that it made it, and {owner} is there", race + 1)));
        }
        self.late(name, &path, &there).await
    }

    /// A writer that comes when all is decided.
    async fn late(&self, name: &str, path: &Path, there: &Bytes) -> Result<Seen> {
        let mut attempt = 0;
        loop {
            match create(&**self.objects.store(), path, "late".into()).await {
                Ok(Put::Made) => return Ok(Err("a name that was taken was given again".to_owned())),
                Ok(Put::Exists) => break,
                Err(failed) => attempt = self.objects.passing(attempt, Error::from_store(name, failed)).await?,
            }
        }
        let after = self.get(name).await?;
        Ok(if after.as_ref() == Some(there) {
            Ok(String::new())
        } else {
            Err("a taken name's bytes changed".to_owned())
        })
    }

    async fn read_after_write(&self) -> Result<Seen> {
        let name = self.name("read/object");
        if self.get(&name).await?.is_some() || self.objects.len(&name).await?.is_some() {
            return Ok(Err("an object that was never made is there".to_owned()));
        }
        for len_bytes in [1, 4096, 300_007] {
            let name = self.name(&format!("read/{len_bytes}"));
            let bytes = noise(1, len_bytes);
            self.put(&name, bytes.clone()).await?;
            let found = self.get(&name).await?;
            if found.as_ref() != Some(&bytes) {
                return Ok(Err(format!("of {len_bytes} bytes written, {} came back", described(found.as_ref()))));
            }
            let found = self.objects.len(&name).await?;
            if found != Some(u64::from(len_bytes)) {
                return Ok(Err(format!("an object of {len_bytes} bytes is said to have {found:?}")));
            }
        }
        Ok(Ok("objects of 1 to 300,007 bytes came back at once".to_owned()))
    }

    async fn range_read(&self) -> Result<Seen> {
        let name = self.name("range/object");
        let bytes = noise(2, 100_003);
        let len = bytes.len() as u64;
        self.put(&name, bytes.clone()).await?;
        for range in [0..1, 5..5000, len - 1..len, 4096..69_632, 0..len] {
            let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            let wanted = bytes.slice(cut(range.start)..cut(range.end));
            let found = match self.objects.range(&name, range.clone()).await {
                Ok(found) => found,
                Err(Error::Corrupt(seen)) => return Ok(Err(format!("of range {range:?}: {seen}"))),
                // It answers, but not what it was asked: servers are known that take 0-0 for no range at all.
                Err(failed) if self.get(&name).await?.as_ref() == Some(&bytes) => {
                    let why = failed.source().map(|source| format!(": {source}")).unwrap_or_default();
                    return Ok(Err(format!("range {range:?} fails where the whole object does not: {failed}{why}")));
                }
                Err(failed) => return Err(failed),
            };
            if found != wanted {
                return Ok(Err(format!("range {range:?} of {len} bytes gave other bytes")));
            }
        }
        Ok(Ok("five ranges of an object came back".to_owned()))
    }

    async fn list_after_write(&self) -> Result<Seen> {
        let mut names = ["b", "a", "a-b", "d/2", "d/1", "d/1x/deep", "d-1", "e", "Z", "0"]
            .map(|name| self.name(&format!("list/{name}")));
        for made in 0..names.len() {
            let Some(name) = names.get(made) else { break };
            self.put(name, Bytes::from_static(b"x")).await?;
            let listed = self.listed("list").await?;
            if !listed.contains(name) {
                return Ok(Err(format!("an object just written is not in a listing of {}", listed.len())));
            }
            if listed.len() != made + 1 {
                return Ok(Err(format!("a listing shows {} objects where {} are", listed.len(), made + 1)));
            }
        }
        names.sort();
        let listed = self.listed("list").await?;
        if listed != names {
            return Ok(Err(format!("a listing is not sorted by name: {}", listed.join(", "))));
        }
        let deep = self.listed("list/d").await?;
        if deep.len() != 3 {
            return Ok(Err(format!("below a name with 3 objects a listing shows {}", deep.len())));
        }
        let first = self.objects.first(&format!("{}/list", self.root), |name| Some(name.to_owned())).await?;
        if first.as_ref() != names.first() {
            return Ok(Err("the first name of a listing is another one when no more are asked for".to_owned()));
        }
        Ok(Ok(format!("{} objects were listed at once and in order", names.len())))
    }

    async fn multipart(&self) -> Result<Seen> {
        let parts = [noise(3, PART_BYTES), noise(4, PART_BYTES), Bytes::from_static(b"tail")];
        let name = self.name("parts/whole");
        let mut attempt = 0;
        let hidden = loop {
            match self.in_parts(&name, &parts).await {
                Ok(hidden) => break hidden,
                Err(failed) => attempt = self.objects.passing(attempt, failed).await?,
            }
        };
        if !hidden {
            return Ok(Err("an upload in parts is there before it is complete".to_owned()));
        }
        let whole: Bytes = parts.concat().into();
        let found = self.get(&name).await?;
        if found.as_ref() != Some(&whole) {
            return Ok(Err(format!("of {} bytes in 3 parts, {} came back", whole.len(), described(found.as_ref()))));
        }
        let name = self.name("parts/given-up");
        let mut upload = self.begin(&name).await?;
        let given_up = async {
            upload.put_part(Bytes::from_static(b"part").into()).await?;
            upload.abort().await
        };
        given_up.await.map_err(|failed| Error::from_store(&name, failed))?;
        if self.objects.len(&name).await?.is_some() {
            return Ok(Err("an upload that was given up made an object".to_owned()));
        }
        Ok(Ok("three parts became one object".to_owned()))
    }

    async fn begin(&self, name: &str) -> Result<Box<dyn MultipartUpload>> {
        let path = Objects::path(name)?;
        let mut attempt = 0;
        loop {
            match self.objects.store().put_multipart_opts(&path, object_store::PutMultipartOptions::default()).await {
                Ok(upload) => return Ok(upload),
                Err(failed) => attempt = self.objects.passing(attempt, Error::from_store(name, failed)).await?,
            }
        }
    }

    /// Uploads in parts, the last first: parts have places, not an order in time. Tells whether the object was hidden until
    /// it was complete.
    async fn in_parts(&self, name: &str, parts: &[Bytes]) -> Result<bool> {
        let mut upload = self.begin(name).await?;
        let sent = async {
            let puts: Vec<_> = parts.iter().map(|part| upload.put_part(part.clone().into())).collect();
            for put in puts.into_iter().rev() {
                put.await.map_err(|failed| Error::from_store(name, failed))?;
            }
            let hidden = self.objects.len(name).await?.is_none();
            upload.complete().await.map_err(|failed| Error::from_store(name, failed))?;
            Ok(hidden)
        };
        let sent = sent.await;
        if sent.is_err() {
            // The failure is what is told.
            drop(upload.abort().await);
        }
        sent
    }

    async fn delete(&self) -> Result<Seen> {
        let names: Vec<String> = (0..3).map(|at| self.name(&format!("delete/{at}"))).collect();
        for name in &names {
            self.put(name, Bytes::from_static(b"x")).await?;
        }
        let (gone, kept) = (names.get(..2).unwrap_or_default().to_vec(), names.get(2..).unwrap_or_default());
        self.objects.delete(gone.clone()).await?;
        for name in &gone {
            if self.objects.len(name).await?.is_some() || self.get(name).await?.is_some() {
                return Ok(Err("a deleted object is still there".to_owned()));
            }
        }
        let listed = self.listed("delete").await?;
        if listed != kept {
            return Ok(Err(format!("after a delete a listing shows {} objects where 1 is", listed.len())));
        }
        if let Err(failed) = self.objects.delete(gone).await {
            return Ok(Err(format!("deleting what is gone fails: {failed}")));
        }
        Ok(Ok("two objects of three were deleted".to_owned()))
    }

    async fn latencies(&self) -> Result<Vec<Latency>> {
        let mut taken: [(&str, Vec<Duration>); 4] =
            ["put", "get", "list", "delete"].map(|request| (request, Vec::new()));
        for sample in 0..SAMPLES {
            let name = self.name(&format!("latency/{sample}"));
            let bytes = noise(sample, 1024);
            let [put, get, list, delete] = &mut taken;
            let begun = Instant::now();
            self.put(&name, bytes).await?;
            put.1.push(begun.elapsed());
            let begun = Instant::now();
            self.get(&name).await?;
            get.1.push(begun.elapsed());
            let begun = Instant::now();
            self.listed("latency").await?;
            list.1.push(begun.elapsed());
            let begun = Instant::now();
            self.objects.delete(vec![name]).await?;
            delete.1.push(begun.elapsed());
        }
        let micros =
            |taken: Option<&Duration>| taken.map_or(0, |taken| u64::try_from(taken.as_micros()).unwrap_or(u64::MAX));
        let latency = |(request, mut taken): (&str, Vec<Duration>)| {
            taken.sort_unstable();
            Latency {
                request: request.to_owned(),
                median_us: micros(taken.get(taken.len() / 2)),
                max_us: micros(taken.last()),
            }
        };
        Ok(taken.map(latency).into())
    }

    /// Removes what was made.
    async fn clean(&self) -> Result<()> {
        let mut names = self.made.lock().clone();
        names.extend(self.objects.list(&self.root).await?.into_iter().map(|Listed { name, .. }| name));
        self.objects.delete(names.into_iter().collect()).await
    }
}

/// A store that cannot do a thing at all breaks the promise; one that does not answer, or lets nobody in, tells nothing.
fn settled(tried: Result<Seen>) -> Result<Seen> {
    match tried {
        Err(failed)
            if matches!(failed.kind(), ErrorKind::Unsupported | ErrorKind::Corrupt | ErrorKind::AlreadyExists) =>
        {
            Ok(Err(failed.to_string()))
        }
        other => other,
    }
}

async fn create(store: &dyn ObjectStore, path: &Path, payload: PutPayload) -> object_store::Result<Put> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    put_answer(store.put_opts(path, payload, options).await)
}

fn writer(racer: u32) -> String {
    format!("writer {racer}")
}

fn named(racer: Option<u32>) -> String {
    racer.map_or_else(|| "nobody".to_owned(), writer)
}

fn described(found: Option<&Bytes>) -> String {
    found.map_or_else(|| "nothing".to_owned(), |found| format!("{} others", found.len()))
}

/// Bytes in which no two places look alike.
fn noise(seed: u32, len_bytes: u32) -> Bytes {
    let words = (0..len_bytes.div_ceil(4))
        .flat_map(|at| (at ^ seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B).to_le_bytes());
    words.take(usize::try_from(len_bytes).unwrap_or(0)).collect::<Vec<u8>>().into()
}
