-- Users, roles, privileges.

CREATE DATABASE d;
CREATE TABLE d.t (k INT);
CREATE USER reader IDENTIFIED BY 'secret';
CREATE USER reader IDENTIFIED BY 'other';
--! 1396 Operation CREATE USER failed for 'reader'@'%': the user is there already; ALTER USER changes it
CREATE USER IF NOT EXISTS reader IDENTIFIED BY 'other';
CREATE USER 'writer'@'10.0.0.%' IDENTIFIED WITH mysql_native_password BY 'secret';
CREATE USER x IDENTIFIED WITH sha256_password BY 'secret';
--! 1235 plugin 'sha256_password' is not supported; there are mysql_native_password and caching_sha2_password
CREATE ROLE backup_operator;
CREATE ROLE backup_operator;
--! 1396 Operation CREATE ROLE failed for 'backup_operator': the role is there already
CREATE ROLE IF NOT EXISTS backup_operator;
SHOW USERS;
--> 'reader'@'%' | Yes | mysql_native_password | No | '' | *
--> 'root'@'%' | No | mysql_native_password | No | root | NULL
--> 'writer'@'10.0.0.%' | Yes | mysql_native_password | No | '' | *
SHOW ROLES;
--> backup_operator | false | NULL
--> db_admin | true | Everything on the catalog, its databases, tables and views
--> public | true | What every user may do; empty at first
--> root | true | Everything; also called ADMIN
--> user_admin | true | Users, roles and privileges
GRANT SELECT ON TABLE d.t TO USER reader;
GRANT SELECT, INSERT ON d.* TO 'writer'@'10.0.0.%';
GRANT REPOSITORY ON SYSTEM TO ROLE backup_operator;
GRANT EXPORT ON ALL TABLES IN DATABASE d TO ROLE backup_operator;
GRANT backup_operator TO USER reader;
SHOW GRANTS FOR reader;
--> 'reader'@'%' | NULL | GRANT 'backup_operator' TO USER 'reader'@'%'
--> 'reader'@'%' | default_catalog | GRANT SELECT ON TABLE d.t TO USER 'reader'@'%'
SHOW GRANTS FOR ROLE backup_operator;
--> backup_operator | NULL | GRANT REPOSITORY ON SYSTEM TO ROLE 'backup_operator'
--> backup_operator | default_catalog | GRANT EXPORT ON ALL TABLES IN DATABASE d TO ROLE 'backup_operator'
SHOW GRANTS;
--> 'root'@'%' | NULL | GRANT 'root' TO USER 'root'@'%'
SHOW GRANTS FOR nobody;
--! 1141 There is no such grant defined for 'nobody'@'%': it is not there
REVOKE SELECT ON TABLE d.t FROM USER reader;
SHOW GRANTS FOR reader;
--> 'reader'@'%' | NULL | GRANT 'backup_operator' TO USER 'reader'@'%'
REVOKE backup_operator FROM USER reader;
SHOW GRANTS FOR reader;
GRANT FLY ON TABLE d.t TO USER reader;
--! 1064 Getting syntax error. Detail message: FLY is no privilege at line 1, column 11; there are GRANT, OPERATE, REPOSITORY, FILE, CREATE DATABASE, CREATE TABLE, CREATE VIEW, SELECT, INSERT, UPDATE, DELETE, EXPORT, ALTER, DROP
GRANT SELECT ON SYSTEM TO USER reader;
--! 1105 there is no privilege SELECT on SYSTEM; there are: GRANT, OPERATE, REPOSITORY, FILE
GRANT SELECT ON TABLE d.t TO USER nobody;
--! 1396 Operation GRANT failed for 'nobody'@'%': there is no such user; SHOW USERS lists those that there are
GRANT nothing TO USER reader;
--! 1396 Operation GRANT failed for role 'nothing': there is no such role; SHOW ROLES lists those that there are
ALTER USER reader IDENTIFIED BY 'new';
SET PASSWORD FOR reader = PASSWORD('newer');
ALTER USER nobody IDENTIFIED BY 'x';
--! 1396 Operation ALTER USER failed for 'nobody'@'%': there is no such user; SHOW USERS lists those that there are
DROP ROLE backup_operator;
DROP ROLE backup_operator;
--! 1396 Operation DROP ROLE failed for 'backup_operator': there is no such role
DROP USER reader;
DROP USER reader;
--! 1396 Operation DROP USER failed for 'reader'@'%': there is no such user; SHOW USERS lists those that there are
DROP USER IF EXISTS reader;
DROP USER root;
--! 1396 Operation DROP USER failed for 'root'@'%': it is built in
SELECT CURRENT_USER();
--> 'root'@'%'
