//! The queries behind UPDATE and DELETE: which rows, and where they are.

#![expect(clippy::wildcard_enum_match_arm, reason = "syntax trees have many nodes, few of which matter here")]

use super::provider::{FILE_COLUMN, ROW_COLUMN, TabletTable};
use super::rewrite::{self, OWN};
use super::{Planned, Planner};
use crate::engine::views::TableViews;
use crate::error::EngineError;
use crate::session::Context;
use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor,
    TableWithJoins,
};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;
use std::sync::Arc;

/// The name that the table to be changed has in [`OWN`].
const TARGET: &str = "target";

/// Which rows of which table.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// The name of the table in the expressions.
    pub(crate) name: String,
    /// Only in these partitions.
    pub(crate) partitions: Option<Vec<String>>,
    /// Further tables.
    pub(crate) others: Vec<TableWithJoins>,
    /// The condition.
    pub(crate) filter: Expr,
}

/// `SELECT projection FROM from WHERE selection`
///
/// # Errors
/// Internal, should the parser not take its own words.
pub(super) fn select(
    projection: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<Expr>,
) -> Result<Statement, EngineError> {
    let lost = || EngineError::internal("a plain SELECT does not parse");
    let parsed = Parser::parse_sql(&MySqlDialect {}, "SELECT 1").map_err(|_error| lost())?;
    let query = parsed.into_iter().find_map(|statement| match statement {
        Statement::Query(query) => Some(*query),
        _ => None,
    });
    let mut query: Query = query.ok_or_else(lost)?;
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(lost()) };
    let select: &mut Select = select;
    select.projection = projection;
    select.from = from;
    select.selection = selection;
    Ok(rewrite::statement(query))
}

/// The table to be changed, under the name that the statement's expressions have for it.
fn target(name: &str) -> TableWithJoins {
    let parts = [Ident::new(OWN), Ident::new(TARGET)];
    let relation = TableFactor::Table {
        name: ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect()),
        alias: Some(TableAlias { explicit: true, name: Ident::new(name), columns: Vec::new(), at: None }),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
    TableWithJoins { relation, joins: Vec::new() }
}

impl Planner {
    /// Reads `columns` (expressions over the old rows) of the rows to be changed, and behind them the number of the row's file
    /// (an index of the table's places) and its place in it.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    pub(crate) async fn plan_change(
        &self,
        context: &Context,
        views: &Arc<TableViews>,
        selection: &Selection,
        columns: Vec<Expr>,
    ) -> Result<(Planned, Arc<TabletTable>), EngineError> {
        let table =
            Arc::new(TabletTable::for_changes(Arc::clone(views), self.readers.clone(), selection.partitions.clone()));
        let own = |part: &str| Expr::CompoundIdentifier(vec![Ident::new(selection.name.clone()), Ident::new(part)]);
        let projection = columns
            .into_iter()
            .chain([own(FILE_COLUMN), own(ROW_COLUMN)])
            .enumerate()
            .map(|(at, expr)| SelectItem::ExprWithAlias { expr, alias: Ident::new(format!("__change_{at}")) })
            .collect();
        let from = std::iter::once(target(&selection.name)).chain(selection.others.iter().cloned()).collect();
        let mut statement = select(projection, from, Some(selection.filter.clone()))?;
        let rewritten = rewrite::rewrite(&mut statement, context)?;
        let planned =
            self.plan_rewritten(context, statement, rewritten, Some((TARGET, Arc::clone(&table) as _))).await?;
        Ok((planned, table))
    }

    /// The query that EXPLAIN shows for a change.
    ///
    /// # Errors
    /// Internal.
    pub(crate) fn change_query(table: TableWithJoins, selection: &Selection) -> Result<Statement, EngineError> {
        let from = std::iter::once(table).chain(selection.others.iter().cloned()).collect();
        let all = SelectItem::UnnamedExpr(column_count());
        select(vec![all], from, Some(selection.filter.clone()))
    }
}

/// `1`, in a query of which only the plan is wanted.
fn column_count() -> Expr {
    Expr::Value(sqlparser::ast::Value::Number("1".to_owned(), false).into())
}

/// A column of the table to be changed, as it is.
pub(crate) fn old_value(table: &str, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![Ident::new(table), Ident::new(name)])
}

/// A table as written in a statement.
pub(crate) fn table_factor(name: &crate::sql::ObjectName, alias: Option<&str>) -> TableWithJoins {
    let parts = name.database.iter().chain([&name.name]).map(|part| Ident::with_quote('`', part.clone()));
    let mut written = target(alias.unwrap_or(&name.name));
    if let TableFactor::Table { name, .. } = &mut written.relation {
        *name = ObjectName(parts.map(ObjectNamePart::Identifier).collect());
    }
    written
}
