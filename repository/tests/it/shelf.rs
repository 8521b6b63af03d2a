//! A shelf of damaged repositories. Each stands with the whole list of what a verifier must find, at every level that
//! can see it; the levels below find nothing and say how little they looked at.

use crate::damage::Shelf;
use crate::support::*;
use crate::verify::{LEVELS, verify_store};
use bytes::Bytes;
use env::rt::CancellationToken;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use proptest::prelude::*;
use repository::verify::{FindingKind, Options, Report, SeenHead, Severity, Verdict};
use repository::{ErrorKind, Repository, no_progress};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tables of the two snapshots. Both hold `events`, `t` with a tablet more; `clicks` changed between them.
fn tables(large: usize) -> [[(u64, &'static str, World); 2]; 2] {
    let clicks = |seed: usize| World::from([(2000, world(1, large + seed)[&1000].clone())]);
    [
        [(7, "events", world(4, large)), (8, "clicks", clicks(1))],
        [(7, "events", world(5, large)), (8, "clicks", clicks(2))],
    ]
}

/// Snapshots `s` and `t`, no garbage.
async fn shelf(large: usize) -> Shelf {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    for (label, tables) in ["s", "t"].into_iter().zip(tables(large)) {
        let session = session(&repository).await;
        let tables: Vec<(u64, &str, &World)> = tables.iter().map(|(id, name, world)| (*id, *name, world)).collect();
        let written = upload_tables(&session, label, &tables, &CancellationToken::new()).await.unwrap();
        session.commit(written.summary).await.unwrap();
    }
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    repository.sweep(&plan, &no_progress()).await.unwrap();
    Shelf { store, world: World::new() }
}

/// Two chunks for each large file.
const LARGE: usize = 1_200_000;

/// A finding, without its texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    kind: FindingKind,
    severity: Severity,
    object: String,
    offset: u64,
    /// Labels and tables, blank between.
    hits: String,
}

fn row(kind: FindingKind, object: &str, offset: u64, hits: &str) -> Row {
    Row { kind, severity: kind.severity(), object: object.into(), offset, hits: hits.into() }
}

fn rows(report: &Report) -> Vec<Row> {
    let mut rows: Vec<Row> = report
        .findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.snapshots.len() as u64, finding.snapshots_total);
            assert_eq!(finding.tables.len() as u64, finding.tables_total);
            assert!(!finding.advice.is_empty() && !finding.expected.is_empty() && finding.expected != finding.found);
            let names: Vec<&str> = finding.snapshots.iter().chain(&finding.tables).map(String::as_str).collect();
            Row {
                kind: finding.kind,
                severity: finding.severity,
                object: finding.object.clone(),
                offset: finding.offset,
                hits: names.join(" "),
            }
        })
        .collect();
    rows.sort();
    rows
}

/// Labels by verdict: those that are damaged, those that are not checked.
fn verdicts(report: &Report) -> (String, String) {
    let of = |verdict| {
        let of = report.snapshots.iter().filter(|snapshot| snapshot.verdict == verdict);
        of.map(|snapshot| snapshot.label.as_str()).collect::<Vec<_>>().join(" ")
    };
    (of(Verdict::Damaged), of(Verdict::NotChecked))
}

/// Holds every level against what it must find: nothing below `from`, all of `expected` from there on.
async fn expect(shelf: &Shelf, from: &str, expected: &[Row], damaged: &str) {
    let first = LEVELS.iter().position(|level| *level == from).unwrap();
    let mut expected = expected.to_vec();
    expected.sort();
    for (position, level) in LEVELS.iter().enumerate() {
        let report = verify_store(shelf, level).await;
        if position < first {
            assert_eq!((rows(&report), verdicts(&report).0), (vec![], String::new()), "{level}: {report}");
            assert!(report.is_sound());
            // What it did not see it does not claim.
            assert_eq!(report.totals.objects > 0, *level != "meta", "{level}");
            assert!(report.totals.chunks_read < report.totals.chunks || report.totals.chunks == 0, "{level}");
            assert!(report.to_string().contains("not looked at") || level.starts_with("sample"), "{report}");
            continue;
        }
        assert_eq!(rows(&report), expected, "{level}: {report}");
        assert_eq!(verdicts(&report).0, damaged, "{level}: {report}");
        let bad = expected.iter().any(|row| row.severity > Severity::Note);
        assert_eq!(report.is_sound(), !bad, "{level}: {report}");
    }
}

