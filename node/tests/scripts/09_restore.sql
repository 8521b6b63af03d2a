-- RESTORE: over, beside, in part, under other names; what is in the way; and back again.

CREATE DATABASE d;
USE d;
CREATE TABLE a (k INT, v VARCHAR(9)) PARTITION BY RANGE (k) (PARTITION p1 VALUES LESS THAN ('100'), PARTITION p2 VALUES LESS THAN ('200')) DISTRIBUTED BY HASH (k) BUCKETS 2;
CREATE TABLE b (k INT, v INT) PRIMARY KEY (k);
INSERT INTO a VALUES (1, 'one'), (150, 'y');
INSERT INTO b VALUES (1, 1), (2, 2);
DELETE FROM b WHERE k = 2;
CREATE REPOSITORY r ON LOCATION 'file://${dir}/r';
BACKUP SNAPSHOT d.s TO r;
--@ wait BACKUP d
--> FINISHED
--@ let ts = 2 SHOW SNAPSHOT ON r WHERE SNAPSHOT = 's'
SHOW RESTORE;
RESTORE SNAPSHOT d.s FROM r;
--! 1105 property "backup_timestamp" is required; SHOW SNAPSHOT tells which time stamps a label has
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '1999-01-01-00-00-00-000');
--! 1105 snapshot s of 1999-01-01-00-00-00-000 does not exist in repository r; the label has ${ts}
RESTORE SNAPSHOT d.nothing FROM r PROPERTIES ('backup_timestamp' = '${ts}');
--! 1105 snapshot nothing of ${ts} does not exist in repository r; SHOW SNAPSHOT lists those that do
RESTORE SNAPSHOT s FROM r DATABASE other PROPERTIES ('backup_timestamp' = '${ts}');
--! 1105 snapshot s is of database d, not of other
RESTORE SNAPSHOT d.s FROM r ON (nope, a PARTITION (p9)) PROPERTIES ('backup_timestamp' = '${ts}');
--! 1105 table nope does not exist in snapshot s
RESTORE SNAPSHOT d.s FROM r ON (a AS b, b) PROPERTIES ('backup_timestamp' = '${ts}');
--! 1105 duplicated alias name b
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}', 'replication_num' = '0', 'allow_load' = 'maybe', 'x' = 'y');
--! 1105 property "replication_num" must be at least 1, not 0; property "allow_load" must be "true" or "false", not "maybe"; unknown properties: [x]; known are: backup_timestamp, timeout, replication_num, allow_load, clean_partitions, clean_tables, meta_version, starrocks_meta_version, max_bytes_per_second, max_requests_per_second
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}', 'replication_num' = '3');
--! 1105 failed to find 3 different hosts for 3 replicas, there are 1; set "replication_num"
INSERT INTO a VALUES (2, 'late');
INSERT INTO b VALUES (9, 9);
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}');
--@ wait RESTORE d
--> FINISHED
SELECT * FROM a ORDER BY k;
--> 1 | one
--> 150 | y
SELECT * FROM b ORDER BY k;
--> 1 | 1
SELECT label, state, objects, snapshot_database, status FROM information_schema.restore_jobs;
--> s | FINISHED | a PARTITIONS [p1, p2], b | d | OK
UNDO RESTORE;
SELECT * FROM a ORDER BY k;
--> 1 | one
--> 2 | late
--> 150 | y
SELECT * FROM b ORDER BY k;
--> 1 | 1
--> 9 | 9
UNDO RESTORE;
--! 1105 there is no RESTORE into database 'd' that can be undone: none has ended, it was undone, or what it replaced has left the recycle bin
RESTORE SNAPSHOT d.s FROM r ON (a PARTITION (p1) AS early, b AS b2) PROPERTIES ('backup_timestamp' = '${ts}');
--@ wait RESTORE d
--> FINISHED
SHOW TABLES;
--> a
--> b
--> b2
--> early
SELECT * FROM early;
--> 1 | one
SELECT * FROM b2;
--> 1 | 1
RESTORE SNAPSHOT s FROM r DATABASE d AS e PROPERTIES ('backup_timestamp' = '${ts}');
--@ wait RESTORE e
--> FINISHED
SELECT * FROM e.a ORDER BY k;
--> 1 | one
--> 150 | y
INSERT INTO e.b VALUES (2, 22);
SELECT * FROM e.b ORDER BY k;
--> 1 | 1
--> 2 | 22
UNDO RESTORE FROM e;
--! 1105 into database 'e' cannot be undone: partition 'b' of table 'b' was loaded into
-- Another structure.
CREATE DATABASE f;
CREATE TABLE f.a (k BIGINT, v VARCHAR(5), w INT);
CREATE TABLE f.b (k INT, v INT) DUPLICATE KEY (k);
RESTORE SNAPSHOT s FROM r DATABASE d AS f PROPERTIES ('backup_timestamp' = '${ts}');
--! 1105 table a exists but with different schema: 3 columns here, 2 in the snapshot; table a exists but with different schema: column 1 is k BIGINT KEY NULL here, k INT KEY NULL in the snapshot; table a exists but with different schema: column 2 is v VARCHAR(5) KEY NULL here, v VARCHAR(9) KEY NULL in the snapshot; table a exists but its distribution is different: RANDOM here, HASH(k) in the snapshot; table a exists but its partition type is different: not partitioned here, RANGE(k) in the snapshot; table b exists but is of a different key type: DUPLICATE KEY here, PRIMARY KEY in the snapshot; table b exists but with different schema: column 1 is k INT KEY NULL here, k INT KEY NOT NULL in the snapshot; table b exists but its distribution is different: RANDOM here, HASH(k) in the snapshot
EXPLAIN RESTORE SNAPSHOT s FROM r DATABASE d AS f PROPERTIES ('backup_timestamp' = '${ts}');
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table a exists but with different schema: 3 columns here, 2 in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table a exists but with different schema: column 1 is k BIGINT KEY NULL here, k INT KEY NULL in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table a exists but with different schema: column 2 is v VARCHAR(5) KEY NULL here, v VARCHAR(9) KEY NULL in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table a exists but its distribution is different: RANDOM here, HASH(k) in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table a exists but its partition type is different: not partitioned here, RANGE(k) in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table b exists but is of a different key type: DUPLICATE KEY here, PRIMARY KEY in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table b exists but with different schema: column 1 is k INT KEY NULL here, k INT KEY NOT NULL in the snapshot
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | table b exists but its distribution is different: RANDOM here, HASH(k) in the snapshot
DROP DATABASE f FORCE;
-- Cleaned.
CREATE TABLE own (k INT);
EXPLAIN RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}', 'clean_tables' = 'true');
--> a | OVERWRITE | 2 | 4 | 2 | * | 2 | * | replaces p1, p2
--> b | OVERWRITE | 1 | 2 | 2 | * | 2 | * | replaces b
--> b2 | DROP | NULL | NULL | NULL | NULL | NULL | NULL | the snapshot does not have it: it goes to the recycle bin
--> early | DROP | NULL | NULL | NULL | NULL | NULL | NULL | the snapshot does not have it: it goes to the recycle bin
--> own | DROP | NULL | NULL | NULL | NULL | NULL | NULL | the snapshot does not have it: it goes to the recycle bin
--> '' | TOTAL | 3 | 6 | 4 | * | 4 | * | at most 13 requests; what is replaced goes to the recycle bin
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}', 'clean_tables' = 'true');
--@ wait RESTORE d
--> FINISHED
SHOW TABLES;
--> a
--> b
UNDO RESTORE;
SHOW TABLES;
--> a
--> b
--> b2
--> early
--> own
RESTORE SNAPSHOT d.s FROM r EXCLUDE (b, a PARTITION (p2)) PROPERTIES ('backup_timestamp' = '${ts}');
--@ wait RESTORE d
--> FINISHED
SELECT objects FROM information_schema.restore_jobs ORDER BY job_id DESC LIMIT 1;
--> a PARTITIONS [p1]
CANCEL RESTORE;
--! 1105 with label s cannot be cancelled, state: FINISHED
CANCEL RESTORE FROM nowhere;
--! 1049 Unknown database 'nowhere'
