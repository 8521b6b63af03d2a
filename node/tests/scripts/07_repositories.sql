-- Repositories.

CREATE REPOSITORY r WITH BROKER ON LOCATION 'file://${dir}/r';
CREATE REPOSITORY r ON LOCATION 'file://${dir}/other';
--! 1105 repository 'r' already exists
CREATE REPOSITORY `not a name` ON LOCATION 'file://${dir}/other';
--! 1064 Getting syntax error. Detail message: wrong repository name 'not a name' at line 1, column 19; 1 to 64 characters: a letter first, or an underscore and a letter or digit, then letters, digits and _
CREATE REPOSITORY x ON LOCATION '';
--! 1064 Getting syntax error. Detail message: the location is empty at line 1, column 33; write a URL such as 'file:///backups/main'
CREATE REPOSITORY x ON LOCATION 'here';
--! 1105 "here" is not a location; use file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
CREATE REPOSITORY x ON LOCATION 'ftp://host/x';
--! 1105 "ftp" is no known kind of location; use file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
CREATE REPOSITORY x ON LOCATION 'hdfs://host/x';
--! 1235 locations of kind hdfs: are not supported; use file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
CREATE REPOSITORY x ON LOCATION 'file:///dev/null/x';
--! 1105 file:///dev/null/x cannot be used for a repository; check that it is a directory, on a file system that is mounted
CREATE REPOSITORY x ON LOCATION 's3://bucket/x' PROPERTIES ('aws.s3.acces_key' = 'k');
--! 1105 property 'aws.s3.acces_key' is not known for s3: locations; did you mean 'aws.s3.access_key'?
CREATE REPOSITORY x ON LOCATION 'file://${dir}/x' PROPERTIES ('aws.s3.access_key' = 'k');
--! 1105 property 'aws.s3.access_key' is for s3: locations, and this is file://${dir}/x
CREATE READ ONLY REPOSITORY x ON LOCATION 'file://${dir}/empty';
--! 1105 there is no repository at 'file://${dir}/empty', and a READ ONLY one is not made; check the location, or leave READ ONLY out
CREATE READ ONLY REPOSITORY ro WITH BROKER hdfs_broker ON LOCATION 'file://${dir}/r';
SHOW REPOSITORIES;
--> * | r | * | false | file://${dir}/r | '' | NULL
--> * | ro | * | true | file://${dir}/r | hdfs_broker | NULL
SELECT repository, read_only, snapshots, retention, status FROM information_schema.repositories ORDER BY 1;
--> r | NO | 0 | NULL | OK
--> ro | YES | 0 | NULL | OK
CREATE DATABASE d;
CREATE TABLE d.t (k INT);
BACKUP SNAPSHOT d.s TO ro;
--! 1105 repository ro is read only
BACKUP SNAPSHOT d.s TO nowhere;
--! 1105 repository nowhere does not exist; SHOW REPOSITORIES lists those that do
SHOW SNAPSHOT ON nowhere;
--! 1105 repository 'nowhere' does not exist; SHOW REPOSITORIES lists those that do
DROP REPOSITORY ro;
DROP REPOSITORY ro;
--! 1105 repository 'ro' does not exist; SHOW REPOSITORIES lists those that do
ALTER REPOSITORY r SET RETENTION (KEEP LAST 2, MIN 1);
ALTER REPOSITORY r SET RETENTION (KEEP LAST 0);
--! 1105 KEEP LAST must be at least 1, not 0
ALTER REPOSITORY r SET RETENTION (MIN 1);
--! 1064 Getting syntax error. Detail message: a retention says what is kept at line 1, column 40; write KEEP LAST n, KEEP WITHIN '30d' or both beside MIN
SELECT repository, retention FROM information_schema.repositories;
--> r | KEEP LAST 2, MIN 1
ALTER REPOSITORY r DROP RETENTION;
APPLY RETENTION ON r;
SWEEP REPOSITORY r DRY RUN;
--> DELETE | 0 | 0 | 0 | 0 | 0 | 0
SWEEP REPOSITORY nowhere;
--! 1105 repository nowhere does not exist; SHOW REPOSITORIES lists those that do
VERIFY REPOSITORY r LEVEL 'everything';
--! 1105 "everything" is not a level of verifying; use meta, size, sample=P% (P above 0, at most 100) or full
