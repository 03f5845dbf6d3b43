-- $1 pipeline, $2 schema, $3 table: indexes and constraints that we made, the last first.
SELECT kind, name FROM freshet.table_objects
WHERE pipeline = $1 AND schema = $2 AND "table" = $3 AND state IN ('building', 'built')
  AND kind IN ('constraint', 'unique_index', 'index')
ORDER BY place DESC
