//! A statement in MySQL's words, put into those that DataFusion plans from.
//!
//! * Names of columns and aliases become lower case, as the tables show theirs, so that capitals do not matter; names of
//!   databases, tables and table aliases stay as written, because there they do.
//! * Functions and variables about the session become literals.
//! * A few functions and operators get the spelling that DataFusion has.
//! * `FILES(..)` and `t PARTITION (..)` become names of tables that the planner makes for this statement alone.

#![expect(clippy::wildcard_enum_match_arm, reason = "syntax trees have many nodes, few of which matter here")]

use super::names::{self, OutputNames};
use super::rewrite_functions as functions;
use crate::error::EngineError;
use crate::session::Context;
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, JoinConstraint,
    JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, Statement, TableAlias, TableFactor,
    UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The database in which the tables of this statement alone are.
pub(super) const OWN: &str = "__tabularium";

/// A table that the planner makes for this statement.
#[derive(Debug, Clone)]
pub(super) enum OwnTable {
    /// Files outside of the store.
    Files(BTreeMap<String, String>),
    /// Some partitions of a table.
    Partitions {
        /// The table as written.
        table: ObjectName,
        /// The partitions.
        names: Vec<String>,
    },
}

/// What the rewriting found.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    /// Tables to be made, by name in [`OWN`].
    pub(super) own: BTreeMap<String, OwnTable>,
    /// What the result's columns are called.
    pub(super) names: OutputNames,
}

/// Rewrites a query in place.
///
/// # Errors
/// 1193 for unknown variables; Unsupported for what would otherwise be ignored.
pub(super) fn rewrite(statement: &mut Statement, context: &Context) -> Result<Rewritten, EngineError> {
    let names = names::of(statement);
    let mut visitor = Rewriter { context, own: BTreeMap::new() };
    if let ControlFlow::Break(failed) = statement.visit(&mut visitor) {
        return Err(failed);
    }
    names::tell_apart(statement, &names);
    Ok(Rewritten { own: visitor.own, names })
}

struct Rewriter<'a> {
    context: &'a Context,
    own: BTreeMap<String, OwnTable>,
}

fn fold(ident: &mut Ident) {
    ident.value = ident.value.to_lowercase();
    // With quotes DataFusion takes the name as it is; so it does without, but errors would show the user's quotes.
    ident.quote_style = None;
}

fn fold_alias(alias: &mut TableAlias) {
    for column in &mut alias.columns {
        fold(&mut column.name);
    }
}

/// A condition that may turn out to be a number is put beside an AND, where numbers are truths.
fn condition(expr: &mut Expr) {
    let may_be_number = match expr {
        Expr::Nested(inner) => return condition(inner),
        Expr::BinaryOp { op, .. } => matches!(
            op,
            BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::Modulo
                | BinaryOperator::MyIntegerDivide
        ),
        Expr::UnaryOp { op, .. } => matches!(op, UnaryOperator::Minus | UnaryOperator::Plus),
        Expr::Value(ValueWithSpan { value, .. }) => matches!(value, Value::Number(..)),
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Function(_)
        | Expr::Case { .. }
        | Expr::Cast { .. }
        | Expr::Subquery(_) => true,
        _ => false,
    };
    if may_be_number {
        let inner = std::mem::replace(expr, functions::truth());
        *expr = Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(inner))),
            op: BinaryOperator::And,
            right: Box::new(functions::truth()),
        };
    }
}

/// `column IN (0, 1)` as comparisons, which a BOOLEAN column stands as well as a number.
fn among_truths(column: &Expr, list: &[Expr], negated: bool) -> Option<Expr> {
    let is_column = matches!(column, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    let is_truth = |item: &Expr| matches!(item, Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) if text == "0" || text == "1");
    if !is_column || !list.iter().all(is_truth) {
        return None;
    }
    let boxed = |expr: &Expr| Box::new(expr.clone());
    let equal =
        list.iter().map(|item| Expr::BinaryOp { left: boxed(column), op: BinaryOperator::Eq, right: boxed(item) });
    let any = equal.reduce(|a, b| Expr::BinaryOp { left: Box::new(a), op: BinaryOperator::Or, right: Box::new(b) })?;
    let any = Box::new(Expr::Nested(Box::new(any)));
    Some(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: any } } else { *any })
}

