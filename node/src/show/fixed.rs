//! What clients ask for out of habit, and what is about the node itself.

use super::Grid;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::privilege::{self, GrantScope};
use crate::session::{Context, VERSION};
use crate::sql::Show;
use catalog::At;

pub(super) fn status(engine: &Engine) -> Grid {
    let uptime = engine.uptime().as_secs().to_string();
    Grid::new(["Variable_name", "Value"])
        .row(["Uptime", uptime.as_str()])
        .row(["Threads_running", "1"])
        .row(["Ssl_cipher", ""])
        .row(["Ssl_version", ""])
}

pub(super) fn collation() -> Grid {
    Grid::new(["Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"])
        .row(["utf8mb4_bin", "utf8mb4", "46", "Yes", "Yes", "1"])
        .row(["utf8mb4_general_ci", "utf8mb4", "45", "", "Yes", "1"])
        .row(["utf8mb3_general_ci", "utf8mb3", "33", "Yes", "Yes", "1"])
        .row(["binary", "binary", "63", "Yes", "Yes", "1"])
}

pub(super) fn character_set() -> Grid {
    Grid::new(["Charset", "Description", "Default collation", "Maxlen"])
        .row(["utf8mb4", "UTF-8 Unicode", "utf8mb4_bin", "4"])
        .row(["utf8mb3", "UTF-8 Unicode", "utf8mb3_general_ci", "3"])
        .row(["binary", "Binary pseudo charset", "binary", "1"])
}

/// Of an embedded session; a server knows more and answers itself.
pub(super) fn process_list(context: &Context) -> Grid {
    let mut grid = Grid::new(["Id", "User", "Host", "Db", "Command", "Time", "State", "Info"]);
    let text = |text: &str| Some(text.to_owned());
    grid.rows.push(vec![
        Some(context.connection.to_string()),
        text(&context.user),
        text("localhost"),
        context.database.clone(),
        text("Query"),
        text("0"),
        text(""),
        text("SHOW PROCESSLIST"),
    ]);
    grid
}

pub(super) async fn backends(engine: &Engine) -> Result<Grid, EngineError> {
    let mut grid = Grid::new(["BackendId", "IP", "Alive", "LastHeartbeat", "TabletNum", "Version"]);
    for node in engine.catalog().nodes(At::Latest).await? {
        let own = node.id == engine.node();
        let tablets = own.then(|| engine.store().tablets().len().to_string());
        grid.rows.push(vec![
            Some(node.id.to_string()),
            Some(node.address.clone()),
            Some(own.to_string()),
            Some(crate::engine::clock::text(node.heartbeat_ms)),
            tablets,
            Some(VERSION.to_owned()),
        ]);
    }
    Ok(grid)
}

pub(super) fn frontends(engine: &Engine) -> Grid {
    let id = engine.node().to_string();
    Grid::new(["Id", "Name", "IP", "Role", "Alive", "Version"]).row([
        id.as_str(),
        "embedded",
        "127.0.0.1",
        "LEADER",
        "true",
        VERSION,
    ])
}

pub(super) fn catalogs() -> Grid {
    Grid::new(["Catalog", "Type", "Comment"]).row([
        "default_catalog",
        "Internal",
        "An internal catalog contains this cluster's self-managed tables.",
    ])
}

/// The answers that never differ.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are answered elsewhere")]
pub(super) fn constant(wanted: &Show) -> Grid {
    match wanted {
        Show::Engines => Grid::new(["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"]).row([
            "OLAP",
            "DEFAULT",
            "Columnar tablets",
            "NO",
            "NO",
            "NO",
        ]),
        Show::Warnings | Show::Errors => Grid::new(["Level", "Code", "Message"]),
        Show::CountWarnings => Grid::new(["@@session.warning_count"]).row(["0"]),
        Show::CountErrors => Grid::new(["@@session.error_count"]).row(["0"]),
        Show::Plugins => Grid::new(["Name", "Status", "Type", "Library", "License"]),
        Show::Privileges => privileges(),
        Show::Triggers => Grid::new([
            "Trigger",
            "Event",
            "Table",
            "Statement",
            "Timing",
            "Created",
            "sql_mode",
            "Definer",
            "character_set_client",
            "collation_connection",
            "Database Collation",
        ]),
        Show::Events => Grid::new([
            "Db",
            "Name",
            "Definer",
            "Time",
            "Type",
            "Execute at",
            "Interval value",
            "Interval field",
            "Starts",
            "Ends",
            "Status",
            "Originator",
            "character_set_client",
            "collation_connection",
            "Database Collation",
        ]),
        _ => Grid::new([
            "Db",
            "Name",
            "Type",
            "Definer",
            "Modified",
            "Created",
            "Security_type",
            "Comment",
            "character_set_client",
            "collation_connection",
            "Database Collation",
        ]),
    }
}

/// Every privilege, with what it is on.
fn privileges() -> Grid {
    let scopes = [GrantScope::System, GrantScope::Catalog, GrantScope::AllDatabases, GrantScope::AllTables];
    let mut grid = Grid::new(["Privilege", "Context", "Comment"]);
    for (_, one) in privilege::WORDS {
        let on =
            scopes.iter().filter(|scope| privilege::privileges_on(scope).contains(&one)).map(privilege::scope_text);
        grid = grid.row([privilege::words(one).to_owned(), on.collect::<Vec<_>>().join(", "), String::new()]);
    }
    grid
}