fn seal(body: &str) -> String {
    format!("{body}\n{{\"blake3\":\"{}\"}}\n", blake3::hash(body.as_bytes()))
}

fn commit(generation: u64) -> String {
    format!("commits/{:020}.json", u64::MAX - generation)
}

impl Shelf {
    async fn body(&self, name: &str) -> String {
        let bytes = self.read(name).await;
        String::from_utf8(bytes.split(|byte| *byte == b'\n').next().unwrap().to_vec()).unwrap()
    }

    async fn head(&self) -> u64 {
        self.open().await.unwrap().generation().await.unwrap().0
    }

    /// The pages of a kind whose text holds `part`.
    async fn page(&self, kind: &str, part: &str) -> String {
        for name in names(&*self.store, "pages").await {
            let text = String::from_utf8(self.read(&name).await.to_vec()).unwrap();
            if text.contains(&format!("\"kind\":\"{kind}\"")) && text.contains(part) && text.starts_with("{\"format\"")
            {
                let own = text.split('\n').next().unwrap().contains(&format!("{{\"format\":1,\"kind\":\"{kind}\""));
                if own {
                    return name;
                }
            }
        }
        panic!("no {kind} page with {part}");
    }
}

use FindingKind::{
    BadChecksum, BadIdentity, BadPage, BadRecord, ForeignObject, ForkedLog, MissingIdentity, MissingObject,
    NewerFormat, WrongLength,
};

#[tokio::test]
async fn a_missing_data_object_is_found_from_size_on() {
    let shelf = shelf(LARGE).await;
    let shared = shelf.find("data", "1001.").await;
    let own = shelf.find("data", "1004.").await;
    shelf.remove(&shared).await;
    shelf.remove(&own).await;
    let expected = [row(MissingObject, &shared, 0, "s t shop.events"), row(MissingObject, &own, 0, "t shop.events")];
    expect(&shelf, "size", &expected, "s t").await;
    let report = verify_store(&shelf, "size").await;
    assert_eq!(report.snapshots[1].tables_hit, ["events"]);
    assert!(report.snapshots[1].advice.starts_with("its other 1 tables can be restored"), "{report}");
    let finding = report.findings.iter().find(|finding| finding.object == own).unwrap();
    assert_eq!(finding.file.as_deref(), Some("1004/1-0.parquet"));
    assert_eq!(
        (finding.expected.as_str(), finding.found.as_str()),
        ("an object of at least 1200000 bytes", "no such object")
    );
    assert!(finding.advice.contains("Drop first"), "{}", finding.advice);
}

#[tokio::test]
async fn a_missing_pack_is_one_finding() {
    let shelf = shelf(LARGE).await;
    let pack = shelf.find("data", "/pack-").await;
    shelf.remove(&pack).await;
    let report = verify_store(&shelf, "size").await;
    assert_eq!(report.findings.len(), 1, "{report}");
    let hits = rows(&report)[0].hits.clone();
    let lost: Vec<&str> =
        restored(&shelf).await.into_iter().filter_map(|(label, world)| world.is_none().then_some(label)).collect();
    assert!(hits.starts_with(&lost.join(" ")) && hits.contains("shop."), "{hits}: {lost:?}");
    expect(&shelf, "size", &[row(MissingObject, &pack, 0, &hits)], &lost.join(" ")).await;
}

