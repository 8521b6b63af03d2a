/// A snapshot without the expression that made it: the texts are in it already.
macro_rules! snapshot {
    ($value:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($value)
        })
    };
}

mod accounts;
mod backup;
mod limits;
mod random;
mod script;
mod session;
mod tables;
mod values;

use sqlparser::ast;

use super::{SqlError, Statement, parse};

/// The one statement of a text.
fn one(text: &str) -> Statement {
    let mut statements = parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

/// Why a text is refused.
fn refused(text: &str) -> SqlError {
    match parse(text) {
        Ok(statements) => panic!("{text}\nis taken as {statements:?}"),
        Err(error) => error,
    }
}

/// Each text with what it means; queries and expressions as text.
fn meanings(texts: &[&str]) -> String {
    let meanings: Vec<String> = texts.iter().map(|text| format!("{text}\n    {}\n", meaning(&one(text)))).collect();
    meanings.join("\n")
}

/// Each text with why it is refused.
fn refusals(texts: &[&str]) -> String {
    let refusals: Vec<String> = texts
        .iter()
        .map(|text| {
            let error = refused(text);
            format!("{text}\n    {:?}: {error}\n", error.kind)
        })
        .collect();
    refusals.join("\n")
}

fn meaning(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) => format!("Query({query})"),
        other => {
            // Trees have hundreds of fields each; their text says the same.
            let mut text = format!("{other:?}");
            for tree in trees(other) {
                text = text.replace(&format!("{tree:?}"), &format!("<{tree}>"));
            }
            text
        }
    }
}

/// The expressions in a statement.
fn trees(statement: &Statement) -> Vec<ast::Expr> {
    use super::{AssignedValue, Filter, SetItem, SetValue, Show};
    let filter = |filter: &Option<Filter>| match filter {
        Some(Filter::Where(tree)) => vec![(**tree).clone()],
        Some(Filter::Like(_)) | None => Vec::new(),
    };
    match statement {
        Statement::Update(update) => update
            .assignments
            .iter()
            .filter_map(|assignment| match &assignment.value {
                AssignedValue::Expression(tree) => Some((**tree).clone()),
                AssignedValue::Default => None,
            })
            .chain([(*update.filter).clone()])
            .collect(),
        Statement::Explain(explain) => trees(&explain.statement),
        Statement::Delete(delete) => vec![(*delete.filter).clone()],
        Statement::Set(items) => items
            .iter()
            .filter_map(|item| match item {
                SetItem::Variable { value: SetValue::Expression(tree), .. }
                | SetItem::UserVariable { value: SetValue::Expression(tree), .. } => Some((**tree).clone()),
                _ => None,
            })
            .collect(),
        Statement::Show(show) => match &**show {
            Show::Databases { filter: f }
            | Show::Tables { filter: f, .. }
            | Show::TableStatus { filter: f, .. }
            | Show::Columns { filter: f, .. }
            | Show::Backup { filter: f, .. }
            | Show::Restore { filter: f, .. }
            | Show::Verify { filter: f, .. }
            | Show::Variables { filter: f, .. }
            | Show::Status { filter: f, .. }
            | Show::Collation { filter: f }
            | Show::CharacterSet { filter: f } => filter(f),
            Show::Partitions { filter, .. } | Show::Load { filter, .. } => {
                filter.iter().map(|tree| (**tree).clone()).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
