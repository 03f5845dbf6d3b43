-- The event triggers of DDL capture by name: whether they fire for everybody, whether the function is
-- ours, and its comment.
SELECT e.evtname, e.evtenabled = 'A', n.nspname = 'freshet' AND p.proname = 'capture_ddl',
       coalesce(obj_description(p.oid, 'pg_proc'), '')
FROM pg_event_trigger e
JOIN pg_proc p ON p.oid = e.evtfoid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE e.evtname IN ('freshet_ddl_command_end', 'freshet_sql_drop')