#[tokio::test]
async fn every_page_that_is_missing_short_or_flipped_is_found_at_meta() {
    for (kind, part, hits, damaged) in [
        ("tablets", "\"tablet\":1000", "s t shop.events", "s t"),
        ("tablets", "\"tablet\":1004", "t shop.events", "t"),
        ("table", "\"tablets\":5", "t shop.events", "t"),
        ("snapshot", "\"label\":\"s\"", "s", "s"),
        ("index-leaf", "", "s t", "s t"),
    ] {
        let shelf = shelf(90).await;
        let name = shelf.page(kind, part).await;
        let sound = shelf.read(&name).await;
        shelf.flip(&name, sound.len() / 2).await;
        expect(&shelf, "meta", &[row(BadPage, &name, 0, hits)], damaged).await;
        let short = sound.len() - 1;
        shelf.put(&name, sound.slice(..short)).await;
        expect(&shelf, "meta", &[row(WrongLength, &name, short as u64, hits)], damaged).await;
        shelf.put(&name, [&sound[..], b"\n"].concat()).await;
        expect(&shelf, "meta", &[row(WrongLength, &name, sound.len() as u64, hits)], damaged).await;
        shelf.remove(&name).await;
        expect(&shelf, "meta", &[row(MissingObject, &name, 0, hits)], damaged).await;
    }
}

#[tokio::test]
async fn a_flipped_bit_of_data_is_found_in_its_chunk_by_whoever_reads_it() {
    let shelf = shelf(LARGE).await;
    let name = shelf.find("data", "1001.").await;
    shelf.flip(&name, 1_100_000).await;
    expect(&shelf, "full", &[row(BadChecksum, &name, 1 << 20, "s t shop.events")], "s t").await;
    let report = verify_store(&shelf, "full").await;
    assert_eq!(report.findings[0].file.as_deref(), Some("1001/1-0.parquet"));
    assert!(report.findings[0].expected.ends_with("of 151424 bytes"), "{report}");
    // A sample that takes all of them sees it too, and one sees it or not by its seed, always in the same way.
    expect_sample(&shelf, "sample=100%", 1, true).await;
    let mut seen = 0;
    for seed in 0..40 {
        let report = sample(&shelf, "sample=50%", seed).await;
        let again = sample(&shelf, "sample=50%", seed).await;
        assert_eq!(rows(&report), rows(&again));
        assert_eq!((report.totals.chunks, report.totals.chunks_read), (again.totals.chunks, again.totals.chunks_read));
        seen += report.findings.len();
    }
    assert!((8..32).contains(&seen), "{seen} of 40");
}

async fn sample(shelf: &Shelf, level: &str, seed: u64) -> Report {
    let options = Options { level: level.parse().unwrap(), seed: Some(seed), stream: options(), ..Options::default() };
    let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&shelf.store);
    repository::verify::verify(store, &options, &no_progress(), &CancellationToken::new()).await.unwrap()
}

