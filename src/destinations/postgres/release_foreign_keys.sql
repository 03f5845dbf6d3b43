-- $1 pipeline, $2 schemas and $3 names of tables: the foreign keys of ours from or to them, which are
-- wanted again. With $4 only those to one of them from a table that is none of them.
WITH given AS (
  SELECT schema, "table" FROM unnest($2::text[], $3::text[]) AS g(schema, "table")
), released AS (
  UPDATE freshet.table_objects o SET state = 'wanted'
  WHERE pipeline = $1 AND other_table <> ''
    AND ((kind = 'foreign_key' AND state = 'built')
         OR (kind = 'validation' AND state IN ('built', 'failed')))
    AND CASE
      WHEN (o.schema, o."table") IN (SELECT * FROM given) THEN NOT $4::boolean
      ELSE (o.other_schema, o.other_table) IN (SELECT * FROM given) END
  RETURNING schema, "table", kind, name
)
SELECT r.schema, r."table", r.name
FROM released r
JOIN pg_namespace n ON n.nspname = r.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r."table"
WHERE r.kind = 'foreign_key'
ORDER BY 1, 2, 3
