-- $1 pipeline, $2 schemas, $3 tables, $4 phase. A phase is recorded where a copy begins or ends: chunks
-- mean nothing any more.
WITH recorded AS (
  SELECT schema, "table" FROM unnest($2::text[], $3::text[]) AS r(schema, "table")
), forgotten AS (
  DELETE FROM freshet.chunks c USING recorded r
  WHERE c.pipeline = $1::text AND c.schema = r.schema AND c."table" = r."table"
)
INSERT INTO freshet.tables (pipeline, schema, "table", phase)
SELECT $1::text, schema, "table", $4::text FROM recorded
ON CONFLICT (pipeline, schema, "table") DO UPDATE
SET phase = excluded.phase, updated_at = now()