impl Rewriter<'_> {
    fn own_table(&mut self, table: OwnTable) -> ObjectName {
        let name = format!("own_{}", self.own.len());
        self.own.insert(name.clone(), table);
        let parts = [Ident::new(OWN), Ident::new(name)];
        ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect())
    }

    fn constraint(constraint: &mut JoinConstraint) {
        match constraint {
            JoinConstraint::On(on) => condition(on),
            JoinConstraint::Using(columns) => {
                for name in columns {
                    for part in &mut name.0 {
                        if let ObjectNamePart::Identifier(ident) = part {
                            fold(ident);
                        }
                    }
                }
            }
            JoinConstraint::Natural | JoinConstraint::None => {}
        }
    }

    /// What a name that begins with `@` stands for.
    fn variable(&self, parts: &[Ident]) -> Result<Option<Expr>, EngineError> {
        let Some(first) = parts.first().filter(|first| first.quote_style.is_none()) else { return Ok(None) };
        if let Some(system) = first.value.strip_prefix("@@") {
            let (scope, name) = match parts.get(1) {
                Some(name) => (system, name.value.as_str()),
                None => match system.split_once('.') {
                    Some((scope, name)) => (scope, name),
                    None => ("", system),
                },
            };
            return self.context.system_variable(scope, name).map(|value| Some(functions::literal(value.as_deref())));
        }
        if let Some(name) = first.value.strip_prefix('@') {
            let value = self.context.user_variable(name);
            return Ok(Some(functions::literal(value.as_deref())));
        }
        Ok(None)
    }

    fn expression(&self, expr: &mut Expr) -> Result<(), EngineError> {
        let replacement = match expr {
            Expr::Identifier(ident) => {
                let variable = self.variable(std::slice::from_ref(ident))?;
                if variable.is_none() {
                    if let Some(value) = functions::bare_word(ident, self.context) {
                        *expr = value;
                        return Ok(());
                    }
                    fold(ident);
                }
                variable
            }
            Expr::CompoundIdentifier(parts) => {
                let variable = self.variable(parts)?;
                if variable.is_none()
                    && let Some(last) = parts.last_mut()
                {
                    fold(last);
                }
                variable
            }
            Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) if name.starts_with('$') => {
                Some(Expr::Identifier(Ident::new(name.clone())))
            }
            Expr::RLike { negated, expr, pattern, .. } => {
                let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
                Some(Expr::BinaryOp { left: expr.clone(), op, right: pattern.clone() })
            }
            Expr::BinaryOp { left, op: BinaryOperator::Spaceship, right } => {
                Some(Expr::IsNotDistinctFrom(left.clone(), right.clone()))
            }
            Expr::Function(function) => functions::call(function, self.context)?,
            Expr::InList { expr, list, negated } => among_truths(expr, list, *negated),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                condition(expr);
                None
            }
            _ => None,
        };
        if let Some(replacement) = replacement {
            *expr = replacement;
        }
        // Also the one that a function such as IF has become.
        if let Expr::Case { operand: None, conditions, .. } = expr {
            for when in conditions.iter_mut() {
                condition(&mut when.condition);
            }
        }
        Ok(())
    }

    fn factor(&mut self, factor: &mut TableFactor) -> Result<(), EngineError> {
        if let Some(files) = crate::sql::files(factor) {
            let own = self.own_table(OwnTable::Files(files.map_err(EngineError::from)?));
            if let TableFactor::Table { name, args, .. } = factor {
                *name = own;
                *args = None;
            }
        }
        match factor {
            TableFactor::Table { name, alias, partitions, version, sample, .. } => {
                if version.is_some() || sample.is_some() {
                    return Err(EngineError::unsupported(format!(
                        "time travel and sampling of table {name} are not supported"
                    )));
                }
                if let Some(alias) = alias {
                    fold_alias(alias);
                }
                if !partitions.is_empty() {
                    let names = partitions.drain(..).map(|ident| ident.value).collect();
                    let table = name.clone();
                    if alias.is_none() {
                        *alias = last_ident(&table).map(|name| TableAlias {
                            explicit: true,
                            name,
                            columns: Vec::new(),
                            at: None,
                        });
                    }
                    *name = self.own_table(OwnTable::Partitions { table, names });
                }
                fold_information_schema(name);
            }
            TableFactor::Derived { alias: Some(alias), sample: None, .. }
            | TableFactor::NestedJoin { alias: Some(alias), .. } => fold_alias(alias),
            TableFactor::Derived { sample: Some(_), .. } => {
                return Err(EngineError::unsupported("TABLESAMPLE is not supported"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_word(name: &ObjectName, word: &str) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value.eq_ignore_ascii_case(word))
}

fn last_ident(name: &ObjectName) -> Option<Ident> {
    match name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => Some(ident.clone()),
        Some(ObjectNamePart::Function(_)) | None => None,
    }
}

/// The names of the information schema and its tables are the same in any capitals.
fn fold_information_schema(name: &mut ObjectName) {
    if let [.., ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(table)] = name.0.as_mut_slice()
        && schema.value.eq_ignore_ascii_case(super::information_schema::NAME)
    {
        fold(schema);
        fold(table);
    }
}

fn flow(result: Result<(), EngineError>) -> ControlFlow<EngineError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(failed) => ControlFlow::Break(failed),
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = EngineError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<EngineError> {
        // FOR UPDATE and the like: a query reads one version, there is nothing to lock.
        query.locks.clear();
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            fold_alias(&mut cte.alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<EngineError> {
        select.optimizer_hints.clear();
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                fold(alias);
            }
        }
        select.selection.iter_mut().chain(&mut select.having).for_each(condition);
        for joined in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            match &mut joined.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::LeftSemi(constraint)
                | JoinOperator::RightSemi(constraint)
                | JoinOperator::LeftAnti(constraint)
                | JoinOperator::RightAnti(constraint) => Self::constraint(constraint),
                _ => {}
            }
        }
        if let [only] = select.from.as_slice()
            && let TableFactor::Table { name, args: None, .. } = &only.relation
            && only.joins.is_empty()
            && is_word(name, "dual")
        {
            select.from.clear();
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<EngineError> {
        flow(self.factor(factor))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<EngineError> {
        flow(self.expression(expr))
    }
}

/// The arguments of a call, when they are plain expressions.
pub(super) fn plain_arguments(function: &Function) -> Option<Vec<&Expr>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            })
            .collect(),
    }
}

/// `database.table` as written: the database, when there is one, and the table.
///
/// # Errors
/// 1235 for names of three parts whose first is no catalog of ours.
pub(super) fn table_name(name: &ObjectName) -> Result<(Option<String>, String), EngineError> {
    let parts: Vec<&str> = name
        .0
        .iter()
        .filter_map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(ident.value.as_str()),
            ObjectNamePart::Function(_) => None,
        })
        .collect();
    match parts.as_slice() {
        [table] => Ok((None, (*table).to_owned())),
        [database, table] => Ok((Some((*database).to_owned()), (*table).to_owned())),
        [catalog, database, table] if *catalog == super::CATALOG => {
            Ok((Some((*database).to_owned()), (*table).to_owned()))
        }
        _ => Err(EngineError::unsupported(format!("table name {name}: there is only the catalog {}", super::CATALOG))),
    }
}

/// A query as a statement.
pub(super) fn statement(query: Query) -> Statement {
    Statement::Query(Box::new(query))
}
