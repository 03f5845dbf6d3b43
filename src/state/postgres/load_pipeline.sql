-- $1 pipeline. The times of the lease are in ms, by this server's clock.
SELECT epoch, holder_host, holder_pid, holder_process,
       (extract(epoch FROM renewed_at) * 1000)::bigint AS renewed_at_ms,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms,
       renewed_at, publication
FROM freshet_state.pipeline WHERE name = $1
