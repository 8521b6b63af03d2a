//! `information_schema`: what clients read to find out what is there.

#![expect(clippy::wildcard_enum_match_arm, reason = "types without the fact that is asked for")]

use crate::account::Access;
use crate::error::EngineError;
use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use catalog::records::{DatabaseRecord, PartitionRecord, TableRecord};
use catalog::{At, Catalog, Stored, keys};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use snapshot::Jobs;
use std::collections::BTreeMap;
use std::sync::Arc;
use tablet::ColumnType;

/// The database's name.
pub(crate) const NAME: &str = "information_schema";

/// Its tables.
pub(crate) const TABLES: [&str; 19] = [
    "backup_jobs",
    "character_sets",
    "collations",
    "columns",
    "engines",
    "events",
    "key_column_usage",
    "partitions",
    "referential_constraints",
    "repositories",
    "repository_sessions",
    "restore_jobs",
    "routines",
    "schemata",
    "snapshots",
    "statistics",
    "table_constraints",
    "tables",
    "verify_findings",
];

/// Also there, and always empty.
const EMPTY: [(&str, &[&str]); 4] = [
    ("events", &["event_catalog", "event_schema", "event_name"]),
    ("referential_constraints", &["constraint_catalog", "constraint_schema", "constraint_name", "table_name"]),
    ("routines", &["specific_name", "routine_catalog", "routine_schema", "routine_name", "routine_type"]),
    ("statistics", &["table_catalog", "table_schema", "table_name", "index_name", "column_name"]),
];

/// A value of these tables.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<u64>),
}

pub(super) fn text(value: impl Into<String>) -> Value {
    Value::Text(Some(value.into()))
}

pub(super) fn number(value: u64) -> Value {
    Value::Number(Some(value))
}

pub(super) const NO_TEXT: Value = Value::Text(None);
pub(super) const NO_NUMBER: Value = Value::Number(None);

/// One of the tables as it is at `at`, with the rows that somebody may see; `None` when there is none of that name.
///
/// # Errors
/// 1227 for those about repositories without REPOSITORY on SYSTEM; what the catalog says.
pub(super) async fn table(
    catalog: &Catalog,
    jobs: &Jobs,
    access: &Access,
    name: &str,
    at: At,
) -> Result<Option<Arc<dyn TableProvider>>, EngineError> {
    let (columns, rows): (Vec<&str>, Vec<Vec<Value>>) = match name {
        "schemata" => schemata(catalog, access, at).await?,
        "tables" => tables(catalog, access, at).await?,
        "columns" => columns(catalog, access, at).await?,
        "partitions" => partitions(catalog, access, at).await?,
        "key_column_usage" | "table_constraints" => key_columns(catalog, access, at, name).await?,
        "engines" => (
            vec!["engine", "support", "comment", "transactions", "xa", "savepoints"],
            vec![["OLAP", "DEFAULT", "Columnar tablets", "NO", "NO", "NO"].into_iter().map(text).collect()],
        ),
        "character_sets" => (
            vec!["character_set_name", "default_collate_name", "description", "maxlen"],
            vec![vec![text("utf8mb4"), text("utf8mb4_bin"), text("UTF-8 Unicode"), number(4)]],
        ),
        "collations" => (
            vec!["collation_name", "character_set_name", "id", "is_default", "is_compiled", "sortlen"],
            vec![vec![text("utf8mb4_bin"), text("utf8mb4"), number(46), text("Yes"), text("Yes"), number(1)]],
        ),
        other => match EMPTY.iter().find(|(name, _)| *name == other) {
            Some((_, columns)) => (columns.to_vec(), Vec::new()),
            None => match super::repositories::table(jobs, access, other).await? {
                Some(found) => found,
                None => return Ok(None),
            },
        },
    };
    Ok(Some(Arc::new(memory(&columns, &rows)?)))
}

