//! What is checked: that nothing does harm, and that whatever is left out does.

use super::*;
use stateright::{Checker, HasDiscoveries};

/// Looks at every state; gives how many there are.
fn exhaust(what: &str, model: Protocol) -> usize {
    let checker = model.checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{what}: {states} states, {} steps deep", checker.max_depth());
    let broken = checker.discoveries().into_iter().next();
    if let Some((property, path)) = broken {
        panic!("{what}: {property:?} does not hold after {}", describe(&path.into_actions()));
    }
    states
}

/// The shortest way to something bad.
fn counterexample(what: &str, model: Protocol) -> (&'static str, Vec<Act>) {
    let checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found = checker.discoveries().into_iter().map(|(property, path)| (property, path.into_actions()));
    let (property, acts) = found.min_by_key(|(_, acts)| acts.len()).unwrap_or_else(|| panic!("{what} does no harm"));
    println!("{what}: {property:?} does not hold after {}", describe(&acts));
    (property, acts)
}

fn describe(acts: &[Act]) -> String {
    let steps: Vec<String> = acts.iter().map(|act| format!("{act:?}")).collect();
    format!("{} steps: {}", acts.len(), steps.join(", "))
}

#[test]
fn no_order_of_steps_loses_data() {
    let cases = [
        (
            "two lives, a sweeper that runs twice",
            Protocol { lives: 2, runs: 2, chain_max: 7, ..Protocol::SMALL },
            240_000,
        ),
        ("two sweepers", Protocol { sweepers: 2, ..Protocol::SMALL }, 14_900),
        ("two drops", Protocol { drops: 2, chain_max: 8, ..Protocol::SMALL }, 4_000),
        ("pages of the index", Protocol { index: true, drops: 2, chain_max: 7, ..Protocol::SMALL }, 13_400),
        ("a hold", Protocol { holds: 1, chain_max: 7, ..Protocol::SMALL }, 9_500),
    ];
    for (what, model, at_least) in cases {
        let states = exhaust(what, model);
        assert!(states >= at_least, "{what}: only {states} states");
    }
}

#[test]
fn answers_that_are_lost_lose_no_data_and_tell_no_lies() {
    let lossy = Protocol { losses: 2, resume: true, lives: 2, fences: 1, sweepers: 1, chain_max: 6, ..Protocol::SMALL };
    let cases = [
        ("lost answers, resumed sessions", lossy.clone(), 2_000_000),
        ("lost answers, new sessions", Protocol { resume: false, losses: 1, ..lossy }, 770_000),
    ];
    for (what, model, at_least) in cases {
        let states = exhaust(what, model);
        assert!(states >= at_least, "{what}: only {states} states");
    }
}

#[test]
fn each_rule_left_out_does_harm() {
    let lossy = Protocol { losses: 2, ..Protocol::SMALL };
    let fresh = Protocol { stale: false, ..Protocol::SMALL };
    let cases = [
        ("a sweep that ignores pins", Weak::Test(Test::Pinned), Protocol { lives: 2, chain_max: 7, ..Protocol::SMALL }),
        ("a sweep that ignores what is reachable", Weak::Test(Test::Reachable), Protocol::SMALL),
        ("a sweep that ignores open sessions", Weak::Test(Test::Session), Protocol::SMALL),
        ("a sweep that ignores when a session was opened", Weak::Test(Test::Generation), Protocol::SMALL),
        ("the same, with a fresh view", Weak::Test(Test::Generation), fresh),
        ("a commit of a session that has ended", Weak::CommitWhenEnded, Protocol::SMALL),
        ("no pins", Weak::ReuseFromHead, Protocol { chain_max: 7, ..Protocol::SMALL }),
        ("names by content", Weak::NamesByContent, Protocol::SMALL),
        ("exists read as another's", Weak::ExistsIsAnothers, lossy.clone()),
        ("exists read as one's own", Weak::ExistsIsMine, lossy.clone()),
        ("a lost answer read as not made", Weak::LostIsNotMade, lossy),
    ];
    for (what, weak, model) in cases {
        let (property, _) = counterexample(what, Protocol { weak: Some(weak), ..model });
        let harm = match weak {
            Weak::ExistsIsAnothers | Weak::ExistsIsMine | Weak::LostIsNotMade => "what was acknowledged is there, once",
            Weak::Test(_) | Weak::CommitWhenEnded | Weak::ReuseFromHead | Weak::NamesByContent => {
                "every snapshot has what it refers to"
            }
        };
        assert_eq!(property, harm, "{what}");
    }
}
