//! The second reader, `docs/read_repository.py`: it shares no code with this crate, and was written from
//! `docs/format.md`. Where both agree on what is there and on what is damaged, the document says enough.

use crate::golden::{GOLDEN, copy, dir, golden, objects, write};
use crate::support::*;
use env::rt::CancellationToken;
use object_store::memory::InMemory;
use repository::{Repository, no_progress};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Runs Python; none where there is none.
fn python(arguments: &[&str]) -> Option<Output> {
    let run = Command::new("python3").env("PYTHONDONTWRITEBYTECODE", "1").args(arguments).output();
    match run {
        Ok(output) => Some(output),
        Err(failed) if failed.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no python3 here to run docs/read_repository.py with");
            None
        }
        Err(failed) => panic!("{failed}"),
    }
}

/// Runs the reader: exit code and what it printed.
fn reader(arguments: &[&str]) -> Option<(i32, String)> {
    let script = docs().join("read_repository.py");
    let output = python(&[&[script.to_str().unwrap()], arguments].concat())?;
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Some((output.status.code().unwrap(), String::from_utf8(text).unwrap()))
}

#[test]
fn its_blake3_is_blake3() {
    let lens = [0usize, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 5000, 16_384, 16_385];
    let list = lens.map(|len| len.to_string()).join(",");
    let code = format!(
        "import sys; sys.path.insert(0, sys.argv[1]); from read_repository import blake3\n\
         for n in [{list}]: print(blake3(bytes(i % 251 for i in range(n))))"
    );
    let Some(output) = python(&["-c", &code, docs().to_str().unwrap()]) else { return };
    let found = String::from_utf8(output.stdout).unwrap();
    let expected = lens.map(|len| {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        format!("{}\n", blake3::hash(&bytes))
    });
    assert_eq!(found, expected.concat(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn golden_repositories_are_sound_to_it() {
    for name in GOLDEN {
        let Some((code, text)) = reader(&["check", dir(name).to_str().unwrap()]) else { return };
        assert_eq!((code, text.starts_with("0 problems; looked at ")), (0, true), "{name}: {text}");
    }
    let golden = dir("format-1");
    let list = |more: &[&str]| reader(&[&["list", golden.to_str().unwrap()], more].concat()).unwrap();
    let (code, text) = list(&[]);
    assert_eq!(code, 0, "{text}");
    let line = "second  2026-01-02-03-04-05-678  shop  2 tables  4 tablets  16 files  2563 bytes  held: audit 8\n";
    assert_eq!(text, line);
    let (_, text) = list(&["second"]);
    let lines =
        "events  1 partitions  3 tablets  12 files  1923 bytes\nclicks  1 partitions  1 tablets  4 files  640 bytes\n";
    assert_eq!(text, lines);
    let (_, text) = list(&["second", "clicks"]);
    assert_eq!(text.lines().count(), 4, "{text}");
    let (code, text) = list(&["third"]);
    assert_eq!((code, text.as_str()), (1, "read_repository: third: there is no such label; there are: second\n"));
}

/// Two tables, a file of three chunks, an index of two levels.
#[tokio::test]
async fn a_fresh_repository_is_read_by_it() {
    let store = Arc::new(InMemory::new());
    let repository = Repository::create(Arc::<InMemory>::clone(&store), "r", 1).await.unwrap();
    let (events, clicks) = (world(2, 2_500_000), world(1, 300));
    let session = session(&repository).await;
    let tables: [(u64, &str, &World); 2] = [(7, "events", &events), (8, "clicks", &clicks)];
    let stop = CancellationToken::new();
    let written = upload_tables(&session, "large", &tables, &stop).await.unwrap();
    session.commit(written.summary).await.unwrap();
    for number in 0..300 {
        let session = self::session(&repository).await;
        let written = upload_tables(&session, &format!("n{number:03}"), &[], &stop).await.unwrap();
        session.commit(written.summary).await.unwrap();
    }
    let target = tempfile::tempdir().unwrap();
    let repository_dir = target.path().join("repository");
    write(&objects(&store).await, &repository_dir);
    let at = repository_dir.to_str().unwrap();
    let Some((code, text)) = reader(&["check", at]) else { return };
    assert_eq!((code, text.contains(" 301 snapshots")), (0, true), "{text}");
    let (_, text) = reader(&["list", at]).unwrap();
    assert_eq!(text.lines().count(), 301);
    let out = target.path().join("out");
    let (code, text) = reader(&["extract", at, "large", "events", out.to_str().unwrap()]).unwrap();
    assert_eq!(code, 0, "{text}");
    for (tablet, files) in &events {
        for (name, bytes) in files {
            let path = out.join("p0").join(tablet.to_string()).join(name);
            assert!(std::fs::read(&path).unwrap() == bytes[..], "{}", path.display());
        }
    }
}

/// Damages each object in turn, and prints what the reader then names.
const DAMAGE: &str = r#"
import os, sys
sys.path.insert(0, sys.argv[1])
from read_repository import Repository, check
root = sys.argv[2]
for folder, _, files in sorted(os.walk(root)):
    for file in sorted(files):
        path = os.path.join(folder, file)
        name = os.path.relpath(path, root).replace(os.sep, "/")
        with open(path, "rb") as opened:
            sound = opened.read()
        kinds = {"missing": None}
        if sound:
            kinds["flipped"] = sound[:len(sound) // 2] + bytes([sound[len(sound) // 2] ^ 4]) + sound[len(sound) // 2 + 1:]
            kinds["short"] = sound[:-1]
        for kind, bad in kinds.items():
            os.remove(path)
            if bad is not None:
                with open(path, "wb") as opened:
                    opened.write(bad)
            problems = []
            check(Repository(root), problems.append)
            named = sum(str(problem).startswith(name) for problem in problems)
            print(name, kind, len(problems), named, sep="\t")
            with open(path, "wb") as opened:
                opened.write(sound)
"#;

#[tokio::test]
async fn whatever_is_damaged_is_found_by_it() {
    let objects = golden("format-1");
    let target = tempfile::tempdir().unwrap();
    write(&objects, target.path());
    let Some(output) = python(&["-c", DAMAGE, docs().to_str().unwrap(), target.path().to_str().unwrap()]) else {
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut named: BTreeMap<&str, Vec<(&str, bool)>> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        named.entry(fields[0]).or_default().push((fields[1], fields[3] != "0"));
    }
    assert_eq!(named.len(), objects.len());
    // What no snapshot refers to may be gone.
    let repository = Repository::open(copy(&objects).await).await.unwrap();
    for session in repository.sessions().await.unwrap() {
        repository.fence(&session.id).await.unwrap();
    }
    let plan = repository.sweep_plan(&no_progress()).await.unwrap();
    let garbage: Vec<String> = plan.objects().map(|(name, _)| name).collect();
    assert!(!garbage.is_empty() && garbage.len() < objects.len() / 2);
    // The newest record that is missing is not missed: nothing refers to it.
    let newest = objects.keys().find(|name| name.starts_with("commits/")).unwrap();
    for (name, found) in named {
        let empty = objects[name].is_empty();
        for (kind, found) in found {
            let harmless = garbage.iter().any(|dead| dead == name) || empty || (name == newest && kind == "missing");
            assert_eq!(found, !harmless, "{name} {kind}");
        }
    }
}

#[tokio::test]
async fn newer_formats_are_refused_by_it_with_a_code_of_their_own() {
    let mut objects = golden("format-1");
    let seal = |body: &str| format!("{body}\n{{\"blake3\":\"{}\"}}\n", blake3::hash(body.as_bytes()));
    let identity = String::from_utf8(objects["repository.json"].to_vec()).unwrap();
    let body = identity.lines().next().unwrap();
    for newer in
        [body.replace("\"format\":1", "\"format\":2"), body.replace("\"features\":[]", "\"features\":[\"new\"]")]
    {
        assert_ne!(newer, body);
        objects.insert("repository.json".into(), seal(&newer).into());
        let target = tempfile::tempdir().unwrap();
        write(&objects, target.path());
        let at = target.path().to_str().unwrap();
        for command in ["check", "list"] {
            let Some((code, text)) = reader(&[command, at]) else { return };
            assert_eq!((code, text.contains("repository.json: ")), (3, true), "{text}");
        }
    }
}
