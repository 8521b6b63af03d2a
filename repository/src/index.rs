//! The snapshot index: a small search tree of immutable pages, sorted by label.
//!
//! A change rewrites one leaf and the pages above it, whatever the number of snapshots; a listing of 10,000 snapshots
//! reads some 60 pages, many at a time. The root stands in the commit record. What a change gives is computed by pure
//! functions ([`Branch::with_rows`]); reading is the driver's.

use crate::error::{Error, Result};
use crate::manifest::SnapshotSummary;
use crate::names::Owner;
use crate::objects::Objects;
use crate::page::{self, PageKind, PageRef};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most rows of a leaf and children of an inner page.
const FANOUT_MAX: usize = 256;
/// A tree of this depth would hold more snapshots than there can be; a deeper one is damage.
pub(crate) const DEPTH_MAX: usize = 8;
/// Pages read at one time.
const READS: usize = 16;

/// A page below an inner one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Child {
    /// The least label in it when it was written.
    pub(crate) first: String,
    pub(crate) page: PageRef,
}

/// The pages from the root to the leaf where a label is or would be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Branch {
    /// Inner pages from the root downwards, each with the position of the child taken.
    above: Vec<(Vec<Child>, usize)>,
    /// The leaf's rows.
    pub(crate) rows: Vec<SnapshotSummary>,
}

/// The root of a changed tree and the pages that must be there before it is committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rewritten {
    pub(crate) root: Option<PageRef>,
    pub(crate) pages: Vec<(PageRef, Bytes)>,
}

impl Branch {
    /// The tree with `rows` in place of this leaf's; its new pages belong to `owner`.
    pub(crate) fn with_rows(&self, rows: &[SnapshotSummary], owner: &Owner) -> Result<Rewritten> {
        let mut pages = Vec::new();
        // Labels are often dates, so growth is at the right edge: full pages stay full there.
        let appended = rows.last().map(|row| &row.label) > self.rows.last().map(|row| &row.label);
        let mut children = Vec::new();
        for group in split(rows, appended) {
            let first = group.first().map(|row| row.label.clone()).unwrap_or_default();
            children.push(Child { first, page: write(&mut pages, owner, PageKind::IndexLeaf, &group)? });
        }
        for (level, position) in self.above.iter().rev() {
            let at_end = position + 1 == level.len();
            let mut all = level.clone();
            drop(all.splice(*position..=*position, children));
            children = inner(&mut pages, owner, &all, at_end)?;
        }
        while children.len() > 1 {
            children = inner(&mut pages, owner, &children, true)?;
        }
        let root = children.pop().map(|child| child.page);
        Ok(Rewritten { root, pages })
    }
}

/// Inner pages over `children`; a lone child needs none.
fn inner(pages: &mut Vec<(PageRef, Bytes)>, owner: &Owner, children: &[Child], at_end: bool) -> Result<Vec<Child>> {
    if children.len() < 2 {
        return Ok(children.to_vec());
    }
    let mut above = Vec::new();
    for group in split(children, at_end) {
        let first = group.first().map(|child| child.first.clone()).unwrap_or_default();
        above.push(Child { first, page: write(pages, owner, PageKind::IndexInner, &group)? });
    }
    Ok(above)
}

fn write<T: Serialize>(pages: &mut Vec<(PageRef, Bytes)>, owner: &Owner, kind: PageKind, body: &T) -> Result<PageRef> {
    let bytes = page::encode(kind, body)?;
    let page = PageRef::of(owner, kind, &bytes)?;
    pages.push((page.clone(), bytes));
    Ok(page)
}

/// Groups of legal size: full ones and a rest when growth is at the end, halves otherwise.
fn split<T: Clone>(items: &[T], at_end: bool) -> Vec<Vec<T>> {
    let size = if items.len() <= FANOUT_MAX || at_end { FANOUT_MAX } else { items.len().div_ceil(2) };
    items.chunks(size).map(<[T]>::to_vec).collect()
}

async fn leaf(objects: &Objects, page: &PageRef) -> Result<Vec<SnapshotSummary>> {
    let bytes = objects.page(page, PageKind::IndexLeaf).await?;
    let rows: Vec<SnapshotSummary> = page::decode(page, PageKind::IndexLeaf, &bytes)?;
    if !rows.is_sorted_by(|a, b| a.label < b.label) {
        return Err(Error::corrupt(&page.name, 0, "rows sorted by label", "rows in another order"));
    }
    Ok(rows)
}

async fn children(objects: &Objects, page: &PageRef) -> Result<Vec<Child>> {
    let bytes = objects.page(page, PageKind::IndexInner).await?;
    let children: Vec<Child> = page::decode(page, PageKind::IndexInner, &bytes)?;
    if children.is_empty() {
        return Err(Error::corrupt(&page.name, 0, "at least one child", "none"));
    }
    Ok(children)
}

fn too_deep(page: &PageRef) -> Error {
    Error::corrupt(&page.name, 0, format!("a tree of at most {DEPTH_MAX} levels"), "a deeper one")
}

/// The branch where `label` is or would be.
pub(crate) async fn branch(objects: &Objects, root: Option<&PageRef>, label: &str) -> Result<Branch> {
    let mut branch = Branch::default();
    let Some(root) = root else { return Ok(branch) };
    let mut page = root.clone();
    while page.kind == PageKind::IndexInner {
        if branch.above.len() >= DEPTH_MAX {
            return Err(too_deep(&page));
        }
        let level = children(objects, &page).await?;
        let position = level.partition_point(|child| child.first.as_str() <= label).saturating_sub(1);
        if let Some(child) = level.get(position) {
            page = child.page.clone();
        }
        branch.above.push((level, position));
    }
    branch.rows = leaf(objects, &page).await?;
    Ok(branch)
}

/// All snapshots, sorted by label. Pages whose names are in `seen` are skipped with all below them; the others are
/// added to it.
pub(crate) async fn scan(
    objects: &Objects,
    root: Option<&PageRef>,
    seen: &mut BTreeSet<String>,
) -> Result<Vec<SnapshotSummary>> {
    let mut level: Vec<PageRef> = root.into_iter().cloned().collect();
    let mut depth = 0;
    loop {
        level.retain(|page| seen.insert(page.name.clone()));
        let Some(first) = level.first() else { return Ok(Vec::new()) };
        if first.kind != PageKind::IndexInner {
            break;
        }
        if depth >= DEPTH_MAX {
            return Err(too_deep(first));
        }
        depth += 1;
        let read = level.into_iter().map(|page| async move { children(objects, &page).await });
        let below: Vec<Vec<Child>> = futures::stream::iter(read).buffered(READS).try_collect().await?;
        level = below.into_iter().flatten().map(|child| child.page).collect();
    }
    let read = level.into_iter().map(|page| async move { leaf(objects, &page).await });
    let rows: Vec<Vec<SnapshotSummary>> = futures::stream::iter(read).buffered(READS).try_collect().await?;
    Ok(rows.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
