//! The error that a client sees: MySQL's number and SQLSTATE, a message, and the kind of action it asks for.

pub use env::ErrorKind;

use std::fmt;

/// MySQL's error numbers that Tabularium uses.
pub mod codes {
    /// Too many connections.
    pub const TOO_MANY_CONNECTIONS: u16 = 1040;
    /// Handshake failed.
    pub const HANDSHAKE: u16 = 1043;
    /// Access to a database denied.
    pub const DATABASE_DENIED: u16 = 1044;
    /// Wrong user or password.
    pub const ACCESS_DENIED: u16 = 1045;
    /// No database selected.
    pub const NO_DATABASE: u16 = 1046;
    /// Unknown command.
    pub const UNKNOWN_COMMAND: u16 = 1047;
    /// Unknown database.
    pub const UNKNOWN_DATABASE: u16 = 1049;
    /// Table exists.
    pub const TABLE_EXISTS: u16 = 1050;
    /// Unknown table (in a statement that drops it).
    pub const UNKNOWN_TABLE: u16 = 1051;
    /// Shutdown in progress.
    pub const SHUTDOWN: u16 = 1053;
    /// Unknown column.
    pub const UNKNOWN_COLUMN: u16 = 1054;
    /// Duplicate column name.
    pub const DUPLICATE_COLUMN: u16 = 1060;
    /// Syntax error.
    pub const SYNTAX: u16 = 1064;
    /// Unknown thread id.
    pub const NO_SUCH_THREAD: u16 = 1094;
    /// Not the owner of the thread.
    pub const KILL_DENIED: u16 = 1095;
    /// Everything else.
    pub const GENERAL: u16 = 1105;
    /// No such grant.
    pub const NO_SUCH_GRANT: u16 = 1141;
    /// Access to a table denied.
    pub const TABLE_DENIED: u16 = 1142;
    /// Table does not exist.
    pub const NO_SUCH_TABLE: u16 = 1146;
    /// Packet larger than max_allowed_packet.
    pub const PACKET_TOO_LARGE: u16 = 1153;
    /// Packets out of order.
    pub const PACKETS_OUT_OF_ORDER: u16 = 1156;
    /// Unknown system variable.
    pub const UNKNOWN_VARIABLE: u16 = 1193;
    /// Wrong arguments.
    pub const WRONG_ARGUMENTS: u16 = 1210;
    /// A privilege on the cluster is missing.
    pub const PRIVILEGE_DENIED: u16 = 1227;
    /// Not supported.
    pub const UNSUPPORTED: u16 = 1235;
    /// Unknown prepared statement.
    pub const UNKNOWN_STATEMENT: u16 = 1243;
    /// Wrong value for a column.
    pub const WRONG_VALUE: u16 = 1292;
    /// Not valid in the character set.
    pub const INVALID_CHARACTER_STRING: u16 = 1300;
    /// Query interrupted.
    pub const INTERRUPTED: u16 = 1317;
    /// A statement about users or roles cannot be done.
    pub const CANNOT_USER: u16 = 1396;
    /// Fetch without an open cursor.
    pub const NO_OPEN_CURSOR: u16 = 1421;
    /// Too many prepared statements.
    pub const TOO_MANY_STATEMENTS: u16 = 1461;
    /// Unknown partition.
    pub const UNKNOWN_PARTITION: u16 = 1735;
    /// Database exists.
    pub const DATABASE_EXISTS: u16 = 1007;
    /// Database to drop does not exist.
    pub const NO_SUCH_DATABASE_TO_DROP: u16 = 1008;
    /// The connection was killed.
    pub const CONNECTION_KILLED: u16 = 1927;
    /// The connection was idle for too long.
    pub const INACTIVE: u16 = 4031;
    /// The disk is full.
    pub const DISK_FULL: u16 = 1021;
}

