-- $1 pipeline, $2 epoch of the lease, held as in store_slot.sql; $3 schema, $4 table, $5 the wish, which
-- may have been replaced. One row iff the lease is held.
WITH held AS (
  SELECT name FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL FOR SHARE
), forgotten AS (
  DELETE FROM freshet_state.table_wish w USING held
  WHERE w.pipeline = held.name AND w.schema_name = $3 AND w.table_name = $4 AND w.wish = $5
)
SELECT name FROM held
