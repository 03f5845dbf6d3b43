-- $1 pipeline
SELECT destination, schema_name, table_name, relation, identity, version, definition, files, columns
FROM freshet_state.table_schema WHERE pipeline = $1
