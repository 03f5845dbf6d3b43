-- How the publications of $1 publish the tables $2 (their oids): one row for each that does, under the
-- table's own name (a partitioned one is not, where its partitions are). Column lists and filters exist
-- since version 15. With the list, whether it leaves out none of the columns that are there: where there
-- is no list, the view shows them all, but those of a later moment.
WITH published AS MATERIALIZED (  -- once, not for each table
  SELECT * FROM pg_publication_tables WHERE pubname = ANY ($1::text[]))
SELECT p.pubname,
       listed.names,
       coalesce(listed.is_whole, true),
       coalesce(to_jsonb(t) ->> 'rowfilter', ''),
       c.oid
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN published t ON t.schemaname = n.nspname AND t.tablename = c.relname
JOIN pg_publication p ON p.pubname = t.pubname
LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
LEFT JOIN LATERAL (
  SELECT string_agg(a.attname, E'\x01' ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY (list.attnums)),
         bool_and(a.attnum = ANY (list.attnums))
  FROM (SELECT translate(to_jsonb(r) ->> 'prattrs', '[]', '{}')::int2[]) list(attnums)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  WHERE list.attnums IS NOT NULL) listed(names, is_whole) ON true
WHERE c.oid = ANY ($2::oid[])
ORDER BY c.oid, p.pubname
