-- Snapshots: held, released, dropped, kept by a retention, swept, verified.

CREATE DATABASE d;
USE d;
CREATE TABLE t (k INT, v INT) PRIMARY KEY (k);
INSERT INTO t VALUES (1, 1);
CREATE REPOSITORY r ON LOCATION 'file://${dir}/r';
BACKUP SNAPSHOT d.one TO r;
--@ wait BACKUP d
--> FINISHED
INSERT INTO t VALUES (2, 2);
BACKUP SNAPSHOT d.two TO r;
--@ wait BACKUP d
--> FINISHED
INSERT INTO t VALUES (3, 3);
BACKUP SNAPSHOT d.three TO r;
--@ wait BACKUP d
--> FINISHED
HOLD SNAPSHOT one ON r REASON 'audit';
HOLD SNAPSHOT one ON r REASON 'audit';
HOLD SNAPSHOT one ON r REASON 'other';
--! 1105 snapshot one in repository r is held (audit); RELEASE SNAPSHOT one ON r lets go of it
DROP SNAPSHOT one ON r;
--! 1105 snapshot one in repository r is held (audit); RELEASE SNAPSHOT one ON r lets go of it
DROP SNAPSHOT one ON r FORCE;
--! 1105 snapshot one in repository r is held (audit); RELEASE SNAPSHOT one ON r lets go of it
EXPLAIN DROP SNAPSHOT one ON r;
--> '' | CONFLICT | NULL | NULL | NULL | NULL | NULL | snapshot one in repository r is held (audit); RELEASE SNAPSHOT one ON r lets go of it
RELEASE SNAPSHOT two ON r;
--! 1105 snapshot two in repository r is not held
RELEASE SNAPSHOT one ON r;
DROP SNAPSHOT tow ON r;
--! 1105 snapshot tow does not exist in repository r; SHOW SNAPSHOT lists those that do
DROP SNAPSHOT one ON r;
SELECT label, held FROM information_schema.snapshots ORDER BY label;
--> three | NO
--> two | NO
APPLY RETENTION ON r KEEP LAST 1 DRY RUN;
--> three | * | d | KEEP | one of the newest 1 of database "d" | NULL
--> two | * | d | DROP | not one of the newest 1 of database "d" | *
APPLY RETENTION ON r KEEP LAST 1;
--> two | * | d | DROPPED | not one of the newest 1 of database "d" | *
SELECT label FROM information_schema.snapshots;
--> three
SWEEP REPOSITORY r;
--> DELETED | * | * | 0 | * | 0 | *
SWEEP REPOSITORY r DRY RUN;
--> DELETE | * | * | 0 | * | 0 | *
VERIFY REPOSITORY r LEVEL 'full';
CANCEL VERIFY FROM nowhere;
--! 1105 repository nowhere does not exist; SHOW REPOSITORIES lists those that do
VERIFY REPOSITORY r SNAPSHOT nothing;
--! 1105 snapshot nothing does not exist in repository r; SHOW SNAPSHOT lists those that do
