//! What each place keeps of what a repository needs; and that the liars among them are found out, by the promise that
//! they break.

use crate::place::{Place, servers};
use repository::probe::{Profile, Promised, probe};
use repository::{CreateOptions, ErrorKind, Repository};
use std::fmt::Write;

const ALL: [Promised; 6] = [
    Promised::CreateIfAbsent,
    Promised::ReadAfterWrite,
    Promised::RangeRead,
    Promised::ListAfterWrite,
    Promised::Multipart,
    Promised::Delete,
];

/// One row of the table that `docs/operations.md` shows.
fn row(place: &Place, found: &Result<Profile, repository::Error>) -> String {
    let mut row = format!("| {} | {} |", place.name, place.version);
    for promised in ALL {
        let kept = match found {
            Ok(profile) => match profile.promises.iter().find(|promise| promise.name == promised) {
                Some(promise) if promise.kept => "yes",
                Some(_) => "**no**",
                None => "not tried",
            },
            Err(_) => "-",
        };
        write!(row, " {kept} |").unwrap();
    }
    row
}

/// What was seen of each promise that is broken.
fn broken(profile: &Profile) -> Vec<(Promised, String)> {
    let broken = profile.promises.iter().filter(|promise| !promise.kept);
    broken.map(|promise| (promise.name, promise.seen.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_keeps_the_promises_or_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut places = vec![Place::directory(dir.path()), Place::parse("memory - memory:promises")];
    places.extend(servers("what they promise").iter().map(|place| place.below("promises")));
    let mut table = "\n| store | version |".to_owned();
    for promised in ALL {
        write!(table, " {promised} |").unwrap();
    }
    writeln!(table, "\n|---|---|{}", "---|".repeat(ALL.len())).unwrap();
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for place in places {
        let store = place.store();
        let found = probe(&store).await;
        writeln!(table, "{}", row(&place, &found)).unwrap();
        match &found {
            Ok(profile) => {
                for (promised, seen) in broken(profile) {
                    rows.push(format!("{} breaks {promised}: {seen}", place.name));
                }
            }
            Err(failed) => rows.push(format!("{} cannot be probed: {failed}", place.name)),
        }
        if let Err(why) = judge(&place, found).await {
            wrong.push(format!("{}: {why}", place.name));
        }
    }
    println!("{table}\n{}", rows.join("\n"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether what was found is what is known of the place, and what a repository makes of it.
async fn judge(place: &Place, found: Result<Profile, repository::Error>) -> Result<(), String> {
    let create = |profile| {
        let options = CreateOptions { name: "tests".into(), now_ms: 1, profile, single_writer: false };
        Repository::create_with(place.store(), options)
    };
    let Some(lie) = place.lie() else {
        let profile = found.map_err(|failed| failed.to_string())?;
        if let Some((promised, seen)) = broken(&profile).first() {
            return Err(format!("keeps promises, it was thought, and breaks {promised}: {seen}"));
        }
        return create(Some(profile)).await.map(drop).map_err(|failed| failed.to_string());
    };
    match (found, lie) {
        (Ok(profile), Some(promised)) => {
            if profile.keeps(promised) {
                return Err(format!("breaks {promised}, it was thought, and was not found out"));
            }
            match create(Some(profile)).await {
                Err(refused) if refused.kind() == ErrorKind::Unsupported => {
                    let named = refused.to_string().contains(&promised.to_string());
                    if named { Ok(()) } else { Err(format!("{promised} is not named: {refused}")) }
                }
                other => Err(format!("is not refused: {other:?}")),
            }
        }
        (Err(_), None) => Ok(()),
        (Ok(profile), None) => Err(format!("cannot be probed, it was thought: {:?}", profile.promises)),
        (Err(failed), Some(promised)) => Err(format!("breaks {promised}, it was thought, and failed: {failed}")),
    }
}
