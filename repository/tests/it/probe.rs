//! Stores that do not do what they say, and what the probe makes of them.

use crate::support::*;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as StoreResult, UploadPart,
};
use parking_lot::Mutex;
use repository::probe::{Profile, Promised, probe};
use repository::{CreateOptions, Error, ErrorKind, Purpose, Repository, SINGLE_WRITER};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a store does that it should not, or may and is rarely seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Ignores the condition of a put.
    IgnoresCondition,
    /// Keeps it, but for 14 of 16 writers in one race of three.
    KeepsItMostly,
    /// Keeps it, but tells everybody that they made it.
    TellsAllTheyMade,
    /// Does not know it.
    RefusesCondition,
    /// Lets nobody put without it.
    DemandsCondition,
    /// Answers "exists" to the first writers of a name, and nothing is there: a conflict is in flight.
    Conflicts,
    /// Loses answers to puts that took effect.
    LosesAnswers,
    /// A listing does not show what was written last.
    ListsLate,
    /// A listing is in no order.
    ListsInDisorder,
    /// A deleted object stays in listings.
    ListsTheDead,
    /// A long range is cut off.
    CutsRanges,
    /// Gives the first bytes whatever the range.
    IgnoresRanges,
    /// An upload is complete without its second part.
    LosesParts,
    /// Has no uploads in parts.
    HasNoParts,
    /// Deletes nothing.
    KeepsTheDead,
    /// Lets nobody in.
    Denies,
    /// Does not answer.
    IsAway,
}

#[derive(Debug)]
struct Liar {
    inner: Arc<InMemory>,
    habit: Habit,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    creates: BTreeMap<String, u32>,
    newest: Option<Path>,
    deleted: Vec<ObjectMeta>,
}

impl fmt::Display for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a store that {:?}", self.habit)
    }
}

fn liar(habit: Habit) -> Arc<dyn ObjectStore> {
    Arc::new(Liar { inner: Arc::new(InMemory::new()), habit, seen: Arc::default() })
}

fn refused(path: &Path) -> StoreError {
    StoreError::PermissionDenied { path: path.to_string(), source: "no".into() }
}

fn away() -> StoreError {
    StoreError::Generic { store: "liar", source: "connection refused".into() }
}

fn exists(path: &Path) -> StoreError {
    StoreError::AlreadyExists { path: path.to_string(), source: "somebody was faster".into() }
}

