//! Databases, tables and their columns.

use super::{Grid, INFORMATION_SCHEMA, default_text, extra_text, key_text};
use crate::account::Access;
use crate::ddl::QualifiedName;
use crate::engine::{Engine, clock};
use crate::error::EngineError;
use catalog::At;
use catalog::records::TableRecord;

pub(super) async fn databases(engine: &Engine, access: &Access) -> Result<Grid, EngineError> {
    let mut names: Vec<String> =
        engine.catalog().databases(At::Latest).await?.iter().map(|database| database.name.clone()).collect();
    names.retain(|name| access.sees_database(name));
    names.push(INFORMATION_SCHEMA.to_owned());
    names.sort();
    let mut grid = Grid::new(["Database"]);
    grid.rows = names.into_iter().map(|name| vec![Some(name)]).collect();
    Ok(grid)
}

/// The tables of a database that somebody may see.
async fn records(engine: &Engine, access: &Access, database: &str) -> Result<Vec<TableRecord>, EngineError> {
    let found = engine.ddl().database(database).await?;
    let tables = engine.catalog().tables(found.id, At::Latest).await?;
    let seen = |table: &TableRecord| access.sees_table(database, &table.name);
    Ok(tables.into_iter().map(|table| table.record).filter(seen).collect())
}

pub(super) async fn tables(engine: &Engine, access: &Access, database: &str, full: bool) -> Result<Grid, EngineError> {
    let mut columns = vec![format!("Tables_in_{database}")];
    if full {
        columns.push("Table_type".to_owned());
    }
    let mut grid = Grid::new(columns);
    if database.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
        for name in system_tables() {
            grid.rows.push(vec![Some((*name).to_owned()), Some("SYSTEM VIEW".to_owned())]);
        }
        return Ok(grid);
    }
    for table in records(engine, access, database).await? {
        grid.rows.push(vec![Some(table.name), Some("BASE TABLE".to_owned())]);
    }
    Ok(grid)
}

#[cfg(not(madsim))]
fn system_tables() -> &'static [&'static str] {
    &crate::query::information_schema::TABLES
}

#[cfg(madsim)]
fn system_tables() -> &'static [&'static str] {
    &[]
}

pub(super) async fn status(engine: &Engine, access: &Access, database: &str) -> Result<Grid, EngineError> {
    let mut grid = Grid::new([
        "Name",
        "Engine",
        "Version",
        "Row_format",
        "Rows",
        "Avg_row_length",
        "Data_length",
        "Max_data_length",
        "Index_length",
        "Data_free",
        "Auto_increment",
        "Create_time",
        "Update_time",
        "Check_time",
        "Collation",
        "Checksum",
        "Create_options",
        "Comment",
    ]);
    if database.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
        return Ok(grid);
    }
    for table in records(engine, access, database).await? {
        let opened = engine.views().open(&[(database.to_owned(), table.name.clone())]).await?;
        let tablets = || opened.iter().flat_map(|views| &views.partitions).flat_map(|partition| &partition.tablets);
        let rows: u64 = tablets().map(|view| view.live_rows()).sum();
        let bytes: u64 = tablets().map(|view| view.len_bytes()).sum();
        let text = |text: &str| Some(text.to_owned());
        grid.rows.push(vec![
            Some(table.name.clone()),
            text("OLAP"),
            None,
            None,
            Some(rows.to_string()),
            bytes.checked_div(rows).map(|average| average.to_string()),
            Some(bytes.to_string()),
            None,
            None,
            None,
            None,
            Some(clock::text(table.created_ms)),
            None,
            None,
            text("utf8mb4_bin"),
            None,
            None,
            Some(table.comment.clone()),
        ]);
    }
    Ok(grid)
}

pub(super) async fn columns(engine: &Engine, name: &QualifiedName, full: bool) -> Result<Grid, EngineError> {
    let (_, table) = engine.ddl().table(name).await?;
    let mut grid = if full {
        Grid::new(["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"])
    } else {
        Grid::new(["Field", "Type", "Null", "Key", "Default", "Extra"])
    };
    for column in &table.columns {
        let yes_no = |yes: bool| Some(if yes { "YES" } else { "NO" }.to_owned());
        let is_text = column.data_type.starts_with("VARCHAR")
            || column.data_type.starts_with("CHAR")
            || column.data_type == "STRING";
        let key = Some(if column.key { "true" } else { "false" }.to_owned());
        let head = [Some(column.name.clone()), Some(column.data_type.to_lowercase())];
        let tail = [yes_no(column.nullable), key, default_text(column), Some(extra_text(&table, column))];
        grid.rows.push(if full {
            let collation = is_text.then(|| "utf8mb4_bin".to_owned());
            let more = [Some("select,insert,update".to_owned()), Some(column.comment.clone())];
            head.into_iter().chain([collation]).chain(tail).chain(more).collect()
        } else {
            head.into_iter().chain(tail).collect()
        });
    }
    Ok(grid)
}

pub(super) async fn index(engine: &Engine, name: &QualifiedName) -> Result<Grid, EngineError> {
    let (_, table) = engine.ddl().table(name).await?;
    let mut grid = Grid::new([
        "Table",
        "Non_unique",
        "Key_name",
        "Seq_in_index",
        "Column_name",
        "Collation",
        "Cardinality",
        "Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
    ]);
    for (position, column) in (1..).zip(table.columns.iter().filter(|column| key_text(&table, column) == "PRI")) {
        let empty = || Some(String::new());
        grid.rows.push(vec![
            Some(table.name.clone()),
            Some("0".to_owned()),
            Some("PRIMARY".to_owned()),
            Some(i32::to_string(&position)),
            Some(column.name.clone()),
            Some("A".to_owned()),
            None,
            None,
            None,
            empty(),
            Some("BTREE".to_owned()),
            empty(),
        ]);
    }
    Ok(grid)
}
