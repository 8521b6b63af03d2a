//! What every [`MetaStore`] must do. Run on each implementation, and on the models of those, so that none drifts.
//!
//! A broken promise is a panic that says which; this module is for tests. It writes only under the given prefix, but it
//! compacts the store's whole history, so the store must be one for tests.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a broken promise is a panic")]

use crate::error::{Error, ErrorKind, Result};
use crate::store::{At, Batch, Entry, Event, Guard, KEY_BYTES_MAX, MetaStore, Revision, VALUE_BYTES_MAX, Watch, Write};
use bytes::Bytes;
use env::rt::Duration;
use env::rt::time::timeout;
use futures::future::join_all;

/// Longer than any store takes for one call, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks all promises of the contract. `prefix` must be fresh and should end with `/`.
///
/// # Panics
/// When one is broken.
pub async fn check(store: &dyn MetaStore, prefix: &str) {
    let case = |name: &str| Case { store, prefix: format!("{prefix}{name}/") };
    create_if_absent(&case("create")).await;
    unchanged_guards(&case("unchanged")).await;
    conflicts_write_nothing(&case("conflict")).await;
    deleting_and_making_again(&case("again")).await;
    transactions_without_effect(&case("empty")).await;
    refused_transactions(&case("refused")).await;
    values_of_all_kinds(&case("values")).await;
    reads_at_old_revisions(&case("old")).await;
    scans_of_prefixes(&case("scan")).await;
    pages_of_one_state(&case("pages")).await;
    watches_replay_and_follow(&case("watch")).await;
    watches_of_neighbours(&case("neighbour")).await;
    racing_transactions(&case("race")).await;
    compaction(&case("compact")).await;
}

/// The store and a part of it that one check has for itself.
struct Case<'a> {
    store: &'a dyn MetaStore,
    prefix: String,
}

impl Case<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn put(&self, name: &str, value: &str) -> Write {
        Write::Put { key: self.key(name), value: Bytes::copy_from_slice(value.as_bytes()) }
    }

    fn delete(&self, name: &str) -> Write {
        Write::Delete { key: self.key(name) }
    }

    fn absent(&self, name: &str) -> Guard {
        Guard::Absent(self.key(name))
    }

    fn unchanged(&self, name: &str, modified: Revision) -> Guard {
        Guard::Unchanged { key: self.key(name), modified }
    }

    async fn commit(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Revision> {
        timeout(PATIENCE, self.store.commit(guards, writes)).await.unwrap()
    }

    /// A transaction that must succeed.
    async fn write(&self, writes: Vec<Write>) -> Revision {
        self.commit(vec![], writes).await.unwrap()
    }

    async fn get(&self, name: &str, at: At) -> Option<Entry> {
        self.store.get(&self.key(name), at).await.unwrap()
    }

    async fn text(&self, name: &str, at: At) -> Option<String> {
        self.get(name, at).await.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
    }

    /// All names and values at one state, in pages of `limit`.
    async fn all(&self, at: At, limit: usize) -> Vec<(String, String)> {
        let (mut found, mut start, mut at) = (Vec::new(), None, at);
        loop {
            let page = self.store.scan(&self.prefix, start.as_deref(), limit, at).await.unwrap();
            assert!(page.entries.len() <= limit, "a page holds at most its limit");
            for entry in page.entries {
                let name = entry.key.strip_prefix(&self.prefix).unwrap().to_owned();
                found.push((name, String::from_utf8(entry.value.to_vec()).unwrap()));
            }
            at = At::Revision(page.revision);
            start = page.next;
            if start.is_none() {
                return found;
            }
        }
    }

    async fn watch(&self, after: Revision) -> Watch {
        self.store.watch(&self.prefix, after).await.unwrap()
    }

    fn event(&self, name: &str, value: Option<&str>) -> Event {
        Event { key: self.key(name), value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())) }
    }

    /// Asserts that `result` is a conflict about `name`.
    fn conflict_about(&self, name: &str, result: Result<Revision>) {
        match result {
            Err(Error::Conflict { key, .. }) => assert_eq!(key, self.key(name), "a conflict names the key"),
            other => panic!("expected a conflict about {name}, got {other:?}"),
        }
    }
}

