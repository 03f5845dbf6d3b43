-- $1: JSON list of {"schema", "name"}. What stands at the destination under each name, and a trigger
-- of somebody's that this session would fire by writing to it.
SELECT w.schema, w.name,
       n.oid IS NOT NULL AS has_schema,
       coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS can_create,
       c.oid IS NOT NULL AS is_found,
       c.relkind AS kind, c.relpersistence AS persistence,
       coalesce(has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                AND has_table_privilege(c.oid, 'DELETE') AND has_table_privilege(c.oid, 'SELECT'),
                false) AS can_write,
       coalesce((SELECT json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))
                 FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}') AS columns,
       fires.nspname AS trigger_schema, fires.relname AS trigger_table,
       fires.tgname AS trigger_name
FROM ROWS FROM (json_to_recordset($1::json) AS (schema text, name text))
     WITH ORDINALITY AS w(schema, name, place)
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
