use std::time::{Duration, Instant};

use sqlparser::dialect::{Dialect, MySqlDialect};

use super::{one, refused};
use crate::sql::SqlErrorKind;
use crate::sql::dialect::BoundedDialect;

/// How long a short text may take in the slowest build; without the limits these would take hours.
const PATIENCE: Duration = Duration::from_secs(10);

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let start = Instant::now();
    let result = f();
    assert!(start.elapsed() < PATIENCE, "{what} took {:?}", start.elapsed());
    result
}

#[test]
fn deep_nesting_is_refused_and_not_tried_for_ever() {
    for (open, close) in [
        ("(", ")"),
        ("NOT (", ")"),
        ("CAST(", ""),
        ("CAST(", " AS INT)"),
        ("POSITION(", " IN 'x')"),
        ("SUBSTRING(", ")"),
        ("INTERVAL ", ""),
        ("INTERVAL(", ")"),
        ("OVERLAY(", ")"),
        ("ARRAY[", "]"),
        ("CONVERT(", ", INT)"),
        ("EXISTS (SELECT ", ")"),
        ("CASE WHEN ", " END"),
        ("f(", ")"),
        ("- ", ""),
        ("(SELECT ", ")"),
        ("1 IN (", ")"),
    ] {
        for depth in [10, 20, 30, 60, 200, 20_000] {
            let nested = format!("{}?!{}", open.repeat(depth), close.repeat(depth));
            for text in [
                format!("SELECT {nested}"),
                format!("SELECT * FROM {nested}"),
                format!("INSERT INTO t VALUES ({nested})"),
                format!("SHOW TABLES WHERE {nested}"),
                format!("SET a = {nested}"),
            ] {
                timed(text.get(..40).unwrap_or(&text), || refused(&text));
            }
        }
    }
}

#[test]
fn fair_nesting_is_taken() {
    let nested = format!("SELECT {}1{}", "(".repeat(20), ")".repeat(20));
    one(&nested);
    one(&format!("SELECT {}1{}", "f(".repeat(15), ")".repeat(15)));
    one(&format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(10), ") AS x".repeat(10)));
    one(&format!("SELECT {}1{}", "CASE WHEN a THEN ".repeat(12), " END".repeat(12)));
}

#[test]
fn long_chains_are_refused_before_they_overflow_a_stack() {
    for between in [" OR ", " + ", "||", " AND NOT ", " = "] {
        let chain = |n: usize| format!("SELECT {}", vec!["a"; n].join(between));
        let error = timed("chain", || refused(&chain(100_000)));
        assert_eq!(error.kind, SqlErrorKind::Unsupported, "{error}");
        assert!(error.message.contains("more than 2000 operators"), "{error}");
        one(&chain(1_000));
    }
    let unions = |n: usize| vec!["SELECT 1"; n].join(" UNION ALL ");
    assert_eq!(refused(&unions(1_000)).kind, SqlErrorKind::Unsupported);
    one(&unions(200));
}

#[test]
fn long_lists_are_taken() {
    let list = vec!["12345"; 50_000].join(",");
    timed("list", || one(&format!("SELECT a IN ({list})")));
    timed("list", || one(&format!("SELECT f({list})")));
    let objects = vec!["t PARTITION (p, q)"; 10_000].join(",");
    timed("list", || one(&format!("BACKUP SNAPSHOT l TO r ON ({objects})")));
}

#[test]
fn statements_beyond_a_megabyte_are_refused() {
    let error = refused(&format!("SELECT '{}'", "x".repeat(2 << 20)));
    assert_eq!(error.kind, SqlErrorKind::Unsupported);
    let rows = vec!["('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')"; 100_000].join(",");
    one(&format!("INSERT INTO t VALUES {rows}"));
}

/// Every method that answers yes or no for a dialect, in this version of `sqlparser`.
macro_rules! same {
    ($bounded:expr, $mysql:expr; $($method:ident)*) => {
        $(assert_eq!($bounded.$method(), $mysql.$method(), stringify!($method));)*
    };
}

