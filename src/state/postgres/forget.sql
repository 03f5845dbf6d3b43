-- $1 pipeline, $2 epoch. Everything else but wishes hangs on its row, which is told if it was there.
WITH forgotten AS (
  DELETE FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL
  RETURNING name
), wishes AS (
  DELETE FROM freshet_state.table_wish w USING forgotten WHERE w.pipeline = forgotten.name
)
SELECT name FROM forgotten
