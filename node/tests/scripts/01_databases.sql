-- Databases: made, shown, renamed, dropped, brought back.

CREATE DATABASE shop;
CREATE DATABASE IF NOT EXISTS shop;
CREATE DATABASE shop;
--! 1007 Can't create database 'shop'; database exists
CREATE SCHEMA `café`;
--! 1064 Getting syntax error. Detail message: wrong database name 'café' at line 1, column 15; 1 to 256 characters: a letter first, or an underscore and a letter or digit, then letters, digits, _ and -~!@#$%^&<>=+
CREATE DATABASE `1st`;
--! 1064 Getting syntax error. Detail message: wrong database name '1st' at line 1, column 17; 1 to 256 characters: a letter first, or an underscore and a letter or digit, then letters, digits, _ and -~!@#$%^&<>=+
CREATE DATABASE information_schema;
--! 1007 Can't create database 'information_schema'; database exists
CREATE DATABASE information_schema2;
SHOW DATABASES LIKE 'info%';
--> information_schema
--> information_schema2
SHOW CREATE DATABASE shop;
--> shop | CREATE DATABASE `shop`
SHOW CREATE DATABASE nowhere;
--! 1049 Unknown database 'nowhere'
USE nowhere;
--! 1049 Unknown database 'nowhere'
USE shop;
SELECT DATABASE();
--> shop
ALTER DATABASE shop RENAME store;
SELECT DATABASE();
--> store
ALTER DATABASE store RENAME information_schema2;
--! 1007 Can't create database 'information_schema2'; database exists
ALTER DATABASE nowhere RENAME x;
--! 1049 Unknown database 'nowhere'
CREATE TABLE t (k INT);
INSERT INTO t VALUES (1);
DROP DATABASE store;
SHOW TABLES FROM store;
--! 1049 Unknown database 'store'
RECOVER DATABASE store AS shop;
SELECT * FROM shop.t;
--> 1
RECOVER DATABASE shop;
--! 1105 database 'shop' is not in the recycle bin: it was not dropped, was dropped with FORCE, or its time in the bin is over; SHOW CATALOG RECYCLE BIN tells what is there
DROP DATABASE IF EXISTS nowhere;
DROP DATABASE nowhere;
--! 1008 Can't drop database 'nowhere'; database doesn't exist
DROP DATABASE information_schema;
--! 1105 information_schema cannot be dropped
DROP DATABASE shop FORCE;
RECOVER DATABASE shop;
--! 1105 database 'shop' is not in the recycle bin: it was not dropped, was dropped with FORCE, or its time in the bin is over; SHOW CATALOG RECYCLE BIN tells what is there
SELECT * FROM shop.t;
--! 1049 Unknown database 'shop'
CREATE TABLE x (k INT);
--! 1046 No database selected
