-- $1 pipeline, $2 epoch
UPDATE freshet_state.pipeline SET renewed_at = clock_timestamp()
WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL
