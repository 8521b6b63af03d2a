//! Prepared statements: where the parameters of a text are, what a client sends for them, and the text with them in
//! their places. Pure.
//!
//! A statement is planned anew at each execution, with its parameters as literals. So the literals are written such that
//! nothing in them can be read as anything but one value.

use super::codec::{Fields, Malformed};
use super::columns::kind;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A statement's text with places for parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    text: String,
    /// Byte offsets of the `?` that stand for parameters.
    places: Vec<usize>,
}

impl Template {
    /// Finds the parameters in `text`: the `?` outside of strings, quoted names and comments.
    pub(crate) fn new(text: String) -> Self {
        let places = crate::sql::parameters(&text);
        Self { text, places }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn parameters(&self) -> usize {
        self.places.len()
    }

    /// The text with `literals` in the places of the parameters. Missing ones stay `?`.
    pub(crate) fn fill(&self, literals: &[String]) -> String {
        let mut filled =
            String::with_capacity(self.text.len() + literals.iter().map(|literal| literal.len() + 2).sum::<usize>());
        let mut from = 0;
        for (place, literal) in self.places.iter().zip(literals) {
            filled.push_str(self.text.get(from..*place).unwrap_or_default());
            // Blanks keep a sign from meeting a minus, which together begin a comment, and a number from meeting a word.
            filled.push(' ');
            filled.push_str(literal);
            filled.push(' ');
            from = place + 1;
        }
        filled.push_str(self.text.get(from..).unwrap_or_default());
        filled
    }
}

/// The type of a parameter, as a client declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParameterType {
    kind: u8,
    unsigned: bool,
}

/// The body of COM_STMT_EXECUTE before its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExecuteHead {
    pub(crate) statement: u32,
}

/// Takes the head of COM_STMT_EXECUTE from `fields`. A wish for a cursor is passed over: the rows are sent at once,
/// and the status flags say so.
pub(crate) fn take_execute_head(fields: &mut Fields<'_>) -> Result<ExecuteHead, Malformed> {
    let statement = fields.u32()?;
    let _cursor = fields.u8()?;
    let _iterations = fields.u32()?;
    Ok(ExecuteHead { statement })
}

/// Why parameters cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the type of parameter {0} was not sent")]
    Untyped(usize),
    #[error("parameter {number} has the type {kind}, which is not known")]
    UnknownType { number: usize, kind: u8 },
    #[error("parameter {0} is not a number that SQL can write")]
    NotFinite(usize),
    #[error("parameter {0} is not a valid date or time")]
    BadTime(usize),
}

/// Reads `count` parameters and writes each as a literal. `types` are those of the execution before and are replaced
/// when the client sends new ones; `long` has what was sent ahead in parts.
pub(crate) fn take_literals(
    fields: &mut Fields<'_>,
    count: usize,
    types: &mut Vec<ParameterType>,
    long: &BTreeMap<usize, Vec<u8>>,
) -> Result<Vec<String>, ParameterError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let nulls = fields.take(count.div_ceil(8))?;
    if fields.u8()? == 1 {
        let mut new = Vec::with_capacity(count);
        for _ in 0..count {
            let [kind, flags] = fields.array()?;
            new.push(ParameterType { kind, unsigned: flags & 0x80 != 0 });
        }
        *types = new;
    }
    let mut literals = Vec::with_capacity(count);
    for number in 0..count {
        let null = nulls.get(number / 8).is_some_and(|byte| byte >> (number % 8) & 1 == 1);
        literals.push(if let Some(data) = long.get(&number) {
            quote(data)
        } else if null {
            "NULL".to_owned()
        } else {
            let parameter = types.get(number).copied().ok_or(ParameterError::Untyped(number + 1))?;
            take_literal(fields, parameter, number + 1)?
        });
    }
    Ok(literals)
}

