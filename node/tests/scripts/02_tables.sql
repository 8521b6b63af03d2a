-- Tables: every clause of CREATE TABLE, and what is refused.

CREATE DATABASE d;
USE d;
CREATE TABLE plain (id INT, name VARCHAR(20));
SHOW CREATE TABLE plain;
--> plain | CREATE TABLE `plain` (\n  `id` int NULL,\n  `name` varchar(20) NULL\n) ENGINE=OLAP\nDUPLICATE KEY (`id`, `name`)\nDISTRIBUTED BY RANDOM BUCKETS 2;
CREATE TABLE plain (id INT);
--! 1050 Table 'plain' already exists
CREATE TABLE IF NOT EXISTS plain (id INT);
CREATE TABLE keyed (id BIGINT NOT NULL, day DATE, amount DECIMAL(10,2) DEFAULT '0.00', note STRING NULL COMMENT 'free text') PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 3 COMMENT 'with a key' PROPERTIES ('replication_num' = '1');
DESC keyed;
--> id | bigint | NO | true | NULL | ''
--> day | date | YES | false | NULL | ''
--> amount | decimal(10,2) | YES | false | 0.00 | ''
--> note | string | YES | false | NULL | ''
SHOW CREATE TABLE keyed;
--> keyed | CREATE TABLE `keyed` (\n  `id` bigint NOT NULL,\n  `day` date NULL,\n  `amount` decimal(10,2) NULL DEFAULT "0.00",\n  `note` string NULL COMMENT "free text"\n) ENGINE=OLAP\nPRIMARY KEY (`id`)\nCOMMENT "with a key"\nDISTRIBUTED BY HASH (`id`) BUCKETS 3\nPROPERTIES (\n"replication_num" = "1"\n);
SHOW FULL COLUMNS FROM keyed LIKE 'n%';
--> note | string | utf8mb4_bin | YES | false | NULL | '' | select,insert,update | free text
SHOW INDEX FROM keyed WHERE Key_name = 'PRIMARY';
--> keyed | 0 | PRIMARY | 1 | id | A | NULL | NULL | NULL | '' | BTREE | ''
CREATE TABLE dup (a INT, b INT, c INT) DUPLICATE KEY (a, b) DISTRIBUTED BY RANDOM BUCKETS 2;
DESC dup;
--> a | int | YES | true | NULL | ''
--> b | int | YES | true | NULL | ''
--> c | int | YES | false | NULL | ''
DESC dup b;
--> b | int | YES | true | NULL | ''
CREATE TABLE like_dup LIKE dup;
SHOW CREATE TABLE like_dup;
--> like_dup | CREATE TABLE `like_dup` (\n  `a` int NULL,\n  `b` int NULL,\n  `c` int NULL\n) ENGINE=OLAP\nDUPLICATE KEY (`a`, `b`)\nDISTRIBUTED BY RANDOM BUCKETS 2;
CREATE TABLE made AS SELECT 1 AS one, 'x' AS two;
SELECT * FROM made;
--> 1 | x
SHOW TABLES;
--> dup
--> keyed
--> like_dup
--> made
--> plain
SHOW FULL TABLES LIKE 'd%';
--> dup | BASE TABLE
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'd' ORDER BY 1;
--> dup | BASE TABLE
--> keyed | BASE TABLE
--> like_dup | BASE TABLE
--> made | BASE TABLE
--> plain | BASE TABLE
SELECT column_name, data_type, is_nullable, column_key FROM information_schema.columns WHERE table_schema = 'd' AND table_name = 'keyed' ORDER BY ordinal_position;
--> id | bigint | NO | PRI
--> day | date | YES | ''
--> amount | decimal | YES | ''
--> note | string | YES | ''
-- Refused.
CREATE TABLE bad (id INT, ID INT);
--! 1064 Getting syntax error. Detail message: column ID is defined twice at line 1, column 27
CREATE TABLE bad ();
--! 1064 Getting syntax error. Detail message: expected a column name, found ) at line 1, column 19
CREATE TABLE bad (id NOTHING);
--! 1064 Getting syntax error. Detail message: expected a type, found NOTHING at line 1, column 22; BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, LARGEINT, FLOAT, DOUBLE, DECIMAL, DATE, DATETIME, CHAR, VARCHAR, STRING and VARBINARY are supported
CREATE TABLE bad (id INT) PRIMARY KEY (other);
--! 1054 key column 'other' is no column of the table
CREATE TABLE bad (id INT, v INT) DISTRIBUTED BY HASH (nope);
--! 1054 bucketing column 'nope' is no column of the table
CREATE TABLE bad (id INT) DISTRIBUTED BY HASH (id) BUCKETS 0;
--! 1064 Getting syntax error. Detail message: there must be at least one bucket at line 1, column 60
CREATE TABLE bad (v FLOAT) PRIMARY KEY (v);
--! 1105 column 'v' of type FLOAT cannot be a key column
CREATE TABLE bad (id INT) PROPERTIES ('no_such' = '1');
--! 1105 unknown table properties: [no_such]; known are: bloom_filter_columns, bucket_size, compression, datacache.enable, enable_persistent_index, enable_storage_cache, fast_schema_evolution, in_memory, light_schema_change, persistent_index_type, primary_index_cache_expire_sec, replicated_storage, replication_num, storage_cooldown_time, storage_cooldown_ttl, storage_format, storage_medium, write_quorum
CREATE TABLE bad (id INT NOT NULL DEFAULT NULL);
--! 1105 column 'id' is NOT NULL and cannot have NULL as its default
CREATE TABLE bad (id TINYINT DEFAULT '300');
--! 1105 default of column 'id': 300 is out of the range of TINYINT, -128 to 127
CREATE TABLE bad (a DECIMAL(39, 2));
--! 1064 Getting syntax error. Detail message: a decimal has 1 to 38 digits, at most all of them after the point, not (39, 2) at line 1, column 21
CREATE TABLE bad (a VARCHAR(0));
--! 1064 Getting syntax error. Detail message: VARCHAR is 1 to 1048576 long, not 0 at line 1, column 21
CREATE TABLE nowhere.bad (id INT);
--! 1049 Unknown database 'nowhere'
CREATE TEMPORARY TABLE bad (id INT);
--! 1235 external and temporary tables are not supported at line 1, column 8
-- Changed.
ALTER TABLE plain RENAME renamed;
SELECT count(*) FROM renamed;
--> 0
SELECT count(*) FROM plain;
--! 1146 Table 'd.plain' doesn't exist
ALTER TABLE renamed RENAME dup;
--! 1050 Table 'dup' already exists
ALTER TABLE renamed COMMENT = 'new';
ALTER TABLE renamed ADD COLUMN x INT;
--! 1235 adding anything but partitions to a table is not supported at line 1, column 25
ALTER TABLE renamed SET ('replication_num' = '1');
ALTER TABLE renamed SET ('nothing' = '1');
--! 1105 unknown table properties: [nothing]; known are: bloom_filter_columns, bucket_size, compression, datacache.enable, enable_persistent_index, enable_storage_cache, fast_schema_evolution, in_memory, light_schema_change, persistent_index_type, primary_index_cache_expire_sec, replicated_storage, replication_num, storage_cooldown_time, storage_cooldown_ttl, storage_format, storage_medium, write_quorum
DROP TABLE renamed;
DROP TABLE renamed;
--! 1051 Unknown table 'd.renamed'
DROP TABLE IF EXISTS renamed;
RECOVER TABLE renamed;
RECOVER TABLE renamed AS twice;
--! 1105 table 'd.renamed' is not in the recycle bin: it was not dropped, was dropped with FORCE, or its time in the bin is over; SHOW CATALOG RECYCLE BIN tells what is there
DROP TABLE dup FORCE;
RECOVER TABLE dup;
--! 1105 table 'd.dup' is not in the recycle bin: it was not dropped, was dropped with FORCE, or its time in the bin is over; SHOW CATALOG RECYCLE BIN tells what is there
