-- $1 pipeline, $2 fence, $3 system identifier, $4 timeline, $5 slot, $6 consistent point, $7 epoch,
-- $8 position. Only where no slot is recorded.
UPDATE freshet.progress
SET system_identifier = $3, timeline = $4::bigint, slot_name = $5, consistent_point = $6::pg_lsn,
    epoch = $7, position = $8::pg_lsn, updated_at = now()
WHERE pipeline = $1 AND fence = $2::bigint AND epoch IS NULL
RETURNING position
