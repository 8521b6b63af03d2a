//! Every crash point of a small life: whatever was acknowledged is there afterwards, and nothing is half there.

use crate::support::*;
use env::disk::MemDisk;
use env::ids::{JobId, LoadId, TabletId, Version};
use tablet::KeyModel::{Duplicate, Primary};
use tablet::{Mutation, NewTablet, Result, StagedTablet, TabletStore};

const D: TabletId = TabletId(1);
const P: TabletId = TabletId(2);
const RESTORED: TabletId = TabletId(3);
const JOB: JobId = JobId(9);

/// Does the life from its beginning, and says how many steps were acknowledged.
async fn life(disk: &MemDisk, done: &mut usize) -> Result<()> {
    let store = TabletStore::open(std::sync::Arc::new(disk.clone()), strict()).await?;
    *done += 1; // 1
    let tablets = [(D, Duplicate), (P, Primary)];
    store.create(tablets.map(|(tablet, model)| NewTablet { tablet, schema: schema(model) }).to_vec()).await?;
    *done += 1; // 2
    for (tablet, model) in tablets {
        let batch: Vec<(i64, String)> = (0..7).map(|key| (key, format!("one {key}"))).collect();
        store.prepare(LoadId(1), tablet, Mutation::Rows(vec![rows(model, &batch)])).await?;
        *done += 1; // 3, 4
    }
    store.publish(LoadId(1), &[(D, Version(2)), (P, Version(2))]).await?;
    *done += 1; // 5
    let segments = positions(&store.view_current(D)?, |key| key < 3);
    store.prepare(LoadId(2), D, Mutation::DeletePositions { base: Version(2), segments }).await?;
    *done += 1; // 6
    store.prepare(LoadId(2), P, Mutation::Rows(vec![rows(Primary, &[(5, "two"), (9, "two")])])).await?;
    *done += 1; // 7
    store.prepare(LoadId(2), P, Mutation::DeleteKeys(vec![keys(&[0, 9])])).await?;
    *done += 1; // 8
    store.publish(LoadId(2), &[(D, Version(3)), (P, Version(3))]).await?;
    *done += 1; // 9
    store.pin(JOB, &[(D, Version(3)), (P, Version(3))]).await?;
    *done += 1; // 10
    for tablet in [D, P] {
        store.compact(tablet).await?;
        *done += 1; // 11, 12
    }
    store.reclaim().await?;
    *done += 1; // 13
    let image = store.pinned(JOB, P)?.meta;
    store.stage_begin(JOB, vec![StagedTablet { tablet: RESTORED, image: image.clone() }]).await?;
    *done += 1; // 14
    for file in &image.files {
        let bytes = store.image_bytes(JOB, P, &file.name).await?;
        bring(&store, JOB, RESTORED, file, &bytes).await?;
    }
    store.stage_finish(JOB, &[RESTORED]).await?;
    *done += 1; // 15
    store.stage_keep(JOB).await?;
    *done += 1; // 16
    store.unpin(JOB).await?;
    *done += 1; // 17
    store.reclaim().await?;
    *done += 1; // 18
    store.remove(&[D]).await?;
    *done += 1; // 19
    store.reclaim().await?;
    *done += 1; // 20
    Ok(())
}

/// Whether the effect of a step must be there, may be there, or cannot be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Must,
    May,
    Not,
}

fn seen(done: usize, step: usize) -> Seen {
    match step {
        _ if done >= step => Seen::Must,
        _ if done + 1 == step => Seen::May,
        _ => Seen::Not,
    }
}

