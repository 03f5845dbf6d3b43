-- $1 pipeline, $2 schema, $3 table, then arrays of equal length: $4 kinds, $5 names, $6 definitions,
-- $7 schemas and $8 names of what they refer to.
INSERT INTO freshet.table_objects
  (pipeline, schema, "table", place, kind, name, definition, other_schema, other_table)
SELECT $1::text, $2::text, $3::text, place, kind, name, definition, other_schema, other_table
FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) WITH ORDINALITY
  AS o(kind, name, definition, other_schema, other_table, place)
