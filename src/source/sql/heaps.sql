-- The heaps that hold the rows of table $1 (its oid): itself, or the leaves of a partitioned one.
SELECT l.oid, n.nspname, l.relname, coalesce(pg_relation_filenode(l.oid), 0),
       CASE WHEN l.relkind = 'f' THEN 0
            ELSE pg_relation_size(l.oid) / current_setting('block_size')::bigint END,
       l.relkind = 'f',
       greatest(l.reltuples, 0)::float8
FROM pg_class c
CROSS JOIN LATERAL (
  SELECT c.oid AS relid WHERE c.relkind <> 'p'
  UNION ALL
  SELECT tree.relid::oid FROM pg_partition_tree(c.oid) tree WHERE c.relkind = 'p' AND tree.isleaf
) member
JOIN pg_class l ON l.oid = member.relid
JOIN pg_namespace n ON n.oid = l.relnamespace
WHERE c.oid = $1::oid AND l.relkind IN ('r', 'f', 'm')
ORDER BY n.nspname, l.relname
