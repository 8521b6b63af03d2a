//! The MySQL protocol, server side: what stock clients and drivers of MySQL and MariaDB speak.
//!
//! Owns connections, from their first byte to their end: packets, login, the statements of each connection, results on
//! the wire. Does not own what statements mean: a [`Backend`] executes them, an [`Authenticator`] knows the users.
//!
//! Layers, each of which knows only those before it:
//!
//! | module | what it does | I/O |
//! |---|---|---|
//! | `codec`, `digits` | integers and strings of packets; numbers and times as text | none |
//! | `columns`, `cells`, `text` | Arrow types and values as columns and rows | none |
//! | `handshake`, `auth`, `prepared` | packets of login, proofs of passwords, parameters of prepared statements | none |
//! | `channel` | packets over a stream, with bounds and time limits | yes |
//! | `login`, `rows` | drive a login; send a result | yes |
//! | `connection`, `statements` | one connection's commands | yes |
//! | `server`, `registry` | all connections | yes |
//! | `engine_backend` | the engine as a [`Backend`] | none of its own |
//!
//! What holds: bytes of a client never lead to a panic, only to an error or the end of its connection. Memory for a
//! client is bounded by the longest packet that it may send plus one batch of a result. A statement that was begun is
//! told to stop and then waited for, never dropped half-way. No text of a client is trusted to be UTF-8.

mod auth;
mod backend;
mod capabilities;
mod cells;
mod channel;
mod codec;
mod columns;
mod connection;
mod digits;
mod engine_backend;
pub(crate) mod fuzzing;
mod handshake;
mod login;
mod prepared;
mod registry;
mod rows;
mod server;
mod statements;
mod text;

pub use auth::{Account, Authenticator, Credential, RootOnly, StoredPassword};
pub use backend::{Backend, Client, ServerStatement};
pub use channel::Transport;
pub use engine_backend::EngineBackend;
pub use login::TlsUpgrade;
pub use registry::{ConnectionView, Connections, KillTarget};
pub use server::{Options, Server};
pub use text::text_rows;

pub(crate) use auth::check_password;
