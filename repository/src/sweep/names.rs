//! Many names in little memory. Pure.

use crate::checksum::digest;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A set of names, of which only digests are kept: some 25 bytes for each. Two names that had one digest would both
/// count as members, which keeps what could be deleted, never the other way round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeSet<u128>);

impl Names {
    pub(crate) fn insert(&mut self, name: &str) {
        self.0.insert(digest(&[name.as_bytes()]));
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(&digest(&[name.as_bytes()]))
    }
}

impl<T: AsRef<str>> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.insert(name.as_ref()));
        all
    }
}

/// Names of objects with their lengths. What neighbours have in common up to the last slash is kept once.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameList {
    heads: Vec<String>,
    tails: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    head: u32,
    tail: (u64, u32),
    len_bytes: u64,
}

impl NameList {
    pub(crate) fn push(&mut self, name: &str, len_bytes: u64) {
        let (head, tail) = name.rsplit_once('/').unwrap_or(("", name));
        if self.heads.last().is_none_or(|last| last != head) {
            self.heads.push(head.to_owned());
        }
        let head = u32::try_from(self.heads.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let tail_len = u32::try_from(tail.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { head, tail: (self.tails.len() as u64, tail_len), len_bytes });
        self.tails.push_str(tail);
    }

    fn parts(&self, entry: &Entry) -> (&str, &str) {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let (start, len) = entry.tail;
        let head = self.heads.get(index(u64::from(entry.head))).map_or("", String::as_str);
        (head, self.tails.get(index(start)..index(start + u64::from(len))).unwrap_or_default())
    }

    /// In the order of names.
    pub(crate) fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        let order = |a: &Entry, b: &Entry| -> Ordering {
            let ((a_head, a_tail), (b_head, b_tail)) = (self.parts(a), self.parts(b));
            let whole =
                |head: &'_ str, tail: &'_ str| head.bytes().chain(*b"/").chain(tail.bytes()).collect::<Vec<u8>>();
            if a_head == b_head { a_tail.cmp(b_tail) } else { whole(a_head, a_tail).cmp(&whole(b_head, b_tail)) }
        };
        if !entries.is_sorted_by(|a, b| order(a, b).is_le()) {
            entries.sort_unstable_by(order);
        }
        self.entries = entries;
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (String, u64)> {
        self.entries.iter().map(|entry| {
            let (head, tail) = self.parts(entry);
            (if head.is_empty() { tail.to_owned() } else { format!("{head}/{tail}") }, entry.len_bytes)
        })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.len_bytes).fold(0, u64::saturating_add)
    }
}

impl PartialEq for NameList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for NameList {}
