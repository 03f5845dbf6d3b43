-- $1 schema, $2 table, $3 kind, $4 name: what stands under an object's name: 'free', 'here',
-- 'unfinished' (an index that cannot be used), or 'taken' by something else.
SELECT CASE
  WHEN $3 IN ('index', 'unique_index') THEN coalesce(
    (SELECT CASE WHEN i.indrelid IS DISTINCT FROM t.oid THEN 'taken'
                 WHEN i.indisvalid THEN 'here' ELSE 'unfinished' END
     FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
     WHERE c.relnamespace = t.relnamespace AND c.relname = $4), 'free')
  WHEN $3 IN ('constraint', 'foreign_key', 'validation') THEN
    CASE WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.conname = $4)
         THEN 'here' ELSE 'free' END
  WHEN $3 IN ('default', 'identity') THEN
    CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = $4
                        AND (a.atthasdef OR a.attidentity <> ''))
         THEN 'here' ELSE 'free' END
  ELSE 'free' END
FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = $1 AND t.relname = $2
