SELECT schema_name, table_name, relation, identity, version, definition, files
FROM table_schema WHERE pipeline = ?1 ORDER BY schema_name, table_name
