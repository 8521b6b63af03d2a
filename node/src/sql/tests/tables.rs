use super::{meanings, one, refusals};
use crate::sql::{
    BoundValue, DataType, Distribution, IntervalUnit, KeyModel, PartitionBy, PartitionItem, RangeBounds, SeriesStep,
    Statement,
};

#[test]
fn table_in_full_form() {
    let Statement::CreateTable(table) = one(r#"CREATE TABLE IF NOT EXISTS example_db.orders (
             o_id BIGINT NOT NULL COMMENT "the order's number",
             o_date DATE NOT NULL,
             o_total DECIMAL(15, 2) NULL DEFAULT "0.00",
             o_note VARCHAR(80) DEFAULT NULL,
             o_at DATETIME DEFAULT CURRENT_TIMESTAMP,
             o_big LARGEINT,
             o_raw VARBINARY
           )
           ENGINE = olap
           PRIMARY KEY (o_id, o_date)
           COMMENT "all ""orders"""
           PARTITION BY RANGE (o_date) (
             PARTITION p0 VALUES LESS THAN ("2023-01-01"),
             PARTITION p1 VALUES [("2023-01-01"), ("2023-02-01")) ("replication_num" = "1"),
             START ("2023-02-01") END ("2024-01-01") EVERY (INTERVAL 1 MONTH),
             PARTITION rest VALUES LESS THAN (MAXVALUE)
           )
           DISTRIBUTED BY HASH (o_id) BUCKETS 8
           ORDER BY (o_date, o_id)
           PROPERTIES ("replication_num" = "1")"#)
    else {
        panic!("not a table")
    };
    assert!(table.if_not_exists);
    assert_eq!(table.name.database.as_deref(), Some("example_db"));
    let types: Vec<_> = table.columns.iter().map(|c| c.data_type).collect();
    assert_eq!(
        types,
        [
            DataType::BigInt,
            DataType::Date,
            DataType::Decimal { precision: 15, scale: 2 },
            DataType::Varchar(80),
            DataType::DateTime,
            DataType::LargeInt,
            DataType::Varbinary(1_048_576),
        ]
    );
    assert_eq!(table.keys.as_ref().unwrap().model, KeyModel::Primary);
    assert_eq!(table.comment.as_deref(), Some("all \"orders\""));
    let Some(PartitionBy::Range { partitions, .. }) = &table.partition_by else { panic!("not by range") };
    let [
        PartitionItem::One(first),
        PartitionItem::One(second),
        PartitionItem::Series(series),
        PartitionItem::One(last),
    ] = partitions.as_slice()
    else {
        panic!("{partitions:?}")
    };
    assert_eq!(first.bounds, RangeBounds::LessThan(vec![BoundValue::Value("2023-01-01".to_owned())]));
    assert_eq!(second.properties["replication_num"], "1");
    assert_eq!(series.step, SeriesStep::Interval { count: 1, unit: IntervalUnit::Month });
    assert_eq!(last.bounds, RangeBounds::LessThanMax);
    assert_eq!(table.distribution, Some(Distribution::Hash { columns: vec!["o_id".to_owned()], buckets: Some(8) }));
    assert_eq!(table.order_by, ["o_date", "o_id"]);
}

#[test]
fn table_is_shown_as_it_can_be_written() {
    let Statement::CreateTable(table) =
        one("create table d.t (k int not null, `odd ``name` char(3) default 'a\"b\\\\' comment 'x', s bigint sum)")
    else {
        panic!("not a table")
    };
    snapshot!(table.to_string());
    let Statement::CreateTable(table) =
        one("create table t (a int, b date, c string) unique key (a) comment 'c' partition by list (a, c) \
         (partition p values in ((1, 'x'), (2, null)), partition if not exists q values in ((3, '')) ('k'='v')) \
         distributed by random buckets 3 order by (a) properties ('x'='y', 'a'='b')")
    else {
        panic!("not a table")
    };
    snapshot!(table.to_string());
}

