-- $1 pipeline, $2 schema, $3 table, $4 column, $5 m, $6 ef_construction
INSERT INTO freshet.vector_indexes VALUES ($1, $2, $3, $4, $5::integer, $6::integer)
ON CONFLICT (pipeline, schema, "table", "column") DO UPDATE
SET m = excluded.m, ef_construction = excluded.ef_construction
