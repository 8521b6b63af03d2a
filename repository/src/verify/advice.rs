//! What to do about what was found. Pure.

use super::report::{FindingKind, Severity, Verdict};
use crate::names::ObjectName;

/// To whoever has to mend an object.
const COPY: &str = "if there is a copy of the repository, put the object back from there";

pub(super) fn of_finding(
    kind: FindingKind,
    severity: Severity,
    object: &str,
    everybody: bool,
    snapshots: usize,
) -> String {
    match kind {
        FindingKind::NewerFormat => "it is not damage; use the newest program to read it".to_owned(),
        FindingKind::Unreadable => {
            "nothing is known of it; see to the store (network, credentials, rights) and verify again".to_owned()
        }
        FindingKind::ForeignObject => {
            "the repository leaves it alone; remove it if you know that nobody needs it".to_owned()
        }
        FindingKind::Garbage => "sweep the repository to have the space back".to_owned(),
        FindingKind::ForkedLog => "stop writing to the repository and find out who wrote there: a copy, a restored \
             bucket or another repository may have been mixed in. Keep what is there, and go on in a new repository or \
             in a copy that verifies"
            .to_owned(),
        FindingKind::MissingIdentity => {
            "create the repository again in the same place: it is adopted from its first record".to_owned()
        }
        _ if everybody => {
            format!("nobody can open the repository as it is; {COPY}. Keep what is there until then, write nothing")
        }
        FindingKind::BadIdentity => format!("{COPY}, or remove it and create the repository again in the same place"),
        _ if matches!(ObjectName::parse(object), ObjectName::Commit(_)) => {
            format!("no snapshot that is there needs this record, so restores work; {COPY}, to have the history whole")
        }
        _ if severity == Severity::Warning => {
            "every snapshot can be restored; find out who writes to the repository's objects".to_owned()
        }
        _ if snapshots == 0 => COPY.to_owned(),
        FindingKind::MissingObject
        | FindingKind::WrongLength
        | FindingKind::BadChecksum
        | FindingKind::BadPage
        | FindingKind::BadRecord
        | FindingKind::BadEntry
        | FindingKind::CountMismatch => format!(
            "{COPY}; else drop the snapshots named here, then take a new backup. Drop first: a backup refers to files of \
             earlier snapshots instead of sending them again"
        ),
    }
}

pub(super) fn of_snapshot(verdict: Verdict, hit: u64, tables: u64) -> String {
    match verdict {
        Verdict::Sound => String::new(),
        Verdict::NotChecked => "nothing is known to be wrong; see the findings, and verify again".to_owned(),
        Verdict::Damaged if hit == 0 || hit >= tables => {
            "see the findings; without a copy of the objects named there, drop it and take a new backup".to_owned()
        }
        Verdict::Damaged => format!(
            "its other {} tables can be restored by name; see the findings, and drop it and take a new backup if there is \
             no copy of the objects named there",
            tables - hit
        ),
    }
}
