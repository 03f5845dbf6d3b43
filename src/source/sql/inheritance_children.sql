-- Tables that inherit from those of $1 (their oids) other than as partitions.
SELECT n.nspname, c.relname, i.inhparent
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = ANY ($1::oid[]) AND NOT c.relispartition
ORDER BY 1, 2
