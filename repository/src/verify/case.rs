//! What was found, and whom it hits. Pure.
//!
//! Snapshots share pages, so a page is looked at once and what is wrong with it is traced upwards: from a page of
//! tablets to the tables that refer to it, from these to the roots, from these to the snapshots. Memory: for each
//! different page some 100 bytes and 4 for each reference to it; for each kept finding 4 for each page that it hits.

use super::report::{Finding, FindingKind, NAMED_MAX, Severity, SnapshotVerdict, Verdict};
pub(super) use crate::checksum::digest;
use crate::manifest::SnapshotSummary;
use crate::page::{PageKind, PageRef};
use std::collections::{BTreeMap, BTreeSet};

/// So many foreign objects are kept by name.
const FOREIGN_MAX: u64 = 100;

/// A page, by its position in the order of discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

/// A snapshot, by its position in the order of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SnapshotId(u32);

/// Something wrong, before it is known whom it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: FindingKind,
    pub(super) severity: Severity,
    pub(super) object: String,
    pub(super) offset: u64,
    pub(super) file: Option<String>,
    pub(super) expected: String,
    pub(super) there: String,
}

impl Found {
    pub(super) fn new(
        kind: FindingKind,
        object: impl Into<String>,
        offset: u64,
        expected: impl Into<String>,
        there: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            object: object.into(),
            offset,
            file: None,
            expected: expected.into(),
            there: there.into(),
        }
    }
}

/// What a finding is wrong for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hit {
    /// Nobody can open the repository as long as it is so.
    All,
    Snapshot(SnapshotId),
    Page(NodeId),
}

/// A finding, to say of later whom else it hits.
#[derive(Debug, Clone, Copy)]
pub(super) struct FindingId {
    /// None when there were too many to keep it.
    kept: Option<u32>,
    mark: Verdict,
}

/// What the tablets of a page add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) tablets: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// One more than the greatest bucket; 0 when there is no tablet.
    pub(super) buckets: u64,
}

#[derive(Debug)]
struct Node {
    kind: PageKind,
    mark: Verdict,
    /// Of a root the snapshots, of a table the roots, of a page of tablets the tables.
    parents: Vec<u32>,
    /// Of a root: its tables by name.
    tables: Vec<(String, NodeId)>,
    /// Of a page of tablets, once it was read.
    sums: Option<Sums>,
}

#[derive(Debug)]
struct Snapshot {
    label: String,
    timestamp: String,
    database: String,
    tables: u64,
    mark: Verdict,
}

#[derive(Debug)]
struct Kept {
    found: Found,
    hits: Vec<Hit>,
}

/// Everything that is known so far.
#[derive(Debug)]
pub(super) struct Case {
    nodes: Vec<Node>,
    by_page: BTreeMap<u128, NodeId>,
    snapshots: Vec<Snapshot>,
    all: Verdict,
    /// Of all findings, kept or not.
    worst: Verdict,
    /// Snapshots that do not count any more.
    forgotten: BTreeSet<u32>,
    kept: Vec<Kept>,
    kept_max: usize,
    foreign: u64,
    kinds: BTreeMap<FindingKind, u64>,
}

fn key(page: &PageRef) -> u128 {
    let kind = page.kind.to_string();
    digest(&[
        page.name.as_bytes(),
        page.hash.as_bytes(),
        kind.as_bytes(),
        &page.len_bytes.to_le_bytes(),
        &page.format.to_le_bytes(),
    ])
}

fn mark_of(kind: FindingKind, severity: Severity) -> Verdict {
    match (kind, severity) {
        (_, Severity::Note | Severity::Warning) => Verdict::Sound,
        (FindingKind::NewerFormat | FindingKind::Unreadable, Severity::Error) => Verdict::NotChecked,
        (_, Severity::Error) => Verdict::Damaged,
    }
}

impl Case {
    pub(super) fn new(kept_max: usize) -> Self {
        Self {
            nodes: Vec::new(),
            by_page: BTreeMap::new(),
            snapshots: Vec::new(),
            all: Verdict::Sound,
            worst: Verdict::Sound,
            forgotten: BTreeSet::new(),
            kept: Vec::new(),
            kept_max,
            foreign: 0,
            kinds: BTreeMap::new(),
        }
    }

