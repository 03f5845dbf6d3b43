-- Of the tables $1 (their oids) and their leaves, those that have no replica identity.
SELECT n.nspname, l.relname, c.oid
FROM pg_class c
CROSS JOIN LATERAL (
  SELECT c.oid AS relid
  UNION
  SELECT tree.relid::oid FROM pg_partition_tree(c.oid) tree WHERE tree.isleaf
) member
JOIN pg_class l ON l.oid = member.relid
JOIN pg_namespace n ON n.oid = l.relnamespace
WHERE c.oid = ANY ($1::oid[])
  AND (l.relkind = 'r' OR l.oid = c.oid)
  AND l.relreplident <> 'f'
  AND NOT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = l.oid AND i.indisvalid AND i.indisunique AND i.indimmediate
      AND i.indpred IS NULL
      AND CASE l.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident
                              ELSE false END)
ORDER BY 1, 2
