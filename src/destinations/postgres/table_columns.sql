-- $1 relation oid: its columns. Types in two forms: without modifier for casts ("bit" and
-- "character" would cut), and as declared. Also their numbers, those of arrays'
-- elements, whether values can come in binary form, whether they are composites, and whether they
-- lie in the row itself.
SELECT a.attname, format_type(a.atttypid, -1), format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.atthasdef, a.attgenerated, a.attidentity,
       a.atttypid, t.typelem, t.typreceive <> 0,
       EXISTS (WITH RECURSIVE base AS (
                 SELECT a.atttypid AS type
                 UNION ALL
                 SELECT d.typbasetype FROM base JOIN pg_type d ON d.oid = base.type AND d.typtype = 'd')
               SELECT FROM base JOIN pg_type b ON b.oid = base.type AND b.typtype = 'c'),
       a.attstorage IN ('p', 'm')
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
