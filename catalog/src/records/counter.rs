//! The counter that ids are taken from.

use crate::keys;
use crate::record::Record;
use serde::{Deserialize, Serialize};

/// The counter that all ids of a cluster are taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterRecord {
    /// The lowest id that nobody has reserved yet.
    pub next: u64,
}

impl Record for CounterRecord {
    const KIND: &'static str = "id counter";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::ID_COUNTER.to_owned()
    }
}
