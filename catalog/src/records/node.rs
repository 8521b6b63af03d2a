//! Storage nodes.

use crate::keys;
use crate::record::Record;
use env::ids::NodeId;
use serde::{Deserialize, Serialize};

/// A storage node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its id.
    pub id: NodeId,
    /// `host:port` where it answers.
    pub address: String,
    /// Grows each time its process starts.
    pub incarnation: u64,
    /// When it last said that it lives, in milliseconds since 1970.
    pub heartbeat_ms: u64,
}

impl Record for NodeRecord {
    const KIND: &'static str = "node";
    const FORMAT: u32 = 1;

    fn key(&self) -> String {
        keys::node(self.id)
    }
}
