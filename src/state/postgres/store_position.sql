-- $1 pipeline, $2 epoch of the lease, held as in store_slot.sql
WITH held AS (
  SELECT name FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL FOR SHARE
)
INSERT INTO freshet_state.position (pipeline, destination, position)
SELECT name, $3::text, $4::pg_lsn FROM held
ON CONFLICT (pipeline, destination) DO UPDATE SET position = excluded.position
