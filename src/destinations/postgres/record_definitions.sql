-- $1 pipeline, $2 schemas, $3 tables, $4 the definitions that the tables here were made for.
INSERT INTO freshet.definitions
SELECT $1::text, * FROM unnest($2::text[], $3::text[], $4::text[])
ON CONFLICT (pipeline, schema, "table") DO UPDATE SET definition = excluded.definition
