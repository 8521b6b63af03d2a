//! A table's columns, checked: what a [`Schema`] lets through, segments can hold and keys can order.

mod aggregation;
#[cfg(test)]
mod tests;

pub use aggregation::Aggregation;

use crate::datum::{Datum, ValueError};
use crate::error::ErrorKind;
use crate::types::ColumnType;
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use thiserror::Error;

/// Longest column name, in bytes.
pub const COLUMN_NAME_MAX: usize = 1024;
/// Most columns of a table.
pub const COLUMNS_MAX: usize = 10_000;

/// What a column holds when a load does not give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultValue {
    /// A literal, as text of the column's type.
    Literal(String),
    /// The moment of the load, in UTC.
    CurrentTimestamp,
    /// NULL, said explicitly.
    Null,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name; capitals are kept and do not matter.
    pub name: String,
    /// The type of its values.
    pub data_type: ColumnType,
    /// Whether NULL may stand in it.
    pub nullable: bool,
    /// Whether it belongs to the table's key.
    pub key: bool,
    /// What it does with the values of rows of equal keys: for each value column of an Aggregate Key table and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
    /// What it holds when a load does not give it; `None`: NULL, or an error when it is NOT NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultValue>,
    /// What its owner says about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Column {
    /// A nullable column that is no key, without default and comment.
    pub fn new(name: impl Into<String>, data_type: ColumnType) -> Self {
        Self {
            name: name.into(),
            data_type,
            nullable: true,
            key: false,
            aggregation: None,
            default: None,
            comment: String::new(),
        }
    }

    /// The same as part of the key.
    #[must_use]
    pub fn key(mut self) -> Self {
        self.key = true;
        self
    }

    /// The same, NOT NULL.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same with a way to aggregate.
    #[must_use]
    pub fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = Some(aggregation);
        self
    }

    /// The same with a default.
    #[must_use]
    pub fn default_value(mut self, default: DefaultValue) -> Self {
        self.default = Some(default);
        self
    }
}

/// What the key of a table means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyModel {
    /// Rows are kept as they come; the key only orders them and may be empty.
    Duplicate,
    /// One row for each key: a later one replaces an earlier one, which a delete vector hides.
    Primary,
    /// One row for each key: a later one replaces an earlier one when they are read or compacted.
    Unique,
    /// One row for each key: values are aggregated when rows are read or compacted.
    Aggregate,
}

/// Why columns make no table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// Too few or too many.
    #[error("a table has 1 to {COLUMNS_MAX} columns, not {0}")]
    Count(usize),
    /// Empty, too long, or with control characters.
    #[error("'{0}' cannot name a column: a name has 1 to {COLUMN_NAME_MAX} bytes and no control characters")]
    Name(String),
    /// Two of one name.
    #[error("column '{0}' is there twice; capitals do not tell names apart")]
    Duplicate(String),
    /// Keys behind a column that is none.
    #[error("key columns come first: '{key}' is a key and stands behind '{value}', which is none")]
    KeyOrder {
        /// The key column.
        key: String,
        /// The column before it.
        value: String,
    },
    /// A type that cannot be compared exactly.
    #[error("column '{column}' of type {data_type} cannot be a key column")]
    KeyType {
        /// The column.
        column: String,
        /// Its type.
        data_type: ColumnType,
    },
    /// All models but Duplicate Key need one.
    #[error("{} table needs at least one key column", .0.with_article())]
    NoKey(KeyModel),
    /// A value column of an Aggregate Key table that does not say what becomes of its values.
    #[error(
        "column '{0}' of an AGGREGATE KEY table needs an aggregate function: SUM, MIN, MAX, REPLACE or REPLACE_IF_NOT_NULL"
    )]
    NoAggregation(String),
    /// An aggregate function where there can be none.
    #[error(
        "column '{column}' cannot have the aggregate function {aggregation}; only value columns of AGGREGATE KEY tables can"
    )]
    NeedlessAggregation {
        /// The column.
        column: String,
        /// The function.
        aggregation: Aggregation,
    },
    /// A sum of what is no number.
    #[error("column '{column}' of type {data_type} cannot have the aggregate function {aggregation}; numbers can")]
    AggregationType {
        /// The column.
        column: String,
        /// The function.
        aggregation: Aggregation,
        /// Its type.
        data_type: ColumnType,
    },
    /// A Primary Key has no NULLs.
    #[error("key column '{0}' of a PRIMARY KEY table must be NOT NULL")]
    NullableKey(String),
    /// A length or precision out of its limits, made without parsing.
    #[error("column '{column}': {data_type} is out of the limits of its type")]
    Limits {
        /// The column.
        column: String,
        /// Its type.
        data_type: ColumnType,
    },
    /// A default that is no value of the type.
    #[error("default of column '{column}': {error}")]
    Default {
        /// The column.
        column: String,
        /// What is wrong.
        error: ValueError,
    },
    /// NULL as the default of a NOT NULL column.
    #[error("column '{0}' is NOT NULL and cannot have NULL as its default")]
    NullDefault(String),
    /// A moment in a column that holds none.
    #[error("default CURRENT_TIMESTAMP needs a DATETIME column; '{column}' is {data_type}")]
    MomentDefault {
        /// The column.
        column: String,
        /// Its type.
        data_type: ColumnType,
    },
}