async fn check(disk: &MemDisk, done: usize) {
    let store = open(disk, strict()).await;
    let happened = |step, is: bool| match seen(done, step) {
        Seen::Must => assert!(is, "step {step} was acknowledged and is lost"),
        Seen::Not => assert!(!is, "step {step} was never begun"),
        Seen::May => {}
    };
    let there = store.tablets();
    happened(2, there.contains(&P));
    assert!(there.contains(&D) || !there.contains(&P) || done >= 18, "made together");
    if !there.contains(&P) {
        assert!(there.is_empty());
        return;
    }
    let version = store.current_version(P).unwrap();
    happened(5, version >= Version(2));
    happened(9, version >= Version(3));
    let one: Rows = (0..7).map(|key| (key, format!("one {key}"))).collect();
    let mut two: Rows = one.iter().filter(|(key, _)| *key != 0 && *key != 5).cloned().collect();
    two.push((5, "two".to_owned()));
    two.sort();
    let expected = [Rows::new(), one.clone(), two.clone()];
    assert_eq!(current(&store, P), expected[version.0 as usize - 1]);
    if there.contains(&D) {
        assert_eq!(store.current_version(D).unwrap(), version, "published together");
        let deleted: Rows = one.iter().filter(|(key, _)| *key >= 3).cloned().collect();
        assert_eq!(current(&store, D), [Rows::new(), one, deleted][version.0 as usize - 1]);
    }
    happened(19, !there.contains(&D) && done > 2);

    let prepared = store.prepared();
    if version == Version(1) {
        happened(4, prepared == [(LoadId(1), vec![D, P])]);
    } else if version == Version(2) {
        happened(6, prepared.contains(&(LoadId(2), vec![D])) || prepared == [(LoadId(2), vec![D, P])]);
        happened(7, prepared == [(LoadId(2), vec![D, P])]);
        if done >= 8 {
            store.publish(LoadId(2), &[(D, Version(3)), (P, Version(3))]).await.unwrap();
            assert_eq!(current(&store, P), two);
        }
    } else {
        assert!(prepared.is_empty());
    }
    let pins = store.pins(JOB);
    happened(10, done >= 16 || !pins.is_empty());
    happened(17, done >= 16 && pins.is_empty());
    assert!(pins.is_empty() || pins == [(D, Version(3)), (P, Version(3))], "all or none");
    if !pins.is_empty() {
        let image = store.pinned(JOB, P).unwrap().meta;
        assert_eq!(image_rows(&image, &image_files(&store, JOB, P).await), two);
    }
    finish_restore(&store, done, &two).await;
    for (load, _) in store.prepared() {
        store.abort(load).await.unwrap();
    }
    store.unpin(JOB).await.unwrap();
    store.reclaim().await.unwrap();
    assert_eq!(files(disk), needed(&store), "a file that nobody owns, or one that is missing");
}

async fn finish_restore(store: &TabletStore, done: usize, expected: &Rows) {
    let staged = store.staged(JOB);
    let finished = store.tablets().contains(&RESTORED);
    match seen(done, 15) {
        Seen::Must => assert!(finished),
        Seen::Not => assert!(!finished),
        Seen::May => {}
    }
    assert!(seen(done, 14) != Seen::Must || finished || staged == [(RESTORED, false)]);
    if !finished && !staged.is_empty() {
        // What was brought is kept; the rest is brought now.
        for file in store.staged_missing(JOB, RESTORED).await.unwrap() {
            let bytes = store.image_bytes(JOB, P, &file.name).await.unwrap();
            bring(store, JOB, RESTORED, &file, &bytes).await.unwrap();
        }
        store.stage_finish(JOB, &[RESTORED]).await.unwrap();
    }
    if finished || !staged.is_empty() {
        assert_eq!(&current(store, RESTORED), expected);
        store.stage_keep(JOB).await.unwrap();
    }
}

#[test]
fn every_crash_point_leaves_what_was_acknowledged_and_nothing_half() {
    let seeds: u64 = std::env::var("CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    let mut points = 0;
    for point in 0.. {
        let mut complete = true;
        for seed in 0..seeds {
            let disk = MemDisk::new();
            disk.cut_after(point, point * 1000 + seed);
            let mut done = 0;
            let outcome = run(life(&disk, &mut done));
            complete &= outcome.is_ok();
            let disk = if outcome.is_ok() { disk.power_cut(point) } else { disk.reboot() };
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(check(&disk, done))));
            assert!(checked.is_ok(), "crash point {point}, seed {seed}, after step {done}: {outcome:?}");
        }
        points = point;
        if complete {
            break;
        }
    }
    assert!(points > 100, "only {points} crash points");
}
