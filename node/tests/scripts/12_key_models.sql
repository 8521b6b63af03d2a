-- UNIQUE KEY and AGGREGATE KEY tables.

CREATE DATABASE d;
USE d;
CREATE TABLE hits (site VARCHAR(20), day DATE, views BIGINT SUM DEFAULT '0', first_seen DATETIME MIN, best INT MAX, last VARCHAR(10) REPLACE, note VARCHAR(10) REPLACE_IF_NOT_NULL) AGGREGATE KEY (site, day) DISTRIBUTED BY HASH (site) BUCKETS 2;
SHOW CREATE TABLE hits;
--> hits | CREATE TABLE `hits` (\n  `site` varchar(20) NULL,\n  `day` date NULL,\n  `views` bigint SUM NULL DEFAULT "0",\n  `first_seen` datetime MIN NULL,\n  `best` int MAX NULL,\n  `last` varchar(10) REPLACE NULL,\n  `note` varchar(10) REPLACE_IF_NOT_NULL NULL\n) ENGINE=OLAP\nAGGREGATE KEY (`site`, `day`)\nDISTRIBUTED BY HASH (`site`) BUCKETS 2;
DESC hits;
--> site | varchar(20) | YES | true | NULL | ''
--> day | date | YES | true | NULL | ''
--> views | bigint | YES | false | 0 | SUM
--> first_seen | datetime | YES | false | NULL | MIN
--> best | int | YES | false | NULL | MAX
--> last | varchar(10) | YES | false | NULL | REPLACE
--> note | varchar(10) | YES | false | NULL | REPLACE_IF_NOT_NULL
INSERT INTO hits VALUES ('a', '2026-01-01', 1, '2026-01-01 10:00:00', 5, 'x', 'n'), ('a', '2026-01-01', 2, '2026-01-01 09:00:00', 3, 'y', NULL);
SELECT * FROM hits;
--> a | 2026-01-01 | 3 | 2026-01-01 09:00:00 | 5 | y | n
INSERT INTO hits VALUES ('a', '2026-01-01', 10, NULL, 9, NULL, NULL), ('b', '2026-01-01', 1, NULL, NULL, 'z', NULL);
SELECT * FROM hits ORDER BY site;
--> a | 2026-01-01 | 13 | 2026-01-01 09:00:00 | 9 | NULL | n
--> b | 2026-01-01 | 1 | NULL | NULL | z | NULL
SELECT count(*) FROM hits;
--> 2
SELECT site FROM hits WHERE views > 5;
--> a
SELECT site FROM hits WHERE last = 'x';
SELECT site FROM hits WHERE last IS NULL;
--> a
SELECT sum(views) FROM hits WHERE site = 'a';
--> 13
SELECT site FROM hits ORDER BY site LIMIT 1;
--> a
UPDATE hits SET views = 0 WHERE site = 'a';
--! 1235 UPDATE needs a PRIMARY KEY table; 'hits' is an AGGREGATE KEY table, whose rows are changed by inserting them anew
DELETE FROM hits WHERE site = 'b';
SELECT site FROM hits;
--> a
DELETE FROM hits WHERE views = 13;
--! 1235 rows of 'hits', which is an AGGREGATE KEY table, can be deleted by conditions on its key columns only (site, day); 'views' is a value column; a subquery can choose keys by it
CREATE TABLE u (k INT, v INT, w INT) UNIQUE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1;
INSERT INTO u VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO u VALUES (1, 10, NULL);
SELECT * FROM u ORDER BY k;
--> 1 | 10 | NULL
--> 2 | 2 | 2
SELECT k FROM u WHERE v = 1;
UPDATE u SET v = 3 WHERE k = 1;
--! 1235 UPDATE needs a PRIMARY KEY table; 'u' is a UNIQUE KEY table, whose rows are changed by inserting them anew
SELECT table_name, engine FROM information_schema.tables WHERE table_schema = 'd' ORDER BY 1;
--> hits | OLAP
--> u | OLAP
SELECT column_name, column_key FROM information_schema.columns WHERE table_schema = 'd' AND table_name = 'hits' ORDER BY ordinal_position;
--> site | AGG
--> day | AGG
--> views | ''
--> first_seen | ''
--> best | ''
--> last | ''
--> note | ''
-- Refused.
CREATE TABLE bad (k INT, v INT) AGGREGATE KEY (k);
--! 1105 column 'v' of an AGGREGATE KEY table needs an aggregate function: SUM, MIN, MAX, REPLACE or REPLACE_IF_NOT_NULL
CREATE TABLE bad (k INT, v VARCHAR(3) SUM) AGGREGATE KEY (k);
--! 1105 column 'v' of type VARCHAR(3) cannot have the aggregate function SUM; numbers can
CREATE TABLE bad (k INT, v HLL HLL_UNION) AGGREGATE KEY (k);
--! 1235 column v has the type HLL, which is not supported at line 1, column 28; value columns can be SUM, MIN, MAX, REPLACE or REPLACE_IF_NOT_NULL; count different values with COUNT(DISTINCT ..) over a DUPLICATE KEY table
CREATE TABLE bad (k INT, v BITMAP BITMAP_UNION) AGGREGATE KEY (k);
--! 1235 column v has the type BITMAP, which is not supported at line 1, column 28; value columns can be SUM, MIN, MAX, REPLACE or REPLACE_IF_NOT_NULL; count different values with COUNT(DISTINCT ..) over a DUPLICATE KEY table
CREATE TABLE bad (k INT, v INT SUM) DUPLICATE KEY (k);
--! 1105 column 'v' cannot have the aggregate function SUM; only value columns of AGGREGATE KEY tables can
CREATE TABLE bad (k INT, v INT SUM) UNIQUE KEY (k);
--! 1105 column 'v' cannot have the aggregate function SUM; only value columns of AGGREGATE KEY tables can
CREATE TABLE bad (v INT SUM, k INT) AGGREGATE KEY (k);
--! 1105 key columns must be the first columns of the table, in the same order; 'k' is key column 1 and column 2
-- In a snapshot and back.
CREATE REPOSITORY r ON LOCATION 'file://${dir}/r';
BACKUP SNAPSHOT d.s TO r;
--@ wait BACKUP d
--> FINISHED
--@ let ts = 2 SHOW SNAPSHOT ON r WHERE SNAPSHOT = 's'
INSERT INTO hits VALUES ('a', '2026-01-01', 1000, NULL, NULL, 'late', NULL);
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}');
--@ wait RESTORE d
--> FINISHED
SELECT site, views, last FROM hits;
--> a | 13 | NULL
SELECT * FROM u ORDER BY k;
--> 1 | 10 | NULL
--> 2 | 2 | 2
UNDO RESTORE;
SELECT site, views, last FROM hits;
--> a | 1013 | late
DROP TABLE u;
CREATE TABLE u (k INT, v INT, w INT) PRIMARY KEY (k);
RESTORE SNAPSHOT d.s FROM r ON (u) PROPERTIES ('backup_timestamp' = '${ts}');
--! 1105 table u exists but is of a different key type: PRIMARY KEY here, UNIQUE KEY in the snapshot; table u exists but with different schema: column 1 is k INT KEY NOT NULL here, k INT KEY NULL in the snapshot