#[test]
fn what_databases_and_tables_mean() {
    snapshot!(meanings(&[
        "CREATE DATABASE d",
        "create schema if not exists `d-1`",
        "DROP DATABASE d",
        "DROP DATABASE IF EXISTS d FORCE",
        "ALTER DATABASE d RENAME e",
        "USE d",
        "USE `select`",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t (a TINYINT(4), b SMALLINT, c INTEGER, d BOOL, e FLOAT, f DOUBLE PRECISION)",
        "CREATE TABLE t (a DECIMAL, b DECIMAL(5), c NUMERIC(38,38), d DECIMAL32(9,1), e DECIMAL64, f DECIMAL128(38,0))",
        "CREATE TABLE t (a CHAR, b CHAR(255), c VARCHAR, d VARCHAR(1048576), e STRING, f TEXT, g BINARY(16))",
        "CREATE TABLE t (a INT KEY, b INT SUM DEFAULT '0', c INT REPLACE_IF_NOT_NULL)",
        "CREATE TABLE t (a INT DEFAULT 5, b INT DEFAULT -5, c DOUBLE DEFAULT 1.5e3, d BOOLEAN DEFAULT TRUE, e INT DEFAULT NULL, f DATETIME DEFAULT NOW())",
        "CREATE TABLE t (date DATE, text TEXT, status INT, user STRING, comment STRING COMMENT 'c')",
        "CREATE TABLE t (a INT) AGGREGATE KEY (a) DISTRIBUTED BY RANDOM",
        "CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a)",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) ()",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a)",
        "CREATE TABLE t (a INT, b INT) PARTITION BY RANGE (a, b) (PARTITION p VALUES LESS THAN (1), PARTITION q VALUES LESS THAN (-2, MAXVALUE))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN MAXVALUE)",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (START ('1') END (9) EVERY (2))",
        "CREATE TABLE t (a DATE) PARTITION BY RANGE (a) (PARTITION p VALUES [(DATE '2024-01-01'), (MAXVALUE)))",
        "CREATE TABLE t (a STRING) PARTITION BY LIST (a) (PARTITION p VALUES IN ('x', \"y\", NULL))",
        "CREATE TABLE t LIKE d.u",
        "DROP TABLE t",
        "DROP TABLE IF EXISTS d.t FORCE",
        "TRUNCATE TABLE t",
        "TRUNCATE TABLE d.t PARTITION (p, q)",
        "TRUNCATE TABLE t PARTITION p",
        "DESC t",
        "DESCRIBE d.t c",
        "EXPLAIN t",
    ]));
}

