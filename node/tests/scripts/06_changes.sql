-- INSERT, UPDATE, DELETE.

CREATE DATABASE d;
USE d;
CREATE TABLE dup (k INT, v VARCHAR(9) DEFAULT 'none') DUPLICATE KEY (k);
CREATE TABLE pk (k INT NOT NULL, v INT, w INT DEFAULT '7') PRIMARY KEY (k);
INSERT INTO dup VALUES (1, 'a'), (1, 'a'), (2, DEFAULT);
INSERT INTO dup (k) VALUES (3);
INSERT INTO dup SELECT k + 10, v FROM dup WHERE k > 1;
SELECT * FROM dup ORDER BY k, v;
--> 1 | a
--> 1 | a
--> 2 | none
--> 3 | none
--> 12 | none
--> 13 | none
INSERT INTO pk (k, v) VALUES (1, 1), (2, 2), (1, 10);
SELECT * FROM pk ORDER BY k;
--> 1 | 10 | 7
--> 2 | 2 | 7
INSERT INTO pk VALUES (2, 20, NULL);
SELECT * FROM pk ORDER BY k;
--> 1 | 10 | 7
--> 2 | 20 | NULL
UPDATE pk SET v = v + 1, w = 0 WHERE k = 1;
SELECT * FROM pk ORDER BY k;
--> 1 | 11 | 0
--> 2 | 20 | NULL
UPDATE pk SET k = 5 WHERE k = 1;
--! 1235 column 'k' belongs to the key of 'pk' and cannot be updated; delete the row and insert it anew
UPDATE dup SET v = 'x' WHERE k = 1;
--! 1235 UPDATE needs a PRIMARY KEY table; 'dup' is a DUPLICATE KEY table
UPDATE pk SET nope = 1;
--! 1064 Getting syntax error. Detail message: expected WHERE, found the end of the statement at line 1, column 23; write WHERE TRUE to update every row
DELETE FROM pk WHERE v = 11;
SELECT * FROM pk ORDER BY k;
--> 2 | 20 | NULL
DELETE FROM pk WHERE k IN (SELECT k FROM dup);
SELECT count(*) FROM pk;
--> 0
DELETE FROM dup WHERE k = 1;
SELECT k FROM dup ORDER BY k;
--> 2
--> 3
--> 12
--> 13
INSERT INTO dup VALUES (1);
--! 1136 Column count doesn't match value count: the statement gives 1 values in a row for 2 columns
INSERT INTO dup VALUES (1, 'a', 'b');
--! 1136 Column count doesn't match value count: the statement gives 3 values in a row for 2 columns
INSERT INTO dup (k, nope) VALUES (1, 2);
--! 1054 Unknown column 'nope' in table 'dup'
INSERT INTO dup (k, k) VALUES (1, 2);
--! 1064 Getting syntax error. Detail message: column k is listed twice at line 1, column 21
INSERT INTO pk VALUES (NULL, 1, 1);
--! 1105 row 1, column 'k': NULL in a column that is NOT NULL
INSERT INTO nowhere VALUES (1);
--! 1146 Table 'd.nowhere' doesn't exist
INSERT INTO dup VALUES ('x', 'y');
--! 1105 row 1, column 'k': 'x' is not a valid INT
SELECT count(*) FROM dup;
--> 4
TRUNCATE TABLE dup;
SELECT count(*) FROM dup;
--> 0
BEGIN;
INSERT INTO dup VALUES (1, 'kept');
ROLLBACK;
SELECT * FROM dup;
--> 1 | kept
