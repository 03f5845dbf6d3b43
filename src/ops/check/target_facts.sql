-- $1: JSON list of {"schema", "name"}. What stands at the destination under each name.
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
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}') AS columns
FROM ROWS FROM (json_to_recordset($1::json) AS (schema text, name text))
     WITH ORDINALITY AS w(schema, name, place)
LEFT JOIN pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
ORDER BY w.place
