//! What the protocol asks of an object store, as checks that any store can be held to.

use crate::error::{Error, Result};
use bytes::Bytes;
use env::rt::JoinSet;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::fmt::Debug;
use std::sync::Arc;

/// How many race for one name, and how often: one liar seen was honest two times in three.
const RACERS: u32 = 16;
const RACES: u32 = 6;

/// Holds a store to what the repository relies on. Works below `conformance/<token>/` and removes what it made.
///
/// # Errors
/// `Unsupported` saying which promise is broken; what the store says.
pub async fn check(store: &Arc<dyn ObjectStore>) -> Result<()> {
    let root = Path::from(format!("conformance/{}", env::rand::token()));
    let checked = all(store, &root).await;
    let made: Vec<Path> =
        store.list(Some(&root)).map_ok(|meta| meta.location).try_collect().await.map_err(at("list"))?;
    for path in made {
        store.delete(&path).await.map_err(at("delete"))?;
    }
    checked
}

async fn all(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    create_if_absent(store, root).await?;
    read_after_write(store, root).await?;
    listings(store, root).await?;
    multipart(store, root).await?;
    copies(store, root).await
}

fn at(what: &str) -> impl FnOnce(object_store::Error) -> Error + '_ {
    move |failed| Error::from_store(what, failed)
}

fn broken(promise: &str, seen: impl Debug) -> Error {
    Error::Unsupported(format!("the object store breaks a promise that a repository needs: {promise} (seen: {seen:?})"))
}

fn hold(kept: bool, promise: &str, seen: impl Debug) -> Result<()> {
    if kept { Ok(()) } else { Err(broken(promise, seen)) }
}

async fn create(store: &dyn ObjectStore, path: &Path, payload: PutPayload) -> object_store::Result<()> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    store.put_opts(path, payload, options).await.map(drop)
}

async fn read(store: &dyn ObjectStore, path: &Path) -> Result<Bytes> {
    let name = path.as_ref();
    store.get(path).await.map_err(at(name))?.bytes().await.map_err(at(name))
}

async fn create_if_absent(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    for race in 0..RACES {
        let path = root.clone().join(format!("race-{race}"));
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (store, path) = (Arc::clone(store), path.clone());
            racers.spawn(async move { (racer, create(&*store, &path, format!("racer {racer}").into()).await) });
        }
        let mut winners = Vec::new();
        while let Some(ended) = racers.join_next().await {
            match ended.map_err(|failed| Error::Internal(failed.to_string()))? {
                (racer, Ok(())) => winners.push(racer),
                (_, Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. })) => {}
                (_, Err(failed)) => return Err(Error::from_store(path.as_ref(), failed)),
            }
        }
        hold(winners.len() == 1, "create-if-absent lets exactly one of many writers win", &winners)?;
        let bytes = read(&**store, &path).await?;
        let won = winners.first().map(|racer| format!("racer {racer}"));
        hold(won.as_deref().map(str::as_bytes) == Some(&bytes[..]), "the winner's bytes are there", &bytes)?;
        let late = create(&**store, &path, "late".into()).await;
        hold(late.is_err(), "create-if-absent refuses a name that is taken", &late)?;
    }
    Ok(())
}

async fn read_after_write(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let path = root.clone().join("dir").join("object");
    let missing = store.get(&path).await.err();
    let not_found = matches!(missing, Some(object_store::Error::NotFound { .. }));
    hold(not_found, "a missing object is reported as not found", &missing)?;
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).take(3_000_007).collect();
    let content = Bytes::from(content);
    // Pieces of many sizes: what a payload is made of must not matter.
    let sizes = [1, 0, 4095, 1 << 20, 77, 300_000].into_iter().cycle();
    let (mut pieces, mut from) = (Vec::new(), 0);
    for size in sizes {
        let to = content.len().min(from + size);
        pieces.push(content.slice(from..to));
        from = to;
        if from == content.len() {
            break;
        }
    }
    create(&**store, &path, pieces.into_iter().collect()).await.map_err(at("put"))?;
    let head = store.head(&path).await.map_err(at("head"))?;
    hold(head.size == content.len() as u64 && head.location == path, "head tells name and length", &head)?;
    hold(read(&**store, &path).await? == content, "what was put is read at once", path.as_ref())?;
    let len = content.len() as u64;
    for range in [0..1, 5..5000, len - 1..len, 1 << 20..(1 << 20) + 3, 0..len] {
        let got = store.get_range(&path, range.clone()).await.map_err(at("get range"))?;
        let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        hold(got == content.slice(cut(range.start)..cut(range.end)), "a range is what was asked for", &range)?;
    }
    let many = store.get_ranges(&path, &[10..20, 0..10, len - 3..len]).await.map_err(at("get ranges"))?;
    let lens: Vec<usize> = many.iter().map(Bytes::len).collect();
    hold(lens == [10, 10, 3] && many.first() == Some(&content.slice(10..20)), "ranges come in their order", lens)?;
    let behind = store.get_range(&path, len + 1..len + 2).await;
    hold(behind.is_err(), "a range behind the end is an error", &behind)?;
    let short = store.get_range(&path, len - 1..len + 10).await.map_err(at("get range"))?;
    hold(short.len() == 1, "a range over the end stops there", short.len())?;
    let empty = root.clone().join("dir").join("empty");
    create(&**store, &empty, PutPayload::new()).await.map_err(at("put"))?;
    hold(read(&**store, &empty).await?.is_empty(), "an empty object is an object", "bytes")?;
    store.put(&path, "replaced".into()).await.map_err(at("put"))?;
    hold(read(&**store, &path).await? == "replaced", "put replaces", path.as_ref())?;
    store.delete(&path).await.map_err(at("delete"))?;
    let gone = store.head(&path).await.err();
    hold(matches!(gone, Some(object_store::Error::NotFound { .. })), "delete removes", &gone)?;
    match store.delete(&path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(failed) => Err(broken("deleting what is gone is harmless", failed)),
    }
}