impl SchemaError {
    /// What the caller can do about it.
    #[expect(clippy::unused_self, reason = "as of every error of this crate; here there is one answer")]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// A table's columns. Keys are a prefix, in order; a Primary Key has no NULLs; names differ in more than capitals; defaults are
/// values of their types; each value column of an Aggregate Key table, and no other column, says how it aggregates. Whoever
/// holds one may rely on that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SchemaText", into = "SchemaText")]
pub struct Schema {
    model: KeyModel,
    columns: Vec<Column>,
    key_len: usize,
    arrow: SchemaRef,
}

#[derive(Serialize, Deserialize)]
struct SchemaText {
    model: KeyModel,
    columns: Vec<Column>,
}

impl TryFrom<SchemaText> for Schema {
    type Error = SchemaError;
    fn try_from(text: SchemaText) -> Result<Self, SchemaError> {
        Self::new(text.model, text.columns)
    }
}

impl From<Schema> for SchemaText {
    fn from(schema: Schema) -> Self {
        Self { model: schema.model, columns: schema.columns }
    }
}

impl Schema {
    /// Checks the columns.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn new(model: KeyModel, columns: Vec<Column>) -> Result<Self, SchemaError> {
        if columns.is_empty() || columns.len() > COLUMNS_MAX {
            return Err(SchemaError::Count(columns.len()));
        }
        let mut names = BTreeSet::new();
        for column in &columns {
            check_name(&column.name)?;
            if !names.insert(column.name.to_lowercase()) {
                return Err(SchemaError::Duplicate(column.name.clone()));
            }
            check_limits(column)?;
            check_default(column)?;
        }
        let key_len = check_keys(model, &columns)?;
        columns.iter().try_for_each(|column| check_aggregation(model, column))?;
        let fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, column.data_type.arrow(), column.nullable)).collect();
        Ok(Self { model, columns, key_len, arrow: Arc::new(ArrowSchema::new(fields)) })
    }

    /// The columns, in the table's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What the key means.
    pub fn model(&self) -> KeyModel {
        self.model
    }

    /// How many of the first columns are the key.
    pub fn key_len(&self) -> usize {
        self.key_len
    }

    /// The key columns.
    pub fn key_columns(&self) -> &[Column] {
        self.columns.get(..self.key_len).unwrap_or_default()
    }

    /// The Arrow schema of batches and segments of this table.
    pub fn arrow(&self) -> SchemaRef {
        Arc::clone(&self.arrow)
    }

    /// The Arrow schema of a batch that has the key columns only.
    pub fn arrow_keys(&self) -> SchemaRef {
        let fields: Vec<_> = self.arrow.fields().iter().take(self.key_len).cloned().collect();
        Arc::new(ArrowSchema::new(fields))
    }

    /// What a column, by its place, does with the values of rows of equal keys; none for key columns and in tables that
    /// keep such rows apart.
    pub fn aggregation(&self, column: usize) -> Option<Aggregation> {
        let replaced = self.model == KeyModel::Unique && column >= self.key_len;
        let of = self.columns.get(column)?;
        if replaced { Some(Aggregation::Replace) } else { of.aggregation }
    }

    /// Whether the last of several rows of one key is what remains of them.
    pub(crate) fn keeps_last(&self) -> bool {
        match self.model {
            KeyModel::Duplicate => false,
            KeyModel::Primary | KeyModel::Unique => true,
            KeyModel::Aggregate => {
                (self.key_len..self.columns.len()).all(|at| self.aggregation(at) == Some(Aggregation::Replace))
            }
        }
    }

    /// The same table with only its key columns and these of its other columns, by their places, in the table's order.
    ///
    /// # Errors
    /// `Count` when nothing is left.
    pub(crate) fn narrowed(&self, columns: &BTreeSet<usize>) -> Result<Self, SchemaError> {
        let kept = self.columns.iter().enumerate().filter(|(at, column)| column.key || columns.contains(at));
        Self::new(self.model, kept.map(|(_, column)| column.clone()).collect())
    }

    /// Where a column of this name stands, whatever its capitals.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        self.columns.iter().position(|column| column.name.to_lowercase() == name)
    }
}

