//! The catalog as its users see it. All in one binary, since linking is what takes the time.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod corruption;
mod crash;
mod embedded;
mod model;

mod names;
mod records;
mod typed;

/// Runs a test's async body on a runtime of its own.
fn run<R>(body: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body)
}
