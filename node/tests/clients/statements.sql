-- Every statement, through stock clients. A line that begins with `-- !` says what the next statement must do:
--   -- ! error 1049        it fails with this number
--   -- ! rows 2            it answers with so many rows
--   -- ! columns a,b       its columns have these names
--   -- ! value x           the first cell of its first row
--   -- ! values a|b|c      the cells of its first row
-- and between statements:
--   -- ! finished backup d     waits until the last job of database d is FINISHED
--   -- ! timestamp name repository label     ${name} is the label's time stamp from now on

-- What clients ask on connecting.
-- ! rows 1
SELECT @@version_comment LIMIT 1;
-- ! value 8
SELECT SUBSTRING(VERSION(), 1, 1);
SET NAMES utf8mb4;
SET autocommit = 1;
-- ! columns Variable_name,Value
-- ! rows 1
SHOW VARIABLES LIKE 'lower_case_table_names';
-- ! columns Level,Code,Message
SHOW WARNINGS;
-- ! rows 1
SELECT DATABASE(), USER();
-- ! value 2
SELECT 1 + 1;

-- Databases.
CREATE DATABASE shop;
-- ! error 1007
CREATE DATABASE shop;
CREATE DATABASE IF NOT EXISTS shop;
-- ! error 1049
USE nowhere;
USE shop;
-- ! value shop
SELECT DATABASE();
-- ! rows 1
SHOW DATABASES LIKE 'shop';

-- Tables: both key models, all three kinds of partitions, both distributions.
CREATE TABLE orders (id BIGINT NOT NULL, day DATE NOT NULL, price DECIMAL(10,2), note VARCHAR(20) DEFAULT "none")
  PRIMARY KEY (id, day) PARTITION BY RANGE (day) (START ("2026-01-01") END ("2026-04-01") EVERY (INTERVAL 1 MONTH))
  DISTRIBUTED BY HASH (id) BUCKETS 2 PROPERTIES ("replication_num" = "1");
CREATE TABLE events (kind VARCHAR(10) NOT NULL, at DATETIME, what STRING)
  DUPLICATE KEY (kind) PARTITION BY LIST (kind) (PARTITION pa VALUES IN ("a"), PARTITION pb VALUES IN ("b", "c"))
  DISTRIBUTED BY RANDOM BUCKETS 2;
CREATE TABLE kinds (t BOOLEAN, i1 TINYINT, i2 SMALLINT, i4 INT, i8 BIGINT, i16 LARGEINT, f FLOAT, g DOUBLE,
  d DECIMAL(38,10), c CHAR(5), v VARBINARY(10)) DUPLICATE KEY (t) DISTRIBUTED BY RANDOM BUCKETS 1;
-- ! error 1050
CREATE TABLE orders (id INT) DISTRIBUTED BY HASH (id);
-- ! rows 3
SHOW TABLES;
-- ! rows 3
SHOW PARTITIONS FROM orders;
-- ! columns Field,Type,Null,Key,Default,Extra
-- ! rows 4
DESC orders;
-- ! rows 1
SHOW CREATE TABLE orders;

-- Loads.
INSERT INTO orders VALUES (1, '2026-01-05', 9.99, 'one'), (2, '2026-02-05', 19.99, 'two');
INSERT INTO orders (id, day) VALUES (3, '2026-03-05');
-- ! value none
SELECT note FROM orders WHERE id = 3;
INSERT INTO orders VALUES (1, '2026-01-05', 1.00, 'upserted');
-- ! values 3|upserted
SELECT COUNT(*), MAX(CASE WHEN id = 1 THEN note END) FROM orders;
-- ! error 1105
INSERT INTO orders VALUES (4, '2027-01-01', 1, 'no partition');
INSERT INTO events VALUES ('a', '2026-01-01 10:00:00', 'x'), ('b', NULL, 'y'), ('c', NULL, 'z');
INSERT INTO events SELECT kind, at, CONCAT(what, '!') FROM events WHERE kind = 'a';
-- ! value 4
SELECT COUNT(*) FROM events;
INSERT INTO kinds VALUES (true, -128, -32768, -2147483648, -9223372036854775808,
  -170141183460469231731687303715884105728, 1.5, -2.25, 12345678901234567890.0123456789, 'abc', 'xyz');
-- ! values 1|-128|-32768|-2147483648|-9223372036854775808|-170141183460469231731687303715884105728|1.5|-2.25|12345678901234567890.0123456789|abc|xyz
SELECT * FROM kinds;
UPDATE orders SET price = price + 1 WHERE id = 2;
-- ! value 20.99
SELECT price FROM orders WHERE id = 2;
DELETE FROM orders WHERE id = 3;
DELETE FROM events WHERE kind = 'c';
-- ! values 2|3
SELECT (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM events);
-- ! rows 2
SELECT o.id, e.what FROM orders o JOIN events e ON e.kind = 'a' WHERE o.id = 1 ORDER BY e.what;
-- ! error 1064
SELEKT 1;
-- ! error 1146
SELECT * FROM nothing;

-- Partitions and names.
ALTER TABLE orders ADD PARTITION p_april VALUES [("2026-04-01"), ("2026-05-01"));
INSERT INTO orders VALUES (5, '2026-04-05', 5, 'five');
-- ! rows 4
SHOW PARTITIONS FROM orders;
ALTER TABLE orders DROP PARTITION p_april;
-- ! value 2
SELECT COUNT(*) FROM orders;
ALTER TABLE kinds RENAME sorts;
-- ! value 1
SELECT COUNT(*) FROM sorts;
TRUNCATE TABLE sorts;
-- ! value 0
SELECT COUNT(*) FROM sorts;

