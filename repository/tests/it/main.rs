//! The repository from outside. The simulator has scenarios of its own.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::allow_attributes,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    clippy::cast_precision_loss,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod backup;
mod crash;
mod damage;
mod dedup;
mod diff;
mod golden;
mod independent;
mod inspect;
mod keeping;
mod log;
mod probe;
mod remote;
mod s3;
mod shelf;
mod spawn;
mod speed;
mod stores;
mod support;
mod usage;
mod verify;
