//! What can be tuned.

use std::time::Duration;

/// How a store behaves. The defaults suit a node with a few GiB of memory.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// How many versions of a tablet, the current one included, can be had without a pin; at least 1.
    pub keep_versions: usize,
    /// How long a version that has been superseded can be had at most; [`Duration::ZERO`] keeps the current one only.
    /// Looked at by `reclaim`.
    pub keep_for: Duration,
    /// A segment is closed when it has this many rows; at least 1.
    pub segment_rows_max: u32,
    /// A segment is closed when it has about this many bytes.
    pub segment_bytes_max: u64,
    /// How much memory the key indexes of all Primary Key tablets may take together. One that does not fit is built
    /// anew, by reading the key columns, when it is needed.
    pub index_bytes_max: usize,
    /// When and what `pick_compaction` proposes.
    pub compaction: CompactionOptions,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            keep_versions: 16,
            keep_for: Duration::from_mins(10),
            segment_rows_max: 8 << 20,
            segment_bytes_max: 256 << 20,
            index_bytes_max: 256 << 20,
            compaction: CompactionOptions::default(),
        }
    }
}

/// When rowsets are merged.
#[derive(Debug, Clone)]
pub struct CompactionOptions {
    /// Rowsets of about the same size that make a merge worth while; at least 2.
    pub inputs_min: usize,
    /// Most rowsets of one merge; at least `inputs_min`.
    pub inputs_max: usize,
    /// Most bytes that one merge reads.
    pub input_bytes_max: u64,
    /// Two rowsets are of about the same size when the larger one has less than this many times the bytes.
    pub tier_factor: u64,
    /// Rowsets smaller than this are all of one size.
    pub tier_bytes_min: u64,
    /// A rowset is rewritten alone when at least this many percent of its rows are hidden.
    pub hidden_percent: u64,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        Self {
            inputs_min: 4,
            inputs_max: 32,
            input_bytes_max: 1 << 30,
            tier_factor: 4,
            tier_bytes_min: 1 << 20,
            hidden_percent: 30,
        }
    }
}
