SELECT name, type, typmod, type_sql, attnum, is_not_null, is_identity, primary_key_place,
       is_derived, is_builtin_type, is_byte_comparable, missing_value
FROM table_column
WHERE pipeline = ?1 AND destination = ?2 AND schema_name = ?3 AND table_name = ?4 ORDER BY place
