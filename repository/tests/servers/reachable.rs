//! Which objects a repository consists of, found without the code that sweeps: whatever a page names, by its shape in
//! JSON as `docs/format.md` describes it, beginning with the newest commit record.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use repository::{Repository, Swept, no_progress};
use serde_json::Value;
use std::collections::BTreeSet;

/// Everything that lies at a place.
pub async fn listed(store: &dyn ObjectStore) -> BTreeSet<String> {
    store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
}

/// What has to lie there: the identity, each commit record, and whatever is reachable from the newest.
pub async fn reachable(store: &dyn ObjectStore, generation: u64) -> BTreeSet<String> {
    let record = |generation: u64| format!("commits/{:020}.json", u64::MAX - generation);
    let mut names: BTreeSet<String> = (0..=generation).map(record).collect();
    names.insert("repository.json".to_owned());
    let mut pages = Vec::new();
    // A record names its index; the summary of what it committed is in there too, if it was not dropped since.
    let head = documents(store, &record(generation)).await;
    found(&head[0]["index"], &mut pages, &mut names);
    while let Some(page) = pages.pop() {
        if names.insert(page.clone()) {
            for document in documents(store, &page).await {
                found(&document, &mut pages, &mut names);
            }
        }
    }
    names
}

/// The lines of an object, each a JSON value.
async fn documents(store: &dyn ObjectStore, name: &str) -> Vec<Value> {
    let got = store.get(&Path::from(name)).await.unwrap_or_else(|failed| panic!("{name} is reachable: {failed}"));
    let bytes = got.bytes().await.unwrap();
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap_or_else(|failed| panic!("{name}: {failed}")))
        .collect()
}

/// Takes references out of a value: to pages, which have a hash and a kind, and to data, which has chunks.
fn found(value: &Value, pages: &mut Vec<String>, data: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let (Some(Value::String(name)), Some(_), Some(_)) =
                (fields.get("name"), fields.get("hash"), fields.get("kind"))
            {
                pages.push(name.clone());
            }
            if let (Some(Value::String(object)), Some(_)) = (fields.get("object"), fields.get("chunks")) {
                data.insert(object.clone());
            }
            for field in fields.values() {
                found(field, pages, data);
            }
        }
        Value::Array(items) => {
            for item in items {
                found(item, pages, data);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Sweeps by a fresh plan.
pub async fn sweep(repository: &Repository) -> Swept {
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap()
}

/// Holds a repository that nobody uses, and that was swept, to consist of what is reachable and nothing else.
pub async fn no_garbage_and_nothing_lost(store: &dyn ObjectStore, generation: u64) {
    let (listed, reachable) = (listed(store).await, reachable(store, generation).await);
    let lost: Vec<&String> = reachable.difference(&listed).collect();
    let garbage: Vec<&String> = listed.difference(&reachable).collect();
    assert!(lost.is_empty(), "reachable and not there: {lost:?}");
    assert!(garbage.is_empty(), "there and not reachable after the last sweep: {garbage:?}");
}
