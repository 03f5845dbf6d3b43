-- Of the tables (schemas $1, names $2), in their order: the relation, if it exists, and a trigger of
-- somebody's that would fire on what this session writes to it or to a partition of it. One that is to
-- fire ALWAYS, or on what is replicated, is meant to.
SELECT c.oid, c.relkind, c.relpersistence, fires.nspname, fires.relname, fires.tgname
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(schema, name, place)
LEFT JOIN pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
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
ORDER BY w.place
