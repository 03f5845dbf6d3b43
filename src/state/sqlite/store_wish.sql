INSERT OR REPLACE INTO table_wish (pipeline, schema_name, table_name, wish, checksum)
VALUES (?1, ?2, ?3, ?4, ?5)
