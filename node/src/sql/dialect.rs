//! MySQL's dialect with a limit on work.
//!
//! `sqlparser` tries one reading of a text, and when that fails another from the same place. Nested, each level doubles the
//! work: some forty nested CASTs around a mistake would keep it busy for longer than anyone waits. And it builds `a + b + c ..`
//! as a tree as deep as the chain is long, which later overflows the stack of whoever walks it. Both are bounded here, in
//! hooks that every expression passes through.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{Expr, Statement};
use sqlparser::dialect::{Dialect, MySqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

/// How deep expressions and queries may nest.
pub(super) const DEPTH_MAX: usize = 64;

/// How many operators the expressions of one statement may have between them, and so how deep their trees can be. The query
/// engine needs some 5 KiB of stack for each level while it plans: `PLANNING_STACK_BYTES` is enough for the deepest.
pub(super) const OPERATORS_MAX: u32 = 2_000;

/// The stack that a thread needs which plans queries that this front end has let through.
pub const PLANNING_STACK_BYTES: usize = 16 << 20;

/// Steps that each token may cost on average; well-formed text needs about three.
const STEPS_PER_TOKEN: u64 = 8;

/// Steps that even a short statement may cost.
const STEPS_MIN: u64 = 20_000;

/// Which limit ended the parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Steps,
    Operators,
}

/// MySQL's dialect, for one statement.
#[derive(Debug)]
pub(super) struct BoundedDialect {
    mysql: MySqlDialect,
    steps_left: Cell<u64>,
    operators_left: Cell<u32>,
    exceeded: Cell<Option<Exceeded>>,
}

impl BoundedDialect {
    /// A dialect for a statement of so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        let tokens = u64::try_from(tokens).unwrap_or(u64::MAX);
        Self {
            mysql: MySqlDialect {},
            steps_left: Cell::new(tokens.saturating_mul(STEPS_PER_TOKEN).max(STEPS_MIN)),
            operators_left: Cell::new(OPERATORS_MAX),
            exceeded: Cell::new(None),
        }
    }

    /// The limit that was exceeded, if one was.
    pub(super) fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded.get()
    }

    /// Takes one step; the one error that `sqlparser` never retries when there is none left.
    fn step(&self) -> Result<(), ParserError> {
        match self.steps_left.get().checked_sub(1) {
            Some(left) => {
                self.steps_left.set(left);
                Ok(())
            }
            None => Err(self.exceed(Exceeded::Steps)),
        }
    }

    fn exceed(&self, exceeded: Exceeded) -> ParserError {
        self.exceeded.set(Some(exceeded));
        ParserError::RecursionLimitExceeded
    }
}

/// Hands each listed method on to MySQL's dialect.
macro_rules! as_mysql {
    ($($method:ident)*) => {
        $(fn $method(&self) -> bool {
            self.mysql.$method()
        })*
    };
}

impl Dialect for BoundedDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<MySqlDialect>()
    }

    fn parse_prefix(&self, _parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.step().err().map(Err)
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        match self.operators_left.get().checked_sub(1) {
            Some(left) => self.operators_left.set(left),
            None => return Some(Err(self.exceed(Exceeded::Operators))),
        }
        self.mysql.parse_infix(parser, expr, precedence)
    }

    fn get_next_precedence(&self, _parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        self.step().err().map(Err)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.mysql.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.mysql.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.mysql.is_delimited_identifier_start(ch)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.mysql.identifier_quote_style(identifier)
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        self.mysql.parse_statement(parser)
    }

    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser<'_>) -> bool {
        self.mysql.is_table_factor_alias(explicit, kw, parser)
    }

    // Every method that MySQL's dialect overrides; a test holds this list against the version in use.
    as_mysql! {
        supports_string_literal_backslash_escape
        supports_string_literal_concatenation
        ignores_wildcard_escapes
        supports_numeric_prefix
        supports_bitwise_shift_operators
        supports_multiline_comment_hints
        require_interval_qualifier
        supports_limit_comma
        supports_create_table_select
        supports_insert_set
        supports_user_host_grantee
        supports_table_hints
        requires_single_line_comment_whitespace
        supports_match_against
        supports_select_modifiers
        supports_set_names
        supports_comma_separated_set_assignments
        supports_update_order_by
        supports_data_type_signed_suffix
        supports_cross_join_constraint
        supports_double_ampersand_operator
        supports_binary_kw_as_cast
        supports_comment_optimizer_hint
        supports_constraint_keyword_without_name
        supports_key_column_option
    }
}
