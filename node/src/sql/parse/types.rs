//! Column types.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::error::SqlError;
use crate::sql::statement::DataType;

/// The longest CHAR, in bytes.
const CHAR_MAX: u32 = 255;

/// The longest VARCHAR and VARBINARY, in bytes.
const VARCHAR_MAX: u32 = 1_048_576;

/// VARCHAR without a length: what STRING is in StarRocks.
const VARCHAR_PLAIN: u32 = 65_533;

const SUPPORTED: &str = "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, LARGEINT, FLOAT, DOUBLE, DECIMAL, DATE, DATETIME, CHAR, VARCHAR, STRING and VARBINARY are supported";

impl Cursor<'_> {
    /// A column's type.
    pub(in crate::sql) fn data_type(&mut self) -> Parsed<DataType> {
        let at = self.here();
        let Some(word) = self.bare_word() else {
            return Err(self.expected("a type").hint(SUPPORTED));
        };
        let word = word.to_ascii_uppercase();
        let fixed = match word.as_str() {
            "BOOLEAN" | "BOOL" => Some(DataType::Boolean),
            "TINYINT" => Some(DataType::TinyInt),
            "SMALLINT" => Some(DataType::SmallInt),
            "INT" | "INTEGER" => Some(DataType::Int),
            "BIGINT" => Some(DataType::BigInt),
            "LARGEINT" => Some(DataType::LargeInt),
            "FLOAT" => Some(DataType::Float),
            "DOUBLE" => Some(DataType::Double),
            "DATE" => Some(DataType::Date),
            "DATETIME" => Some(DataType::DateTime),
            "STRING" | "TEXT" => Some(DataType::String),
            _ => None,
        };
        if let Some(data_type) = fixed {
            self.skip();
            match data_type {
                // Display widths and fractional digits, which change nothing.
                DataType::TinyInt
                | DataType::SmallInt
                | DataType::Int
                | DataType::BigInt
                | DataType::LargeInt
                | DataType::DateTime => drop(self.type_arguments(1)?),
                DataType::Double => drop(self.eat(&["PRECISION"])),
                DataType::Boolean
                | DataType::Float
                | DataType::Decimal { .. }
                | DataType::Date
                | DataType::Char(_)
                | DataType::Varchar(_)
                | DataType::String
                | DataType::Varbinary(_) => {}
            }
            if self.is("UNSIGNED") {
                return Err(self
                    .unsupported("unsigned types are not supported")
                    .hint("use the next larger type, LARGEINT after BIGINT"));
            }
            return Ok(data_type);
        }
        let wrong = |message: String| SqlError::syntax(message, at.line, at.column);
        match word.as_str() {
            "DECIMAL" | "NUMERIC" | "DECIMALV2" | "DECIMALV3" | "DECIMAL128" => self.decimal(38),
            "DECIMAL32" => self.decimal(9),
            "DECIMAL64" => self.decimal(18),
            "CHAR" | "CHARACTER" => {
                self.skip();
                let length = self.length(1)?;
                if !(1..=CHAR_MAX).contains(&length) {
                    return Err(wrong(format!("CHAR is 1 to {CHAR_MAX} long, not {length}")));
                }
                Ok(DataType::Char(length))
            }
            "VARCHAR" => {
                self.skip();
                let length = self.length(VARCHAR_PLAIN)?;
                if !(1..=VARCHAR_MAX).contains(&length) {
                    return Err(wrong(format!("VARCHAR is 1 to {VARCHAR_MAX} long, not {length}")));
                }
                Ok(DataType::Varchar(length))
            }
            "VARBINARY" | "BINARY" => {
                self.skip();
                let length = self.length(VARCHAR_MAX)?;
                if !(1..=VARCHAR_MAX).contains(&length) {
                    return Err(wrong(format!("{word} is 1 to {VARCHAR_MAX} long, not {length}")));
                }
                Ok(DataType::Varbinary(length))
            }
            "TIMESTAMP" => Err(self.unsupported("the type TIMESTAMP is not supported").hint("use DATETIME")),
            "ARRAY" | "MAP" | "STRUCT" | "JSON" | "BITMAP" | "HLL" | "PERCENTILE" | "TIME" | "YEAR" | "ENUM"
            | "BLOB" | "BIT" | "VARIANT" | "MEDIUMINT" | "REAL" | "UUID" | "LONGTEXT" | "MEDIUMTEXT" | "TINYTEXT"
            | "LONGBLOB" => Err(self.unsupported(format!("the type {word} is not supported")).hint(SUPPORTED)),
            _ => Err(self.expected("a type").hint(SUPPORTED)),
        }
    }

    fn decimal(&mut self, digits_max: u8) -> Parsed<DataType> {
        let at = self.here();
        self.skip();
        let arguments = self.type_arguments(2)?;
        let precision = arguments.first().copied().unwrap_or(10.min(u32::from(digits_max)));
        let scale = arguments.get(1).copied().unwrap_or(0);
        match (u8::try_from(precision), u8::try_from(scale)) {
            (Ok(precision @ 1..), Ok(scale)) if precision <= digits_max && scale <= precision => {
                Ok(DataType::Decimal { precision, scale })
            }
            _ => Err(SqlError::syntax(
                format!(
                    "a decimal has 1 to {digits_max} digits, at most all of them after the point, not ({precision}, {scale})"
                ),
                at.line,
                at.column,
            )),
        }
    }

    fn length(&mut self, otherwise: u32) -> Parsed<u32> {
        Ok(self.type_arguments(1)?.first().copied().unwrap_or(otherwise))
    }

    /// `[(n, ..)]`, at most `most` numbers.
    fn type_arguments(&mut self, most: usize) -> Parsed<Vec<u32>> {
        if !self.is_token(&Token::LParen) {
            return Ok(Vec::new());
        }
        let at = self.here();
        let arguments = self.parens(|cursor| cursor.number("a type's argument"))?;
        if arguments.len() > most {
            return Err(SqlError::syntax(format!("the type takes at most {most} in parentheses"), at.line, at.column));
        }
        Ok(arguments)
    }
}