/// The SQLSTATE that MySQL gives with an error number; `HY000` for those without one of their own.
pub fn sql_state(code: u16) -> &'static str {
    match code {
        codes::TOO_MANY_CONNECTIONS => "08004",
        codes::HANDSHAKE
        | codes::UNKNOWN_COMMAND
        | codes::SHUTDOWN
        | codes::PACKET_TOO_LARGE
        | codes::PACKETS_OUT_OF_ORDER => "08S01",
        codes::ACCESS_DENIED => "28000",
        codes::NO_DATABASE => "3D000",
        codes::DATABASE_DENIED
        | codes::NO_SUCH_GRANT
        | codes::TABLE_DENIED
        | codes::PRIVILEGE_DENIED
        | codes::UNKNOWN_DATABASE
        | codes::SYNTAX
        | codes::UNSUPPORTED
        | codes::TOO_MANY_STATEMENTS => "42000",
        codes::TABLE_EXISTS => "42S01",
        codes::UNKNOWN_TABLE | codes::NO_SUCH_TABLE => "42S02",
        codes::UNKNOWN_COLUMN => "42S22",
        codes::DUPLICATE_COLUMN => "42S21",
        codes::WRONG_VALUE => "22007",
        codes::INTERRUPTED | codes::CONNECTION_KILLED => "70100",
        codes::NO_OPEN_CURSOR => "24000",
        _ => "HY000",
    }
}

/// A statement's failure, as it goes to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError {
    /// MySQL's number.
    pub code: u16,
    /// Five characters of SQLSTATE.
    pub state: &'static str,
    /// For a person.
    pub message: String,
    /// What can be done about it.
    pub kind: ErrorKind,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// An error with MySQL's SQLSTATE for `code`.
    pub fn new(code: u16, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { code, state: sql_state(code), message: message.into(), kind }
    }

    /// 1105: an error without a number of its own.
    pub fn general(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(codes::GENERAL, kind, message)
    }

    /// 1105 of kind [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::general(ErrorKind::Invalid, message)
    }

    /// 1105 of kind [`ErrorKind::Internal`]: a fault of Tabularium itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::general(ErrorKind::Internal, message)
    }

    /// 1064: the text is not a statement; `detail` says where and what was expected.
    pub fn syntax(detail: impl fmt::Display) -> Self {
        Self::new(codes::SYNTAX, ErrorKind::Invalid, format!("Getting syntax error. Detail message: {detail}"))
    }

    /// 1235: a statement or clause that Tabularium does not have.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(codes::UNSUPPORTED, ErrorKind::Unsupported, message)
    }

    /// 1046: the statement needs a database and none is selected.
    pub fn no_database() -> Self {
        Self::new(codes::NO_DATABASE, ErrorKind::Invalid, "No database selected")
    }

    /// 1049: no such database.
    pub fn unknown_database(name: &str) -> Self {
        Self::new(codes::UNKNOWN_DATABASE, ErrorKind::NotFound, format!("Unknown database '{name}'"))
    }

    /// 1007: the database exists.
    pub fn database_exists(name: &str) -> Self {
        Self::new(
            codes::DATABASE_EXISTS,
            ErrorKind::AlreadyExists,
            format!("Can't create database '{name}'; database exists"),
        )
    }

    /// 1008: the database to be dropped does not exist.
    pub fn no_database_to_drop(name: &str) -> Self {
        Self::new(
            codes::NO_SUCH_DATABASE_TO_DROP,
            ErrorKind::NotFound,
            format!("Can't drop database '{name}'; database doesn't exist"),
        )
    }

    /// 1146: no such table.
    pub fn unknown_table(database: &str, table: &str) -> Self {
        Self::new(codes::NO_SUCH_TABLE, ErrorKind::NotFound, format!("Table '{database}.{table}' doesn't exist"))
    }

    /// 1050: the table exists.
    pub fn table_exists(table: &str) -> Self {
        Self::new(codes::TABLE_EXISTS, ErrorKind::AlreadyExists, format!("Table '{table}' already exists"))
    }

    /// 1735: no such partition.
    pub fn unknown_partition(partition: &str, table: &str) -> Self {
        Self::new(
            codes::UNKNOWN_PARTITION,
            ErrorKind::NotFound,
            format!("Unknown partition '{partition}' in table '{table}'"),
        )
    }

    /// 1045: `user` from `host` was refused.
    pub fn access_denied(user: &str, host: &str, with_password: bool) -> Self {
        let using = if with_password { "YES" } else { "NO" };
        Self::new(
            codes::ACCESS_DENIED,
            ErrorKind::Denied,
            format!("Access denied for user '{user}'@'{host}' (using password: {using})"),
        )
    }

    /// 1317: stopped by KILL, a lost client or a shutdown.
    pub fn interrupted() -> Self {
        Self::new(codes::INTERRUPTED, ErrorKind::Cancelled, "Query execution was interrupted")
    }
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::general(ErrorKind::Invalid, error.to_string())
    }
}