async fn expect_sample(shelf: &Shelf, level: &str, seed: u64, sees: bool) {
    let report = sample(shelf, level, seed).await;
    assert_eq!(report.seed, seed);
    assert_eq!(report.findings.is_empty(), !sees, "{report}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_pack_hits_those_who_hold_that_file() {
    let shelf = shelf(LARGE).await;
    for name in names(&*shelf.store, "data").await.into_iter().filter(|name| name.contains("/pack-")) {
        let sound = shelf.read(&name).await;
        if sound.is_empty() {
            continue; // of files without bytes
        }
        for at in [0, sound.len() / 2, sound.len() - 1] {
            shelf.flip(&name, at).await;
            let report = verify_store(&shelf, "full").await;
            assert_eq!(report.findings.len(), 1, "{report}");
            let finding = &report.findings[0];
            assert_eq!((finding.kind, &finding.object), (BadChecksum, &name));
            assert!(finding.offset <= at as u64);
            // Who restores says the same.
            let repository = shelf.open().await.unwrap();
            for label in ["s", "t"] {
                let whole = restore(&repository, label).await.is_ok();
                assert_eq!(!finding.snapshots.contains(&label.to_owned()), whole, "{report}");
            }
            shelf.put(&name, sound.clone()).await;
        }
    }
}

#[tokio::test]
async fn a_truncated_object_hits_what_lies_behind_its_end() {
    let shelf = shelf(LARGE).await;
    let name = shelf.find("data", "1001.").await;
    for len in [1_199_999, 1 << 20, 5, 0] {
        shelf.cut(&name, len).await;
        expect(&shelf, "size", &[row(WrongLength, &name, len as u64, "s t shop.events")], "s t").await;
    }
    let report = verify_store(&shelf, "size").await;
    assert_eq!(report.findings[0].expected, "at least 1200000 bytes");
}

#[tokio::test]
async fn a_longer_object_is_told_and_harms_nobody() {
    let shelf = shelf(LARGE).await;
    for part in ["1001.", "/pack-"] {
        let name = shelf.find("data", part).await;
        let sound = shelf.read(&name).await;
        shelf.put(&name, [&sound[..], b"more"].concat()).await;
        let warning = Row { severity: Severity::Warning, ..row(WrongLength, &name, sound.len() as u64, "") };
        expect(&shelf, "size", &[warning], "").await;
        restore(&shelf.open().await.unwrap(), "t").await.unwrap();
        shelf.put(&name, sound).await;
    }
}

#[tokio::test]
async fn foreign_files_and_garbage_are_notes() {
    let shelf = shelf(LARGE).await;
    for name in ["readme.txt", "commits/notes.txt", "data/lost+found"] {
        shelf.put(name, "mine").await;
    }
    let foreign = ["readme.txt", "commits/notes.txt", "data/lost+found"].map(|name| row(ForeignObject, name, 0, ""));
    expect(&shelf, "size", &foreign, "").await;
    // A dropped snapshot's own objects, and the index that knew it.
    shelf.open().await.unwrap().drop_snapshot("s", None).await.unwrap();
    let report = verify_store(&shelf, "size").await;
    assert!(report.is_sound(), "{report}");
    let garbage: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Garbage)
        .map(|finding| finding.object.as_str())
        .collect();
    assert_eq!(garbage, ["data", "pages"]);
    let repository = shelf.open().await.unwrap();
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    let (objects, bytes) = (plan.objects().count(), plan.bytes());
    let told = |prefix: &str| {
        let finding = report.findings.iter().find(|finding| finding.object == prefix).unwrap();
        let mut numbers = finding.found.split(' ').filter_map(|word| word.parse::<u64>().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let (data, pages) = (told("data"), told("pages"));
    assert_eq!((data.0 + pages.0, data.1 + pages.1), (objects as u64, bytes), "the sweep agrees");
}

#[tokio::test]
async fn records_are_found_by_what_became_of_them() {
    // In the middle nobody needs them to restore; the first and the newest everybody does.
    // Of what the newest said nothing is known, so not of `t` either.
    for (generation, hits, damaged) in [(2, "", ""), (0, "s t", "s t"), (4, "s", "s")] {
        let shelf = shelf(90).await;
        assert_eq!(shelf.head().await, 4);
        let name = commit(generation);
        let sound = shelf.read(&name).await;
        shelf.flip(&name, 40).await;
        expect(&shelf, "meta", &[row(BadRecord, &name, 0, hits)], damaged).await;
        shelf.put(&name, "x".repeat(20_000)).await;
        expect(&shelf, "meta", &[row(BadRecord, &name, 16 << 10, hits)], damaged).await;
        if generation < 4 {
            shelf.remove(&name).await;
            expect(&shelf, "meta", &[row(MissingObject, &name, 0, hits)], damaged).await;
        }
        shelf.put(&name, sound).await;
        // The verifier's own sessions were not written behind a broken end; here they may have been.
        expect(&shelf, "meta", &[], "").await;
    }
}

#[tokio::test]
async fn an_identity_is_missing_damaged_or_of_another_repository() {
    let shelf = shelf(90).await;
    let sound = shelf.read("repository.json").await;
    shelf.remove("repository.json").await;
    expect(&shelf, "meta", &[row(MissingIdentity, "repository.json", 0, "s t")], "s t").await;
    shelf.put("repository.json", sound.clone()).await;
    shelf.flip("repository.json", 30).await;
    expect(&shelf, "meta", &[row(BadIdentity, "repository.json", 0, "s t")], "s t").await;
    shelf.put("repository.json", vec![b'x'; 70_000]).await;
    expect(&shelf, "meta", &[row(BadIdentity, "repository.json", 65_536, "s t")], "s t").await;
    let other = self::shelf(90).await;
    shelf.put("repository.json", other.read("repository.json").await).await;
    let head = shelf.head_raw().await;
    expect(&shelf, "meta", &[row(BadIdentity, "repository.json", 0, "s t")], "s t").await;
    assert_eq!(shelf.head_raw().await, head, "nothing is written to a repository that is not sound");
}

impl Shelf {
    /// The newest record's name, by listing.
    async fn head_raw(&self) -> String {
        names(&*self.store, "commits").await.into_iter().min().unwrap()
    }
}

#[tokio::test]
async fn a_log_that_is_not_one_history_is_a_fork() {
    // A record of another repository.
    let shelf = shelf(90).await;
    let other = self::shelf(90).await;
    let sound = shelf.read(&commit(2)).await;
    shelf.put(&commit(2), other.read(&commit(2)).await).await;
    expect(&shelf, "meta", &[row(ForkedLog, &commit(2), 0, "")], "").await;
    // The same record with another body.
    let body = String::from_utf8(sound.split(|byte| *byte == b'\n').next().unwrap().to_vec()).unwrap();
    let wall = body.find("\"wall_ms\":").unwrap() + 10;
    let rewritten = format!("{}9{}", &body[..wall], &body[wall + 1..]);
    assert_ne!(body, rewritten);
    shelf.put(&commit(2), seal(&rewritten)).await;
    expect(&shelf, "meta", &[row(ForkedLog, &commit(3), 0, "")], "").await;
    // All of another history from there on: one fork, and its pages are not here.
    for generation in 2..=4 {
        shelf.put(&commit(generation), other.read(&commit(generation)).await).await;
    }
    let report = verify_store(&shelf, "meta").await;
    assert_eq!(report.kinds[&ForkedLog], 3, "{report}");
    assert_eq!(report.verdict, Verdict::Damaged);
    assert!(report.unprotected.is_some(), "nothing is written there");
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_known_by_who_remembers_it() {
    let shelf = shelf(90).await;
    let repository = shelf.open().await.unwrap();
    let seen = verify_store(&shelf, "meta").await.head.unwrap();
    let head = repository.generation().await.unwrap().0;
    assert!(head > seen.generation.0, "the verifier's session ended behind what it saw");
    // Nothing is missing that anything refers to: without a memory nobody can tell.
    let kept = shelf.read(&commit(head)).await;
    let gone = shelf.read(&commit(head - 1)).await;
    shelf.remove(&commit(head)).await;
    let before = repository.verify(&Options::default(), &no_progress(), &CancellationToken::new()).await.unwrap();
    assert_eq!(rows(&before), [row(ForkedLog, &commit(head), 0, "")], "{before}");
    assert_eq!(before.findings[0].found, format!("a log that ends at generation {}", head - 1));
    shelf.remove(&commit(head - 1)).await;
    let remembered = Options { remembered: Some(seen.clone()), ..Options::default() };
    let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&shelf.store);
    let stop = CancellationToken::new();
    let report = repository::verify::verify(Arc::clone(&store), &remembered, &no_progress(), &stop).await.unwrap();
    assert_eq!(rows(&report), [row(ForkedLog, &commit(seen.generation.0), 0, "")], "{report}");
    // Another record in its place.
    shelf.put(&commit(head - 1), gone).await;
    shelf.put(&commit(head), kept).await;
    let other = SeenHead { hash: "0".repeat(64), ..seen.clone() };
    let options = Options { remembered: Some(other), ..Options::default() };
    let report = repository::verify::verify(Arc::clone(&store), &options, &no_progress(), &stop).await.unwrap();
    assert_eq!(rows(&report), [row(ForkedLog, &commit(seen.generation.0), 0, "")], "{report}");
    let report = repository::verify::verify(store, &remembered, &no_progress(), &stop).await.unwrap();
    assert!(report.is_sound(), "{report}");
}

#[tokio::test]
async fn a_generation_that_is_there_twice_is_found() {
    let shelf = shelf(90).await;
    shelf.put(&commit(5), shelf.read(&commit(4)).await).await;
    expect(&shelf, "meta", &[row(BadRecord, &commit(5), 0, "s t")], "s t").await;
    let report = verify_store(&shelf, "meta").await;
    assert_eq!(
        (report.findings[0].expected.as_str(), report.findings[0].found.as_str()),
        ("generation 5", "generation 4")
    );
}

#[tokio::test]
async fn a_record_of_a_far_generation_does_not_make_it_walk_there() {
    let shelf = shelf(90).await;
    let far = "commits/00000000000000000007.json";
    shelf.put(far, "mine").await;
    let expected = [row(MissingObject, &commit(5), 0, ""), row(BadRecord, far, 4, "s t")];
    expect(&shelf, "meta", &expected, "s t").await;
}

#[tokio::test]
async fn newer_formats_are_told_from_damage() {
    let newer = |body: String| seal(&body.replacen("\"format\":1", "\"format\":2", 1));
    // A record in the middle, the newest record, the identity.
    for (generation, hits) in [(2, ""), (4, "s")] {
        let shelf = shelf(90).await;
        shelf.put(&commit(generation), newer(shelf.body(&commit(generation)).await)).await;
        expect(&shelf, "meta", &[row(NewerFormat, &commit(generation), 0, hits)], "").await;
        let report = verify_store(&shelf, "meta").await;
        assert_eq!(report.verdict, Verdict::NotChecked);
        assert_eq!(verdicts(&report).1, hits);
        assert!(report.findings[0].advice.contains("not damage"), "{report}");
    }
    let shelf = shelf(90).await;
    let body = shelf.body("repository.json").await;
    shelf.put("repository.json", newer(body.clone())).await;
    expect(&shelf, "meta", &[row(NewerFormat, "repository.json", 0, "s t")], "").await;
    shelf.put("repository.json", seal(&body.replace("\"features\":[]", "\"features\":[\"sealed\"]"))).await;
    expect(&shelf, "meta", &[row(NewerFormat, "repository.json", 0, "s t")], "").await;
    shelf.put("repository.json", seal(&body)).await;

    // A page: the newest record refers to it by its new hash.
    let record = shelf.body(&commit(shelf.head().await)).await;
    let index: Value = serde_json::from_str::<Value>(&record).unwrap()["index"].clone();
    let (old, hash) = (index["name"].as_str().unwrap(), index["hash"].as_str().unwrap());
    let page = String::from_utf8(shelf.read(old).await.to_vec()).unwrap();
    let page = page.replacen("\"format\":1", "\"format\":2", 1);
    let new_hash = blake3::hash(page.as_bytes()).to_string();
    let new = old.replace(hash, &new_hash);
    shelf.put(&new, page).await;
    let head = shelf.head().await;
    shelf.put(&commit(head), seal(&record.replace(hash, &new_hash))).await;
    let report = verify_store(&shelf, "meta").await;
    assert_eq!(rows(&report), [row(NewerFormat, &new, 0, "s t")], "{report}");
    assert_eq!(verdicts(&report), (String::new(), "s t".to_owned()));
    // And by a reference that says so itself.
    let head = shelf.head().await;
    let body = shelf.body(&commit(head)).await;
    let at = body.find("\"index\":").unwrap();
    let reference = format!("{}{}", &body[..at], body[at..].replacen("\"format\":1", "\"format\":2", 1));
    shelf.put(&commit(head), seal(&reference)).await;
    let report = verify_store(&shelf, "meta").await;
    assert_eq!(rows(&report), [row(NewerFormat, &new, 0, "s t")], "{report}");
}

#[tokio::test]
async fn findings_beyond_the_bound_are_counted_and_their_snapshots_are_damaged_all_the_same() {
    let shelf = shelf(90).await;
    for name in names(&*shelf.store, "data").await {
        shelf.remove(&name).await;
    }
    let all = verify_store(&shelf, "size").await;
    let options = Options { level: "size".parse().unwrap(), findings_max: 1, ..Options::default() };
    let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&shelf.store);
    let report = repository::verify::verify(store, &options, &no_progress(), &CancellationToken::new()).await.unwrap();
    assert!(all.findings.len() > 1);
    assert_eq!((report.findings.len(), report.findings_total()), (1, all.findings.len() as u64));
    assert_eq!(report.snapshots, all.snapshots);
    assert!(report.to_string().contains("findings more"), "{report}");
}

#[tokio::test]
async fn nothing_of_a_repository_is_not_found() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let stop = CancellationToken::new();
    let failed = repository::verify::verify(store, &Options::default(), &no_progress(), &stop).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::NotFound);
    let shelf = shelf(90).await;
    let options = Options { label: Some("u".into()), ..Options::default() };
    let repository = shelf.open().await.unwrap();
    let failed = repository.verify(&options, &no_progress(), &stop).await.unwrap_err();
    assert_eq!(failed.to_string(), "there is no snapshot \"u\" in the repository");
    assert!(repository.sessions().await.unwrap().is_empty());
}

