//! The two doors, MySQL's protocol and HTTP, without an engine behind them: a small backend stands in.
#![cfg(not(madsim))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::cast_possible_truncation,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "tests"
)]

mod backend;
mod client;
mod http;
mod kill;
mod login;
mod prepared;
mod query;
mod random;
mod stock;
mod tls;