#[test]
fn table_from_a_query() {
    let Statement::CreateTableAs(table) =
        one("CREATE TABLE t (a, b) COMMENT 'c' DISTRIBUTED BY HASH (a) PROPERTIES ('k'='v') AS (SELECT 1, 2)")
    else {
        panic!("not from a query")
    };
    assert_eq!(table.columns, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(table.query.to_string(), "(SELECT 1, 2)");
    assert!(matches!(one("CREATE TABLE t SELECT 1"), Statement::CreateTableAs(_)));
    assert!(matches!(
        one("CREATE TABLE t DISTRIBUTED BY RANDOM AS WITH x AS (SELECT 1) SELECT * FROM x"),
        Statement::CreateTableAs(_)
    ));
}

#[test]
fn what_alter_table_means() {
    snapshot!(meanings(&[
        "ALTER TABLE t ADD PARTITION p VALUES LESS THAN ('2024-01-01')",
        "ALTER TABLE d.t ADD PARTITION IF NOT EXISTS p VALUES [('a'), ('b')) ('k'='v') DISTRIBUTED BY HASH (c) BUCKETS 3",
        "ALTER TABLE t ADD PARTITIONS START ('2024-01-01') END ('2025-01-01') EVERY (INTERVAL 2 WEEKS)",
        "ALTER TABLE t ADD PARTITION p VALUES IN ('a', 'b')",
        "ALTER TABLE t ADD PARTITION p VALUES IN (('a', 1), ('b', 2))",
        "ALTER TABLE t DROP PARTITION p",
        "ALTER TABLE t DROP PARTITION IF EXISTS p FORCE",
        "ALTER TABLE t DROP PARTITIONS (p, q)",
        "ALTER TABLE t RENAME u",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE t RENAME PARTITION p q",
        "ALTER TABLE t SET ('k' = 'v')",
        "ALTER TABLE t COMMENT = 'c'",
    ]));
}

#[test]
fn what_tables_refuse() {
    snapshot!(refusals(&[
        "CREATE",
        "CREATE DATABASE",
        "CREATE DATABASE 'd'",
        "CREATE DATABASE 1d",
        "CREATE DATABASE a.b",
        "CREATE DATABASE d CHARSET utf8",
        "DROP DATABASE d CASCADE",
        "ALTER DATABASE d RENAME `a b`",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TEMPORARY TABLE t (a INT)",
        "CREATE TABLE",
        "CREATE TABLE t",
        "CREATE TABLE t ()",
        "CREATE TABLE t (a)",
        "CREATE TABLE t (a INT,)",
        "CREATE TABLE t (a INT",
        "CREATE TABLE t (a INT, A INT)",
        "CREATE TABLE t ('a' INT)",
        "CREATE TABLE t (order INT)",
        "CREATE TABLE t (a@b INT)",
        "CREATE TABLE a.b.c (a INT)",
        "CREATE TABLE t (a INTT)",
        "CREATE TABLE t (a INT UNSIGNED)",
        "CREATE TABLE t (a ARRAY<INT>)",
        "CREATE TABLE t (a JSON)",
        "CREATE TABLE t (a TIMESTAMP)",
        "CREATE TABLE t (a DECIMAL(39, 2))",
        "CREATE TABLE t (a DECIMAL(5, 6))",
        "CREATE TABLE t (a DECIMAL32(10))",
        "CREATE TABLE t (a DECIMAL(1, 2, 3))",
        "CREATE TABLE t (a CHAR(256))",
        "CREATE TABLE t (a VARCHAR(0))",
        "CREATE TABLE t (a VARCHAR(-1))",
        "CREATE TABLE t (a VARCHAR(99999999999))",
        "CREATE TABLE t (a INT NULL NOT NULL)",
        "CREATE TABLE t (a INT DEFAULT 1 DEFAULT 2)",
        "CREATE TABLE t (a INT DEFAULT)",
        "CREATE TABLE t (a STRING DEFAULT (uuid()))",
        "CREATE TABLE t (a STRING DEFAULT uuid())",
        "CREATE TABLE t (a BIGINT AUTO_INCREMENT)",
        "CREATE TABLE t (a BIGINT NOT NULL AUTO_INCREMENT)",
        "CREATE TABLE t (a INT PRIMARY KEY)",
        "CREATE TABLE t (a INT, PRIMARY KEY (a))",
        "CREATE TABLE t (a INT, INDEX i (a) USING BITMAP)",
        "CREATE TABLE t (a INT AS (1 + 1))",
        "CREATE TABLE t (a INT) ENGINE = InnoDB",
        "CREATE TABLE t (a INT) PRIMARY KEY",
        "CREATE TABLE t (a INT) PRIMARY KEY ()",
        "CREATE TABLE t (a INT) PRIMARY KEY (a, a)",
        "CREATE TABLE t (a INT) PRIMARY KEY (a) DUPLICATE KEY (a)",
        "CREATE TABLE t (a INT) COMMENT c",
        "CREATE TABLE t (a INT) PARTITION BY date_trunc('day', a)",
        "CREATE TABLE t (a INT) PARTITION BY (a)",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p)",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN)",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1, 2))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (NULL))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (now()))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES [('1'), ('2')])",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION placeholder_1 VALUES LESS THAN (1))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (START ('1') END ('2') EVERY (0))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (START ('1') END ('2') EVERY (INTERVAL 1 SECOND))",
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (START ('1') END ('2'))",
        "CREATE TABLE t (a INT) PARTITION BY LIST (a) (PARTITION p VALUES IN ())",
        "CREATE TABLE t (a INT) PARTITION BY LIST (a) (PARTITION p VALUES IN (('a', 'b')))",
        "CREATE TABLE t (a INT) DISTRIBUTED BY (a)",
        "CREATE TABLE t (a INT) DISTRIBUTED BY HASH (a) BUCKETS 0",
        "CREATE TABLE t (a INT) DISTRIBUTED BY HASH (a) BUCKETS many",
        "CREATE TABLE t (a INT) ROLLUP (r (a))",
        "CREATE TABLE t (a INT) AS SELECT 1",
        "CREATE TABLE t (a, b)",
        "CREATE TABLE t (a INT) nonsense",
        "DROP TABLE",
        "DROP TABLE t, u",
        "DROP VIEW v",
        "TRUNCATE",
        "TRUNCATE TABLE t PARTITION ()",
        "ALTER TABLE t",
        "ALTER TABLE t ADD COLUMN c INT",
        "ALTER TABLE t ADD c INT",
        "ALTER TABLE t ADD TEMPORARY PARTITION p VALUES LESS THAN (1)",
        "ALTER TABLE t ADD PARTITION p",
        "ALTER TABLE t DROP COLUMN c",
        "ALTER TABLE t MODIFY COLUMN c INT",
        "ALTER TABLE t RENAME d.u",
        "ALTER TABLE t RENAME u, ADD PARTITION p VALUES LESS THAN (1)",
        "ALTER TABLE t SET ()",
        "ALTER SYSTEM ADD BACKEND 'x'",
        "DESC",
        "DESC t c d",
    ]));
}
