use super::*;

const RETENTION: Retention = Retention { versions: 2, age: Duration::from_secs(10) };

/// Version `n` shows rowset `n` and the one before.
fn version(number: u64, superseded_for: Option<u64>, held: bool) -> VersionFacts {
    VersionFacts {
        version: Version(number),
        superseded_for: superseded_for.map(Duration::from_secs),
        held,
        rowsets: [number - 1, number].into(),
        deletes: [(SegmentId { rowset: number, ordinal: 0 }, Version(number))].into(),
    }
}

fn rowset(id: u64, held: bool) -> FileFacts<u64> {
    FileFacts { id, files: vec![(format!("tablets/1/{id}-0.parquet"), 10 * id)], held }
}

fn facts(versions: Vec<VersionFacts>, rowsets: Vec<FileFacts<u64>>) -> TabletFacts {
    TabletFacts {
        tablet: TabletId(1),
        life: Life::Live,
        pinned: false,
        versions,
        rowsets,
        deletes: Vec::new(),
        keys: Vec::new(),
        strays: Vec::new(),
    }
}

#[test]
fn nothing_goes_while_every_version_is_kept() {
    let facts =
        facts(vec![version(4, Some(9), false), version(5, None, false)], vec![rowset(3, false), rowset(5, false)]);
    assert_eq!(plan(&facts, RETENTION), None);
}

#[test]
fn versions_leave_by_number_and_by_age_but_never_the_current_one() {
    let by_number =
        facts(vec![version(3, Some(0), false), version(4, Some(0), false), version(5, None, false)], vec![]);
    assert_eq!(plan(&by_number, RETENTION).unwrap().versions, [Version(3)]);
    let by_age = facts(vec![version(4, Some(10), false), version(5, None, false)], vec![]);
    assert_eq!(plan(&by_age, RETENTION).unwrap().versions, [Version(4)]);
    let at_once = Retention { versions: 0, age: Duration::ZERO };
    assert_eq!(plan(&by_age, at_once).unwrap().versions, [Version(4)]);
}

#[test]
fn a_rowset_goes_with_the_last_version_that_shows_it() {
    let versions = vec![version(3, Some(99), false), version(4, Some(1), false), version(5, None, false)];
    let all: Vec<_> = (1..=6).map(|id| rowset(id, id == 6)).collect();
    let plan = plan(&facts(versions, all), RETENTION).unwrap();
    assert_eq!(plan.rowsets, [1, 2], "3 is shown by version 4, 6 belongs to a prepared load");
    assert_eq!(plan.files.iter().map(|file| file.len_bytes).sum::<u64>(), 30);
    assert!(plan.files.iter().all(|file| file.why == Unneeded::Superseded));
}

#[test]
fn a_reader_of_an_expired_version_keeps_its_files() {
    let versions = vec![version(3, Some(99), true), version(4, Some(1), false), version(5, None, false)];
    let plan = plan(&facts(versions, (1..=5).map(|id| rowset(id, false)).collect()), RETENTION).unwrap();
    assert_eq!((plan.versions, plan.rowsets), (vec![Version(3)], vec![1]));
}

#[test]
fn a_removed_tablet_is_forgotten_when_nobody_holds_anything_of_it() {
    let mut gone = facts(vec![], vec![rowset(1, false), rowset(2, true)]);
    gone.life = Life::Removed;
    let first = plan(&gone, RETENTION).unwrap();
    assert_eq!((first.rowsets, first.forget), (vec![1], false));
    assert_eq!(first.files[0].why, Unneeded::TabletRemoved);
    gone.rowsets = vec![];
    gone.pinned = true;
    assert_eq!(plan(&gone, RETENTION), None, "a pin of an empty tablet needs its columns");
    gone.pinned = false;
    assert!(plan(&gone, RETENTION).unwrap().forget);
}

#[test]
fn a_plan_can_be_read() {
    let mut facts = facts(vec![version(4, Some(99), false), version(5, None, false)], vec![rowset(3, false)]);
    facts.deletes =
        vec![FileFacts { id: (SegmentId { rowset: 4, ordinal: 0 }, Version(4)), files: vec![], held: false }];
    facts.strays = vec![Stray { path: "tablets/1/.9-0.parquet.tmp".to_owned(), len_bytes: 7, temporary: true }];
    let plan = ReclaimPlan { tablets: vec![plan(&facts, RETENTION).unwrap()] };
    insta::assert_snapshot!(plan.to_string().trim_end(), @r"
    forget version 4 of tablet 1: newer ones are kept
    forget the delete vector of segment 4-0, version 4, of tablet 1
    delete tablets/1/3-0.parquet (30 bytes): no kept version, pin, reader or prepared load refers to its rowset
    delete tablets/1/.9-0.parquet.tmp (7 bytes): it was left half written
    ");
}
