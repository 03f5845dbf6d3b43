-- $1 pipeline. Removes the replication origins of its sessions, where the role may.
SELECT pg_replication_origin_drop(roname)
FROM pg_replication_origin
WHERE (roname = 'freshet_' || $1 OR starts_with(roname, 'freshet_' || $1 || '/'))
  AND has_function_privilege('pg_replication_origin_drop(text)', 'EXECUTE')
