//! `tabularium repo`, as a person runs it: the real binary over a repository that a real backup made.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "tests"
)]
#![cfg(not(madsim))]

mod change;
mod export;
mod look;
mod place;
mod signals;
mod verify;
