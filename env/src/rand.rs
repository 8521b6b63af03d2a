//! Randomness for jitter, ids and tokens. Under the simulator it follows the seed; it is never for secrets
//! (a process that needs a secret nonce takes it from the operating system itself).

/// A random number, evenly distributed.
pub fn u64() -> u64 {
    #[cfg(madsim)]
    {
        ::madsim::rand::random()
    }
    #[cfg(not(madsim))]
    {
        use std::hash::{BuildHasher, RandomState};
        use std::sync::atomic::{AtomicU64, Ordering};
        // Each `RandomState` is keyed by the operating system's randomness; the counter keeps two calls on one
        // thread apart.
        static CALLS: AtomicU64 = AtomicU64::new(0);
        crate::replay::random().unwrap_or_else(|| RandomState::new().hash_one(CALLS.fetch_add(1, Ordering::Relaxed)))
    }
}

/// 128 random bits as 32 hexadecimal digits: a name that nobody else will ever choose.
pub fn token() -> String {
    format!("{:016x}{:016x}", u64(), u64())
}

/// A random number below `bound`; 0 when `bound` is 0.
pub fn below(bound: u64) -> u64 {
    u64().checked_rem(bound).unwrap_or(0)
}
