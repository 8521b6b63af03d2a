//! A stream load's headers: what each means, and which are refused. Pure.

use crate::account::Identity;
use crate::load::escapes::{hex, unescape};
use crate::stream_load::{CsvFormat, LoadFormat, StreamLoad};
use axum::http::HeaderMap;
use env::rt::Duration;

const TIMEOUT_SECS_DEFAULT: u64 = 600;
const TIMEOUT_SECS_MAX: u64 = 259_200;
const LABEL_CHARS_MAX: usize = 128;
const SEPARATOR_BYTES_MAX: usize = 50;

/// Headers that change what is loaded and that are not supported, with the value that is as good as none.
const REFUSED: [(&str, &str); 11] = [
    ("where", ""),
    ("temporary_partitions", ""),
    ("partial_update", "false"),
    ("merge_condition", ""),
    ("negative", "false"),
    ("jsonpaths", ""),
    ("json_root", ""),
    ("strip_outer_array", "false"),
    ("compression", "none"),
    ("transmission_compression_type", "no_compression"),
    ("hidden_columns", ""),
];

/// Reads the headers of a load of `database`.`table`. `made_up` names the load when the client does not.
///
/// # Errors
/// What is wrong, for a person.
pub(crate) fn parse(
    headers: &HeaderMap,
    user: &Identity,
    database: &str,
    table: &str,
    made_up: impl FnOnce() -> String,
) -> Result<StreamLoad, String> {
    for (name, harmless) in REFUSED {
        if let Some(value) = text(headers, name)?
            && !value.eq_ignore_ascii_case(harmless)
        {
            return Err(format!("header '{name}' is not supported; leave it out"));
        }
    }
    match text(headers, "format")?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("csv") => {}
        Some(other) => return Err(format!("format '{other}' is not supported; send csv")),
    }
    let label = match text(headers, "label")? {
        Some(label) => check_label(label)?.to_owned(),
        None => made_up(),
    };
    let timeout_secs = match text(headers, "timeout")? {
        Some(value) => whole("timeout", value, 1, TIMEOUT_SECS_MAX)?,
        None => TIMEOUT_SECS_DEFAULT,
    };
    Ok(StreamLoad {
        user: user.clone(),
        database: database.to_owned(),
        table: table.to_owned(),
        label,
        format: LoadFormat::Csv(csv(headers)?),
        columns: text(headers, "columns")?.map(columns).transpose()?,
        partitions: text(headers, "partitions")?.map(|value| names("partitions", value)).transpose()?,
        max_filter_ratio: text(headers, "max_filter_ratio")?.map_or(Ok(0.0), ratio)?,
        strict_mode: flag(headers, "strict_mode")?,
        timeout: Duration::from_secs(timeout_secs),
    })
}

fn csv(headers: &HeaderMap) -> Result<CsvFormat, String> {
    let default = CsvFormat::default();
    let separators = |name: &str, default: Vec<u8>| match text(headers, name)? {
        Some(value) => separator(name, value),
        None => Ok(default),
    };
    let format = CsvFormat {
        column_separator: separators("column_separator", default.column_separator)?,
        row_delimiter: separators("row_delimiter", default.row_delimiter)?,
        enclose: text(headers, "enclose")?.map(|value| byte("enclose", value)).transpose()?,
        escape: text(headers, "escape")?.map(|value| byte("escape", value)).transpose()?,
        skip_header: text(headers, "skip_header")?.map_or(Ok(0), |value| whole("skip_header", value, 0, u64::MAX))?,
        trim_space: flag(headers, "trim_space")?,
    };
    if format.column_separator == format.row_delimiter {
        return Err("column_separator and row_delimiter are the same".to_owned());
    }
    Ok(format)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("header '{name}' is given twice"));
    }
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some).map_err(|_not_utf8| format!("header '{name}' is not UTF-8"))
}

fn check_label(label: &str) -> Result<&str, String> {
    let good = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    if label.is_empty() || label.len() > LABEL_CHARS_MAX || !label.chars().all(good) {
        return Err(format!("label '{label}' is not 1 to {LABEL_CHARS_MAX} of letters, digits, '_' and '-'"));
    }
    Ok(label)
}

fn whole(name: &str, value: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = value.trim().parse().ok().filter(|number| (min..=max).contains(number));
    number
        .ok_or_else(|| format!("header '{name}' is '{value}', not a whole number of at least {min} and at most {max}"))
}

fn ratio(value: &str) -> Result<f64, String> {
    let number = value.trim().parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("header 'max_filter_ratio' is '{value}', not a number from 0 to 1"))
}

fn flag(headers: &HeaderMap, name: &str) -> Result<bool, String> {
    match text(headers, name)?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(format!("header '{name}' is '{other}', not true or false")),
    }
}

fn byte(name: &str, value: &str) -> Result<u8, String> {
    match separator(name, value)?.as_slice() {
        [byte] => Ok(*byte),
        _ => Err(format!("header '{name}' is '{value}', not one byte")),
    }
}

/// Hexadecimal digits after `\x` or `0x`, or bytes as they are, with `\t`, `\n` and the like in them.
fn separator(name: &str, value: &str) -> Result<Vec<u8>, String> {
    let bytes = match value.strip_prefix("\\x").or_else(|| value.strip_prefix("0x")) {
        Some(digits) => {
            hex(digits).ok_or_else(|| format!("header '{name}' is '{value}', not pairs of hexadecimal digits"))?
        }
        None => unescape(value),
    };
    if bytes.is_empty() || bytes.len() > SEPARATOR_BYTES_MAX {
        return Err(format!(
            "header '{name}' has {} bytes, not 1 to {SEPARATOR_BYTES_MAX}; write \\t for a tab and \\x20 for a blank",
            bytes.len()
        ));
    }
    Ok(bytes)
}

fn columns(value: &str) -> Result<Vec<String>, String> {
    if let Some((name, _expression)) = value.split_once('=') {
        let name = name.rsplit(',').next().unwrap_or_default().trim();
        return Err(format!(
            "header 'columns' computes '{name}', which is not supported; load the fields as they are and use INSERT INTO .. SELECT"
        ));
    }
    names("columns", value)
}

/// Names between commas, each bare or between back quotes.
fn names(header: &str, value: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = value.trim();
    loop {
        let (name, after) = if let Some(quoted) = rest.strip_prefix('`') {
            quoted.split_once('`').ok_or_else(|| format!("header '{header}' has a back quote that is not closed"))?
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            rest.split_at_checked(end).unwrap_or((rest, ""))
        };
        let name = name.trim();
        if name.is_empty() {
            return Err(format!("header '{header}' has an empty name"));
        }
        if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(format!("header '{header}' names '{name}' twice"));
        }
        names.push(name.to_owned());
        match after.trim_start() {
            "" => return Ok(names),
            after => match after.strip_prefix(',') {
                Some(next) => rest = next.trim_start(),
                None => return Err(format!("header '{header}' has '{after}' where a comma was expected")),
            },
        }
    }
}

#[cfg(test)]
mod tests;
