-- $1 pipeline, $2 epoch. Everything else hangs on this row.
DELETE FROM freshet_state.pipeline
WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL
