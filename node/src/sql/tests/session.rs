use sqlparser::ast;

use super::{meanings, one, refusals};
use crate::sql::{ExplainMode, Filter, Insert, InsertSource, Properties, Show, Statement, files};

#[test]
fn what_queries_mean() {
    snapshot!(meanings(&[
        "SELECT 1",
        "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 2, 3",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a JOIN d.t USING (x) WHERE a.x > 0 GROUP BY 1 HAVING count(*) > 1",
        "VALUES ROW(1, 'a'), ROW(2, 'b')",
        "TABLE t",
        "SELECT @@version_comment LIMIT 1",
        "SELECT @@session.auto_increment_increment AS a, @@max_allowed_packet",
        "SELECT DATABASE(), USER() LIMIT 1",
        "select `a``b`, \"str\", 'it''s', x'00ff' from `t` where a <=> null and b div 2 = 1 and c like 'x\\_%'",
        "SELECT /*+ SET_VAR(query_timeout = 1) */ a /* note */ FROM t -- end",
        "SELECT a FROM t PARTITION (p1) AS x",
        "SELECT sum(a) OVER (PARTITION BY b ORDER BY c) FROM t",
        "SELECT * FROM FILES(\"path\" = \"file:///x\", 'format' = 'csv')",
        "SELECT CASE WHEN a THEN b ELSE c END, CAST(a AS DECIMAL(10, 2)), INTERVAL 1 DAY + d FROM t",
    ]));
}

#[test]
fn what_is_no_statement() {
    snapshot!(refusals(&[
        "SELEC 1",
        "SLECT 1",
        "BAKCUP SNAPSHOT l TO r",
        "INSERTT INTO t VALUES (1)",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "REPLACE INTO t VALUES (1)",
        "LOCK TABLES t WRITE",
        "nonsense",
        "1",
        "'SELECT 1'",
        ")",
        "SELECT",
        "SELECT FROM",
        "SELECT 1 FROM t WHERE",
        "SELECT a b c FROM t",
        "SELECT 1 +",
        "SELECT (1",
        "SELECT 'a",
        "SELECT `a",
        "SELECT \"a\n\nb",
        "SELECT 1 /* never ends",
        "SELECT 1 /*!40101 never ends",
        "WITH a AS (SELECT 1) DELETE FROM t WHERE a = 1",
        "EXPLAIN",
        "EXPLAIN ANALYZE",
        "EXPLAIN DROP TABLE t",
        "USE",
        "USE 'd'",
        "USE d e",
    ]));
}

#[test]
fn what_changes_of_rows_mean() {
    snapshot!(meanings(&[
        "INSERT INTO t VALUES (1, 'a')",
        "INSERT INTO TABLE d.t PARTITION (p, q) WITH LABEL `l-1` (a, b) VALUES (1, 2), (3, 4)",
        "INSERT INTO t (a) WITH LABEL l PROPERTIES ('strict_mode' = 'true') VALUES (1)",
        "UPDATE t SET a = 1 WHERE b = 2",
        "UPDATE d.t AS x SET x.a = x.a + 1, b = DEFAULT WHERE x.c IN (SELECT 1)",
        "DELETE FROM t WHERE a = 1",
        "DELETE FROM d.t x PARTITION (p) WHERE x.a BETWEEN 1 AND 2 OR b IS NULL",
        "DELETE FROM t PARTITION p WHERE TRUE",
    ]));
}

