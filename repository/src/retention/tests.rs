use super::*;
use crate::manifest::Hold;
use proptest::prelude::*;

const DAY: u64 = 24 * 3600 * 1000;

/// A snapshot whose session was opened behind `since` records.
fn row(label: &str, since: u64, created_ms: u64) -> SnapshotSummary {
    let session = format!("{since}.{}", "a".repeat(32)).parse().unwrap();
    SnapshotSummary { created_ms, ..SnapshotSummary::sample(label, session) }
}

fn keeps(plan: &Plan) -> Vec<(&str, bool)> {
    plan.decisions.iter().map(|decision| (decision.summary.label.as_str(), decision.keep)).collect()
}

#[test]
fn every_decision_says_why() {
    let hold = |reason: &str| Some(Hold { reason: reason.into(), since_ms: 1 });
    let now = 100 * DAY;
    let rows = [
        row("newest", 9, 99 * DAY),
        SnapshotSummary { expires_ms: Some(now + DAY), ..row("lives", 8, 98 * DAY) },
        SnapshotSummary { expires_ms: Some(now - 3 * DAY), ..row("lived", 7, 90 * DAY) },
        row("second", 6, 97 * DAY),
        row("young", 5, 96 * DAY),
        SnapshotSummary { hold: hold("audit 7"), ..row("legal", 4, DAY) },
        SnapshotSummary { hold: hold(""), expires_ms: Some(5), ..row("locked", 3, DAY) },
        row("old", 2, DAY),
        SnapshotSummary { database: "rare".into(), ..row("only", 1, DAY) },
    ];
    let policy = Policy { keep_last: Some(2), keep_within_ms: Some(30 * DAY), min: 1 };
    insta::assert_snapshot!(plan(&rows, &policy, now), @r#"
    retention: drop 2 snapshots, keep 7
    keep newest of d: one of the newest 2 of database "d"
    keep lives of d: its time to live ends in 1day
    drop lived of d: its time to live ended 3days ago
    keep second of d: one of the newest 2 of database "d"
    keep young of d: younger than 30days
    keep legal of d: held: audit 7
    keep locked of d: held
    drop old of d: not one of the newest 2 of database "d", not younger than 30days
    keep only of rare: one of the newest 2 of database "rare"
    "#);
    let strict = Policy { keep_last: Some(0), keep_within_ms: None, min: 1 };
    insta::assert_snapshot!(plan(&rows[8..], &strict, now), @r#"
    retention: drop 0 snapshots, keep 1
    keep only of rare: at least 1 of database "rare" stay, although: not one of the newest 0 of database "rare"
    "#);
    insta::assert_snapshot!(plan(&rows[7..8], &Policy::default(), now), @r"
    retention: drop 0 snapshots, keep 1
    keep old of d: no rule drops it
    ");
}

#[test]
fn a_clock_that_was_set_back_does_not_make_the_newest_the_oldest() {
    let policy = Policy { keep_last: Some(1), keep_within_ms: None, min: 0 };
    let rows = [row("before", 1, 50 * DAY), row("after", 2, 0)];
    assert_eq!(keeps(&plan(&rows, &policy, 51 * DAY)), [("after", true), ("before", false)]);
    // One from the future is young.
    let policy = Policy { keep_last: None, keep_within_ms: Some(1), min: 0 };
    assert_eq!(keeps(&plan(&rows[..1], &policy, 0)), [("before", true)]);
}

#[test]
fn the_minimum_counts_in_each_database_and_cluster() {
    let policy = Policy { keep_last: Some(0), keep_within_ms: None, min: 2 };
    let of = |cluster: &str, row: SnapshotSummary| SnapshotSummary { cluster: cluster.into(), ..row };
    let rows: Vec<_> =
        (0..3).flat_map(|n| [of("a", row(&format!("a{n}"), n, 0)), of("b", row(&format!("b{n}"), n, 0))]).collect();
    let expected = [("a2", true), ("a1", true), ("a0", false), ("b2", true), ("b1", true), ("b0", false)];
    assert_eq!(keeps(&plan(&rows, &policy, 0)), expected);
}

/// The rules again, for one snapshot at a time and without any order of work.
fn model(rows: &[SnapshotSummary], policy: &Policy, now_ms: u64, of: &SnapshotSummary) -> bool {
    let age = |row: &SnapshotSummary| (row.session.since(), row.created_ms, row.label.clone());
    let peers = || rows.iter().filter(|row| (&row.cluster, &row.database) == (&of.cluster, &of.database));
    let stays = |row: &SnapshotSummary| {
        let newer = peers().filter(|peer| peer.expires_ms.is_none() && age(peer) > age(row)).count() as u64;
        row.hold.is_some()
            || match row.expires_ms {
                Some(expires_ms) => now_ms < expires_ms,
                None => {
                    policy.keep_last.is_some_and(|last| newer < u64::from(last))
                        || policy.keep_within_ms.is_some_and(|within| row.created_ms + within > now_ms)
                        || (policy.keep_last.is_none() && policy.keep_within_ms.is_none())
                }
            }
    };
    let stay = peers().filter(|peer| stays(peer)).count();
    let newer_gone = peers().filter(|peer| !stays(peer) && age(peer) > age(of)).count();
    stays(of) || stay + newer_gone < policy.min as usize
}

prop_compose! {
    fn rows()(rows in prop::collection::vec(
        (0..2u8, 0..2u8, 0..6u64, 0..8u64, prop::option::weighted(0.3, 0..8u64), prop::bool::weighted(0.15)),
        0..12,
    )) -> Vec<SnapshotSummary> {
        rows.into_iter()
            .enumerate()
            .map(|(number, (cluster, database, since, created_ms, expires_ms, held))| SnapshotSummary {
                cluster: format!("c{cluster}"),
                database: format!("d{database}"),
                expires_ms,
                hold: held.then(|| Hold { reason: "r".into(), since_ms: 0 }),
                ..row(&format!("l{number}"), since, created_ms)
            })
            .collect()
    }
}

proptest! {
    #[test]
    fn a_plan_is_what_the_rules_say(
        rows in rows(),
        keep_last in prop::option::of(0..4u32),
        keep_within_ms in prop::option::of(0..6u64),
        min in 0..4u32,
        now_ms in 0..10u64,
    ) {
        let policy = Policy { keep_last, keep_within_ms, min };
        let planned = plan(&rows, &policy, now_ms);
        prop_assert_eq!(planned.decisions.len(), rows.len());
        for decision in &planned.decisions {
            prop_assert!(!decision.reason.is_empty());
            prop_assert_eq!(decision.keep, model(&rows, &policy, now_ms, &decision.summary), "{}", planned);
        }
        // The order in which they are given does not matter, and carrying it out leaves nothing to do.
        let mut shuffled = rows.clone();
        shuffled.reverse();
        prop_assert_eq!(&plan(&shuffled, &policy, now_ms), &planned);
        let left: Vec<_> = planned.decisions.into_iter().filter(|found| found.keep).map(|found| found.summary).collect();
        prop_assert_eq!(plan(&left, &policy, now_ms).drops().count(), 0);
    }
}