/// Names with their values.
type Names = &'static [(&'static str, &'static str)];

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn next(watch: &mut Watch) -> Batch {
    timeout(PATIENCE, watch.next()).await.unwrap().unwrap()
}

async fn create_if_absent(case: &Case<'_>) {
    assert_eq!(case.get("k", At::Latest).await, None);
    let before = case.store.revision().await.unwrap();
    let made = case.commit(vec![case.absent("k")], vec![case.put("k", "1")]).await.unwrap();
    assert!(made > before, "a change makes a new revision");
    assert!(case.store.revision().await.unwrap() >= made, "what is acknowledged is visible");
    let entry = case.get("k", At::Latest).await.unwrap();
    assert_eq!((&entry.value[..], entry.created, entry.modified), (&b"1"[..], made, made));
    assert_eq!(case.get("k", At::Revision(made)).await.unwrap(), entry, "its own revision shows it");
    case.conflict_about("k", case.commit(vec![case.absent("k")], vec![case.put("k", "2")]).await);
    assert_eq!(case.get("k", At::Latest).await.unwrap(), entry, "a conflict changes nothing");
}

async fn unchanged_guards(case: &Case<'_>) {
    let first = case.write(vec![case.put("k", "1")]).await;
    case.conflict_about("k", case.commit(vec![case.unchanged("k", Revision(first.0 - 1))], vec![]).await);
    let second = case.commit(vec![case.unchanged("k", first)], vec![case.put("k", "2")]).await.unwrap();
    assert!(second > first);
    let entry = case.get("k", At::Latest).await.unwrap();
    assert_eq!((entry.created, entry.modified), (first, second), "writing keeps the time of creation");
    case.conflict_about("k", case.commit(vec![case.unchanged("k", first)], vec![case.put("k", "x")]).await);
    case.conflict_about("none", case.commit(vec![case.unchanged("none", second)], vec![case.put("k", "x")]).await);
    // The same bytes again are a change too.
    let third = case.commit(vec![case.unchanged("k", second)], vec![case.put("k", "2")]).await.unwrap();
    assert_eq!(case.get("k", At::Latest).await.unwrap().modified, third);
    // A guard need not be about what is written.
    case.commit(vec![case.unchanged("k", third), case.absent("none")], vec![case.put("other", "3")]).await.unwrap();
    assert_eq!(case.get("k", At::Latest).await.unwrap().modified, third, "other keys' writes do not touch it");
}

async fn conflicts_write_nothing(case: &Case<'_>) {
    let first = case.write(vec![case.put("a", "1"), case.put("b", "1")]).await;
    let a = case.get("a", At::Latest).await.unwrap();
    assert_eq!((a.modified, case.get("b", At::Latest).await.unwrap().modified), (first, first), "one revision for all");
    case.write(vec![case.put("b", "2")]).await;
    let guards = vec![case.unchanged("a", first), case.unchanged("b", first), case.absent("c")];
    let writes = vec![case.put("a", "x"), case.delete("b"), case.put("c", "x")];
    case.conflict_about("b", case.commit(guards, writes).await);
    assert_eq!(case.all(At::Latest, 10).await, pairs(&[("a", "1"), ("b", "2")]), "all or nothing");
}

async fn deleting_and_making_again(case: &Case<'_>) {
    let first = case.write(vec![case.put("k", "1")]).await;
    let gone = case.write(vec![case.delete("k")]).await;
    assert!(gone > first, "a deletion is a change");
    assert_eq!(case.get("k", At::Latest).await, None);
    assert_eq!(case.get("k", At::Revision(gone)).await, None);
    case.conflict_about("k", case.commit(vec![case.unchanged("k", first)], vec![case.put("k", "x")]).await);
    case.conflict_about("k", case.commit(vec![case.unchanged("k", gone)], vec![case.put("k", "x")]).await);
    let again = case.commit(vec![case.absent("k")], vec![case.put("k", "2")]).await.unwrap();
    let entry = case.get("k", At::Latest).await.unwrap();
    assert_eq!((entry.created, entry.modified), (again, again), "a new key has a new time of creation");
    assert_eq!(case.get("k", At::Revision(first)).await.unwrap().created, first);
}

