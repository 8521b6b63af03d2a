//! The storage node: SQL, MySQL protocol, queries, HTTP and command line of Tabularium.

pub mod error;
pub mod result;
pub mod sql;
pub mod stream_load;
