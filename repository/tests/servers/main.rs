//! Repositories on object stores of others, and ten processes that share one.
//!
//! `cargo xtask test servers` starts the stores and names them in `TABULARIUM_SERVERS`: a line for each, with its name,
//! its version, a location and the location's properties, separated by spaces. Without it, what needs a server says
//! that it was skipped; directories and memory are always tried.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::exit,
    clippy::cloned_ref_to_slice_refs,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::allow_attributes,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "tests, and a part of what they share with others"
)]

mod place;
mod processes;
mod promises;
mod reachable;
mod round_trip;
#[path = "../it/support.rs"]
mod support;
mod worker;
