-- $1 pipeline, $2 schema, $3 table, $4 the definition that the table here was made for.
INSERT INTO freshet.definitions VALUES ($1, $2, $3, $4)
ON CONFLICT (pipeline, schema, "table") DO UPDATE SET definition = excluded.definition
