//! The store against a plain model of it: loads over several tablets, deletes, compactions, views, pins, restores,
//! restarts and power cuts, in any order.

mod drive;
mod world;

use proptest::prelude::*;
use world::{Key, Mutate};

/// What the driver does next. Numbers that name something are taken modulo how many there are.
#[derive(Debug, Clone)]
pub enum Op {
    /// Prepares a load.
    Prepare(Vec<(usize, Mutate)>),
    /// Publishes the oldest load, or one of them, in its tablets and some others.
    Publish(usize, u8),
    Abort(usize),
    Compact(usize),
    CompactPicked,
    View(usize),
    DropView(usize),
    Pin(u64, u8),
    Unpin(u64),
    Reclaim,
    /// Restores what a job has pinned of a tablet into a new tablet.
    Restore(u64, usize),
    Remove(usize),
    Reopen,
    /// Cuts the power just before a change to come.
    CutAfter(u16, u64),
    /// Cuts it now.
    Cut(u64),
}

fn key() -> impl Strategy<Value = Key> {
    0..24i64
}

fn mutate() -> impl Strategy<Value = Mutate> {
    prop_oneof![
        5 => proptest::collection::vec(key(), 1..14).prop_map(Mutate::Rows),
        3 => proptest::collection::vec(key(), 1..6).prop_map(Mutate::Delete),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => proptest::collection::vec((0..8usize, mutate()), 1..4).prop_map(Op::Prepare),
        8 => (prop_oneof![4 => Just(0), 1 => 0..3usize], any::<u8>()).prop_map(|(load, more)| Op::Publish(load, more)),
        1 => (0..3usize).prop_map(Op::Abort),
        3 => (0..8usize).prop_map(Op::Compact),
        2 => Just(Op::CompactPicked),
        2 => (0..8usize).prop_map(Op::View),
        2 => (0..4usize).prop_map(Op::DropView),
        2 => (0..3u64, any::<u8>()).prop_map(|(job, tablets)| Op::Pin(job, tablets)),
        1 => (0..3u64).prop_map(Op::Unpin),
        3 => Just(Op::Reclaim),
        2 => (0..3u64, 0..8usize).prop_map(|(job, tablet)| Op::Restore(job, tablet)),
        1 => (0..8usize).prop_map(Op::Remove),
        1 => Just(Op::Reopen),
        2 => (0..120u16, any::<u64>()).prop_map(|(changes, seed)| Op::CutAfter(changes, seed)),
        1 => any::<u64>().prop_map(Op::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..50)) {
        crate::support::run(drive::drive(&ops));
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}
