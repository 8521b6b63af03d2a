-- Queries: what MySQL's users write.

CREATE DATABASE d;
USE d;
CREATE TABLE people (id INT, name VARCHAR(20), age INT, city VARCHAR(20)) DUPLICATE KEY (id);
INSERT INTO people VALUES (1, 'Ada', 36, 'London'), (2, 'Grace', 85, 'New York'), (3, 'Alan', 41, 'London'), (4, 'Edsger', NULL, 'Rotterdam');
CREATE TABLE cities (name VARCHAR(20), country VARCHAR(20)) PRIMARY KEY (name);
INSERT INTO cities VALUES ('London', 'UK'), ('New York', 'US');
SELECT name FROM people ORDER BY name;
--> Ada
--> Alan
--> Edsger
--> Grace
SELECT Name FROM people WHERE AGE > 40 ORDER BY age DESC;
--> Grace
--> Alan
SELECT count(*), count(age), sum(age), avg(age), min(name), max(name) FROM people;
--> 4 | 3 | 162 | 54 | Ada | Grace
SELECT city, count(*) AS n FROM people GROUP BY city HAVING n > 1;
--> London | 2
SELECT p.name, c.country FROM people p LEFT JOIN cities c ON p.city = c.name ORDER BY p.id;
--> Ada | UK
--> Grace | US
--> Alan | UK
--> Edsger | NULL
SELECT name FROM people WHERE city IN (SELECT name FROM cities WHERE country = 'UK') ORDER BY 1;
--> Ada
--> Alan
SELECT name FROM people WHERE EXISTS (SELECT 1 FROM cities c WHERE c.name = people.city AND c.country = 'US');
--> Grace
SELECT name FROM people WHERE name LIKE 'A%' AND NOT name LIKE '%n' ORDER BY 1;
--> Ada
SELECT name FROM people ORDER BY age LIMIT 2;
--> Edsger
--> Ada
SELECT name FROM people ORDER BY id LIMIT 2 OFFSET 1;
--> Grace
--> Alan
SELECT name FROM people ORDER BY id LIMIT 1, 2;
--> Grace
--> Alan
SELECT DISTINCT city FROM people ORDER BY city;
--> London
--> New York
--> Rotterdam
SELECT 7 / 2, 7 DIV 2, 7 % 4, 1 / 0, -7 DIV 2;
--> 3.5 | 3 | 3 | NULL | -3
SELECT 1 UNION ALL SELECT 1;
--> 1
--> 1
SELECT 1 UNION SELECT 1;
--> 1
SELECT CASE WHEN age > 50 THEN 'old' WHEN age IS NULL THEN '?' ELSE 'young' END FROM people ORDER BY id;
--> young
--> old
--> young
--> ?
SELECT IF(age > 40, 'yes', 'no'), IFNULL(age, 0), COALESCE(NULL, age, -1) FROM people ORDER BY id;
--> no | 36 | 36
--> yes | 85 | 85
--> yes | 41 | 41
--> no | 0 | -1
SELECT concat(name, '!'), upper(name), length(name), substring(name, 1, 2) FROM people WHERE id = 1;
--> Ada! | ADA | 3 | Ad
SELECT date_format('2026-12-01 01:02:03', '%Y/%m/%d %H:%i'), year('2026-12-01'), datediff('2026-12-03', '2026-12-01');
--> 2026/12/01 01:02 | 2026 | 2
SELECT age / 2, age DIV 2 FROM people WHERE id = 1;
--> 18 | 18
SELECT date_format('2026-12-01', '%q');
--! 1235 %q in the format of date_format is not supported
SELECT date_format(NULL, '%Y');
--> NULL
SELECT name, row_number() OVER (ORDER BY id DESC) FROM people ORDER BY id;
--> Ada | 4
--> Grace | 3
--> Alan | 2
--> Edsger | 1
WITH old AS (SELECT * FROM people WHERE age > 40) SELECT count(*) FROM old;
--> 2
SELECT * FROM (SELECT id FROM people) q WHERE id = 3;
--> 3
SELECT name FROM people WHERE age <=> NULL;
--> Edsger
SELECT name FROM people WHERE city = 'London' AND 1 ORDER BY id;
--> Ada
--> Alan
SELECT count(*) FROM people WHERE true = 1;
--> 4
SELECT name FROM people WHERE name REGEXP '^A.a';
--> Ada
--> Alan
SELECT 'it''s', "double", 'a\tb';
--> it's | double | a	b
SELECT 1 FROM dual;
--> 1
SELECT @@version_comment LIKE 'Tabularium%';
--> 1
-- Refused.
SELECT nope FROM people;
--! 1054 Unknown column 'nope'; there are id, name, age, city
SELECT name FROM nowhere;
--! 1146 Table 'd.nowhere' doesn't exist
SELECT name FROM nowhere.people;
--! 1049 Unknown database 'nowhere'
SELECT count(*, name) FROM people;
--! 1235 Physical plan does not support logical expression Wildcard { qualifier: None, options: WildcardOptions { ilike: None, exclude: None, except: None, replace: None, rename: None } }
SELECT name, count(*) FROM people;
--! 1105 Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column "people.name" must appear in the GROUP BY clause or must be part of an aggregate function, currently only "count(Int64(1))" appears in the SELECT clause satisfies this requirement
SELECT no_such_function(1);
--! 1105 Invalid function 'no_such_function'.
SELEC 1;
--! 1064 Getting syntax error. Detail message: expected a statement, found SELEC at line 1, column 1; did you mean SELECT?
SELECT 'open;
--! 1064 Getting syntax error. Detail message: a string that begins with ' is not closed at line 1, column 8
SELECT * FROM people WHERE;
--! 1064 Getting syntax error. Detail message: expected an expression, found the end of the statement at line 1, column 27
