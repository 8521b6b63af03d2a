//! What a store has, against what snapshots refer to. Pure.
//!
//! Memory: some 100 bytes for each data object; names are kept as digests.

use super::case::{Case, FindingId, Found, Hit, NodeId, digest};
use super::report::{FindingKind, Severity};
use super::source::missing;
use crate::manifest::FileEntry;
use crate::names::{DATA, Generation, ObjectName, Owner, PAGES, UPLOADS};
use crate::objects::Listed;
use std::collections::{BTreeMap, BTreeSet};

/// An object of `data/` or `pages/`.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// None when nobody has seen it.
    len_bytes: Option<u64>,
    /// Where the last byte ends that something refers to.
    end: u64,
    /// Whether its writer may be at work: then nobody need refer to it.
    alive: bool,
    page: bool,
    referred: bool,
    finding: Option<FindingId>,
}

impl Item {
    fn new(page: bool) -> Self {
        Self { len_bytes: None, end: 0, alive: false, page, referred: false, finding: None }
    }
}

/// What is known of an object before its bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was listed, or asked for, and its length goes as far as the file.
    There,
    /// It is not there, or ends before the file does.
    Lacking,
    /// It was not listed, or with a length that is too short: the object itself has to be asked.
    Ask,
}

/// What was listed and what was referred to. See the module's text.
#[derive(Debug, Default)]
pub(super) struct Stock {
    items: BTreeMap<u128, Item>,
    /// Tokens of sessions whose objects are left alone.
    open: BTreeSet<String>,
    /// Objects of sessions that were opened later are left alone too.
    generation: u64,
    /// Owners whose objects were listed, when not all were.
    listed: BTreeSet<Owner>,
    /// Sessions whose snapshots are looked at: each pack of theirs is referred to as a whole.
    whole: BTreeSet<String>,
    /// Objects of which nothing refers to the end, and something should.
    longer: BTreeMap<u128, String>,
    foreign: Vec<String>,
    foreign_total: u64,
    /// Unfinished uploads that nobody is at: how many, and their bytes.
    unfinished: BTreeMap<u128, u64>,
}

/// Names of foreign objects that are held.
const FOREIGN_MAX: usize = 1000;

impl Stock {
    /// At `generation`, where sessions with these tokens are open; snapshots of the sessions `whole` are looked at.
    pub(super) fn new(generation: Generation, open: BTreeSet<String>, whole: BTreeSet<String>) -> Self {
        Self { generation: generation.0, open, whole, ..Self::default() }
    }

    /// Whether the objects of an owner have to be listed yet; they count as listed from then on.
    pub(super) fn wants(&mut self, owner: &Owner) -> bool {
        self.listed.insert(owner.clone())
    }

    fn alive(&self, owner: &Owner) -> bool {
        owner.generation.0 > self.generation || self.open.contains(&owner.token)
    }

    /// Takes a listed object.
    pub(super) fn list(&mut self, listed: &Listed) {
        let key = digest(&[listed.name.as_bytes()]);
        match ObjectName::parse(&listed.name) {
            ObjectName::Page(owner) => self.listed_one(key, listed.len_bytes, &owner, true),
            ObjectName::Data(owner) => self.listed_one(key, listed.len_bytes, &owner, false),
            ObjectName::Unfinished(target) => match &*target {
                ObjectName::Page(owner) | ObjectName::Data(owner) if self.alive(owner) => {}
                ObjectName::Commit(generation) if generation.0 > self.generation => {}
                ObjectName::Identity
                | ObjectName::Commit(_)
                | ObjectName::Page(_)
                | ObjectName::Data(_)
                | ObjectName::Unfinished(_)
                | ObjectName::Foreign => {
                    self.unfinished.insert(key, listed.len_bytes);
                }
            },
            ObjectName::Identity | ObjectName::Commit(_) => {}
            ObjectName::Foreign => {
                self.foreign_total += 1;
                if self.foreign.len() < FOREIGN_MAX {
                    self.foreign.push(listed.name.clone());
                }
            }
        }
    }

    fn listed_one(&mut self, key: u128, len_bytes: u64, owner: &Owner, page: bool) {
        let alive = self.alive(owner);
        let item = self.items.entry(key).or_insert(Item::new(page));
        item.alive = alive;
        item.len_bytes = Some(len_bytes);
    }

    /// A page is referred to.
    pub(super) fn page(&mut self, name: &str) {
        if let Some(item) = self.items.get_mut(&digest(&[name.as_bytes()])) {
            item.referred = true;
        }
    }

