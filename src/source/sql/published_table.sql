-- How the publications of $1 publish the tables $2 (their oids): one row for each that does. Where roots
-- are not published as such, a partitioned table counts as published when all its leaves are. Column
-- lists and filters exist since version 15. With the list, whether it leaves out none of the columns
-- that are there: where there is no list, the view shows them all, but those of a later moment.
WITH published AS MATERIALIZED (  -- once, not for each table
  SELECT * FROM pg_publication_tables WHERE pubname = ANY ($1::text[]))
SELECT p.pubname,
       listed.names,
       coalesce(listed.is_whole, true),
       coalesce(to_jsonb(t) ->> 'rowfilter', ''),
       c.oid
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_publication p ON p.pubname = ANY ($1::text[])
LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
LEFT JOIN LATERAL (
  SELECT string_agg(a.attname, E'\x01' ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY (list.attnums)),
         bool_and(a.attnum = ANY (list.attnums))
  FROM (SELECT translate(to_jsonb(r) ->> 'prattrs', '[]', '{}')::int2[]) list(attnums)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  WHERE list.attnums IS NOT NULL) listed(names, is_whole) ON true
LEFT JOIN published t
  ON t.pubname = p.pubname AND t.schemaname = n.nspname AND t.tablename = c.relname
WHERE c.oid = ANY ($2::oid[])
  AND (t.pubname IS NOT NULL
       OR (c.relkind = 'p'
           AND EXISTS (SELECT FROM pg_partition_tree(c.oid) tree WHERE tree.isleaf)
           AND NOT EXISTS (
             SELECT FROM pg_partition_tree(c.oid) tree
             JOIN pg_class l ON l.oid = tree.relid
             JOIN pg_namespace ln ON ln.oid = l.relnamespace
             WHERE tree.isleaf AND l.relkind = 'r'
               AND NOT EXISTS (SELECT FROM published lt
                               WHERE lt.pubname = p.pubname AND lt.schemaname = ln.nspname
                                 AND lt.tablename = l.relname))))
ORDER BY c.oid, p.pubname
