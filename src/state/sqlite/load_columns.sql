SELECT name, type, typmod, type_sql, attnum, is_not_null, is_identity, primary_key_place,
       is_derived, is_builtin_type, is_byte_comparable, missing_value
FROM table_column WHERE pipeline = ?1 AND schema_name = ?2 AND table_name = ?3 ORDER BY place
