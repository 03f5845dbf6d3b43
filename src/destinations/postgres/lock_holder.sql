-- $1 schemas and $2 names of tables: of the sessions that hold a lock on one, that with the oldest
-- transaction.
SELECT format('pid %s%s', a.pid, ' (' || nullif(concat_ws(', ', nullif(a.application_name, ''),
              a.usename), '') || ')')
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY a.xact_start LIMIT 1
