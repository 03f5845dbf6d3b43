SELECT schema_name, table_name, relation, identity, version
FROM table_schema WHERE pipeline = ?1 ORDER BY schema_name, table_name
