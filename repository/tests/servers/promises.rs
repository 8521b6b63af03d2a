//! What each place keeps of what a repository needs; and that the liars among them are found out, by the promise that
//! they break.

use crate::place::{Place, servers};
use repository::probe::{Profile, Promised, probe};
use repository::{CreateOptions, Error, ErrorKind, Repository};
use std::collections::BTreeSet;
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
fn row(place: &Place, found: &Result<Profile, Error>) -> String {
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
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for place in places {
        let store = place.store();
        let found = probe(&store).await;
        writeln!(table, "{}", row(&place, &found)).unwrap();
        match &found {
            Ok(profile) => {
                for (promised, why) in broken(profile) {
                    seen.push(format!("{} breaks {promised}: {why}", place.name));
                }
            }
            Err(failed) => seen.push(format!("{} cannot be probed: {failed:?}", place.name)),
        }
        if let Err(why) = judge(&place, found).await {
            wrong.push(format!("{}: {why}", place.name));
        }
    }
    println!("{table}\n{}", seen.join("\n"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether what was found is what is known of the place, and whether a repository can be made there only if nothing is
/// broken.
async fn judge(place: &Place, found: Result<Profile, Error>) -> Result<(), String> {
    let profile = match found {
        // A place that cannot be judged is refused as well: by the error that the probe ended with.
        Err(failed) if place.cannot_be_probed() && failed.kind() == ErrorKind::Unavailable => return Ok(()),
        Err(failed) => return Err(format!("{failed:?}")),
        Ok(profile) => profile,
    };
    let broken: BTreeSet<Promised> = broken(&profile).into_iter().map(|(promised, _)| promised).collect();
    let known: BTreeSet<Promised> = place.lies().iter().copied().collect();
    if broken != known {
        return Err(format!("breaks {broken:?}, and is known to break {known:?}"));
    }
    let options = CreateOptions { name: "tests".into(), now_ms: 1, profile: Some(profile), single_writer: false };
    match Repository::create_with(place.store(), options).await {
        Ok(_) if known.is_empty() => Ok(()),
        Err(refused) if refused.kind() == ErrorKind::Unsupported => {
            let named = known.iter().any(|promised| refused.to_string().contains(&promised.to_string()));
            if named { Ok(()) } else { Err(format!("no broken promise is named: {refused}")) }
        }
        other => Err(format!("CREATE REPOSITORY gives {other:?}")),
    }
}