fn check_name(name: &str) -> Result<(), SchemaError> {
    let fine = !name.is_empty() && name.len() <= COLUMN_NAME_MAX && !name.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(SchemaError::Name(name.to_owned())) }
}

/// The enum's fields are public, so limits are checked where a table is made, not only where text is read.
fn check_limits(column: &Column) -> Result<(), SchemaError> {
    let same = column.data_type.to_string().parse::<ColumnType>();
    if same.as_ref() == Ok(&column.data_type) {
        return Ok(());
    }
    Err(SchemaError::Limits { column: column.name.clone(), data_type: column.data_type })
}

fn check_default(column: &Column) -> Result<(), SchemaError> {
    match &column.default {
        None => Ok(()),
        Some(DefaultValue::Null) if column.nullable => Ok(()),
        Some(DefaultValue::Null) => Err(SchemaError::NullDefault(column.name.clone())),
        Some(DefaultValue::CurrentTimestamp) if column.data_type == ColumnType::DateTime => Ok(()),
        Some(DefaultValue::CurrentTimestamp) => {
            Err(SchemaError::MomentDefault { column: column.name.clone(), data_type: column.data_type })
        }
        Some(DefaultValue::Literal(text)) => Datum::parse(&column.data_type, text)
            .map(drop)
            .map_err(|error| SchemaError::Default { column: column.name.clone(), error }),
    }
}

fn check_keys(model: KeyModel, columns: &[Column]) -> Result<usize, SchemaError> {
    let key_len = columns.iter().take_while(|column| column.key).count();
    let (keys, values) = columns.split_at_checked(key_len).unwrap_or((columns, &[]));
    if let (Some(key), Some(value)) = (values.iter().find(|column| column.key), values.first()) {
        return Err(SchemaError::KeyOrder { key: key.name.clone(), value: value.name.clone() });
    }
    if let Some(wrong) = keys.iter().find(|column| !column.data_type.can_be_key()) {
        return Err(SchemaError::KeyType { column: wrong.name.clone(), data_type: wrong.data_type });
    }
    if key_len == 0 && model.is_distinct() {
        return Err(SchemaError::NoKey(model));
    }
    match keys.iter().find(|column| column.nullable) {
        Some(nullable) if model == KeyModel::Primary => Err(SchemaError::NullableKey(nullable.name.clone())),
        Some(_) | None => Ok(key_len),
    }
}

fn check_aggregation(model: KeyModel, column: &Column) -> Result<(), SchemaError> {
    let needed = model == KeyModel::Aggregate && !column.key;
    let (name, data_type) = (|| column.name.clone(), column.data_type);
    let Some(aggregation) = column.aggregation else {
        return if needed { Err(SchemaError::NoAggregation(name())) } else { Ok(()) };
    };
    if !needed {
        return Err(SchemaError::NeedlessAggregation { column: name(), aggregation });
    }
    if !aggregation.takes(data_type) {
        return Err(SchemaError::AggregationType { column: name(), aggregation, data_type });
    }
    Ok(())
}
