//! The storage node: SQL, MySQL protocol, queries, HTTP and command line of Tabularium.
//!
//! An [`Engine`](engine::Engine) is a node without its doors: it opens a data directory, and its
//! [sessions](session::Session) execute statements. The doors ([`mysql`], [`http`], the command line) only carry statements
//! in and rows out.
//!
//! Query engine and doors are left out under `--cfg madsim`: the simulator drives engines with statements of its own.

#![cfg_attr(madsim, expect(dead_code, reason = "what only queries and doors use"))]

pub mod account;
#[cfg(not(madsim))]
pub mod cli;
mod ddl;
pub mod engine;
pub mod error;
#[cfg(not(madsim))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(not(madsim))]
pub mod http;
#[cfg(not(madsim))]
mod job_metrics;
mod jobs;
mod load;
#[cfg(not(madsim))]
pub mod mysql;
mod preview;
mod privilege;
#[cfg(not(madsim))]
mod query;
pub mod result;
#[cfg(not(madsim))]
pub mod server;
pub mod session;
mod show;
pub mod sql;
pub mod stream_load;
#[cfg(not(madsim))]
pub mod tls;
mod upkeep;