fn take_literal(fields: &mut Fields<'_>, parameter: ParameterType, number: usize) -> Result<String, ParameterError> {
    let unsigned = parameter.unsigned;
    Ok(match parameter.kind {
        kind::NULL => "NULL".to_owned(),
        kind::TINY if unsigned => fields.u8()?.to_string(),
        kind::TINY => i8::from_le_bytes(fields.array()?).to_string(),
        kind::SHORT | kind::YEAR if unsigned => fields.u16()?.to_string(),
        kind::SHORT | kind::YEAR => i16::from_le_bytes(fields.array()?).to_string(),
        kind::LONG | kind::INT24 if unsigned => fields.u32()?.to_string(),
        kind::LONG | kind::INT24 => i32::from_le_bytes(fields.array()?).to_string(),
        kind::LONGLONG if unsigned => u64::from_le_bytes(fields.array()?).to_string(),
        kind::LONGLONG => i64::from_le_bytes(fields.array()?).to_string(),
        // In single precision, so that 0.1 stays 0.1.
        kind::FLOAT => {
            let value = f32::from_le_bytes(fields.array()?);
            finite(value.is_finite(), format!("{value:e}"), number)?
        }
        kind::DOUBLE => {
            let value = f64::from_le_bytes(fields.array()?);
            finite(value.is_finite(), format!("{value:e}"), number)?
        }
        kind::DECIMAL | kind::NEWDECIMAL => {
            let bytes = fields.lenenc_bytes()?;
            match std::str::from_utf8(bytes) {
                Ok(text) if is_decimal(text) => text.to_owned(),
                _ => quote(bytes),
            }
        }
        kind::DATE | kind::DATETIME | kind::TIMESTAMP => take_moment(fields, parameter.kind, number)?,
        kind::TIME => take_time(fields, number)?,
        kind::VARCHAR
        | kind::BIT
        | kind::JSON
        | kind::ENUM
        | kind::SET
        | kind::TINY_BLOB
        | kind::MEDIUM_BLOB
        | kind::LONG_BLOB
        | kind::BLOB
        | kind::VAR_STRING
        | kind::STRING
        | kind::GEOMETRY => quote(fields.lenenc_bytes()?),
        kind => return Err(ParameterError::UnknownType { number, kind }),
    })
}

fn finite(is: bool, text: String, number: usize) -> Result<String, ParameterError> {
    if is { Ok(text) } else { Err(ParameterError::NotFinite(number)) }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

/// A text as a string literal; bytes that are not UTF-8 as a hexadecimal one.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let mut literal = String::with_capacity(bytes.len() * 2 + 3);
        literal.push_str("X'");
        for byte in bytes {
            // Writing to a string cannot fail.
            if write!(literal, "{byte:02X}").is_err() {
                break;
            }
        }
        literal.push('\'');
        return literal;
    };
    let escaped = if text.contains(['\'', '\\']) {
        Cow::Owned(text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        Cow::Borrowed(text)
    };
    format!("'{escaped}'")
}

fn take_moment(fields: &mut Fields<'_>, kind: u8, number: usize) -> Result<String, ParameterError> {
    let len = fields.u8()?;
    let mut value = Fields(fields.take(usize::from(len))?);
    if !matches!(len, 0 | 4 | 7 | 11) {
        return Err(ParameterError::BadTime(number));
    }
    let (year, month, day) = if len >= 4 { (value.u16()?, value.u8()?, value.u8()?) } else { (0, 0, 0) };
    let (hour, minute, second) = if len >= 7 { (value.u8()?, value.u8()?, value.u8()?) } else { (0, 0, 0) };
    let micros = if len >= 11 { value.u32()? } else { 0 };
    if year > 9_999 || month > 12 || day > 31 || hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
        return Err(ParameterError::BadTime(number));
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    Ok(match (kind, micros) {
        (kind::DATE, _) => format!("'{date}'"),
        (_, 0) => format!("'{date} {hour:02}:{minute:02}:{second:02}'"),
        _ => format!("'{date} {hour:02}:{minute:02}:{second:02}.{micros:06}'"),
    })
}

fn take_time(fields: &mut Fields<'_>, number: usize) -> Result<String, ParameterError> {
    let len = fields.u8()?;
    let mut value = Fields(fields.take(usize::from(len))?);
    if !matches!(len, 0 | 8 | 12) {
        return Err(ParameterError::BadTime(number));
    }
    let (negative, days) = if len >= 8 { (value.u8()?, value.u32()?) } else { (0, 0) };
    let (hour, minute, second) = if len >= 8 { (value.u8()?, value.u8()?, value.u8()?) } else { (0, 0, 0) };
    let micros = if len >= 12 { value.u32()? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
        return Err(ParameterError::BadTime(number));
    }
    let sign = if negative == 0 { "" } else { "-" };
    let hours = u64::from(days) * 24 + u64::from(hour);
    Ok(if micros == 0 {
        format!("'{sign}{hours:02}:{minute:02}:{second:02}'")
    } else {
        format!("'{sign}{hours:02}:{minute:02}:{second:02}.{micros:06}'")
    })
}

#[cfg(test)]
mod tests;
