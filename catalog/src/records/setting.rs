//! What was set for the whole cluster.

use crate::keys;
use crate::record::Record;
use serde::{Deserialize, Serialize};

/// A system variable that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingRecord {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Record for SettingRecord {
    const KIND: &'static str = "setting";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::setting(&self.name)
    }
}