    /// Adds a snapshot, in the order of labels.
    pub(super) fn snapshot(&mut self, summary: &SnapshotSummary) -> SnapshotId {
        let id = SnapshotId(u32::try_from(self.snapshots.len()).unwrap_or(u32::MAX));
        self.snapshots.push(Snapshot {
            label: summary.label.clone(),
            timestamp: summary.timestamp.clone(),
            database: summary.database.clone(),
            tables: summary.tables,
            mark: Verdict::Sound,
        });
        id
    }

    /// The page that `page` refers to, when it is known. Two references that disagree on anything are two pages.
    pub(super) fn known(&self, page: &PageRef) -> Option<NodeId> {
        self.by_page.get(&key(page)).copied()
    }

    /// The page that `page` refers to, and whether it is new.
    fn node(&mut self, page: &PageRef) -> (NodeId, bool) {
        let key = key(page);
        if let Some(known) = self.by_page.get(&key) {
            return (*known, false);
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node {
            kind: page.kind,
            mark: Verdict::Sound,
            parents: Vec::new(),
            tables: Vec::new(),
            sums: None,
        });
        self.by_page.insert(key, id);
        (id, true)
    }

    fn at(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    fn at_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// The root page of a snapshot, and whether it is new.
    pub(super) fn root(&mut self, snapshot: SnapshotId, page: &PageRef) -> (NodeId, bool) {
        let (id, new) = self.node(page);
        if let Some(node) = self.at_mut(id) {
            node.parents.push(snapshot.0);
        }
        (id, new)
    }

    /// The page of a root's table, and whether it is new.
    pub(super) fn table(&mut self, root: NodeId, name: &str, page: &PageRef) -> (NodeId, bool) {
        let (id, new) = self.child(root, page);
        if let Some(node) = self.at_mut(root) {
            node.tables.push((name.to_owned(), id));
        }
        (id, new)
    }

    /// A page below another, and whether it is new.
    pub(super) fn child(&mut self, parent: NodeId, page: &PageRef) -> (NodeId, bool) {
        let (id, new) = self.node(page);
        if let Some(node) = self.at_mut(id)
            && node.parents.last() != Some(&parent.0)
        {
            node.parents.push(parent.0);
        }
        (id, new)
    }

    /// How many different pages there are.
    pub(super) fn pages(&self) -> u64 {
        self.nodes.len() as u64
    }

    pub(super) fn set_sums(&mut self, page: NodeId, sums: Sums) {
        if let Some(node) = self.at_mut(page) {
            node.sums = Some(sums);
        }
    }

    /// What pages add up to; none when one of them was not read.
    pub(super) fn sums(&self, pages: &[NodeId]) -> Option<Sums> {
        pages.iter().try_fold(Sums::default(), |sum, page| {
            let of = self.at(*page)?.sums?;
            Some(Sums {
                tablets: sum.tablets.saturating_add(of.tablets),
                files: sum.files.saturating_add(of.files),
                bytes: sum.bytes.saturating_add(of.bytes),
                buckets: sum.buckets.max(of.buckets),
            })
        })
    }

    /// Notes something.
    pub(super) fn add(&mut self, found: Found) -> FindingId {
        *self.kinds.entry(found.kind).or_default() += 1;
        let mark = mark_of(found.kind, found.severity);
        self.worst = self.worst.max(mark);
        if found.kind == FindingKind::ForeignObject {
            self.foreign += 1;
        }
        if self.kept.len() >= self.kept_max || (found.kind == FindingKind::ForeignObject && self.foreign > FOREIGN_MAX)
        {
            return FindingId { kept: None, mark };
        }
        let kept = u32::try_from(self.kept.len()).ok();
        self.kept.push(Kept { found, hits: Vec::new() });
        FindingId { kept, mark }
    }

    /// Counts further findings of which nothing is kept.
    pub(super) fn count(&mut self, kind: FindingKind, more: u64) {
        if more > 0 {
            *self.kinds.entry(kind).or_default() += more;
        }
    }

    /// Notes something with the one that it hits.
    pub(super) fn found(&mut self, found: Found, hit: Hit) -> FindingId {
        let id = self.add(found);
        self.hit(id, hit);
        id
    }

    /// Says whom a finding hits.
    pub(super) fn hit(&mut self, id: FindingId, hit: Hit) {
        match hit {
            Hit::All => self.all = self.all.max(id.mark),
            Hit::Snapshot(snapshot) => {
                if let Some(snapshot) = self.snapshots.get_mut(snapshot.0 as usize) {
                    snapshot.mark = snapshot.mark.max(id.mark);
                }
            }
            Hit::Page(page) => {
                if let Some(node) = self.at_mut(page) {
                    node.mark = node.mark.max(id.mark);
                }
            }
        }
        if let Some(kept) = id.kept.and_then(|kept| self.kept.get_mut(kept as usize))
            && kept.hits.last() != Some(&hit)
        {
            kept.hits.push(hit);
        }
    }

    /// Leaves a snapshot out: it was dropped meanwhile.
    pub(super) fn forget(&mut self, snapshot: SnapshotId) {
        self.forgotten.insert(snapshot.0);
    }

    /// Of everything that was looked at.
    pub(super) fn verdict(&self) -> Verdict {
        if self.forgotten.is_empty() {
            return self.worst;
        }
        let marks = self.findings().into_iter().map(|finding| mark_of(finding.kind, finding.severity));
        marks.max().unwrap_or(Verdict::Sound)
    }

    /// Corrects a finding once more is known.
    pub(super) fn amend(&mut self, id: FindingId, change: impl FnOnce(&mut Found)) {
        if let Some(kept) = id.kept.and_then(|kept| self.kept.get_mut(kept as usize)) {
            change(&mut kept.found);
        }
    }

    /// Whether nobody can open the repository as it is.
    pub(super) fn is_shut(&self) -> bool {
        self.all > Verdict::Sound
    }

    /// Whether any of these was found.
    pub(super) fn any(&self, kinds: &[FindingKind]) -> bool {
        kinds.iter().any(|kind| self.kinds.contains_key(kind))
    }

    /// All pages of tablets that were read, in the order of discovery.
    pub(super) fn is_read(&self, page: NodeId) -> bool {
        self.at(page).is_some_and(|node| node.sums.is_some())
    }

    /// How many findings of each kind there were.
    pub(super) fn kinds(&self) -> BTreeMap<FindingKind, u64> {
        self.kinds.clone()
    }

    /// The marks of tables, by page: their own and those of their pages of tablets.
    fn table_marks(&self) -> Vec<Verdict> {
        let mut marks: Vec<Verdict> = self.nodes.iter().map(|node| node.mark).collect();
        for node in self.nodes.iter().filter(|node| node.kind == PageKind::Tablets && node.mark > Verdict::Sound) {
            for parent in &node.parents {
                if let Some(mark) = marks.get_mut(*parent as usize) {
                    *mark = (*mark).max(node.mark);
                }
            }
        }
        marks
    }

    /// What is known of each snapshot, in the order of labels.
    pub(super) fn verdicts(&self) -> Vec<SnapshotVerdict> {
        let marks = self.table_marks();
        let mut verdicts: Vec<(Verdict, BTreeSet<&str>)> =
            self.snapshots.iter().map(|snapshot| (snapshot.mark.max(self.all), BTreeSet::new())).collect();
        for root in self.nodes.iter().filter(|node| node.kind == PageKind::Snapshot) {
            let of = |id: &NodeId| marks.get(id.0 as usize).copied().unwrap_or(Verdict::Sound);
            let hit: BTreeSet<&str> = root
                .tables
                .iter()
                .filter(|(_, table)| of(table) > Verdict::Sound)
                .map(|(name, _)| name.as_str())
                .collect();
            let worst = root.tables.iter().map(|(_, table)| of(table)).max().unwrap_or(Verdict::Sound);
            for snapshot in &root.parents {
                if let Some(verdict) = verdicts.get_mut(*snapshot as usize) {
                    verdict.0 = verdict.0.max(root.mark).max(worst);
                    verdict.1.extend(&hit);
                }
            }
        }
        let verdict = |(snapshot, (verdict, hit)): (&Snapshot, (Verdict, BTreeSet<&str>))| SnapshotVerdict {
            label: snapshot.label.clone(),
            timestamp: snapshot.timestamp.clone(),
            database: snapshot.database.clone(),
            verdict,
            tables: snapshot.tables,
            tables_hit: hit.iter().take(NAMED_MAX).map(|&name| name.to_owned()).collect(),
            tables_hit_total: hit.len() as u64,
            advice: super::advice::of_snapshot(verdict, hit.len() as u64, snapshot.tables),
        };
        let all = self.snapshots.iter().zip(verdicts).zip(0..);
        all.filter(|(_, id)| !self.forgotten.contains(id)).map(|(of, _)| verdict(of)).collect()
    }

    /// The kept findings with whom they hit, the worst first.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.kept.iter().filter_map(|kept| self.traced(kept)).collect();
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.kind);
            key(a).cmp(&key(b)).then_with(|| a.object.cmp(&b.object)).then_with(|| a.offset.cmp(&b.offset))
        });
        findings
    }

    /// None when only forgotten snapshots are hit.
    fn traced(&self, kept: &Kept) -> Option<Finding> {
        let mut snapshots: BTreeSet<u32> = BTreeSet::new();
        // (root, table) pairs.
        let mut tables: BTreeSet<(u32, u32)> = BTreeSet::new();
        for hit in &kept.hits {
            match hit {
                Hit::All => snapshots.extend((0..).take(self.snapshots.len())),
                Hit::Snapshot(snapshot) => {
                    snapshots.insert(snapshot.0);
                }
                Hit::Page(page) => self.trace(page.0, &mut snapshots, &mut tables),
            }
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        for (root, table) in tables {
            let Some(node) = self.nodes.get(root as usize) else { continue };
            snapshots.extend(&node.parents);
            let database = node.parents.first().and_then(|of| self.snapshots.get(*of as usize));
            let database = database.map_or("", |snapshot| snapshot.database.as_str());
            let of_page = node.tables.iter().filter(|(_, id)| id.0 == table);
            names.extend(of_page.map(|(name, _)| format!("{database}.{name}")));
        }
        if !snapshots.is_empty() && snapshots.is_subset(&self.forgotten) {
            return None;
        }
        snapshots.retain(|snapshot| !self.forgotten.contains(snapshot));
        let labels = snapshots.iter().filter_map(|id| self.snapshots.get(*id as usize));
        let Found { kind, severity, object, offset, file, expected, there } = kept.found.clone();
        let everybody = kept.hits.contains(&Hit::All);
        Some(Finding {
            kind,
            severity,
            offset,
            file,
            expected,
            found: there,
            snapshots: labels.take(NAMED_MAX).map(|snapshot| snapshot.label.clone()).collect(),
            snapshots_total: snapshots.len() as u64,
            tables_total: names.len() as u64,
            tables: names.into_iter().take(NAMED_MAX).collect(),
            advice: super::advice::of_finding(kind, severity, &object, everybody, snapshots.len()),
            object,
        })
    }

    fn trace(&self, page: u32, snapshots: &mut BTreeSet<u32>, tables: &mut BTreeSet<(u32, u32)>) {
        let Some(node) = self.nodes.get(page as usize) else { return };
        match node.kind {
            PageKind::Snapshot => snapshots.extend(&node.parents),
            PageKind::Table => tables.extend(node.parents.iter().map(|root| (*root, page))),
            PageKind::Tablets => {
                for table in &node.parents {
                    let roots = self.nodes.get(*table as usize).map_or(&[][..], |table| &table.parents);
                    tables.extend(roots.iter().map(|root| (*root, *table)));
                }
            }
            PageKind::IndexLeaf | PageKind::IndexInner => {}
        }
    }
}
