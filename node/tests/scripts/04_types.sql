-- Types: what goes in comes out, and what does not fit is refused.

CREATE DATABASE d;
USE d;
CREATE TABLE t (id INT, b BOOLEAN, t TINYINT, s SMALLINT, i INT, l BIGINT, h LARGEINT, f FLOAT, g DOUBLE, n DECIMAL(20,4), d DATE, m DATETIME, c CHAR(3), v VARCHAR(10), x STRING, y VARBINARY(4));
INSERT INTO t VALUES (1, true, -128, -32768, -2147483648, -9223372036854775808, -170141183460469231731687303715884105728, 1.5, 2.25, -1234567890123456.7891, '0000-01-01', '2026-12-01 02:03:04', 'abc', 'naïve', 'any length', 'bin');
INSERT INTO t VALUES (2, false, 127, 32767, 2147483647, 9223372036854775807, 170141183460469231731687303715884105727, 0, 0, 0, '9999-12-31', '9999-12-31 23:59:59.999999', '', '', '', '');
INSERT INTO t (id) VALUES (3);
SELECT * FROM t ORDER BY id;
--> 1 | 1 | -128 | -32768 | -2147483648 | -9223372036854775808 | -170141183460469231731687303715884105728 | 1.5 | 2.25 | -1234567890123456.7891 | 0000-01-01 | 2026-12-01 02:03:04 | abc | naïve | any length | bin
--> 2 | 0 | 127 | 32767 | 2147483647 | 9223372036854775807 | 170141183460469231731687303715884105727 | 0 | 0 | 0.0000 | 9999-12-31 | 9999-12-31 23:59:59.999999 | '' | '' | '' | ''
--> 3 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL
INSERT INTO t (id, t) VALUES (4, 128);
--! 1105 row 1, column 't': 128 is out of the range of TINYINT, -128 to 127
INSERT INTO t (id, i) VALUES (4, 'many');
--! 1105 row 1, column 'i': 'many' is not a valid INT
INSERT INTO t (id, d) VALUES (4, '2026-02-30');
--! 1105 row 1, column 'd': '2026-02-30' is not a valid DATE
INSERT INTO t (id, v) VALUES (4, 'longer than ten');
--! 1105 row 1, column 'v': 'longer than ten' has 15 bytes, more than VARCHAR(10) holds
INSERT INTO t (id, n) VALUES (4, 12345678901234567.0);
--! 1105 row 1, column 'n': 12345678901234567.0 is out of the range of DECIMAL(20,4), -9999999999999999.9999 to 9999999999999999.9999
INSERT INTO t (id, b) VALUES (4, 2);
--! 1105 row 1, column 'b': '2' is not a valid BOOLEAN
SELECT count(*) FROM t;
--> 3
SELECT id FROM t WHERE b = 1;
--> 1
SELECT id FROM t WHERE b = 0 OR b IS NULL ORDER BY id;
--> 2
--> 3
SELECT id FROM t WHERE h > 170141183460469231731687303715884105726;
--> 2
SELECT id FROM t WHERE d < '2000-01-01';
--> 1
SELECT id FROM t WHERE m >= '2026-12-01' AND m < '2026-12-02';
--> 1
SELECT CAST('12' AS INT) + 1, CAST(1.6 AS BIGINT), CAST(5 AS CHAR);
--> 13 | 1 | 5
SELECT CAST('x' AS INT);
--! 1105 Cast error: Cannot cast string 'x' to value of Int32 type