#[test]
fn rows_from_queries() {
    let query = |text: &str| -> (Insert, String) {
        let Statement::Insert(insert) = one(text) else { panic!("{text}") };
        let InsertSource::Query(query) = &insert.source else { panic!("{text}") };
        let text = query.to_string();
        (*insert, text)
    };
    let (insert, text) = query("INSERT INTO t (a, b) SELECT a, b FROM u WHERE c IN (VALUES ROW(1))");
    assert_eq!(insert.columns, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(text, "SELECT a, b FROM u WHERE c IN (VALUES ROW(1))");
    let (insert, text) = query("INSERT INTO t (SELECT 1)");
    assert_eq!((insert.columns, text.as_str()), (None, "(SELECT 1)"));
    let (insert, _) = query("INSERT INTO t WITH label AS (SELECT 1) SELECT * FROM label");
    assert_eq!(insert.label, None);
    let (insert, _) = query("INSERT INTO t WITH LABEL x WITH y AS (SELECT 1) SELECT * FROM y");
    assert_eq!(insert.label.as_deref(), Some("x"));
    let (_, text) = query("INSERT INTO t SELECT 1 UNION ALL VALUES ROW(2)");
    assert_eq!(text, "SELECT 1 UNION ALL VALUES ROW(2)");
}

#[test]
fn files_are_found_in_a_query() {
    let Statement::Insert(insert) =
        one("INSERT INTO t SELECT $1 FROM files('path' = 'file:///a/*.csv', \"format\" = 'csv') AS f JOIN u")
    else {
        panic!("not an insert")
    };
    let InsertSource::Query(query) = insert.source else { panic!("not a query") };
    let ast::SetExpr::Select(select) = *query.body else { panic!("not a select") };
    let relation = &select.from[0].relation;
    let expected: Properties =
        [("format", "csv"), ("path", "file:///a/*.csv")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(files(relation), Some(Ok(expected)));
    assert_eq!(files(&select.from[0].joins[0].relation), None);

    let wrong = |text: &str| {
        let Statement::Query(query) = one(text) else { panic!("not a query") };
        let ast::Statement::Query(query) = *query else { panic!("not a query") };
        let ast::SetExpr::Select(select) = *query.body else { panic!("not a select") };
        files(&select.from[0].relation).unwrap().unwrap_err().to_string()
    };
    snapshot!(
        [
            "SELECT * FROM FILES()",
            "SELECT * FROM FILES('x')",
            "SELECT * FROM FILES('path' = 1)",
            "SELECT * FROM FILES(path = 'x')",
            "SELECT * FROM FILES('path' = 'x', 'path' = 'y')",
        ]
        .map(wrong)
        .join("\n")
    );
}

#[test]
fn what_changes_of_rows_refuse() {
    snapshot!(refusals(&[
        "INSERT",
        "INSERT INTO",
        "INSERT INTO t",
        "INSERT INTO t (a)",
        "INSERT t VALUES (1)",
        "INSERT INTO t ()",
        "INSERT INTO t (a, A) VALUES (1, 2)",
        "INSERT INTO t (a b) VALUES (1)",
        "INSERT INTO t SET a = 1",
        "INSERT INTO t VALUE (1)",
        "INSERT INTO t WITH LABEL `a/b` VALUES (1)",
        "INSERT INTO t PARTITION () VALUES (1)",
        "INSERT OVERWRITE t SELECT 1",
        "INSERT IGNORE INTO t VALUES (1)",
        "INSERT INTO FILES('path' = 'x') SELECT 1",
        "INSERT INTO t x VALUES (1)",
        "INSERT INTO t SELECT 1 FROM",
        "UPDATE t SET a = 1",
        "UPDATE t SET a = 1, A = 2 WHERE TRUE",
        "UPDATE t SET u.a = 1 WHERE TRUE",
        "UPDATE t SET a WHERE TRUE",
        "UPDATE t SET a = WHERE TRUE",
        "UPDATE t a = 1",
        "UPDATE t SET a = 1 WHERE TRUE LIMIT 1",
        "DELETE t WHERE a = 1",
        "DELETE FROM t",
        "DELETE FROM t WHERE a = 1 ORDER BY a",
        "DELETE FROM t WHERE",
    ]));
}

#[test]
fn what_show_means() {
    snapshot!(meanings(&[
        "SHOW DATABASES",
        "SHOW SCHEMAS LIKE 'a\\_%'",
        "SHOW DATABASES WHERE `Database` = 'x'",
        "SHOW TABLES",
        "SHOW FULL TABLES FROM `d` LIKE '%'",
        "SHOW FULL TABLES FROM d WHERE Table_type != 'VIEW'",
        "SHOW TABLE STATUS FROM d LIKE 't'",
        "SHOW COLUMNS FROM t",
        "SHOW FULL COLUMNS FROM `t` FROM `d`",
        "SHOW FULL FIELDS IN d.t LIKE 'a%'",
        "SHOW INDEX FROM t FROM d",
        "SHOW KEYS IN d.t",
        "SHOW PARTITIONS FROM d.t WHERE PartitionName = 'p'",
        "SHOW CREATE TABLE d.t",
        "SHOW CREATE DATABASE d",
        "SHOW LOAD FROM d WHERE label = 'x'",
        "SHOW VARIABLES",
        "SHOW SESSION VARIABLES LIKE 'sql_mode'",
        "SHOW GLOBAL VARIABLES WHERE Variable_name = 'a' OR Variable_name = 'b'",
        "SHOW STATUS",
        "SHOW GLOBAL STATUS LIKE 'Ssl%'",
        "SHOW WARNINGS",
        "SHOW WARNINGS LIMIT 0, 10",
        "SHOW ERRORS",
        "SHOW COUNT(*) WARNINGS",
        "SHOW COUNT(*) ERRORS",
        "SHOW ENGINES",
        "SHOW STORAGE ENGINES",
        "SHOW COLLATION WHERE Charset = 'utf8mb4'",
        "SHOW CHARACTER SET LIKE 'utf8%'",
        "SHOW CHARSET",
        "SHOW PROCESSLIST",
        "SHOW FULL PROCESSLIST",
        "SHOW GRANTS",
        "SHOW GRANTS FOR CURRENT_USER()",
        "SHOW GRANTS FOR 'root'@'%'",
        "SHOW GRANTS FOR root@localhost",
        "SHOW PLUGINS",
        "SHOW PRIVILEGES",
        "SHOW TRIGGERS FROM d LIKE 't'",
        "SHOW EVENTS",
        "SHOW PROCEDURE STATUS WHERE Db = 'd'",
        "SHOW FUNCTION STATUS LIKE 'x'",
        "SHOW CATALOGS",
        "SHOW BACKENDS",
        "SHOW FRONTENDS",
    ]));
}

#[test]
fn what_show_refuses() {
    snapshot!(refusals(&[
        "SHOW",
        "SHOW NOTHING",
        "SHOW FULL",
        "SHOW FULL DATABASES",
        "SHOW 'TABLES'",
        "SHOW TABLES FROM",
        "SHOW TABLES LIKE x",
        "SHOW TABLES LIKE 'a' WHERE b",
        "SHOW TABLE",
        "SHOW COLUMNS",
        "SHOW COLUMNS FROM d.t FROM d",
        "SHOW CREATE VIEW v",
        "SHOW GLOBAL TABLES",
        "SHOW PARTITIONS t",
        "SHOW COUNT(1) WARNINGS",
    ]));
}

#[test]
fn what_session_statements_mean() {
    snapshot!(meanings(&[
        "SET NAMES utf8mb4",
        "SET NAMES 'utf8' COLLATE 'utf8_General_ci'",
        "SET NAMES DEFAULT",
        "SET CHARACTER SET utf8",
        "SET CHARSET DEFAULT",
        "SET autocommit=1",
        "SET AUTOCOMMIT = ON",
        "SET @@session.autocommit = OFF",
        "SET @@sql_mode := 'STRICT_TRANS_TABLES'",
        "SET SESSION sql_select_limit = DEFAULT, GLOBAL x = -1.5, @a = NULL",
        "SET character_set_results = NULL",
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT')",
        "SET @Old := @@unique_checks, unique_checks = 0",
        "SET @@GLOBAL.Wait_Timeout = 100",
        "SET session = 1",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION",
        "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT",
        "BEGIN",
        "BEGIN WORK",
        "COMMIT",
        "COMMIT AND NO CHAIN NO RELEASE",
        "ROLLBACK WORK",
        "KILL 5",
        "KILL QUERY 5",
        "KILL CONNECTION '7'",
        "EXPLAIN DELETE FROM t WHERE a = 1",
        "DESC INSERT INTO t VALUES (1)",
        "EXPLAIN VERBOSE UPDATE t SET a = 1 WHERE TRUE",
    ]));
    let Statement::Explain(explain) = one("EXPLAIN ANALYZE SELECT 1") else { panic!("not explain") };
    assert_eq!(explain.mode, ExplainMode::Analyze);
}

#[test]
fn what_session_statements_refuse() {
    snapshot!(refusals(&[
        "SET",
        "SET x",
        "SET x =",
        "SET x = 1,",
        "SET 'x' = 1",
        "SET ROLE all",
        "SET @@ = 1",
        "SET SESSION @@x = 1",
        "SET NAMES",
        "SET TRANSACTION ISOLATION LEVEL CHAOS",
        "START",
        "START SLAVE",
        "ROLLBACK TO SAVEPOINT a",
        "COMMIT AND CHAIN",
        "KILL",
        "KILL x",
        "KILL 'x'",
        "KILL -1",
    ]));
}

#[test]
fn filter_of_show_is_an_expression() {
    let Statement::Show(show) = one("SHOW VARIABLES WHERE Variable_name IN ('a', 'b')") else { panic!("not show") };
    let Show::Variables { filter: Some(Filter::Where(filter)), .. } = *show else { panic!("no filter") };
    assert_eq!(filter.to_string(), "Variable_name IN ('a', 'b')");
}