async fn transactions_without_effect(case: &Case<'_>) {
    let first = case.write(vec![case.put("k", "1")]).await;
    let mut watch = case.watch(first).await;
    assert!(case.write(vec![]).await >= first, "an empty transaction tells the newest revision");
    assert!(case.commit(vec![case.unchanged("k", first), case.absent("none")], vec![]).await.unwrap() >= first);
    case.conflict_about("k", case.commit(vec![case.absent("k")], vec![]).await);
    case.conflict_about("k", case.commit(vec![case.unchanged("k", Revision(first.0 + 1))], vec![]).await);
    assert!(case.write(vec![case.delete("none")]).await >= first, "deleting what is not there is fine");
    let told = case.store.revision().await.unwrap();
    let second = case.write(vec![case.delete("none"), case.put("k", "2")]).await;
    assert!(second > told);
    let batch = next(&mut watch).await;
    assert_eq!(batch, Batch { revision: second, events: vec![case.event("k", Some("2"))] }, "nothing happened before");
}

async fn refused_transactions(case: &Case<'_>) {
    let long = |bytes: usize| "k".repeat(bytes);
    let large = Write::Put { key: case.key("k"), value: vec![0; VALUE_BYTES_MAX + 1].into() };
    let refused: [(Vec<Guard>, Vec<Write>); 6] = [
        (vec![], vec![case.put("k", "1"), case.put("k", "2")]),
        (vec![], vec![case.put("k", "1"), case.delete("k")]),
        (vec![], vec![case.put("k", "1"), Write::Put { key: String::new(), value: Bytes::new() }]),
        (vec![Guard::Absent(String::new())], vec![case.put("k", "1")]),
        (vec![], vec![case.put("k", "1"), Write::Delete { key: long(KEY_BYTES_MAX + 1) }]),
        (vec![], vec![case.put("l", "1"), large]),
    ];
    for (guards, writes) in refused {
        let failed = case.commit(guards, writes).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Invalid, "{failed}");
    }
    assert_eq!(case.all(At::Latest, 10).await, pairs(&[]), "a refused transaction writes nothing");
}

async fn values_of_all_kinds(case: &Case<'_>) {
    let large: Vec<u8> = (0_u32..1 << 20).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    let values = [("empty", vec![]), ("bytes", vec![0, 255, 0, 13, 10]), ("large", large)];
    let writes = values.iter().map(|(name, value)| Write::Put { key: case.key(name), value: value.clone().into() });
    let made = case.write(writes.collect()).await;
    for (name, value) in &values {
        assert_eq!(&case.get(name, At::Revision(made)).await.unwrap().value[..], &value[..]);
    }
    case.write(vec![case.put("large", "small now")]).await;
    assert_eq!(case.get("large", At::Revision(made)).await.unwrap().value.len(), 1 << 20);
    let batch = next(&mut case.watch(Revision(made.0 - 1)).await).await;
    assert_eq!(batch.events.len(), 3);
    assert_eq!(batch.events[1].value.as_ref().map(Bytes::len), Some(0), "an empty value is not a deletion");
    // As many keys as the most careful back end takes at once.
    let hundred: Vec<Write> = (0..100).map(|i| case.put(&format!("many{i:03}"), "x")).collect();
    let made = case.write(hundred).await;
    assert_eq!(next(&mut case.watch(Revision(made.0 - 1)).await).await.events.len(), 100);
}

