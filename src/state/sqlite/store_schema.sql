INSERT INTO table_schema
  (pipeline, destination, schema_name, table_name, relation, identity, version, definition, files)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
