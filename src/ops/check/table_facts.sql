-- $1: JSON list of {"schema", "name"}. One row for each, in order, found or not.
SELECT w.schema, w.name,
       n.oid IS NOT NULL AS has_schema,
       c.oid IS NOT NULL AS is_found,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS can_use_schema,
       coalesce(has_table_privilege(c.oid, 'SELECT'), false) AS can_select,
       coalesce(pg_has_role(c.relowner, 'USAGE'), false) AS is_owner,
       c.relkind AS kind,
       c.relpersistence AS persistence,
       c.relreplident AS identity,
       coalesce(c.relispartition, false) AS is_partition,
       coalesce(c.relkind IN ('r', 'p') AND row_security_active(c.oid), false) AS has_row_security,
       i.indexrelid IS NOT NULL AS has_identity_index,
       (SELECT u.indexrelid::regclass::text FROM pg_index u
        WHERE u.indrelid = c.oid AND u.indisunique AND u.indisvalid AND u.indimmediate
          AND u.indpred IS NULL AND u.indexprs IS NULL
          AND NOT EXISTS (SELECT FROM unnest(u.indkey) AS k(attnum)
                          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                          WHERE NOT a.attnotnull)
        ORDER BY u.indexrelid LIMIT 1) AS unique_index,
       coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
       coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped),
                '[]') AS generated_columns,
       coalesce((SELECT json_agg(a.attname) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND has_column_privilege(c.oid, a.attnum, 'SELECT')), '[]') AS readable_columns,
       coalesce((SELECT json_agg(a.attname) FROM pg_attribute a
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[])),
                '[]') AS identity_columns,
       coalesce((SELECT json_agg(a.attname) FROM pg_attribute a
                 JOIN pg_collation l ON l.oid = a.attcollation
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[])
                   AND NOT l.collisdeterministic), '[]') AS nondeterministic_columns,
       coalesce((SELECT json_agg(json_build_object(
                   'table', l.oid::regclass::text, 'kind', l.relkind, 'persistence', l.relpersistence,
                   'identity', l.relreplident,
                   'has_identity_index', EXISTS (
                     SELECT FROM pg_index x WHERE x.indrelid = l.oid AND x.indisvalid
                     AND CASE l.relreplident WHEN 'd' THEN x.indisprimary
                                             WHEN 'i' THEN x.indisreplident ELSE false END))
                   ORDER BY l.oid::regclass::text)
                 FROM pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END) AS t
                 JOIN pg_class l ON l.oid = t.relid
                 WHERE t.isleaf AND c.relkind = 'p' AND l.oid <> c.oid), '[]') AS leaves,
       (SELECT count(*) FROM pg_inherits h WHERE h.inhparent = c.oid AND c.relkind = 'r') AS child_count
FROM ROWS FROM (json_to_recordset($1::json) AS (schema text, name text))
     WITH ORDINALITY AS w(schema, name, place)
LEFT JOIN pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid
     AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
ORDER BY w.place
