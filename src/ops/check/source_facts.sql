-- What decides whether a server can be a source, in one row. Settings that only some versions or
-- providers have are NULL elsewhere.
SELECT current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int AS slots_max,
       (SELECT count(*) FROM pg_replication_slots) AS slots_used,
       current_setting('max_wal_senders')::int AS senders_max,
       (SELECT count(*) FROM pg_stat_get_wal_senders()) AS senders_used,
       current_setting('max_slot_wal_keep_size') AS slot_wal_keep_size,
       current_setting('idle_replication_slot_timeout', true) AS idle_slot_timeout,
       -- For superusers' eyes only: current_setting() would fail, this view leaves it out.
       (SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries')
         AS output_plugin_libraries,
       current_setting('server_encoding') AS server_encoding,
       pg_is_in_recovery() AS is_standby,
       current_setting('hot_standby_feedback') = 'on' AS has_standby_feedback,
       current_setting('primary_slot_name') AS standby_slot,
       pg_backend_pid() AS backend_pid,
       current_user AS role_name,
       current_database() AS database_name,
       r.rolsuper AS is_superuser,
       r.rolreplication AS has_replication,
       r.rolbypassrls AS bypasses_rls,
       coalesce((SELECT bool_or(pg_has_role(current_user, g.oid, 'MEMBER')) FROM pg_roles g
                 WHERE g.rolname IN ('rds_replication', 'rds_superuser')), false) AS is_rds_replication,
       has_database_privilege(current_database(), 'CREATE') AS can_create_in_database,
       CASE
         WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'rdsadmin') THEN 'rds'
         WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'cloudsqladmin') THEN 'cloudsql'
         WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'azure_pg_admin') THEN 'azure'
         WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'neon_superuser') THEN 'neon'
         WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'supabase_admin') THEN 'supabase'
         ELSE ''
       END AS provider,
       (SELECT count(*) FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
          AND a.xact_start < now() - interval '1 minute' AND a.backend_xid IS NOT NULL) AS long_transactions,
       (SELECT string_agg(a.pid::text, ', ') FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
          AND a.xact_start < now() - interval '1 minute' AND a.backend_xid IS NOT NULL) AS long_transaction_pids,
       (SELECT string_agg(p.gid, ', ') FROM pg_prepared_xacts p
        WHERE p.database = current_database()) AS prepared_transactions,
       (SELECT string_agg(DISTINCT split_part(c.setting, '=', 1), ', ')
        FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting)
        WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND s.setrole IN (0, r.oid)
          AND lower(split_part(c.setting, '=', 1)) IN
              ('datestyle', 'intervalstyle', 'timezone', 'extra_float_digits', 'bytea_output',
               'search_path', 'row_security', 'statement_timeout', 'lock_timeout',
               'idle_in_transaction_session_timeout', 'client_encoding', 'xmlbinary',
               'lc_monetary', 'standard_conforming_strings')) AS pinned_overrides
FROM pg_roles r WHERE r.rolname = current_user
