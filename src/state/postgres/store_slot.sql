-- $1 pipeline, $2 epoch of the lease. The lock makes whoever takes the lease wait for us, and us for
-- him: then the row is looked at again.
WITH held AS (
  SELECT name FROM freshet_state.pipeline
  WHERE name = $1 AND epoch = $2::bigint AND holder_host IS NOT NULL FOR SHARE
)
INSERT INTO freshet_state.slot
  (pipeline, system_identifier, timeline, slot_name, consistent_point, epoch)
SELECT name, $3::text, $4::bigint, $5::text, $6::pg_lsn, $7::text FROM held
ON CONFLICT (pipeline) DO UPDATE
SET system_identifier = excluded.system_identifier, timeline = excluded.timeline,
    slot_name = excluded.slot_name, consistent_point = excluded.consistent_point,
    epoch = excluded.epoch
