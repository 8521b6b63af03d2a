use std::borrow::Cow;
use std::fmt::Write as _;

use super::{one, refusals};
use crate::sql::{Cell, InsertSource, Statement, ValueRows, parse_expression};

fn rows(text: &str) -> ValueRows {
    let Statement::Insert(insert) = one(text) else { panic!("{text}") };
    match insert.source {
        InsertSource::Values(rows) => rows,
        InsertSource::Query(_) => panic!("{text}"),
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

#[test]
fn every_kind_of_value() {
    let rows = rows(
        r#"insert into t values
           (null, DEFAULT, true, False, 0, -1.5e-3, +.5, 'it''s', "a\tb\\\%\'", '', X'00fF', 0xAB, b'01', N'x'),
           (NOW(), 1 + 1, - 1, (2), 'a' 'b', f(',', ")", (1)), d, `n)`, DATE '2024-01-01', x'0', CASE WHEN 1 THEN 2 END, 1, 2, 3)"#,
    );
    assert_eq!((rows.len(), rows.width()), (2, 14));
    let cells: Vec<Vec<Cell<'_>>> = rows.rows().map(Iterator::collect).collect();
    assert_eq!(
        cells[0],
        [
            Cell::Null,
            Cell::Default,
            Cell::Bool(true),
            Cell::Bool(false),
            Cell::Number("0"),
            Cell::Number("-1.5e-3"),
            Cell::Number(".5"),
            text("it's"),
            text("a\tb\\\\%'"),
            text(""),
            Cell::Bytes(vec![0, 255]),
            Cell::Bytes(vec![0xab]),
            Cell::Expression("b'01'"),
            Cell::Expression("N'x'"),
        ]
    );
    assert_eq!(
        cells[1],
        [
            Cell::Expression("NOW()"),
            Cell::Expression("1 + 1"),
            Cell::Expression("- 1"),
            Cell::Expression("(2)"),
            Cell::Expression("'a' 'b'"),
            Cell::Expression("f(',', \")\", (1))"),
            Cell::Expression("d"),
            Cell::Expression("`n)`"),
            Cell::Expression("DATE '2024-01-01'"),
            Cell::Expression("x'0'"),
            Cell::Expression("CASE WHEN 1 THEN 2 END"),
            Cell::Number("1"),
            Cell::Number("2"),
            Cell::Number("3"),
        ]
    );
    let third: Vec<_> = rows.column(2).collect();
    assert_eq!(third, [Cell::Bool(true), Cell::Expression("- 1")]);
    assert_eq!(rows.cell(1, 13), Some(Cell::Number("3")));
    assert_eq!(rows.cell(1, 14), None);
    assert_eq!(rows.cell(2, 0), None);
    assert_eq!(rows.column(14).count(), 0);
    for cell in cells.iter().flatten() {
        if let Cell::Expression(text) = cell {
            assert_eq!(parse_expression(text).map(|_| ()), Ok(()), "{text}");
        }
    }
}

#[test]
fn borrowed_text_is_not_copied() {
    let rows = rows("INSERT INTO t VALUES ('plain', 'es\\ncaped')");
    assert!(matches!(rows.cell(0, 0), Some(Cell::Text(Cow::Borrowed("plain")))));
    assert!(matches!(rows.cell(0, 1), Some(Cell::Text(Cow::Owned(_)))));
}

#[test]
fn comments_between_values() {
    let rows = rows(
        "/*!40000 INSERT /* in */ INTO t */ (a, b) -- columns\n VALUES # rows\n (1, /* ) */ 'x /* no */'),\n (2, '-- no')",
    );
    let cells: Vec<Vec<Cell<'_>>> = rows.rows().map(Iterator::collect).collect();
    assert_eq!(cells, [vec![Cell::Number("1"), text("x /* no */")], vec![Cell::Number("2"), text("-- no")]]);
}

#[test]
fn word_values_elsewhere_is_not_taken_for_the_rows() {
    assert_eq!(rows("INSERT INTO `values` VALUES (1)").len(), 1);
    assert_eq!(rows("INSERT INTO t (`values`) VALUES (1)").len(), 1);
    assert_eq!(rows("INSERT INTO t(a)VALUES(1)").len(), 1);
    assert_eq!(rows("insert into t values(1),(2),(3)").len(), 3);
}

#[test]
fn hundred_thousand_rows_stay_small() {
    let mut text = String::from("INSERT INTO t VALUES ");
    for n in 0..100_000 {
        let comma = if n == 0 { "" } else { "," };
        write!(text, "{comma}({n}, 'name {n}', {n}.25, NULL, NOW())").unwrap();
    }
    let rows = rows(&text);
    assert_eq!((rows.len(), rows.width()), (100_000, 5));
    assert_eq!(rows.cell(99_999, 1), Some(super::values::text("name 99999")));
    assert_eq!(format!("{rows:?}"), "ValueRows(100000 rows of 5)");
}

#[test]
fn what_rows_refuse() {
    snapshot!(refusals(&[
        "INSERT INTO t VALUES",
        "INSERT INTO t VALUES 1",
        "INSERT INTO t VALUES ()",
        "INSERT INTO t VALUES (1",
        "INSERT INTO t VALUES (1,",
        "INSERT INTO t VALUES (1,)",
        "INSERT INTO t VALUES (,1)",
        "INSERT INTO t VALUES (1) (2)",
        "INSERT INTO t VALUES (1),",
        "INSERT INTO t VALUES (1),\n  (2, 3)",
        "INSERT INTO t (a, b) VALUES (1, 2),\n(3)",
        "INSERT INTO t VALUES (1 2)",
        "INSERT INTO t VALUES ('a'\n, 1 +)",
        "INSERT INTO t VALUES (f(1)",
        "INSERT INTO t VALUES (f 1))",
        "INSERT INTO t VALUES ('a)",
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1",
        "INSERT INTO t VALUES (1) LIMIT 1",
        "INSERT INTO t VALUES (SELECT 1)",
    ]));
}
