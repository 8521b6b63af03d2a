//! The whole contract of an object store, as checks that a driver can be held to: what the protocol needs, which the
//! [probe](mod@crate::probe) finds out, and what else the trait promises. For tests of drivers; a store that a repository is on
//! need not keep the second part.

use crate::error::{Error, Result};
use crate::probe;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::fmt::Debug;
use std::sync::Arc;

/// Holds a store to the contract. Works below `probe/<token>/` and `conformance/<token>/` and removes what it made.
///
/// # Errors
/// `Unsupported` saying which promise is broken; what the store says.
pub async fn check(store: &Arc<dyn ObjectStore>) -> Result<()> {
    probe::probe(store).await?.require(false)?;
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
    objects(store, root).await?;
    listings(store, root).await?;
    copies(store, root).await
}

fn at(what: &str) -> impl FnOnce(object_store::Error) -> Error + '_ {
    move |failed| Error::from_store(what, failed)
}

fn hold(kept: bool, promise: &str, seen: impl Debug) -> Result<()> {
    if kept {
        return Ok(());
    }
    Err(Error::Unsupported(format!("the object store breaks its contract: {promise} (seen: {seen:?})")))
}

async fn create(store: &dyn ObjectStore, path: &Path, payload: PutPayload) -> object_store::Result<()> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    store.put_opts(path, payload, options).await.map(drop)
}

async fn read(store: &dyn ObjectStore, path: &Path) -> Result<Bytes> {
    let name = path.as_ref();
    store.get(path).await.map_err(at(name))?.bytes().await.map_err(at(name))
}

async fn objects(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let path = root.clone().join("dir").join("object");
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
    hold(read(&**store, &path).await? == content, "a payload of many pieces is their bytes", path.as_ref())?;
    let len = content.len() as u64;
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
    hold(read(&**store, &path).await? == "replaced", "put replaces", path.as_ref())
}

async fn listings(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let root = root.clone().join("list");
    let mut names =
        ["b", "a", "a-b", "d/2", "d/1", "d/1x/deep", "d-1", "e"].map(|name| format!("{root}/{name}")).to_vec();
    for name in &names {
        create(&**store, &Path::from(name.as_str()), "x".into()).await.map_err(at("put"))?;
    }
    names.sort();
    let offset = Path::from(format!("{root}/d-1"));
    let later: Vec<_> = store.list_with_offset(Some(&root), &offset).try_collect().await.map_err(at("list"))?;
    let mut later: Vec<String> = later.into_iter().map(|meta| meta.location.to_string()).collect();
    later.sort();
    let behind: Vec<String> = names.iter().filter(|name| name.as_str() > offset.as_ref()).cloned().collect();
    hold(later == behind, "a listing from an offset begins behind it", &later)?;
    let flat = store.list_with_delimiter(Some(&root)).await.map_err(at("list"))?;
    let dirs: Vec<String> = flat.common_prefixes.iter().map(Path::to_string).collect();
    hold(dirs == [format!("{root}/d")] && flat.objects.len() == 5, "a flat listing shows directories apart", &dirs)?;
    let none: Vec<_> = store.list(Some(&root.join("no"))).try_collect().await.map_err(at("list"))?;
    hold(none.is_empty(), "a listing of nothing is empty", none)
}

async fn copies(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let [from, to, moved] = ["from", "to", "moved"].map(|name| root.clone().join("copy").join(name));
    store.put(&from, "one".into()).await.map_err(at("put"))?;
    match store.copy_if_not_exists(&from, &to).await {
        // Not every store has it, and says so.
        Err(object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. }) => return Ok(()),
        copied => copied.map_err(at("copy"))?,
    }
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
