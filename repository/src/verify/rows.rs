//! The snapshot index as a verifier reads it: goes on behind damaged pages, and knows which labels they hold. Driver.

use super::case::{Case, FindingId, Found};
use super::report::FindingKind;
use super::source::{Look, Source, of_content};
use crate::error::Result;
use crate::index::{Child, DEPTH_MAX};
use crate::manifest::SnapshotSummary;
use crate::page::{self, PageKind, PageRef};
use futures::StreamExt;
use futures::stream;
use std::sync::Arc;

/// Pages read at one time.
const READS: usize = 8;

/// A page of the index and the labels that it may hold: from `lower` to before `upper`, none for no bound.
#[derive(Debug, Clone)]
struct Span {
    page: PageRef,
    lower: Option<String>,
    upper: Option<String>,
}

impl Span {
    fn holds(&self, label: &str) -> bool {
        self.lower.as_deref().is_none_or(|lower| lower <= label)
            && self.upper.as_deref().is_none_or(|upper| label < upper)
    }
}

/// What was read of the index.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Each row with the page that it stands in, by label.
    pub(super) all: Vec<(Arc<str>, SnapshotSummary)>,
    /// Names of all its pages.
    pub(super) pages: Vec<String>,
    bad: Vec<(Span, FindingId)>,
}

enum Body {
    Inner(Vec<Child>),
    Leaf(Vec<SnapshotSummary>),
}

impl Rows {
    /// Reads the index below `root`, or just the pages where `only` would be.
    pub(super) async fn read(
        source: &Source,
        case: &mut Case,
        root: Option<&PageRef>,
        only: Option<&str>,
    ) -> Result<Self> {
        let mut found = Self::default();
        let mut level: Vec<Span> =
            root.into_iter().map(|page| Span { page: page.clone(), lower: None, upper: None }).collect();
        for depth in 0.. {
            level.retain(|span| only.is_none_or(|label| span.holds(label)));
            if level.is_empty() {
                break;
            }
            if depth > DEPTH_MAX {
                let expected = format!("a tree of at most {DEPTH_MAX} levels");
                for span in level {
                    let deep = Found::new(FindingKind::BadPage, &span.page.name, 0, &expected, "a deeper one");
                    found.bad.push((span, case.add(deep)));
                }
                break;
            }
            let read = level.into_iter().map(|span| async move {
                let body = body(source, &span.page).await;
                (span, body)
            });
            let mut read = stream::iter(read).buffered(READS);
            let mut below = Vec::new();
            while let Some((span, body)) = read.next().await {
                found.pages.push(span.page.name.clone());
                match body? {
                    Err(bad) => found.bad.push((span, case.add(*bad))),
                    Ok(Body::Leaf(rows)) => {
                        let name: Arc<str> = span.page.name.as_str().into();
                        found.all.extend(rows.into_iter().map(|row| (Arc::clone(&name), row)));
                    }
                    Ok(Body::Inner(children)) => below.extend(spans(&span, &children)),
                }
            }
            level = below;
        }
        found.all.retain(|(_, row)| only.is_none_or(|label| row.label == label));
        Ok(found)
    }

    /// The damaged page where a label would be.
    pub(super) fn bad(&self, label: &str) -> Option<FindingId> {
        self.bad.iter().find(|(span, _)| span.holds(label)).map(|(_, id)| *id)
    }

    /// Whether every page could be read.
    pub(super) fn whole(&self) -> bool {
        self.bad.is_empty()
    }
}

/// The spans of an inner page's children: each from its first label to the next one's. The first child takes what is
/// less than all.
fn spans(above: &Span, children: &[Child]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for child in children {
        if let Some(before) = spans.last_mut() {
            before.upper = Some(child.first.clone());
        }
        let lower = if spans.is_empty() { above.lower.clone() } else { Some(child.first.clone()) };
        spans.push(Span { page: child.page.clone(), lower, upper: above.upper.clone() });
    }
    spans
}

async fn body(source: &Source, page: &PageRef) -> Look<Body> {
    let kind = if page.kind == PageKind::IndexInner { PageKind::IndexInner } else { PageKind::IndexLeaf };
    let bytes = match source.page(page, kind).await? {
        Ok(bytes) => bytes,
        Err(found) => return Ok(Err(found)),
    };
    let disorder = |what: &str| {
        let found = Found::new(FindingKind::BadPage, &page.name, 0, format!("{what} sorted by label"), "another order");
        Ok(Err(Box::new(found)))
    };
    let body = if kind == PageKind::IndexInner {
        page::decode(page, kind, &bytes).map(Body::Inner)
    } else {
        page::decode(page, kind, &bytes).map(Body::Leaf)
    };
    match body {
        Err(failed) => of_content(failed, FindingKind::BadPage, &page.name).map(Err),
        Ok(Body::Leaf(rows)) if !rows.is_sorted_by(|a, b| a.label < b.label) => disorder("rows"),
        Ok(Body::Inner(children)) if !children.is_sorted_by(|a, b| a.first < b.first) || children.is_empty() => {
            disorder("children")
        }
        Ok(body) => Ok(Ok(body)),
    }
}
