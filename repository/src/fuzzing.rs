//! Doors for the fuzz targets: bytes from outside go into the private readers, and what must hold of what comes out is
//! asserted here. Always compiled, for behind a feature the workspace and the binary would be two builds of every crate
//! above this one.

use crate::error::Result;
use crate::fold;
use crate::index;
use crate::manifest::{SnapshotRoot, SnapshotSummary, TableManifest, TabletEntry};
use crate::names::{self, Generation, ObjectName, Owner, SessionId};
use crate::objects::{Objects, Put};
use crate::page::{self, PageKind, PageRef};
use crate::record::{Identity, Record};
use bytes::Bytes;
use object_store::memory::InMemory;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

fn owner() -> Owner {
    Owner { generation: Generation(7), token: "0123456789abcdef0123456789abcdef".to_owned() }
}

/// A sealed document with any first line, its hash right.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    bytes.extend_from_slice(format!("\n{{\"blake3\":\"{}\"}}\n", blake3::hash(body).to_hex()).as_bytes());
    bytes
}

/// Commit records: one to a line, as they are and with a right seal. What can be read is written and read back alike.
pub fn record(data: &[u8]) {
    drop(Record::unseal("record", Generation::GENESIS, data));
    let mut log = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let bytes = sealed(line);
        let Ok((read, hash)) = page::unseal::<Record>("record", &bytes) else { continue };
        let name = names::commit_name(read.generation);
        assert!(Record::unseal(&name, read.generation, &bytes).is_ok(), "{read:?}");
        assert!(Record::unseal(&name, read.generation.next(), &bytes).is_err() || read.generation.0 == u64::MAX);
        if let Ok((again, again_hash)) = read.seal() {
            let back = Record::unseal(&name, read.generation, &again);
            assert!(back.is_ok_and(|back| back == (read.clone(), again_hash)), "{read:?}");
        }
        log.push((read, hash));
    }
    let folded = fold::verify(log.iter().map(|(record, hash)| (record, hash.as_str())));
    if let Ok(state) = folded {
        assert!(state.sessions.len() <= fold::SESSIONS_MAX);
        assert!(state.snapshots.keys().all(|label| fold::check_label(label).is_ok()));
    }
}

/// `repository.json`, as it is and with a right seal.
pub fn identity(data: &[u8]) {
    drop(page::unseal::<Identity>(names::IDENTITY, data));
    let body = data.strip_suffix(b"\n").unwrap_or(data);
    let Ok((read, _)) = page::unseal::<Identity>(names::IDENTITY, &sealed(body)) else { return };
    drop(read.check(names::IDENTITY));
    let back = page::seal(&read).and_then(|(bytes, _)| page::unseal::<Identity>(names::IDENTITY, &bytes));
    assert!(back.is_ok_and(|(back, _)| back == read), "{read:?}");
}

/// A page whose reference is right: the first byte says of which kind. What can be read is written and read back alike.
pub fn page(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 4 {
        0 => document::<Vec<SnapshotSummary>>(PageKind::IndexLeaf, bytes),
        1 => document::<SnapshotRoot>(PageKind::Snapshot, bytes),
        2 => document::<TableManifest>(PageKind::Table, bytes),
        _ => tablets(bytes),
    }
}

fn document<T: Serialize + DeserializeOwned + PartialEq + Debug>(kind: PageKind, bytes: &[u8]) {
    let Ok(page) = PageRef::of(&owner(), kind, bytes) else { return };
    assert!(page.check(kind).is_ok());
    let Ok(read) = page::decode::<T>(&page, kind, bytes) else { return };
    let again = || -> Result<T> {
        let bytes = page::encode(kind, &read)?;
        page::decode(&PageRef::of(&owner(), kind, &bytes)?, kind, &bytes)
    };
    assert!(has_float(&read) || again().is_ok_and(|again| again == read), "{read:?}");
}

/// A number with a point, in what is opaque to the repository, may come back with another last digit.
fn has_float(read: &impl Serialize) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(values) => values.iter().any(holds),
            Value::Object(fields) => fields.values().any(holds),
            Value::Null | Value::Bool(_) | Value::String(_) => false,
        }
    }
    serde_json::to_value(read).is_ok_and(|value| holds(&value))
}

