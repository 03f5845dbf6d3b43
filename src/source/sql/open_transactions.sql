-- Open transactions that have an xid before $1 (a decimal xid8; NULL: any xid), oldest first.
-- backend_xid is 32 bits wide: it is compared by its distance from the present xmax.
WITH now AS (
  SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax
),
candidate AS (
  SELECT a.pid, ''::text AS gid, a.backend_xid AS xid, a.usename::text AS usename,
         a.application_name, a.state, a.xact_start AS since
  FROM pg_stat_activity a
  WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid()
  UNION ALL
  SELECT 0, p.gid, p.transaction, p.owner::text, '', 'prepared', p.prepared
  FROM pg_prepared_xacts p
)
SELECT c.pid, c.gid, c.xid::text, c.usename, c.application_name, c.state,
       floor(extract(epoch FROM clock_timestamp() - c.since))::bigint
FROM candidate c, now
WHERE $1::text IS NULL
   OR now.xmax - age(c.xid) < $1::text::bigint
   OR c.xid::text::bigint = ($1::text::bigint & 4294967295)
ORDER BY age(c.xid) DESC
LIMIT 10
