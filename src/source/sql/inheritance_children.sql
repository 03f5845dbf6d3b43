-- Tables that inherit from $1 (its oid) other than as partitions.
SELECT n.nspname, c.relname
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = $1::oid AND NOT c.relispartition
ORDER BY 1, 2
