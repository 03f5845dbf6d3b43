SELECT destination, schema_name, table_name, relation, identity, version, definition, files
FROM table_schema WHERE pipeline = ?1 ORDER BY destination, schema_name, table_name
