-- $1 pipeline, $2 schema, $3 table, $4 phase. A phase is recorded where a copy begins or ends: chunks
-- mean nothing any more.
WITH forgotten AS (
  DELETE FROM freshet.chunks WHERE pipeline = $1 AND schema = $2 AND "table" = $3
)
INSERT INTO freshet.tables (pipeline, schema, "table", phase) VALUES ($1, $2, $3, $4)
ON CONFLICT (pipeline, schema, "table") DO UPDATE
SET phase = excluded.phase, updated_at = now()
