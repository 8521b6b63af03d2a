//! Listings of the local store.

use super::write::Tree;
use super::{failed, meta};
use crate::names::UPLOADS;
use env::disk::{DirEntry, join};
use env::rt::blocking;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{Extensions, ListResult, ObjectMeta, Result};
use std::io;
use std::sync::Arc;

/// What is directly in a directory, in the order of full names: `a-b` before `a/b`. Nothing for what is not a
/// directory, but an error for a root that is not one.
fn entries(tree: &Tree, dir: &str) -> io::Result<Vec<DirEntry>> {
    let mut entries = match tree.disk.list(dir) {
        Ok(entries) => entries,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(file) if file.kind() == io::ErrorKind::NotADirectory && !dir.is_empty() => return Ok(Vec::new()),
        Err(failed) => return Err(failed),
    };
    entries.retain(|entry| !dir.is_empty() || entry.name != UPLOADS);
    if entries.iter().any(|entry| !entry.is_dir) {
        // A writer may have died between the link and the sync: what is told of must last. A place that cannot be
        // written to has no such names.
        match tree.disk.sync_dir(dir) {
            Err(denied)
                if !matches!(
                    denied.kind(),
                    io::ErrorKind::ReadOnlyFilesystem
                        | io::ErrorKind::PermissionDenied
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::NotFound
                ) =>
            {
                return Err(denied);
            }
            _ => {}
        }
    }
    entries.sort_by_cached_key(|entry| if entry.is_dir { format!("{}/", entry.name) } else { entry.name.clone() });
    Ok(entries)
}

async fn read(tree: Arc<Tree>, dir: String) -> Result<Vec<DirEntry>> {
    blocking(move || entries(&tree, &dir).map_err(|error| failed(&dir, error))).await
}

/// A name that no path of an object can have is none of ours.
fn location(path: &str) -> Option<Path> {
    Path::parse(path).ok().filter(|parsed| parsed.as_ref() == path)
}

/// What is still to be walked, the next one last.
enum Todo {
    Dir(String),
    Object(ObjectMeta),
}

pub(super) fn recursive(
    tree: Arc<Tree>,
    prefix: Option<&Path>,
    offset: Option<&Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let start = prefix.map(Path::to_string).unwrap_or_default();
    let offset = offset.map(Path::to_string);
    let walk = move |mut todo: Vec<Todo>| {
        let (tree, offset) = (Arc::clone(&tree), offset.clone());
        async move {
            while let Some(next) = todo.pop() {
                let dir = match next {
                    Todo::Object(meta) => return Ok(Some((meta, todo))),
                    Todo::Dir(dir) => dir,
                };
                for entry in read(Arc::clone(&tree), dir.clone()).await?.into_iter().rev() {
                    let path = join(&dir, &entry.name);
                    if skipped(offset.as_deref(), &path, entry.is_dir) {
                        continue;
                    }
                    if entry.is_dir {
                        todo.push(Todo::Dir(path));
                    } else if let Some(location) = location(&path) {
                        todo.push(Todo::Object(meta(&location, entry.len_bytes)));
                    }
                }
            }
            Ok(None)
        }
    };
    futures::stream::try_unfold(vec![Todo::Dir(start)], walk).boxed()
}

/// Whether everything at or below a name comes before the offset.
fn skipped(offset: Option<&str>, path: &str, is_dir: bool) -> bool {
    let Some(offset) = offset else { return false };
    if is_dir {
        let below = format!("{path}/");
        below.as_str() < offset && !offset.starts_with(&below)
    } else {
        path <= offset
    }
}

pub(super) async fn flat(tree: Arc<Tree>, prefix: Option<&Path>) -> Result<ListResult> {
    let dir = prefix.map(Path::to_string).unwrap_or_default();
    let mut result = ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: Extensions::default() };
    for entry in read(tree, dir.clone()).await? {
        let Some(location) = location(&join(&dir, &entry.name)) else { continue };
        if entry.is_dir {
            result.common_prefixes.push(location);
        } else {
            result.objects.push(meta(&location, entry.len_bytes));
        }
    }
    Ok(result)
}
