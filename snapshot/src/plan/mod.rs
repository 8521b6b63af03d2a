//! What a job will do, decided before anything is done, as pure functions of records that were read at one revision.
//!
//! Every plan looks at everything and tells all that is in its way at once, as [`Conflicts`].

mod backup;
mod conflict;
mod restore;
mod shares;
#[cfg(test)]
mod tests;

pub use backup::{CutPlan, TableAtCut, cut, objects_text as backup_objects_text, select as select_for_backup};
pub use conflict::{Conflict, Conflicts};
pub use restore::{
    Draft, DraftPartition, DraftTable, LocalTable, SnapshotPartition, SnapshotTable, assign, ids_needed,
    objects_text as restore_objects_text, restore, select as select_for_restore, tablet_id,
};
pub use shares::{TaskHead, TaskSizes, place, split};

/// How long the text about a job's objects may become, in bytes; what does not fit is counted.
const OBJECTS_TEXT_MAX: usize = 4 << 10;

/// `items`, separated by a comma and a space, as many as fit.
fn bounded_list(items: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = String::new();
    let all = items.len();
    for (shown, item) in items.enumerate() {
        if !text.is_empty() && text.len() + item.len() > OBJECTS_TEXT_MAX {
            return format!("{text}, and {} more", all - shown);
        }
        if shown > 0 {
            text.push_str(", ");
        }
        text.push_str(&item);
    }
    text
}
