SELECT schema_name, table_name, wish, checksum
FROM table_wish WHERE pipeline = ?1 ORDER BY schema_name, table_name
