-- $1 pipeline, $2 schema, $3 table: NULL for all.
SELECT schema, "table", definition FROM freshet.definitions
WHERE pipeline = $1 AND ($2::text IS NULL OR (schema = $2 AND "table" = $3))
