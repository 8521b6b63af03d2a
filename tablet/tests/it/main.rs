//! The tablet store from outside. All in one binary, since linking is what takes the time.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::missing_docs_in_private_items,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "tests"
)]

mod basics;
mod concurrency;
mod crash;
mod failures;
mod merging;
mod model;
mod pins;
mod reclaim;
mod restore;
mod support;
