-- Of the tables $1 (their oids): the columns whose values cannot be had in binary form, and the type
-- within theirs that is in the way. Either it has no binary form: alone it would be sent as text,
-- but not within an array, a range or a composite. Or it has another number on every server, and
-- the number is sent along: a composite's reader compares it, an array's within another type too.
WITH RECURSIVE part(relation, attname, type, is_within, is_numbered) AS (
  SELECT a.attrelid, a.attname, a.atttypid, false, false
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND t.typsend <> 0
  UNION
  SELECT part.relation, part.attname, inside.type, part.is_within OR inside.is_within,
         inside.is_numbered
  FROM part
  JOIN pg_type t ON t.oid = part.type
  CROSS JOIN LATERAL (
    SELECT t.typbasetype, false, false WHERE t.typtype = 'd'
    UNION ALL
    SELECT t.typelem, true, part.is_within
    WHERE t.typtype <> 'd' AND t.typsend = 'pg_catalog.array_send'::regproc
    UNION ALL
    SELECT a.atttypid, true, true FROM pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT r.rngsubtype, true, false FROM pg_range r WHERE r.rngtypid = t.oid
    UNION ALL
    SELECT r.rngtypid, true, false FROM pg_range r WHERE r.rngmultitypid = t.oid
  ) inside(type, is_within, is_numbered))
SELECT DISTINCT ON (part.relation, part.attname)
       part.relation, part.attname, format_type(t.oid, NULL), t.typsend = 0
FROM part JOIN pg_type t ON t.oid = part.type
WHERE (part.is_within AND t.typsend = 0) OR (part.is_numbered AND t.oid >= 16384)
ORDER BY part.relation, part.attname
