-- $1 pipeline
SELECT schema_name, table_name, wish
FROM freshet_state.table_wish WHERE pipeline = $1
ORDER BY schema_name COLLATE "C", table_name COLLATE "C"
