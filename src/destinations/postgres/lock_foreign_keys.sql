-- $1 pipeline, $2 schemas and $3 names of tables: holds the records of foreign keys from or to them
-- until the commit, after waiting for whoever makes one of them just now.
SELECT 1 FROM freshet.table_objects o
WHERE o.pipeline = $1 AND o.kind IN ('foreign_key', 'validation') AND o.other_table <> ''
  AND ((o.schema, o."table") IN (SELECT * FROM unnest($2::text[], $3::text[]))
       OR (o.other_schema, o.other_table) IN (SELECT * FROM unnest($2::text[], $3::text[])))
ORDER BY o.schema, o."table", o.place
FOR UPDATE
