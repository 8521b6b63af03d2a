-- UNIQUE KEY and AGGREGATE KEY tables.

CREATE DATABASE d;
USE d;
CREATE TABLE hits (site VARCHAR(20), day DATE, views BIGINT SUM DEFAULT '0', first_seen DATETIME MIN, best INT MAX, last VARCHAR(10) REPLACE, note VARCHAR(10) REPLACE_IF_NOT_NULL) AGGREGATE KEY (site, day) DISTRIBUTED BY HASH (site) BUCKETS 2;
SHOW CREATE TABLE hits;
DESC hits;
INSERT INTO hits VALUES ('a', '2026-01-01', 1, '2026-01-01 10:00:00', 5, 'x', 'n'), ('a', '2026-01-01', 2, '2026-01-01 09:00:00', 3, 'y', NULL);
SELECT * FROM hits;
INSERT INTO hits VALUES ('a', '2026-01-01', 10, NULL, 9, NULL, NULL), ('b', '2026-01-01', 1, NULL, NULL, 'z', NULL);
SELECT * FROM hits ORDER BY site;
SELECT count(*) FROM hits;
SELECT site FROM hits WHERE views > 5;
SELECT site FROM hits WHERE last = 'x';
SELECT site FROM hits WHERE last IS NULL;
SELECT sum(views) FROM hits WHERE site = 'a';
SELECT site FROM hits ORDER BY site LIMIT 1;
UPDATE hits SET views = 0 WHERE site = 'a';
DELETE FROM hits WHERE site = 'b';
SELECT site FROM hits;
DELETE FROM hits WHERE views = 13;
CREATE TABLE u (k INT, v INT, w INT) UNIQUE KEY (k) DISTRIBUTED BY HASH (k) BUCKETS 1;
INSERT INTO u VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO u VALUES (1, 10, NULL);
SELECT * FROM u ORDER BY k;
SELECT k FROM u WHERE v = 1;
UPDATE u SET v = 3 WHERE k = 1;
SELECT table_name, engine FROM information_schema.tables WHERE table_schema = 'd' ORDER BY 1;
SELECT column_name, column_key FROM information_schema.columns WHERE table_schema = 'd' AND table_name = 'hits' ORDER BY ordinal_position;
-- Refused.
CREATE TABLE bad (k INT, v INT) AGGREGATE KEY (k);
CREATE TABLE bad (k INT, v VARCHAR(3) SUM) AGGREGATE KEY (k);
CREATE TABLE bad (k INT, v HLL HLL_UNION) AGGREGATE KEY (k);
CREATE TABLE bad (k INT, v BITMAP BITMAP_UNION) AGGREGATE KEY (k);
CREATE TABLE bad (k INT, v INT SUM) DUPLICATE KEY (k);
CREATE TABLE bad (k INT, v INT SUM) UNIQUE KEY (k);
CREATE TABLE bad (v INT SUM, k INT) AGGREGATE KEY (k);
-- In a snapshot and back.
CREATE REPOSITORY r ON LOCATION 'file://${dir}/r';
BACKUP SNAPSHOT d.s TO r;
--@ wait BACKUP d
--@ let ts = 2 SHOW SNAPSHOT ON r WHERE SNAPSHOT = 's'
INSERT INTO hits VALUES ('a', '2026-01-01', 1000, NULL, NULL, 'late', NULL);
RESTORE SNAPSHOT d.s FROM r PROPERTIES ('backup_timestamp' = '${ts}');
--@ wait RESTORE d
SELECT site, views, last FROM hits;
SELECT * FROM u ORDER BY k;
UNDO RESTORE;
SELECT site, views, last FROM hits;
DROP TABLE u;
CREATE TABLE u (k INT, v INT, w INT) PRIMARY KEY (k);
RESTORE SNAPSHOT d.s FROM r ON (u) PROPERTIES ('backup_timestamp' = '${ts}');
