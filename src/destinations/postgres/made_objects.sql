-- $1 pipeline, $2 schema, $3 table: what we made of its indexes, constraints, defaults and identity
-- columns, the last first.
SELECT o.kind, o.name FROM freshet.table_objects o
WHERE o.pipeline = $1 AND o.schema = $2 AND o."table" = $3 AND o.state IN ('building', 'built')
  AND (o.kind IN ('constraint', 'unique_index', 'index')
       OR EXISTS (SELECT FROM pg_attribute a
                  JOIN pg_class t ON t.oid = a.attrelid
                  JOIN pg_namespace n ON n.oid = t.relnamespace
                  WHERE n.nspname = o.schema AND t.relname = o."table" AND a.attname = o.name
                    AND NOT a.attisdropped AND a.attgenerated = ''
                    AND CASE o.kind WHEN 'identity' THEN a.attidentity <> ''
                                    WHEN 'default' THEN a.attidentity = '' AND a.atthasdef
                                    ELSE false END))
ORDER BY o.place DESC