impl Liar {
    fn awake(&self, path: &Path) -> StoreResult<()> {
        match self.habit {
            Habit::Denies => Err(refused(path)),
            Habit::IsAway => Err(away()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectStore for Liar {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.awake(path)?;
        // A moment in which others come in.
        env::rt::yield_now().await;
        let create = options.mode == PutMode::Create;
        let nth = {
            let mut seen = self.seen.lock();
            seen.newest = Some(path.clone());
            let nth = seen.creates.entry(path.to_string()).or_default();
            *nth += u32::from(create);
            *nth
        };
        let plain = PutOptions::default();
        match self.habit {
            Habit::IgnoresCondition => self.inner.put_opts(path, payload, plain).await,
            Habit::KeepsItMostly if create => {
                let number: u32 = path.filename().and_then(|name| name.parse().ok()).unwrap_or(1);
                let lies = path.as_ref().contains("/race/") && number % 3 == 2;
                let options = if lies && nth <= 14 { plain } else { options };
                self.inner.put_opts(path, payload, options).await
            }
            Habit::TellsAllTheyMade => match self.inner.put_opts(path, payload, options).await {
                Err(StoreError::AlreadyExists { .. }) => {
                    Ok(self.inner.put(&Path::from("elsewhere"), "x".into()).await?)
                }
                put => put,
            },
            Habit::RefusesCondition if create => Err(StoreError::NotImplemented {
                operation: "a conditional put".to_owned(),
                implementer: self.to_string(),
            }),
            Habit::DemandsCondition if !create => Err(refused(path)),
            Habit::Conflicts if create && nth <= if path.as_ref().contains("/race/") { 16 } else { 2 } => {
                Err(exists(path))
            }
            Habit::LosesAnswers if nth % 2 == 1 => {
                self.inner.put_opts(path, payload, options).await?;
                Err(away())
            }
            _ => self.inner.put_opts(path, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.awake(path)?;
        if self.habit == Habit::HasNoParts {
            return Err(StoreError::NotSupported { source: "no uploads in parts".into() });
        }
        let upload = self.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(LyingUpload { upload, loses: self.habit == Habit::LosesParts, parts: 0 }))
    }

    async fn get_opts(&self, path: &Path, mut options: GetOptions) -> StoreResult<GetResult> {
        self.awake(path)?;
        options.range = match (self.habit, options.range) {
            (Habit::CutsRanges, Some(GetRange::Bounded(range))) if range.end - range.start > 4096 => {
                Some(GetRange::Bounded(range.start..range.start + 4096))
            }
            (Habit::IgnoresRanges, Some(GetRange::Bounded(range))) => {
                Some(GetRange::Bounded(0..range.end - range.start))
            }
            (_, range) => range,
        };
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        match self.habit {
            Habit::KeepsTheDead => paths,
            Habit::ListsTheDead => {
                let (inner, seen) = (Arc::clone(&self.inner), Arc::clone(&self.seen));
                let noting = paths.and_then(move |path| {
                    let (inner, seen) = (Arc::clone(&inner), Arc::clone(&seen));
                    async move {
                        if let Ok(meta) = inner.head(&path).await {
                            seen.lock().deleted.push(meta);
                        }
                        inner.delete(&path).await.map(|()| path)
                    }
                });
                noting.boxed()
            }
            _ => self.inner.delete_stream(paths),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        if let Err(failed) = self.awake(&Path::default()) {
            return futures::stream::once(async { Err(failed) }).boxed();
        }
        let listed = self.inner.list(prefix);
        match self.habit {
            Habit::ListsLate => {
                let newest = self.seen.lock().newest.take();
                listed.try_filter(move |meta| std::future::ready(Some(&meta.location) != newest.as_ref())).boxed()
            }
            Habit::ListsInDisorder => futures::stream::once(listed.try_collect::<Vec<_>>())
                .map_ok(|all| futures::stream::iter(all.into_iter().rev().map(Ok)))
                .try_flatten()
                .boxed(),
            Habit::ListsTheDead => {
                let prefix = prefix.cloned().unwrap_or_default();
                let dead = self.seen.lock().deleted.clone();
                let dead = dead.into_iter().filter(move |meta| meta.location.prefix_matches(&prefix));
                listed.chain(futures::stream::iter(dead.map(Ok))).boxed()
            }
            _ => listed,
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        Err(StoreError::NotSupported { source: "a repository needs no copies".into() })
    }
}

#[derive(Debug)]
struct LyingUpload {
    upload: Box<dyn MultipartUpload>,
    loses: bool,
    parts: u32,
}

#[async_trait]
impl MultipartUpload for LyingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts += 1;
        let lost = self.loses && self.parts == 2;
        self.upload.put_part(if lost { PutPayload::from(Bytes::new()) } else { data })
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        self.upload.complete().await
    }

    async fn abort(&mut self) -> StoreResult<()> {
        self.upload.abort().await
    }
}

async fn probed(habit: Habit) -> Result<Profile, Error> {
    let store = liar(habit);
    let found = probe(&store).await;
    if !matches!(habit, Habit::KeepsTheDead | Habit::ListsTheDead | Habit::Denies | Habit::IsAway) {
        assert_eq!(names(&*store, "probe").await, Vec::<String>::new(), "{habit:?}: the probe leaves nothing");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_promise_is_found_and_named() {
    for (habit, promised, seen) in [
        (Habit::IgnoresCondition, Promised::CreateIfAbsent, "in race 1, 16 of 16 writers were told that they made it"),
        (Habit::KeepsItMostly, Promised::CreateIfAbsent, "in race 3, 14 of 16 writers were told that they made it"),
        (Habit::TellsAllTheyMade, Promised::CreateIfAbsent, "16 of 16 writers were told that they made it"),
        (Habit::RefusesCondition, Promised::CreateIfAbsent, "cannot do this"),
        (Habit::ListsLate, Promised::ListAfterWrite, "an object just written is not in a listing"),
        (Habit::ListsInDisorder, Promised::ListAfterWrite, "not sorted by name"),
        (Habit::ListsTheDead, Promised::Delete, "after a delete a listing shows 3 objects where 1 is"),
        (Habit::CutsRanges, Promised::RangeRead, "expected 5000 bytes, found an object that ends at 4101"),
        (Habit::IgnoresRanges, Promised::RangeRead, "range 5..5000 of 100003 bytes gave other bytes"),
        (Habit::LosesParts, Promised::Multipart, "of 10485764 bytes in 3 parts, 5242884 others came back"),
        (Habit::HasNoParts, Promised::Multipart, "cannot do this"),
        (Habit::KeepsTheDead, Promised::Delete, "a deleted object is still there"),
    ] {
        let profile = probed(habit).await.unwrap();
        for promise in &profile.promises {
            // A listing that is late does not show what a delete left either.
            let broken = promise.name == promised || (habit == Habit::ListsLate && promise.name == Promised::Delete);
            assert_eq!(promise.kept, !broken, "{habit:?}: {promise:?}");
        }
        let refused = profile.require(false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        let text = refused.to_string();
        assert!(text.contains(&format!("the promise {promised} (")) && text.contains(seen), "{habit:?}: {text}");
        // One writer can do without create-if-absent, and without nothing else.
        assert_eq!(profile.require(true).is_ok(), promised == Promised::CreateIfAbsent, "{habit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unclear_answers_and_narrow_rights_are_no_broken_promises() {
    for habit in [Habit::Conflicts, Habit::LosesAnswers, Habit::DemandsCondition] {
        let profile = probed(habit).await.unwrap();
        profile.require(false).unwrap_or_else(|failed| panic!("{habit:?}: {failed}"));
        assert_eq!(profile.promises.len(), 6);
        assert_eq!(profile.latencies.len(), 4);
        let text = serde_json::to_string(&profile).unwrap();
        assert!(text.contains(r#"{"name":"create-if-absent","kept":true,"seen":"24 races"#), "{text}");
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
    }
}

#[tokio::test]
async fn a_store_that_lets_nobody_in_tells_nothing() {
    assert_eq!(probed(Habit::Denies).await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(probed(Habit::IsAway).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

fn options(profile: Option<Profile>, single_writer: bool) -> CreateOptions {
    CreateOptions { name: "r".to_owned(), now_ms: 1, profile, single_writer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_create_if_absent_is_for_one_writer_that_says_so() {
    let store = liar(Habit::IgnoresCondition);
    let profile = probe(&store).await.unwrap();
    let refused = Repository::create_with(Arc::clone(&store), options(Some(profile.clone()), false)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("'single_writer' = 'true'"), "{refused}");
    assert!(Repository::open(Arc::clone(&store)).await.is_err(), "nothing was made");

    let made = Repository::create_with(Arc::clone(&store), options(Some(profile.clone()), true)).await.unwrap();
    assert_eq!(made.identity().features, [SINGLE_WRITER]);
    let kept: Profile = serde_json::from_value(made.identity().capabilities.clone().into()).unwrap();
    assert_eq!(kept, profile);
    let opened = Repository::open(Arc::clone(&store)).await.unwrap();
    assert!(opened.identity().is_single_writer());

    // Another cluster must say that it is the one writer now.
    let refused = Repository::create_with(Arc::clone(&store), options(Some(profile.clone()), false)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let other = probe(&liar(Habit::Conflicts)).await.unwrap();
    let refused = Repository::create_with(Arc::clone(&store), options(Some(other), false)).await.unwrap_err();
    assert!(refused.to_string().contains("may have one writer only"), "{refused}");
    Repository::create_with(Arc::clone(&store), options(Some(profile), true)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_for_many_is_not_adopted_where_they_are_not_kept_apart() {
    let store = liar(Habit::IgnoresCondition);
    Repository::create(Arc::clone(&store), "r", 1).await.unwrap();
    let profile = probe(&store).await.unwrap();
    let refused = Repository::create_with(store, options(Some(profile), true)).await.unwrap_err();
    assert!(refused.to_string().contains("relies on create-if-absent"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_of_one_writer_is_not_needed_where_many_are_kept_apart() {
    let store = liar(Habit::LosesAnswers);
    let profile = probe(&store).await.unwrap();
    let made = Repository::create_with(store, options(Some(profile), true)).await.unwrap();
    assert!(made.identity().features.is_empty());
}

/// Jobs of one node commit at one time; without create-if-absent they must not overwrite each other.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_the_one_writer_do_not_lose_each_others_commits() {
    let store = liar(Habit::IgnoresCondition);
    Repository::create_with(Arc::clone(&store), options(None, true)).await.unwrap();
    let mut jobs = env::rt::JoinSet::new();
    for job in 0..6u64 {
        // Each with a repository of its own: what they share is the process.
        let repository = Repository::open(Arc::clone(&store)).await.unwrap();
        jobs.spawn(async move {
            for round in 0..3 {
                let label = format!("s-{job}-{round}");
                let id = repository.new_session_id().await.unwrap();
                let session = repository.open_session(&id, Purpose::Backup, "job", 1).await.unwrap();
                let stop = env::rt::CancellationToken::new();
                let written = upload(&session, &label, &world(2, 1000), &stop).await.unwrap();
                session.commit(written.summary).await.unwrap();
            }
        });
    }
    while let Some(ended) = jobs.join_next().await {
        ended.unwrap();
    }
    let repository = Repository::open(store).await.unwrap();
    let snapshots = repository.snapshots().await.unwrap();
    assert_eq!(snapshots.len(), 18);
    repository.check_log().await.unwrap();
    for snapshot in snapshots {
        assert_eq!(restore(&repository, &snapshot.label).await.unwrap(), world(2, 1000));
    }
}
