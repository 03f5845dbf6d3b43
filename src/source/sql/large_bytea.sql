-- Of the tables $1 (their oids), those with a column of bytea that hold so much that one value may
-- be too large to be sent as text: twice its size and no more than 1 GB.
SELECT n.nspname, c.relname
FROM unnest($1::oid[]) AS wanted(oid)
JOIN pg_class c ON c.oid = wanted.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE EXISTS (SELECT FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid = 'bytea'::regtype)
  AND coalesce((SELECT max(pg_table_size(leaf.relid)) FROM pg_partition_tree(c.oid) leaf),
               pg_table_size(c.oid)) > 512 * 1024 * 1024::bigint
ORDER BY 1, 2
