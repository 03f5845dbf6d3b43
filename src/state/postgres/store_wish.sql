-- $1 pipeline, $2 schema, $3 table, $4 wish. An operator's: no lease is asked for.
INSERT INTO freshet_state.table_wish (pipeline, schema_name, table_name, wish)
VALUES ($1, $2, $3, $4)
ON CONFLICT (pipeline, schema_name, table_name) DO UPDATE SET wish = excluded.wish
