-- $1 application name. Ends sessions of this pipeline that sit in a transaction without working:
-- their process is gone or cut off. One that is committing is left alone.
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE application_name IN ($1, $1 || ' copy') AND datname = current_database() AND usename = current_user
  AND pid <> pg_backend_pid()
  AND state IN ('idle in transaction', 'idle in transaction (aborted)')
