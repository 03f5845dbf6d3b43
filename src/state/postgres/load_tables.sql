SELECT destination, schema_name, table_name, phase, reason
FROM freshet_state.table_state WHERE pipeline = $1 ORDER BY destination, schema_name, table_name
