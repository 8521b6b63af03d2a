//! The real binary, over real sockets, killed for real.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::allow_attributes,
    clippy::string_slice,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "tests"
)]
#![cfg(not(madsim))]

mod accounts;
mod config;
mod crash;
mod leftovers;
mod metrics;
#[path = "../../../repository/tests/it/s3.rs"]
#[allow(dead_code, reason = "shared with the repository's own tests, which use all of it")]
mod s3;
mod secrets;
mod server;
mod shell;
