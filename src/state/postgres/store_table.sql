-- $1 pipeline, $2 epoch of the lease, held as in store_slot.sql
WITH held AS (
  SELECT name FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL FOR SHARE
)
INSERT INTO freshet_state.table_state
  (pipeline, destination, schema_name, table_name, phase, reason)
SELECT name, $3::text, $4::text, $5::text, $6::text, $7::text FROM held
ON CONFLICT (pipeline, destination, schema_name, table_name) DO UPDATE
SET phase = excluded.phase, reason = excluded.reason
