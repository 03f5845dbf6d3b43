-- $1 pipeline. Removes the replication origins of its sessions.
SELECT pg_replication_origin_drop(roname)
FROM pg_replication_origin
WHERE roname = 'freshet_' || $1 OR starts_with(roname, 'freshet_' || $1 || '/')
