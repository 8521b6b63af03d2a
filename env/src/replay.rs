//! Randomness and wall clock of one thread that follow a seed, for tests that compare what is written byte by byte.
//!
//! The simulator replays everything; this is for programs that run for real on one thread. Nothing but tests asks for it,
//! and without it a random number costs one look at a thread's own variable.

use std::cell::Cell;
use std::marker::PhantomData;

/// Where a thread stands that replays.
#[derive(Clone, Copy)]
struct Stand {
    state: u64,
    now_ms: u64,
}

thread_local! {
    static STAND: Cell<Option<Stand>> = const { Cell::new(None) };
}

/// Ends with its thread's replay when it is dropped.
#[derive(Debug)]
pub struct Replay {
    /// It must be dropped on its own thread.
    _thread: PhantomData<*const ()>,
}

impl Drop for Replay {
    fn drop(&mut self) {
        STAND.with(|stand| stand.set(None));
    }
}

/// From now on this thread's random numbers follow `seed`, and its wall clock begins at `now_ms` and goes on by a
/// millisecond with each look.
#[must_use = "it ends when it is dropped"]
pub fn replay(seed: u64, now_ms: u64) -> Replay {
    STAND.with(|stand| stand.set(Some(Stand { state: seed, now_ms })));
    Replay { _thread: PhantomData }
}

/// The next random number (Steele, Lea, Flood: SplitMix64, 2014), when this thread replays.
pub(crate) fn random() -> Option<u64> {
    STAND.with(|cell| {
        let mut stand = cell.get()?;
        stand.state = stand.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        cell.set(Some(stand));
        let mut mixed = stand.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ (mixed >> 31))
    })
}

/// The wall clock, when this thread replays.
pub(crate) fn unix_millis() -> Option<u64> {
    STAND.with(|cell| {
        let stand = cell.get()?;
        cell.set(Some(Stand { now_ms: stand.now_ms.saturating_add(1), ..stand }));
        Some(stand.now_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rand;
    use crate::rt::time;

    #[test]
    fn a_seed_gives_the_same_numbers_and_times_again() {
        let once = || {
            let _replay = replay(7, 1000);
            (rand::token(), rand::u64(), time::unix_millis(), time::unix_millis())
        };
        let (token, number, first, second) = once();
        assert_eq!(once(), (token.clone(), number, first, second));
        assert_eq!((first, second), (1000, 1001));
        assert_ne!(rand::token(), token, "it has ended");
        let other = replay(8, 1000);
        assert_ne!(rand::token(), token);
        drop(other);
        assert!(time::unix_millis() > 1_000_000);
    }
}
