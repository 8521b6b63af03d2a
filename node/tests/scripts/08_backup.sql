-- BACKUP: what is taken, what is refused, what is shown.

CREATE DATABASE d;
USE d;
CREATE TABLE a (k INT, v VARCHAR(9)) PARTITION BY RANGE (k) (PARTITION p1 VALUES LESS THAN ('100'), PARTITION p2 VALUES LESS THAN ('200')) DISTRIBUTED BY HASH (k) BUCKETS 2;
CREATE TABLE b (k INT, v INT) PRIMARY KEY (k);
INSERT INTO a VALUES (1, 'one'), (150, 'y');
INSERT INTO b VALUES (1, 1), (2, 2);
CREATE REPOSITORY r ON LOCATION 'file://${dir}/r';
SHOW BACKUP;
SHOW BACKUP FROM nowhere;
--! 1049 Unknown database 'nowhere'
BACKUP SNAPSHOT d.whole TO r;
--@ wait BACKUP d
--> FINISHED
SELECT label, state, objects, tables, partitions, tablets, status, message FROM information_schema.backup_jobs;
--> whole | FINISHED | [d.a], [d.b] | 2 | 3 | 6 | OK | NULL
BACKUP SNAPSHOT d.whole TO r;
--! 1105 snapshot whole already exists in repository r; choose another label
BACKUP SNAPSHOT `no/label` TO r;
--! 1064 Getting syntax error. Detail message: wrong snapshot name 'no/label' at line 1, column 17; 1 to 128 letters, digits, _ and -
BACKUP SNAPSHOT nowhere.s TO r;
--! 1049 Unknown database 'nowhere'
BACKUP DATABASE d SNAPSHOT listed TO r ON (a PARTITION (p1), TABLE b);
--@ wait BACKUP d
--> FINISHED
BACKUP SNAPSHOT d.all_of TO r ON (ALL TABLES, a PARTITION (p2));
--@ wait BACKUP d
--> FINISHED
BACKUP SNAPSHOT d.rest TO r EXCLUDE (b);
--@ wait BACKUP d
--> FINISHED
SELECT label, objects FROM information_schema.backup_jobs ORDER BY job_id;
--> whole | [d.a], [d.b]
--> listed | [d.a PARTITIONS (p1)], [d.b]
--> all_of | [d.a PARTITIONS (p2)], [d.b]
--> rest | [d.a]
BACKUP SNAPSHOT d.x TO r ON (nope, a PARTITION (p9));
--! 1105 table nope does not exist; partition p9 does not exist in table a
BACKUP SNAPSHOT d.x TO r ON (a, a);
--! 1105 duplicated table a
BACKUP SNAPSHOT d.x TO r ON (a AS c);
--! 1105 table 'a': an alias cannot be set in BACKUP; RESTORE takes AS
BACKUP SNAPSHOT d.x TO r ON ();
--! 1064 Getting syntax error. Detail message: ON (..) is empty at line 1, column 29; leave ON out for everything
BACKUP SNAPSHOT d.x TO r ON (a TEMPORARY PARTITION (p1));
--! 1235 temporary partitions (p1) of table 'a': BACKUP does not support them
BACKUP SNAPSHOT d.x TO r ON (ALL MATERIALIZED VIEWS);
--! 1235 BACKUP of materialized views is not supported yet; there are none
BACKUP SNAPSHOT d.x TO r PROPERTIES ('type' = 'incremental', 'timeout' = '5', 'ttl' = 'soon', 'kind' = 'x');
--! 1105 property "timeout" must be at least 600 seconds, not 5; property "ttl": "soon" is not a time (expected number at 0); write one such as 7d, 12h or 2 weeks; property "type" must be "full", not "incremental"; unknown properties: [kind]; known are: type, timeout, ttl, max_bytes_per_second, max_requests_per_second
BACKUP SNAPSHOT d.x TO r PROPERTIES ('max_bytes_per_second' = 'fast');
--! 1105 property "max_bytes_per_second" must be a number of bytes in a second, like 104857600 or 100MiB, or 0 for no limit, not "fast"
BACKUP ALL EXTERNAL CATALOGS SNAPSHOT x TO r;
--! 1235 BACKUP of external catalogs is not supported; there are none
CREATE DATABASE hollow;
BACKUP SNAPSHOT hollow.x TO r;
--! 1105 database hollow is empty
CANCEL BACKUP;
--! 1105 with label rest cannot be cancelled, state: FINISHED
CANCEL RESTORE;
--! 1105 no restore job is running in database d
ALTER BACKUP FROM d SET ('max_bytes_per_second' = '1MB');
--! 1105 no backup job is running in database d; limits of a new one are properties of its statement
BACKUP SNAPSHOT d.short TO r PROPERTIES ('type' = 'FULL', 'timeout' = '600', 'ttl' = '7 DAY');
--@ wait BACKUP d
--> FINISHED
SELECT label, ttl_seconds FROM information_schema.backup_jobs WHERE ttl_seconds IS NOT NULL;
--> short | 604800
SELECT label, `database`, tables, held FROM information_schema.snapshots ORDER BY label;
--> all_of | d | 2 | NO
--> listed | d | 2 | NO
--> rest | d | 1 | NO
--> short | d | 2 | NO
--> whole | d | 2 | NO
SHOW SNAPSHOT ON r WHERE SNAPSHOT = 'nothing';
--> nothing | NULL | ERROR: no snapshot
SHOW SNAPSHOT ON r WHERE SNAPSHOT LIKE 'x%';
--! 1064 Getting syntax error. Detail message: expected =, found LIKE at line 1, column 35; write WHERE SNAPSHOT = 'label' [AND TIMESTAMP = 'time'] or WHERE SNAPSHOT IN ('label', ..)
SHOW SNAPSHOT ON r WHERE TIMESTAMP = '2026';
--! 1064 Getting syntax error. Detail message: TIMESTAMP needs a SNAPSHOT beside it at line 1, column 44; write WHERE SNAPSHOT = 'label' [AND TIMESTAMP = 'time'] or WHERE SNAPSHOT IN ('label', ..)
EXPLAIN BACKUP SNAPSHOT d.again TO r;
--> a | BACKUP | 2 | 4 | 2 | * | 0 | 0 | the repository has all of it
--> b | BACKUP | 1 | 2 | 1 | * | 0 | 0 | the repository has all of it
--> '' | TOTAL | 3 | 6 | 3 | * | 0 | 0 | about 11 requests
EXPLAIN BACKUP SNAPSHOT d.whole TO r;
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | NULL | snapshot whole already exists in repository r; choose another label
