//! The table function `FILES("path" = "..", "format" = "..")` inside a query.

use sqlparser::ast;
use sqlparser::ast::Spanned;

use super::error::SqlError;
use super::names::quote_text;
use super::statement::Properties;

/// The properties of a table that is `FILES(..)`; `None` when it is any other table.
///
/// # Errors
/// It is FILES, and an argument is not of the form `"key" = "value"`, or a key comes twice, or there is none.
pub fn files(table: &ast::TableFactor) -> Option<Result<Properties, SqlError>> {
    let ast::TableFactor::Table { name, args: Some(arguments), .. } = table else {
        return None;
    };
    let [part] = name.0.as_slice() else {
        return None;
    };
    let ident = part.as_ident()?;
    if ident.quote_style.is_some() || !ident.value.eq_ignore_ascii_case("FILES") {
        return None;
    }
    let start = ident.span.start;
    let mut properties = Properties::new();
    for argument in &arguments.args {
        let Some((key, value)) = property(argument) else {
            let at = argument.span().start;
            let at = if at.line == 0 { start } else { at };
            return Some(Err(SqlError::syntax(
                format!("FILES takes \"name\" = \"value\", not {argument}"),
                at.line,
                at.column,
            )));
        };
        if properties.contains_key(key) {
            return Some(Err(SqlError::syntax(
                format!("FILES has {} twice", quote_text(key)),
                start.line,
                start.column,
            )));
        }
        properties.insert(key.to_owned(), value.to_owned());
    }
    if properties.is_empty() {
        return Some(Err(SqlError::syntax("FILES needs at least a path", start.line, start.column)
            .hint("write FILES(\"path\" = \"file:///data/x.csv\", \"format\" = \"csv\")")));
    }
    Some(Ok(properties))
}

fn property(argument: &ast::FunctionArg) -> Option<(&str, &str)> {
    let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::BinaryOp {
        left,
        op: ast::BinaryOperator::Eq,
        right,
    })) = argument
    else {
        return None;
    };
    Some((string(left)?, string(right)?))
}

fn string(expression: &ast::Expr) -> Option<&str> {
    let ast::Expr::Value(value) = expression else {
        return None;
    };
    let (ast::Value::SingleQuotedString(text) | ast::Value::DoubleQuotedString(text)) = &value.value else {
        return None;
    };
    Some(text)
}
