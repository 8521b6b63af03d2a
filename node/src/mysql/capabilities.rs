//! Capability bits and status flags of the protocol: what the two ends agree to use.

pub(crate) const LONG_PASSWORD: u32 = 1;
pub(crate) const FOUND_ROWS: u32 = 1 << 1;
pub(crate) const LONG_FLAG: u32 = 1 << 2;
pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
pub(crate) const IGNORE_SPACE: u32 = 1 << 8;
pub(crate) const PROTOCOL_41: u32 = 1 << 9;
pub(crate) const INTERACTIVE: u32 = 1 << 10;
pub(crate) const SSL: u32 = 1 << 11;
pub(crate) const TRANSACTIONS: u32 = 1 << 13;
pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
pub(crate) const MULTI_STATEMENTS: u32 = 1 << 16;
pub(crate) const MULTI_RESULTS: u32 = 1 << 17;
pub(crate) const PS_MULTI_RESULTS: u32 = 1 << 18;
pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
pub(crate) const CONNECT_ATTRS: u32 = 1 << 20;
pub(crate) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;

/// What this server can do. `SSL` is added when it has a certificate; `LOCAL_FILES` never is, so that a client does
/// not offer its files.
pub(crate) const SERVER: u32 = LONG_PASSWORD
    | FOUND_ROWS
    | LONG_FLAG
    | CONNECT_WITH_DB
    | IGNORE_SPACE
    | PROTOCOL_41
    | INTERACTIVE
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_STATEMENTS
    | MULTI_RESULTS
    | PS_MULTI_RESULTS
    | PLUGIN_AUTH
    | CONNECT_ATTRS
    | PLUGIN_AUTH_LENENC
    | DEPRECATE_EOF;

/// Each statement is its own transaction: always so here.
pub(crate) const STATUS_AUTOCOMMIT: u16 = 1 << 1;
/// Another result follows this one.
pub(crate) const STATUS_MORE_RESULTS: u16 = 1 << 3;

/// The status flags of a reply.
pub(crate) const fn status(more_results: bool) -> u16 {
    if more_results { STATUS_AUTOCOMMIT | STATUS_MORE_RESULTS } else { STATUS_AUTOCOMMIT }
}

/// The collation utf8mb4_general_ci: text.
pub(crate) const COLLATION_UTF8MB4: u8 = 45;
/// The collation `binary`: bytes, numbers and times.
pub(crate) const COLLATION_BINARY: u8 = 63;