async fn reads_at_old_revisions(case: &Case<'_>) {
    let mut states = vec![(case.store.revision().await.unwrap(), pairs(&[]))];
    let steps: [(Vec<Write>, Names); 6] = [
        (vec![case.put("b", "1")], &[("b", "1")]),
        (vec![case.put("a", "1"), case.put("c", "1")], &[("a", "1"), ("b", "1"), ("c", "1")]),
        (vec![case.put("b", "2"), case.delete("a")], &[("b", "2"), ("c", "1")]),
        (vec![case.delete("b"), case.delete("c")], &[]),
        (vec![case.put("a", "3"), case.put("c", "3")], &[("a", "3"), ("c", "3")]),
        (vec![case.put("a", "4")], &[("a", "4"), ("c", "3")]),
    ];
    for (writes, expected) in steps {
        states.push((case.write(writes).await, pairs(expected)));
    }
    for (revision, expected) in &states {
        for limit in [1, 2, 10] {
            assert_eq!(&case.all(At::Revision(*revision), limit).await, expected, "scan at revision {revision}");
        }
        for name in ["a", "b", "c"] {
            let value = expected.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
            assert_eq!(case.text(name, At::Revision(*revision)).await, value, "{name} at revision {revision}");
        }
    }
    assert_eq!(case.get("c", At::Latest).await.unwrap().modified, states[5].0);
    let future = At::Revision(Revision(case.store.revision().await.unwrap().0 + 1_000_000));
    let failed = case.store.get(&case.key("a"), future).await.unwrap_err();
    assert!(matches!(failed, Error::FutureRevision { .. }), "{failed:?}");
    let failed = case.store.scan(&case.prefix, None, 1, future).await.unwrap_err();
    assert!(matches!(failed, Error::FutureRevision { .. }), "{failed:?}");
}

async fn scans_of_prefixes(case: &Case<'_>) {
    // '.' is before '/' and '0' after it; the last two are beyond ASCII.
    let names = ["p", "p.", "p/", "p/1", "p/10", "p/2", "p0", "q/\u{e9}", "q/\u{1f9ff}"];
    case.write(names.iter().map(|name| case.put(name, "x")).collect()).await;
    let scan = async |prefix: &str, start: Option<&str>, limit: usize| {
        let start = start.map(|start| case.key(start));
        let page = case.store.scan(&case.key(prefix), start.as_deref(), limit, At::Latest).await.unwrap();
        let strip = |key: String| key.strip_prefix(&case.prefix).unwrap().to_owned();
        let entries: Vec<String> = page.entries.into_iter().map(|entry| strip(entry.key)).collect();
        (entries, page.next.map(strip))
    };
    assert_eq!(scan("", None, 100).await, (names.map(str::to_owned).to_vec(), None), "sorted by bytes");
    let slash = ["p/", "p/1", "p/10", "p/2"].map(str::to_owned).to_vec();
    assert_eq!(
        scan("p/", None, 4).await,
        (slash.clone(), None),
        "neighbours are left out, a full last page has no next"
    );
    assert_eq!(scan("p/", None, 3).await, (slash[..3].to_vec(), Some("p/2".to_owned())));
    assert_eq!(scan("p/", Some("p/1"), 2).await, (slash[1..3].to_vec(), Some("p/2".to_owned())), "start is inclusive");
    assert_eq!(scan("p/", Some("p/11"), 9).await, (slash[3..].to_vec(), None), "start need not exist");
    assert_eq!(scan("p/", Some("a"), 9).await, (slash, None), "start before the prefix");
    assert_eq!(scan("p/", Some("p0"), 9).await, (vec![], None), "start beyond the prefix");
    assert_eq!(scan("p/1", None, 9).await, (vec!["p/1".to_owned(), "p/10".to_owned()], None));
    assert_eq!(scan("none", None, 9).await, (vec![], None));
    let failed = case.store.scan(&case.prefix, None, 0, At::Latest).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Invalid);
}