#[test]
fn bounded_dialect_is_the_dialect_of_mysql() {
    let lock = include_str!("../../../../Cargo.lock");
    assert!(
        lock.contains("name = \"sqlparser\"\nversion = \"0.62.0\""),
        "sqlparser is another version: compare the methods that MySqlDialect overrides with those of BoundedDialect, and the lists here"
    );
    let (bounded, mysql) = (BoundedDialect::new(1), MySqlDialect {});
    assert!((&bounded as &dyn Dialect).is::<MySqlDialect>());
    for c in ('\0'..='\u{ff}').chain(['é', '中', '\u{10000}']) {
        assert_eq!(bounded.is_identifier_start(c), mysql.is_identifier_start(c));
        assert_eq!(bounded.is_identifier_part(c), mysql.is_identifier_part(c));
        assert_eq!(bounded.is_delimited_identifier_start(c), mysql.is_delimited_identifier_start(c));
    }
    same!(bounded, mysql;
        allow_extract_custom
        allow_extract_single_quotes
        convert_type_before_value
        describe_requires_table_keyword
        ignores_wildcard_escapes
        require_interval_qualifier
        requires_single_line_comment_whitespace
        support_map_literal_syntax
        supports_alter_column_type_using
        supports_array_join_syntax
        supports_array_typedef_with_brackets
        supports_array_typedef_without_element_type
        supports_asc_desc_in_column_definition
        supports_bang_not_operator
        supports_binary_kw_as_cast
        supports_bitwise_shift_operators
        supports_boolean_literals
        supports_column_definition_trailing_commas
        supports_comma_separated_drop_column_list
        supports_comma_separated_set_assignments
        supports_comma_separated_trim
        supports_comment_on
        supports_comment_optimizer_hint
        supports_connect_by
        supports_constraint_keyword_without_name
        supports_create_index_with_clause
        supports_create_table_like_parenthesized
        supports_create_table_multi_schema_info_sources
        supports_create_table_select
        supports_create_table_using
        supports_create_view_comment_syntax
        supports_cross_join_constraint
        supports_cte_without_as
        supports_data_type_signed_suffix
        supports_detach
        supports_dictionary_syntax
        supports_dollar_as_money_prefix
        supports_dollar_placeholder
        supports_double_ampersand_operator
        supports_empty_projections
        supports_end_transaction_modifier
        supports_eq_alias_assignment
        supports_execute_immediate
        supports_explain_with_utility_options
        supports_extract_comma_syntax
        supports_factorial_operator
        supports_filter_during_aggregation
        supports_from_first_insert
        supports_from_first_select
        supports_from_trailing_commas
        supports_geometric_types
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_in_empty_list
        supports_insert_format
        supports_insert_set
        supports_insert_table_alias
        supports_insert_table_function
        supports_insert_table_query
        supports_install
        supports_interpolate
        supports_interval_options
        supports_key_column_option
        supports_lambda_functions
        supports_left_associative_joins_without_parens
        supports_limit_by
        supports_limit_comma
        supports_listen_notify
        supports_load_data
        supports_load_extension
        supports_long_type_as_bigint
        supports_map_literal_with_angle_brackets
        supports_match_against
        supports_match_recognize
        supports_multiline_comment_hints
        supports_named_fn_args_with_assignment_operator
        supports_named_fn_args_with_colon_operator
        supports_named_fn_args_with_eq_operator
        supports_named_fn_args_with_expr_name
        supports_named_fn_args_with_rarrow_operator
        supports_nested_comments
        supports_notnull_operator
        supports_numeric_literal_underscores
        supports_numeric_prefix
        supports_object_name_double_dot_notation
        supports_optimize_table
        supports_order_by_all
        supports_outer_join_operator
        supports_parens_around_table_factor
        supports_parenthesized_set_variables
        supports_partiql
        supports_partition_by_after_order_by
        supports_pipe_operator
        supports_prewhere
        supports_projection_trailing_commas
        supports_quote_delimited_string
        supports_select_exclude
        supports_select_expr_star
        supports_select_format
        supports_select_item_multi_column_alias
        supports_select_modifiers
        supports_select_wildcard_except
        supports_select_wildcard_exclude
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_select_wildcard_replace
        supports_select_wildcard_with_alias
        supports_semantic_view_table_factor
        supports_set_names
        supports_set_stmt_without_operator
        supports_settings
        supports_show_like_before_in
        supports_space_separated_column_options
        supports_start_transaction_modifier
        supports_string_escape_constant
        supports_string_literal_backslash_escape
        supports_string_literal_concatenation
        supports_string_literal_concatenation_with_newline
        supports_struct_literal
        supports_subquery_as_function_arg
        supports_table_hints
        supports_table_sample_before_alias
        supports_table_versioning
        supports_top_before_distinct
        supports_trailing_commas
        supports_triple_quoted_string
        supports_try_convert
        supports_unicode_string_literal
        supports_update_order_by
        supports_user_host_grantee
        supports_values_as_table_factor
        supports_window_clause_named_window_reference
        supports_window_function_null_treatment_arg
        supports_with_fill
        supports_within_after_array_aggregation
        supports_xml_expressions
    );
}

#[test]
fn many_different_expressions_in_rows_take_no_longer_than_their_number() {
    let rows: Vec<String> = (0..20_000).map(|n| format!("({n} + 1, 'é')")).collect();
    timed("rows", || one(&format!("INSERT INTO t VALUES {}", rows.join(",\n"))));
}

#[test]
fn many_different_names_take_no_longer_than_their_number() {
    let names: Vec<String> = (0..100_000).map(|n| format!("n{n}")).collect();
    let names = names.join(",");
    timed("names", || one(&format!("TRUNCATE TABLE t PARTITION ({names})")));
    timed("gaps", || one(&format!("BACKUP{0}SNAPSHOT{0}l{0}TO{0}r", " ".repeat(200_000))));
}

#[test]
fn reserved_words_are_in_order() {
    assert!(crate::sql::names::RESERVED.is_sorted());
}
