-- $1 pipeline, $2 schema, $3 table, $4 phase
INSERT INTO freshet.tables (pipeline, schema, "table", phase) VALUES ($1, $2, $3, $4)
ON CONFLICT (pipeline, schema, "table") DO UPDATE
SET phase = excluded.phase, updated_at = now()
