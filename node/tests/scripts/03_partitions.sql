-- Partitions: RANGE, series, LIST; added, dropped, emptied, brought back.

CREATE DATABASE d;
USE d;
CREATE TABLE r (day DATE, v INT) PARTITION BY RANGE (day) (PARTITION p1 VALUES LESS THAN ('2026-02-01'), PARTITION p2 VALUES [('2026-02-01'), ('2026-03-01'))) DISTRIBUTED BY HASH (v) BUCKETS 2;
SHOW CREATE TABLE r;
--> r | CREATE TABLE `r` (\n  `day` date NULL,\n  `v` int NULL\n) ENGINE=OLAP\nDUPLICATE KEY (`day`, `v`)\nPARTITION BY RANGE (`day`) (\n  PARTITION `p1` VALUES LESS THAN ("2026-02-01"),\n  PARTITION `p2` VALUES [("2026-02-01"), ("2026-03-01"))\n)\nDISTRIBUTED BY HASH (`v`) BUCKETS 2;
SELECT partition_name FROM information_schema.partitions WHERE table_name = 'r' ORDER BY 1;
--> p1
--> p2
INSERT INTO r VALUES ('2026-01-15', 1), ('2026-02-15', 2);
INSERT INTO r VALUES ('2026-03-15', 3);
--! 1105 row 1: no partition for (day) = ('2026-03-15'); add a partition that takes it
SELECT v FROM r PARTITION (p2);
--> 2
SELECT v FROM r PARTITION (p1, p2) ORDER BY v;
--> 1
--> 2
SELECT v FROM r PARTITION (p9);
--! 1735 Unknown partition 'p9' in table 'r'
ALTER TABLE r ADD PARTITION p3 VALUES LESS THAN ('2026-04-01');
INSERT INTO r VALUES ('2026-03-15', 3);
ALTER TABLE r ADD PARTITION p4 VALUES LESS THAN ('2026-03-15');
--! 1105 partition 'p4' [('2026-03-01'), ('2026-03-15')) overlaps with partition 'p3' [('2026-03-01'), ('2026-04-01'))
ALTER TABLE r ADD PARTITION p3 VALUES LESS THAN ('2026-09-01');
--! 1105 partition 'p3' is there already
ALTER TABLE r ADD PARTITION IF NOT EXISTS p3 VALUES LESS THAN ('2026-09-01');
ALTER TABLE r ADD PARTITIONS START ('2026-04-01') END ('2026-06-01') EVERY (INTERVAL 1 MONTH);
SELECT partition_name FROM information_schema.partitions WHERE table_name = 'r' ORDER BY 1;
--> p1
--> p2
--> p202604
--> p202605
--> p3
ALTER TABLE r RENAME PARTITION p1 january;
SELECT v FROM r PARTITION (january);
--> 1
ALTER TABLE r RENAME PARTITION p2 january;
--! 1105 partition 'january' is there already
TRUNCATE TABLE r PARTITION (january);
SELECT v FROM r ORDER BY v;
--> 2
--> 3
RECOVER PARTITION january FROM r;
SELECT v FROM r ORDER BY v;
--> 1
--> 2
--> 3
ALTER TABLE r DROP PARTITION p2;
ALTER TABLE r DROP PARTITION p2;
--! 1735 Unknown partition 'p2' in table 'r'
ALTER TABLE r DROP PARTITION IF EXISTS p2;
SELECT v FROM r ORDER BY v;
--> 1
--> 3
RECOVER PARTITION p2 FROM r;
SELECT v FROM r ORDER BY v;
--> 1
--> 2
--> 3
TRUNCATE TABLE r;
SELECT count(*) FROM r;
--> 0
RECOVER PARTITION p2 FROM r;
SELECT v FROM r;
--> 2
-- LIST.
CREATE TABLE l (region VARCHAR(9), v INT) PARTITION BY LIST (region) (PARTITION north VALUES IN ('oslo', 'turku'), PARTITION south VALUES IN ('rome'));
INSERT INTO l VALUES ('oslo', 1), ('rome', 2), ('turku', 3);
SELECT v FROM l PARTITION (north) ORDER BY v;
--> 1
--> 3
INSERT INTO l VALUES ('lima', 4);
--! 1105 row 1: no partition for (region) = ('lima'); add a partition that takes it
ALTER TABLE l ADD PARTITION far VALUES IN ('lima', 'quito');
INSERT INTO l VALUES ('lima', 4);
ALTER TABLE l ADD PARTITION other VALUES IN ('rome');
--! 1105 partition 'other' (('rome')) overlaps with partition 'south' (('rome'))
ALTER TABLE l ADD PARTITION other VALUES LESS THAN ('x');
--! 1105 table 'l' is partitioned by LIST; write VALUES IN (..)
SELECT count(*) FROM l;
--> 4
CREATE TABLE n (k INT);
ALTER TABLE n ADD PARTITION p VALUES LESS THAN ('1');
--! 1105 table 'n' is not partitioned
ALTER TABLE n DROP PARTITION n;
--! 1105 table 'n' is not partitioned
CREATE TABLE series (day DATE, v INT) PARTITION BY RANGE (day) (START ('2026-01-01') END ('2026-01-04') EVERY (INTERVAL 1 DAY));
SELECT partition_name FROM information_schema.partitions WHERE table_name = 'series' ORDER BY 1;
--> p20260101
--> p20260102
--> p20260103
CREATE TABLE bad (v INT) PARTITION BY RANGE (nope) ();
--! 1054 partition column 'nope' is no column of the table
CREATE TABLE bad (v FLOAT) PARTITION BY RANGE (v) (PARTITION p VALUES LESS THAN ('1'));
--! 1105 column 'v' of type FLOAT cannot be a partition column
CREATE TABLE bad (v INT) PARTITION BY RANGE (v) (PARTITION p VALUES LESS THAN ('2'), PARTITION q VALUES LESS THAN ('1'));
--! 1105 partition 'q' [MINVALUE, ('1')) overlaps with partition 'p' [MINVALUE, ('2'))
