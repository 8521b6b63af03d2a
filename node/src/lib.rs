//! The storage node: SQL, MySQL protocol, queries, HTTP and command line of Tabularium.

pub mod error;
#[cfg(not(madsim))]
pub mod http;
#[cfg(not(madsim))]
pub mod mysql;
pub mod result;
pub mod sql;
pub mod stream_load;
