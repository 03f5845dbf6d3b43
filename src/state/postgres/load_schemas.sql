-- One row per column, those of a table together; a table without columns has one of NULLs. A missing
-- value is in hex: it may be of bytes that no text is made of.
SELECT t.schema_name, t.table_name, t.relation, t.identity, t.version, t.definition, t.files,
       c.place, c.name, c.type, c.typmod, c.type_sql, c.attnum, c.is_not_null, c.is_identity,
       c.primary_key_place, c.is_derived, c.is_builtin_type, c.is_byte_comparable, c.missing_value
FROM freshet_state.table_schema t
LEFT JOIN LATERAL ROWS FROM (jsonb_to_recordset(t.columns) AS (
  name text, type oid, typmod integer, type_sql text, attnum smallint, is_not_null boolean,
  is_identity boolean, primary_key_place smallint, is_derived boolean, is_builtin_type boolean,
  is_byte_comparable boolean, missing_value text
)) WITH ORDINALITY AS c(
  name, type, typmod, type_sql, attnum, is_not_null, is_identity, primary_key_place, is_derived,
  is_builtin_type, is_byte_comparable, missing_value, place
) ON true
WHERE t.pipeline = $1 ORDER BY t.schema_name, t.table_name, c.place
