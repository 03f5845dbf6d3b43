INSERT INTO table_column
  (pipeline, destination, schema_name, table_name, place, name, type, typmod, type_sql, attnum,
   is_not_null, is_identity, primary_key_place, is_derived, is_builtin_type, is_byte_comparable,
   missing_value)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
