-- $1 pipeline, $2 fence. What was streamed from the slot is incomplete: its position goes, and every
-- table that is not left out is to be copied again.
WITH forgotten AS (
  UPDATE freshet.progress
  SET system_identifier = NULL, timeline = NULL, slot_name = NULL, consistent_point = NULL,
      epoch = NULL, position = NULL, committed_at = NULL, updated_at = now()
  WHERE pipeline = $1 AND fence = $2::bigint
  RETURNING pipeline
), tables AS (
  UPDATE freshet.tables t SET phase = 'pending', updated_at = now()
  FROM forgotten f WHERE t.pipeline = f.pipeline AND t.phase <> 'paused'
), chunks AS (
  DELETE FROM freshet.chunks c USING forgotten f WHERE c.pipeline = f.pipeline
)
SELECT pipeline FROM forgotten
