SELECT has_function_privilege('pg_replication_origin_create(text)', 'EXECUTE')
       AND has_function_privilege('pg_replication_origin_session_setup(text)', 'EXECUTE')
