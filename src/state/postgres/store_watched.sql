-- $1 pipeline, $2 epoch of the lease, held as in store_slot.sql
WITH held AS (
  SELECT name FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL FOR SHARE
)
INSERT INTO freshet_state.watched (pipeline, text)
SELECT name, $3::text FROM held
ON CONFLICT (pipeline) DO UPDATE SET text = excluded.text