fn tablets(bytes: &[u8]) {
    let kind = PageKind::Tablets;
    let Ok(page) = PageRef::of(&owner(), kind, bytes) else { return };
    let Ok(read) = page::decode_lines::<TabletEntry>(&page, kind, &Bytes::copy_from_slice(bytes)) else { return };
    let read: Vec<TabletEntry> = read.into_iter().map(|(_offset, entry)| entry).collect();
    for file in read.iter().flat_map(|entry| &entry.files) {
        drop(file.check());
    }
    let again = || -> Result<Vec<TabletEntry>> {
        let mut lines = page::Lines::new(kind);
        for entry in &read {
            lines.push(entry)?;
        }
        let bytes = lines.take();
        let lines = page::decode_lines(&PageRef::of(&owner(), kind, &bytes)?, kind, &bytes)?;
        Ok(lines.into_iter().map(|(_offset, entry)| entry).collect())
    };
    // Of no lines there is no page.
    assert!(read.is_empty() || has_float(&read) || again().is_ok_and(|again| again == read), "{read:?}");
}

/// A snapshot index: an inner page over pages that are given, one to a line, each under its right name. A tree that can
/// be read can be written anew, and then holds the same rows.
pub async fn index(data: &[u8]) {
    let objects = Objects::new(Arc::new(InMemory::new()));
    let mut children = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let leaf = line.windows(10).any(|word| word == b"index-leaf");
        let kind = if leaf { PageKind::IndexLeaf } else { PageKind::IndexInner };
        let Ok(page) = PageRef::of(&owner(), kind, line) else { return };
        put(&objects, &page, Bytes::copy_from_slice(line)).await;
        children.push(serde_json::json!({ "first": format!("{}", children.len()), "page": page }));
    }
    let Ok(bytes) = page::encode(PageKind::IndexInner, &children) else { return };
    let Ok(root) = PageRef::of(&owner(), PageKind::IndexInner, &bytes) else { return };
    put(&objects, &root, bytes).await;
    for label in ["", "1", "label", "\u{10ffff}"] {
        if let Ok(branch) = index::branch(&objects, Some(&root), label).await {
            assert!(branch.rows.is_sorted_by(|a, b| a.label < b.label));
        }
    }
    let Ok(rows) = index::scan(&objects, Some(&root), &mut BTreeSet::new()).await else { return };
    let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.label.clone(), row)).collect();
    let rows: Vec<SnapshotSummary> = rows.into_values().collect();
    let Ok(rewritten) = index::Branch::default().with_rows(&rows, &owner()) else { return };
    for (page, bytes) in rewritten.pages {
        put(&objects, &page, bytes).await;
    }
    let again = index::scan(&objects, rewritten.root.as_ref(), &mut BTreeSet::new()).await;
    assert!(again.is_ok_and(|again| again == rows), "{rows:?}");
}

async fn put(objects: &Objects, page: &PageRef, bytes: Bytes) {
    let put = objects.put_own(&page.name, bytes.into()).await;
    assert!(matches!(put, Ok(Put::Made | Put::Exists)));
}

/// Names of objects and sessions: what one says is what it was made of.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_name(text, &ObjectName::parse(text));
    if let Ok(id) = text.parse::<SessionId>() {
        assert_eq!(id.to_string(), text);
    }
    if names::is_file_name(text) {
        let object = owner().data(text);
        assert_eq!(ObjectName::parse(&object), ObjectName::Data(owner()));
        assert_eq!(
            ObjectName::parse(&names::upload_name(&object)),
            ObjectName::Unfinished(Box::new(ObjectName::Data(owner())))
        );
    }
}

fn check_name(text: &str, name: &ObjectName) {
    match name {
        ObjectName::Identity => assert_eq!(text, names::IDENTITY),
        ObjectName::Commit(generation) => assert_eq!(text, names::commit_name(*generation)),
        ObjectName::Page(owner) => assert!(text.starts_with(&owner.page("")), "{text}"),
        ObjectName::Data(owner) => assert!(text.starts_with(&owner.data("")), "{text}"),
        ObjectName::Unfinished(target) => {
            let inner = text.strip_prefix(".uploads/").and_then(|text| text.rsplit_once('.'));
            let inner = inner.map(|(inner, _)| inner.replace('+', "/")).unwrap_or_default();
            check_name(&inner, target);
        }
        ObjectName::Foreign => {}
    }
}
