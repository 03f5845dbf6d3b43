-- $1 pipeline, $2 schema, $3 table: the foreign keys of ours from or to it, which are wanted again.
WITH released AS (
  UPDATE freshet.table_objects SET state = 'wanted'
  WHERE pipeline = $1 AND other_table <> ''
    AND ((kind = 'foreign_key' AND state = 'built')
         OR (kind = 'validation' AND state IN ('built', 'failed')))
    AND ((schema = $2 AND "table" = $3) OR (other_schema = $2 AND other_table = $3))
  RETURNING schema, "table", kind, name
)
SELECT r.schema, r."table", r.name
FROM released r
JOIN pg_namespace n ON n.nspname = r.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r."table"
WHERE r.kind = 'foreign_key'
ORDER BY 1, 2, 3