/// Names that begin like these hold numbers also when there are no rows.
fn memory(columns: &[&str], rows: &[Vec<Value>]) -> Result<MemTable, EngineError> {
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (at, name) in columns.iter().enumerate() {
        let values = || rows.iter().filter_map(|row| row.get(at));
        if values().next().is_some_and(|first| matches!(first, Value::Number(_))) {
            let numbers = values().map(|value| if let Value::Number(number) = value { *number } else { None });
            arrays.push(Arc::new(numbers.collect::<UInt64Array>()));
            fields.push(Field::new(*name, DataType::UInt64, true));
        } else {
            let texts = values().map(|value| if let Value::Text(text) = value { text.clone() } else { None });
            arrays.push(Arc::new(texts.collect::<StringArray>()));
            fields.push(Field::new(*name, DataType::Utf8, true));
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    MemTable::try_new(schema, vec![vec![batch]]).map_err(super::errors::engine)
}

pub(super) type Table = (Vec<&'static str>, Vec<Vec<Value>>);

/// Databases with their tables, all at one revision, as far as somebody may see them.
async fn everything(
    catalog: &Catalog,
    access: &Access,
    at: At,
) -> Result<Vec<(Stored<DatabaseRecord>, Vec<Stored<TableRecord>>)>, EngineError> {
    let mut all = Vec::new();
    for database in catalog.databases(at).await? {
        let mut tables = catalog.tables(database.id, at).await?;
        tables.retain(|table| access.sees_table(&database.name, &table.name));
        if !access.sees_database(&database.name) {
            continue;
        }
        all.push((database, tables));
    }
    Ok(all)
}

async fn schemata(catalog: &Catalog, access: &Access, at: At) -> Result<Table, EngineError> {
    let columns =
        vec!["catalog_name", "schema_name", "default_character_set_name", "default_collation_name", "sql_path"];
    let mut names: Vec<String> = catalog.databases(at).await?.iter().map(|database| database.name.clone()).collect();
    names.retain(|name| access.sees_database(name));
    names.push(NAME.to_owned());
    names.sort();
    let row = |name: String| vec![text("def"), text(name), text("utf8mb4"), text("utf8mb4_bin"), NO_TEXT];
    Ok((columns, names.into_iter().map(row).collect()))
}

async fn tables(catalog: &Catalog, access: &Access, at: At) -> Result<Table, EngineError> {
    let columns = vec![
        "table_catalog",
        "table_schema",
        "table_name",
        "table_type",
        "engine",
        "version",
        "row_format",
        "table_rows",
        "avg_row_length",
        "data_length",
        "max_data_length",
        "index_length",
        "data_free",
        "auto_increment",
        "create_time",
        "update_time",
        "check_time",
        "table_collation",
        "checksum",
        "create_options",
        "table_comment",
    ];
    let mut rows = Vec::new();
    let mut row = |schema: &str, name: &str, system: bool, created: Value, comment: &str| {
        rows.push(vec![
            text("def"),
            text(schema),
            text(name),
            text(if system { "SYSTEM VIEW" } else { "BASE TABLE" }),
            text(if system { "MEMORY" } else { "OLAP" }),
            NO_NUMBER,
            NO_TEXT,
            NO_NUMBER,
            NO_NUMBER,
            NO_NUMBER,
            NO_NUMBER,
            NO_NUMBER,
            NO_NUMBER,
            NO_NUMBER,
            created,
            NO_TEXT,
            NO_TEXT,
            text("utf8mb4_bin"),
            NO_NUMBER,
            NO_TEXT,
            text(comment),
        ]);
    };
    for (database, tables) in everything(catalog, access, at).await? {
        for table in tables {
            let created = text(crate::engine::clock::text(table.created_ms));
            row(&database.name, &table.name, false, created, &table.comment);
        }
    }
    for name in TABLES {
        row(NAME, name, true, NO_TEXT, "");
    }
    Ok((columns, rows))
}

/// The word in DATA_TYPE and the four lengths of a type.
fn type_facts(data_type: ColumnType) -> (String, Value, Value, Value) {
    let whole = data_type.to_string().to_lowercase();
    let word = match data_type {
        ColumnType::LargeInt => "bigint unsigned".to_owned(),
        ColumnType::Boolean => "tinyint".to_owned(),
        _ => whole.split('(').next().unwrap_or(&whole).to_owned(),
    };
    let len = data_type.max_len_bytes().map_or(NO_NUMBER, |len| number(u64::from(len)));
    let (precision, scale) = match data_type {
        ColumnType::Decimal { precision, scale } => (number(u64::from(precision)), number(u64::from(scale))),
        ColumnType::TinyInt | ColumnType::Boolean => (number(3), number(0)),
        ColumnType::SmallInt => (number(5), number(0)),
        ColumnType::Int => (number(10), number(0)),
        ColumnType::BigInt => (number(19), number(0)),
        ColumnType::LargeInt => (number(39), number(0)),
        ColumnType::Float => (number(12), NO_NUMBER),
        ColumnType::Double => (number(22), NO_NUMBER),
        _ => (NO_NUMBER, NO_NUMBER),
    };
    (word, len, precision, scale)
}

async fn columns(catalog: &Catalog, access: &Access, at: At) -> Result<Table, EngineError> {
    let names = vec![
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_scale",
        "datetime_precision",
        "character_set_name",
        "collation_name",
        "column_type",
        "column_key",
        "extra",
        "privileges",
        "column_comment",
        "generation_expression",
    ];
    let mut rows = Vec::new();
    for (database, tables) in everything(catalog, access, at).await? {
        for table in tables {
            for (position, column) in (1_u64..).zip(&table.columns) {
                let data_type: ColumnType = column.data_type.parse()?;
                let (word, len, precision, scale) = type_facts(data_type);
                let is_text = matches!(data_type, ColumnType::Char(_) | ColumnType::Varchar(_) | ColumnType::String);
                let of_text = |value: &str| if is_text { text(value) } else { NO_TEXT };
                rows.push(vec![
                    text("def"),
                    text(&database.name),
                    text(&table.name),
                    text(&column.name),
                    number(position),
                    Value::Text(crate::show::default_text(column)),
                    text(if column.nullable { "YES" } else { "NO" }),
                    text(word),
                    len.clone(),
                    len,
                    precision,
                    scale,
                    if data_type == ColumnType::DateTime { number(6) } else { NO_NUMBER },
                    of_text("utf8mb4"),
                    of_text("utf8mb4_bin"),
                    text(column.data_type.to_lowercase()),
                    text(crate::show::key_text(&table, column)),
                    text(crate::show::extra_text(&table, column)),
                    text("select,insert,update"),
                    text(&column.comment),
                    text(""),
                ]);
            }
        }
    }
    Ok((names, rows))
}

async fn partitions(catalog: &Catalog, access: &Access, at: At) -> Result<Table, EngineError> {
    let names = vec![
        "table_catalog",
        "table_schema",
        "table_name",
        "partition_name",
        "partition_ordinal_position",
        "visible_version",
    ];
    let mut rows = Vec::new();
    for (database, tables) in everything(catalog, access, at).await? {
        for table in tables {
            let visible = catalog.list::<PartitionRecord>(&keys::partitions(table.id), at).await?;
            let versions: BTreeMap<_, _> =
                visible.iter().map(|partition| (partition.id, partition.visible_version)).collect();
            for (position, entry) in (1_u64..).zip(&table.partitions) {
                rows.push(vec![
                    text("def"),
                    text(&database.name),
                    text(&table.name),
                    text(&entry.name),
                    number(position),
                    versions.get(&entry.id).map_or(NO_NUMBER, |version| number(version.0)),
                ]);
            }
        }
    }
    Ok((names, rows))
}

async fn key_columns(catalog: &Catalog, access: &Access, at: At, which: &str) -> Result<Table, EngineError> {
    let usage = which == "key_column_usage";
    let mut names = vec!["constraint_catalog", "constraint_schema", "constraint_name", "table_schema", "table_name"];
    if usage {
        names.extend(["column_name", "ordinal_position", "referenced_table_name", "referenced_column_name"]);
    } else {
        names.push("constraint_type");
    }
    let mut rows = Vec::new();
    for (database, tables) in everything(catalog, access, at).await? {
        for table in tables {
            if table.model != catalog::records::KeyModelRecord::Primary {
                continue;
            }
            let head =
                || vec![text("def"), text(&database.name), text("PRIMARY"), text(&database.name), text(&table.name)];
            if !usage {
                let mut row = head();
                row.push(text("PRIMARY KEY"));
                rows.push(row);
                continue;
            }
            for (position, column) in (1_u64..).zip(table.columns.iter().filter(|column| column.key)) {
                let mut row = head();
                row.extend([text(&column.name), number(position), NO_TEXT, NO_TEXT]);
                rows.push(row);
            }
        }
    }
    Ok((names, rows))
}
