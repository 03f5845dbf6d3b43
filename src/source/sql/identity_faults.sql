-- Of the tables $1 (their oids) and their leaves, those that have no replica identity (false), and
-- those whose replica identity has a generated column (true).
-- (The members come first, and for all tables: a planner that joins them to pg_class table by table
-- reads all of it each time.)
WITH member AS MATERIALIZED (
  SELECT root, root AS relid FROM unnest($1::oid[]) root
  UNION
  SELECT c.oid, tree.relid::oid
  FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) tree
  WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'p' AND tree.isleaf)
SELECT n.nspname, l.relname, member.root, fault.is_generated
FROM member
JOIN pg_class l ON l.oid = member.relid
JOIN pg_namespace n ON n.oid = l.relnamespace
CROSS JOIN LATERAL (
  SELECT false AS is_generated
  WHERE (l.relkind = 'r' OR l.oid = member.root)
    AND l.relreplident <> 'f'
    AND NOT EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = l.oid AND i.indisvalid AND i.indisunique AND i.indimmediate
        AND i.indpred IS NULL
        AND CASE l.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident
                                ELSE false END)
  UNION ALL
  SELECT true
  WHERE l.relkind = 'r'
    AND EXISTS (
      SELECT FROM pg_attribute a
      WHERE a.attrelid = l.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
        AND (l.relreplident = 'f'
             OR EXISTS (SELECT FROM pg_index i
                        WHERE i.indrelid = l.oid AND a.attnum = ANY (i.indkey::int2[])
                          AND CASE l.relreplident WHEN 'd' THEN i.indisprimary
                                                  WHEN 'i' THEN i.indisreplident ELSE false END)))
) fault
ORDER BY 1, 2