async fn pages_of_one_state(case: &Case<'_>) {
    let names: Vec<String> = (0..20).map(|i| format!("{i:02}")).collect();
    let made = case.write(names.iter().map(|name| case.put(name, "old")).collect()).await;
    let (mut seen, mut start, mut at) = (Vec::new(), None, At::Latest);
    for round in 0.. {
        let page = case.store.scan(&case.prefix, start.as_deref(), 3, at).await.unwrap();
        assert_eq!(page.entries.iter().filter(|entry| entry.value != "old" || entry.modified != made).count(), 0);
        seen.extend(page.entries.into_iter().map(|entry| entry.key.strip_prefix(&case.prefix).unwrap().to_owned()));
        at = At::Revision(page.revision);
        start = page.next;
        if start.is_none() {
            break;
        }
        // Before, in and behind the page just read: changed, deleted, made.
        let around = |i: usize| &names[(round * 3 + i) % 20];
        case.write(vec![case.put(around(0), "new"), case.delete(around(4)), case.put(around(6), "new")]).await;
        case.write(vec![case.put(&format!("{round}x"), "new"), case.put(around(4), "new")]).await;
    }
    assert_eq!(seen, names, "pages show one state while others write");
}

async fn watches_replay_and_follow(case: &Case<'_>) {
    let start = case.store.revision().await.unwrap();
    let one = case.write(vec![case.put("b", "1"), case.put("a", "1")]).await;
    let two = case.write(vec![case.delete("a")]).await;
    let expected = [
        Batch { revision: one, events: vec![case.event("a", Some("1")), case.event("b", Some("1"))] },
        Batch { revision: two, events: vec![case.event("a", None)] },
    ];
    let mut whole = case.watch(start).await;
    assert_eq!(next(&mut whole).await, expected[0], "the past is replayed, one batch per transaction, sorted by key");
    assert_eq!(next(&mut whole).await, expected[1]);
    let mut half = case.watch(one).await;
    assert_eq!(next(&mut half).await, expected[1], "only what came after");
    let mut fresh = case.watch(two).await;
    // Giving up waiting loses nothing.
    assert!(timeout(Duration::from_millis(20), fresh.next()).await.is_err(), "there is nothing to tell yet");
    let waiting = async { (next(&mut whole).await, next(&mut half).await, next(&mut fresh).await) };
    let ((a, b, c), three) = futures::join!(waiting, case.write(vec![case.put("c", "3"), case.put("b", "3")]));
    let third = Batch { revision: three, events: vec![case.event("b", Some("3")), case.event("c", Some("3"))] };
    assert_eq!([&a, &b, &c], [&third; 3], "all watches see what comes");
    // A value that was replaced meanwhile is told as it was.
    let four = case.write(vec![case.put("c", "4")]).await;
    let five = case.write(vec![case.delete("c")]).await;
    let six = case.write(vec![case.put("c", "6")]).await;
    for (revision, value) in [(four, Some("4")), (five, None), (six, Some("6"))] {
        assert_eq!(next(&mut fresh).await, Batch { revision, events: vec![case.event("c", value)] });
    }
    let failed = case.store.watch(&case.prefix, Revision(six.0 + 1_000_000)).await.unwrap_err();
    assert!(matches!(failed, Error::FutureRevision { .. }), "{failed:?}");
}

async fn watches_of_neighbours(case: &Case<'_>) {
    let start = case.write(vec![case.put("w", "0")]).await;
    let mut watch = case.store.watch(&case.key("w/"), start).await.unwrap();
    case.write(vec![case.put("w", "1"), case.put("w0", "1"), case.put("w.", "1")]).await;
    let mixed = case.write(vec![case.put("w", "2"), case.put("w/1", "2"), case.delete("w0")]).await;
    let batch = next(&mut watch).await;
    let event = case.event("w/1", Some("2"));
    assert_eq!(batch, Batch { revision: mixed, events: vec![event] }, "neighbours of the prefix are left out");
}

