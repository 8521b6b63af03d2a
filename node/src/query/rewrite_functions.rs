//! Functions in MySQL's spelling: those about the session become literals, others get DataFusion's spelling.

#![expect(clippy::wildcard_enum_match_arm, reason = "syntax trees have many nodes, few of which matter here")]

use super::rewrite::plain_arguments;
use crate::error::EngineError;
use crate::session::Context;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, TimezoneInfo, TypedString, Value, ValueWithSpan,
};

fn value(value: Value) -> Expr {
    Expr::Value(value.into())
}

fn text(text: impl Into<String>) -> Expr {
    value(Value::SingleQuotedString(text.into()))
}

fn number(number: impl std::fmt::Display) -> Expr {
    value(Value::Number(number.to_string(), false))
}

/// TRUE.
pub(super) fn truth() -> Expr {
    value(Value::Boolean(true))
}

/// The value of a variable: a number when it looks like one.
pub(super) fn literal(of: Option<&str>) -> Expr {
    match of {
        None => value(Value::Null),
        Some(digits) if digits.parse::<i64>().is_ok_and(|parsed| parsed >= 0 && parsed.to_string() == digits) => {
            number(digits)
        }
        Some(other) => text(other),
    }
}

fn typed(data_type: DataType, of: String) -> Expr {
    Expr::TypedString(TypedString { data_type, value: Value::SingleQuotedString(of).into(), uses_odbc_syntax: false })
}

fn timestamp(of: String) -> Expr {
    typed(DataType::Timestamp(None, TimezoneInfo::None), of)
}

/// What a call without arguments that tells about the session or the moment stands for.
fn about_session(name: &str, context: &Context) -> Option<Expr> {
    Some(match name {
        "database" | "schema" => context.database.as_deref().map_or_else(|| value(Value::Null), text),
        // The account, and the user at the address that they came from.
        "current_user" => text(context.access.identity().to_string()),
        "user" | "session_user" | "system_user" => text(format!("'{}'@'{}'", context.user, context.client_host)),
        "version" => text(crate::session::VERSION),
        "connection_id" => number(context.connection),
        "last_insert_id" => number(0),
        "current_role" => text("NONE"),
        "catalog" => text(super::CATALOG),
        "now" | "current_timestamp" | "localtime" | "localtimestamp" | "sysdate" | "utc_timestamp" => {
            timestamp(context.now_text())
        }
        "curdate" | "current_date" | "utc_date" => typed(DataType::Date, context.today_text()),
        "unix_timestamp" => number(context.now_ms / 1000),
        _ => return None,
    })
}

/// `CURRENT_USER` and the like, written without parentheses, which parse as names of columns.
pub(super) fn bare_word(ident: &Ident, context: &Context) -> Option<Expr> {
    let name = ident.value.to_ascii_lowercase();
    let known = matches!(
        name.as_str(),
        "current_user" | "session_user" | "current_timestamp" | "current_date" | "localtime" | "localtimestamp"
    );
    if ident.quote_style.is_some() || !known { None } else { about_session(&name, context) }
}

/// What to put in the place of a call; `None` leaves it.
///
/// # Errors
/// Invalid for the wrong number of arguments.
pub(super) fn call(function: &mut Function, context: &Context) -> Result<Option<Expr>, EngineError> {
    let [ObjectNamePart::Identifier(ident)] = function.name.0.as_mut_slice() else { return Ok(None) };
    let name = ident.value.to_ascii_lowercase();
    let spelled = match name.as_str() {
        "ifnull" => "coalesce",
        "ucase" => "upper",
        "lcase" => "lower",
        "substring" | "mid" => "substr",
        "ceiling" => "ceil",
        "pow" => "power",
        "char_length" | "character_length" => "char_length",
        "length" => "octet_length",
        "day" | "dayofmonth" | "month" | "year" | "hour" | "minute" | "second" | "quarter" | "week" | "dayofyear" => {
            return Ok(date_part(&name, function));
        }
        _ => "",
    };
    if !spelled.is_empty() {
        spelled.clone_into(&mut ident.value);
        ident.quote_style = None;
        return Ok(None);
    }
    let Some(arguments) = plain_arguments(function) else { return Ok(None) };
    match (name.as_str(), arguments.as_slice()) {
        // CURRENT_TIMESTAMP(6) asks for digits that are not there.
        (_, [] | [Expr::Value(_)])
            if arguments.is_empty() || matches!(name.as_str(), "now" | "current_timestamp" | "sysdate") =>
        {
            Ok(about_session(&name, context))
        }
        ("if", [condition, yes, no]) => Ok(Some(case(condition, yes, no))),
        ("if", other) => Err(EngineError::invalid(format!("if takes 3 arguments, not {}", other.len()))),
        ("date", [moment]) => Ok(Some(cast((*moment).clone(), DataType::Date))),
        ("date_add" | "adddate" | "days_add", [moment, by]) => Ok(Some(shift(moment, BinaryOperator::Plus, by))),
        ("date_sub" | "subdate" | "days_sub", [moment, by]) => Ok(Some(shift(moment, BinaryOperator::Minus, by))),
        ("date_format", [moment, format]) => formatted(moment, format),
        ("datediff", [later, earlier]) => Ok(Some(days_between(later, earlier))),
        ("isnull", [of]) => Ok(Some(Expr::IsNull(Box::new((*of).clone())))),
        _ => Ok(None),
    }
}

