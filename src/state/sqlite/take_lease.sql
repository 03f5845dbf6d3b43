INSERT INTO pipeline (name, epoch, holder_host, holder_pid, holder_start, renewed_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name) DO UPDATE
SET epoch = excluded.epoch, holder_host = excluded.holder_host, holder_pid = excluded.holder_pid,
    holder_start = excluded.holder_start, renewed_at_ms = excluded.renewed_at_ms
