-- $1 pipeline, $2 epoch of the lease, held as in store_slot.sql; $11 the columns
WITH held AS (
  SELECT name FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL FOR SHARE
)
INSERT INTO freshet_state.table_schema
  (pipeline, destination, schema_name, table_name, relation, identity, version, definition, files,
   columns)
SELECT name, $3::text, $4::text, $5::text, $6::oid, $7::text, $8::bigint, $9::text, $10::text,
       $11::jsonb
FROM held
ON CONFLICT (pipeline, destination, schema_name, table_name) DO UPDATE
SET relation = excluded.relation, identity = excluded.identity, version = excluded.version,
    definition = excluded.definition, files = excluded.files, columns = excluded.columns
