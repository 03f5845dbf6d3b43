-- The heaps that hold the rows of the tables $1 (their oids): each itself, or the leaves of a
-- partitioned one. $2: with their sizes, for which a table that somebody locks is waited for.
-- (pg_partition_tree() would lock every partition until the transaction ends: a copy's is long.)
WITH RECURSIVE member AS (
  SELECT DISTINCT root, root AS relid FROM unnest($1::oid[]) root
  UNION ALL
  SELECT member.root, i.inhrelid FROM member
  JOIN pg_class parent ON parent.oid = member.relid AND parent.relkind = 'p'
  JOIN pg_inherits i ON i.inhparent = member.relid)
SELECT l.oid, n.nspname, l.relname, coalesce(pg_relation_filenode(l.oid), 0),
       CASE WHEN l.relkind = 'f' OR NOT $2 THEN 0
            ELSE pg_relation_size(l.oid) / current_setting('block_size')::bigint END,
       l.relkind = 'f',
       greatest(l.reltuples, 0)::float8,
       member.root
FROM member
JOIN pg_class l ON l.oid = member.relid
JOIN pg_namespace n ON n.oid = l.relnamespace
WHERE l.relkind IN ('r', 'f', 'm')
ORDER BY n.nspname, l.relname