async fn racing_transactions(case: &Case<'_>) {
    let contenders: Vec<String> = (0..16).map(|i| i.to_string()).collect();
    let one = async |name: &String| case.commit(vec![case.absent("winner")], vec![case.put("winner", name)]).await;
    let results = join_all(contenders.iter().map(one)).await;
    let winners: Vec<_> = contenders.iter().zip(&results).filter(|(_, result)| result.is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one makes the key");
    assert_eq!(case.text("winner", At::Latest).await.as_ref(), Some(winners[0].0));
    assert!(results.iter().all(|result| result.as_ref().err().is_none_or(Error::is_conflict)));

    let start = case.write(vec![case.put("sum", "0")]).await;
    let add = async |_: &String| {
        loop {
            let entry = case.get("sum", At::Latest).await.unwrap();
            let sum: u32 = str::from_utf8(&entry.value).unwrap().parse().unwrap();
            let guard = case.unchanged("sum", entry.modified);
            match case.commit(vec![guard], vec![case.put("sum", &(sum + 1).to_string())]).await {
                Ok(_) => return,
                Err(failed) => assert!(failed.is_conflict(), "{failed}"),
            }
        }
    };
    join_all(contenders.iter().map(add)).await;
    assert_eq!(case.text("sum", At::Latest).await.as_deref(), Some("16"), "no addition is lost");
    let mut watch = case.watch(start).await;
    let (mut last, mut expected) = (start, 0);
    while expected < 16 {
        expected += 1;
        let batch = next(&mut watch).await;
        assert!(batch.revision > last, "revisions grow");
        assert_eq!(batch.events, [case.event("sum", Some(&expected.to_string()))]);
        last = batch.revision;
    }
}

async fn compaction(case: &Case<'_>) {
    let one = case.write(vec![case.put("a", "1"), case.put("b", "1"), case.put("c", "1")]).await;
    let two = case.write(vec![case.put("a", "2"), case.delete("b")]).await;
    let three = case.write(vec![case.put("a", "3"), case.put("b", "3")]).await;
    let four = case.write(vec![case.put("a", "4")]).await;
    case.store.compact(three).await.unwrap();
    for old in [one, two] {
        let failed = case.store.get(&case.key("c"), At::Revision(old)).await.unwrap_err();
        assert!(matches!(failed, Error::Compacted { .. }), "{failed:?}");
        assert_eq!(failed.kind(), ErrorKind::Conflict);
        let failed = case.store.scan(&case.prefix, None, 1, At::Revision(old)).await.unwrap_err();
        assert!(matches!(failed, Error::Compacted { .. }), "{failed:?}");
        let failed = async { case.store.watch(&case.prefix, old).await?.next().await }.await.unwrap_err();
        assert!(matches!(failed, Error::Compacted { .. }), "watching from before: {failed:?}");
    }
    let kept = pairs(&[("a", "3"), ("b", "3"), ("c", "1")]);
    assert_eq!(case.all(At::Revision(three), 2).await, kept, "the state compacted to is kept");
    assert_eq!(case.get("c", At::Revision(three)).await.unwrap().modified, one, "entries keep their own revisions");
    let now = pairs(&[("a", "4"), ("b", "3"), ("c", "1")]);
    assert_eq!(case.all(At::Latest, 2).await, now, "the present is not touched");
    let batch = next(&mut case.watch(three).await).await;
    assert_eq!(batch, Batch { revision: four, events: vec![case.event("a", Some("4"))] });
    case.store.compact(three).await.unwrap();
    case.store.compact(one).await.unwrap();
    let future = Revision(case.store.revision().await.unwrap().0 + 1_000_000);
    let failed = case.store.compact(future).await.unwrap_err();
    assert!(matches!(failed, Error::FutureRevision { .. }), "{failed:?}");
    // Guards compare with revisions that are forgotten.
    let five = case.commit(vec![case.unchanged("c", one)], vec![case.put("c", "5")]).await.unwrap();
    case.store.compact(five).await.unwrap();
    assert_eq!(case.all(At::Revision(five), 10).await, pairs(&[("a", "4"), ("b", "3"), ("c", "5")]));
}
