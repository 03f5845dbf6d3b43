-- What stands here, and what we may do. Reads the catalogue, since to_regclass() and its like may
-- answer from before a lock was waited for.
SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'version')
         AS has_tables,
       n.oid IS NOT NULL AS has_schema,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use_schema,
       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(n.oid, 'CREATE') END AS may_create,
       pg_is_in_recovery() AS is_standby,
       current_setting('server_encoding') AS encoding,
       current_user AS role
FROM (VALUES (1)) AS one LEFT JOIN pg_namespace n ON n.nspname = 'freshet_state'