-- Repositories and backups.
CREATE REPOSITORY backups WITH BROKER ON LOCATION "${location}";
-- ! error 1105
CREATE REPOSITORY backups WITH BROKER ON LOCATION "${location}";
-- ! columns RepoId,RepoName,CreateTime,IsReadOnly,Location,Broker,ErrMsg
-- ! rows 1
SHOW REPOSITORIES;
-- ! error 1105
CREATE READ ONLY REPOSITORY empty WITH BROKER hdfs_broker ON LOCATION "${location}-nothing" PROPERTIES ("username" = "x");
BACKUP SNAPSHOT shop.first TO backups ON (orders PARTITION (p202601, p202602), events) PROPERTIES ("type" = "full", "timeout" = "3600");
-- ! finished backup shop
-- ! columns JobId,SnapshotName,DbName,State,BackupObjs,CreateTime,SnapshotFinishedTime,UploadFinishedTime,FinishedTime,UnfinishedTasks,Progress,TaskErrMsg,Status,Timeout
-- ! rows 1
SHOW BACKUP FROM shop;
-- ! error 1105
BACKUP SNAPSHOT shop.first TO backups;
BACKUP DATABASE shop SNAPSHOT second TO backups;
-- ! finished backup shop
-- ! columns Snapshot,Timestamp,Status
-- ! rows 2
SHOW SNAPSHOT ON backups;
-- ! timestamp first backups first
-- ! timestamp second backups second
-- ! columns Snapshot,Timestamp,Database,Details,Status
-- ! rows 1
SHOW SNAPSHOT ON backups WHERE SNAPSHOT = "first" AND TIMESTAMP = "${first}";
-- ! error 1105
BACKUP SNAPSHOT shop.third TO nowhere;
-- ! error 1105
BACKUP SNAPSHOT shop.third TO backups PROPERTIES ("type" = "incremental");
-- ! error 1105
CANCEL BACKUP FROM shop;

-- Restores: over what exists, beside it, into another database.
DELETE FROM orders WHERE id = 1;
RESTORE SNAPSHOT shop.first FROM backups ON (orders) PROPERTIES ("backup_timestamp" = "${first}");
-- ! finished restore shop
-- ! columns JobId,Label,Timestamp,DbName,State,AllowLoad,ReplicationNum,RestoreObjs,CreateTime,MetaPreparedTime,SnapshotFinishedTime,DownloadFinishedTime,FinishedTime,UnfinishedTasks,Progress,TaskErrMsg,Status,Timeout
-- ! rows 1
SHOW RESTORE FROM shop;
-- ! value 2
SELECT COUNT(*) FROM orders;
RESTORE SNAPSHOT shop.first FROM backups ON (events AS events_then) PROPERTIES ("backup_timestamp" = "${first}");
-- ! finished restore shop
-- ! value 3
SELECT COUNT(*) FROM events_then;
RESTORE SNAPSHOT second FROM backups DATABASE shop AS copy PROPERTIES ("backup_timestamp" = "${second}");
-- ! finished restore copy
-- ! values 2|3
SELECT (SELECT COUNT(*) FROM copy.orders), (SELECT COUNT(*) FROM copy.events);
INSERT INTO copy.orders VALUES (1, '2026-01-05', 7, 'upsert after restore');
-- ! value upsert after restore
SELECT note FROM copy.orders WHERE id = 1;
-- ! error 1105
RESTORE SNAPSHOT shop.first FROM backups PROPERTIES ("backup_timestamp" = "2000-01-01-00-00-00-000");
-- ! error 1105
RESTORE SNAPSHOT shop.first FROM backups;
-- ! error 1105
CANCEL RESTORE FROM shop;

-- Upkeep: hold, retention, verify, sweep, limits, drop.
HOLD SNAPSHOT first ON backups REASON "case 7";
-- ! error 1105
DROP SNAPSHOT first ON backups FORCE;
-- ! columns Snapshot,Timestamp,Database,Decision,Reason,FreedBytes
-- ! rows 2
APPLY RETENTION ON backups KEEP LAST 1 DRY RUN;
ALTER REPOSITORY backups SET RETENTION (KEEP LAST 5, KEEP WITHIN "30d", MIN 2);
-- ! rows 0
APPLY RETENTION ON backups;
ALTER REPOSITORY backups DROP RETENTION;
RELEASE SNAPSHOT first ON backups;
VERIFY REPOSITORY backups SNAPSHOT second LEVEL "full";
-- ! columns JobId,Repository,Snapshot,Level,State,CreateTime,FinishedTime,Progress,BytesRead,Findings,Verdict,Message
-- ! rows 1
SHOW VERIFY FROM backups;
-- ! error 1105
ALTER BACKUP FROM shop SET ("max_bytes_per_second" = "100MB");
SET GLOBAL backup_max_bytes_per_second = 104857600;
-- ! value 104857600
SELECT @@global.backup_max_bytes_per_second;
SET GLOBAL backup_max_bytes_per_second = 0;
-- ! error 1105
DROP SNAPSHOT frist ON backups;
DROP SNAPSHOT first ON backups;
-- ! rows 1
SHOW SNAPSHOT ON backups;
-- ! columns Decision,Objects,FreedBytes,RefusedObjects,KeptObjects,ForeignObjects,Generation
-- ! rows 1
SWEEP REPOSITORY backups;
-- ! value second
SELECT label FROM information_schema.snapshots WHERE repository = 'backups';

-- Clearing up.
DROP TABLE events_then;
DROP TABLE IF EXISTS events_then;
-- ! error 1051
DROP TABLE events_then;
DROP DATABASE copy FORCE;
DROP REPOSITORY backups;
-- ! rows 0
SHOW REPOSITORIES;
DROP DATABASE shop;
