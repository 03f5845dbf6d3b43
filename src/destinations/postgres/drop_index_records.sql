-- $1 pipeline, $2 schema, $3 table
DELETE FROM freshet.vector_indexes WHERE pipeline = $1 AND schema = $2 AND "table" = $3
RETURNING "column"