async fn listings(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let root = root.clone().join("list");
    let mut names =
        ["b", "a", "a-b", "d/2", "d/1", "d/1x/deep", "d-1", "e"].map(|name| format!("{root}/{name}")).to_vec();
    for name in &names {
        create(&**store, &Path::from(name.as_str()), "x".into()).await.map_err(at("put"))?;
    }
    names.sort();
    let names_of = |metas: Vec<object_store::ObjectMeta>| -> Vec<String> {
        metas.into_iter().map(|meta| meta.location.to_string()).collect()
    };
    let listed = names_of(store.list(Some(&root)).try_collect().await.map_err(at("list"))?);
    hold(listed == names, "a listing is complete and sorted", &listed)?;
    let first: Vec<_> = store.list(Some(&root)).take(1).try_collect().await.map_err(at("list"))?;
    hold(
        names_of(first) == names.get(..1).unwrap_or_default(),
        "a listing can be left after its first name",
        "another",
    )?;
    let offset = Path::from(format!("{root}/d-1"));
    let mut later = names_of(store.list_with_offset(Some(&root), &offset).try_collect().await.map_err(at("list"))?);
    later.sort();
    let behind: Vec<String> = names.iter().filter(|name| name.as_str() > offset.as_ref()).cloned().collect();
    hold(later == behind, "a listing from an offset begins behind it", &later)?;
    let flat = store.list_with_delimiter(Some(&root)).await.map_err(at("list"))?;
    let dirs: Vec<String> = flat.common_prefixes.iter().map(Path::to_string).collect();
    hold(dirs == [format!("{root}/d")] && flat.objects.len() == 5, "a flat listing shows directories apart", &dirs)?;
    let none: Vec<_> = store.list(Some(&root.join("no"))).try_collect().await.map_err(at("list"))?;
    hold(none.is_empty(), "a listing of nothing is empty", none)
}

async fn multipart(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let part =
        |seed: u8| -> Bytes { (0..(5u32 << 20)).map(|at| seed ^ at.to_le_bytes()[1]).collect::<Vec<u8>>().into() };
    let path = root.clone().join("parts");
    let mut upload = store.put_multipart(&path).await.map_err(at("multipart"))?;
    let parts = [part(1), part(2), Bytes::from_static(b"tail")];
    let puts: Vec<_> = parts.iter().map(|bytes| upload.put_part(bytes.clone().into())).collect();
    // The last first: parts have places, not an order in time.
    for put in puts.into_iter().rev() {
        put.await.map_err(at("part"))?;
    }
    let early = store.head(&path).await.err();
    let hidden = matches!(early, Some(object_store::Error::NotFound { .. }));
    hold(hidden, "an upload is not seen before it is complete", &early)?;
    upload.complete().await.map_err(at("complete"))?;
    let whole: Vec<u8> = parts.iter().flat_map(|bytes| bytes.iter().copied()).collect();
    hold(read(&**store, &path).await? == whole, "an upload in parts is the parts in their order", path.as_ref())?;
    let given_up = root.clone().join("given-up");
    let mut upload = store.put_multipart(&given_up).await.map_err(at("multipart"))?;
    upload.put_part(part(3).into()).await.map_err(at("part"))?;
    upload.abort().await.map_err(at("abort"))?;
    let gone = store.head(&given_up).await.err();
    hold(matches!(gone, Some(object_store::Error::NotFound { .. })), "an aborted upload makes no object", &gone)
}

async fn copies(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let [from, to, moved] = ["from", "to", "moved"].map(|name| root.clone().join("copy").join(name));
    store.put(&from, "one".into()).await.map_err(at("put"))?;
    store.copy_if_not_exists(&from, &to).await.map_err(at("copy"))?;
    let again = store.copy_if_not_exists(&from, &to).await;
    hold(again.is_err(), "copy-if-absent refuses a name that is taken", &again)?;
    store.put(&from, "two".into()).await.map_err(at("put"))?;
    hold(read(&**store, &to).await? == "one", "a copy is not changed with its origin", to.as_ref())?;
    store.copy(&from, &to).await.map_err(at("copy"))?;
    hold(read(&**store, &to).await? == "two", "copy replaces", to.as_ref())?;
    store.rename(&to, &moved).await.map_err(at("rename"))?;
    hold(store.head(&to).await.is_err(), "rename takes the old name away", to.as_ref())?;
    hold(read(&**store, &moved).await? == "two", "rename gives the new name", moved.as_ref())
}
