//! Accounts: who may log in, and what they may do.
//!
//! Users and roles are records of the catalog. Every statement is checked before it does anything: `needs` says what a
//! statement needs, `access` whether somebody has it, `authorize` looks up what lies between (which tables a BACKUP of a
//! whole database is about). Rows that a query reads are checked by whoever plans it, since only planning tells which names
//! in it are tables. `execute` and `show` are the statements about accounts themselves.
//!
//! Whoever opens an engine in their own process acts as whom they name: the passwords guard the doors.

mod access;
mod authorize;
mod execute;
mod grants;
mod names;
mod needs;
mod secrets;
mod show;
mod store;

#[cfg(test)]
mod tests;

pub use names::Identity;

pub(crate) use access::{Access, is_root};
pub(crate) use authorize::{authorize, may_export_last};
pub(crate) use execute::execute;
#[cfg(not(madsim))]
pub(crate) use names::is_loopback;
pub(crate) use names::{check_role, check_user};
pub(crate) use needs::own_catalog;
pub(crate) use secrets::looks_like_native_digest;
pub(crate) use show::{grants, roles, users};
pub(crate) use store::access;
#[cfg(not(madsim))]
pub(crate) use store::{login, root_has_password};

/// The user that is always there.
pub(crate) const ROOT: &str = "root";

/// The pattern of hosts that every client matches.
pub(crate) const ANY_HOST: &str = "%";
