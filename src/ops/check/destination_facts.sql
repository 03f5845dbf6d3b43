-- What decides whether a server can be a destination, in one row.
SELECT pg_is_in_recovery() AS is_standby,
       current_setting('default_transaction_read_only') = 'on' AS is_read_only,
       current_user AS role_name, current_database() AS database_name,
       has_database_privilege(current_database(), 'CREATE') AS can_create_schema,
       to_regnamespace('freshet') IS NOT NULL AS has_freshet_schema,
       coalesce(has_schema_privilege(to_regnamespace('freshet'), 'CREATE'), false) AS can_use_freshet,
       to_regclass('freshet.tables') IS NOT NULL AS has_records,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS vector_available,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector_installed,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
         OR (has_database_privilege(current_database(), 'CREATE')
             AND coalesce((SELECT bool_or(v.trusted) FROM pg_available_extension_versions v
                           WHERE v.name = 'vector'), false)) AS can_install_vector
