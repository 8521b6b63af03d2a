//! What the columns of a result are called: as written in the statement, or as their owner wrote them.

#![expect(clippy::wildcard_enum_match_arm, reason = "syntax trees have many nodes, few of which matter here")]

use super::provider::NAME_AS_WRITTEN;
use arrow::datatypes::{Field, Schema, SchemaRef};
use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Names that the statement itself gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OutputNames {
    /// One for each column.
    ByPosition(Vec<String>),
    /// There is a `*` among the columns: by the name in lower case.
    ByName(BTreeMap<String, String>),
}

impl Default for OutputNames {
    fn default() -> Self {
        Self::ByName(BTreeMap::new())
    }
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

fn query(statement: &Statement) -> Option<&Query> {
    if let Statement::Query(query) = statement { Some(query) } else { None }
}

fn written(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()).unwrap_or_default(),
        Expr::Value(of) => match &of.value {
            sqlparser::ast::Value::SingleQuotedString(text) | sqlparser::ast::Value::DoubleQuotedString(text) => {
                text.clone()
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

/// The names in a query that was not rewritten yet.
pub(super) fn of(statement: &Statement) -> OutputNames {
    let Some(select) = query(statement).and_then(|query| first_select(&query.body)) else {
        return OutputNames::default();
    };
    let mut by_position = Vec::with_capacity(select.projection.len());
    let mut by_name = BTreeMap::new();
    let mut wild = false;
    for item in &select.projection {
        let name = match item {
            SelectItem::UnnamedExpr(expr) => written(expr),
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                wild = true;
                continue;
            }
        };
        by_name.insert(name.to_lowercase(), name.clone());
        by_position.push(name);
    }
    if wild { OutputNames::ByName(by_name) } else { OutputNames::ByPosition(by_position) }
}

/// Gives columns that DataFusion would call the same, or call by a whole literal, names of their own: MySQL allows
/// `SELECT 1, 1`.
pub(super) fn tell_apart(statement: &mut Statement, names: &OutputNames) {
    let (Statement::Query(query), OutputNames::ByPosition(_)) = (statement, names) else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let mut seen = BTreeSet::new();
    for (position, item) in select.projection.iter_mut().enumerate() {
        let own = || Ident::new(format!("__column_{position}"));
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let literal =
                    matches!(expr, Expr::Value(_) | Expr::TypedString(_) | Expr::Subquery(_)) || blurred(expr);
                if !seen.insert(expr.to_string()) || literal {
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: own() };
                }
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                if !seen.insert(alias.value.clone()) {
                    *alias = own();
                }
            }
            SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {}
        }
    }
}

/// Whether DataFusion may call an expression like another one: it has no word for DIV, and none for casts.
fn blurred(expr: &Expr) -> bool {
    let mut found = false;
    let _whole = sqlparser::ast::visit_expressions(expr, |part| {
        let op = if let Expr::BinaryOp { op, .. } = part { Some(op) } else { None };
        found |= matches!(op, Some(BinaryOperator::MyIntegerDivide | BinaryOperator::Divide));
        std::ops::ControlFlow::<()>::Continue(())
    });
    found
}

/// The schema that a client sees.
pub(super) fn shown(schema: &Schema, names: &OutputNames) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(position, field)| {
            let given = match names {
                OutputNames::ByPosition(names) => names.get(position),
                OutputNames::ByName(names) => {
                    let owner =
                        || field.metadata().get(NAME_AS_WRITTEN).filter(|name| name.to_lowercase() == *field.name());
                    owner().or_else(|| names.get(field.name()))
                }
            };
            Field::new(given.unwrap_or(field.name()), field.data_type().clone(), field.is_nullable())
        })
        .collect();
    Arc::new(Schema::new(fields))
}
