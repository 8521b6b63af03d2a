//! What clients do. Each is a loop that goes on until the plan's time is over, and ends by itself soon after peace.

pub mod jobs;
pub mod loads;
pub mod reads;
pub mod stranger;
pub mod tables;

use node::error::{EngineError, ErrorKind};

/// Whether an error may pass, so that a client tries again.
pub fn may_pass(failed: &EngineError) -> bool {
    matches!(
        failed.kind,
        ErrorKind::Busy
            | ErrorKind::Unavailable
            | ErrorKind::Conflict
            | ErrorKind::Indeterminate
            | ErrorKind::Cancelled
            | ErrorKind::Full
    )
}
