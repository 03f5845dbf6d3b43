-- $1 pipeline, $2 host, $3 pid, $4 process; $5 epoch and $6 time of renewal as they were when the
-- lease was found free, NULL if there was none. No row: somebody else was here in between.
WITH next AS (
  UPDATE freshet_state.epoch_counter
  SET last = greatest(last + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
  RETURNING last
)
INSERT INTO freshet_state.pipeline AS known
  (name, epoch, holder_host, holder_pid, holder_process, renewed_at)
SELECT $1::text, next.last, $2::text, $3::bigint, $4::text, clock_timestamp() FROM next
ON CONFLICT (name) DO UPDATE
SET epoch = excluded.epoch, holder_host = excluded.holder_host, holder_pid = excluded.holder_pid,
    holder_process = excluded.holder_process, renewed_at = excluded.renewed_at
WHERE known.epoch = $5::bigint AND known.renewed_at = $6::timestamptz
RETURNING epoch
