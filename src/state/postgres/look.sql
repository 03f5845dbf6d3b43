-- What stands here, and what we may do. Asks for the version's table only where we may look into the
-- schema: a name in one that is closed to us is an error.
SELECT CASE WHEN has_schema_privilege(n.oid, 'USAGE')
            THEN to_regclass('freshet_state.version') IS NOT NULL ELSE false END AS has_tables,
       n.oid IS NOT NULL AS has_schema,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use_schema,
       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(n.oid, 'CREATE') END AS may_create,
       pg_is_in_recovery() AS is_standby,
       current_setting('server_encoding') AS encoding,
       current_user AS role
FROM (SELECT to_regnamespace('freshet_state')::oid AS oid) AS n