/// What each label restores to; none when it does not.
async fn restored(shelf: &Shelf) -> BTreeMap<&'static str, Option<World>> {
    let mut found = BTreeMap::new();
    for label in ["s", "t"] {
        let world = match shelf.open().await {
            Ok(repository) => match repository.snapshot(label, None).await {
                Ok(Some(_)) => restore(&repository, label).await.ok(),
                Ok(None) | Err(_) => None,
            },
            Err(_) => None,
        };
        found.insert(label, world);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Any byte of any object changed, or any object cut anywhere: a full look finds it, and calls damaged just those
    /// snapshots that cannot be restored.
    #[test]
    fn whatever_is_changed_is_found_and_nothing_else(
        object in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![(1u8..=255).prop_map(Some), Just(None)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let shelf = shelf(70_000).await;
            let mut all = Vec::new();
            for prefix in ["commits", "data", "pages"] {
                all.extend(names(&*shelf.store, prefix).await);
            }
            all.push("repository.json".to_owned());
            let name = object.get(&all).clone();
            let sound = shelf.read(&name).await;
            // A pack of files without bytes has nothing to damage.
            let at = at.index(sound.len().max(1));
            if sound.is_empty() {
                return;
            }
            let mut bytes = sound.to_vec();
            match change {
                Some(flip) => bytes[at] ^= flip,
                None => bytes.truncate(at),
            }
            shelf.put(&name, Bytes::from(bytes)).await;
            let report = verify_store(&shelf, "full").await;
            assert!(!report.is_sound(), "{name} at {at}: {report}");
            let named = report.findings.iter().any(|finding| finding.object == name);
            assert!(named, "{name} at {at}: {report}");
            for (label, world) in restored(&shelf).await {
                let verdict = report.snapshots.iter().find(|snapshot| snapshot.label == label);
                // A snapshot that nobody knows of any more is not called sound either.
                let damaged = verdict.is_none_or(|snapshot| snapshot.verdict == Verdict::Damaged);
                assert_eq!(damaged, world.is_none(), "{label}, {name} at {at}: {report}");
            }
            assert_eq!(report.findings_total(), report.findings.len() as u64);
        });
    }
}
