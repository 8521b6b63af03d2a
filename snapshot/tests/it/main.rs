//! Whole jobs over the embedded catalog, the tablet store and a local repository, on disks in memory.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::similar_names,
    clippy::too_many_lines,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod backup;
mod cancel;
mod crash;
mod damage;
mod dedup;
mod export;
mod faults;
mod full;
mod maintenance;
mod repositories;
mod restore;
mod silence;
mod submit;
mod verify;
mod world;
