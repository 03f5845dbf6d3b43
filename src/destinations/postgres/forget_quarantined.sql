-- $1 pipeline, $2 schema, $3 table, $4 id (NULL: any).
DELETE FROM freshet.quarantine
WHERE pipeline = $1 AND ($2::text IS NULL OR (schema = $2 AND "table" = $3))
  AND ($4::bigint IS NULL OR id = $4::bigint)
