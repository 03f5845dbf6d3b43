-- $1 pipeline, $2 epoch, $3 publication
UPDATE freshet_state.pipeline SET publication = $3
WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL
