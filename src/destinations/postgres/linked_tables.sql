-- $1 pipeline, $2 schemas and $3 names of tables: the others that foreign keys link with them.
SELECT schema, "table" FROM freshet.table_objects
WHERE pipeline = $1 AND kind = 'foreign_key'
  AND (other_schema, other_table) IN (SELECT * FROM unnest($2::text[], $3::text[]))
UNION
SELECT other_schema, other_table FROM freshet.table_objects
WHERE pipeline = $1 AND kind = 'foreign_key'
  AND (schema, "table") IN (SELECT * FROM unnest($2::text[], $3::text[]))
