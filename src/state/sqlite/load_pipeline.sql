SELECT epoch, holder_host, holder_pid, holder_start, renewed_at_ms, publication
FROM pipeline WHERE name = ?1