/// `DATE_FORMAT` in the words of `to_char`: the letters of MySQL's formats mean other things there.
fn formatted(moment: &Expr, format: &Expr) -> Result<Option<Expr>, EngineError> {
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(given) | Value::DoubleQuotedString(given), ..
    }) = format
    else {
        return Err(EngineError::unsupported("the format of date_format must be a text, such as '%Y-%m-%d %H:%i:%s'"));
    };
    let mut spelled = String::new();
    let mut letters = given.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            spelled.push(letter);
            continue;
        }
        spelled.push_str(match letters.next() {
            Some('a') => "%a",
            Some('b') => "%b",
            Some('c') => "%-m",
            Some('d') => "%d",
            Some('e') => "%-d",
            Some('f') => "%6f",
            Some('H') => "%H",
            Some('h' | 'I') => "%I",
            Some('i') => "%M",
            Some('j') => "%j",
            Some('k') => "%-H",
            Some('l') => "%-I",
            Some('M') => "%B",
            Some('m') => "%m",
            Some('p') => "%p",
            Some('r') => "%I:%M:%S %p",
            Some('S' | 's') => "%S",
            Some('T') => "%H:%M:%S",
            Some('v') => "%V",
            Some('W') => "%A",
            Some('w') => "%w",
            Some('x') => "%G",
            Some('Y') => "%Y",
            Some('y') => "%y",
            Some('%') | None => "%%",
            Some(other) => {
                return Err(EngineError::unsupported(format!(
                    "%{other} in the format of date_format is not supported"
                )));
            }
        });
    }
    let timestamp = cast(moment.clone(), DataType::Timestamp(None, TimezoneInfo::None));
    Ok(Some(plain_call("to_char", vec![timestamp, text(&spelled)])))
}

fn plain_call(name: &str, arguments: Vec<Expr>) -> Expr {
    let argument = |of| FunctionArg::Unnamed(FunctionArgExpr::Expr(of));
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(argument).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn case(condition: &Expr, yes: &Expr, no: &Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: condition.clone(), result: yes.clone() }],
        else_result: Some(Box::new(no.clone())),
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: sqlparser::ast::CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `date_part('month', x)` for `month(x)`.
fn date_part(name: &str, function: &mut Function) -> Option<Expr> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr, FunctionArguments};
    let part = match name {
        "dayofmonth" => "day",
        "dayofyear" => "doy",
        other => other,
    };
    if let (Some(ObjectNamePart::Identifier(ident)), FunctionArguments::List(list)) =
        (function.name.0.first_mut(), &mut function.args)
    {
        "date_part".clone_into(&mut ident.value);
        ident.quote_style = None;
        list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(text(part))));
    }
    None
}

/// A string that stands for a moment is one.
fn moment(expr: &Expr) -> Expr {
    match expr {
        Expr::Value(of) if matches!(of.value, Value::SingleQuotedString(_) | Value::DoubleQuotedString(_)) => {
            cast(expr.clone(), DataType::Timestamp(None, TimezoneInfo::None))
        }
        other => other.clone(),
    }
}

fn shift(from: &Expr, op: BinaryOperator, by: &Expr) -> Expr {
    let by = match by {
        Expr::Interval(_) => by.clone(),
        // A plain number is one of days.
        days => {
            let one_day = Expr::Interval(sqlparser::ast::Interval {
                value: Box::new(text("1")),
                leading_field: Some(sqlparser::ast::DateTimeField::Day),
                leading_precision: None,
                last_field: None,
                fractional_seconds_precision: None,
            });
            Expr::BinaryOp {
                left: Box::new(Expr::Nested(Box::new(days.clone()))),
                op: BinaryOperator::Multiply,
                right: Box::new(one_day),
            }
        }
    };
    Expr::Nested(Box::new(Expr::BinaryOp { left: Box::new(moment(from)), op, right: Box::new(by) }))
}

fn days_between(later: &Expr, earlier: &Expr) -> Expr {
    let day = |expr: &Expr| Box::new(cast(cast(expr.clone(), DataType::Date), DataType::Int(None)));
    Expr::Nested(Box::new(Expr::BinaryOp { left: day(later), op: BinaryOperator::Minus, right: day(earlier) }))
}
