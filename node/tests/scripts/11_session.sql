-- Sessions: variables, what clients ask on connecting, what is not there.

SELECT @@autocommit, @@max_allowed_packet > 1000000, @@tx_isolation;
--> 1 | 1 | READ-COMMITTED
SET NAMES utf8mb4;
SET @x = 3, @y = @x + 1;
SELECT @x, @y, @z;
--> 3 | 4 | NULL
SET @x = 9, no_such = 1;
--! 1193 Unknown system variable 'no_such'
SELECT @x;
--> 3
SET autocommit = 0;
SELECT @@autocommit;
--> 0
SET no_such = 1;
--! 1193 Unknown system variable 'no_such'
SELECT @@no_such;
--! 1193 Unknown system variable 'no_such'
SET version = 'x';
--! 1238 Variable 'version' is a read only variable
SET GLOBAL backup_max_bytes_per_second = '10MB';
SHOW VARIABLES LIKE 'backup_max%';
--> backup_max_bytes_per_second | 10000000
--> backup_max_requests_per_second | 0
SET backup_max_bytes_per_second = 1;
--! 1229 Variable 'backup_max_bytes_per_second' is a GLOBAL variable and should be set with SET GLOBAL
SET GLOBAL backup_max_bytes_per_second = 0;
SHOW VARIABLES WHERE Variable_name = 'autocommit';
--> autocommit | 0
SHOW COLLATION LIKE 'utf8mb4_bin';
--> utf8mb4_bin | utf8mb4 | 46 | Yes | Yes | 1
SHOW ENGINES;
--> OLAP | DEFAULT | Columnar tablets | NO | NO | NO
SHOW WARNINGS;
SHOW CHARACTER SET;
--> utf8mb4 | UTF-8 Unicode | utf8mb4_bin | 4
--> utf8mb3 | UTF-8 Unicode | utf8mb3_general_ci | 3
--> binary | Binary pseudo charset | binary | 1
SHOW PLUGINS;
SHOW TRIGGERS;
SHOW nothing;
--! 1064 Getting syntax error. Detail message: expected what to show, found nothing at line 1, column 6
KILL 999999;
--! 1094 Unknown thread id: 999999
START TRANSACTION;
COMMIT;
LOAD DATA INFILE 'x' INTO TABLE t;
--! 1235 is not supported
ANALYZE TABLE t;
--! 1235 ANALYZE is not supported at line 1, column 1
GARBAGE;
--! 1064 Getting syntax error. Detail message: expected a statement, found GARBAGE at line 1, column 1
RECOVER nothing;
--! 1064 Getting syntax error. Detail message: expected DATABASE, TABLE or PARTITION, found nothing at line 1, column 9
UNDO nothing;
--! 1064 Getting syntax error. Detail message: expected RESTORE, found nothing at line 1, column 6
EXPLAIN garbage;
--! 1046 No database selected
