-- $1 schema, $2 table: the relation, if it exists, and a trigger of somebody's that would fire on what
-- this session writes to it or to a partition of it. One that is to fire ALWAYS, or on what is
-- replicated, is meant to.
SELECT c.oid, c.relkind, c.relpersistence, fires.nspname, fires.relname, fires.tgname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT mn.nspname, m.relname, tg.tgname
  FROM (SELECT c.oid AS relid
        UNION
        SELECT relid FROM pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END)) tree
  JOIN pg_trigger tg ON tg.tgrelid = tree.relid
  JOIN pg_class m ON m.oid = tree.relid
  JOIN pg_namespace mn ON mn.oid = m.relnamespace
  WHERE NOT tg.tgisinternal AND tg.tgenabled = 'O'
    AND current_setting('session_replication_role') <> 'replica'
  ORDER BY 1, 2, 3 LIMIT 1) fires ON true
WHERE n.nspname = $1 AND c.relname = $2
