-- The entries that define the tables $1 (their oids), each with the transaction that wrote it; first
-- those of columns, dropped ones included, with what they say. Neither VACUUM nor ANALYZE writes
-- them anew.
SELECT a.attrelid, a.xmin::text::bigint, a.attnum, a.attname, a.atttypid, a.atttypmod,
       a.attisdropped, a.attgenerated <> ''
FROM pg_attribute a WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0
UNION ALL
SELECT c.oid, c.xmin::text::bigint, 0, '', 0, 0, false, false
FROM pg_class c WHERE c.oid = ANY ($1::oid[])
UNION ALL
SELECT i.indrelid, i.xmin::text::bigint, 0, '', 0, 0, false, false
FROM pg_index i WHERE i.indrelid = ANY ($1::oid[])
UNION ALL
SELECT k.conrelid, k.xmin::text::bigint, 0, '', 0, 0, false, false
FROM pg_constraint k WHERE k.conrelid = ANY ($1::oid[])