    /// A file refers to its object.
    pub(super) fn refer(&mut self, file: &FileEntry) -> Standing {
        let end = file.offset.saturating_add(file.len_bytes);
        let exact = self.exact(file);
        let key = digest(&[file.object.as_bytes()]);
        let item = self.items.entry(key).or_insert(Item::new(false));
        item.referred = true;
        // Nobody ever reads the object for a file without bytes.
        if file.len_bytes == 0 {
            return Standing::There;
        }
        item.end = item.end.max(end);
        match item.len_bytes {
            Some(len) if len > item.end && exact => {
                self.longer.entry(key).or_insert_with(|| file.object.clone());
                Standing::There
            }
            Some(len) if len >= end => {
                self.longer.remove(&key);
                Standing::There
            }
            _ if item.finding.is_some() => Standing::Lacking,
            _ => Standing::Ask,
        }
    }

    /// What the object itself answered to [`Standing::Ask`].
    pub(super) fn asked(&mut self, case: &mut Case, of: Of<'_>, len: std::result::Result<Option<u64>, Box<Found>>) {
        let file = of.file;
        let end = file.offset.saturating_add(file.len_bytes);
        let Some(item) = self.items.get_mut(&digest(&[file.object.as_bytes()])) else { return };
        let mut found = match len {
            Err(unreadable) => *unreadable,
            Ok(None) => missing(&file.object, end),
            Ok(Some(len)) => {
                item.len_bytes = Some(len);
                if len >= end {
                    return;
                }
                Found::new(FindingKind::WrongLength, &file.object, len, at_least(end), bytes(len))
            }
        };
        found.file = Some(of.name());
        item.finding = Some(case.found(found, Hit::Page(of.page)));
    }

    /// A file's object is known to be lacking.
    pub(super) fn lacking(&self, case: &mut Case, of: Of<'_>) {
        let item = self.items.get(&digest(&[of.file.object.as_bytes()]));
        if let Some(finding) = item.and_then(|item| item.finding) {
            case.hit(finding, Hit::Page(of.page));
        }
    }

    /// Whether something refers to each byte of a file's object: of an object that is one file, and of a pack whose
    /// session's snapshot is looked at.
    fn exact(&self, file: &FileEntry) -> bool {
        match ObjectName::parse(&file.object) {
            ObjectName::Data(owner) => !is_pack(&file.object) || self.whole.contains(&owner.token),
            ObjectName::Identity
            | ObjectName::Commit(_)
            | ObjectName::Page(_)
            | ObjectName::Unfinished(_)
            | ObjectName::Foreign => false,
        }
    }

    /// How many data objects something needs.
    pub(super) fn objects(&self) -> u64 {
        self.items.values().filter(|item| item.end > 0).count() as u64
    }

    /// Notes what is only known at the end. `listed` says that all objects were listed, `read` that every page of every
    /// snapshot was read: only then is nothing of what nobody refers to of use.
    pub(super) fn finish(&self, case: &mut Case, listed: bool, read: bool) {
        for item in self.items.values() {
            if let (Some(finding), Some(_)) = (item.finding, item.len_bytes) {
                case.amend(finding, |found| found.expected = at_least(item.end));
            }
        }
        for (key, object) in &self.longer {
            let Some(item) = self.items.get(key).filter(|_| read || !is_pack(object)) else { continue };
            let found = bytes(item.len_bytes.unwrap_or_default());
            let mut longer = Found::new(FindingKind::WrongLength, object, item.end, bytes(item.end), found);
            longer.severity = Severity::Warning;
            case.add(longer);
        }
        if !listed {
            return;
        }
        for object in &self.foreign {
            case.add(Found::new(FindingKind::ForeignObject, object, 0, "objects of the repository", "another name"));
        }
        case.count(FindingKind::ForeignObject, self.foreign_total.saturating_sub(self.foreign.len() as u64));
        if !read {
            return;
        }
        let dead = |item: &&Item| !item.referred && !item.alive;
        let sum = |page: bool| {
            let dead = self.items.values().filter(dead).filter(|item| item.page == page);
            dead.fold((0, 0), |(count, sum), item| (count + 1, sum + item.len_bytes.unwrap_or_default()))
        };
        let unfinished = (self.unfinished.len() as u64, self.unfinished.values().sum());
        for (prefix, (count, sum)) in [(DATA, sum(false)), (PAGES, sum(true)), (UPLOADS, unfinished)] {
            if count > 0 {
                let expected = "what a snapshot refers to or a writer is at";
                let found = format!("{count} objects of {sum} bytes beside that");
                case.add(Found::new(FindingKind::Garbage, prefix, 0, expected, found));
            }
        }
    }
}

/// A file that refers to an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) file: &'a FileEntry,
    pub(super) tablet: u64,
    pub(super) page: NodeId,
}

impl Of<'_> {
    /// The file, as findings name it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.tablet, self.file.name)
    }
}

fn is_pack(object: &str) -> bool {
    object.rsplit('/').next().is_some_and(|name| name.starts_with("pack-"))
}

fn at_least(end: u64) -> String {
    format!("at least {end} bytes")
}

fn bytes(len: u64) -> String {
    format!("{len} bytes")
}
